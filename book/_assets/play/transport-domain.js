// What the solver of "Brenier and his cells" stands on: domains, heights to start from, ridges. Ports of
// omt_course/transport (domains, start, ridges), held to them by a test. Numbers only, no drawing.
(function () {
  "use strict";
  const core = (globalThis.omtCore ??= {});

  function disk(radius, sides) {
    const corners = new Float64Array(2 * sides);
    for (let k = 0; k < sides; k++) {
      const angle = (2 * Math.PI * k) / sides;
      corners[2 * k] = radius * Math.cos(angle);
      corners[2 * k + 1] = radius * Math.sin(angle);
    }
    return corners;
  }

  function square(half) {
    return Float64Array.of(-half, -half, half, -half, half, half, -half, half);
  }

  // Area, centre, outward unit normals and offsets of a convex polygon given counter-clockwise.
  function domainOf(corners) {
    const m = corners.length / 2;
    const sides = { m, corners, nx: new Float64Array(m), ny: new Float64Array(m), offset: new Float64Array(m) };
    let area = 0, cx = 0, cy = 0;
    for (let k = 0; k < m; k++) {
      const l = (k + 1) % m;
      const ax = corners[2 * k], ay = corners[2 * k + 1], bx = corners[2 * l], by = corners[2 * l + 1];
      const length = Math.hypot(bx - ax, by - ay);
      sides.nx[k] = (by - ay) / length;
      sides.ny[k] = (ax - bx) / length;
      sides.offset[k] = sides.nx[k] * ax + sides.ny[k] * ay;
      const twice = (ax - corners[0]) * (by - corners[1]) - (bx - corners[0]) * (ay - corners[1]);
      area += twice / 2;
      cx += (twice / 2) * ((corners[0] + ax + bx) / 3);
      cy += (twice / 2) * ((corners[1] + ay + by) / 3);
    }
    const center = [cx / area, cy / area];
    let reach = 0, inner = Infinity;
    for (let k = 0; k < m; k++) {
      reach = Math.max(reach, Math.hypot(corners[2 * k] - center[0], corners[2 * k + 1] - center[1]));
      inner = Math.min(inner, sides.offset[k] - sides.nx[k] * center[0] - sides.ny[k] * center[1]);
    }
    return Object.assign(sides, { area, center, reach, inner });
  }

  // Eigenvalues and the unit vector of the first, of the symmetric matrix (a b; b c).
  function spectrum(a, b, c) {
    const angle = Math.atan2(2 * b, a - c) / 2, x = Math.cos(angle), y = Math.sin(angle);
    return { first: a * x * x + 2 * b * x * y + c * y * y, last: a * y * y - 2 * b * x * y + c * x * x, x, y };
  }

  const rebuilt = ({ x, y }, p, q) => [p * x * x + q * y * y, (p - q) * x * y, p * y * y + q * x * x];

  // B M B for symmetric matrices, three numbers each.
  function around([a, b, c], [p, q, r]) {
    const u = a * p + b * q, v = a * q + b * r, w = b * p + c * q, z = b * q + c * r;
    return [u * a + v * b, u * b + v * c, w * b + z * c];
  }

  function covariance(points) {
    const n = points.length / 2;
    let mx = 0, my = 0, a = 0, b = 0, c = 0;
    for (let i = 0; i < n; i++) {
      mx += points[2 * i] / n;
      my += points[2 * i + 1] / n;
    }
    for (let i = 0; i < n; i++) {
      const x = points[2 * i] - mx, y = points[2 * i + 1] - my;
      a += (x * x) / (n - 1);
      b += (x * y) / (n - 1);
      c += (y * y) / (n - 1);
    }
    return [a, b, c];
  }

  // The largest factor, less 5 %, by which `center + factor * shape` stays inside.
  function scaleToFit(domain, shape) {
    const { m, nx, ny, offset, center } = domain, reach = new Float64Array(m).fill(-Infinity);
    for (let k = 0; k < m; k++) {
      for (let i = 0; i < shape.length; i += 2) reach[k] = Math.max(reach[k], nx[k] * shape[i] + ny[k] * shape[i + 1]);
    }
    const least = 1e-9 * Math.max(...reach);
    let scale = Infinity;
    for (let k = 0; k < m; k++) {
      if (reach[k] < -least) return 0;
      const space = offset[k] - nx[k] * center[0] - ny[k] * center[1];
      if (reach[k] > least) scale = Math.min(scale, space / reach[k]);
    }
    return 0.95 * scale;
  }

  function inside(domain, points) {
    const { m, nx, ny, offset, reach } = domain;
    for (let i = 0; i < points.length; i += 2) {
      for (let k = 0; k < m; k++) {
        if (nx[k] * points[i] + ny[k] * points[i + 1] > offset[k] + 2e-15 * reach) return false;
      }
    }
    return true;
  }

  // Heights at which no cell is empty (the lemma of the chapter): Voronoi cells where the points fill
  // the domain, else those of a normal law's optimal map, cut down to fit.
  function startingHeights(domain, points, out) {
    const n = points.length / 2;
    let x0 = Infinity, x1 = -Infinity, y0 = Infinity, y1 = -Infinity;
    for (let i = 0; i < n; i++) {
      x0 = Math.min(x0, points[2 * i]);
      x1 = Math.max(x1, points[2 * i]);
      y0 = Math.min(y0, points[2 * i + 1]);
      y1 = Math.max(y1, points[2 * i + 1]);
    }
    const shape = points.map((v, k) => v - (k % 2 ? (y0 + y1) / 2 : (x0 + x1) / 2));
    if (scaleToFit(domain, shape) <= 1 && inside(domain, points)) {
      for (let i = 0; i < n; i++) out[i] = -(points[2 * i] ** 2 + points[2 * i + 1] ** 2) / 2;
      return out;
    }
    const own = spectrum(...covariance(shape));
    const p = Math.max(own.first, 0), q = Math.max(own.last, 1e-20 * p); // nearly flat clouds
    const root = rebuilt(own, Math.sqrt(p), Math.sqrt(q)), inverse = rebuilt(own, 1 / Math.sqrt(p), 1 / Math.sqrt(q));
    const middle = spectrum(...around(root, covariance(domain.corners)));
    const [a, b, c] = around(inverse,
      rebuilt(middle, Math.sqrt(Math.max(middle.first, 0)), Math.sqrt(Math.max(middle.last, 0))));
    const moved = shape.map((v, k) => (k % 2 ? b * shape[k - 1] + c * v : a * v + b * shape[k + 1]));
    let best = -1, ox = 0, oy = 0, mean = [0, 0], low = [Infinity, Infinity], high = [-Infinity, -Infinity];
    moved.forEach((v, k) => {
      mean[k % 2] += v / n;
      low[k % 2] = Math.min(low[k % 2], v);
      high[k % 2] = Math.max(high[k % 2], v);
    });
    for (const origin of [[(low[0] + high[0]) / 2, (low[1] + high[1]) / 2], mean]) {
      const scale = scaleToFit(domain, moved.map((v, k) => v - origin[k % 2]));
      if (scale > best) [best, ox, oy] = [scale, ...origin];
    }
    const sx = domain.center[0] - best * ox, sy = domain.center[1] - best * oy;
    for (let i = 0; i < n; i++) {
      const u = shape[2 * i], v = shape[2 * i + 1];
      out[i] = -(u * sx + v * sy) - (best * (u * moved[2 * i] + v * moved[2 * i + 1])) / 2;
    }
    return out;
  }

  // Cells that meet in one point have edges between them, as long as the root of the error of the masses.
  const SHORTEST = 1e-4;

  // Angles of the edges of a solved diagram, of slopes scaled to unit variance.
  function ridges(s) {
    const { n, most, y, length } = s, i = [], j = [], angle = [], size = [];
    let mx = 0, my = 0, square = 0;
    for (let k = 0; k < n; k++) {
      mx += y[2 * k] / n;
      my += y[2 * k + 1] / n;
    }
    for (let k = 0; k < n; k++) square += ((y[2 * k] - mx) ** 2 + (y[2 * k + 1] - my) ** 2) / (2 * n);
    const unit = 1 / Math.sqrt(square);
    for (let k = 0; k < n; k++) {
      const ax = (y[2 * k] - mx) * unit, ay = (y[2 * k + 1] - my) * unit, a = 1 / Math.sqrt(ax * ax + ay * ay + 1);
      for (let l = k + 1; l < n; l++) {
        const both = (length[k * most + l] + length[l * most + k]) / 2;
        if (both <= SHORTEST) continue;
        const bx = (y[2 * l] - mx) * unit, by = (y[2 * l + 1] - my) * unit, b = 1 / Math.sqrt(bx * bx + by * by + 1);
        const minus = Math.hypot(ax * a - bx * b, ay * a - by * b, a - b);
        const plus = Math.hypot(ax * a + bx * b, ay * a + by * b, a + b);
        i.push(k);
        j.push(l);
        angle.push(2 * Math.atan2(minus, plus));
        size.push(both);
      }
    }
    return { i, j, angle, length: size, ...angleThreshold(angle) };
  }

  // Otsu: flat and sharp angles apart where the variance between the two groups is largest. `share` is
  // that variance over all of it: near 1 when there are two groups, below 0.8 when there is one.
  function angleThreshold(angles) {
    const a = Float64Array.from(angles).sort(), m = a.length;
    if (m < 2 || !(a[m - 1] - a[0] > 1e-9)) return { threshold: Infinity, share: 0 };
    let sum = 0, all = 0, squares = 0, most = -1, at = 0;
    for (const v of a) all += v;
    for (const v of a) squares += (v - all / m) ** 2;
    for (let k = 0; k + 1 < m; k++) {
      sum += a[k];
      if (a[k] === a[k + 1]) continue;
      const below = k + 1, between = below * (m - below) * (sum / below - (all - sum) / (m - below)) ** 2;
      if (between > most) [most, at] = [between, k];
    }
    return { threshold: (a[at] + a[at + 1]) / 2, share: most / m / squares };
  }

  core.transport = { disk, square, domainOf, startingHeights, ridges, angleThreshold };
})();
