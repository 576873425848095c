// "Sinkhorn": two laws on a line, the entropic plan between them as a picture, and its potentials beside
// the exact ones. sinkhorn.js iterates in slices of time, so that the hand never waits.
omtPlay.define("sinkhorn", (play) => {
  "use strict";
  const { sinkhorn, sinkhornDrawing: drawing } = globalThis.omtCore;
  const { presets, size, floor } = play.data;
  const UNTIL = 41; // last stop of the slider of iterations: until the tolerance is met
  const TOLERANCE = 1e-9, MOST = 30000, SLICE = 10; // milliseconds of a frame that iterating may take
  const PLAIN = 400; // iterations in plain numbers that are tried
  const HELD = 200; // iterations a move while a hand drags: from the last potentials, not from zero
  const grid = Float64Array.from({ length: size }, (_, i) => i / (size - 1));
  const state = { preset: Object.keys(presets)[0], source: [], target: [], logEps: play.data.logEps, steps: UNTIL,
    side: "source", selected: -1 };
  let problem = null, run = null, result = null, exact = null, note = "", waiting = null, held = false;

  const eps = () => 10 ** state.logEps;
  const wanted = () => (state.steps >= UNTIL ? Infinity : Math.round(10 ** (state.steps / 10)));
  const exponent = (v) => v.toExponential(0);

  // A bump is [centre, width, weight]; a point has width 0.
  function side(bumps, points) {
    if (!points) return { at: grid, mass: sinkhorn.density(bumps, grid, floor) };
    const sum = bumps.reduce((s, b) => s + b[2], 0);
    return { at: Float64Array.from(bumps, (b) => b[0]), mass: Float64Array.from(bumps, (b) => b[2] / sum) };
  }

  function update() {
    const points = Boolean(presets[state.preset].points);
    const source = side(state.source, points), target = side(state.target, points);
    problem = { points, source, target, cost: sinkhorn.costs(source.at, target.at) };
    exact = sinkhorn.exact(source.at, source.mass, target.at, target.mass);
    if (result?.P.length !== problem.cost.length) result = null;
    redraw();
    iterate();
  }

  // From zero each time: a number of iterations at this eps, or down to it from a large one.
  function iterate() {
    const all = wanted(), e = eps(), go = held && result && all === Infinity;
    run = sinkhorn.run(problem.source.mass, problem.target.mass, problem.cost, {
      eps: e, start: all === Infinity && !go ? Math.max(e, 0.5) : e, tol: TOLERANCE,
      most: go ? HELD : Math.min(all, MOST), from: go ? result.run.g : null,
    });
    cancelAnimationFrame(waiting);
    slice();
  }

  function slice() {
    waiting = null;
    const until = performance.now() + SLICE;
    while (run.advance(25)) {
      if (performance.now() < until) continue;
      waiting = requestAnimationFrame(slice);
      if (run.iterations > 2000) say(`Iteration ${run.iterations}, marginal error ${exponent(run.error)} ...`);
      return;
    }
    result = Object.assign(sinkhorn.plan(run.finish()), { run });
    const { zeros, failed } = sinkhorn.plain(run.a, run.b, run.cost, run.eps, zerosExpected() ? PLAIN : 0);
    note = failed
      ? `In plain numbers ${Math.round(100 * zeros)} % of the kernel are zero, and iteration ${failed} divides by zero or overflows.`
      : zeros > 0
        ? `In plain numbers ${Math.round(100 * zeros)} % of the kernel are zero; ${PLAIN} iterations survive it here.`
        : "In plain numbers the kernel has no zero.";
    redraw();
    report();
  }

  const zerosExpected = () => Math.max(...run.cost) / run.eps > 700;

  function report() {
    const { transport, dual } = result, d = (v) => v.toFixed(6).replace(/^-0\.0+$/, "0.000000").replace("-", "−");
    const settled = run.error < 1e-6;
    let text = `ε = ${exponentless(run.eps)}, ${run.iterations === 1 ? "1 iteration" : `${run.iterations} iterations`}, marginal error ${exponent(run.error)}. `
      + `⟨c, P⟩ = ${d(transport)}, dual value ${d(dual)}, exact cost ${d(exact.cost)} (W₂² = ${d(2 * exact.cost)}). `
      + (settled
        ? `Bias: ${d(transport - exact.cost)} of ⟨c, P⟩, ${d(dual - exact.cost)} of the value. `
        : "P does not have the target's masses yet. ") + note;
    if (state.selected >= 0) {
      const [centre, width, weight] = state[state.side][state.selected];
      const name = state.side === "source" ? "Source" : "Target";
      text = `${name} ${problem.points ? "point" : "bump"} ${state.selected + 1}: at ${centre.toFixed(2)}`
        + `${problem.points ? "" : `, width ${width.toFixed(3)}`}, weight ${weight.toFixed(2)}. ${text}`;
    }
    say(text);
  }

  const exponentless = (v) => (v >= 0.001 ? v.toPrecision(3) : v.toExponential(2));

  function use(name) {
    state.preset = name;
    state.source = presets[name].source.map((b) => [...b]);
    state.target = presets[name].target.map((b) => [...b]);
    state.selected = -1;
    laws.value = name;
    update();
  }

  function change(which, k, { centre = 0, width = 1, weight = 1 }) {
    const bump = state[which][k];
    bump[0] = Math.min(Math.max(bump[0] + centre, 0), 1);
    bump[1] = bump[1] && Math.min(Math.max(bump[1] * width, 0.015), 0.4);
    bump[2] = Math.min(Math.max(bump[2] * weight, 0.05), 8);
    update();
  }

  function choose(which, k) {
    state.side = which;
    state.selected = k;
    redraw();
    if (result && waiting === null) report();
  }

  // What is seen

  const matrix = omtPlay.canvas(play.stage, {
    label: "The plan as a matrix: source at the left, target on top.",
    keys: "Drag a disc or a diamond, or: [ and ] select, arrow keys move it along its side and, for bumps, change its width across, + and − "
      + "change its weight, Escape lets go. Violet: the plan, and the marginals it has. Thin line: the exact plan.",
  });
  const curves = omtPlay.canvas(play.stage, {
    label: "Potentials: f of the source with discs, g of the target with diamonds, the exact ones dashed.",
    keys: "Solid: the entropic potentials. Dashed: the exact ones of Kantorovich.",
  });
  curves.node.removeAttribute("tabindex"); // a picture: there is nothing to do with it
  curves.node.setAttribute("role", "img");
  omtPlay.row(play.stage, matrix, curves);
  const redraw = () => [matrix, curves].forEach((view) => view.redraw());

  const top = omtPlay.bar(play.stage);
  const laws = omtPlay.choice(top, "Laws", Object.keys(presets).map((name) => [name, name]), state.preset, use);
  omtPlay.button(top, "One more iteration", () => step());
  omtPlay.button(top, "Run to convergence", () => setSteps(UNTIL));
  const bottom = omtPlay.bar(play.stage);
  const sliders = {
    eps: omtPlay.slider(bottom, {
      label: "ε", min: -4.5, max: 0, step: 0.05, value: state.logEps, format: (v) => exponentless(10 ** v),
      onInput: (v) => {
        state.logEps = v;
        iterate();
      },
    }),
    steps: omtPlay.slider(bottom, {
      label: "Iterations", min: 0, max: UNTIL, step: 1, value: UNTIL,
      format: (v) => (v >= UNTIL ? "until converged" : String(Math.round(10 ** (v / 10)))), onInput: (v) => setSteps(v),
    }),
  };
  const say = omtPlay.status(play.stage);

  function setSteps(steps) {
    state.steps = steps;
    sliders.steps.set(steps);
    iterate();
  }

  // One more than now; from a run that has converged it begins again at the first.
  function step() {
    const k = wanted() === Infinity ? 1 : wanted() + 1;
    setSteps(Math.min(10 * Math.log10(k), UNTIL - 1));
  }

  const scene = () => ({ state, problem, result, exact, colours: omtPlay.colours() });
  matrix.onDraw = () => result && drawing.matrix(matrix, scene());
  curves.onDraw = () => result && drawing.curves(curves, scene());

  // Hands and keys

  const handles = () => ["source", "target"].flatMap((which) => state[which].map((_, k) => [which, k]));

  function nearest(x, y) {
    let found = null, least = 22;
    for (const [which, k] of handles()) {
      const [u, v] = drawing.handle(matrix, scene(), which, k);
      const gap = Math.hypot(u - x, v - y);
      if (gap < least) [least, found] = [gap, [which, k]];
    }
    return found;
  }

  omtPlay.drag(matrix, {
    hit: nearest,
    start: ([which, k]) => choose(which, k),
    move: ([which, k], x, y) => {
      const centre = drawing.along(matrix, scene(), which === "source" ? y : x) - state[which][k][0];
      held = true;
      change(which, k, { centre });
    },
    end: () => {
      held = false;
      iterate();
    },
  });

  matrix.node.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const all = handles(), { side: which, selected: k } = state;
    const now = all.findIndex(([w, j]) => w === which && j === k);
    const turn = { "]": 1, n: 1, "[": -1, p: -1 }[event.key];
    const sign = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -1, ArrowDown: 1 }[event.key];
    const weight = { "+": 1.15, "=": 1.15, "-": 1 / 1.15, "−": 1 / 1.15 }[event.key];
    if (turn) choose(...all[(now < 0 ? (turn > 0 ? 0 : all.length - 1) : now + turn + all.length) % all.length]);
    else if (event.key === "Escape") choose(which, -1);
    else if (k < 0) return;
    else if (sign) {
      const upright = /Up|Down/.test(event.key), far = event.shiftKey ? 0.05 : 0.01;
      if (upright === (which === "source")) change(which, k, { centre: sign * far });
      else change(which, k, { width: 1.1 ** (upright ? -sign : sign) });
    } else if (weight) change(which, k, { weight });
    else return;
    event.preventDefault();
  });

  use(state.preset);
  play.expose({
    state, use, change, choose, setSteps, step, get run() { return run; }, get result() { return result; },
    get exact() { return exact; }, get problem() { return problem; }, get busy() { return waiting !== null; },
    setEps: (v) => {
      state.logEps = v;
      sliders.eps.set(v);
      iterate();
    },
    screen: (which, k) => drawing.handle(matrix, scene(), which, k),
  });
});
