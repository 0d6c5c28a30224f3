"""How fast the page of a report is with many queries: ``python tests/measure_page.py`` prints the table.

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
_SWITCH = """async () => {
    const sounds = () => made.filter(sound => !sound.paused && !sound.muted), gaps = [];
    for (let n = 0; n < 40; n++) {
        await new Promise(done => setTimeout(done, 100));
        const [before] = sounds(), at = before.currentTime, clock = performance.now();
        document.body.dispatchEvent(new KeyboardEvent("keydown", { key: String(1 + (n + 1) % 9), bubbles: true }));
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


def measure(page: Any) -> dict[str, str]:
    """Return what is measured on an open page."""
    found = {"first paint": f"{page.evaluate(_PAINT):.0f} ms"}
    page.locator("#listen").evaluate("section => section.scrollIntoView()")
    page.wait_for_timeout(1000)
    times = page.evaluate(_KEYSTROKES, "prompt number 12")
    found["a keystroke in the search, typed and deleted, median and largest"] = (
        f"{statistics.median(times):.0f} and {max(times):.0f} ms"
    )
    found["sorting by a metric"] = f"{page.evaluate(_SORT):.0f} ms"
    page.keyboard.press("1")
    page.wait_for_timeout(1000)
    gaps = [abs(gap) for gap in page.evaluate(_SWITCH)]
    found["change of system: position off by, median and largest of 40"] = (
        f"{statistics.median(gaps):.0f} and {max(gaps):.0f} ms"
    )
    page.keyboard.press("Space")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")  # builds the takes of all queries
    found["memory of the script with all queries built"] = (
        f"{page.evaluate('performance.memory.usedJSHeapSize') / 2**20:.0f} MiB"
    )
    return found


def main() -> None:
    """Print the table."""
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
        context = browser.new_context(viewport={"width": 1280, "height": 900})
        requests: list[str] = []
        context.on("request", lambda request: requests.append(request.url))
        page = context.new_page()
        page.add_init_script(_SPY)
        page.goto(path.as_uri())
        page.wait_for_timeout(500)
        found = measure(page)
        found["requests that are no file"] = str(sum(not url.startswith("file:") for url in requests))
        found["size of page.html"] = f"{path.stat().st_size / 1e6:.1f} MB"
        lines = [
            f"Chromium {browser.version}, {platform.machine()}; {QUERIES} queries of {len(SYSTEMS)} systems",
            "",
            "| | |",
            "|---|---|",
        ]
        lines += [f"| {name} | {value} |" for name, value in found.items()]
        sys.stdout.write("\n".join(lines) + "\n")
        browser.close()


if __name__ == "__main__":
    main()
