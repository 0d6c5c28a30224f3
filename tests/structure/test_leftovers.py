"""``--leftovers`` finds what a test left, and nothing else."""

from __future__ import annotations

import importlib
import os
import signal
import subprocess
import sys
import threading
import types
from collections.abc import Callable
from pathlib import Path

import leftovers
import pytest

from clipsonic_eval import seeds
from clipsonic_eval.metrics import METRICS


def _environment(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setenv("LEFT_BEHIND", "1")


def _unset(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.delenv("PATH")


def _folder(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.chdir(folder)


def _path(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.syspath_prepend(str(folder))


def _signal(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setattr(signal, "getsignal", lambda number: "a test's own")


def _made_up(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setitem(sys.modules, "made_up", types.ModuleType("made_up"))


def _written(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    (folder / "written_here.py").write_text("")
    with pytest.MonkeyPatch.context() as inner:
        inner.syspath_prepend(str(folder))
        module = importlib.import_module("written_here")
    del sys.modules["written_here"]
    monkeypatch.setitem(sys.modules, "written_here", module)


def _ours_again(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setitem(sys.modules, seeds.__name__, types.ModuleType(seeds.__name__))


def _ours_gone(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.delitem(sys.modules, seeds.__name__)


def _registered(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setattr(METRICS, "_items", {**METRICS._items, "mine": METRICS["fad"]})


def _replaced(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setitem(METRICS._items, "fad", METRICS["kad"])


@pytest.mark.parametrize(
    ("leave", "sentence"),
    [
        (_environment, "environment variable LEFT_BEHIND is new"),
        (_unset, "environment variable PATH is gone"),
        (_folder, "setting working directory is another"),
        (_path, "setting sys.path is another"),
        (_signal, "setting SIGINT is another"),
        (_made_up, "module made_up is new"),
        (_written, "module written_here is new"),
        (_ours_again, "module clipsonic_eval.seeds is another"),
        (_ours_gone, "module clipsonic_eval.seeds is gone"),
        (_registered, "entry of METRICS mine is new"),
        (_replaced, "entry of METRICS fad is another"),
    ],
)
def test_what_is_left_is_named(
    leave: Callable[[pytest.MonkeyPatch, Path], None], sentence: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    len(METRICS)
    before = leftovers.state()
    with monkeypatch.context() as inner:
        leave(inner, tmp_path)
        assert sentence in leftovers.left(before)
    assert leftovers.left(before) == []


def test_a_module_that_is_installed_may_be_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "wave", raising=False)
    before = leftovers.state()
    importlib.import_module("wave")
    assert leftovers.left(before) == []


def test_a_thread_that_goes_on_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leftovers, "_PATIENCE_S", 0.01)
    before, release = leftovers.workers(), threading.Event()
    thread = threading.Thread(target=release.wait, name="sleeper")
    thread.start()
    assert leftovers.at_work(before) == ["thread 'sleeper' goes on"]
    release.set()
    thread.join()
    assert leftovers.at_work(before) == []


def test_a_thread_that_was_told_to_end_is_waited_for() -> None:
    before, release = leftovers.workers(), threading.Event()
    threading.Thread(target=release.wait).start()
    threading.Timer(0.2, release.set).start()
    assert leftovers.at_work(before) == []


@pytest.mark.parametrize(("options", "outcome"), [(["--leftovers"], "2 passed, 2 errors"), ([], "2 passed in")])
def test_a_test_that_leaves_something_fails_and_so_does_its_module_on_request(
    options: list[str], outcome: str, tmp_path: Path
) -> None:
    (tmp_path / "test_leaving.py").write_text(
        "import os\n"
        "def test_first():\n    os.environ['LEFT_BEHIND'] = '1'\n"
        "def test_second():\n    assert os.environ['LEFT_BEHIND']\n"
    )
    folders = [str(Path(leftovers.__file__).parent), *filter(None, sys.path)]
    words = ["-q", "-p", "no:randomly", "-p", "no:cacheprovider", "-p", "conftest", *options]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-c", os.devnull, f"--rootdir={tmp_path}", *words, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(folders)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert outcome in done.stdout
    sentence = "left behind for the next test: environment variable LEFT_BEHIND is new"
    assert (sentence in done.stdout) == bool(options)
