// The figure "Make digits here": a point in the disk, its cell, its code, the decoded digit; a walk
// along a segment, with and without the cut along the sharp ridges. Numbers come from aeomt.js, marks
// and digits from digits-pictures.js.
(function () {
  "use strict";
  const { omtPlay } = globalThis;
  const { aeomt } = globalThis.omtCore;
  const { paper, trace, scene, mark, caption, picture } = globalThis.omtDigits;
  const STEPS = 201, FRAMES = 11; // points of the walk that are counted, digits of the strip
  const STEP = 0.01, LEAP = 0.05; // of an arrow key, without and with Shift
  const NAMES = { point: "the point", start: "A, the start of the segment", end: "B, the end of the segment" };

  const words = (n, one, many) => `${n} ${n === 1 ? one : many}`;
  const an = (digit) => `${digit === 8 ? "an" : "a"} ${digit}`;
  const place = ([x, y]) => `(${x.toFixed(2)}, ${y.toFixed(2)})`.replace(/-/g, "\u2212");

  omtPlay.define("digits", ({ stage, data, expose }) => {
    const points = omtPlay.unpack(data.points), labels = omtPlay.unpack(data.labels);
    const unpacked = ["corners", "loops", "sizes", "creases"].map((name) => [name, omtPlay.unpack(data[name])]);
    const { code, loop, disk, codes } = scene({ points, labels, ...Object.fromEntries(unpacked) });
    const model = aeomt.model({
      points, heights: omtPlay.unpack(data.heights), threshold: data.threshold, softness: data.softness,
      neighbours: data.neighbours,
    });
    const net = aeomt.network(data.layers.map(({ weight, scale, bias }) => ({
      weight: omtPlay.unpack(weight), scale: omtPlay.unpack(scale), bias: omtPlay.unpack(bias),
    })));
    const decode = (value) => aeomt.decode(net, [0, 1].map((k) => data.mean[k] + data.scale[k] * value[k]));

    const state = {
      at: { point: data.point, start: data.start, end: data.end }, chosen: "point", cut: true, softness: 1,
      t: null, next: "start",
    };
    let found, walk, strip;

    const source = omtPlay.canvas(stage, {
      label: "Source disk in cells, with the point to move and the two ends of the segment",
      keys: "Arrow keys move (Shift: larger steps), [ and ] choose point or end, Enter puts an end of the segment at " +
        "the point, + and \u2212 walk along it.",
      ratio: 1,
    });
    const target = omtPlay.canvas(stage, { label: "Plane of codes, with the image of the point and of the segment", ratio: 1 });
    const digit = omtPlay.canvas(stage, { label: "The decoded digit, and the codes it is mixed from", ratio: stage.clientWidth < 480 ? 0.42 : 0.28 });
    const film = omtPlay.canvas(stage, { label: "Digits along the segment", ratio: 0.13 });
    omtPlay.row(stage, source, target);
    for (const view of [target, digit, film]) {
      view.node.removeAttribute("tabindex"); // nothing to do there by hand
      view.node.setAttribute("role", "img");
    }
    stage.append(digit.box, film.box);

    // Where things lie: the disk, and the codes with a margin, in pixels, y up.
    const onDisk = ([x, y]) => [(x / 2.08 + 0.5) * source.width, (0.5 - y / 2.08) * source.height];
    const reach = 1.06 * points.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
    const onCodes = ([x, y]) => [(x / reach + 1) * target.width / 2, (1 - y / reach) * target.height / 2];
    const offDisk = (x, y) => [(x / source.width - 0.5) * 2.08, (0.5 - y / source.height) * 2.08];

    // A point outside the disk goes to its rim.
    function inside([x, y]) {
      const r = Math.hypot(x, y);
      return r <= 0.995 ? [x, y] : [(0.995 * x) / r, (0.995 * y) / r];
    }

    const paintSource = disk(source, onDisk), paintTarget = codes(target, onCodes);
    const own = (i) => paper(decode(code(i)), `code ${i}`);

    source.onDraw = () => {
      const c = source.context, { plan, source: blue, background } = omtPlay.colours();
      paintSource();
      // The cell, and more faintly those whose codes take part.
      c.fillStyle = plan;
      found.index.forEach((i, k) => {
        if (found.weights[k] < 0.005) return;
        c.globalAlpha = i === found.cell ? 1 : 0.25 + 0.6 * found.weights[k];
        trace(c, loop(i), onDisk);
        c.fill();
      });
      c.globalAlpha = 1;
      for (const [colour, width] of [[background, 5], [blue, 2.5]]) {
        c.beginPath();
        c.moveTo(...onDisk(state.at.start));
        c.lineTo(...onDisk(state.at.end));
        c.strokeStyle = colour;
        c.lineWidth = width;
        c.stroke();
      }
      const focused = document.activeElement === source.node;
      for (const kind of ["start", "end", "point"]) {
        mark(c, onDisk(state.at[kind]), kind, focused && kind === state.chosen);
      }
    };

    target.onDraw = () => {
      const c = target.context, { plan, background, text } = omtPlay.colours();
      paintTarget();
      // Where the map is torn the path is dashed: nothing is there.
      c.strokeStyle = text;
      for (let k = 1; k < STEPS; k++) {
        const a = walk.path[k - 1], b = walk.path[k];
        const torn = state.cut && aeomt.ridgeAngle(model, a.cell, b.cell) > model.threshold;
        c.setLineDash(torn ? [4, 4] : []);
        c.lineWidth = torn ? 1 : 2.5;
        c.beginPath();
        c.moveTo(...onCodes(a.value));
        c.lineTo(...onCodes(b.value));
        c.stroke();
      }
      c.setLineDash([]);
      for (let k = 0; k < found.index.length; k++) {
        if (found.weights[k] < 0.02) continue;
        c.beginPath();
        c.moveTo(...onCodes(found.value));
        c.lineTo(...onCodes(code(found.index[k])));
        c.strokeStyle = plan;
        c.lineWidth = 1 + 3 * found.weights[k];
        c.stroke();
      }
      c.beginPath();
      c.arc(...onCodes(found.value), 7, 0, 7);
      c.fillStyle = plan;
      c.fill();
      c.strokeStyle = background;
      c.lineWidth = 2;
      c.stroke();
    };

    digit.onDraw = () => {
      const c = digit.context, { plan, rule } = omtPlay.colours();
      const size = digit.height - 24;
      picture(c, paper(decode(found.value)), 2, 2, size, plan);
      caption(c, "decoded", 2 + size / 2, size + 7);
      const small = Math.min(size * 0.62, (digit.width - size - 30) / 3 - 12);
      const best = found.index.map((i, k) => [i, found.weights[k]]).sort((a, b) => b[1] - a[1]);
      const wide = Math.max(small + 12, 70); // room for the words below
      const room = Math.max(1, Math.floor((digit.width - size - 24 + wide - small) / wide));
      best.slice(0, room).filter(([i, w]) => w >= 0.005 || i === found.cell).forEach(([i, w], k) => {
        const x = size + 24 + k * wide, y = size - small + 2;
        picture(c, own(i), x, y, small, i === found.cell ? plan : rule);
        caption(c, `${Math.round(100 * w)} % ${an(labels[i])}`, x + small / 2, size + 7);
      });
      caption(c, "codes it is mixed from", size + 24, Math.max(0, size - small - 20), "left");
    };

    film.onDraw = () => {
      const c = film.context, { plan, target: red, rule } = omtPlay.colours();
      const width = film.width / FRAMES, size = Math.min(width - 6, film.height - 20);
      strip.forEach((p, k) => {
        const x = k * width + (width - size) / 2;
        const near = state.t !== null && Math.round(state.t * (FRAMES - 1)) === k;
        picture(c, p.sheet(), x, 2, size, p.across > data.limit ? red : near ? plan : rule);
        caption(c, p.across > data.limit ? "?" : String(labels[p.cell]), x + size / 2, size + 5);
      });
    };

    const ends = omtPlay.bar(stage), controls = omtPlay.bar(stage);
    const slider = omtPlay.slider(ends, {
      label: "Walk from A to B", min: 0, max: 1, step: 1 / (STEPS - 1), value: 0,
      format: (t) => `${Math.round(100 * t)} %`, onInput: (t) => along(t),
    });
    omtPlay.check(controls, "Cut along the sharp ridges", true, (on) => {
      state.cut = on;
      update();
    });
    const soft = omtPlay.slider(controls, {
      label: "Softness", min: 0.25, max: 16, step: 0.25, value: 1, format: (s) => `${s} \u00d7`,
      onInput: (s) => {
        state.softness = s;
        update();
      },
    });
    const say = omtPlay.status(stage);

    function along(t) {
      state.t = t;
      state.at.point = state.at.start.map((v, k) => (1 - t) * v + t * state.at.end[k]);
      slider.set(t);
      update();
    }

    function move(kind, xy) {
      state.at[kind] = inside(xy);
      if (kind === "point") state.t = null;
      else if (state.t !== null) return along(state.t);
      update();
    }

    function report(news) {
      const parts = found.index.map((i, k) => `${Math.round(100 * found.weights[k])} % ${an(labels[i])}`);
      digit.node.setAttribute("aria-label", "The decoded digit, mixed from codes: " +
        parts.filter((_, k) => found.weights[k] >= 0.05).join(", "));
      film.node.setAttribute("aria-label", "Digits along the segment: " +
        strip.map((p) => (p.across > data.limit ? "a mixture" : labels[p.cell])).join(", "));
      const angle = found.ridgeAngle, sharp = angle > model.threshold;
      const beside = `angle to the next cell, ${an(labels[found.runnerUp])}, ${angle.toFixed(2)}: ` +
        (sharp ? (state.cut ? "sharp, cut" : "sharp, not cut") : "flat");
      const mixed = found.weights.filter((w) => w >= 0.005).length;
      say(`${news}Point ${place(state.at.point)}: cell ${found.cell}, ${an(labels[found.cell])}; ` +
        `${words(mixed, "code", "codes")} mixed; ${beside}. ` +
        `Segment: ${words(walk.ridges.length, "ridge", "ridges")}, ${walk.sharp} sharp; ` +
        `${walk.mixed} of ${STEPS} points mix codes across a sharp ridge.`);
    }

    function update(news = "") {
      const options = { cut: state.cut, softness: state.softness * data.softness };
      found = aeomt.extend(model, state.at.point, options);
      const key = JSON.stringify([state.at.start, state.at.end, state.cut, state.softness]);
      if (walk?.key !== key) {
        walk = { key, ...aeomt.walk(model, state.at.start, state.at.end, STEPS, options, data.limit) };
        strip = Array.from({ length: FRAMES }, (_, k) => {
          const p = walk.path[(k * (STEPS - 1)) / (FRAMES - 1)], pixels = decode(p.value);
          return { ...p, sheet: () => paper(pixels) };
        });
        film.redraw();
      }
      for (const view of [source, target, digit]) view.redraw();
      if (state.t !== null) film.redraw();
      report(news);
    }

    // Hands: a mouse takes the point wherever it presses; a finger takes what it touches, or taps.
    let dragged = false;
    source.node.addEventListener("pointerdown", (event) => {
      dragged = false;
      const [x, y] = source.at(event);
      if (event.pointerType !== "mouse" || event.button || near(x, y) || Math.hypot(...offDisk(x, y)) > 1) return;
      state.chosen = "point";
      move("point", offDisk(x, y));
    });
    source.node.addEventListener("click", (event) => {
      const where = offDisk(...source.at(event));
      if (dragged || Math.hypot(...where) > 1) return;
      state.chosen = "point";
      move("point", where);
    });
    function near(x, y) {
      const far = (kind) => {
        const [a, b] = onDisk(state.at[kind]);
        return Math.hypot(a - x, b - y);
      };
      const kind = ["point", "start", "end"].reduce((best, other) => (far(other) < far(best) ? other : best));
      return far(kind) < 20 ? kind : null;
    }
    omtPlay.drag(source, {
      hit: near,
      start: (kind) => {
        dragged = true;
        state.chosen = kind;
      },
      move: (kind, x, y) => move(kind, offDisk(x, y)),
    });

    source.node.addEventListener("keydown", (event) => {
      // The browser's own keys stay its own; AltGr writes brackets on many keyboards.
      if ((event.ctrlKey || event.metaKey || event.altKey) && !event.getModifierState("AltGraph")) return;
      const step = event.shiftKey ? LEAP : STEP;
      const by = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
      const kinds = Object.keys(NAMES), turn = { "]": 1, n: 1, "[": -1, p: -1 }[event.key.toLowerCase()];
      const stride = { "+": 1, "=": 1, "-": -1 }[event.key];
      if (by) move(state.chosen, state.at[state.chosen].map((v, k) => v + step * by[k]));
      else if (turn || event.key === "Escape") {
        state.chosen = turn ? kinds[(kinds.indexOf(state.chosen) + turn + 3) % 3] : "point";
        source.redraw();
        say(`Chosen: ${NAMES[state.chosen]}, at ${place(state.at[state.chosen])}.`);
      } else if (event.key === "Enter") {
        const end = state.next;
        state.at[end] = [...state.at.point];
        state.t = null;
        state.next = end === "start" ? "end" : "start";
        update(`${end === "start" ? "A" : "B"} is at the point now. `);
      } else if (stride) along(Math.min(Math.max((state.t ?? slider.value) + stride / (FRAMES - 1), 0), 1));
      else return;
      event.preventDefault();
    });

    for (const name of ["focus", "blur"]) source.node.addEventListener(name, source.redraw);

    update();
    expose({
      state, model, along, move, soft,
      get found() { return found; },
      get walk() { return walk; },
      decode: () => [...decode(found.value)],
    });
  });
})();
