// A mesh and its maps to the plane, in numbers: which triangle holds a point, where the point lies on
// the surface, area ratios, folds, and the test of uniformity. As in omt_course.geometry.
(function () {
  "use strict";
  const core = (globalThis.omtCore ??= {});
  const INSIDE = -1e-12; // barycentric coordinates above this count as inside: points on shared edges

  // Coordinates that travel as 16 bits, spread over [low, high].
  function unquantise(codes, low, high) {
    const n = low.length, out = new Float64Array(codes.length);
    for (let i = 0; i < codes.length; i++) out[i] = low[i % n] + (codes[i] * (high[i % n] - low[i % n])) / 65535;
    return out;
  }

  function between(start, end, t, out = new Float64Array(start.length)) {
    for (let i = 0; i < out.length; i++) out[i] = (1 - t) * start[i] + t * end[i];
    return out;
  }

  // Signed areas of planar triangles; uv holds pairs, F triples.
  function signedAreas(uv, F) {
    const out = new Float64Array(F.length / 3);
    for (let t = 0; t < out.length; t++) {
      const a = 2 * F[3 * t], b = 2 * F[3 * t + 1], c = 2 * F[3 * t + 2];
      out[t] = ((uv[b] - uv[a]) * (uv[c + 1] - uv[a + 1]) - (uv[b + 1] - uv[a + 1]) * (uv[c] - uv[a])) / 2;
    }
    return out;
  }

  // Areas and unit normals of triangles in space; V holds triples.
  function spaceAreas(V, F) {
    const m = F.length / 3, areas = new Float64Array(m), normals = new Float64Array(3 * m);
    for (let t = 0; t < m; t++) {
      const a = 3 * F[3 * t], b = 3 * F[3 * t + 1], c = 3 * F[3 * t + 2];
      const ux = V[b] - V[a], uy = V[b + 1] - V[a + 1], uz = V[b + 2] - V[a + 2];
      const vx = V[c] - V[a], vy = V[c + 1] - V[a + 1], vz = V[c + 2] - V[a + 2];
      const x = uy * vz - uz * vy, y = uz * vx - ux * vz, z = ux * vy - uy * vx;
      const double = Math.sqrt(x * x + y * y + z * z);
      areas[t] = double / 2;
      normals.set([x / double, y / double, z / double], 3 * t);
    }
    return { areas, normals };
  }

  const total = (list) => list.reduce((sum, v) => sum + v, 0);

  // A triangle's share of the image's area over its share of the surface's: samples per sample due.
  function areaRatio(image, areas) {
    const factor = total(areas) / total(image);
    return image.map((a, t) => (a / areas[t]) * factor);
  }

  // Share of the surface whose ratio is outside [1 / bound, bound], and the number of folds.
  function extremes(ratio, areas, bound) {
    let far = 0, folded = 0;
    for (let t = 0; t < ratio.length; t++) {
      if (ratio[t] < 1 / bound || ratio[t] > bound) far += areas[t];
      if (!(ratio[t] > 0)) folded++;
    }
    return { share: far / total(areas), folded };
  }

  // Buckets over the box of the mesh, each with the triangles whose boxes meet it.
  function locator(uv, F) {
    const m = F.length / 3, cells = Math.max(1, Math.floor(Math.sqrt(m)));
    const low = [Infinity, Infinity], high = [-Infinity, -Infinity];
    for (const i of F) {
      for (const k of [0, 1]) {
        const v = uv[2 * i + k];
        if (v < low[k]) low[k] = v;
        if (v > high[k]) high[k] = v;
      }
    }
    const step = [0, 1].map((k) => Math.max((high[k] - low[k]) / cells, 1e-300));
    const place = (v, k) => Math.min(Math.max(Math.floor((v - low[k]) / step[k]), 0), cells - 1);
    const boxes = new Int32Array(4 * m), start = new Int32Array(cells * cells + 1);
    for (let t = 0; t < m; t++) {
      const a = 2 * F[3 * t], b = 2 * F[3 * t + 1], c = 2 * F[3 * t + 2];
      for (let k = 0; k < 2; k++) {
        boxes[4 * t + k] = place(Math.min(uv[a + k], uv[b + k], uv[c + k]), k);
        boxes[4 * t + 2 + k] = place(Math.max(uv[a + k], uv[b + k], uv[c + k]), k);
      }
      for (let i = boxes[4 * t]; i <= boxes[4 * t + 2]; i++) {
        for (let j = boxes[4 * t + 1]; j <= boxes[4 * t + 3]; j++) start[i * cells + j + 1]++;
      }
    }
    for (let k = 0; k < cells * cells; k++) start[k + 1] += start[k];
    const members = new Int32Array(start[cells * cells]), at = start.slice(0, -1);
    for (let t = 0; t < m; t++) {
      for (let i = boxes[4 * t]; i <= boxes[4 * t + 2]; i++) {
        for (let j = boxes[4 * t + 1]; j <= boxes[4 * t + 3]; j++) members[at[i * cells + j]++] = t;
      }
    }
    return { uv, F, cells, place, start, members };
  }

  // For every point the triangle of its bucket in which it lies deepest, -1 outside, and its weights.
  function locate({ uv, F, cells, place, start, members }, points) {
    const n = points.length / 2, triangle = new Int32Array(n).fill(-1), weights = new Float64Array(3 * n);
    for (let p = 0; p < n; p++) {
      const x = points[2 * p], y = points[2 * p + 1], bucket = place(x, 0) * cells + place(y, 1);
      let best = INSIDE;
      for (let q = start[bucket]; q < start[bucket + 1]; q++) {
        const t = members[q], a = 2 * F[3 * t], b = 2 * F[3 * t + 1], c = 2 * F[3 * t + 2];
        const ux = uv[b] - uv[a], uy = uv[b + 1] - uv[a + 1], vx = uv[c] - uv[a], vy = uv[c + 1] - uv[a + 1];
        const double = ux * vy - uy * vx;
        if (double === 0) continue;
        const second = ((x - uv[a]) * vy - (y - uv[a + 1]) * vx) / double;
        const third = (ux * (y - uv[a + 1]) - uy * (x - uv[a])) / double;
        const first = 1 - second - third, deepest = Math.min(first, second, third);
        if (deepest < best) continue;
        best = deepest;
        triangle[p] = t;
        weights[3 * p] = first;
        weights[3 * p + 1] = second;
        weights[3 * p + 2] = third;
        if (deepest > 0) break;
      }
      if (triangle[p] < 0) continue;
      let sum = 0;
      for (let k = 3 * p; k < 3 * p + 3; k++) sum += weights[k] = Math.max(weights[k], 0);
      for (let k = 3 * p; k < 3 * p + 3; k++) weights[k] /= sum;
    }
    return { triangle, weights };
  }

  // The points of the surface under the inverse map; NaN where the image does not reach.
  function pullBack(V, F, { triangle, weights }) {
    const x = new Float64Array(3 * triangle.length);
    for (let p = 0; p < triangle.length; p++) {
      for (let k = 0; k < 3; k++) {
        let sum = triangle[p] < 0 ? NaN : 0;
        if (triangle[p] >= 0) for (let c = 0; c < 3; c++) sum += weights[3 * p + c] * V[3 * F[3 * triangle[p] + c] + k];
        x[3 * p + k] = sum;
      }
    }
    return x;
  }

  // Pearson's test: counts in patches against their shares of the area. Points outside are left out.
  function chiSquare(triangle, areas, patch) {
    const n = patch.reduce((most, k) => Math.max(most, k), 0) + 1, all = total(areas);
    const share = new Float64Array(n), counts = new Float64Array(n);
    areas.forEach((a, t) => (share[patch[t]] += a / all));
    let used = 0, statistic = 0;
    for (const t of triangle) {
      if (t < 0) continue;
      used++;
      counts[patch[t]]++;
    }
    const ratio = counts.map((count, k) => count / (used * share[k]));
    counts.forEach((count, k) => (statistic += (count - used * share[k]) ** 2 / (used * share[k])));
    const least = used * share.reduce((low, s) => Math.min(low, s), 1);
    return { statistic, freedom: n - 1, pValue: tail(n - 1, statistic), ratio, used, least };
  }

  // ln Gamma by Stirling's series, after the recurrence has made the argument large.
  function logGamma(x) {
    let shift = 0;
    for (; x < 20; x++) shift -= Math.log(x);
    const s = 1 / (x * x);
    const series = (1 / 12 - s * (1 / 360 - s * (1 / 1260 - s * (1 / 1680 - s / 1188)))) / x;
    return shift + (x - 0.5) * Math.log(x) - x + Math.log(2 * Math.PI) / 2 + series;
  }

  // Probability that a chi-square variable exceeds x: the upper incomplete gamma function, by its
  // power series below the mean and by Legendre's continued fraction (Lentz' way) above.
  function tail(freedom, x) {
    const a = freedom / 2, z = x / 2;
    if (!(z > 0)) return 1;
    const front = Math.exp(a * Math.log(z) - z - logGamma(a));
    if (z < a + 1) {
      let term = 1 / a, sum = term;
      for (let n = 1; term > 1e-17 * sum; n++) sum += term *= z / (a + n);
      return 1 - front * sum;
    }
    let b = z + 1 - a, c = 1e300, d = 1 / b, h = d;
    for (let n = 1; n < 100000; n++) {
      const step = n * (a - n);
      b += 2;
      d = 1 / (b + step * d);
      c = b + step / c;
      h *= c * d;
      if (Math.abs(c * d - 1) < 1e-16) break;
    }
    return front * h;
  }

  core.surface = {
    unquantise, between, signedAreas, spaceAreas, areaRatio, extremes, locator, locate, pullBack, chiSquare, tail,
  };
})();
