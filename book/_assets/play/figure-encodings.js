// Two encodings of a face and every one between: a uniform sample of the disk is carried to the face
// by the inverse of the map at t. Uneven at one end, even at the other; folded nowhere.
(function () {
  "use strict";
  const { surface, raster } = omtCore;
  const SHADES = 64, WIDEST = 760; // colours of the ramp; pixels across an image at most
  const minus = (text) => String(text).replaceAll("-", "\u2212");
  const count = (n) => n.toLocaleString("en-US");

  omtPlay.define("encodings", (play) => {
    const { stage, data } = play;
    const F = omtPlay.unpack(data.F), patch = omtPlay.unpack(data.patch);
    const plane = (packed) => surface.unquantise(omtPlay.unpack(packed), [-1, -1], [1, 1]);
    const V = surface.unquantise(omtPlay.unpack(data.V), data.low, data.high);
    const { areas, normals } = surface.spaceAreas(V, F);
    const ends = Object.fromEntries(data.maps.map((map) => [map.key, [plane(map.start), plane(map.end)]]));
    const n = V.length / 3, m = areas.length;
    const middle = [0, 1, 2].map((k) => (data.low[k] + data.high[k]) / 2), size = (data.high[1] - data.low[1]) / 2;
    const state = { key: data.maps[0].key, t: 0, sample: plane(data.sample), probe: [0, -0.36, 0.14], tint: false };
    const now = { uv: new Float64Array(2 * n), shade: new Uint8Array(m), plain: new Uint8Array(m).fill(SHADES) };

    const top = omtPlay.bar(stage);
    omtPlay.choice(top, "Encoding at t = 0", data.maps.map((map) => [map.key, map.label]), state.key, (key) => {
      state.key = key;
      update();
    });
    omtPlay.check(top, "colour the face too", false, (on) => {
      state.tint = on;
      spatial.redraw();
    });
    const flat = omtPlay.canvas(stage, {
      label: "The disk of codes with the sample. Arrow keys move a ring; the points in it are marked on the face too.",
      keys: "Codes. Drag the ring, or move it with the arrow keys (Shift: larger steps).",
      ratio: 1.14,
    });
    const spatial = omtPlay.canvas(stage, {
      label: "The face with the decoded sample. Arrow keys turn it.",
      keys: "Decoded. Drag to turn, or use the arrow keys.",
      ratio: 1.14,
    });
    omtPlay.row(stage, flat, spatial);
    const middleBar = omtPlay.bar(stage);
    const slider = omtPlay.slider(middleBar, {
      label: "From uneven to even, t", min: 0, max: 1, step: 0.01, value: 0, format: (t) => t.toFixed(2),
      onInput: (t) => {
        stop();
        state.t = t;
        update();
      },
    });
    const bottom = omtPlay.bar(stage);
    const runner = omtPlay.button(bottom, "Play", () => (running ? stop() : run()));
    omtPlay.choice(bottom, "Points", [[1500, "1,500"], [6000, "6,000"]], 1500, (size) => draw(Number(size)));
    omtPlay.button(bottom, "Another sample", () => draw(state.sample.length / 2));
    const say = omtPlay.status(stage);

    // A uniform sample: the radius is the root of a uniform number.
    let seed = 0;
    function draw(size) {
      const random = omtPlay.random(++seed);
      state.sample = new Float64Array(2 * size);
      for (let p = 0; p < size; p++) {
        const r = Math.sqrt(random()), turn = 2 * Math.PI * random();
        state.sample.set([r * Math.cos(turn), r * Math.sin(turn)], 2 * p);
      }
      update();
    }

    let running = false;
    function run() {
      const from = state.t > 0.99 ? 1 : 0, began = performance.now();
      const show = (t) => {
        state.t = t;
        slider.set(t);
        update();
      };
      if (omtPlay.reduced) return show(1 - from);
      running = true;
      runner.textContent = "Stop";
      const step = (time) => {
        if (!running) return;
        const s = Math.min(Math.max((time - began) / 4000, 0), 1);
        show(from ? 1 - s : s);
        if (s < 1) requestAnimationFrame(step);
        else stop();
      };
      requestAnimationFrame(step);
    }
    function stop() {
      running = false;
      runner.textContent = "Play";
    }

    // What depends on t and the sample.
    function update() {
      const [start, end] = ends[state.key];
      surface.between(start, end, state.t, now.uv);
      now.ratio = surface.areaRatio(surface.signedAreas(now.uv, F), areas);
      for (let t = 0; t < m; t++) {
        const place = (Math.log2(Math.max(now.ratio[t], 1e-9)) / 2 + 1) / 2; // 1/4 to 4
        now.shade[t] = Math.round(Math.min(Math.max(place, 0), 1) * (SHADES - 1));
      }
      const found = surface.locate(surface.locator(now.uv, F), state.sample);
      now.triangle = found.triangle;
      now.x = surface.pullBack(V, F, found);
      now.test = surface.chiSquare(found.triangle, areas, patch);
      now.extremes = surface.extremes(now.ratio, areas, 2);
      now.stale = true;
      say(words());
      flat.redraw();
      spatial.redraw();
    }

    function words() {
      const { statistic, pValue, freedom, used } = now.test, { share, folded } = now.extremes;
      const p = pValue < 1e-10 ? "p < 1e\u221210" : `p = ${minus(pValue < 0.001 ? pValue.toExponential(0) : pValue.toFixed(3))}`;
      const verdict = pValue < 0.001 ? "uneven" : pValue < 0.05 ? "doubtful" : "no sign of unevenness";
      return `t = ${state.t.toFixed(2)}. \u03c7\u00b2 = ${count(Math.round(statistic))} over the patches of the face, where a uniform sample ` +
        `has ${freedom} in the mean: ${p}, ${verdict}. ${Math.round(100 * share)} % of the face gets less than half or more than twice its ` +
        `share of points. ${count(folded)} of ${count(m)} triangles folded. ${count(used)} of ${count(state.sample.length / 2)} codes lie on the image. ${ringWords()}`;
    }

    // What the ring holds: codes, and the part of the face that they stand for.
    function ringWords() {
      const [x, y, r] = state.probe, { uv } = now;
      let held = 0, inside = 0, all = 0;
      for (let p = 0; p < state.sample.length / 2; p++) held += Number(marked(p));
      for (let t = 0; t < m; t++) {
        const [a, b, c] = F.subarray(3 * t, 3 * t + 3);
        const near = Math.hypot((uv[2 * a] + uv[2 * b] + uv[2 * c]) / 3 - x, (uv[2 * a + 1] + uv[2 * b + 1] + uv[2 * c + 1]) / 3 - y) < r;
        all += areas[t];
        if (near) inside += areas[t];
      }
      return `Ring at (${minus(x.toFixed(2))}, ${minus(y.toFixed(2))}): ${count(held)} codes, ${((100 * inside) / all).toFixed(1)} % of the face.`;
    }

    // Pictures of the mesh

    const vertexNormals = new Float64Array(3 * n); // sums weighted by area, as the package does
    for (let t = 0; t < m; t++) {
      for (const corner of F.subarray(3 * t, 3 * t + 3)) {
        for (let k = 0; k < 3; k++) vertexNormals[3 * corner + k] += areas[t] * normals[3 * t + k];
      }
    }
    for (let i = 0; i < 3 * n; i += 3) {
      const length = Math.hypot(vertexNormals[i], vertexNormals[i + 1], vertexNormals[i + 2]);
      for (let k = i; k < i + 3; k++) vertexNormals[k] /= length;
    }

    // Rows of the matrix that takes the face (y up, z to the front) to the right, up, and away.
    function matrix() {
      const columns = [[1, 0, 0], [0, 0, 1], [0, -1, 0]].map((axis) => camera.project(axis));
      return [0, 1, 2].map((row) => columns.map((column) => column[row]));
    }
    const FRONT = [[1, 0, 0], [0, 1, 0], [0, 0, -1]];
    const LIGHT = [-0.35, 0.45, -0.82];
    const dot = (row, list, at) => row[0] * list[at] + row[1] * list[at + 1] + row[2] * list[at + 2];
    function lit(rows, out, dark) {
      const toLight = [0, 1, 2].map((k) => rows.reduce((sum, row, r) => sum + row[k] * LIGHT[r], 0));
      for (let i = 0; i < n; i++) {
        out[i] = dark + (1 - dark) * Math.max(dot(toLight, vertexNormals, 3 * i), 0);
      }
      return out;
    }

    let theme = null, ramp = null;
    function shades() {
      const colours = omtPlay.colours();
      if (theme === colours) return ramp;
      const dark = document.documentElement.dataset.theme === "dark";
      const skin = omtPlay.mix(colours.background, colours.text, dark ? 0.38 : 0.14);
      const list = [...Array(SHADES).keys()].map((k) => omtPlay.mix(skin, colours.plan, (0.85 * k) / (SHADES - 1)));
      theme = colours;
      now.stale = true;
      ramp = Float32Array.from([...list, skin].flatMap((colour) => colour.match(/\d+/g).map(Number)));
      return ramp;
    }

    const pictures = new Map();
    function pictureOf(view) {
      const wide = Math.min(Math.round(view.width * view.dots), WIDEST), high = Math.round(wide * view.ratio);
      let picture = pictures.get(view);
      if (picture?.image.width !== wide) {
        const node = omtPlay.el("canvas", { width: wide, height: high });
        picture = { image: raster.image(wide, high), node, scale: wide / view.width };
        picture.shown = { ...picture.image, pixels: new Uint32Array(wide * high) };
        picture.bytes = new ImageData(new Uint8ClampedArray(picture.shown.pixels.buffer), wide, high);
        Object.assign(picture, { x: new Float32Array(n), y: new Float32Array(n), z: new Float32Array(n), light: new Float32Array(n), fresh: true });
        pictures.set(view, picture);
      }
      return picture;
    }
    function paint(view, picture, colours) {
      raster.clear(picture.image);
      raster.paint(picture.image, { ...picture, F, colours, ramp: shades() });
    }
    // The mesh with points on it: those in the ring last, larger and in the colour of the text.
    function show(view, picture, [others, marked], shape, radius, name) {
      const colours = omtPlay.colours(), bytes = (colour) => omtPlay.mix(colour, colour, 0).match(/\d+/g).map(Number);
      const put = (places, size, colour) => raster.stamp(picture.shown, places, { shape, radius: size * picture.scale, colour: bytes(colour) });
      picture.shown.pixels.set(picture.image.pixels);
      if (name === "source" && radius > 1.3) put(others, radius + 0.7, colours.background);
      put(others, radius, colours[name]);
      put(marked, radius + 2.1, colours.background);
      put(marked, radius + 1.2, colours.text);
      picture.node.getContext("2d").putImageData(picture.bytes, 0, 0);
      view.context.drawImage(picture.node, 0, 0, view.width, view.height);
    }

    const marked = (p) => Math.hypot(state.sample[2 * p] - state.probe[0], state.sample[2 * p + 1] - state.probe[1]) < state.probe[2];

    // The disk

    const radius = () => flat.width * 0.47;
    const toDisk = (x, y) => [flat.width / 2 + x * radius(), flat.width * 0.49 - y * radius()];
    flat.onDraw = () => {
      const { context } = flat, colours = omtPlay.colours(), picture = pictureOf(flat);
      shades();
      if (picture.fresh || now.stale) {
        for (let i = 0; i < n; i++) {
          const [x, y] = toDisk(now.uv[2 * i], now.uv[2 * i + 1]);
          picture.x[i] = x * picture.scale - 0.5;
          picture.y[i] = y * picture.scale - 0.5;
        }
        if (picture.fresh) lit(FRONT, picture.light, 0.72);
        paint(flat, picture, now.shade);
        Object.assign(now, { stale: false });
        picture.fresh = false;
      }
      const places = [[], []];
      for (let p = 0; p < state.sample.length / 2; p++) {
        const [x, y] = toDisk(state.sample[2 * p], state.sample[2 * p + 1]);
        places[Number(marked(p))].push(x * picture.scale - 0.5, y * picture.scale - 0.5);
      }
      show(flat, picture, places, "disc", state.sample.length > 5000 ? 1.2 : 1.5, "source");
      context.strokeStyle = colours.text;
      context.lineWidth = 2.5;
      context.beginPath();
      context.arc(...toDisk(...state.probe), state.probe[2] * radius(), 0, 2 * Math.PI);
      context.stroke();
      legend(context, colours);
    };

    function legend(context, colours) {
      const wide = flat.width * 0.5, left = (flat.width - wide) / 2, y = flat.width * 0.98 + 8;
      for (let k = 0; k < SHADES; k++) {
        context.fillStyle = `rgb(${Array.from(ramp.slice(3 * k, 3 * k + 3)).join(", ")})`;
        context.fillRect(left + (wide * k) / SHADES, y, wide / SHADES + 1, 9);
      }
      context.fillStyle = colours.muted;
      context.font = "12px system-ui, sans-serif";
      context.textAlign = "center";
      context.textBaseline = "top";
      ["\u00bc", "1", "4"].forEach((text, k) => context.fillText(text, left + (wide * k) / 2, y + 13));
      context.fillText("area ratio", left + wide / 4, y + 13);
    }

    function move(x, y) {
      const r = Math.max(Math.hypot(x, y), 1e-9), within = Math.min(1, 0.98 / r);
      state.probe = [x * within, y * within, state.probe[2]];
      say(words());
      flat.redraw();
      spatial.redraw();
    }
    const fromDisk = (x, y) => [(x - flat.width / 2) / radius(), (flat.width * 0.49 - y) / radius()];
    omtPlay.drag(flat, {
      hit: (x, y) => {
        const [u, v] = fromDisk(x, y);
        return Math.hypot(u - state.probe[0], v - state.probe[1]) < state.probe[2] + 0.05 ? "ring" : null;
      },
      start: (_, x, y) => (state.offset = fromDisk(x, y).map((v, k) => v - state.probe[k])),
      move: (_, x, y) => move(...fromDisk(x, y).map((v, k) => v - state.offset[k])),
    });
    flat.node.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
      if (!step) return;
      event.preventDefault();
      move(...step.map((v, k) => state.probe[k] + v * (event.shiftKey ? 0.15 : 0.03)));
    });

    // The face

    const camera = omtPlay.orbit(spatial, { yaw: 0.4, pitch: 0.08 });
    spatial.onDraw = () => {
      const picture = pictureOf(spatial), ramp = shades(), toPixel = (v) => v * picture.scale - 0.5;
      const rows = matrix(), scale = (spatial.height * 0.46) / size;
      const key = [camera.yaw, camera.pitch, state.tint && [state.key, state.t]].join();
      const project = (x, y, z, row) => row[0] * (x - middle[0]) + row[1] * (y - middle[1]) + row[2] * (z - middle[2]);
      if (picture.key !== key || picture.ramp !== ramp) {
        for (let i = 0; i < n; i++) {
          const x = V[3 * i], y = V[3 * i + 1], z = V[3 * i + 2];
          picture.x[i] = toPixel(spatial.width / 2 + scale * project(x, y, z, rows[0]));
          picture.y[i] = toPixel(spatial.height / 2 - scale * project(x, y, z, rows[1]));
          picture.z[i] = project(x, y, z, rows[2]);
        }
        lit(rows, picture.light, 0.5);
        paint(spatial, picture, state.tint ? now.shade : now.plain);
        Object.assign(picture, { key, ramp });
      }
      const places = [[], []], { image } = picture;
      for (let p = 0; p < now.triangle.length; p++) {
        const t = now.triangle[p];
        if (t < 0 || dot(rows[2], normals, 3 * t) >= 0) continue;
        const x = now.x[3 * p], y = now.x[3 * p + 1], z = now.x[3 * p + 2];
        const X = toPixel(spatial.width / 2 + scale * project(x, y, z, rows[0])), i = Math.round(X);
        const Y = toPixel(spatial.height / 2 - scale * project(x, y, z, rows[1])), j = Math.round(Y);
        const inside = i >= 0 && i < image.width && j >= 0 && j < image.height;
        if (inside && project(x, y, z, rows[2]) <= image.depth[j * image.width + i] + 0.02 * size) places[Number(marked(p))].push(X, Y);
      }
      show(spatial, picture, places, "diamond", state.sample.length > 5000 ? 1.5 : 2.2, "target");
    };

    update();
    play.expose({
      state, now, camera, slider, draw,
      set: (t) => {
        state.t = t;
        slider.set(t);
        update();
      },
      frame: () => {
        for (const view of [flat, spatial]) view.drawNow();
      },
    });
  });
})();
