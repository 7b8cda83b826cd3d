"""How fast `somscope look` is in headless Chromium (1280x800, no GPU), and what its server holds. Writes
results/bench-explorer.json.

    python -m benchmarks.explorer [--only fashion million] [--out results/bench-explorer.json]

Two runs: 70,000 Fashion-MNIST images (SOMSCOPE_DATA must name them), mapped here with a plain SOM; and 1,000,000
synthetic items, which are 2,000 of those images 500 times over, so that no large map has to be
trained. The page is driven by events of its own, and times are those of its clock:

    first_picture_ms   from the navigation to the first drawing with pictures
    pan_frame_ms       median time between two frames while the map is dragged, of 120 frames; p95 beside it
    zoom_frame_ms      the same while the wheel turns
    paint_ms           median of the drawing alone in those frames
    layer_ms           from another layer being chosen to its being drawn, median of ten
    lasso_ms           from a lasso being closed to its items being chosen, counted and drawn, median of five
    lasso_items        how many these are
    dots_ms, mosaic_ms from the key to the drawing
    *_cpu_ms           what the page's thread spent on a processor: for a frame, a layer, a mode, and a whole lasso,
                       drawing its 40 points included; unlike the others it does not grow with the machine's other work
    server_mb, server_peak_mb   what the server holds when the page is there, and at most

A machine with other work makes all of them longer: `load` is the machine's before the start.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from benchmarks.report import write_report
from benchmarks.som.machine import cpu_model
from playwright.sync_api import sync_playwright

from somscope.data import open_collection
from somscope.mapping import map_collection

DATA = {"fashion": "fashion-mnist-70000", "million": "fashion-mnist-2000-times-500"}
TIMES = 500
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]

# Runs before the page's own code: notes when a drawing with pictures is first there.
WATCH = """
    const look = () => {
        if (Number(document.querySelector("#canvas")?.dataset.sheets) > 0) window.firstPicture ??= performance.now();
        else requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
"""
ACT = """
    const canvas = document.querySelector("#canvas"), map = document.querySelector("#map");
    const box = map.getBoundingClientRect();
    const frame = () => new Promise((done) => requestAnimationFrame(done));
    const pointer = (kind, x, y) => map.dispatchEvent(new PointerEvent(kind, {
        pointerId: 1, clientX: box.x + x, clientY: box.y + y, bubbles: true, isPrimary: true, button: 0 }));
    map.setPointerCapture = () => undefined;
    const median = (all) => all.toSorted((a, b) => a - b)[Math.floor(all.length / 2)];
    const p95 = (all) => all.toSorted((a, b) => a - b)[Math.floor(all.length * 0.95)];
    const drawn = async (act) => {
        const before = canvas.dataset.drawn, start = performance.now();
        act();
        while (canvas.dataset.drawn === before && performance.now() - start < 20000) await frame();
        return performance.now() - start;
    };
    const frames = async (step) => {
        const [times, paints] = [[], []];
        let last = performance.now();
        for (let i = 0; i < 120; i++) {
            step(i);
            await frame();
            await new Promise((done) => setTimeout(done)); // after the drawing
            times.push(performance.now() - last);
            paints.push(Number(canvas.dataset.ms));
            last = performance.now();
        }
        return [times.slice(5), paints.slice(5)];
    };
    const key = (name) => document.body.dispatchEvent(new KeyboardEvent("keydown", { key: name, bubbles: true }));
"""
MOVE = f"""async () => {{ {ACT}
    const middle = [box.width / 2, box.height / 2];
    const [zooms, zoomPaints] = await frames((i) => map.dispatchEvent(new WheelEvent("wheel", {{
        clientX: box.x + middle[0], clientY: box.y + middle[1], deltaY: i < 60 ? -25 : 25, cancelable: true }})));
    for (let i = 0; i < 8; i++) map.dispatchEvent(new WheelEvent("wheel", {{
        clientX: box.x + middle[0], clientY: box.y + middle[1], deltaY: -60, cancelable: true }}));
    pointer("pointerdown", ...middle);
    const [pans, panPaints] = await frames((i) =>
        pointer("pointermove", middle[0] + 120 * Math.sin(i / 12), middle[1] + 90 * Math.cos(i / 9)));
    pointer("pointerup", ...middle);
    key("0");
    await frame();
    return {{ zoom_frame_ms: median(zooms), zoom_frame_p95_ms: p95(zooms), pan_frame_ms: median(pans),
        pan_frame_p95_ms: p95(pans), paint_ms: median([...zoomPaints, ...panPaints]) }};
}}"""
LAYERS = f"""async () => {{ {ACT}
    const select = document.querySelector("#layer");
    const names = [...select.options].map((one) => one.value).filter((one) => one !== "none");
    const times = [];
    for (let i = 0; i < 10; i++) times.push(await drawn(() => {{
        select.value = names[(i + 1) % names.length];
        select.dispatchEvent(new Event("change", {{ bubbles: true }}));
    }}));
    return {{ layer_ms: median(times) }};
}}"""
MODES = f"""async () => {{ {ACT}
    const dots_ms = await drawn(() => key("4"));
    await frame();
    const mosaic_ms = await drawn(() => key("3"));
    return {{ dots_ms, mosaic_ms }};
}}"""
LASSO = f"""async (share) => {{ {ACT}
    key("l");
    await frame();
    const side = Math.sqrt(share) * Math.min(box.width, box.height);
    const corner = [box.width / 2 - side / 2, box.height / 2 - side / 2];
    const times = [];
    let items = 0;
    for (let i = 0; i < 5; i++) {{
        pointer("pointerdown", corner[0] + i, corner[1]);
        for (let at = 1; at < 40; at++) {{
            const [edge, along] = [Math.floor(at / 10), (at % 10) / 10];
            const [x, y] = [[along, 0], [1, along], [1 - along, 1], [0, 1 - along]][edge];
            pointer("pointermove", corner[0] + i + x * side, corner[1] + y * side);
        }}
        await frame();
        await frame();
        times.push(await drawn(() => pointer("pointerup", corner[0] + i, corner[1])));
        items = Number(document.querySelector("#chosen").textContent.trim().split(" ")[0].replaceAll(",", ""));
    }}
    key("Escape");
    key("v");
    return {{ lasso_ms: median(times), lasso_items: items }};
}}"""


def fashion_run(folder: Path, limit: int | None = None) -> Path:
    """A run of Fashion-MNIST: all 70,000 images, or some."""
    collection = open_collection("fashion-mnist", limit=limit, seed=0)
    settings = {"grid": (24, 32), "n_passes": 4, "random_state": 0, "verbose": False}
    map_collection(collection, folder, parameters=settings)
    return folder


def million_run(folder: Path) -> Path:
    """A run of 2,000 images whose items are there 500 times, each time under another id."""
    fashion_run(folder, 2000)
    config = json.loads((folder / "config.json").read_text())
    config["collection"]["n_items"] *= TIMES
    (folder / "config.json").write_text(json.dumps(config))
    ids = pa.array([f"{i:07d}" for i in range(2000 * TIMES)])
    for name in ("assignments", "items"):
        table = pq.read_table(folder / f"{name}.parquet")
        table = table.take(pa.array(np.tile(np.arange(2000), TIMES)))
        pq.write_table(table.set_column(0, "id", ids), folder / f"{name}.parquet", compression="zstd")
    return folder


def memory_of(pid: int) -> dict[str, float]:
    """What a process holds now, and held at most, in MB."""
    lines = dict(
        line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line
    )
    return {
        name: int(lines[key].split()[0]) / 1024
        for name, key in (("server_mb", "VmRSS"), ("server_peak_mb", "VmHWM"))
    }


def measure(run: Path, share: float) -> dict[str, float]:
    """All times of one run. share: of the map's square that the lasso goes around."""
    command = [sys.executable, "-m", "somscope", "look", str(run), "--no-browser", "--port", "0"]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    found: dict[str, float] = {}
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as server,
        sync_playwright() as playwright,
    ):
        assert server.stdout is not None
        start = time.perf_counter()
        address = server.stdout.readline().rsplit(" ", 1)[-1].strip()
        found["server_start_ms"] = 1000 * (time.perf_counter() - start)
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        try:
            page = browser.new_page(viewport={"width": 1280, "height": 800})
            page.set_default_timeout(180_000)
            page.add_init_script(WATCH)
            metrics = page.context.new_cdp_session(page)
            metrics.send("Performance.enable", {"timeDomain": "threadTicks"})

            def busy() -> float:
                """Milliseconds that the page's thread has spent on a processor."""
                listed = metrics.send("Performance.getMetrics")["metrics"]
                return 1000 * float(next(one["value"] for one in listed if one["name"] == "TaskDuration"))

            before = busy()
            page.goto(address)
            page.wait_for_selector("#canvas[data-sheets]:not([data-sheets='0'])")
            found["first_picture_ms"] = page.evaluate(
                "new Promise((done) => setTimeout(() => done(window.firstPicture), 200))"
            )
            found["first_picture_cpu_ms"] = busy() - before
            names = page.evaluate(
                "fetch('api/run').then((a) => a.json()).then((run) => run.sheets.names.length)"
            )
            page.wait_for_selector(f"canvas[data-sheets='{names}']")
            page.wait_for_timeout(500)
            for name, script, times, what in (
                ("frame", MOVE, 240, None),
                ("layer", LAYERS, 10, None),
                ("mode", MODES, 2, None),
                ("lasso", LASSO, 5, share),
            ):
                before = busy()
                found |= page.evaluate(script, what)
                found[f"{name}_cpu_ms"] = (busy() - before) / times
            found |= memory_of(server.pid)
        finally:
            browser.close()
            server.terminate()
    return found


def main() -> None:
    """Measure, and write the file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--only", nargs="+", choices=DATA, default=list(DATA))
    parser.add_argument("--out", type=Path, default=Path("results/bench-explorer.json"))
    parser.add_argument("--runs", type=Path, help="keep the runs here, and use those that are there")
    arguments = parser.parse_args()
    load, started = os.getloadavg()[0], time.perf_counter()
    rows: list[dict[str, Any]] = []
    if arguments.out.is_file():
        rows = json.loads(arguments.out.read_text())["rows"]
        rows = [row for row in rows if row["data"] not in {DATA[name] for name in arguments.only}]
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.runs or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        for name in arguments.only:
            run = folder / name
            if not run.exists():
                (fashion_run if name == "fashion" else million_run)(run)
            values = measure(run, 0.34 if name == "fashion" else 0.02)
            measures = {key: {"mean": round(value, 2), "std": 0.0} for key, value in values.items()}
            rows.append(
                {
                    "data": DATA[name],
                    "model": "somscope look",
                    "variant": "chromium-headless",
                    "protocol": "speed",
                }
                | {"seeds": [0], "measures": measures}
            )
    rows.sort(key=lambda row: list(DATA.values()).index(row["data"]))
    device = f"cpu ({cpu_model()}), headless Chromium without GPU"
    write_report(arguments.out, "bench-explorer", rows, started, device, load=round(load, 1))


if __name__ == "__main__":
    main()
