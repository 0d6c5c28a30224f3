"""A window of a driven browser, with the few methods of playwright's pages that a listener needs."""

from __future__ import annotations

import time
from typing import Any

from browser.drivers import Engine

_KEYS = {
    "Backspace": "\ue003", "Tab": "\ue004", "Enter": "\ue007", "Escape": "\ue00c", "Space": " ",
    "ArrowLeft": "\ue012", "ArrowRight": "\ue014",
}  # fmt: skip
# what goes wrong from now on is noted
_WATCH = """
window.problems = [];
addEventListener("error", event => problems.push(event.message));
addEventListener("unhandledrejection", event => problems.push(`rejected: ${event.reason}`));
addEventListener("securitypolicyviolation", event => problems.push(`${event.violatedDirective}: ${event.blockedURI}`));
const said = console.error;
console.error = (...words) => (problems.push(words.join(" ")), said.apply(console, words));
"""


class Keyboard:
    """Presses keys in a window."""

    def __init__(self, tab: Tab) -> None:
        self.tab = tab

    def press(self, key: str) -> None:
        """Press and release a key, by the name that playwright gives it."""
        code = _KEYS.get(key, key)
        self.tab.act("key", [{"type": "keyDown", "value": code}, {"type": "keyUp", "value": code}])

    def type(self, text: str) -> None:
        """Press the keys of a text."""
        for key in text:
            self.press(key)


class Locator:
    """The elements that a selector finds now."""

    def __init__(self, tab: Tab, selector: str) -> None:
        self.tab, self.selector = tab, selector

    def all_inner_texts(self) -> list[str]:
        """Return what can be read in each."""
        return list(self.tab.evaluate("[...document.querySelectorAll(given)].map(one => one.innerText)", self.selector))

    def count(self) -> int:
        """Return how many there are."""
        return len(self.all_inner_texts())


class Tab:
    """A new window: what it does, it does in front."""

    def __init__(self, engine: Engine) -> None:
        self.send = engine.send
        self.send("SwitchToWindow", handle=engine.first)
        self.handle = self.send("NewWindow", type="window")["handle"]
        self.keyboard = Keyboard(self)
        self.closed = False
        self.seen: list[str] = []
        self.keyboard = Keyboard(self)

    def command(self, name: str, **parameters: Any) -> Any:
        """Send a command to this window."""
        self.send("SwitchToWindow", handle=self.handle)
        return self.send(name, **parameters)

    def act(self, kind: str, actions: list[dict[str, Any]]) -> None:
        """Let a keyboard or a mouse do something."""
        self.command("PerformActions", actions=[{"type": kind, "id": kind, "actions": actions}])

    def goto(self, address: str) -> None:
        """Load a page, and wait until it is there."""
        self.command("Navigate", url=address)
        self.run(_WATCH)

    def reload(self) -> None:
        """Load the page again."""
        self.seen = self.problems()
        self.command("Refresh")
        self.run(_WATCH)

    def close(self) -> None:
        """Close the window."""
        self.seen = self.problems()
        if not self.closed:
            self.command("CloseWindow")
        self.closed = True

    def problems(self) -> list[str]:
        """Return what went wrong since the page was there: errors, and what its policy refused."""
        return self.seen if self.closed else [*self.seen, *self.evaluate("problems")]

    @property
    def url(self) -> str:
        """The address that the window shows."""
        return str(self.evaluate("location.href"))

    def evaluate(self, expression: str, given: Any = None) -> Any:
        """Return the value of an expression, in which ``given`` is what was given."""
        return self.command("ExecuteScript", script=f"const [given] = arguments; return ({expression});", args=[given])

    def run(self, script: str) -> None:
        """Run a script in the page."""
        self.command("ExecuteScript", script=script, args=[])

    def wait_for_function(self, function: str, arg: Any = None) -> None:
        """Wait until a function of the page returns something true."""
        end = time.monotonic() + 60
        while not self.evaluate(f"({function})(given)", arg):
            assert time.monotonic() < end, f"never: {function} of {arg}, but: {self.inner_text('body')[:2000]}"
            time.sleep(0.02)

    def wait_for_selector(self, selector: str) -> None:
        """Wait until there is such an element."""
        self.wait_for_function("given => document.querySelector(given) !== null", selector)

    def wait_for_timeout(self, milliseconds: float) -> None:
        """Wait."""
        time.sleep(milliseconds / 1000)

    def inner_text(self, selector: str) -> str:
        """Return what can be read in the first element that a selector finds."""
        return str(self.evaluate("document.querySelector(given)?.innerText ?? ''", selector))

    def locator(self, selector: str) -> Locator:
        """Return the elements that a selector finds."""
        return Locator(self, selector)

    def click(self, selector: str) -> None:
        """Click into the middle of an element, by a mouse."""
        place = self.evaluate(
            "(one => (one.scrollIntoView({ block: 'center' }), one = one.getBoundingClientRect(),"
            " [Math.round(one.x + one.width / 2), Math.round(one.y + one.height / 2)]))(document.querySelector(given))",
            selector,
        )
        move = {"type": "pointerMove", "origin": "viewport", "x": place[0], "y": place[1]}
        self.act("pointer", [move, {"type": "pointerDown", "button": 0}, {"type": "pointerUp", "button": 0}])
