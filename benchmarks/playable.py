"""*Brenier and his cells* in a browser: frames a second, and the error of what is drawn.

A site is dragged round a circle for some seconds: each animation frame sends the canvas one pointer
event, the figure solves the problem anew and draws its three pictures. Measured is the time from
frame to frame, what solving and drawing take of it, the largest relative mass error of all frames,
and how far the last state is from `omt_course`. The figure runs on a bare page opened as a file,
with the scripts of the site, in a Chromium without a screen that draws in software.

    python benchmarks/playable.py                  # 10, 30, 60 and 120 sites, 5 seconds each
    python benchmarks/playable.py --sites 60 --seconds 10
    python benchmarks/playable.py --emulated-gpu   # WebGL by SwiftShader, as the tests have it
"""

import argparse
import json
import os
import platform
import shutil
import tempfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
PLAY = ROOT / "book" / "_assets" / "play"
SCRIPTS = ("runtime", "transport-domain", "transport", "brenier-drawing", "figure-brenier")
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or "chromium"
EMULATED = ("--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader")
PAGE = """<!doctype html>
<html data-theme="light"><meta charset="utf-8"><style>STYLE body { width: 760px }</style>
<div class="omt-play" data-figure="brenier"><div class="omt-play-stage" hidden></div>
<script type="application/json" class="omt-play-data">DATA</script></div>SCRIPTS
<script>omtPlay.mount(document.querySelector(".omt-play"))</script></html>"""
DRAG = """seconds => new Promise(resolve => {
  const figure = document.querySelector(".omt-play").omtFigure;
  const canvas = document.querySelectorAll("canvas")[1], place = canvas.getBoundingClientRect();
  const [x, y] = figure.screen(0), radius = 40, frames = [];
  const send = (kind, u, v) => canvas.dispatchEvent(new PointerEvent(kind, {
    pointerId: 1, pointerType: "mouse", isPrimary: true, bubbles: true,
    clientX: place.left + u, clientY: place.top + v,
  }));
  canvas.setPointerCapture = () => {}; // the pointer is made here, and there is none to capture
  send("pointerdown", x, y);
  let last = performance.now(), error = 0, warm = 0;
  const began = last;
  function frame() {
    const now = performance.now(), turn = (now - began) / 1000 * 2 * Math.PI / 3;
    send("pointermove", x + radius * (Math.cos(turn) - 1), y + radius * Math.sin(turn));
    const { solver, state, timing } = figure, n = state.n;
    error = Math.max(error, solver.error);
    warm += solver.start === "warm";
    frames.push([now - last, timing.solve, timing.draw.reduce((a, b) => a + b)]);
    last = now;
    if (now - began < 1000 * seconds) return requestAnimationFrame(frame);
    send("pointerup", x, y);
    resolve({
      frames: frames.slice(5), error, warm: warm / frames.length, cost: solver.cost(),
      sites: [...figure.sites.subarray(0, 2 * n)], heights: [...solver.h.subarray(0, n)],
    });
  }
  requestAnimationFrame(frame);
})"""


def start(n: int) -> dict:
    """Return the state that the figure starts in: `n` sites in three clusters."""
    rng = np.random.default_rng(17)
    radius, angle = 0.3 * np.sqrt(rng.random(120)), 2 * np.pi * rng.random(120)
    shape = (radius * np.array([np.cos(angle), np.sin(angle)])).T
    return {"n": n, "apart": 0.75, "shape": shape.tolist(), "group": (np.arange(120) % 3).tolist()}


def measure(browser, n: int, seconds: float, folder: Path) -> dict:
    """Drag a site among `n` for some seconds; frames, errors and the distance from `omt_course`."""
    from omt_course.transport import semidiscrete
    from omt_course.transport.domains import disk

    scripts = "".join(f'<script src="{(PLAY / name).as_uri()}.js"></script>' for name in SCRIPTS)
    style = (ROOT / "book" / "_assets" / "omt.css").read_text()
    path = folder / f"{n}.html"
    text = PAGE.replace("STYLE", style).replace("DATA", json.dumps(start(n)))
    path.write_text(text.replace("SCRIPTS", scripts))
    page = browser.new_page(viewport={"width": 1280, "height": 1100})
    page.goto(path.as_uri())
    page.wait_for_function("document.querySelector('.omt-play').dataset.drawn")
    seen = page.evaluate(DRAG, seconds)
    page.close()
    exact = semidiscrete.solve(disk(1.0, 128), np.reshape(seen["sites"], (-1, 2)), tol=1e-11)
    frame, solving, drawing = np.array(seen["frames"]).T
    return {
        "n": n,
        "frames": len(frame),
        "fps": 1000 / np.median(frame),
        "fps_slow": 1000 / np.quantile(frame, 0.95),
        "solve_ms": np.median(solving),
        "draw_ms": np.median(drawing),
        "warm": seen["warm"],
        "error": seen["error"],
        "heights": np.abs(seen["heights"] - exact.heights).max(),
        "w2_squared": abs(seen["cost"] / exact.w2_squared - 1),
    }


def main() -> None:
    """Print the protocol and one row for each number of sites."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sites", type=int, nargs="+", default=[10, 30, 60, 120])
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--emulated-gpu", action="store_true", help="draw through SwiftShader")
    options = parser.parse_args()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        arguments = ["--no-sandbox", *(EMULATED if options.emulated_gpu else ())]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        load = os.getloadavg()[0]
        gpu = "emulated GPU (SwiftShader)" if options.emulated_gpu else "software rendering"
        print(f"Chromium {browser.version} without a screen, {gpu}; {platform.machine()}")
        print(
            f"{os.cpu_count()} CPU cores, load {load:.1f} at the start; {options.seconds:g} s each"
        )
        print(
            "sites frames  frames/s  slowest 5 %  solve ms  draw ms   warm  mass error  heights off"
            "   W2^2 off"
        )
        for n in options.sites:
            row = measure(browser, n, options.seconds, Path(folder))
            print(
                "{n:5d} {frames:6d} {fps:9.1f} {fps_slow:12.1f} {solve_ms:9.2f} {draw_ms:8.2f} "
                "{warm:6.1%} {error:11.1e} {heights:12.1e} {w2_squared:10.1e}".format(**row),
                flush=True,
            )
        browser.close()


if __name__ == "__main__":
    main()
