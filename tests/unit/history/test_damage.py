"""Histories that were edited, cut short, written by several jobs at once, or merged."""

from __future__ import annotations

import dataclasses
import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from unit.history.make_records import record, to_float32
from unit.history.test_store import files_of

from clipsonic_eval.errors import UserError
from clipsonic_eval.history.entries import load, save
from clipsonic_eval.history.store import History


@pytest.fixture
def history(tmp_path: Path) -> History:
    """Three records, the cache not yet made."""
    made = History(tmp_path / "history")
    made.add([record(step) for step in range(3)])
    return made


def record_file(history: History, step: int) -> Path:
    return next(p for p in (history.folder / "records").iterdir() if f'"step":"{step}"' in p.read_text())


def test_a_record_edited_by_hand_is_named_and_the_others_are_read(history: History) -> None:
    history.entries()  # the edit is seen past the cache too
    path = record_file(history, 1)
    path.write_text(path.read_text().replace('"step":"1"', '"step":"7"'))
    entries = history.entries()
    assert [entry.tags["step"] for entry in entries] == ["0", "2"]
    (skip,) = entries.skipped
    assert skip.key == path.stem
    assert "edited or damaged" in skip.reason
    with pytest.raises(UserError, match="does not match its name"):
        history.read(path.stem)


def test_adding_the_run_again_mends_an_edited_record(history: History) -> None:
    path = record_file(history, 1)
    path.write_text("{}")
    history.add(record(1))
    assert not history.entries().skipped
    assert history.read(path.stem) == to_float32(record(1))


def test_another_formatting_of_a_record_is_no_damage(history: History) -> None:
    for path in (history.folder / "records").iterdir():
        tree = json.loads(path.read_text())
        path.write_text(json.dumps(dict(reversed(tree.items())), indent=4) + "\r\n")
    assert len(history.entries()) == 3
    assert not history.entries().skipped


def test_damaged_values_per_clip_are_named_where_they_are_read(history: History) -> None:
    entries = history.entries()
    first, second = (history.folder / "clips" / f"{entry.clips}.parquet" for entry in entries[:2])
    first.write_bytes(first.read_bytes()[:-20])
    shutil.copy(history.folder / "clips" / f"{entries[2].clips}.parquet", second)  # a valid file of other values
    for entry in entries[:2]:
        with pytest.raises(UserError, match=f"{entry.clips}.parquet"):
            history.read(entry.hash)
    assert history.read(entries[2].hash) == to_float32(record(2))


def test_a_missing_or_edited_shared_part_costs_the_records_that_name_it(history: History) -> None:
    for path in (history.folder / "common").iterdir():
        path.write_text('"other"')
    entries = history.entries()
    assert len(entries) == 0
    assert all("common" in skip.reason and "version control" in skip.reason for skip in entries.skipped)


@pytest.mark.parametrize("damage", [b"", b"not an archive", None, "cut", "flipped"])
def test_a_damaged_cache_is_made_again_silently(history: History, damage: bytes | str | None) -> None:
    before = [(entry.hash, entry.scores) for entry in history.entries()]
    cache = history.folder / ".cache" / "scores.npz"
    whole = cache.read_bytes()
    if damage is None:
        shutil.rmtree(cache.parent)
    else:
        flipped = whole[:200] + bytes([whole[200] ^ 1]) + whole[201:]
        cache.write_bytes({"cut": whole[:-30], "flipped": flipped}.get(str(damage), damage))  # type: ignore[arg-type]
    assert [(entry.hash, entry.scores) for entry in history.entries()] == before
    assert cache.read_bytes() == whole


def test_a_cache_of_another_release_is_made_again(history: History) -> None:
    before = [(entry.hash, entry.cards) for entry in history.entries()]
    path = history.folder / ".cache" / "scores.npz"
    columns = load(path)
    earlier = tuple({key: value for key, value in about.items() if key != "cards"} for about in columns.about)
    save(dataclasses.replace(columns, about=earlier), path)
    assert [(entry.hash, entry.cards) for entry in history.entries()] == before


def test_the_cache_reads_only_new_records_and_forgets_removed_ones(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    history.entries()
    read: list[str] = []
    whole = type(history._objects).tree
    monkeypatch.setattr(type(history._objects), "tree", lambda self, key: (read.append(key), whole(self, key))[1])
    (new,) = history.add(record(3)).new
    record_file(history, 0).unlink()
    assert [entry.tags["step"] for entry in history.entries()] == ["1", "2", "3"]
    assert read == [new]
    assert [entry.tags["step"] for entry in history.entries()] == ["1", "2", "3"]
    assert read == [new]


def test_the_cache_ignores_itself_in_version_control(history: History) -> None:
    history.entries()
    assert (history.folder / ".cache" / ".gitignore").read_text() == "*\n"


def test_a_history_that_may_only_be_read_is_read(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "replace", refuse)
    assert len(history.entries()) == 3


def test_an_add_that_is_stopped_at_any_write_leaves_a_valid_history(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace, new = os.replace, record(9, systems=3)
    clean = History(tmp_path / "clean")
    (key,) = clean.add([record(0), new]).hashes[1:]

    def stopped_after(writes: int, history: History) -> bool:
        left = [None] * writes

        def stops(*paths: Path) -> None:
            if not left:
                raise KeyboardInterrupt
            left.pop()
            replace(*paths)

        with monkeypatch.context() as patched:
            patched.setattr(os, "replace", stops)
            try:
                history.add(new)
            except KeyboardInterrupt:
                return True
            return False

    writes = 0
    while True:
        history = History(tmp_path / f"stopped-{writes}")
        history.add(record(0))
        if not stopped_after(writes, history):
            break
        assert len(history.entries()) == 1
        assert not history.entries().skipped
        assert history.add(new).new == (key,)
        assert history.read(key) == to_float32(new)
        assert files_of(history.folder) == files_of(clean.folder)
        writes += 1
    assert writes >= 4  # two shared parts, the values per clip, the record


KILLED = """
import os, sys
sys.path.insert(0, sys.argv[2])
from unit.history.make_records import record
from clipsonic_eval.history.entries import load, save
from clipsonic_eval.history.store import History
replace = os.replace
def slow(a, b):
    if "records" in str(b):
        print("writing", flush=True)
        import time; time.sleep(60)
    replace(a, b)
os.replace = slow
History(sys.argv[1]).add(record(9))
"""


def test_what_a_killed_process_left_is_removed_by_the_next_add(history: History) -> None:
    tests = str(Path(__file__).parents[2])
    command = [sys.executable, "-c", KILLED, str(history.folder), tests]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "writing\n"
        process.send_signal(signal.SIGKILL)
    assert len(history.entries()) == 3
    assert list((history.folder / "records").glob(".*"))
    history.add(record(9))
    assert len(history.entries()) == 4
    assert not list((history.folder / "records").glob(".*"))


def _add(folder: Path, steps: range) -> None:
    History(folder).add([record(step, clips=6) for step in steps])


def test_jobs_that_add_at_the_same_time_do_not_disturb_each_other(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
    jobs = [context.Process(target=_add, args=(tmp_path / "h", range(k, k + 6))) for k in (0, 3, 0)]
    for job in jobs:
        job.start()
    for job in jobs:
        job.join()
    assert [job.exitcode for job in jobs] == [0, 0, 0]
    _add(tmp_path / "alone", range(9))
    assert files_of(tmp_path / "h") == files_of(tmp_path / "alone")


@pytest.fixture
def git(tmp_path: Path) -> Callable[..., str]:
    """Run git in a repository with a history of one record."""

    def run(*words: str) -> str:
        who = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
        done = subprocess.run(
            ["git", *who, *words], cwd=tmp_path / "repository", check=True, capture_output=True, text=True
        )
        return done.stdout

    _add(tmp_path / "repository" / "history", range(1))
    run("init", "--quiet", "--initial-branch", "main")
    run("add", "--all")
    run("commit", "--quiet", "--message", "first")
    return run


def test_two_branches_that_add_records_and_pins_merge_without_conflict(tmp_path: Path, git: Callable[..., str]) -> None:
    history = History(tmp_path / "repository" / "history")
    for branch, steps in {"left": range(1, 4), "right": range(2, 6)}.items():  # two records in common
        git("switch", "--quiet", "--create", branch, "main")
        _add(history.folder, steps)
        history.pin(branch, "latest")  # makes the cache as well
        git("add", "--all")
        git("commit", "--quiet", "--message", branch)
    git("merge", "--quiet", "--no-edit", "left")
    assert [entry.tags["step"] for entry in history.entries()] == ["0", "1", "2", "3", "4", "5"]
    assert not history.entries().skipped
    assert [history.read(name).tags["step"] for name in ("left", "right")] == ["3", "5"]
    assert ".cache" not in git("ls-files")
    assert git("status", "--porcelain") == ""
