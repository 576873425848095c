// Sinkhorn's iteration in the page, in logarithms with absorption: a port of omt_course/transport/sinkhorn.py,
// held to it by a test. Besides: the exact answer on the line, and the plain iteration, which underflows.
(function () {
  "use strict";
  const core = (globalThis.omtCore ??= {});
  const FAR = 1e10; // scalings beyond this go into the potentials; the kernel is then made afresh

  // c_ij = |x_i - y_j|^2 / 2, row by row.
  function costs(x, y) {
    const c = new Float64Array(x.length * y.length);
    for (let i = 0; i < x.length; i++) {
      for (let j = 0; j < y.length; j++) c[i * y.length + j] = (x[i] - y[j]) ** 2 / 2;
    }
    return c;
  }

  // Masses of bumps [centre, width, weight] over a grid, above a floor that keeps them positive.
  function density(bumps, grid, floor) {
    const a = Float64Array.from(grid, (t) => {
      let v = floor;
      for (const [centre, width, weight] of bumps) v += weight * Math.exp(-((t - centre) ** 2) / (2 * width * width));
      return v;
    });
    const sum = a.reduce((s, v) => s + v, 0);
    return a.map((v) => v / sum);
  }

  // f_i = -eps log sum_j b_j exp((g_j - c_ij) / eps); `across` takes the columns instead.
  function softTransform(potential, masses, cost, eps, across, out) {
    const m = masses.length, n = cost.length / m, rows = across ? 1 : m, columns = across ? n : 1;
    for (let i = 0; i < n; i++) {
      let highest = -Infinity, sum = 0;
      for (let j = 0; j < m; j++) highest = Math.max(highest, potential[j] - cost[i * rows + j * columns]);
      for (let j = 0; j < m; j++) {
        sum += masses[j] * Math.exp((potential[j] - cost[i * rows + j * columns] - highest) / eps);
      }
      out[i] = -highest - eps * Math.log(sum);
    }
    return out;
  }

  // One level of eps, as a generator: it yields the mass in wrong columns once an iteration. The last
  // potential is kept in g when it returns; true if the tolerance is met.
  function* level(a, b, cost, eps, g, tol, budget) {
    const n = a.length, m = b.length;
    const f = new Float64Array(n), fresh = new Float64Array(m), kernel = new Float64Array(n * m);
    const u = new Float64Array(n), v = new Float64Array(m), sums = new Float64Array(m);
    while (budget() > 0) {
      softTransform(g, b, cost, eps, false, f);
      softTransform(f, a, cost, eps, true, fresh);
      let error = 0;
      for (let j = 0; j < m; j++) error += b[j] * Math.abs(Math.expm1((g[j] - fresh[j]) / eps));
      if (error <= tol) {
        yield error;
        return true;
      }
      softTransform(fresh, b, cost, eps, false, f);
      g.set(fresh);
      yield error;
      for (let i = 0; i < n; i++) {
        for (let j = 0; j < m; j++) kernel[i * m + j] = Math.exp((f[i] + g[j] - cost[i * m + j]) / eps);
      }
      u.fill(1);
      v.fill(1);
      let done = false;
      while (budget() > 0) {
        sums.fill(0);
        for (let i = 0; i < n; i++) {
          const mass = a[i] * u[i];
          for (let j = 0; j < m; j++) sums[j] += kernel[i * m + j] * mass;
        }
        let low = Infinity, high = 0;
        error = 0;
        for (let j = 0; j < m; j++) {
          low = Math.min(low, sums[j]);
          high = Math.max(high, sums[j]);
          error += b[j] * Math.abs(v[j] * sums[j] - 1);
        }
        if (!(1 / FAR < low && high < FAR)) break;
        if (error <= tol) {
          done = true;
          yield error;
          break;
        }
        for (let j = 0; j < m; j++) v[j] = 1 / sums[j];
        for (let i = 0; i < n; i++) {
          let sum = 0;
          for (let j = 0; j < m; j++) sum += kernel[i * m + j] * b[j] * v[j];
          u[i] = 1 / sum;
        }
        yield error;
      }
      for (let j = 0; j < m; j++) g[j] += eps * Math.log(v[j]);
      if (done) return true;
    }
    return false;
  }

  // A run that can be stopped at any iteration: `advance(k)` makes at most k of them.
  function run(a, b, cost, { eps, start = eps, tol = 1e-9, most = 10000, from = null }) {
    if (!(Math.min(...a, ...b) > 0)) throw new Error("a, b: expected positive masses");
    const levels = [];
    for (let k = Math.ceil(Math.log2(start / eps) - 1e-12); k >= 0; k--) levels.push(eps * 2 ** k);
    const r = { a, b, cost, eps, g: new Float64Array(b.length), f: new Float64Array(a.length),
      iterations: 0, error: Infinity, converged: false, over: false };
    if (from) r.g.set(from); // potentials to go on with, else zero
    let made = 0;
    function* steps() {
      for (const [k, e] of levels.entries()) {
        const last = k === levels.length - 1;
        const met = yield* level(a, b, cost, e, r.g, last ? tol : 1e-3, () => most - made);
        if (last) r.converged = met;
      }
    }
    const going = steps();
    r.advance = (k) => {
      for (; k > 0 && !r.over; k--) {
        const { value, done } = going.next();
        if (done) r.over = true;
        else {
          r.error = value;
          made++;
        }
      }
      r.iterations = made;
      return !r.over;
    };
    r.finish = () => {
      r.advance(Infinity);
      softTransform(r.g, b, cost, eps, false, r.f);
      return r;
    };
    return r;
  }

  function solve(a, b, cost, options) {
    return run(a, b, cost, options).finish();
  }

  // The plan of two potentials, and what it costs: <c, P>, the dual value, and the marginals it has.
  function plan({ a, b, cost, eps, f, g }) {
    const n = a.length, m = b.length, P = new Float64Array(n * m);
    const rows = new Float64Array(n), columns = new Float64Array(m);
    let transport = 0, mass = 0, dual = 0, rowError = 0, columnError = 0;
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < m; j++) {
        const p = a[i] * b[j] * Math.exp((f[i] + g[j] - cost[i * m + j]) / eps);
        P[i * m + j] = p;
        rows[i] += p;
        columns[j] += p;
        transport += p * cost[i * m + j];
      }
      mass += rows[i];
      dual += f[i] * a[i];
      rowError += Math.abs(rows[i] - a[i]);
    }
    for (let j = 0; j < m; j++) {
      dual += g[j] * b[j];
      columnError += Math.abs(columns[j] - b[j]);
    }
    return { P, rows, columns, transport, dual: dual - eps * (mass - 1), rowError, columnError };
  }

  // On the line the monotone plan is optimal: a staircase, along which potentials are tight.
  function exact(x, a, y, b) {
    const up = (v) => Array.from(v.keys()).sort((i, j) => v[i] - v[j]);
    const r = up(x), s = up(y), f = new Float64Array(x.length), g = new Float64Array(y.length), path = [];
    let k = 0, l = 0, left = a[r[0]], right = b[s[0]], cost = 0;
    const c = () => (x[r[k]] - y[s[l]]) ** 2 / 2;
    g[s[0]] = c();
    for (;;) {
      const p = Math.max(Math.min(left, right), 0);
      path.push([r[k], s[l], p]);
      cost += p * c();
      left -= p;
      right -= p;
      if (k === r.length - 1 && l === s.length - 1) break;
      if (l === s.length - 1 || (k < r.length - 1 && left <= right)) {
        left = a[r[++k]];
        f[r[k]] = c() - g[s[l]];
      } else {
        right = b[s[++l]];
        g[s[l]] = c() - f[r[k]];
      }
    }
    return { f, g, cost, path };
  }

  // The iteration on the kernel itself, as it is first written down: how much of the kernel is zero,
  // and in which iteration a number is no longer one.
  function plain(a, b, cost, eps, most) {
    const n = a.length, m = b.length, kernel = cost.map((c) => Math.exp(-c / eps));
    const v = new Float64Array(m).fill(1), u = new Float64Array(n);
    let zeros = 0, failed = 0;
    for (const k of kernel) zeros += k === 0;
    for (let t = 1; t <= most && !failed; t++) {
      for (let i = 0; i < n; i++) {
        let sum = 0;
        for (let j = 0; j < m; j++) sum += kernel[i * m + j] * (b[j] * v[j]);
        u[i] = 1 / sum;
        if (!Number.isFinite(u[i])) failed = t;
      }
      for (let j = 0; j < m; j++) {
        let sum = 0;
        for (let i = 0; i < n; i++) sum += kernel[i * m + j] * (a[i] * u[i]);
        v[j] = 1 / sum;
        if (!Number.isFinite(v[j])) failed = t;
      }
    }
    return { zeros: zeros / kernel.length, failed };
  }

  core.sinkhorn = { costs, density, softTransform, run, solve, plan, exact, plain };
})();
