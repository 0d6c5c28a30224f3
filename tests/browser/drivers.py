"""Firefox and WebKitGTK, driven by the commands of WebDriver, with nothing but what the system installs.

Firefox takes the commands over a socket (Marionette, which is in every Firefox), WebKitGTK's driver over HTTP. Sounds
go to a PulseAudio of the tests' own, which plays them to nobody, in real time: without a sound card Firefox plays none.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Send = Callable[..., Any]  # (name of a command, **parameters) -> its value


@dataclass(frozen=True)
class Engine:
    """A running browser.

    Attributes:
        send: sends it a command, by the command's name and parameters; returns what it gives back.
        first: the window that it begins with, which stays open.
        home: folder in or below which it saves files.
    """

    send: Send
    first: str
    home: Path

    def saved(self) -> Path:
        """Wait for the one file of answers that the browser saved, and return its path."""
        whole = lambda: [path for path in self.home.rglob("answers-*.json") if path.stat().st_size]  # noqa: E731
        (found,) = _wait(whole, f"a file of answers below {self.home}")
        return Path(found)


_HTTP = {  # the commands that are used here, by their names in Firefox
    "NewSession": ("POST", ""),
    "DeleteSession": ("DELETE", ""),
    "Navigate": ("POST", "/url"),
    "Refresh": ("POST", "/refresh"),
    "ExecuteScript": ("POST", "/execute/sync"),
    "PerformActions": ("POST", "/actions"),
    "NewWindow": ("POST", "/window/new"),
    "SwitchToWindow": ("POST", "/window"),
    "CloseWindow": ("DELETE", "/window"),
    "GetWindowHandle": ("GET", "/window"),
}
_PREFERENCES = {
    "marionette.port": 0,
    "media.autoplay.default": 1,  # as it is for listeners: no sound before a key was pressed
    "browser.download.folderList": 2,
    "app.normandy.enabled": False,
    "network.proxy.type": 1,  # no other machine is found: whatever leaves this one goes to a port where nobody listens
    "network.proxy.http": "127.0.0.1",
    "network.proxy.http_port": 9,
    "network.proxy.share_proxy_settings": True,
}


def _wait(ready: Callable[[], Any], what: str, seconds: float = 60) -> Any:
    """Return the first true value of ``ready``."""
    end = time.monotonic() + seconds
    while not (found := ready()):
        assert time.monotonic() < end, f"waited {seconds:g} s for {what}"
        time.sleep(0.02)
    return found


@contextlib.contextmanager
def _process(
    command: Sequence[str], environment: Mapping[str, str], log: Path, output: int | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program that writes to ``log``, and end it with all that it started."""
    with log.open("ab") as words:
        running = subprocess.Popen(
            command, env=environment, stdout=output or words, stderr=words, start_new_session=True
        )
    with running:
        try:
            yield running
        finally:
            running.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                running.wait(20)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(running.pid, signal.SIGKILL)


@contextlib.contextmanager
def _room(folder: Path) -> Iterator[dict[str, str]]:
    """Give an environment with a home and a sound server of its own; the sounds go nowhere, in real time."""
    home = folder / "home"
    home.mkdir()
    place = f"unix:{folder / 'pulse'}"
    command = ["pulseaudio", "-n", "--daemonize=no", "--use-pid-file=no", "--exit-idle-time=-1", "--disable-shm=yes"]
    modules = ["module-null-sink", f"module-native-protocol-unix socket={folder / 'pulse'} auth-anonymous=1"]
    environment = {**os.environ, "HOME": str(home), "PULSE_SERVER": place, "XDG_RUNTIME_DIR": str(home)}
    with _process([*command, *(f"--load={module}" for module in modules)], environment, folder / "pulse.log"):
        _wait((folder / "pulse").exists, "PulseAudio")
        yield environment


def _marionette(port: int, stack: contextlib.ExitStack) -> Send:
    """Return what sends commands to a Firefox: messages are JSON after their length in bytes and a colon."""
    connection = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=60))
    stream = stack.enter_context(connection.makefile("rb"))

    def read() -> Any:
        length = b""
        while (byte := stream.read(1)) != b":":
            length += byte
        return json.loads(stream.read(int(length)))

    def send(name: str, **parameters: Any) -> Any:
        body = json.dumps([0, 1, f"WebDriver:{name}", parameters]).encode()
        connection.sendall(b"%d:%s" % (len(body), body))
        _, _, error, value = read()
        assert error is None, error
        return value["value"] if isinstance(value, dict) and set(value) == {"value"} else value

    read()  # who it is
    return send


def _http(port: int) -> Send:
    """Return what sends commands to a driver at a port."""
    session = ""

    def send(name: str, **parameters: Any) -> Any:
        nonlocal session
        method, path = _HTTP[name]
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        with contextlib.closing(connection):
            connection.request(method, f"/session{session}{path}", json.dumps(parameters) if method == "POST" else None)
            answer = connection.getresponse()
            value = json.loads(answer.read())["value"]
            assert answer.status == 200, value
        if name == "NewSession":
            session = f"/{value['sessionId']}"
        return value

    return send


@contextlib.contextmanager
def firefox(folder: Path) -> Iterator[Engine]:
    """Run a Firefox without a window."""
    profile, log = folder / "profile", folder / "log"
    profile.mkdir()
    preferences = {**_PREFERENCES, "browser.download.dir": str(folder / "home")}
    lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});\n" for name, value in preferences.items()]
    (profile / "user.js").write_text("".join(lines))
    command = [
        *_found("firefox-esr", "firefox"),
        "--headless",
        "--marionette",
        "--no-remote",
        "--profile",
        str(profile),
    ]
    with contextlib.ExitStack() as stack:
        environment = stack.enter_context(_room(folder))
        stack.enter_context(_process(command, environment, log))
        active = profile / "MarionetteActivePort"
        send = _marionette(int(_wait(lambda: active.exists() and active.read_text(), "Firefox")), stack)
        send("NewSession", capabilities={"alwaysMatch": {}})
        yield Engine(send, send("GetWindowHandle"), folder / "home")


@contextlib.contextmanager
def webkit(folder: Path) -> Iterator[Engine]:
    """Run WebKitGTK's MiniBrowser on a screen that nobody sees."""
    log = folder / "log"
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with contextlib.ExitStack() as stack:
        environment = stack.enter_context(_room(folder))
        screen = stack.enter_context(
            _process(["Xvfb", "-displayfd", "1", "-screen", "0", "1400x1000x24"], environment, log, subprocess.PIPE)
        )
        assert screen.stdout is not None
        environment = {**environment, "DISPLAY": f":{int(screen.stdout.readline())}", "GDK_BACKEND": "x11"}
        stack.enter_context(_process(["WebKitWebDriver", f"--port={port}"], environment, log))
        send = _http(port)

        def answers() -> bool:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                return True
            return False

        _wait(answers, "WebKitWebDriver")
        options = {"binary": minibrowser(), "args": ["--automation"]}
        send("NewSession", capabilities={"alwaysMatch": {"webkitgtk:browserOptions": options}})
        yield Engine(send, send("GetWindowHandle"), folder / "home")
        send("DeleteSession")


def _found(*names: str) -> list[str]:
    """Return the path of the first of some programs that is here, or nothing."""
    return list(filter(None, map(shutil.which, names)))[:1]


def minibrowser() -> str | None:
    """Return the path of WebKitGTK's small browser, which is in no folder of the path."""
    found = sorted(Path("/usr").glob("lib*/**/webkit2gtk-4.*/MiniBrowser"))
    return str(found[-1]) if found else None


def missing(name: str) -> list[str]:
    """Return which programs an engine needs and are not here."""
    programs = {"firefox": [("firefox-esr", "firefox")], "webkit": [("WebKitWebDriver",), ("Xvfb",)]}[name]
    absent = [names[0] for names in [*programs, ("pulseaudio",)] if not _found(*names)]
    return [*absent, *(["MiniBrowser"] if name == "webkit" and minibrowser() is None else [])]
