// "Brenier and his cells": sites and masses in the hand, and the cells, the polyhedron and its ridges
// follow, because transport.js solves the problem anew in every frame.
omtPlay.define("brenier", (play) => {
  "use strict";
  const { transport, brenierDrawing: drawing } = globalThis.omtCore;
  const MOST = 120;
  const GOLDEN = Math.PI * (3 - Math.sqrt(5)); // turns by this angle fill a disk evenly
  const CLOSEST = 0.004; // two sites may not meet: they would be one site
  const REACH = drawing.REACH;
  const TWO_KINDS = 0.9; // share of the variance of the angles that lies between flat and sharp edges
  const FEW = 6; // fewer edges are no two groups
  const DIRECTIONS = [90, 210, 330].map((a) => [Math.cos((a * Math.PI) / 180), Math.sin((a * Math.PI) / 180)]);
  const domains = { disk: transport.disk(1, 128), square: transport.square(1) };
  const solvers = {
    disk: transport.solver(domains.disk, MOST), square: transport.solver(domains.square, MOST),
  };
  const state = {
    domain: "disk", n: play.data.n, apart: play.data.apart, selected: -1, arrows: false, arrangement: "clusters",
    shape: play.data.shape.map((p) => [...p]), group: [...play.data.group], share: new Float64Array(MOST).fill(1),
  };
  const sites = new Float64Array(2 * MOST), good = new Float64Array(2 * MOST);
  const sharp = new Set(); // the ridges that are lit, as i * MOST + j
  const timing = { solve: 0, draw: [0, 0, 0], frames: 0 };
  let solver = solvers.disk, ridges = null, lit = false, refused = "";

  // The state

  function place(i) {
    const d = DIRECTIONS[state.group[i]];
    sites[2 * i] = state.apart * d[0] + state.shape[i][0];
    sites[2 * i + 1] = state.apart * d[1] + state.shape[i][1];
  }

  const arrangements = {
    clusters: (i, random) => {
      const r = 0.3 * Math.sqrt(random()), a = 2 * Math.PI * random();
      return [r * Math.cos(a), r * Math.sin(a), i % 3];
    },
    ring: (i) => {
      const a = Math.PI / 2 + (2 * Math.PI * i) / state.n;
      return [0.8 * Math.cos(a), 0.8 * Math.sin(a)];
    },
    random: (i, random) => {
      const r = 0.9 * Math.sqrt(random()), a = 2 * Math.PI * random();
      return [r * Math.cos(a), r * Math.sin(a)];
    },
    even: (i) => {
      const a = GOLDEN * i, r = 0.9 * Math.sqrt((i + 0.5) / state.n);
      return [r * Math.cos(a), r * Math.sin(a)];
    },
  };

  function nearestDirection([x, y]) {
    const along = DIRECTIONS.map((d) => d[0] * x + d[1] * y);
    return along.indexOf(Math.max(...along));
  }

  function arrange(name) {
    state.arrangement = name;
    const random = omtPlay.random(7);
    for (let i = 0; i < MOST; i++) {
      const [x, y, group] = arrangements[name](i, random);
      state.shape[i] = [x, y];
      state.group[i] = group ?? nearestDirection([x, y]);
    }
    state.apart = name === "clusters" ? 0.75 : 0;
    state.share.fill(1);
    sliders.apart.set(state.apart);
    update();
  }

  function tooClose(i, x, y) {
    for (let j = 0; j < state.n; j++) {
      if (j !== i && Math.hypot(sites[2 * j] - x, sites[2 * j + 1] - y) < CLOSEST) return true;
    }
    return false;
  }

  function move(i, x, y) {
    x = Math.min(Math.max(x, -REACH), REACH);
    y = Math.min(Math.max(y, -REACH), REACH);
    if (tooClose(i, x, y)) return;
    const d = DIRECTIONS[state.group[i]];
    state.shape[i] = [x - state.apart * d[0], y - state.apart * d[1]];
    update();
  }

  // One site's share of the area, in units of the equal share; the others keep their proportions.
  function setShare(i, value) {
    const { n, share } = state;
    value = Math.min(Math.max(value, 0.05), Math.min(8, 0.8 * n));
    const rest = (n - value) / (n - share[i]);
    for (let j = 0; j < n; j++) share[j] *= rest;
    share[i] = value;
    update();
  }

  function setNumber(n) {
    state.n = n;
    let sum = 0;
    for (let i = 0; i < n; i++) sum += state.share[i];
    for (let i = 0; i < n; i++) state.share[i] *= n / sum;
    if (state.selected >= n) state.selected = -1;
    if (["ring", "even"].includes(state.arrangement)) arrange(state.arrangement);
    else update();
  }

  function select(i) {
    state.selected = i;
    if (i >= 0) sliders.mass.set(state.share[i]);
    sliders.mass.input.disabled = i < 0;
    redraw();
    report();
  }

  // Solve and show. What cannot be solved is not shown: the last good sites come back.
  function update() {
    const began = performance.now(), { n } = state;
    for (let i = 0; i < n; i++) place(i);
    solver.set(sites.subarray(0, 2 * n), state.share.subarray(0, n));
    refused = "";
    if (!solver.solve()) {
      refused = "Two sites are too close for double precision; move one of them away. ";
      solver.set(good.subarray(0, 2 * n), state.share.subarray(0, n));
      solver.solve();
    } else good.set(sites);
    ridges = transport.ridges(solver);
    lit = ridges.share >= TWO_KINDS && ridges.angle.length >= FEW;
    sharp.clear();
    if (lit) ridges.angle.forEach((a, k) => a > ridges.threshold && sharp.add(ridges.i[k] * MOST + ridges.j[k]));
    timing.solve = performance.now() - began;
    timing.frames++;
    if (state.selected >= 0) sliders.mass.set(state.share[state.selected]);
    sliders.mass.input.disabled = state.selected < 0;
    redraw();
    report();
  }

  function sharpLength() {
    let sum = 0;
    ridges.angle.forEach((angle, k) => (sum += angle > ridges.threshold ? ridges.length[k] : 0));
    return sum;
  }

  function report() {
    const { selected } = state;
    const error = solver.error < 1e-15 ? "below 1e-15" : solver.error.toExponential(0);
    const steps = solver.steps === 1 ? "1 Newton step" : `${solver.steps} Newton steps`;
    let text = `${refused}${state.n} sites, ${steps}, largest relative mass error ${error}, `
      + `W₂² = ${solver.cost().toFixed(6)}; `
      + (lit ? `sharp ridges: length ${sharpLength().toFixed(3)}.` : "no sharp ridge: one kind of edge only.");
    if (selected >= 0) {
      text += ` Site ${selected + 1}: at (${sites[2 * selected].toFixed(2)}, ${sites[2 * selected + 1].toFixed(2)}), `
        + `mass ${solver.w[selected].toFixed(4)}, height ${solver.h[selected].toFixed(4).replace(/^-0\.0+$/, "0.0000")}.`;
    }
    say(text.replaceAll("-", "−").replaceAll("e−", "e-"));
  }

  // What is seen

  const phone = play.stage.clientWidth < 560;
  const source = omtPlay.canvas(play.stage, {
    label: "Source: the cells of the domain, one for each site. A click on a cell selects its site.",
    keys: "Click a cell to select its site, or use the keys of the sites.",
  });
  const target = omtPlay.canvas(play.stage, {
    label: "Target: the sites, which can be moved.",
    keys: "Drag a site, or: [ and ] select, arrow keys move (with Shift further), + and − change its mass, Escape lets go.",
  });
  omtPlay.row(play.stage, source, target);
  const solid = omtPlay.canvas(play.stage, {
    label: "The polyhedron: the graph of the potential over the cells.",
    keys: "Drag or use the arrow keys to turn. Right: the heights of all planes.", ratio: phone ? 0.85 : 0.6,
  });
  const views = [source, target, solid];
  const camera = omtPlay.orbit(solid, { yaw: 0.35, pitch: 0.75 });
  const redraw = () => views.forEach((view) => view.redraw());

  const presets = omtPlay.bar(play.stage);
  for (const [name, label] of [["clusters", "Three clusters"], ["ring", "Ring"], ["random", "Random"],
    ["even", "Even"]]) {
    omtPlay.button(presets, label, () => arrange(name));
  }
  omtPlay.choice(presets, "Domain", [["disk", "disk"], ["square", "square"]], "disk", (name) => {
    state.domain = name;
    solver = solvers[name];
    update();
  });
  omtPlay.check(presets, "Arrows", false, (on) => {
    state.arrows = on;
    redraw();
  });
  const controls = omtPlay.bar(play.stage);
  const sliders = {
    apart: omtPlay.slider(controls, {
      label: "Move clusters apart", min: 0, max: 1.1, step: 0.01, value: state.apart, format: (v) => v.toFixed(2),
      onInput: (v) => {
        state.apart = v;
        update();
      },
    }),
    number: omtPlay.slider(controls, {
      label: "Sites", min: 3, max: MOST, step: 1, value: state.n, onInput: setNumber,
    }),
    mass: omtPlay.slider(controls, {
      label: "Mass of the selected site", min: 0.05, max: 8, step: 0.05, value: 1,
      format: (v) => `${v.toFixed(2)} shares`, onInput: (v) => state.selected >= 0 && setShare(state.selected, v),
    }),
  };
  sliders.mass.input.disabled = true;
  const say = omtPlay.status(play.stage);

  // What the drawings need to know: brenier-drawing.js.
  const scene = (view) => ({
    view, state, solver, sites, sharp, most: MOST, colours: omtPlay.colours(), domain: domains[state.domain],
  });
  const timed = (k, draw) => () => {
    const began = performance.now();
    draw(scene(views[k]), camera);
    timing.draw[k] = performance.now() - began;
  };
  source.onDraw = timed(0, drawing.cells);
  target.onDraw = timed(1, drawing.sites);
  solid.onDraw = timed(2, drawing.polyhedron);

  // Hands and keys

  function nearest(x, y) {
    const { to } = drawing.paper(target, drawing.TARGET);
    let found = null, least = 20;
    for (let i = 0; i < state.n; i++) {
      const [u, v] = to(sites[2 * i], sites[2 * i + 1]);
      const gap = Math.hypot(u - x, v - y);
      if (gap < least) [least, found] = [gap, i];
    }
    return found;
  }

  omtPlay.drag(target, {
    hit: nearest, start: select, move: (i, x, y) => move(i, ...drawing.paper(target, drawing.TARGET).from(x, y)),
  });
  source.node.addEventListener("click", (event) => {
    const [x, y] = drawing.paper(source, drawing.SOURCE).from(...source.at(event));
    let top = -Infinity, best = -1;
    for (let i = 0; i < state.n; i++) {
      const u = x * sites[2 * i] + y * sites[2 * i + 1] + solver.h[i];
      if (u > top) [top, best] = [u, i];
    }
    select(best);
  });

  function key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { selected, n } = state, far = event.shiftKey ? 0.1 : 0.02;
    const step = { ArrowLeft: [-far, 0], ArrowRight: [far, 0], ArrowUp: [0, far], ArrowDown: [0, -far] }[event.key];
    const turn = { "]": 1, n: 1, "[": -1, p: -1 }[event.key];
    const factor = { "+": 1.15, "=": 1.15, "-": 1 / 1.15, "−": 1 / 1.15 }[event.key];
    if (turn) select((selected + turn + n + (selected < 0 && turn < 0 ? 1 : 0)) % n);
    else if (event.key === "Escape") select(-1);
    else if (step && selected >= 0) move(selected, sites[2 * selected] + step[0], sites[2 * selected + 1] + step[1]);
    else if (factor && selected >= 0) setShare(selected, state.share[selected] * factor);
    else return;
    event.preventDefault();
  }
  for (const view of [source, target]) view.node.addEventListener("keydown", key);
  target.node.addEventListener("wheel", (event) => {
    if (!event.shiftKey || state.selected < 0) return;
    event.preventDefault();
    setShare(state.selected, state.share[state.selected] * (event.deltaY + event.deltaX < 0 ? 1.1 : 1 / 1.1));
  }, { passive: false });

  update();
  play.expose({
    state, sites, timing, move, select, arrange, setNumber, setShare, get solver() { return solver; },
    get ridges() { return ridges; }, get lit() { return lit; }, screen: (i) => drawing.paper(target, drawing.TARGET).to(sites[2 * i], sites[2 * i + 1]),
  });
});
