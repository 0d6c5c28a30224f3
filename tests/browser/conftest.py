"""Pages in a real Chromium without a window; a request that leaves the machine or an error in the console fails a test.

Chromium is the one that ``CHROMIUM`` names, or that lies on the path. Nothing is downloaded.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

_LOCAL = ("file:", "blob:", "data:", "about:")


@dataclass
class Watch:
    """What the pages of one test asked for and complained of.

    Attributes:
        requests: addresses that were asked for, in order.
        problems: requests that leave the machine, errors in the console, exceptions of scripts.
        allowed: beginnings of further addresses that may be asked for, e.g. ``http://127.0.0.1:8000/``.
        expected: parts of the messages that the test provokes, which are no problem.
    """

    requests: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    allowed: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)

    def request(self, address: str) -> None:
        """Note a request; one that leaves the machine is a problem."""
        self.requests.append(address)
        if not address.startswith((*_LOCAL, *self.allowed)):
            self.problems.append(f"request of {address[:200]}")

    def message(self, kind: str, text: str) -> None:
        """Note what the console or a script says; errors that the test does not expect are a problem."""
        if kind in ("error", "exception") and not any(part in text for part in self.expected):
            self.problems.append(f"{kind}: {text}")


OpenPage = Callable[..., Any]


def chromium() -> str | None:
    """Return the path of a Chromium or Chrome, None where there is none."""
    names = ("chromium", "chromium-browser", "google-chrome", "chrome")
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """One Chromium for all tests, which finds no other machine."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright: `tox run -e browser`")
    path = chromium()
    if path is None:
        pytest.skip("no Chromium here: install one, or name it in the environment variable CHROMIUM")
    rules = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
    # a root user (a container) has no sandbox; without a sound card the null device plays
    flags = [rules, "--no-sandbox", "--autoplay-policy=no-user-gesture-required", "--mute-audio"]
    with sync_api.sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=flags)
        yield running
        running.close()


@pytest.fixture
def watch() -> Iterator[Watch]:
    """What the pages of this test did; the test fails at its end if there were problems."""
    seen = Watch()
    yield seen
    assert seen.problems == []


@pytest.fixture
def open_page(browser: Any, watch: Watch) -> Iterator[OpenPage]:
    """Give ``open_page(address, **options)``: a page in a context of its own, or in ``context`` (a second tab).

    The options are those of playwright's ``Browser.new_context``: ``viewport``, ``color_scheme``, ….
    """
    contexts: list[Any] = []

    def opened(address: str, *, context: Any = None, **options: Any) -> Any:
        if context is None:
            context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
            context.set_default_timeout(20_000)
            context.on("request", lambda request: watch.request(request.url))
            context.on("console", lambda message: watch.message(message.type, message.text))
            context.on("weberror", lambda error: watch.message("exception", str(error.error)))
            contexts.append(context)
        page = context.new_page()
        page.goto(address)
        return page

    yield opened
    for context in contexts:
        context.close()


def accessibility_problems(page: Any, ignored: Sequence[str] = ()) -> list[str]:
    """Return what axe-core finds on the page as it is now, a line per rule and element."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page).response["violations"]
    return [
        f"{rule['id']} ({rule['impact']}): {node['html'][:200]} — {node['failureSummary'][:300]}"
        for rule in found
        if rule["id"] not in ignored
        for node in rule["nodes"]
    ]
