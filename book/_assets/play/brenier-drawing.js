// The three drawings of "Brenier and his cells": cells, sites, and the polyhedron over the cells with its
// shadow on the floor and a scale of all heights. They read the state of the figure and change nothing.
(function () {
  "use strict";
  const core = (globalThis.omtCore ??= {});
  const REACH = 1.45; // sites stay this near the origin
  const SOURCE = 1.04, TARGET = REACH + 0.05; // half widths of the planes shown

  const paper = (view, half) => {
    const scale = Math.min(view.width, view.height) / (2 * half);
    return {
      to: (x, y) => [view.width / 2 + scale * x, view.height / 2 - scale * y],
      from: (x, y) => [(x - view.width / 2) / scale, (view.height / 2 - y) / scale],
    };
  };

  // One blue for each group of sites; the selected cell is red, as its site is.
  function tints({ state, colours }) {
    const deep = [0.2, 0.45, 0.68].map((t) => omtPlay.mix(colours.source, colours.background, t));
    const chosen = omtPlay.mix(colours.target, colours.background, 0.45);
    return (i) => (i === state.selected ? chosen : deep[state.group[i]]);
  }

  function trace(c, { px, py, count, room }, i, to) {
    c.beginPath();
    for (let k = i * room; k < i * room + count[i]; k++) c.lineTo(...to(px[k], py[k], i));
    c.closePath();
  }

  function sharpEdges({ solver, sharp, most }, i, draw) {
    const { px, py, edge, count, room } = solver, base = i * room, m = count[i];
    for (let k = 0; k < m; k++) {
      const j = edge[base + k], l = base + ((k + 1) % m);
      if (j < 0 || !sharp.has(i < j ? i * most + j : j * most + i)) continue;
      draw(j, px[base + k], py[base + k], px[l], py[l]);
    }
  }

  function ridge(c, colour, width, from, to) {
    c.lineWidth = width;
    c.strokeStyle = colour;
    c.beginPath();
    c.moveTo(...from);
    c.lineTo(...to);
    c.stroke();
  }

  function caption(c, colours, words, x = 4, align = "left") {
    c.fillStyle = colours.text;
    c.font = "13px sans-serif";
    c.textAlign = align;
    c.fillText(words, x, 14);
  }

  function cells(scene) {
    const { view, state, solver, colours } = scene;
    const c = view.context, fill = tints(scene), { to } = paper(view, SOURCE);
    c.lineJoin = c.lineCap = "round";
    c.lineWidth = 0.8;
    c.strokeStyle = colours.background;
    for (let i = 0; i < state.n; i++) {
      c.fillStyle = fill(i);
      trace(c, solver, i, to);
      c.fill();
      c.stroke();
    }
    for (const [colour, width] of [[colours.background, 7], [colours.plan, 4]]) {
      for (let i = 0; i < state.n; i++) {
        sharpEdges(scene, i, (j, ax, ay, bx, by) => i < j && ridge(c, colour, width, to(ax, ay), to(bx, by)));
      }
    }
    if (state.selected >= 0) {
      c.lineWidth = 2;
      c.strokeStyle = colours.target;
      trace(c, solver, state.selected, to);
      c.stroke();
    }
    caption(c, colours, "source: cells");
  }

  function sites(scene) {
    const { view, state, solver, colours, domain, sites: at } = scene;
    const c = view.context, { to } = paper(view, TARGET);
    c.strokeStyle = colours.muted;
    c.setLineDash([3, 4]);
    c.lineWidth = 1;
    c.beginPath();
    for (let k = 0; k < domain.length; k += 2) c.lineTo(...to(domain[k], domain[k + 1]));
    c.closePath();
    c.stroke();
    c.setLineDash([]);
    c.strokeStyle = colours.plan;
    for (let i = 0; i < state.n; i++) {
      if (!state.arrows && i !== state.selected) continue;
      c.lineWidth = i === state.selected ? 2 : 1;
      c.beginPath();
      c.moveTo(...to(solver.centroid[2 * i], solver.centroid[2 * i + 1]));
      c.lineTo(...to(at[2 * i], at[2 * i + 1]));
      c.stroke();
    }
    c.lineWidth = 1;
    for (let i = 0; i < state.n; i++) diamond(c, scene, i, ...to(at[2 * i], at[2 * i + 1]));
    caption(c, colours, "target: sites");
  }

  function diamond(c, { state, colours }, i, x, y) {
    const r = 5 * Math.sqrt(Math.min(Math.max(state.share[i], 0.3), 6));
    c.beginPath();
    for (const [u, v] of [[r, 0], [0, r], [-r, 0], [0, -r]]) c.lineTo(x + u, y + v);
    c.closePath();
    c.fillStyle = colours.target;
    c.strokeStyle = colours.background;
    c.fill();
    c.stroke();
    if (i !== state.selected) return;
    c.strokeStyle = colours.text;
    c.lineWidth = 2;
    c.beginPath();
    c.arc(x, y, r + 5, 0, 2 * Math.PI);
    c.stroke();
    c.lineWidth = 1;
  }

  // Faces are painted from far to near; that order is exact, because the potential is convex.
  function polyhedron(scene, camera) {
    const { view, state, solver, colours } = scene, { n, selected } = state;
    const c = view.context, fill = tints(scene), { y, h, px, py, count, room } = solver;
    const value = (i, x, z) => x * y[2 * i] + z * y[2 * i + 1] + h[i];
    let low = Infinity, high = -Infinity;
    for (let i = 0; i < n; i++) {
      for (let k = i * room; k < i * room + count[i]; k++) {
        const u = value(i, px[k], py[k]);
        low = Math.min(low, u);
        high = Math.max(high, u);
      }
    }
    const lift = 1.1 / Math.max(high - low, 1.1); // a tall bowl is pressed to fit
    const floor = -0.9, size = Math.min(view.width / 3.1, view.height / 2.7);
    const cos = Math.cos(camera.yaw), sin = Math.sin(camera.yaw);
    const cp = Math.cos(camera.pitch), sp = Math.sin(camera.pitch);
    const at = (x, z, height) => {
      const v = sin * x + cos * z;
      return [view.width / 2 + size * (cos * x - sin * z), view.height / 2 - size * 0.06 - size * (cp * height + sp * v)];
    };
    const onFloor = (x, z) => at(x, z, floor);
    const raised = (x, z, i) => at(x, z, (value(i, x, z) - low) * lift - 0.3);

    // Along the line of sight the slope of a convex function grows: from cell to cell <y, d> increases.
    const order = Array.from({ length: n }, (_, i) => i);
    const depth = order.map((i) => sin * y[2 * i] + cos * y[2 * i + 1]);
    order.sort((i, j) => depth[j] - depth[i]);
    const rank = new Int32Array(n);
    order.forEach((i, r) => (rank[i] = r));

    c.lineJoin = c.lineCap = "round";
    const ground = () => {
      c.lineWidth = 0.8;
      c.strokeStyle = colours.background;
      for (let i = 0; i < n; i++) {
        c.fillStyle = omtPlay.mix(fill(i), colours.background, 0.35);
        trace(c, solver, i, onFloor);
        c.fill();
        c.stroke();
      }
    };
    if (camera.pitch >= 0) ground();
    for (const i of order) {
      const steep = Math.hypot(y[2 * i], y[2 * i + 1]);
      const light = 0.5 + (0.5 * (0.6 * y[2 * i] - 0.4 * y[2 * i + 1])) / Math.max(steep, 0.8);
      c.fillStyle = omtPlay.mix(fill(i), colours.text, 0.3 * (1 - light));
      c.strokeStyle = colours.background;
      c.lineWidth = i === selected ? 2.5 : 0.8;
      trace(c, solver, i, raised);
      c.fill();
      c.stroke();
      // A ridge is drawn with the nearer of its two faces, so that it hides what it should.
      sharpEdges(scene, i, (j, ax, ay, bx, by) => {
        if (rank[j] < rank[i]) ridge(c, colours.plan, 4, raised(ax, ay, i), raised(bx, by, i));
      });
    }
    if (camera.pitch < 0) ground();
    heights(scene);
  }

  // The heights h_i of all planes, on a scale at the right.
  function heights({ view, state, solver, colours }) {
    const { n, selected } = state, { h } = solver, c = view.context;
    const right = view.width - 14, top = 26, bottom = view.height - 14;
    let least = Infinity, most = -Infinity;
    for (let i = 0; i < n; i++) {
      least = Math.min(least, h[i]);
      most = Math.max(most, h[i]);
    }
    const range = Math.max(most - least, 1e-4), middle = (least + most) / 2; // rounding is no difference
    const spot = (v) => (top + bottom) / 2 - ((v - middle) / range) * (bottom - top);
    c.strokeStyle = colours.muted;
    c.lineWidth = 1;
    c.beginPath();
    c.moveTo(right, top);
    c.lineTo(right, bottom);
    for (let i = 0; i < n; i++) {
      c.moveTo(right - 5, spot(h[i]));
      c.lineTo(right + 5, spot(h[i]));
    }
    c.stroke();
    caption(c, colours, "heights", view.width - 4, "right");
    if (selected < 0) return;
    c.strokeStyle = colours.target;
    c.lineWidth = 3;
    c.beginPath();
    c.moveTo(right - 9, spot(h[selected]));
    c.lineTo(right + 9, spot(h[selected]));
    c.stroke();
    const words = h[selected].toFixed(3).replace(/^-0\.0+$/, "0.000").replace("-", "\u2212");
    c.fillText(words, right - 13, Math.min(spot(h[selected]) + 4, bottom));
  }

  core.brenierDrawing = { REACH, SOURCE, TARGET, paper, cells, sites, polyhedron };
})();
