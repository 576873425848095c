// The two drawings of "Sinkhorn": the plan as a matrix with its marginals along the sides, and the potentials
// beside the exact ones. They read the state of the figure and change nothing.
(function () {
  "use strict";
  const core = (globalThis.omtCore ??= {});
  const STRIP = 56; // pixels for the densities along the sides
  const SHADES = 64;
  const paper = document.createElement("canvas"); // one pixel for each entry of the plan
  let shades = null, shadesOf = null;

  // Where place t of the line lies in the picture: in the middle of its pixel, or with room around points.
  function frame(view, { problem }) {
    const size = Math.min(view.width, view.height) - STRIP - 6;
    const n = problem.source.at.length, inset = problem.points ? 0.06 : 0.5 / n;
    return {
      size, n, m: problem.target.at.length,
      to: (t) => STRIP + size * (inset + t * (1 - 2 * inset)),
      from: (s) => ((s - STRIP) / size - inset) / (1 - 2 * inset),
    };
  }

  function handle(view, scene, which, k) {
    const place = frame(view, scene).to(scene.state[which][k][0]), off = STRIP - (scene.problem.points ? 44 : 14);
    return which === "source" ? [off, place] : [place, off];
  }

  const along = (view, scene, s) => frame(view, scene).from(s);

  function palette(colours) {
    if (shadesOf !== colours) {
      shadesOf = colours;
      shades = Array.from({ length: SHADES }, (_, k) =>
        omtPlay.mix(colours.surface, colours.plan, k / (SHADES - 1)).match(/\d+/g).map(Number));
    }
    return shades;
  }

  function matrix(view, scene) {
    const { problem, result, exact, colours } = scene, c = view.context, { size, n, m, to } = frame(view, scene);
    const highest = result.P.reduce((a, b) => Math.max(a, b), 0);
    c.fillStyle = colours.surface;
    c.fillRect(STRIP, STRIP, size, size);
    if (problem.points) {
      c.fillStyle = colours.plan;
      for (let i = 0; i < n; i++) {
        for (let j = 0; j < m; j++) {
          c.beginPath();
          c.arc(to(problem.target.at[j]), to(problem.source.at[i]), 22 * Math.sqrt(result.P[i * m + j] / highest), 0, 7);
          c.globalAlpha = 0.75;
          c.fill();
        }
      }
      c.globalAlpha = 1;
    } else pixels(c, result.P, n, m, highest, palette(colours), size);
    c.strokeStyle = colours.text;
    c.lineWidth = 1;
    c.beginPath();
    for (const [i, j, mass] of exact.path) if (mass > 0) c.lineTo(to(problem.target.at[j]), to(problem.source.at[i]));
    c.stroke();
    strip(c, scene, "source", result.rows, to);
    strip(c, scene, "target", result.columns, to);
    for (const which of ["source", "target"]) {
      scene.state[which].forEach((_, k) => mark(c, scene, which, k, ...handle(view, scene, which, k)));
    }
    c.fillStyle = colours.text;
    c.font = "12px sans-serif";
    c.textAlign = "left";
    c.fillText("x, y", 4, 14);
  }

  function pixels(c, P, n, m, highest, ramp, size) {
    paper.width = m;
    paper.height = n;
    const small = paper.getContext("2d"), image = small.createImageData(m, n);
    for (let k = 0; k < P.length; k++) {
      const [r, g, b] = ramp[Math.min(Math.floor(SHADES * Math.sqrt(P[k] / highest)), SHADES - 1)];
      image.data.set([r, g, b, 255], 4 * k);
    }
    small.putImageData(image, 0, 0);
    c.imageSmoothingEnabled = false;
    c.drawImage(paper, STRIP, STRIP, size, size);
  }

  // A density along a side, and in violet the marginal that the plan has.
  function strip(c, { problem, colours }, which, marginal, to) {
    const { at, mass } = problem[which], high = (STRIP - 26) / Math.max(...mass), flat = which === "source";
    const point = (s, v) => (flat ? [STRIP - 2 - high * v, s] : [s, STRIP - 2 - high * v]);
    const line = (values, colour, width) => {
      c.strokeStyle = colour;
      c.lineWidth = width;
      c.beginPath();
      for (let i = 0; i < at.length; i++) {
        if (problem.points) c.moveTo(...point(to(at[i]) + (width < 3 ? 3 : 0), 0));
        c.lineTo(...point(to(at[i]) + (problem.points && width < 3 ? 3 : 0), values[i]));
      }
      c.stroke();
    };
    if (!problem.points) {
      c.fillStyle = colours[`${which}Soft`];
      c.beginPath();
      c.moveTo(...point(to(0), 0));
      for (let i = 0; i < at.length; i++) c.lineTo(...point(to(at[i]), mass[i]));
      c.lineTo(...point(to(1), 0));
      c.fill();
    }
    line(mass, colours[which], problem.points ? 4 : 3);
    line(marginal, colours.plan, 1.5);
  }

  // The sign of a place: a disc for the source, a diamond for the target; a ring if it is chosen.
  function sign(c, which, x, y, r) {
    c.beginPath();
    if (which === "source") c.arc(x, y, r, 0, 2 * Math.PI);
    else {
      for (const [u, v] of [[1.25, 0], [0, 1.25], [-1.25, 0], [0, -1.25]]) c.lineTo(x + r * u, y + r * v);
      c.closePath();
    }
    c.fill();
  }

  function mark(c, { state, colours }, which, k, x, y) {
    c.fillStyle = colours[which];
    c.strokeStyle = colours.background;
    c.lineWidth = 1.5;
    sign(c, which, x, y, 7);
    c.stroke();
    if (state.side !== which || state.selected !== k) return;
    c.strokeStyle = colours.text;
    c.lineWidth = 2;
    c.beginPath();
    c.arc(x, y, 12, 0, 2 * Math.PI);
    c.stroke();
  }

  // Potentials are given up to a constant moved from one to the other: here <f, a> = <g, b>.
  function centred({ f, g }, { source, target }) {
    let shift = 0;
    for (let i = 0; i < f.length; i++) shift -= f[i] * source.mass[i] / 2;
    for (let j = 0; j < g.length; j++) shift += g[j] * target.mass[j] / 2;
    return [Array.from(f, (v) => v + shift), Array.from(g, (v) => v - shift)];
  }

  function curves(view, { problem, result, exact, colours }) {
    const c = view.context, left = 46, right = view.width - 8, top = 44, bottom = view.height - 22;
    const [f, g] = centred(result.run, problem), [f0, g0] = centred(exact, problem);
    const all = [...f, ...g, ...f0, ...g0];
    const low = Math.min(...all), high = Math.max(...all), range = Math.max(high - low, 1e-9);
    const spot = (t, v) => [left + (right - left) * t, bottom - ((bottom - top) * (v - low)) / range];
    c.font = "12px sans-serif";
    c.fillStyle = colours.text;
    c.strokeStyle = colours.rule;
    c.lineWidth = 1;
    for (const v of [low, low + range / 2, high]) {
      const [, y] = spot(0, v);
      c.beginPath();
      c.moveTo(left, y);
      c.lineTo(right, y);
      c.stroke();
      c.textAlign = "right";
      c.fillText(v.toFixed(3).replace("-", "−"), left - 5, y + 4);
    }
    c.textAlign = "center";
    for (const t of [0, 0.5, 1]) c.fillText(String(t), Math.min(spot(t, low)[0], right - 6), bottom + 16);
    const draw = (which, values, other) => {
      const order = Array.from(values.keys()).sort((i, j) => problem[which].at[i] - problem[which].at[j]);
      const places = (v) => order.map((i) => spot(problem[which].at[i], v[i]));
      c.strokeStyle = c.fillStyle = colours[which];
      for (const [points, dash, width] of [[places(other), [5, 4], 1.5], [places(values), [], 2.2]]) {
        c.setLineDash(dash);
        c.lineWidth = width;
        c.beginPath();
        for (const p of points) c.lineTo(...p);
        c.stroke();
      }
      places(values).forEach((p, k) => (problem.points || k % 12 === 6) && sign(c, which, ...p, 4));
    };
    draw("source", f, f0);
    draw("target", g, g0);
    c.textAlign = "left";
    [["source", "f, source"], ["target", "g, target"]].forEach(([which, words], k) => {
      c.fillStyle = colours[which];
      sign(c, which, left + 8 + 100 * k, 14, 5);
      c.fillStyle = colours.text;
      c.fillText(words, left + 18 + 100 * k, 18);
    });
    c.fillText("dashed: exact", left + 3, 34);
  }

  core.sinkhornDrawing = { matrix, curves, handle, along };
})();
