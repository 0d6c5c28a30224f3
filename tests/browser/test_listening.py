"""Whole sessions of a listening test in Chromium: by keyboard, reloaded, offline, in two tabs, without storage."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser.conftest import OpenPage, Watch, accessibility_problems
from browser.listener import FAST, answer, answer_all, begin, heading, hear, place, wait_for
from listening_client import running
from listening_folders import built

from clipsonic_eval.listening.build import write_static
from clipsonic_eval.listening.collect import collect
from clipsonic_eval.listening.folder import ListeningFolder

pytest.importorskip("pyloudnorm")

RATINGS = ("mos-fidelity", "mos-relevance")
OFFLINE = ("ERR_INTERNET_DISCONNECTED", "ERR_CONNECTION_REFUSED", "ERR_FAILED")


@pytest.fixture
def folder(tmp_path: Path) -> ListeningFolder:
    """A short test of ratings."""
    return built(tmp_path, *RATINGS)


@pytest.fixture
def address(folder: ListeningFolder, watch: Watch) -> Iterator[str]:
    """Where the test of ratings is served."""
    with running(folder, "https://crowd.example/?cc={code}") as server:
        found = f"http://127.0.0.1:{server.server_address[1]}/"
        watch.allowed.append(found)
        yield found


@pytest.fixture
def opened(open_page: OpenPage) -> OpenPage:
    """Like ``open_page``, with sounds that play sixteen times as fast."""

    def fast(address: str, *, script: str = "", **options: Any) -> Any:
        page = open_page("about:blank", **options)
        page.context.add_init_script(FAST + script)
        page.goto(address)
        return page

    return fast


def steps_of(folder: ListeningFolder, number: int = 0) -> int:
    return sum(len(trial.protocols) for trial in folder.plan.trials(number))


@pytest.mark.parametrize("protocols", [RATINGS, ("preference",), ("mushra-like",)], ids=" and ".join)
def test_a_whole_session_goes_by_keyboard_and_every_answer_arrives(
    protocols: tuple[str, ...], tmp_path: Path, opened: OpenPage, watch: Watch
) -> None:
    folder = built(tmp_path, *protocols)
    given: list[str] = []

    def choose(question: str, keys: list[str]) -> str:
        given.append(keys[len(given) % len(keys)])
        return given[-1]

    with running(folder) as server:
        watch.allowed.append(f"http://127.0.0.1:{server.server_address[1]}/")
        page = opened(watch.allowed[-1])
        begin(page)
        assert place(page) == (1, steps_of(folder))
        assert answer_all(page, choose) == steps_of(folder)
        wait_for(page, "Thank you")
    found, skipped = collect(folder, [])
    assert skipped == []
    assert {one.number for one in found} == {0}
    assert all(one.played >= 0.95 and one.seconds > 0 for one in found)
    pressed = {"1": "left", "2": "equal", "3": "right"} if protocols == ("preference",) else {}
    chosen = [one.answer for one in found if one.protocol in (*RATINGS, "preference")]
    checks = sum(trial.kind in ("headphones", "side") for trial in folder.plan.trials(0))
    assert chosen == [pressed.get(key, key) for key in given[checks:]]
    if protocols == ("mushra-like",):
        sliders = [one for one in found if one.protocol == "mushra-like"]
        places = {trial.number: trial.systems for trial in folder.plan.trials(0)}
        assert {(one.trial, int(one.answer) - 1) for one in sliders} == {
            (trial, (ord("A") + i) % 5) for trial, systems in places.items() for i in range(len(systems))
        }


def test_nothing_is_answered_before_all_was_heard(address: str, opened: OpenPage) -> None:
    page = opened(address)
    begin(page)
    for key in ("1", "Enter"):
        page.keyboard.press(key)
        assert "Listen to the end first" in page.inner_text("#status")
        assert page.locator("input:checked").count() == 0
    assert place(page) == (1, place(page)[1])
    hear(page)
    page.keyboard.press("Enter")
    assert "Choose an answer" in page.inner_text("#status")


def test_half_a_sound_is_not_all_of_it(address: str, opened: OpenPage) -> None:
    page = opened(address, script="HTMLMediaElement.prototype.play = window.asItIs;")
    begin(page)
    page.keyboard.press("p")
    page.wait_for_timeout(400)
    page.keyboard.press("p")
    share = page.locator(".heard").first
    assert re.fullmatch(r"[1-9]\d? %", share.inner_text())
    page.keyboard.press("1")
    assert page.locator("input:checked").count() == 0


def test_a_sound_that_the_browser_will_not_play_yet_is_played_by_the_next_press(address: str, opened: OpenPage) -> None:
    late = """const play = HTMLMediaElement.prototype.play; let presses = 0;
        HTMLMediaElement.prototype.play = function () {
          return presses++ ? play.call(this) : Promise.reject(new DOMException("no gesture", "NotAllowedError"));
        };"""
    page = opened(address, script=late)
    wait_for(page, "Listening test")
    page.keyboard.press("Enter")
    wait_for(page, "Set your volume")
    page.keyboard.press("p")
    page.wait_for_function("() => document.getElementById('status').textContent.includes('press once more')")
    page.keyboard.press("p")
    page.wait_for_function("() => document.getElementById('status').textContent === ''")
    assert heading(page) == "Set your volume"


def test_two_listeners_at_once_have_lists_of_their_own(address: str, folder: ListeningFolder, opened: OpenPage) -> None:
    pages = [opened(address) for _ in range(2)]
    for page in pages:
        begin(page)
    while any(place(page) for page in pages):
        for page in pages:
            if place(page):
                answer(page)
    for page in pages:
        wait_for(page, "Thank you")
    found, skipped = collect(folder, [])
    assert skipped == []
    assert {one.number for one in found} == {0, 1}
    assert len({one.listener for one in found}) == 2
    assert len(found) == steps_of(folder, 0) + steps_of(folder, 1)


def test_a_reload_goes_on_with_the_step_that_was_open(address: str, folder: ListeningFolder, opened: OpenPage) -> None:
    page = opened(address)
    begin(page)
    for done in range(1, 5):
        answer(page)
        page.reload()
        page.wait_for_selector("progress")
        assert place(page) == (done + 1, steps_of(folder))
    answer_all(page)
    wait_for(page, "Thank you")
    found, skipped = collect(folder, [])
    assert (len(found), skipped) == (steps_of(folder), [])


def test_an_entry_whose_acknowledgement_was_lost_begins_at_the_beginning(address: str, opened: OpenPage) -> None:
    page = opened(address + "?PROLIFIC_PID=W1&STUDY_ID=S1&SESSION_ID=X1")
    wait_for(page, "Listening test")
    page.reload()  # the session is in the database, and nobody has agreed yet
    begin(page)
    page.reload()  # agreed, and nothing answered yet
    begin(page)
    answer(page)
    page.reload()
    page.wait_for_selector("progress")
    assert place(page)[0] == 2


def test_a_closed_window_that_is_opened_again_goes_on(address: str, opened: OpenPage) -> None:
    page = opened(address)
    begin(page)
    answer(page)
    page.close()
    again = opened(address, context=page.context)  # without the session in its address
    again.wait_for_selector("progress")
    assert place(again)[0] == 2


def test_a_second_tab_follows_the_first(address: str, folder: ListeningFolder, opened: OpenPage) -> None:
    first = opened(address)
    begin(first)
    answer(first)
    second = opened(first.url, context=first.context)
    second.wait_for_selector("progress")
    assert place(second) == place(first)
    hear(second)
    answer(first)
    second.wait_for_function("() => document.querySelector('h1').textContent.startsWith('3 ')")
    answer(second)
    first.wait_for_function("() => document.querySelector('h1').textContent.startsWith('4 ')")
    answer_all(first)
    wait_for(first, "Thank you")
    found, skipped = collect(folder, [])
    assert (len(found), skipped) == (steps_of(folder), [])


def test_offline_the_test_goes_on_and_the_answers_come_later(
    address: str, folder: ListeningFolder, opened: OpenPage, watch: Watch
) -> None:
    watch.expected += OFFLINE
    page = opened(address)
    begin(page)
    answer(page)
    page.wait_for_load_state("networkidle")
    page.context.set_offline(True)
    answer(page)
    answer(page)
    assert "2 answers wait for the connection" in page.inner_text("#status")
    assert len(collect(folder, [])[0]) == 1
    page.context.set_offline(False)
    page.wait_for_function("() => document.getElementById('status').textContent === ''")
    answer_all(page)
    wait_for(page, "Thank you")
    found, skipped = collect(folder, [])
    assert (len(found), skipped) == (steps_of(folder), [])


def test_without_storage_nothing_is_lost_either(
    address: str, folder: ListeningFolder, opened: OpenPage, watch: Watch
) -> None:
    private = "Storage.prototype.setItem = () => { throw new DOMException('full', 'QuotaExceededError'); };"
    page = opened(address, script=private)
    assert "keeps nothing" in page.inner_text("main")
    begin(page)
    answer(page)
    answer(page)
    assert len(collect(folder, [])[0]) == 2  # each was there before the page went on
    page.on("dialog", lambda dialog: dialog.accept())
    page.reload()
    page.wait_for_selector("progress")
    assert place(page)[0] == 3
    answer_all(page)
    wait_for(page, "Thank you")
    assert len(collect(folder, [])[0]) == steps_of(folder)


def test_a_wrong_clock_changes_nothing(address: str, folder: ListeningFolder, opened: OpenPage) -> None:
    page = opened(address, script="Date = class extends Date { constructor() { super(1999, 0, 1); } };")
    begin(page)
    answer(page)
    (one,) = collect(folder, [])[0]
    age = datetime.datetime.now(datetime.timezone.utc) - datetime.datetime.fromisoformat(one.time)
    assert datetime.timedelta(0) <= age < datetime.timedelta(minutes=5)
    assert 0 < one.seconds < 300


def test_a_crowd_worker_gets_a_code_and_the_address_forgets_him(address: str, opened: OpenPage) -> None:
    page = opened(address + "?PROLIFIC_PID=W1&STUDY_ID=S1&SESSION_ID=X1")
    begin(page)
    assert re.fullmatch(re.escape(address) + "#s=[0-9a-f]{32}", page.url)
    answer_all(page)
    wait_for(page, "Thank you")
    code = page.inner_text("#code")
    assert page.get_attribute("main a", "href") == f"https://crowd.example/?cc={code}"
    assert "next listener" not in page.inner_text("main")


def test_a_preview_of_a_task_begins_nothing(address: str, opened: OpenPage) -> None:
    page = opened(address + "?assignmentId=ASSIGNMENT_ID_NOT_AVAILABLE&hitId=H1")
    assert "preview" in page.inner_text("main")
    assert page.locator("button").count() == 0


def test_the_next_listener_at_the_same_machine_begins_anew(address: str, opened: OpenPage) -> None:
    page = opened(address)
    begin(page)
    answer_all(page)
    wait_for(page, "Thank you")
    page.keyboard.press("Enter")
    begin(page)
    assert place(page)[0] == 1


def test_from_disk_the_answers_become_a_file(folder: ListeningFolder, tmp_path: Path, opened: OpenPage) -> None:
    path = write_static(folder, 3)
    page = opened(path.as_uri() + "?listener=1")
    begin(page)
    answer(page)
    page.reload()
    page.wait_for_selector("progress")
    assert place(page) == (2, steps_of(folder, 1))
    answer_all(page)
    wait_for(page, "Thank you")
    with page.expect_download() as download:
        page.keyboard.press("Enter")
    file = tmp_path / download.value.suggested_filename
    download.value.save_as(file)
    found, skipped = collect(folder, [file])
    assert (len(found), skipped) == (steps_of(folder, 1), [])
    assert {one.number for one in found} == {1}


def test_from_disk_the_number_of_the_listener_is_asked_for(folder: ListeningFolder, opened: OpenPage) -> None:
    page = opened(write_static(folder, 3).as_uri())
    wait_for(page, "Listening test")
    page.keyboard.press("Enter")
    wait_for(page, "Your number")
    page.keyboard.press("Tab")
    page.keyboard.type("7")
    page.keyboard.press("Enter")
    assert "from 0 to 2" in page.inner_text("#status")
    page.keyboard.press("Backspace")
    page.keyboard.type("2")
    page.keyboard.press("Enter")
    wait_for(page, "Set your volume")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_screen_has_a_barrier(scheme: str, tmp_path: Path, opened: OpenPage, watch: Watch) -> None:
    folder = built(tmp_path, *RATINGS, "preference", "mushra-like")
    with running(folder) as server:
        watch.allowed.append(f"http://127.0.0.1:{server.server_address[1]}/")
        page = opened(watch.allowed[-1], color_scheme=scheme)
        wait_for(page, "Listening test")
        assert accessibility_problems(page) == []
        begin(page)
        seen = set()
        while place(page):
            question = page.inner_text("legend")
            if question not in seen:
                seen.add(question)
                assert accessibility_problems(page) == []
                hear(page)
                assert accessibility_problems(page) == []
            answer(page)
        wait_for(page, "Thank you")
        assert accessibility_problems(page) == []
    assert len(seen) >= 6


def test_at_400_percent_nothing_leaves_the_side_of_the_screen(tmp_path: Path, opened: OpenPage, watch: Watch) -> None:
    folder = built(tmp_path, *RATINGS, "preference", "mushra-like")
    with running(folder) as server:
        watch.allowed.append(f"http://127.0.0.1:{server.server_address[1]}/")
        page = opened(watch.allowed[-1], viewport={"width": 320, "height": 256})  # 1280 x 1024 at 400 %
        begin(page)
        while place(page):
            assert page.evaluate("document.documentElement.scrollWidth") <= 320, heading(page)
            answer(page)
