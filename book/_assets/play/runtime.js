// What every playable figure shares: canvases, hands, keys, sliders, colours of the theme.
// Classic scripts and no requests, so that the site also plays from a folder on a disk.
(function () {
  "use strict";
  const setups = {};
  const redraws = new Set();
  const reduced = matchMedia("(prefers-reduced-motion: reduce)").matches;
  let count = 0;

  function el(tag, attributes, ...children) {
    const node = document.createElement(tag);
    for (const [key, value] of Object.entries(attributes ?? {})) {
      if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
      else if (value !== null && value !== undefined && value !== false) node.setAttribute(key, value);
    }
    node.append(...children);
    return node;
  }

  // Colours

  let palette = null;

  function colours() {
    if (palette) return palette;
    const style = getComputedStyle(document.documentElement);
    const read = (name, otherwise) => style.getPropertyValue(name).trim() || otherwise;
    palette = {
      source: read("--omt-source", "#1a69b0"), sourceSoft: read("--omt-source-soft", "#eaf3fb"),
      target: read("--omt-target", "#b32020"), targetSoft: read("--omt-target-soft", "#fcefee"),
      plan: read("--omt-plan", "#5e2a84"), planSoft: read("--omt-plan-soft", "#f5effa"),
      text: read("--pst-color-text-base", "#1f2328"), muted: read("--pst-color-text-muted", "#55595f"),
      rule: read("--omt-rule", "#dcdcd8"), background: read("--pst-color-background", "#fefefc"),
      surface: read("--pst-color-surface", "#f6f6f3"),
    };
    return palette;
  }

  new MutationObserver(() => {
    palette = null;
    for (const redraw of redraws) redraw();
  }).observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });

  function rgb(colour) {
    const hex = colour.trim().replace("#", "");
    if (/^[0-9a-f]{3}$/i.test(hex)) return [...hex].map((c) => parseInt(c + c, 16));
    if (/^[0-9a-f]{6}/i.test(hex)) return [0, 2, 4].map((k) => parseInt(hex.slice(k, k + 2), 16));
    return (colour.match(/[\d.]+/g) ?? [0, 0, 0]).slice(0, 3).map(Number);
  }

  function mix(one, other, t) {
    const a = rgb(one), b = rgb(other);
    return `rgb(${a.map((v, k) => Math.round(v + (b[k] - v) * t)).join(", ")})`;
  }

  // The ramp of plotting.SEQUENTIAL and the ten colours of plotting.CLASSES
  const RAMP = ["#f7f3fa", "#c9b3dc", "#9a71bd", "#5e2a84", "#2c0f45"];
  const CLASSES = ["#3f90da", "#ffa90e", "#bd1f01", "#94a4a2", "#832db6", "#a96b59", "#e76300", "#b9ac70",
    "#717581", "#92dadd"];

  function sequential(t) {
    const s = Math.min(Math.max(t, 0), 1) * (RAMP.length - 1);
    const k = Math.min(Math.floor(s), RAMP.length - 2);
    return mix(RAMP[k], RAMP[k + 1], s - k);
  }

  // Canvases

  function canvas(stage, { label, keys = "", ratio = 1 }) {
    const id = `omt-play-${++count}`;
    const node = el("canvas", { class: "omt-play-canvas", tabindex: 0, role: "application", "aria-label": label });
    const box = el("div", { class: "omt-play-view" }, node);
    if (keys) {
      node.setAttribute("aria-describedby", id);
      box.append(el("p", { class: "omt-play-keys", id }, keys));
    }
    stage.append(box);
    const view = { node, box, context: node.getContext("2d"), width: 0, height: 0, ratio, onDraw: null };
    let asked = false;
    view.redraw = () => {
      if (asked) return;
      asked = true;
      requestAnimationFrame(() => {
        asked = false;
        view.drawNow();
      });
    };
    view.drawNow = () => {
      if (!view.width || !view.onDraw) return;
      view.context.setTransform(view.dots, 0, 0, view.dots, 0, 0);
      view.context.clearRect(0, 0, view.width, view.height);
      view.onDraw();
    };
    view.at = (event) => {
      const place = node.getBoundingClientRect();
      return [event.clientX - place.left, event.clientY - place.top];
    };
    const fit = () => {
      const width = Math.round(box.clientWidth);
      const dots = Math.min(devicePixelRatio || 1, 2);
      if (!width || (width === view.width && dots === view.dots)) return;
      Object.assign(view, { width, height: Math.round(width * view.ratio), dots });
      node.style.height = `${view.height}px`;
      node.width = Math.round(view.width * dots);
      node.height = Math.round(view.height * dots);
      view.drawNow();
    };
    new ResizeObserver(fit).observe(box);
    redraws.add(view.redraw);
    fit();
    return view;
  }

  function row(stage, ...views) {
    const box = el("div", { class: "omt-play-row" }, ...views.map((view) => view.box));
    stage.append(box);
    return box;
  }

  // Hands: a handle that is hit is dragged; anywhere else the page scrolls as usual.
  function drag(view, { hit, start, move, end }) {
    let held = null;
    view.node.addEventListener("touchstart", (event) => {
      const touch = event.touches[0];
      if (event.touches.length === 1 && hit(...view.at(touch)) !== null) event.preventDefault();
    }, { passive: false });
    view.node.addEventListener("pointerdown", (event) => {
      if (event.button || held !== null) return;
      const found = hit(...view.at(event));
      if (found === null || found === undefined) return;
      held = found;
      event.preventDefault(); // so that the camera, if there is one, stays
      view.node.setPointerCapture(event.pointerId);
      view.node.focus({ preventScroll: true });
      start?.(held, ...view.at(event), event);
    });
    view.node.addEventListener("pointermove", (event) => {
      if (held !== null) move?.(held, ...view.at(event), event);
      else if (event.pointerType === "mouse") {
        const found = hit(...view.at(event));
        view.node.style.cursor = found === null || found === undefined ? "" : "grab";
      }
    });
    const stop = (event) => {
      if (held === null) return;
      const last = held;
      held = null;
      end?.(last, ...view.at(event), event);
    };
    view.node.addEventListener("pointerup", stop);
    view.node.addEventListener("pointercancel", stop);
  }

  // A camera that looks at the origin along a parallel projection.
  function orbit(view, { yaw = 0.6, pitch = 0.5, onChange, drags = true }) {
    const camera = { yaw, pitch };
    camera.project = ([x, y, z]) => {
      const c = Math.cos(camera.yaw), s = Math.sin(camera.yaw);
      const cp = Math.cos(camera.pitch), sp = Math.sin(camera.pitch);
      const u = c * x - s * y, v = s * x + c * y; // v looks away from the eye
      return [u, cp * z + sp * v, cp * v - sp * z];
    };
    camera.turn = (yawStep, pitchStep) => {
      camera.yaw += yawStep;
      camera.pitch = Math.min(Math.max(camera.pitch + pitchStep, -1.5), 1.5);
      onChange?.();
      view.redraw();
    };
    if (drags) {
      let last = null;
      view.node.style.touchAction = "pan-y";
      view.node.addEventListener("pointerdown", (event) => {
        if (event.button || event.defaultPrevented) return;
        last = view.at(event);
        view.node.setPointerCapture(event.pointerId);
      });
      view.node.addEventListener("pointermove", (event) => {
        if (!last) return;
        const now = view.at(event);
        camera.turn((now[0] - last[0]) * 0.01, (now[1] - last[1]) * 0.01);
        last = now;
      });
      for (const name of ["pointerup", "pointercancel"]) view.node.addEventListener(name, () => (last = null));
    }
    camera.key = (event) => {
      const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
      if (!step) return false;
      event.preventDefault();
      camera.turn(step[0] * 0.12, step[1] * 0.12);
      return true;
    };
    if (drags) view.node.addEventListener("keydown", camera.key);
    return camera;
  }

  // Controls: the browser's own, so that keys and screen readers know them.

  function bar(stage) {
    const node = el("div", { class: "omt-play-bar" });
    stage.append(node);
    return node;
  }

  function slider(stage, { label, min, max, step, value, format = String, onInput }) {
    const input = el("input", { type: "range", min, max, step, value });
    const shown = el("output", { class: "omt-play-value" });
    const node = el("label", { class: "omt-play-slider" }, el("span", {}, label), input, shown);
    const show = () => {
      shown.textContent = format(Number(input.value));
      input.setAttribute("aria-valuetext", shown.textContent);
    };
    input.addEventListener("input", () => {
      show();
      onInput?.(Number(input.value));
    });
    show();
    stage.append(node);
    return {
      node, input,
      get value() { return Number(input.value); },
      set(v) {
        input.value = v;
        show();
      },
    };
  }

  function button(stage, label, onClick) {
    const node = el("button", { type: "button", onclick: onClick }, label);
    stage.append(node);
    return node;
  }

  function choice(stage, label, options, value, onChange) {
    const select = el("select", { onchange: () => onChange?.(select.value) });
    for (const [key, words] of options) select.append(el("option", { value: key, selected: key === value }, words));
    stage.append(el("label", { class: "omt-play-choice" }, el("span", {}, label), select));
    return select;
  }

  function check(stage, label, checked, onChange) {
    const input = el("input", { type: "checkbox", onchange: () => onChange?.(input.checked) });
    input.checked = checked;
    stage.append(el("label", { class: "omt-play-check" }, input, el("span", {}, label)));
    return input;
  }

  // The line is seen at once and spoken when the hand rests: a reader is not to hear every frame.
  function status(stage) {
    const seen = el("p", { class: "omt-play-status", "aria-hidden": "true" });
    const spoken = el("p", { class: "omt-play-spoken", "aria-live": "polite" });
    stage.append(seen, spoken);
    let timer = null;
    return (text) => {
      if (seen.textContent === text) return;
      seen.textContent = text;
      clearTimeout(timer);
      timer = setTimeout(() => (spoken.textContent = text), 500);
    };
  }

  function unpack({ dtype, shape, base64 }) {
    const kinds = { float32: Float32Array, float64: Float64Array, uint8: Uint8Array, int8: Int8Array,
      uint16: Uint16Array, int16: Int16Array, uint32: Uint32Array, int32: Int32Array };
    const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
    const array = new kinds[dtype](bytes.buffer);
    array.shape = shape;
    return array;
  }

  // Mulberry32: the same figure for everybody, whatever the browser.
  function random(seed) {
    let state = seed >>> 0;
    return () => {
      state = (state + 0x6d2b79f5) >>> 0;
      let t = Math.imul(state ^ (state >>> 15), state | 1);
      t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
      return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
    };
  }

  function mount(box) {
    const stage = box.querySelector(".omt-play-stage");
    const data = JSON.parse(box.querySelector(".omt-play-data").textContent);
    stage.hidden = false;
    box.classList.add("is-live");
    setups[box.dataset.figure]({ box, stage, data, expose: (object) => (box.omtFigure = object) });
    box.dataset.drawn = "yes";
  }

  globalThis.omtPlay = {
    define: (name, setup) => (setups[name] = setup), mount, el, canvas, row, drag, orbit, bar, slider, button, choice,
    check, status, colours, mix, sequential, classColour: (k) => CLASSES[k % 10], unpack, random, reduced,
  };
})();
