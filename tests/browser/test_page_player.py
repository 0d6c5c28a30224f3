"""The player of a report's page: its sounds run together, whatever their lengths, and one is heard."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from browser.conftest import OpenPage
from browser.test_page_of_many import page_of
from browser.test_report_page import heard, spied, until
from listen_study import RATE, tone, write_listen_study

from clipsonic_eval import records
from clipsonic_eval.media.audio import write_wav


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A page of four systems whose sounds take three seconds."""
    root = tmp_path_factory.mktemp("player")
    return page_of(root, write_listen_study(root, n=2, seconds=3.0))


def test_takes_run_together_however_they_began(open_page: OpenPage, tmp_path: Path) -> None:
    page = spied(open_page, page_of(tmp_path, write_listen_study(tmp_path, n=2, seconds=8.0)))
    page.keyboard.press("1")
    until(page, "made.some(a => a.volume > 0.001 && a.currentTime > 0.2)")
    page.evaluate("made.filter(a => a.volume < 0.001).forEach((a, n) => a.currentTime += 0.1 * (n - 1))")
    near = "made.every(a => Math.abs(a.currentTime - made.find(b => b.volume > 0.001).currentTime) < 0.02)"
    until(page, near)
    page.keyboard.press(".")
    until(page, near)
    until(page, "made.every(a => a.playbackRate === 1)")


def test_those_that_are_not_heard_stay_at_the_output(open_page: OpenPage, address: str) -> None:
    page = spied(open_page, address)
    for key in "1234":
        page.keyboard.press(key)
        volumes = page.evaluate("made.map(a => a.volume).sort((a, b) => a - b)")
        assert 0 < volumes[0] <= volumes[2] < 1e-5  # -100 dB
        assert volumes[3] == 1
        assert page.evaluate("made.every(a => !a.muted)")


def test_where_the_volume_is_that_of_the_device_they_are_muted(open_page: OpenPage, address: str) -> None:
    page = open_page("about:blank")
    page.add_init_script(
        "Object.defineProperty(HTMLMediaElement.prototype, 'volume', {get: () => 1, set: () => {}});"
        "window.made = []; const A = Audio;"
        "window.Audio = function (x) { const a = new A(x); made.push(a); return a; };"
    )
    page.goto(address)
    page.wait_for_selector(".takes button")
    for key in "13":
        page.keyboard.press(key)
        assert page.evaluate("made.map(a => a.muted)") == [other != key for other in "1234"]


def test_looking_after_the_takes_costs_one_call_a_frame(open_page: OpenPage, address: str) -> None:
    page = spied(open_page, address)
    page.keyboard.press("1")
    for _ in range(6):
        page.keyboard.press(",")
    calls = page.evaluate(
        """async () => {
            const next = window.requestAnimationFrame;
            let calls = 0;
            window.requestAnimationFrame = action => (calls++, next(action));
            for (let n = 0; n < 30; n++) await new Promise(done => next(done));
            return calls;
        }"""
    )
    assert 10 <= calls <= 40  # one each of 30 frames, and some more while queries are built


def test_a_take_that_is_shorter_begins_again_with_the_others(open_page: OpenPage, tmp_path: Path) -> None:
    run = write_listen_study(tmp_path, n=2, systems=("long", "short"), seconds=3.0)
    records.write(replace(records.read(run), hashes={}), run)
    for path in (tmp_path / "wavs" / "short").iterdir():
        write_wav(path, tone(300.0, 1.0), RATE)
    page = spied(open_page, page_of(tmp_path, run))
    page.keyboard.press("1")
    until(page, "made[0].currentTime > 1.3 && made[1].ended")
    until(page, "made[0].currentTime < 0.9 && made[1].currentTime > 0 && !made[1].paused")  # both again
    until(page, "made[0].currentTime > 1.3 && made[1].ended")
    page.keyboard.press("2")  # at a place that it has not
    until(page, "made[1].volume > 0.001 && made[1].currentTime > 0 && made[1].currentTime < 0.9 && !made[1].paused")
    page.keyboard.press("l")
    until(page, "document.querySelector('#play').textContent === 'Play'")
    assert heard(page) == []


def test_hiding_another_system_leaves_the_one_that_is_heard(open_page: OpenPage, address: str) -> None:
    page = spied(open_page, address)
    page.locator("form summary").click()
    page.keyboard.press("3")
    until(page, "made.some(a => a.volume > 0.001 && a.currentTime > 1)")
    page.get_by_label("PD", exact=True).uncheck()
    assert page.locator("#now").text_content().startswith("ZS: ")
    assert page.locator("#play").text_content() == "Pause"
    until(page, "made.length === 7 && made.slice(4).some(a => a.volume > 0.001 && a.currentTime > 1)")


def test_the_place_is_told_in_seconds(open_page: OpenPage, address: str) -> None:
    page = spied(open_page, address)
    page.keyboard.press("1")
    until(page, "made.some(a => a.volume > 0.001 && a.currentTime > 0.3)")
    page.keyboard.press("Space")
    until(page, "/^[0-2][.][0-9] of 3[.][01] s$/.test(document.querySelector('#time').textContent)")
    assert page.locator("#place").get_attribute("aria-valuetext") == page.locator("#time").text_content()
