"""A listener who uses the keyboard alone, and plays sounds sixteen times as fast."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

# a script that runs before those of the page
FAST = """
(() => {
  const play = (window.asItIs ??= HTMLMediaElement.prototype.play);
  HTMLMediaElement.prototype.play = function () { this.playbackRate = 16; return play.call(this); };
})();
"""
_HEARD = """
key => [...document.querySelectorAll("button:has(.heard)")].some(
  (button) => button.querySelector("kbd").textContent === key && button.textContent.includes("heard"))
"""
Choose = Callable[[str, list[str]], str]  # (question, keys) -> key


def heading(page: Any) -> str:
    """Return the heading of the screen."""
    return str(page.inner_text("h1"))


def place(page: Any) -> tuple[int, int] | None:
    """Return (number of the step from 1, number of steps), None on other screens."""
    found = re.fullmatch(r"(\d+) of (\d+)", heading(page))
    return None if found is None else (int(found[1]), int(found[2]))


def wait_for(page: Any, title: str) -> None:
    """Wait for a screen by its heading."""
    page.wait_for_function("title => document.querySelector('h1')?.textContent === title", arg=title)


def begin(page: Any) -> None:
    """Agree, set the volume, and come to the first step."""
    wait_for(page, "Listening test")
    page.keyboard.press("Enter")
    wait_for(page, "Set your volume")
    page.keyboard.press("p")
    while heading(page) == "Set your volume":
        page.keyboard.press("Enter")
        page.wait_for_timeout(20)


def hear(page: Any) -> None:
    """Play every sound of the step to its end; rate it where it has a slider."""
    for key in page.locator(".sounds kbd, .slider kbd").all_inner_texts():
        page.keyboard.press(key.lower())
        page.wait_for_function(_HEARD, arg=key)
        if page.locator(".slider").count():
            for _ in range(1 + ord(key) % 5):
                page.keyboard.press("ArrowRight")


def answer(page: Any, choose: Choose = lambda question, keys: keys[0]) -> None:
    """Hear and answer one step, and wait for the next screen."""
    before = heading(page)
    hear(page)
    keys = page.locator(".choice kbd").all_inner_texts()
    if keys:
        page.keyboard.press(choose(page.inner_text("legend"), keys))
    page.keyboard.press("Enter")
    page.wait_for_function("before => document.querySelector('h1').textContent !== before", arg=before)


def answer_all(page: Any, choose: Choose = lambda question, keys: keys[0]) -> int:
    """Answer the steps that are left; return their number."""
    n = 0
    while place(page) is not None:
        answer(page, choose)
        n += 1
    return n
