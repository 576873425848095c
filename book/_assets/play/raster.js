// Triangles painted into an image: a whole mesh in a few milliseconds, where a canvas path for each
// triangle would take fifty. With depths the nearest surface wins.
(function () {
  "use strict";
  const core = (globalThis.omtCore ??= {});

  function image(width, height) {
    return { width, height, pixels: new Uint32Array(width * height), depth: new Float32Array(width * height) };
  }

  function clear(target) {
    target.pixels.fill(0);
    target.depth.fill(Infinity);
  }

  // Paint triangles F with corners (x, y, z) in pixels; z grows away from the eye. `colours` are
  // indices into `ramp` (three bytes each), one a triangle; `light` is one number a corner. Only
  // triangles that turn counter-clockwise for the eye (y down) are painted: the front.
  function paint(target, { x, y, z, F, light, colours, ramp }) {
    const { width, height, pixels, depth } = target;
    for (let t = 0, k = 0; t < colours.length; t++, k += 3) {
      const a = F[k], b = F[k + 1], c = F[k + 2];
      const ax = x[a], ay = y[a], bx = x[b], by = y[b], cx = x[c], cy = y[c];
      const double = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax);
      if (!(double < 0)) continue; // y points down, so the front turns clockwise in pixels
      const left = Math.max(Math.ceil(Math.min(ax, bx, cx) - 0.5), 0);
      const right = Math.min(Math.floor(Math.max(ax, bx, cx) + 0.5), width - 1);
      const top = Math.max(Math.ceil(Math.min(ay, by, cy) - 0.5), 0);
      const bottom = Math.min(Math.floor(Math.max(ay, by, cy) + 0.5), height - 1);
      // barycentric weights of b and c, linear in the pixel; the slack closes seams between triangles
      const bX = (cy - ay) / double, bY = (ax - cx) / double, cX = (ay - by) / double, cY = (bx - ax) / double;
      const slack = -1e-4;
      const red = ramp[3 * colours[t]], green = ramp[3 * colours[t] + 1], blue = ramp[3 * colours[t] + 2];
      for (let j = top; j <= bottom; j++) {
        for (let i = left; i <= right; i++) {
          const u = (i - ax) * bX + (j - ay) * bY, v = (i - ax) * cX + (j - ay) * cY, w = 1 - u - v;
          if (u < slack || v < slack || w < slack) continue;
          const at = j * width + i, far = w * z[a] + u * z[b] + v * z[c];
          if (far >= depth[at]) continue;
          depth[at] = far;
          const s = w * light[a] + u * light[b] + v * light[c];
          pixels[at] = 0xff000000 | ((s * blue) << 16) | ((s * green) << 8) | (s * red);
        }
      }
    }
  }

  // Discs or diamonds with smooth rims at pixels (places[2 p], places[2 p + 1]), one colour for all.
  function stamp({ width, height, pixels }, places, { shape, radius, colour }) {
    const reach = Math.ceil(radius + 0.5), [red, green, blue] = colour;
    for (let p = 0; p < places.length; p += 2) {
      const x = places[p], y = places[p + 1], i = Math.round(x), j = Math.round(y);
      if (i < reach || j < reach || i >= width - reach || j >= height - reach) continue;
      for (let b = j - reach; b <= j + reach; b++) {
        for (let a = i - reach; a <= i + reach; a++) {
          const u = Math.abs(a - x), v = Math.abs(b - y);
          const out = shape === "disc" ? Math.sqrt(u * u + v * v) - radius : (u + v - radius) * Math.SQRT1_2;
          const cover = Math.min(0.5 - out, 1);
          if (cover <= 0) continue;
          const at = b * width + a, old = pixels[at], kept = (old >>> 24) / 255;
          const alpha = cover + kept * (1 - cover), rest = (kept * (1 - cover)) / alpha, part = cover / alpha;
          pixels[at] = ((alpha * 255) << 24) | ((part * blue + rest * ((old >> 16) & 255)) << 16) |
            ((part * green + rest * ((old >> 8) & 255)) << 8) | (part * red + rest * (old & 255));
        }
      }
    }
  }

  core.raster = { image, clear, paint, stamp };
})();
