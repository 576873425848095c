// Minkowski's problem in the page: the polytope with given facet normals and areas, or the reason
// why there is none. The same damped Newton method as omt_course.geometry.minkowski, for few facets.
(function () {
  "use strict";
  const core = (globalThis.omtCore ??= {});

  const dot = (a, b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
  const cross = (a, b) => [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
  const norm = (a) => Math.hypot(a[0], a[1], a[2]);
  const scaled = (a, s) => [a[0] * s, a[1] * s, a[2] * s];
  const plus = (a, b) => [a[0] + b[0], a[1] + b[1], a[2] + b[2]];
  const sumOf = (normals, areas) => normals.reduce((sum, n, i) => plus(sum, scaled(n, areas[i])), [0, 0, 0]);

  // Gauss with row exchanges and one step of refinement; null for a singular matrix.
  function linear(matrix, right) {
    const n = right.length;
    const A = matrix.map((row) => Float64Array.from(row));
    const order = [...Array(n).keys()];
    for (let k = 0; k < n; k++) {
      let p = k;
      for (let i = k + 1; i < n; i++) if (Math.abs(A[i][k]) > Math.abs(A[p][k])) p = i;
      if (!(Math.abs(A[p][k]) > 1e-300)) return null;
      [A[k], A[p]] = [A[p], A[k]];
      [order[k], order[p]] = [order[p], order[k]];
      for (let i = k + 1; i < n; i++) {
        const factor = (A[i][k] /= A[k][k]);
        for (let j = k + 1; j < n; j++) A[i][j] -= factor * A[k][j];
      }
    }
    const substitute = (b) => {
      const x = order.map((i) => b[i]);
      for (let i = 0; i < n; i++) for (let j = 0; j < i; j++) x[i] -= A[i][j] * x[j];
      for (let i = n - 1; i >= 0; i--) {
        for (let j = i + 1; j < n; j++) x[i] -= A[i][j] * x[j];
        x[i] /= A[i][i];
      }
      return x;
    };
    const x = substitute(right);
    const left = right.map((b, i) => matrix[i].reduce((rest, a, j) => rest - a * x[j], b));
    return substitute(left).map((step, i) => x[i] + step);
  }

  // A direction e with <n_i, e> <= 0 for all normals, if they lie in a closed half-space, else null.
  // The cone of such e is spanned by rays orthogonal to two normals; their sum is well inside it.
  function openSide(normals) {
    let sum = null;
    for (let i = 0; i < normals.length; i++) {
      for (let j = 0; j < i; j++) {
        const across = cross(normals[i], normals[j]);
        const length = norm(across);
        if (length < 1e-9) continue;
        for (const sign of [1, -1]) {
          const e = scaled(across, sign / length);
          if (normals.every((n) => dot(n, e) <= 1e-12)) sum = sum ? plus(sum, e) : e;
          if (sum && norm(sum) < 1e-9) sum = e; // a flat set of normals: both sides are open
        }
      }
    }
    if (!sum && normals.every((n) => norm(cross(n, normals[0])) < 1e-9)) sum = cross(normals[0], [0.6, 0.64, 0.48]);
    return sum && scaled(sum, 1 / norm(sum));
  }

  function refusedNormals(normals) {
    if (normals.length < 4) return { ok: false, reason: "few", count: normals.length };
    for (let i = 0; i < normals.length; i++) {
      for (let j = 0; j < i; j++) {
        const gap = plus(normals[i], scaled(normals[j], -1));
        if (norm(gap) <= 1e-9) return { ok: false, reason: "same", faces: [j, i] };
      }
    }
    const direction = openSide(normals);
    return direction && { ok: false, reason: "half-space", direction };
  }

  function refusedAreas(areas) {
    const face = areas.findIndex((a) => !(a > 0 && Number.isFinite(a)));
    return face < 0 ? null : { ok: false, reason: "area", face, value: areas[face] };
  }

  const refused = (normals, areas) => refusedNormals(normals) ?? refusedAreas(areas);

  // The relative change <n_i, c> of every area for which the areas not held balance the ones held.
  function change(normals, areas, held = () => false) {
    const matrix = [0, 1, 2].map((a) => [0, 1, 2].map((b) => normals.reduce(
      (sum, n, i) => sum + (held(i) ? 0 : areas[i] * n[a] * n[b]), 0)));
    const c = linear(matrix, scaled(sumOf(normals, areas), -1));
    return c && normals.map((n, i) => (held(i) ? 0 : dot(n, c)));
  }

  // The balanced areas b nearest to a: least sum (b_i - a_i)^2 / a_i.
  function balanced(normals, areas) {
    const no = refused(normals, areas);
    if (no) return no;
    return positive(areas, change(normals, areas));
  }

  // The same with one area held at a value: the others give way as little as they can.
  function held(normals, areas, face, value) {
    const asked = areas.map((a, i) => (i === face ? value : a));
    const no = refused(normals, asked);
    if (no) return no;
    const changes = change(normals, asked, (i) => i === face);
    if (!changes) return { ok: false, reason: "fixed", face };
    return positive(asked, changes);
  }

  function positive(areas, changes) {
    const result = areas.map((a, i) => a * (1 + changes[i]));
    const face = changes.indexOf(Math.min(...changes));
    if (!(changes[face] > -1)) return { ok: false, reason: "driven", face, value: result[face], areas: result };
    return { ok: true, areas: result };
  }

  // Facet i of {x : <n_j, x> <= h_j}: a square in its plane, cut by all other half-spaces. Each
  // corner carries the facet behind the side that begins there (-1: the square's own side).
  function facet(normals, support, i) {
    const n = normals[i];
    const k = [0, 1, 2].reduce((least, a) => (Math.abs(n[a]) < Math.abs(n[least]) ? a : least), 0);
    const side = cross(n, [0, 1, 2].map((a) => Number(a === k)));
    const u = scaled(side, 1 / norm(side));
    const v = cross(n, u);
    const far = 1e6 * Math.max(...support.map(Math.abs), 1e-300);
    let loop = [[-far, -far], [far, -far], [far, far], [-far, far]].map(([x, y]) => ({ x, y, next: -1 }));
    const lines = normals.map((m, j) => [dot(m, u), dot(m, v), support[j] - support[i] * dot(m, n)]);
    for (let j = 0; j < normals.length && loop.length; j++) {
      if (j === i) continue;
      const [a, b, c] = lines[j];
      if (Math.hypot(a, b) < 1e-12) {
        if (c < 0) loop = []; // parallel planes, this one outside
        continue;
      }
      const beyond = loop.map((p) => a * p.x + b * p.y - c);
      const kept = [];
      for (let q = 0; q < loop.length; q++) {
        const r = (q + 1) % loop.length, p = loop[q], s = beyond[q] / (beyond[q] - beyond[r]);
        if (beyond[q] <= 0) kept.push(p);
        if (beyond[q] <= 0 !== beyond[r] <= 0) {
          const x = p.x + s * (loop[r].x - p.x), y = p.y + s * (loop[r].y - p.y);
          kept.push({ x, y, next: beyond[q] <= 0 ? j : p.next });
        }
      }
      loop = kept;
    }
    const corners = loop.map((p, q) => {
      const first = loop[(q + loop.length - 1) % loop.length].next;
      if (first < 0 || p.next < 0) return [p.x, p.y];
      const [a, b, c] = lines[first], [d, e, f] = lines[p.next], det = a * e - b * d;
      if (Math.abs(det) <= 1e-9 * Math.hypot(a, b) * Math.hypot(d, e)) return [p.x, p.y];
      return [(c * e - b * f) / det, (a * f - c * d) / det]; // where the planes meet, without the square's rounding
    });
    let double = 0;
    const lengths = corners.map((p, q) => {
      const after = corners[(q + 1) % corners.length];
      double += (p[0] - corners[0][0]) * (after[1] - corners[0][1]) - (p[1] - corners[0][1]) * (after[0] - corners[0][0]);
      return Math.hypot(after[0] - p[0], after[1] - p[1]);
    });
    const foot = scaled(n, support[i]);
    return {
      area: loop.length < 3 ? 0 : Math.max(double / 2, 0),
      corners: corners.map(([x, y]) => plus(foot, plus(scaled(u, x), scaled(v, y)))),
      beside: loop.map((p) => p.next), lengths, open: loop.some((p) => p.next < 0),
    };
  }

  // The polytope: facets with corners counter-clockwise from outside, areas, volume, derivative of areas.
  function intersect(normals, support) {
    const facets = normals.map((_, i) => facet(normals, support, i));
    const areas = facets.map((f) => f.area);
    return {
      normals, support, facets, areas, bounded: !facets.some((f) => f.open),
      volume: areas.reduce((sum, a, i) => sum + a * support[i], 0) / 3,
    };
  }

  // The middle of the corners, and how far they are from it.
  function extent({ facets }) {
    const corners = facets.flatMap((f) => f.corners);
    const centre = scaled(corners.reduce(plus, [0, 0, 0]), 1 / corners.length);
    return { centre, reach: Math.max(...corners.map((p) => norm(plus(p, scaled(centre, -1))))) };
  }

  // dA_i / dh_j = length / sin(angle of normals); on the diagonal minus the sum of length * cot.
  function derivative({ normals, facets }) {
    const n = normals.length;
    const H = Array.from({ length: n }, () => new Float64Array(n));
    facets.forEach((f, i) => f.beside.forEach((j, q) => {
      if (j < 0) return;
      const sine = norm(cross(normals[i], normals[j])), half = f.lengths[q] / 2; // each edge is seen twice
      H[i][j] += half / sine;
      H[j][i] += half / sine;
      const back = (half * dot(normals[i], normals[j])) / sine;
      H[i][i] -= back;
      H[j][j] -= back;
    }));
    return H;
  }

  // DA step = -error with three support numbers held, then moved so that sum w_i step_i n_i = 0.
  function newtonStep(polytope, error, weights) {
    const { normals, areas } = polytope, n = normals.length;
    const largest = (score) => normals.reduce((best, m, k) => (score(m, k) > score(normals[best], best) ? k : best), 0);
    const i = largest((m, k) => areas[k]);
    const j = largest((m, k) => areas[k] * norm(cross(m, normals[i])));
    const l = largest((m, k) => areas[k] * Math.abs(dot(m, cross(normals[i], normals[j]))));
    const free = [...Array(n).keys()].filter((k) => ![i, j, l].includes(k));
    const H = derivative(polytope);
    const found = linear(free.map((a) => free.map((b) => -H[a][b])), free.map((a) => error[a]));
    const step = new Array(n).fill(0);
    if (!found) return step;
    free.forEach((a, k) => (step[a] = found[k]));
    const matrix = [0, 1, 2].map((a) => [0, 1, 2].map((b) => normals.reduce((s, m, k) => s + weights[k] * m[a] * m[b], 0)));
    const shift = linear(matrix, sumOf(normals, step.map((s, k) => s * weights[k])));
    return step.map((s, k) => s - dot(normals[k], shift));
  }

  const residual = (areas, target) => Math.hypot(...areas.map((a, i) => (a - target[i]) / target[i]));

  // {ok, support, areas, volume, facets, iterations, error}, or {ok: false, reason, ...}.
  function solve(normals, areas, { tol = 1e-10, maxIter = 200 } = {}) {
    const no = refused(normals, areas);
    if (no) return no;
    const changes = change(normals, areas), worst = Math.max(...changes.map(Math.abs));
    if (worst > tol / 2) {
      const excess = sumOf(normals, areas), length = norm(excess);
      return { ok: false, reason: "balance", excess, length, share: length / areas.reduce((s, a) => s + a, 0), change: worst };
    }
    const target = worst <= 1e-14 ? areas : areas.map((a, i) => a * (1 + changes[i]));
    const within = target === areas ? tol : tol / 2;
    const total = (list) => list.reduce((s, a) => s + a, 0);
    const ball = intersect(normals, normals.map(() => 1));
    let support = normals.map(() => Math.sqrt(total(target) / total(ball.areas)));
    let now = intersect(normals, support);
    const floor = Math.min(...now.areas, ...target) / 2;
    if (!(floor > 0)) return { ok: false, reason: "close" };
    let level = 0;
    for (let iterations = 0; ; iterations++) {
      const error = Math.max(...now.areas.map((a, i) => Math.abs(a - target[i]) / target[i]));
      if (error <= within) return { ok: true, ...now, iterations, error };
      if (iterations >= maxIter) return { ok: false, reason: "newton", error };
      const before = residual(now.areas, target);
      const step = newtonStep(now, now.areas.map((a, i) => a - target[i]), target);
      for (level = Math.max(0, level - 2); ; level++) {
        if (level > 40) return { ok: false, reason: "newton", error };
        const damping = 2 ** -level;
        const trial = support.map((h, i) => h + damping * step[i]);
        const next = intersect(normals, trial);
        const whole = Math.min(...next.areas) >= floor;
        if (whole && residual(next.areas, target) <= (1 - damping / 2) * before) {
          [support, now] = [trial, next];
          break;
        }
      }
    }
  }

  core.polytope = { linear, openSide, balanced, held, intersect, derivative, solve, sumOf, extent };
})();
