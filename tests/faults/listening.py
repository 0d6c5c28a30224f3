"""Kill the server of a listening test at random moments while listeners answer, and count their answers.

``python tests/faults/listening.py --out reports/faults`` writes ``listening.csv`` and ``listening.md`` there and prints
them. Listeners without a browser send an answer until it is acknowledged, as the page does; they also send it twice,
answer in a second tab, break off in the middle of a request, and enter again. Where there is a Chromium, a listener in
it reloads the page, answers in a second tab, and is offline for a while. SIGKILL takes the process and leaves the
caches of the system alone: a loss of power is not simulated.
"""

from __future__ import annotations

import collections
import concurrent.futures
import contextlib
import os
import random
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

sys.path.insert(0, str(Path(__file__).parents[1]))

from browser.conftest import chromium
from browser.listener import FAST, answer, begin, place
from listening_client import Client, answer_to
from listening_folders import built

from clipsonic_eval import provenance
from clipsonic_eval.files import csv_text, write_text
from clipsonic_eval.formats import markdown_table
from clipsonic_eval.listening.collect import collect
from clipsonic_eval.listening.database import AnswerDatabase
from clipsonic_eval.listening.folder import ListeningFolder

_WAIT_S = 0.05
_LIFE_S = 1.0  # at most, after the server answers: long enough that a browser gets further between two kills
_SHORT = {"headphones": 1, "side": 0, "practice": 0, "trap": 1, "gold": 1, "repeat": 0}
_FAULTS = ("", "", "", "reload", "tab", "offline")  # of a listener in Chromium, step by step
_PATIENCE_MS = 300_000


class Server:
    """The server as a process that is killed and started again.

    Args:
        folder: of the test.
        rng: of the moments.
    """

    def __init__(self, folder: ListeningFolder, rng: random.Random) -> None:
        self.folder, self.rng, self.port, self.kills = folder, rng, _free_port(), 0
        self.process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        words = ["listen", "serve", str(self.folder.root), "--port", str(self.port)]
        return subprocess.Popen([sys.executable, "-m", "clipsonic_eval", *words], stdout=subprocess.DEVNULL)

    def wait(self) -> None:
        """Wait until it answers."""
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return
            time.sleep(_WAIT_S)

    def kill_and_restart(self) -> None:
        """Kill it up to a second after it answers, or while it starts, and start it again."""
        if self.rng.random() < 0.9:
            self.wait()
        time.sleep(self.rng.uniform(0.0, _LIFE_S))
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.kills += 1
        self.process.wait()
        self.process = self._start()


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


class Listeners:
    """Threads that answer whole lists, one after the other, until they are told to stop.

    Attributes:
        sent: the acknowledged answer to each (session, step).
        counts: of what they did.
    """

    def __init__(self, server: Server, seed: int) -> None:
        self.server, self.seed, self.stop = server, seed, threading.Event()
        self.sent: dict[tuple[str, str], dict[str, Any]] = {}
        self.finished: dict[str, int] = {}  # session -> steps
        self.counts: collections.Counter[str] = collections.Counter()

    def without_browser(self, number: int) -> None:
        """Answer lists until told to stop; the last one to its end."""
        rng = random.Random(f"{self.seed} {number}")
        while not self.stop.is_set():
            client = Client(self.server.port, self.server.folder.plan.id)
            steps = _until(client.enter)["steps"]
            for step in steps:
                self._answer(client, step, rng)
            _until(lambda client=client: _good(*client.post("/finish")))
            self.finished[client.session] = len(steps)

    def _answer(self, client: Client, step: dict[str, Any], rng: random.Random) -> None:
        message, fault = answer_to(step), rng.choice(["", "", "", "twice", "tab", "broken", "reload"])
        self.counts[fault] += 1
        if fault == "broken":
            _break_off(client, message)
        if fault == "tab":  # another answer at the same time: one of the two stands
            other = answer_to(step)
            tab = threading.Thread(target=lambda: self._send(client, other))
            tab.start()
        self._send(client, message)
        if fault == "tab":
            tab.join()
        if fault == "twice":
            self._send(client, message)
        if fault == "reload":
            found = _until(client.enter)
            missing = {step for session, step in self.sent.copy() if session == client.session} - set(found["answered"])
            self.counts["acknowledged and not there after a reload"] += len(missing)

    def _send(self, client: Client, message: dict[str, Any]) -> None:
        found = _until(lambda: _good(*client.post("/answer", **message)))
        if found["stored"] in ("new", "again"):
            self.sent[client.session, message["step"]] = message

    def in_chromium(self) -> None:
        """Answer lists by keyboard, with reloads, a second tab, and minutes without the network."""
        from playwright.sync_api import Error, sync_playwright

        rng = random.Random(self.seed)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox", "--mute-audio"])
            while not self.stop.is_set():
                context = browser.new_context()
                context.set_default_timeout(_PATIENCE_MS)
                context.add_init_script(FAST)
                try:
                    self._session(context, rng)
                except Error as error:  # reported, and the next listener comes
                    self.counts["did not end in Chromium"] += 1
                    click.echo(f"a session in Chromium did not end: {str(error)[:200]}", err=True)
                context.close()
            browser.close()

    def _session(self, context: Any, rng: random.Random) -> None:
        page = context.new_page()
        _until(lambda: page.goto(f"http://127.0.0.1:{self.server.port}/"))
        begin(page)
        session, steps = page.url.rpartition("=")[2], place(page)[1]  # type: ignore[index]
        while place(page) is not None:
            number, _ = place(page)  # type: ignore[misc]
            fault = rng.choice(_FAULTS) if number > 1 else ""
            self.counts[f"{fault} in Chromium"] += 1
            if fault == "reload":
                _until(page.reload)
                page.wait_for_selector("progress")
            if fault == "offline":
                page.wait_for_function("() => lastPlayer.player?.audios")
                context.set_offline(True)
            if fault == "tab":
                page = context.new_page()  # goes on in a second tab; the first one stays open behind it
                _until(lambda page=page: page.goto(f"http://127.0.0.1:{self.server.port}/#s={session}"))
                page.wait_for_selector("progress")
            answer(page)
            context.set_offline(False)
        page.wait_for_function("() => document.querySelector('h1').textContent === 'Thank you'")
        self.finished[session] = steps
        self.counts["sessions in Chromium"] += 1


def _until(action: Any) -> Any:
    """Call an action until it succeeds, as the page does."""
    while True:
        try:
            return action()
        except Exception as error:
            if isinstance(error, AssertionError | KeyError | TypeError):
                raise
            time.sleep(_WAIT_S)


def _good(status: int, found: dict[str, Any]) -> dict[str, Any]:
    if status >= 500:
        raise OSError(found)
    assert status == 200, found
    return found


def _break_off(client: Client, message: dict[str, Any]) -> None:
    """Send half of a message and close the connection."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", client.port), timeout=5) as connection:
        head = "POST /answer HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 600\r\n\r\n"
        connection.sendall((head + str(message)[:200]).encode())


def count(folder: ListeningFolder, listeners: Listeners) -> dict[str, int]:
    """Return what is stored beside what was sent."""
    database = AnswerDatabase(folder.root, folder.plan.id)
    rows = [(session, step, message) for session, _, step, _, message in database.rows("answers")]
    stored = collections.Counter((session, step) for session, step, _ in rows)
    contents = {(session, step): message for session, step, message in rows}
    answers, _ = collect(folder, [])
    whole = collections.Counter(session for session, _, _ in rows)
    names = ("answers", "step", "id", "seconds", "played")
    return {
        "acknowledged answers": len(listeners.sent),
        "lost": sum(key not in stored for key in listeners.sent)
        + sum(max(0, n - whole[session]) for session, n in listeners.finished.items()),
        "doubled": sum(n - 1 for n in stored.values()) + len(answers) - len({one.key for one in answers}),
        "changed": sum(
            any(contents[key][name] != message[name] for name in names)
            for key, message in listeners.sent.items()
            if key in contents
        ),
        "finished lists": len(listeners.finished),
        "answers in the table": len(answers),
    }


def run(folder: ListeningFolder, kills: int, seed: int, listeners: int) -> dict[str, int]:
    """Kill the server so many times while listeners answer; return counts by what they are of."""
    server = Server(folder, random.Random(seed))
    found = Listeners(server, seed)
    with concurrent.futures.ThreadPoolExecutor(listeners + 1) as pool:
        work = [pool.submit(found.without_browser, i) for i in range(listeners)]
        work += [pool.submit(found.in_chromium)] if chromium() is not None else []
        while server.kills < kills and not any(one.done() for one in work):
            server.kill_and_restart()
        found.stop.set()
    server.process.kill()
    server.process.wait()
    for one in work:
        one.result()
    counts = count(folder, found)
    counts["lost"] += found.counts.pop("acknowledged and not there after a reload", 0)
    did = {
        "sent twice": found.counts["twice"],
        "answered in two tabs at once": found.counts["tab"],
        "broken off in the middle": found.counts["broken"],
        "entered again": found.counts["reload"],
        "lists answered in Chromium": found.counts["sessions in Chromium"],
        "lists that did not end in Chromium": found.counts["did not end in Chromium"],
        "reloads in Chromium": found.counts["reload in Chromium"],
        "second tabs in Chromium": found.counts["tab in Chromium"],
        "offline in Chromium": found.counts["offline in Chromium"],
    }
    return {"kills of the server": server.kills, **did, **counts}


@click.command()
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder of listening.csv and listening.md.")
@click.option("--kills", default=200, show_default=True, help="Kills of the server.")
@click.option("--listeners", default=4, show_default=True, help="Listeners at once, beside one in Chromium.")
@click.option("--seed", default=0, show_default=True, help="Of the moments and of what listeners do.")
def main(out: Path, kills: int, listeners: int, seed: int) -> None:
    """Count what faults do to the answers of a listening test."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    began, about = time.monotonic(), provenance.collect()  # before the report, which is a change itself
    with tempfile.TemporaryDirectory(prefix=f"listening-{secrets.token_hex(2)}-") as scratch:
        folder = built(Path(scratch), "mos-fidelity", "mos-relevance", "preference", checks=_SHORT, clips=2)
        counts = run(folder, kills, seed, listeners)
    write_text(out / "listening.csv", csv_text(["what", "count"], list(counts.items())))
    command = f"python tests/faults/listening.py --out {out} --kills {kills} --listeners {listeners} --seed {seed}"
    write_text(out / "listening.md", _page(counts, command, _took(time.monotonic() - began, about)))
    for name, n in counts.items():
        click.echo(f"{name}: {n}")
    if counts["lost"] or counts["doubled"] or counts["changed"]:
        raise click.ClickException("answers were lost, doubled or changed")


def _page(counts: dict[str, int], command: str, took: str) -> str:
    table = markdown_table(["what", "count"], [[name, str(n)] for name, n in counts.items()])
    return f"# Faults of a listening test\n\n{_TEXT}\n\n{table}\n```bash\n{command}\n```\n\n{took}"


def _took(seconds: float, about: Mapping[str, Any]) -> str:
    changed = ", with changes that are not committed" if about["uncommitted_changes"] else ""
    return f"{seconds / 60:.1f} minutes, at commit {str(about['commit'])[:7]}{changed}.\n"


_TEXT = """\
The server is killed (SIGKILL) at random moments while listeners answer, and started again each time. *Lost*: answers
that were acknowledged, or that belong to a finished list, and are not in the database. *Doubled*: questions with two
answers, in the database or in the collected table. *Changed*: answers whose contents are not what was sent. A loss of
power is not simulated."""


if __name__ == "__main__":
    main()
