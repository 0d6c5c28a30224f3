"""The frame of these tests sees what it must see: requests, errors, and barriers."""

from __future__ import annotations

from pathlib import Path

from browser.conftest import OpenPage, Watch, accessibility_problems


def page_of(folder: Path, body: str) -> str:
    """Write a page; return its address."""
    path = folder / "page.html"
    path.write_text(f'<!doctype html><html lang="en"><title>t</title><main>{body}</main></html>', encoding="utf-8")
    return path.as_uri()


def test_a_request_that_leaves_the_machine_is_a_problem(tmp_path: Path, open_page: OpenPage, watch: Watch) -> None:
    open_page(page_of(tmp_path, '<h1>t</h1><img alt="" src="http://example.com/a.png">'))
    assert any(problem.startswith("request of http://example.com/a.png") for problem in watch.problems)
    watch.problems.clear()


def test_an_exception_of_a_script_is_a_problem(tmp_path: Path, open_page: OpenPage, watch: Watch) -> None:
    page = open_page(page_of(tmp_path, "<h1>t</h1><script>setTimeout(() => { throw Error('lost') }, 0)</script>"))
    page.wait_for_timeout(50)
    assert [problem for problem in watch.problems if "lost" in problem]
    watch.problems.clear()


def test_an_error_that_the_test_expects_is_none(tmp_path: Path, open_page: OpenPage, watch: Watch) -> None:
    watch.expected.append("of no importance")
    open_page(page_of(tmp_path, "<h1>t</h1><script>console.error('of no importance')</script>"))
    assert watch.problems == []


def test_a_picture_without_a_description_is_a_barrier(tmp_path: Path, open_page: OpenPage) -> None:
    page = open_page(page_of(tmp_path, '<h1>t</h1><img src="data:image/gif;base64,R0lGODlhAQABAAAAACw=">'))
    assert [line for line in accessibility_problems(page) if line.startswith("image-alt")]
