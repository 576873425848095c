// The semi-discrete solver of "Brenier and his cells", in the page: power cells by clipping, damped
// Newton on the logarithms of the masses. A port of omt_course/transport (newton, start); a test
// replays omt_course on random problems, so that the two cannot drift apart. Numbers only, no drawing.
(function () {
  "use strict";
  const core = (globalThis.omtCore ??= {});
  const WALL = -1; // edges that no site owns

  // All memory is taken here, for at most `most` sites; frames take none.
  function solver(corners, most = 120) {
    const domain = core.transport.domainOf(corners);
    const room = domain.m + most + 8; // corners a cell can have
    const s = {
      domain, most, room, n: 0,
      y: new Float64Array(2 * most), nu: new Float64Array(most), h: new Float64Array(most),
      w: new Float64Array(most), centroid: new Float64Array(2 * most), second: new Float64Array(most),
      count: new Int32Array(most), px: new Float64Array(most * room), py: new Float64Array(most * room),
      edge: new Int32Array(most * room), length: new Float64Array(most * most),
      steps: 0, evaluations: 0, error: Infinity, converged: false, start: "none",
    };
    const bx = [new Float64Array(room), new Float64Array(room)];
    const by = [new Float64Array(room), new Float64Array(room)];
    const be = [new Int32Array(room), new Int32Array(room)];
    const side = new Float64Array(room), order = new Int32Array(most * most), met = new Uint8Array(most);
    const trial = new Float64Array(most), step = new Float64Array(most), turned = new Float64Array(most);
    const factor = new Float64Array(most * most);
    let now = 0, size = 0; // the polygon being cut: buffer and number of corners

    // Keep { a x + b y <= c }; the new edge gets a label.
    function cut(a, b, c, label) {
      const x = bx[now], y = by[now], e = be[now];
      let outside = 0;
      for (let k = 0; k < size; k++) {
        side[k] = a * x[k] + b * y[k] - c;
        if (side[k] > 0) outside++;
      }
      if (outside === 0) return;
      if (outside === size) {
        size = 0;
        return;
      }
      const u = bx[1 - now], v = by[1 - now], f = be[1 - now];
      let t = 0;
      for (let k = 0; k < size; k++) {
        const l = k + 1 === size ? 0 : k + 1;
        const here = side[k], next = side[l];
        if (here <= 0) {
          u[t] = x[k]; v[t] = y[k]; f[t] = e[k]; t++;
        }
        if (here <= 0 !== next <= 0) {
          const q = here / (here - next);
          u[t] = x[k] + q * (x[l] - x[k]);
          v[t] = y[k] + q * (y[l] - y[k]);
          f[t] = here <= 0 ? label : e[k];
          t++;
        }
      }
      now = 1 - now;
      size = t;
    }

    function cutCell(i, h) {
      const { n, y } = s, { center, reach } = domain;
      const x0 = center[0] - 1.1 * reach, x1 = center[0] + 1.1 * reach;
      const y0 = center[1] - 1.1 * reach, y1 = center[1] + 1.1 * reach;
      now = 0;
      size = 4;
      bx[0][0] = bx[0][3] = x0; bx[0][1] = bx[0][2] = x1;
      by[0][0] = by[0][1] = y0; by[0][2] = by[0][3] = y1;
      be[0].fill(WALL, 0, 4);
      // Last time's neighbours first: they leave a small polygon, which the others rarely touch.
      for (let k = 0; k < n - 1 && size; k++) {
        const j = order[i * most + k];
        cut(y[2 * j] - y[2 * i], y[2 * j + 1] - y[2 * i + 1], h[i] - h[j], j);
      }
      let far = 0;
      for (let k = 0; k < size; k++) {
        far = Math.max(far, Math.hypot(bx[now][k] - center[0], by[now][k] - center[1]));
      }
      if (far <= 0.999999 * domain.inner) return;
      for (let k = 0; k < domain.m && size; k++) cut(domain.nx[k], domain.ny[k], domain.offset[k], WALL);
    }

    function measure(i) {
      const X = bx[now], Y = by[now], sx = s.y[2 * i], sy = s.y[2 * i + 1];
      let area = 0, mx = 0, my = 0, second = 0;
      for (let k = 1; k + 1 < size; k++) {
        const ax = X[0], ay = Y[0], cx = X[k], cy = Y[k], dx = X[k + 1], dy = Y[k + 1];
        const t = ((cx - ax) * (dy - ay) - (dx - ax) * (cy - ay)) / 2;
        area += t;
        mx += (t * (ax + cx + dx)) / 3;
        my += (t * (ay + cy + dy)) / 3;
        const u0 = ax - sx, u1 = ay - sy, v0 = cx - sx, v1 = cy - sy, w0 = dx - sx, w1 = dy - sy;
        const p0 = u0 + v0 + w0, p1 = u1 + v1 + w1;
        second += (t / 12) * (p0 * p0 + p1 * p1 + u0 * u0 + u1 * u1 + v0 * v0 + v1 * v1 + w0 * w0 + w1 * w1);
      }
      s.w[i] = area;
      s.second[i] = second;
      s.centroid[2 * i] = area > 0 ? mx / area : NaN;
      s.centroid[2 * i + 1] = area > 0 ? my / area : NaN;
    }

    // Cut all cells of the heights h; returns the smallest area.
    function evaluate(h) {
      const { n } = s;
      let least = Infinity;
      s.evaluations++;
      for (let i = 0; i < n; i++) {
        cutCell(i, h);
        measure(i);
        least = Math.min(least, s.w[i]);
        s.count[i] = size;
        const base = i * room, row = i * most;
        s.length.fill(0, row, row + n);
        for (let k = 0; k < size; k++) {
          const l = k + 1 === size ? 0 : k + 1;
          s.px[base + k] = bx[now][k];
          s.py[base + k] = by[now][k];
          const j = (s.edge[base + k] = be[now][k]);
          if (j >= 0) s.length[row + j] += Math.hypot(bx[now][l] - bx[now][k], by[now][l] - by[now][k]);
        }
        if (size) remember(i, n, base);
      }
      return least;
    }

    function remember(i, n, base) {
      met.fill(0, 0, n);
      met[i] = 1;
      let t = i * most;
      for (let k = 0; k < size; k++) {
        const j = s.edge[base + k];
        if (j >= 0 && !met[j]) {
          met[j] = 1;
          order[t++] = j;
        }
      }
      for (let j = 0; j < n; j++) if (!met[j]) order[t++] = j;
    }

    // Root of sum nu log(w / nu)^2 / sum nu: infinite where a cell is empty.
    function residual(least) {
      if (!(least > 0)) return Infinity;
      let sum = 0, total = 0;
      for (let i = 0; i < s.n; i++) {
        const l = Math.log1p((s.w[i] - s.nu[i]) / s.nu[i]);
        sum += s.nu[i] * l * l;
        total += s.nu[i];
      }
      return Math.sqrt(sum / total);
    }

    // The Newton step: H step = -w log(w / nu), H the Laplacian with weights length / |y_i - y_j|.
    function newtonStep() {
      const { n, y, w, nu } = s, L = factor;
      let sum = 0, total = 0;
      for (let i = 0; i < n; i++) {
        step[i] = w[i] * Math.log1p((w[i] - nu[i]) / nu[i]);
        sum += step[i];
        total += w[i];
      }
      for (let i = 0; i < n; i++) step[i] = -(step[i] - (w[i] * sum) / total);
      const m = n - 1; // the last height is held
      for (let i = 0; i < m; i++) L.fill(0, i * most, i * most + i + 1);
      for (let i = 0; i < n; i++) {
        for (let j = 0; j < i; j++) {
          const both = s.length[i * most + j] + s.length[j * most + i];
          if (both === 0) continue;
          const weight = both / 2 / Math.hypot(y[2 * j] - y[2 * i], y[2 * j + 1] - y[2 * i + 1]);
          if (i < m) {
            L[i * most + j] -= weight;
            L[i * most + i] += weight;
          }
          L[j * most + j] += weight;
        }
      }
      for (let j = 0; j < m; j++) { // Cholesky, row by row
        for (let i = j; i < m; i++) {
          let v = L[i * most + j];
          for (let k = 0; k < j; k++) v -= L[i * most + k] * L[j * most + k];
          if (i > j) L[i * most + j] = v / L[j * most + j];
          else if (v > 0) L[j * most + j] = Math.sqrt(v);
          else return false;
        }
      }
      for (let i = 0; i < m; i++) {
        let v = step[i];
        for (let k = 0; k < i; k++) v -= L[i * most + k] * step[k];
        step[i] = v / L[i * most + i];
      }
      for (let i = m - 1; i >= 0; i--) {
        let v = step[i];
        for (let k = i + 1; k < m; k++) v -= L[k * most + i] * step[k];
        step[i] = v / L[i * most + i];
      }
      step[m] = 0;
      return true;
    }

    function worst() {
      let e = 0;
      for (let i = 0; i < s.n; i++) e = Math.max(e, Math.abs(s.w[i] / s.nu[i] - 1));
      return e;
    }

    // Damped Newton from s.h, where no cell may be empty (omt_course/transport/newton.py).
    function newton(tol, most_steps) {
      const { n, h } = s;
      let old = residual(evaluate(h)), level = 0;
      s.steps = 0;
      s.converged = false;
      s.error = worst();
      if (old === Infinity) return false;
      for (;;) {
        s.error = worst();
        if (s.error <= tol) return (s.converged = true);
        if (s.steps >= most_steps || !newtonStep()) return false;
        level = Math.max(0, level - 2);
        for (;;) {
          const t = 2 ** -level;
          for (let i = 0; i < n; i++) trial[i] = h[i] + t * step[i];
          const fresh = residual(evaluate(trial));
          if (fresh <= (1 - t / 8) * old) {
            h.set(trial.subarray(0, n));
            old = fresh;
            break;
          }
          if (++level > 40) {
            evaluate(h);
            s.error = worst();
            return false;
          }
        }
        s.steps++;
      }
    }

    // Sites (x0, y0, x1, ...) and masses, which are scaled to the area of the domain. Heights stay if
    // the number of sites does: each plane then turns about the centroid of its cell.
    function set(points, masses) {
      const n = points.length / 2, warm = n === s.n && s.converged;
      for (let i = 0; warm && i < n; i++) {
        turned[i] = s.h[i] - s.centroid[2 * i] * (points[2 * i] - s.y[2 * i])
          - s.centroid[2 * i + 1] * (points[2 * i + 1] - s.y[2 * i + 1]);
      }
      if (n !== s.n) {
        for (let i = 0; i < n; i++) for (let j = 0, t = i * most; j < n; j++) if (j !== i) order[t++] = j;
      }
      s.n = n;
      s.y.set(points);
      let total = 0;
      for (let i = 0; i < n; i++) total += masses ? masses[i] : 1;
      for (let i = 0; i < n; i++) s.nu[i] = ((masses ? masses[i] : 1) / total) * domain.area;
      s.start = warm ? "warm" : "cold";
      if (warm) s.h.set(turned.subarray(0, n));
    }

    // Solve; from the last heights if they serve, else from heights at which no cell can be empty.
    function solve(tol = 1e-10, most_steps = 200) {
      s.evaluations = 0;
      let done = s.start === "warm" && newton(tol, most_steps);
      if (!done) {
        s.start = "cold";
        core.transport.startingHeights(domain, s.y.subarray(0, 2 * s.n), s.h);
        done = newton(tol, most_steps);
      }
      if (done) centre();
      return done;
    }

    // Heights of mean zero, as omt_course gives them.
    function centre() {
      let mean = 0;
      for (let i = 0; i < s.n; i++) mean += s.h[i] / s.n;
      for (let i = 0; i < s.n; i++) s.h[i] -= mean;
    }

    function cost() {
      let sum = 0;
      for (let i = 0; i < s.n; i++) sum += s.second[i];
      return sum;
    }

    return Object.assign(s, { set, solve, evaluate, cost, worst });
  }

  core.transport.solver = solver;
})();
