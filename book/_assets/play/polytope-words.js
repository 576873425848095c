// What the figure of Minkowski's polytope says: what was solved, or why there is no such polytope; and
// the small geometry of its drawing.
(function () {
  "use strict";
  const core = (globalThis.omtCore ??= {});
  const minus = (text) => text.replaceAll("-", "\u2212");
  const fixed = (v) => minus((Math.abs(v) < 0.005 ? 0 : v).toFixed(2));
  const vector = (v) => `(${v.map(fixed).join(", ")})`;
  const dot = (a, b) => a.reduce((sum, v, k) => sum + v * b[k], 0);
  const STAYS = " Grey: the last polytope that exists.";

  function solved({ shown, face, asked, preset }) {
    const steps = shown.iterations === 1 ? "1 Newton step" : `${shown.iterations} Newton steps`;
    return `${preset.normals.length} faces; face ${face + 1} has area ${fixed(asked[face])}. Volume ${fixed(shown.volume)}. ` +
      `Largest relative error of an area ${minus(shown.error.toExponential(0))}, after ${steps}. ${preset.note ?? ""}`;
  }

  function unbalanced({ refused, nearest, preset }) {
    const missing = refused.excess.map((v) => -v / refused.length);
    const along = preset.normals.map((n) => dot(n, missing));
    return "No polytope has these areas. Areas times normals add up to " +
      `${vector(refused.excess)}, of length ${fixed(refused.length)}, and must add up to zero: by the divergence theorem a closed ` +
      "surface shows as much area to any side as to the opposite one. Area is missing along the red arrow, nearest to face " +
      `${along.indexOf(Math.max(...along)) + 1}. ` +
      (nearest ? "Violet marks: the nearest areas that balance." : "No areas near these balance.") + STAYS;
  }

  function open({ refused, asked, preset }) {
    const sum = core.polytope.sumOf(preset.normals, asked);
    return "No polytope has these normals, whatever the areas: all of them point away from " +
      `${vector(refused.direction)}, the red arrow, so the half-spaces leave it open that way. Areas times normals ` +
      `add up to ${vector(sum)}. A lid closes it, if area times normal of the lid is minus this vector.`;
  }

  core.polytopeWords = function (state) {
    const { refused, face, asked } = state;
    if (!refused) return solved(state);
    switch (refused.reason) {
      case "balance": return unbalanced(state);
      case "half-space": return open(state);
      case "driven":
        return `With face ${face + 1} at ${fixed(asked[face])} the balance asks for area ` +
          `${refused.value > -0.005 ? "0 or less" : fixed(refused.value)} of face ${refused.face + 1}, and a face needs an area above zero.${STAYS}`;
      case "area":
        return `Face ${refused.face + 1} is asked to have area ${fixed(refused.value)}. A face without area is no face: ` +
          `the polytope would have one normal less.${STAYS}`;
      default:
        return `The solver stopped (${refused.reason}): double precision does not hold these areas.${STAYS}`;
    }
  };

  function arrow(context, from, to, colour, width) {
    const angle = Math.atan2(to[1] - from[1], to[0] - from[0]), head = 5 + 2.5 * width;
    context.beginPath();
    context.moveTo(...from);
    context.lineTo(...to);
    for (const turn of [2.6, -2.6]) {
      context.moveTo(...to);
      context.lineTo(to[0] + head * Math.cos(angle + turn), to[1] + head * Math.sin(angle + turn));
    }
    context.strokeStyle = colour;
    context.lineWidth = width;
    context.stroke();
  }

  const inside = (loop, x, y) => loop.reduce((odd, [a, b], k) => {
    const [c, d] = loop[(k + 1) % loop.length];
    return b > y !== d > y && x < a + ((y - b) / (d - b)) * (c - a) ? !odd : odd;
  }, false);
  const centreOf = (loop) => [0, 1].map((k) => loop.reduce((s, p) => s + p[k], 0) / loop.length);
  core.polytopeMarks = { arrow, inside, centreOf };
})();
