// The model of "Make digits here", in the page: cells of Brenier's polyhedron, the map extended over
// flat ridges and torn at sharp ones, and the decoder. Ports omt_course/transport (extension,
// ridges) and a dense network; a test replays both. Numbers only, no drawing.
(function () {
  "use strict";
  const core = (globalThis.omtCore ??= {});

  // Centre points (n, d) and divide by one number, so that the mean variance is 1.
  function unitVariance(points, d) {
    const n = points.length / d, out = Float64Array.from(points);
    for (let k = 0; k < d; k++) {
      let mean = 0;
      for (let i = 0; i < n; i++) mean += points[i * d + k];
      for (let i = 0; i < n; i++) out[i * d + k] -= mean / n;
    }
    let square = 0;
    for (const v of out) square += v * v;
    const scale = Math.sqrt(square / out.length);
    for (let k = 0; k < out.length; k++) out[k] /= scale;
    return out;
  }

  // A map with codes `points` (n, d), heights (n), the angle of the cut, the softness in the unit of
  // the scores, and how many best scores are looked at.
  function model({ points, heights, dimension = 2, threshold, softness, neighbours }) {
    const d = dimension, n = heights.length;
    const m = { points, heights, d, n, threshold, softness, neighbours: Math.min(neighbours, n) };
    const slopes = unitVariance(points, d);
    m.normals = new Float64Array(n * (d + 1)); // of the faces: (y, -1) made a unit vector
    for (let i = 0; i < n; i++) {
      let square = 1;
      for (let k = 0; k < d; k++) square += slopes[i * d + k] ** 2;
      for (let k = 0; k < d; k++) m.normals[i * (d + 1) + k] = slopes[i * d + k] / Math.sqrt(square);
      m.normals[i * (d + 1) + d] = -1 / Math.sqrt(square);
    }
    return m;
  }

  function score(m, i, x) {
    let s = 0;
    for (let k = 0; k < m.d; k++) s += x[k] * m.points[i * m.d + k];
    return s + m.heights[i];
  }

  // The angle between two faces; half of it by sine and cosine, for flat ridges lose no digits so.
  function ridgeAngle(m, i, j) {
    const w = m.d + 1;
    let minus = 0, plus = 0;
    for (let k = 0; k < w; k++) {
      minus += (m.normals[i * w + k] - m.normals[j * w + k]) ** 2;
      plus += (m.normals[i * w + k] + m.normals[j * w + k]) ** 2;
    }
    return 2 * Math.atan2(Math.sqrt(minus), Math.sqrt(plus));
  }

  // The best scores at x, best first.
  function topScores(m, x, count = m.neighbours) {
    const index = [], scores = [];
    for (let i = 0; i < m.n; i++) {
      const s = score(m, i, x);
      if (scores.length === count && s <= scores[count - 1]) continue;
      let at = scores.length;
      while (at > 0 && scores[at - 1] < s) at--;
      scores.splice(at, 0, s);
      index.splice(at, 0, i);
      if (scores.length > count) {
        scores.pop();
        index.pop();
      }
    }
    return { scores, index };
  }

  // Where x goes: the mean of the codes whose faces are flat neighbours of its own (with the cut), or
  // of all near in score (without). `across` is the weight on codes beyond the angle of the cut.
  function extend(m, x, { cut = true, softness = m.softness } = {}) {
    const { scores, index } = topScores(m, x);
    const angles = index.map((j) => ridgeAngle(m, index[0], j));
    const weights = scores.map((s, k) => (cut && angles[k] > m.threshold ? 0 : Math.exp((s - scores[0]) / softness)));
    const total = weights.reduce((a, b) => a + b, 0);
    const value = new Float64Array(m.d);
    let squares = 0, across = 0;
    weights.forEach((w, k) => {
      w = weights[k] = w / total;
      squares += w * w;
      if (angles[k] > m.threshold) across += w;
      for (let c = 0; c < m.d; c++) value[c] += w * m.points[index[k] * m.d + c];
    });
    return {
      value, index, weights, angles, across, cell: index[0], runnerUp: index[1], ridgeAngle: angles[1],
      used: 1 / squares,
    };
  }

  // The ridges under the segment from a to b, in order: along it the polyhedron is the upper envelope
  // of n lines, and from each face the next one is where another line first overtakes.
  function ridges(m, a, b) {
    const found = [];
    const start = new Float64Array(m.n), slope = new Float64Array(m.n);
    let i = 0, t = 0;
    for (let j = 0; j < m.n; j++) {
      start[j] = score(m, j, a);
      slope[j] = score(m, j, b) - start[j];
      if (start[j] > start[i] || (start[j] === start[i] && slope[j] > slope[i])) i = j;
    }
    while (true) {
      let next = -1, first = 1;
      for (let j = 0; j < m.n; j++) {
        if (slope[j] <= slope[i]) continue;
        const when = (start[i] - start[j]) / (slope[j] - slope[i]);
        if (when < first || (when === first && next >= 0 && slope[j] > slope[next])) {
          first = when;
          next = j;
        }
      }
      if (next < 0) return found;
      t = Math.max(t, first); // rounding must not lead backwards
      found.push({ t, from: i, to: next, angle: ridgeAngle(m, i, next) });
      i = next;
    }
  }

  // Points at equal steps from a to b with their images, the ridges between them, how many of these
  // are sharp, and how many points have more than `limit` of their weight across a sharp ridge.
  function walk(m, a, b, steps, options, limit = 0.05) {
    const crossed = ridges(m, a, b);
    const path = Array.from({ length: steps }, (_, k) => {
      const t = k / (steps - 1);
      return { t, ...extend(m, [...a].map((v, c) => (1 - t) * v + t * b[c]), options) };
    });
    return {
      path, ridges: crossed, sharp: crossed.filter((r) => r.angle > m.threshold).length,
      mixed: path.filter((p) => p.across > limit).length,
    };
  }

  // A dense network: layers of signed bytes with one scale a row, and biases in single precision.
  // Products are taken in single precision as torch takes them, sums in double.
  function network(layers) {
    return layers.map(({ weight, scale, bias }) => {
      const rows = scale.length, columns = weight.length / rows;
      const w = new Float32Array(weight.length);
      for (let r = 0; r < rows; r++) {
        for (let c = 0; c < columns; c++) w[r * columns + c] = weight[r * columns + c] * scale[r];
      }
      return { rows, columns, w, bias };
    });
  }

  // Pixels in (0, 1) of a code: ReLU between the layers, a sigmoid at the end.
  function decode(net, code) {
    let values = Float32Array.from(code);
    net.forEach(({ rows, columns, w, bias }, k) => {
      const next = new Float32Array(rows);
      for (let r = 0; r < rows; r++) {
        let sum = bias[r];
        for (let c = 0, at = r * columns; c < columns; c++) sum += w[at + c] * values[c];
        next[r] = k < net.length - 1 ? Math.max(sum, 0) : 1 / (1 + Math.exp(-sum));
      }
      values = next;
    });
    return values;
  }

  core.aeomt = { model, unitVariance, topScores, ridgeAngle, extend, ridges, walk, network, decode };
})();
