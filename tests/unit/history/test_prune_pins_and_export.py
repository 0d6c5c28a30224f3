"""What a history keeps, its baselines, and its table of scores."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from unit.history.make_records import record, to_float32
from unit.history.test_store import files_of

import clipsonic_eval as ce
from clipsonic_eval.errors import UserError
from clipsonic_eval.history.export import to_csv, to_parquet
from clipsonic_eval.history.store import History


@pytest.fixture
def history(tmp_path: Path) -> History:
    """Six records, the second one pinned."""
    made = History(tmp_path / "history")
    hashes = made.add([record(step) for step in range(6)]).hashes
    made.pin("released", hashes[1])
    return made


def steps_with_values(history: History) -> list[str]:
    entries = history.entries()
    return [e.tags["step"] for e in entries if any(s.per_clip for s in history.read(e.hash).scores)]


def test_pruning_keeps_the_values_of_pinned_and_of_the_newest_records(history: History) -> None:
    scores = [entry.scores for entry in history.entries()]
    done = history.prune(keep=2)
    assert steps_with_values(history) == ["1", "4", "5"]
    assert [e.tags["step"] for e in history.entries() if e.hash in done.records] == ["0", "2", "3"]
    assert (done.files, done.kept) == (3, 3)
    assert [entry.scores for entry in history.entries()] == scores
    assert history.prune(keep=2).records == ()


def test_a_dry_run_says_what_pruning_does_and_removes_nothing(history: History) -> None:
    before = files_of(history.folder)
    said = history.prune(keep=0, dry_run=True)
    assert files_of(history.folder) == before
    assert history.prune(keep=0) == said
    assert sum(map(len, before.values())) - sum(map(len, files_of(history.folder).values())) == said.bytes


def test_adding_a_pruned_run_again_brings_its_values_back(history: History) -> None:
    (key,) = history.add(record(0)).hashes
    history.prune(keep=0)
    assert history.read(key) != to_float32(record(0))
    assert history.add(record(0)).new == ()
    assert history.read(key) == to_float32(record(0))


def test_values_that_a_kept_record_shares_with_an_old_one_stay(tmp_path: Path) -> None:
    history = History(tmp_path)
    same = record(0)
    history.add([same, type(same)(**{**_fields(same), "provenance": {"created": "2030-01-01T00:00:00+00:00"}})])
    assert history.prune(keep=1).files == 0


def _fields(made: object) -> dict[str, object]:
    return {name: getattr(made, name) for name in made.__slots__}  # type: ignore[attr-defined]


def test_values_that_no_record_names_are_removed_once_they_are_old(history: History) -> None:
    orphan = history.folder / "clips" / f"{'0' * 32}.parquet"
    orphan.write_bytes(b"left by a job that was stopped")
    assert history.prune(keep=10).files == 0  # its record may be about to be written
    os.utime(orphan, (time.time() - 7200,) * 2)
    assert history.prune(keep=10).files == 1
    assert not orphan.exists()


def test_nothing_is_pruned_while_a_pin_cannot_be_read(history: History) -> None:
    (history.folder / "pins" / "released.json").write_text("{}")
    with pytest.raises(UserError, match=r"released\.json: names no records.*until then nothing is removed"):
        history.prune(keep=0)
    assert len(steps_with_values(history)) == 6
    history.pin("released", "latest")  # pinned again, as the sentence says
    assert history.prune(keep=0).kept == 1


def test_pinning_a_name_again_says_what_it_replaces(history: History) -> None:
    old = history.find("released")
    pin = history.pin("released", "latest")
    assert pin.replaced == old
    assert history.find("released") == pin.records != old
    assert history.pin("released", "latest").replaced == ()
    assert history.pins()["released"].records == pin.records


def test_a_run_that_is_pinned_by_its_path_is_added(tmp_path: Path) -> None:
    ce.records.write(record(0), tmp_path / "run-0")
    ce.records.write(record(1), tmp_path / "run-1")
    history = History(tmp_path / "history")
    pin = history.pin("recipe", [f"{tmp_path}/run-0", f"{tmp_path}/run-1"])
    assert [made.tags["step"] for made in history.resolve("recipe")] == ["0", "1"]
    assert history.pinned() == dict.fromkeys(pin.records, ("recipe",))


@pytest.mark.parametrize("name", ["latest", "beef", "0123", "", "../x", ".x", "a b", "x" * 65])
def test_a_name_that_is_a_path_or_could_be_a_hash_is_refused(name: str, history: History) -> None:
    with pytest.raises(UserError, match="is no name for a pin"):
        history.pin(name, "latest")


def test_a_damaged_record_is_not_pinned(history: History) -> None:
    key = history.entries()[0].hash
    (history.folder / "records" / f"{key}.json").write_text("{}")
    with pytest.raises(UserError, match="edited or damaged"):
        history.pin("broken", key)
    assert "broken" not in history.pins()


def test_a_history_is_a_frame_in_two_lines(history: History) -> None:
    frame = ce.History(history.folder).to_frame()
    assert len(frame) == 24
    row = frame[(frame.metric == "fad") & (frame.system == "S1") & (frame.tag_step == "4")].squeeze()
    score = record(4)["S1", "fad"]
    assert (row.value, row.low, row.high, row.n) == (score.value, *score.ci, score.n)  # type: ignore[misc]
    assert (row.signature, row.unit, row.ci_method) == (score.signature, score.unit, score.ci_method)
    assert frame.created.is_monotonic_increasing


@pytest.mark.parametrize(("write", "read"), [(to_csv, pd.read_csv), (to_parquet, pd.read_parquet)])
def test_exported_tables_hold_the_frame(write: object, read: object, history: History, tmp_path: Path) -> None:
    history.add(record(7, tags={"split": "test"}))
    assert write(history.entries(), tmp_path / "table") == 28  # type: ignore[operator]
    back = read(tmp_path / "table")  # type: ignore[operator]
    frame = history.to_frame()
    assert list(back.columns) == list(frame.columns)
    assert np.array_equal(back[["value", "low", "high"]], frame[["value", "low", "high"]])
    assert (back.signature == frame.signature).all()


def test_missing_and_empty_histories_are_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no history here"):
        History(tmp_path / "nowhere").entries()
    (tmp_path / "empty" / "records").mkdir(parents=True)
    with pytest.raises(UserError, match="the history is empty"):
        History(tmp_path / "empty").entries()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.tex").write_text("")
    with pytest.raises(UserError, match=r"is no history, it holds thesis\.tex"):
        History(tmp_path / "other").add(record())
