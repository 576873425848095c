// Minkowski's polytope: the reader sets the areas of the faces, the page solves for the polytope.
// A demand that no polytope meets is refused in words; the last polytope that exists stays, in grey.
(function () {
  "use strict";
  const { polytope, polytopeWords: words } = omtCore;
  const { arrow, inside, centreOf } = omtCore.polytopeMarks;
  const STEP = 0.05;
  const dot = (a, b) => a.reduce((sum, v, k) => sum + v * b[k], 0);

  omtPlay.define("minkowski", (play) => {
    const { stage, data } = play;
    const state = { preset: null, mode: "keep", face: 0, asked: [], valid: null, shown: null, refused: null, nearest: null };

    const top = omtPlay.bar(stage);
    omtPlay.choice(top, "Normals", data.presets.map((p) => [p.key, p.label]), data.presets[0].key, choose);
    omtPlay.choice(top, "When a face changes", [["keep", "keep the balance"], ["exact", "exactly what I ask"]], "keep",
      (mode) => {
        state.mode = mode;
        held = null;
        if (state.refused && state.valid) state.asked = [...state.valid];
        resolve();
      });
    const solid = omtPlay.canvas(stage, {
      label: "The polytope. Arrow keys turn it, bracket keys choose a face, plus and minus change its area.",
      keys: "Drag to turn, or arrow keys. Click a face or press [ ] to choose it; then drag that face up or down, or press + and \u2212.",
      ratio: 0.95,
    });
    const bars = omtPlay.canvas(stage, {
      label: "Areas of the faces as bars. Left and right choose a face, up and down change its area.",
      keys: "Drag the top of a bar. Keys: \u2190 \u2192 choose, \u2191 \u2193 change, Shift for larger steps.",
      ratio: 0.95,
    });
    omtPlay.row(stage, solid, bars);
    const bottom = omtPlay.bar(stage);
    const balance = omtPlay.button(bottom, "Take the nearest areas that balance", () => {
      state.asked = [...state.nearest];
      held = null;
      resolve();
      bars.node.focus({ preventScroll: true }); // the button hides, and must not take the focus along
    });
    omtPlay.button(bottom, "Start again", () => choose(state.preset.key));
    const say = omtPlay.status(stage);

    const largest = () => state.preset.largest;
    let held = null; // areas that a series of keys begins with
    let chosen = false; // by the reader: on a phone the first finger is to scroll past the polytope
    const coarse = matchMedia("(pointer: coarse)").matches;
    const start = () => (state.refused && state.valid ? state.valid : state.asked); // areas that a change begins with

    function choose(key) {
      state.preset = data.presets.find((p) => p.key === key);
      Object.assign(state, { face: 0, asked: [...state.preset.areas], valid: null, shown: null, refused: null });
      const toEye = state.preset.normals.map((n) => -camera.project(n)[2]);
      state.face = toEye.indexOf(Math.max(...toEye));
      held = null;
      chosen = false;
      resolve();
    }

    // Solve what is asked; if it is refused, keep what was.
    function resolve(verdict = null) {
      const { normals } = state.preset;
      const found = verdict ?? polytope.solve(normals, state.asked);
      state.refused = found.ok ? null : found;
      state.nearest = null;
      if (found.ok) Object.assign(state, { shown: found, valid: [...state.asked] });
      else if (found.reason === "balance") {
        const near = polytope.balanced(normals, state.asked);
        state.nearest = near.ok ? near.areas : null;
      }
      balance.hidden = !state.nearest;
      say(words(state));
      for (const view of [solid, bars]) view.redraw();
    }

    // One face gets a value; with the balance kept, the others start from `base` and give way.
    function set(face, value, base = start()) {
      const wanted = Math.min(Math.max(Math.round(value / STEP) * STEP, state.mode === "keep" ? STEP : 0), largest());
      state.face = face;
      const keep = state.mode === "keep" && state.valid;
      const given = keep ? polytope.held(state.preset.normals, base, face, wanted) : { ok: true };
      state.asked = given.areas ? [...given.areas] : state.asked.map((a, i) => (i === face ? wanted : a));
      resolve(given.ok ? null : given);
    }

    // The picture in space

    omtPlay.drag(solid, {
      hit: (x, y) => (state.valid && (chosen || !coarse) && faceAt(x, y) === state.face ? state.face : null),
      start: (face, x, y) => {
        held = null;
        Object.assign(state, { from: y, value: state.asked[face], base: [...start()] });
      },
      move: (face, x, y) => set(face, state.value + ((state.from - y) / solid.height) * largest(), state.base),
    });
    const camera = omtPlay.orbit(solid, { yaw: 0.45, pitch: 0.42 });
    let pressed = null;
    solid.node.addEventListener("pointerdown", (event) => (pressed = solid.at(event)));
    solid.node.addEventListener("pointerup", (event) => {
      const [x, y] = solid.at(event);
      const face = pressed && Math.hypot(x - pressed[0], y - pressed[1]) < 5 ? faceAt(x, y) : null;
      pressed = null;
      if (face !== null) select(face);
    });
    solid.node.addEventListener("keydown", (event) => key(event, { "+": 1, "=": 1, "-": -1, _: -1 }, { "[": -1, p: -1, "]": 1, n: 1 }));
    bars.node.addEventListener("keydown", (event) => key(event, { "+": 1, "=": 1, "-": -1, _: -1, ArrowUp: 1, ArrowDown: -1 },
      { "[": -1, p: -1, "]": 1, n: 1, ArrowLeft: -1, ArrowRight: 1 }));

    function select(face) {
      state.face = face;
      held = null;
      chosen = true;
      say(words(state));
      for (const view of [solid, bars]) view.redraw();
    }

    function key(event, changes, choices) {
      const n = state.asked.length, name = event.key.length === 1 ? event.key.toLowerCase() : event.key;
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (name in choices) select((state.face + choices[name] + n) % n);
      else if (name in changes) {
        held ??= [...start()]; // as in a drag: back and forth ends where it began
        set(state.face, state.asked[state.face] + changes[name] * STEP * (event.shiftKey ? 5 : 1), held);
      }
      else return;
      event.preventDefault();
    }

    let drawn = [];
    function faceAt(x, y) {
      const found = drawn.find(({ loop, front }) => front && inside(loop, x, y));
      return found ? found.face : null;
    }

    const paint = (face) => omtPlay.mix(omtPlay.classColour(face), omtPlay.colours().background, face < 10 ? 0.25 : 0.6);

    function label(context, [x, y], face, colours) {
      const chosen = face === state.face;
      context.beginPath();
      context.arc(x, y, chosen ? 13 : 10.5, 0, 2 * Math.PI);
      context.fillStyle = colours.background;
      context.strokeStyle = chosen ? colours.text : colours.rule;
      context.lineWidth = chosen ? 2 : 1;
      context.fill();
      context.stroke();
      context.fillStyle = colours.text;
      context.fillText(String(face + 1), x, y + 0.5);
    }

    solid.onDraw = () => {
      const { context, width, height } = solid, colours = omtPlay.colours();
      context.font = "13px system-ui, sans-serif";
      context.textAlign = "center";
      context.textBaseline = "middle";
      context.lineJoin = "round";
      const half = Math.min(width, height) / 2;
      drawn = [];
      let centre = [0, 0, 0];
      let scale = half * 0.8;
      const place = (p) => {
        const [x, y] = camera.project(p.map((v, k) => v - centre[k]));
        return [width / 2 + x * scale, height / 2 - y * scale];
      };
      if (state.shown) {
        const found = polytope.extent(state.shown);
        centre = found.centre;
        scale = (half * 0.88) / Math.max(found.reach, state.preset.reach);
        drawSolid(context, place, colours);
      } else drawNormals(context, place, colours);
      const missing = state.refused?.direction ?? state.refused?.excess?.map((v) => -v / state.refused.length);
      if (!missing) return;
      const tip = missing.map((v, k) => centre[k] + (v * half * 0.72) / scale);
      arrow(context, place(centre), place(tip), colours.background, 7);
      arrow(context, place(centre), place(tip), colours.target, 3.5);
      const [x, y] = place(missing.map((v, k) => centre[k] + (v * half * 0.86) / scale));
      context.fillStyle = colours.target;
      context.fillText(state.refused.direction ? "open" : "missing", Math.min(Math.max(x, 30), width - 30), y);
    };

    function drawSolid(context, place, colours) {
      const { facets, normals } = state.shown;
      drawn = facets.map((f, face) => ({
        face, loop: f.corners.map(place), front: camera.project(normals[face])[2] < 0,
        light: 0.5 + 0.5 * dot(camera.project(normals[face]), [-0.45, 0.6, -0.66]),
      }));
      const trace = (loop) => {
        context.beginPath();
        loop.forEach((p, k) => (k ? context.lineTo(...p) : context.moveTo(...p)));
        context.closePath();
      };
      for (const { face, loop, light } of drawn.filter((f) => f.front)) {
        trace(loop);
        const colour = state.refused ? omtPlay.mix(colours.rule, colours.background, 0.2) : paint(face);
        context.fillStyle = omtPlay.mix(colour, "#000000", 0.3 * (1 - light));
        context.fill();
      }
      context.setLineDash([3, 4]);
      context.strokeStyle = colours.muted;
      context.lineWidth = 0.7;
      context.globalAlpha = 0.55;
      for (const { loop } of drawn.filter((f) => !f.front)) {
        trace(loop);
        context.stroke();
      }
      context.setLineDash([]);
      context.globalAlpha = 1;
      const behind = drawn.find((f) => !f.front && f.face === state.face && f.loop.length);
      const taken = behind ? centreOf(behind.loop) : [Infinity, Infinity];
      if (behind) { // a chosen face that is turned away
        context.setLineDash([7, 4]);
        context.strokeStyle = colours.text;
        context.lineWidth = 2.4;
        trace(behind.loop);
        context.stroke();
        context.setLineDash([]);
        label(context, taken, behind.face, colours);
      }
      const fronts = drawn.filter((f) => f.front).sort((a, b) => (a.face === state.face) - (b.face === state.face));
      for (const { face, loop } of fronts) {
        trace(loop);
        context.strokeStyle = colours.text;
        context.lineWidth = face === state.face ? 3.2 : 1.3;
        context.stroke();
      }
      for (const { face, loop } of fronts) {
        const double = loop.reduce((s, p, k) => s + p[0] * loop[(k + 1) % loop.length][1] - p[1] * loop[(k + 1) % loop.length][0], 0);
        const [x, y] = centreOf(loop), covered = Math.hypot(x - taken[0], y - taken[1]) < 24;
        if (face === state.face || (Math.abs(double) > 700 && !covered)) label(context, [x, y], face, colours);
      }
    }

    // Without a polytope there are still the normals, each as long as its area.
    function drawNormals(context, place, colours) {
      const size = 0.75 / Math.max(...state.asked);
      state.preset.normals.forEach((n, face) => {
        const tip = n.map((v) => v * size * state.asked[face]);
        arrow(context, place([0, 0, 0]), place(tip), face === state.face ? colours.text : paint(face), face === state.face ? 3 : 2.2);
        const at = n.map((v) => v * (size * state.asked[face] + 0.13));
        label(context, place(at), face, colours);
      });
    }

    // The bars

    const frame = () => ({ left: 34, right: bars.width - 6, up: 14, down: bars.height - 38 });
    const column = (face) => {
      const { left, right } = frame(), step = (right - left) / state.asked.length;
      return [left + step * (face + 0.5), step];
    };
    const level = (area) => {
      const { up, down } = frame();
      return down - Math.min(Math.max(area, 0) / largest(), 1) * (down - up);
    };
    const columnAt = (x) => {
      const face = Math.floor((x - frame().left) / column(0)[1]);
      return face >= 0 && face < state.asked.length ? face : null;
    };
    omtPlay.drag(bars, {
      hit: (x, y) => {
        const face = columnAt(x);
        return face !== null && Math.abs(y - level(state.asked[face])) < 24 ? face : null;
      },
      start: (face) => {
        state.base = [...start()];
        select(face);
      },
      move: (face, x, y) => {
        const { up, down } = frame();
        set(face, ((down - y) / (down - up)) * largest(), state.base);
      },
    });
    bars.node.addEventListener("click", (event) => {
      const face = columnAt(bars.at(event)[0]);
      if (face !== null) select(face);
    });

    bars.onDraw = () => {
      const { context } = bars, colours = omtPlay.colours(), { left, right, up, down } = frame();
      context.font = "12px system-ui, sans-serif";
      context.textBaseline = "middle";
      context.textAlign = "right";
      context.lineWidth = 1;
      const tick = largest() > 3 ? 1 : 0.5;
      for (let v = 0; v <= largest(); v += tick) {
        context.strokeStyle = colours.rule;
        context.beginPath();
        context.moveTo(left, level(v));
        context.lineTo(right, level(v));
        context.stroke();
        context.fillStyle = colours.muted;
        context.fillText(v.toFixed(1), left - 5, level(v));
      }
      context.textAlign = "center";
      state.asked.forEach((area, face) => {
        const [x, step] = column(face), wide = Math.min(step * 0.66, 40), y = level(area), chosen = face === state.face;
        context.fillStyle = state.refused && area <= 0 ? colours.targetSoft : paint(face);
        context.fillRect(x - wide / 2, y, wide, down - y);
        context.strokeStyle = chosen ? colours.text : colours.muted;
        context.lineWidth = chosen ? 2.5 : 1;
        context.strokeRect(x - wide / 2, y, wide, down - y);
        context.fillStyle = colours.text;
        context.fillRect(x - wide / 2 - 1, y - 2, wide + 2, 4); // the handle
        if (state.nearest) {
          context.fillStyle = colours.plan;
          const mark = level(state.nearest[face]);
          context.beginPath();
          [[-8, -5], [0, 0], [-8, 5]].forEach(([a, b]) => context.lineTo(x - wide / 2 + a + 4, mark + b));
          context.fill();
          context.fillRect(x - wide / 2, mark - 1, wide, 2);
        }
        if (area > 1.005 * largest()) context.fillText(area.toFixed(1), x, up - 8); // higher than the picture
        if (area <= 0) {
          context.fillStyle = colours.target;
          context.fillText("\u2715", x, down - 12);
        }
        context.fillStyle = chosen ? colours.text : colours.muted;
        context.font = `${chosen ? "bold " : ""}12px system-ui, sans-serif`;
        context.fillText(String(face + 1), x, down + 12);
      });
      context.fillStyle = colours.muted;
      context.font = "12px system-ui, sans-serif";
      context.fillText("face", (left + right) / 2, down + 29);
    };

    for (const preset of data.presets) {
      const found = polytope.solve(preset.normals, preset.areas), sorted = [...preset.areas].sort((a, b) => a - b);
      preset.reach = found.ok ? polytope.extent(found).reach : 1;
      preset.largest = Math.max(1.3 * sorted.at(-1), 2.4 * sorted[sorted.length >> 1]);
    }
    choose(data.presets[0].key);
    play.expose({ state, choose, set, select, camera, handle: (face) => [column(face)[0], level(state.asked[face])] });
  });
})();
