"""The page that is committed in ``reports/demo``: it plays, has no barrier, and fits small windows."""

from __future__ import annotations

from pathlib import Path

import pytest
from browser.conftest import OpenPage, Watch, accessibility_problems
from browser.test_report_page import prompts, spied, until

PAGE = Path(__file__).parents[2] / "reports" / "demo" / "page.html"


def test_it_is_one_small_file_that_plays_every_system(open_page: OpenPage, watch: Watch) -> None:
    assert PAGE.stat().st_size <= 6e6
    page = spied(open_page, PAGE.as_uri())
    assert len(prompts(page)) == 19  # of 20 places in the selection: one query stands in two
    page.keyboard.press("1")
    until(page, "made.length === 13 && made.every(sound => sound.currentTime > 0 && !sound.error)")
    assert {address.split(":")[0] for address in watch.requests} <= {"file", "blob", "data", "about"}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_barrier(open_page: OpenPage, scheme: str) -> None:
    page = spied(open_page, PAGE.as_uri(), color_scheme=scheme)
    assert accessibility_problems(page) == []


@pytest.mark.parametrize(("width", "of"), [(640, "200 % zoom in 1280 pixels"), (360, "a telephone")])
def test_it_fits_its_window(open_page: OpenPage, width: int, of: str) -> None:
    page = spied(open_page, PAGE.as_uri(), viewport={"width": width, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= width, of


def test_on_paper_no_column_of_a_table_is_cut_off(open_page: OpenPage) -> None:
    page = spied(open_page, PAGE.as_uri(), viewport={"width": 718, "height": 1000})  # A4 less margins of 1 cm
    page.emulate_media(media="print")
    widths = "[...document.querySelectorAll('.scroll > table')].map(table => table.offsetWidth)"
    assert max(page.evaluate(widths)) <= 718
