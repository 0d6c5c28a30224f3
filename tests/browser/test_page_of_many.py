"""The page of a report with many queries and many systems: every system has a key, the list fills in parts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from browser.conftest import OpenPage
from browser.test_report_page import prompts, spied, until
from listen_study import write_listen_study

from clipsonic_eval.reporting.build import ReportOptions, build
from clipsonic_eval.reporting.html.settings import PageConfig


def page_of(root: Path, run: Path, **settings: Any) -> str:
    """Write the page of a run; return its address."""
    build([run], root / "report", options=ReportOptions("Many", page=PageConfig(show=0, **settings)))
    return (root / "report" / "page.html").as_uri()


@pytest.fixture(scope="module")
def systems(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A page of 22 systems."""
    root = tmp_path_factory.mktemp("systems")
    names = [f"s{i:02d}" for i in range(1, 23)]
    return page_of(root, write_listen_study(root, n=2, systems=names, seconds=0.5, prompts=()))


@pytest.fixture(scope="module")
def queries(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A page of 60 queries."""
    root = tmp_path_factory.mktemp("queries")
    return page_of(root, write_listen_study(root, n=60, systems=("PD", "real"), seconds=0.1, prompts=()))


def now(page: Any) -> str:
    """The system that is heard, as the page says."""
    return str(page.locator("#now").text_content()).split(":")[0]


def press(page: Any, **event: Any) -> None:
    """Press a key as a keyboard of another country does."""
    page.evaluate(
        "event => document.body.dispatchEvent(new KeyboardEvent('keydown', {bubbles: true, ...event}))", event
    )


def test_every_system_has_a_key(open_page: OpenPage, systems: str) -> None:
    page = spied(open_page, systems)
    buttons = page.locator("#queries > li").first.locator("button.take")
    labels = [f"{shift}{digit} " for shift in ("", "⇧") for digit in (*range(1, 10), 0)] + [" ", " "]
    assert buttons.all_text_contents() == [f"{label.lstrip() or ' '}s{i:02d}" for i, label in enumerate(labels, 1)]
    keys = buttons.evaluate_all("all => all.map(button => button.ariaKeyShortcuts)")
    assert keys[20:] == [None, None]
    for i, key in enumerate(keys[:20], 1):
        page.keyboard.press(key)
        assert now(page) == f"s{i:02d}"
    for name in ("s21", "s22", "s01"):  # without a key, and around
        page.keyboard.press("ArrowRight")
        assert now(page) == name
    page.keyboard.press("?")
    assert "Shift" in page.locator("#help").inner_text()


def test_keyboards_of_other_countries_reach_the_same_systems(open_page: OpenPage, systems: str) -> None:
    page = spied(open_page, systems)
    for event, name in [
        ({"key": "é", "code": "Digit2"}, "s02"),  # French: digits need Shift
        ({"key": "2", "code": "Digit2", "shiftKey": True}, "s12"),
        ({"key": '"', "code": "Digit3", "shiftKey": True}, "s13"),
        ({"key": "4", "code": "Numpad4"}, "s04"),
    ]:
        press(page, **event)
        assert now(page) == name
    press(page, key="/", code="Digit7", shiftKey=True)  # German
    assert now(page) == "s04"
    assert page.evaluate("document.activeElement.id") == "find"


def test_with_few_systems_shift_is_only_a_way_to_a_digit(open_page: OpenPage, queries: str) -> None:
    page = spied(open_page, queries)
    press(page, key="2", code="Digit2", shiftKey=True)
    assert now(page) == "real"
    press(page, key="!", code="Digit1", shiftKey=True)
    assert now(page) == "real"
    assert "Shift" not in page.locator("#help").inner_text()


def test_the_list_fills_up_with_all_that_fit_in_their_order(open_page: OpenPage, queries: str) -> None:
    page = spied(open_page, queries)
    everything = prompts(page)
    assert len(everything) == 60
    page.locator("#find").fill("number 5")
    until(page, "document.querySelectorAll('#queries > li').length === 15")  # 5, 15, …, 45, 50 to 59
    page.locator("#find").fill("")
    assert page.locator("#count").text_content() == "60 of 60 queries"
    until(page, "document.querySelectorAll('#queries > li').length === 60")
    assert prompts(page) == everything
    page.locator("#reverse").check()
    until(page, "document.querySelectorAll('#queries > li').length === 60")
    assert prompts(page) == everything[::-1]


def test_what_is_not_in_the_list_yet_can_be_played_linked_and_printed(open_page: OpenPage, queries: str) -> None:
    page = spied(open_page, queries)
    keys = page.locator("#queries > li a").evaluate_all("all => all.map(a => decodeURIComponent(a.hash.slice(3)))")
    page.keyboard.press("1")
    stopped = page.evaluate(
        """() => {
            window.setTimeout = () => 0; // no further part of the list comes
            const find = document.querySelector("#find");
            for (find.value of ["number 59", ""]) find.dispatchEvent(new Event("input", {bubbles: true}));
            return document.querySelectorAll("#queries > li").length;
        }"""
    )
    assert stopped < 60
    for _ in range(stopped + 2):
        page.keyboard.press("j")
    shown = page.locator("#queries > li[aria-current=true] a").get_attribute("href")
    assert shown.removeprefix("#q=").replace("%20", " ") == keys[stopped + 2]
    page.evaluate("find => { const box = document.querySelector('#find'); box.value = ''; }", None)
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator(".strip img").count() == 60 * 2


def test_a_link_shows_its_query_beside_those_that_were_searched(open_page: OpenPage, queries: str) -> None:
    page = open_page(queries + "#q=clip+007&find=number+12")
    assert page.locator("#queries > li[aria-current=true] h3").text_content() == "prompt number 7"
    assert sorted(prompts(page)) == ["prompt number 12", "prompt number 7"]


def test_what_lies_outside_the_window_has_no_names_when_blind(open_page: OpenPage, queries: str) -> None:
    page = spied(open_page, queries)
    page.evaluate("dispatchEvent(new Event('beforeprint'))")  # builds all
    assert page.locator("button.take", has_text="PD").count() == 60
    page.keyboard.press("b")
    assert page.locator("button.take", has_text="PD").count() == 0
    assert page.locator("button.take", has_text="System A").count() >= 1
    page.locator("#queries > li").nth(50).evaluate("item => item.scrollIntoView()")
    until(page, "document.querySelectorAll('#queries > li')[50].querySelectorAll('button.take').length === 2")


@pytest.mark.parametrize("settings", [{}, {"inline_mb": 0}], ids=["inside", "beside"])
def test_no_name_of_a_system_is_in_the_way(open_page: OpenPage, tmp_path: Path, settings: dict[str, Any]) -> None:
    names = ("pictures", "Pictures", "PICTURES", "01", "__proto__", "constructor")
    page = spied(open_page, page_of(tmp_path, write_listen_study(tmp_path, n=2, systems=names), **settings))
    page.keyboard.press("1")
    until(page, "made.length === 6 && made.every(sound => sound.currentTime > 0 && !sound.error)")
    images = "[...document.querySelectorAll('.takes img')]"
    until(page, f"{images}.length === 12 && {images}.every(image => image.complete)")
    assert page.evaluate(f"{images}.every(image => image.naturalWidth > 0)")
    assert len(set(page.evaluate(f"{images}.map(image => image.src)"))) == 12
    picture = page.locator("img.query")
    assert picture.evaluate("image => [image.naturalWidth, image.naturalHeight]") == [60, 40]
