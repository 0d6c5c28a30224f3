"""The essential walk in Firefox and in WebKitGTK, where they are installed: a report is heard, a test is answered.

At true speed, by keys that the browser takes for a listener's, under its own rules of what may play. Everything else is
tested in Chromium. An error, or something that the page's policy refused, fails a test.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import drivers
from browser.listener import answer, answer_all, begin, hear, place, wait_for
from browser.tab import Tab
from browser.test_report_page import write_page
from listening_client import running
from listening_folders import built

from clipsonic_eval.listening.build import write_static
from clipsonic_eval.listening.collect import collect
from clipsonic_eval.listening.folder import ListeningFolder

pytestmark = pytest.mark.slow  # a walk takes half a minute, in WebKit up to two
PAGE = Path(__file__).parents[2] / "reports" / "demo" / "page.html"
RATINGS = ("mos-fidelity", "mos-relevance")
Open = Callable[[str], Tab]


@pytest.fixture(scope="module", params=["firefox", "webkit"])
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[drivers.Engine]:
    """A running browser of another engine than Chromium's."""
    absent = drivers.missing(request.param)
    if absent:
        pytest.skip(f"{request.param} needs {', '.join(absent)}")
    with getattr(drivers, request.param)(tmp_path_factory.mktemp(request.param)) as running:
        yield running


@pytest.fixture
def opened(engine: drivers.Engine) -> Iterator[Open]:
    """Give ``opened(address)``, which opens a window; its problems fail the test."""
    tabs: list[Tab] = []

    def at(address: str) -> Tab:
        tabs.append(Tab(engine))
        tabs[-1].goto(address)
        return tabs[-1]

    yield at
    problems = [problem for tab in tabs for problem in tab.problems()]
    for tab in tabs:
        tab.close()
    assert problems == []


@contextlib.contextmanager
def served(folder: ListeningFolder, port: str = "0") -> Iterator[str]:
    """Serve a test by the command that does so, in a process that is killed at the end; give the address."""
    command = [sys.executable, "-m", "clipsonic_eval", "listen", "serve", str(folder.root), "--port", port]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield next(word for line in process.stdout for word in line.split() if word.startswith("http://"))
        finally:
            process.kill()


def steps_of(folder: ListeningFolder, number: int = 0) -> int:
    return sum(len(trial.protocols) for trial in folder.plan.trials(number))


def test_every_form_is_answered_by_keyboard(tmp_path: Path, opened: Open) -> None:
    pytest.importorskip("pyloudnorm")
    folder = built(tmp_path, *RATINGS, "preference", "mushra-like", clips=1)
    with served(folder) as address:
        tab = opened(address)
        begin(tab)
        assert answer_all(tab) == steps_of(folder)
        wait_for(tab, "Thank you")
    found, skipped = collect(folder, [])
    assert skipped == []
    assert {one.kind for one in found} >= {"headphones", "side", "practice", "rated", "trap", "gold"}
    assert all(one.played >= 0.95 and one.seconds > 0 for one in found)
    sliders = [one for one in found if one.protocol == "mushra-like"]
    places = {trial.number: trial.systems for trial in folder.plan.trials(0)}
    assert {(one.trial, int(one.answer) - 1) for one in sliders} == {
        (trial, (ord("A") + i) % 5)
        for trial, systems in places.items()
        if trial in {one.trial for one in sliders}
        for i in range(len(systems))
    }


def test_reloaded_offline_and_in_two_tabs_nothing_is_lost(tmp_path: Path, opened: Open) -> None:
    pytest.importorskip("pyloudnorm")
    folder = built(tmp_path, *RATINGS)
    with served(folder) as address:
        tab = opened(address)
        begin(tab)
        answer(tab)
        tab.reload()
        tab.wait_for_selector("progress")
        assert place(tab) == (2, steps_of(folder))
        second = opened(tab.url)
        second.wait_for_selector("progress")
        hear(second)
        answer(tab)
        second.wait_for_function("() => document.querySelector('h1').textContent.startsWith('3 ')")
        second.close()
        tab.wait_for_function("() => Object.values(localStorage).every(text => !text.includes('\"sent\":false'))")
    answer(tab)
    answer(tab)
    tab.wait_for_function("() => document.getElementById('status').textContent.startsWith('2 answers wait')")
    with served(folder, address.rstrip("/").rsplit(":", 1)[1]):
        tab.wait_for_function("() => document.getElementById('status').textContent === ''")
        answer_all(tab)
        wait_for(tab, "Thank you")
    found, skipped = collect(folder, [])
    assert (len(found), skipped) == (steps_of(folder), [])


def test_a_sound_that_comes_late_is_played_by_the_second_press_at_the_latest(tmp_path: Path, opened: Open) -> None:
    pytest.importorskip("pyloudnorm")
    with running(built(tmp_path, *RATINGS, clips=1)) as server:
        tab = opened(f"http://127.0.0.1:{server.server_address[1]}/")
        tab.run(
            "const play = HTMLMediaElement.prototype.play; HTMLMediaElement.prototype.play = function () {"
            "this.addEventListener('timeupdate', () => (window.begun = this.currentTime)); return play.call(this); };"
        )
        tab.run(
            "const now = fetch; window.fetch = async (...x) => (await new Promise(f => setTimeout(f, 3e3)), now(...x));"
        )
        tab.keyboard.press("Enter")
        wait_for(tab, "Set your volume")
        tab.keyboard.press("p")
        status = "document.getElementById('status').textContent"
        tab.wait_for_function(f"() => window.begun > 0 || {status}.includes('press once more')")
        if "once more" in tab.inner_text("#status"):
            tab.keyboard.press("p")
        tab.wait_for_function("() => window.begun > 0")
        tab.keyboard.press("Enter")
        tab.wait_for_selector("progress")


def test_from_disk_the_answers_become_a_file(tmp_path: Path, opened: Open, engine: drivers.Engine) -> None:
    pytest.importorskip("pyloudnorm")
    folder = built(tmp_path, *RATINGS, clips=1)
    tab = opened(write_static(folder, 3).as_uri() + "?listener=1")
    begin(tab)
    answer(tab)
    tab.reload()
    tab.wait_for_selector("progress")
    assert place(tab) == (2, steps_of(folder, 1))
    answer_all(tab)
    wait_for(tab, "Thank you")
    tab.keyboard.press("Enter")
    file = engine.saved()
    found, skipped = collect(folder, [file])
    assert (len(found), skipped) == (steps_of(folder, 1), [])
    assert {one.number for one in found} == {1}


def heard_page(opened: Open, address: str) -> Tab:
    """Open a report at its sounds, and keep every sound that the page makes in ``made``."""
    tab = opened(address)
    tab.run(
        "window.made = []; const A = Audio; window.Audio = function (x) { made.push(new A(x)); return made.at(-1); };"
    )
    tab.run("window.heard = () => made.filter(one => !one.muted && one.volume > 0.001);")
    tab.run("document.querySelector('#listen').scrollIntoView()")
    tab.wait_for_selector(".takes button")
    return tab


def test_the_committed_page_plays_every_system(opened: Open) -> None:
    tab = heard_page(opened, PAGE.as_uri())
    tab.keyboard.press("1")
    tab.wait_for_function("() => made.length === 13 && made.every(sound => sound.currentTime > 0 && !sound.error)")
    assert tab.evaluate("heard().length") == 1
    assert tab.evaluate("performance.getEntriesByType('resource').filter(one => !/^(data|blob):/.test(one.name))") == []


@pytest.mark.parametrize("settings", [{}, {"inline_mb": 0, "audio": "opus"}], ids=["inside", "beside"])
def test_a_report_is_heard_sorted_and_searched(settings: dict[str, Any], opened: Open, tmp_path: Path) -> None:
    tab = heard_page(opened, write_page(tmp_path, **settings).as_uri())
    now = lambda: tab.inner_text("#now")  # noqa: E731
    tab.keyboard.press("1")
    assert now().startswith("IQ: ")
    tab.wait_for_function("() => heard()[0].currentTime > 0.5 && made.every(sound => sound.currentTime > 0)")
    assert tab.evaluate("made.every(sound => !sound.error && sound.duration > 2.8 && sound.duration < 3.2)")
    tab.keyboard.press("2")
    assert now().startswith("PD: ")
    began = tab.evaluate("heard()[0].currentTime")
    tab.wait_for_function("began => heard().length === 1 && heard()[0].currentTime !== began", began)
    tab.click("#play")
    tab.wait_for_function("() => made.every(sound => sound.paused)")
    before, place = tab.evaluate("[made.indexOf(heard()[0]), heard()[0].currentTime]")
    tab.keyboard.press("ArrowRight")
    assert now().startswith("ZS: ")
    after, same = tab.evaluate("[made.indexOf(heard()[0]), heard()[0].currentTime]")
    assert after != before
    assert abs(same - place) <= 0.05
    first = now()
    tab.keyboard.press("j")
    assert now() != first
    tab.keyboard.press("b")
    assert now().startswith("System ")
    tab.keyboard.press("b")
    shown = "[...document.querySelectorAll('#queries > li:not([hidden]) h3')].map(one => one.textContent.trim())"
    order = tab.evaluate(shown)
    tab.click("#reverse")
    assert tab.evaluate(shown) == order[::-1]
    tab.click("h1")
    tab.keyboard.press("/")
    tab.keyboard.type("number 5")
    assert tab.evaluate(shown) == ["prompt number 5"]


def test_what_goes_wrong_on_a_page_is_seen(tmp_path: Path, engine: drivers.Engine) -> None:
    path = tmp_path / "page.html"
    wrong = "console.error('said'); setTimeout(() => { throw Error('lost'); }); Promise.reject(Error('broken'));"
    picture = "document.body.append(Object.assign(new Image(), { src: 'http://127.0.0.1:9/a.png' }));"
    path.write_text(
        '<!doctype html><meta http-equiv="Content-Security-Policy" content="img-src data:"><title>t</title>'
        f"<body><script>addEventListener('keydown', () => {{ {wrong} {picture} }});</script>"
    )
    tab = Tab(engine)
    tab.goto(path.as_uri())
    tab.keyboard.press("x")
    tab.wait_for_function("() => problems.length >= 4")
    found = sorted(tab.problems())
    tab.close()
    assert len(found) == 4
    for word in ("said", "rejected", "img-src"):
        assert any(word in one for one in found), found
