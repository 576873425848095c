// Pictures of the figure "Make digits here": cells and codes by class, marks, digits as small sheets.
(function () {
  "use strict";
  const { omtPlay } = globalThis;
  const SIDE = 28, INKS = 32;

  // Pixels of digits: ink in the colour of text on the colour of the page, in the theme of the moment.
  const papers = new Map();
  function paper(pixels, key) {
    const { text, background } = omtPlay.colours();
    const name = `${key}/${text}`;
    if (key && papers.has(name)) return papers.get(name);
    const sheet = document.createElement("canvas");
    sheet.width = sheet.height = SIDE;
    const context = sheet.getContext("2d"), image = context.createImageData(SIDE, SIDE);
    const inks = Array.from({ length: INKS + 1 }, (_, k) => omtPlay.mix(background, text, k / INKS).match(/\d+/g));
    pixels.forEach((p, k) => {
      const ink = inks[Math.round(p * INKS)];
      for (let c = 0; c < 3; c++) image.data[4 * k + c] = ink[c];
      image.data[4 * k + 3] = 255;
    });
    context.putImageData(image, 0, 0);
    if (key) papers.set(name, sheet);
    return sheet;
  }

  function halo(c, text, x, y, size = 15) {
    const { text: ink, background } = omtPlay.colours();
    c.font = `600 ${size}px system-ui, sans-serif`;
    c.textAlign = "center";
    c.textBaseline = "middle";
    c.lineJoin = "round";
    c.lineWidth = 4;
    c.strokeStyle = background;
    c.strokeText(text, x, y);
    c.fillStyle = ink;
    c.fillText(text, x, y);
  }

  // What does not change with the point is painted once for each size and theme.
  function backdrop(view, paint) {
    let sheet = null, made = "";
    return () => {
      const key = `${view.width} ${view.dots} ${omtPlay.colours().text}`;
      if (made !== key) {
        made = key;
        sheet = document.createElement("canvas");
        sheet.width = view.node.width;
        sheet.height = view.node.height;
        const c = sheet.getContext("2d");
        c.scale(view.dots, view.dots);
        paint(c);
      }
      view.context.drawImage(sheet, 0, 0, view.width, view.height);
    };
  }

  function trace(c, polygon, map) {
    let last = [-9, -9]; // an edge that is too short to see can make a spike of the stroke around it
    c.beginPath();
    polygon.forEach((p, k) => {
      const [x, y] = map(p);
      if (k && Math.hypot(x - last[0], y - last[1]) < 0.4) return;
      c[k ? "lineTo" : "moveTo"](x, y);
      last = [x, y];
    });
    c.closePath();
  }

  // The classes and cells of a figure, painted in its source and in its plane of codes.
  function scene({ points, labels, corners, loops, sizes, creases }) {
    const code = (i) => [points[2 * i], points[2 * i + 1]];
    const middles = (xy) => Array.from({ length: 10 }, (_, k) => {
      const sum = [0, 0, 0];
      labels.forEach((label, i) => {
        if (label !== k) return;
        [...xy(i), 1].forEach((v, c) => (sum[c] += v));
      });
      return [sum[0] / sum[2], sum[1] / sum[2]];
    });
    const starts = [0];
    for (const size of sizes) starts.push(starts[starts.length - 1] + size);
    const corner = (k) => [corners[2 * loops[k]], corners[2 * loops[k] + 1]];
    const loop = (i) => Array.from({ length: sizes[i] }, (_, k) => corner(starts[i] + k));
    const centre = (i) => loop(i).reduce(([a, b], [x, y]) => [a + x / sizes[i], b + y / sizes[i]], [0, 0]);

    const disk = (view, onDisk) => backdrop(view, (c) => {
      const colours = omtPlay.colours();
      c.lineJoin = "round"; // no spikes at the corners of thin cells
      for (let i = 0; i < sizes.length; i++) {
        trace(c, loop(i), onDisk);
        c.fillStyle = omtPlay.mix(omtPlay.classColour(labels[i]), colours.background, 0.35);
        c.fill();
        c.strokeStyle = colours.background;
        c.lineWidth = 0.5;
        c.stroke();
      }
      c.strokeStyle = colours.text;
      c.lineWidth = 1.6;
      c.beginPath();
      for (let k = 0; k < creases.length; k += 4) {
        c.moveTo(...onDisk([creases[k], creases[k + 1]]));
        c.lineTo(...onDisk([creases[k + 2], creases[k + 3]]));
      }
      c.stroke();
      middles(centre).forEach((p, k) => halo(c, String(k), ...onDisk(p)));
    });

    const codes = (view, onCodes) => backdrop(view, (c) => {
      const { text } = omtPlay.colours();
      for (let i = 0; i < labels.length; i++) {
        c.fillStyle = omtPlay.mix(omtPlay.classColour(labels[i]), text, 0.2); // seen on either page
        const [x, y] = onCodes(code(i));
        c.beginPath();
        for (const [a, b] of [[0, -2.4], [2.4, 0], [0, 2.4], [-2.4, 0]]) c.lineTo(x + a, y + b);
        c.fill();
      }
      middles(code).forEach((p, k) => halo(c, String(k), ...onCodes(p)));
    });
    return { code, loop, disk, codes };
  }

  function mark(c, [x, y], kind, chosen) {
    const { plan, source: blue, background, text } = omtPlay.colours();
    c.beginPath();
    if (kind === "point") c.arc(x, y, 4.5, 0, 7);
    else c.rect(x - 6, y - 6, 12, 12);
    c.fillStyle = kind === "point" ? plan : blue;
    c.fill();
    c.strokeStyle = background;
    c.lineWidth = 2;
    c.stroke();
    if (chosen) {
      c.beginPath();
      c.arc(x, y, 12, 0, 7);
      c.strokeStyle = text;
      c.stroke();
    }
    if (kind !== "point") halo(c, kind === "start" ? "A" : "B", x + 16, y - 12, 13);
  }

  function caption(c, text, x, y, align = "center") {
    c.font = "13px system-ui, sans-serif";
    c.textAlign = align;
    c.textBaseline = "top";
    c.fillStyle = omtPlay.colours().text;
    c.fillText(text, x, y);
  }

  function picture(c, sheet, x, y, size, frame) {
    c.imageSmoothingEnabled = false;
    c.drawImage(sheet, x, y, size, size);
    c.strokeStyle = frame;
    c.lineWidth = 2;
    c.strokeRect(x, y, size, size);
  }

  globalThis.omtDigits = { paper, halo, trace, scene, mark, caption, picture };
})();
