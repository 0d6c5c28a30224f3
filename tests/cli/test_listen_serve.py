"""``listen build``, ``serve`` and ``collect`` from the command line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from listening_client import Client
from listening_folders import plan_of, write_wavs

from clipsonic_eval.cli import main
from clipsonic_eval.listening.folder import open_folder

pytest.importorskip("pyloudnorm")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The plan of a test on small wavs, in ``plan/``."""
    monkeypatch.chdir(tmp_path)
    write_wavs(tmp_path)
    plan_of(tmp_path).write(tmp_path / "plan" / "plan.json")
    return tmp_path


def run(*words: str, code: int = 0) -> str:
    done = CliRunner().invoke(main, words)
    assert done.exit_code == code, done.output
    return done.stdout


@pytest.mark.usefixtures("place")
def test_build_prints_what_it_made_and_again_the_same() -> None:
    Path("consent.txt").write_text("We keep your answers.")
    words = ("listen", "build", "plan", "--out", "test", "--consent", "consent.txt", "--static", "2", "--json")
    first = json.loads(run(*words))
    assert first == json.loads(run(*words))
    assert first["page"] == "test/public/index.html"
    assert "We keep your answers." in Path("test/public/index.html").read_text()
    assert first["files"] == len(open_folder(Path("test")).files)


@pytest.mark.usefixtures("place")
def test_other_texts_need_another_folder_or_overwrite() -> None:
    run("listen", "build", "plan", "--out", "test")
    run("listen", "build", "plan", "--out", "test", "--title", "Another", code=2)
    run("listen", "build", "plan", "--out", "test", "--title", "Another", "--overwrite")


def test_a_server_is_started_answered_killed_and_its_answers_collected(place: Path) -> None:
    run("listen", "build", "plan", "--out", "test")
    command = [sys.executable, "-m", "clipsonic_eval", "listen", "serve", "test", "--port", "0"]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, cwd=place, stdout=subprocess.PIPE, text=True, env=environment) as server:
        assert server.stdout is not None
        port = int(server.stdout.readline().rpartition(":")[2].strip().rstrip("/"))
        client = Client(port, open_folder(Path("test")).plan.id)
        steps = client.enter(worker="W1")["steps"]
        assert [client.answer(step)[0] for step in steps[2:5]] == [200] * 3
        server.send_signal(signal.SIGKILL)
    found = json.loads(run("listen", "collect", "test", "--payment", "payment.csv", "--webmushra", "there", "--json"))
    counts = {"answers": 3, "listeners": 1, "payments": 1}
    assert found == {"file": "test/answers.csv", **counts, "skipped": [], "webmushra": ["there/lss.csv"]}
    assert len(Path("test/answers.csv").read_text().splitlines()) == 4
    assert "W1" in Path("payment.csv").read_text()


@pytest.mark.usefixtures("place")
def test_files_of_other_tests_are_listed_and_the_exit_code_says_so() -> None:
    run("listen", "build", "plan", "--out", "test")
    Path("odd.json").write_text(json.dumps({"plan": "other", "session": "a" * 32, "listener": 0, "answers": []}))
    done = CliRunner().invoke(main, ["listen", "collect", "test", "odd.json", "--out", "answers.csv"])
    assert done.exit_code == 3
    assert "odd.json: answers of plan other" in done.stderr
    assert done.stdout == "answers.csv: 0 answers of 0 listeners\n"
