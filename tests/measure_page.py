"""How fast the page of a report is with many queries: ``python tests/measure_page.py [RUNS]`` prints the table.

500 queries of 13 systems, the sounds (10 s each) in a folder beside the page. Every sound is the same one, which the
page cannot know. Times are of Chromium without a window on this machine; a keystroke is timed until its frame is drawn.
"""

from __future__ import annotations

import functools
import platform
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from browser.conftest import chromium
from listen_study import tone, write_listen_study

from clipsonic_eval.pagemedia import media
from clipsonic_eval.reporting.build import ReportOptions, build
from clipsonic_eval.reporting.html.settings import PageConfig
from clipsonic_eval.types import Clip

QUERIES, SYSTEMS = 500, ("real", *(f"system-{i}" for i in range(1, 13)))

_PAINT = "performance.getEntriesByType('paint').find(e => e.name === 'first-contentful-paint').startTime"
_KEYSTROKES = """async text => {
    const find = document.querySelector("#find"), times = [];
    for (const n of [...Array(text.length).keys(), ...[...Array(text.length).keys()].reverse()]) {
        await new Promise(requestAnimationFrame);
        const from = performance.now();
        find.value = text.slice(0, n + (times.length < text.length));
        find.dispatchEvent(new Event("input", { bubbles: true }));
        await new Promise(done => requestAnimationFrame(() => setTimeout(done)));
        times.push(performance.now() - from);
    }
    return times;
}"""
_SORT = """async () => {
    const by = document.querySelector("#by"), from = performance.now();
    by.selectedIndex = 2;
    by.dispatchEvent(new Event("input", { bubbles: true }));
    await new Promise(done => requestAnimationFrame(() => setTimeout(done)));
    return performance.now() - from;
}"""
_SWITCH = """async systems => {
    const sounds = () => made.filter(sound => !sound.paused && sound.volume > 0.001), gaps = [];
    for (let n = 0; n < 40; n++) {
        await new Promise(done => setTimeout(done, 100));
        const [before] = sounds(), at = before.currentTime, clock = performance.now();
        const next = (n + 1) % systems, code = `Digit${(next + 1) % 10}`;
        document.body.dispatchEvent(new KeyboardEvent("keydown", { code, shiftKey: next > 9, bubbles: true }));
        const [after] = sounds(), from = after.currentTime;
        while (after.currentTime <= from) await new Promise(requestAnimationFrame);
        gaps.push(1000 * (after.currentTime - at) - (performance.now() - clock));
    }
    return gaps;
}"""
_SPY = "window.made = []; const A = Audio; window.Audio = function (x) { const a = new A(x); made.push(a); return a; };"


@functools.cache
def _sound(codec: str) -> bytes:
    return real_sound(Clip("", tone(440.0, 10.0)[None], 16000), codec)


@functools.cache
def _image() -> bytes:
    return real_image(media.levels(Clip("", tone(440.0, 10.0)[None], 16000)), 0.0)


real_sound, real_image = media.sound, media.spectrogram


def write_page(root: Path) -> Path:
    """Write the study and its page; every sound and spectrogram is encoded once."""
    run = write_listen_study(root, n=QUERIES, systems=SYSTEMS, seconds=0.1)
    media.sound = lambda clip, codec: _sound(codec)
    media.spectrogram = lambda mel, top: _image()
    build([run], root / "report", options=ReportOptions("Many queries", page=PageConfig(show=0)))
    return root / "report" / "page.html"


def measure(page: Any) -> dict[str, list[float]]:
    """Return what is measured on an open page, by the row of the table."""
    found = {"first paint, ms": [page.evaluate(_PAINT)]}
    page.locator("#listen").evaluate("section => section.scrollIntoView()")
    page.wait_for_timeout(1000)
    found["a keystroke in the search, typed and deleted, ms"] = page.evaluate(_KEYSTROKES, "prompt number 12")
    found["sorting by a metric, ms"] = [page.evaluate(_SORT)]
    page.keyboard.press("1")
    page.wait_for_timeout(1000)
    found["change of system: position off by, ms"] = [abs(gap) for gap in page.evaluate(_SWITCH, len(SYSTEMS))]
    page.keyboard.press("Space")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")  # builds the takes of all queries
    memory = page.evaluate("performance.memory.usedJSHeapSize")
    found["memory of the script with all queries built, MiB"] = [memory / 2**20]
    return found


def main(n: int) -> None:
    """Print the table of so many runs."""
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as root, sync_playwright() as playwright:
        path = write_page(Path(root))
        flags = [
            "--enable-precise-memory-info",
            "--no-sandbox",
            "--autoplay-policy=no-user-gesture-required",
            "--mute-audio",
        ]
        browser = playwright.chromium.launch(executable_path=chromium(), args=flags)
        runs = [_measured(browser, path) for _ in range(n)]
        lines = [
            f"Chromium {browser.version}, {platform.machine()}; {QUERIES} queries of {len(SYSTEMS)} systems; "
            f"page.html has {path.stat().st_size / 1e6:.1f} MB; {n} runs",
            "",
            "| | median | largest | largest of each run |",
            "|---|---|---|---|",
        ]
        for name in runs[0]:
            values, largest = [value for run in runs for value in run[name]], [f"{max(run[name]):.0f}" for run in runs]
            lines.append(f"| {name} | {statistics.median(values):.0f} | {max(values):.0f} | {', '.join(largest)} |")
        sys.stdout.write("\n".join(lines) + "\n")
        browser.close()


def _measured(browser: Any, path: Path) -> dict[str, list[float]]:
    """Return what is measured on the page in a new context."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    requests: list[str] = []
    context.on("request", lambda request: requests.append(request.url))
    page = context.new_page()
    page.add_init_script(_SPY)
    page.goto(path.as_uri())
    page.wait_for_timeout(500)
    found = measure(page)
    found["requests that are no file"] = [sum(not url.startswith("file:") for url in requests)]
    context.close()
    return found


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
