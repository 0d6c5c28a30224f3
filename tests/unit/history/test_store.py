"""The store of a history: adding, reading, references, pins."""

from __future__ import annotations

from pathlib import Path

import pytest
from unit.history.make_records import record, to_float32

from clipsonic_eval import records
from clipsonic_eval.errors import UserError
from clipsonic_eval.history.store import History


def files_of(folder: Path) -> dict[str, bytes]:
    """Return every file of a history and its bytes, the cache aside."""
    found = (p for p in folder.rglob("*") if p.is_file() and ".cache" not in p.parts)
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in found}


def test_a_record_comes_back_as_it_was_with_values_per_clip_in_float32(tmp_path: Path) -> None:
    history = History(tmp_path / "history")
    made = record()
    (key,) = history.add(made).new
    assert history.read(key) == to_float32(made)


def test_adding_twice_changes_nothing(tmp_path: Path) -> None:
    history = History(tmp_path / "history")
    first = history.add([record(0), record(1)])
    before = files_of(history.folder)
    again = history.add([record(1), record(0), record(1)])
    assert again.new == ()
    assert again.hashes == first.hashes[::-1]
    assert files_of(history.folder) == before


def test_a_run_folder_and_its_record_in_memory_are_one_record(tmp_path: Path) -> None:
    records.write(record(), tmp_path / "run")
    history = History(tmp_path / "history")
    assert history.add(tmp_path / "run").hashes == history.add(record()).hashes


def test_runs_are_given_as_folders_files_folders_of_runs_and_patterns(tmp_path: Path) -> None:
    for step in range(3):
        records.write(record(step), tmp_path / "runs" / f"step-{step}")
    one = tmp_path / "runs" / "step-1"
    for given, n in [(one, 1), (one / "record.json", 1), (tmp_path / "runs", 3), (f"{tmp_path}/runs/step-[12]", 2)]:
        assert len(History(tmp_path / f"history-{n}").add(given).hashes) == n


def test_a_bad_run_costs_itself(tmp_path: Path) -> None:
    records.write(record(), tmp_path / "good")
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "record.json").write_text('{"schema_version": 3, "kind"', encoding="utf-8")
    added = History(tmp_path / "history").add([tmp_path / "bad", tmp_path / "nowhere", tmp_path / "good"])
    assert len(added.new) == 1
    reasons = " ".join(skip.reason for skip in added.skipped)
    assert "not readable as JSON" in reasons
    assert "no such run" in reasons


def test_entries_are_light_rows_the_oldest_first(tmp_path: Path) -> None:
    history = History(tmp_path / "history")
    history.add([record(step) for step in (2, 0, 1)])
    for entries in (history.entries(), history.entries()):  # made, then from the cache
        assert [entry.tags["step"] for entry in entries] == ["0", "1", "2"]
        light = entries[0].scores[0]
        full = record(0).scores[0]
        assert (light.value, light.ci, light.n, light.signature) == (full.value, full.ci, full.n, full.signature)
        assert not light.influence


def test_references_are_hashes_their_first_digits_pins_and_latest(tmp_path: Path) -> None:
    history = History(tmp_path / "history")
    old, new = history.add([record(0), record(1)]).hashes
    history.pin("released", old[:8])
    history.pin("recipe", [old, new])
    assert history.find("released") == history.find(old) == history.find(old[:6]) == (old,)
    assert history.find("latest") == (new,)
    assert [r.tags["step"] for r in history.resolve("recipe")] == ["0", "1"]
    with pytest.raises(UserError, match="stands for 2 records"):
        history.read("recipe")
    with pytest.raises(UserError, match=r"no such record.*its pins are recipe, released"):
        history.read("releasd")
