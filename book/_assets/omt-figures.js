// Figures in three dimensions, drawn with the site's own plotly, and playable figures (play/), when they come into view.
// Until then, without WebGL, and in print, their still picture shows.
(function () {
  "use strict";
  const root = document.documentElement.dataset.content_root || "./";
  const scripts = {};

  // A script of the site, once.
  function load(name) {
    scripts[name] ??= new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = `${root}_static/${name}.js`;
      script.onload = resolve;
      script.onerror = () => reject(new Error(`${script.src} could not be loaded`));
      document.head.append(script);
    });
    return scripts[name];
  }

  function webgl() {
    try {
      return Boolean(document.createElement("canvas").getContext("webgl"));
    } catch {
      return false;
    }
  }

  function colours() {
    const style = getComputedStyle(document.documentElement);
    const text = style.getPropertyValue("--pst-color-text-base").trim() || "#222";
    const rule = style.getPropertyValue("--omt-rule").trim() || "#ddd";
    const change = { paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", "font.color": text };
    for (const axis of ["xaxis", "yaxis", "zaxis"]) {
      change[`scene.${axis}.color`] = text;
      change[`scene.${axis}.gridcolor`] = rule;
      change[`scene.${axis}.zerolinecolor`] = rule;
      change[`scene.${axis}.backgroundcolor`] = "rgba(0,0,0,0)";
    }
    return change;
  }

  function turn(view, plotly, event) {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
    if (!step) return;
    event.preventDefault();
    const scene = view._fullLayout.scene;
    const { eye } = scene._scene?.getCamera() ?? scene.camera; // also where a hand has turned it
    const r = Math.hypot(eye.x, eye.y, eye.z);
    const angle = Math.atan2(eye.y, eye.x) + step[0] * 0.12;
    const height = Math.asin(eye.z / r) + step[1] * 0.12;
    const up = Math.max(-1.5, Math.min(1.5, height));
    const flat = r * Math.cos(up);
    plotly.relayout(view, {
      "scene.camera.eye": { x: flat * Math.cos(angle), y: flat * Math.sin(angle), z: r * Math.sin(up) },
    });
  }

  // What turns one view of a box turns the others too.
  function link(views, plotly) {
    let busy = false;
    for (const view of views) {
      const follow = async (change) => {
        const camera = change["scene.camera"] ?? (change["scene.camera.eye"] && { eye: change["scene.camera.eye"] });
        if (busy || !camera) return;
        busy = true;
        const set = Object.fromEntries(Object.entries(camera).map(([key, value]) => [`scene.camera.${key}`, value]));
        await Promise.all(views.filter((other) => other !== view).map((other) => plotly.relayout(other, set)));
        busy = false;
      };
      view.on("plotly_relayouting", follow);
      view.on("plotly_relayout", follow);
    }
  }

  async function show(view, figure, plotly) {
    const layout = Object.assign({ margin: { l: 0, r: 0, t: 0, b: 0 } }, figure.layout);
    if (layout.title) layout.margin = Object.assign({}, layout.margin, { t: 40 });
    delete layout.width;
    delete layout.height; // the style sheet's, which knows how wide the page is
    layout.autosize = true;
    await plotly.newPlot(view, figure.data, layout, {
      responsive: true, displaylogo: false, displayModeBar: false, scrollZoom: false,
    });
    await plotly.relayout(view, colours());
    view.setAttribute("role", "group");
    view.tabIndex = 0;
    view.title = "Drag, or use the arrow keys, to turn";
    view.addEventListener("keydown", (event) => turn(view, plotly, event));
    new MutationObserver(() => plotly.relayout(view, colours())).observe(document.documentElement, {
      attributes: true, attributeFilter: ["data-theme"],
    });
  }

  async function draw(box) {
    const views = [...box.querySelectorAll(".omt-3d-view")];
    const content = JSON.parse(box.querySelector(".omt-3d-data").textContent);
    await load("plotly.min");
    const plotly = window.Plotly;
    for (const part of box.querySelectorAll(".omt-3d-view, .omt-3d-title")) part.hidden = false;
    box.classList.add("is-live");
    for (const [k, figure] of [content].flat().entries()) await show(views[k], figure, plotly);
    if (views.length > 1) link(views, plotly);
    box.dataset.drawn = "yes";
  }

  // A playable figure: the shared script, those it names, then its own; all in order.
  async function play(box) {
    const names = [...box.dataset.scripts.split(" ").filter(Boolean), `figure-${box.dataset.figure}`];
    for (const name of ["runtime", ...names]) await load(`play/${name}`);
    window.omtPlay.mount(box);
  }

  function still(box) {
    box.classList.remove("is-live");
    for (const part of box.querySelectorAll(".omt-3d-view, .omt-3d-title, .omt-play-stage")) part.hidden = true;
  }

  // What scrolls sideways must be reachable by keyboard, also after a solution is unfolded.
  function reach() {
    const wide = "pre, div.math, mjx-container[display], .cell_output .output, .pst-scrollable-table-container";
    for (const box of document.querySelectorAll(`article :is(${wide})`)) {
      const scrolls = box.scrollWidth > box.clientWidth && /auto|scroll/.test(getComputedStyle(box).overflowX);
      if (scrolls) box.tabIndex = 0;
    }
  }

  function watch() {
    let waiting = null;
    const soon = () => {
      clearTimeout(waiting);
      waiting = setTimeout(reach, 50);
    };
    document.querySelectorAll("article").forEach((article) => new ResizeObserver(soon).observe(article));
    document.addEventListener("click", soon);
    window.MathJax?.startup?.promise?.then(soon);
    soon();
  }

  // Each is drawn when it comes into view.
  function start() {
    watch();
    const boxes = [...document.querySelectorAll(".omt-play"), ...(webgl() ? document.querySelectorAll(".omt-3d") : [])];
    const seen = new IntersectionObserver((entries) => {
      for (const { target, isIntersecting } of entries) {
        if (!isIntersecting) continue;
        seen.unobserve(target);
        (target.classList.contains("omt-play") ? play : draw)(target).catch((error) => {
          console.error("a figure could not be drawn; its still picture stays", error);
          still(target);
        });
      }
    }, { rootMargin: "300px" });
    boxes.forEach((box) => seen.observe(box));
  }

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
