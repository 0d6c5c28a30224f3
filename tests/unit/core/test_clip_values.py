"""The values of clips beside a record."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from clipsonic_eval import clip_values, records
from clipsonic_eval.errors import UserError
from clipsonic_eval.hashing import unsealed
from clipsonic_eval.records import RunRecord
from clipsonic_eval.types import Score


def score(metric: str, system: str, **more: object) -> Score:
    return Score(metric, system, 1 / 3, None, "none", 3, 3, "u", False, f"{metric}|num:1|enc:e+0|n:3|v:0", **more)  # type: ignore[arg-type]


RECORD = RunRecord(
    "evaluate",
    (
        score("clap_score", "A", per_clip={"b": 1 / 3, "a": -1e-300, "ü": 0.1}),
        score("class_accuracy", "A", per_clip={"a": 0.0, "b": 1.0}),
        score("fad", "A", influence={"a": 0.5, "b": -0.5}, reference_influence={"r": 1 / 7, "s": -1 / 7}),
        score("fad", "B"),
    ),
)


def test_values_of_clips_survive_the_disk_to_the_bit(tmp_path: Path) -> None:
    records.write(RECORD, tmp_path)
    assert records.read(tmp_path) == RECORD
    assert records.read(tmp_path / "record.json") == RECORD
    text = (tmp_path / "record.json").read_text()
    assert "per_clip" not in text
    assert "influence" not in text


def test_everything_that_reads_parquet_reads_them(tmp_path: Path) -> None:
    records.write(RECORD, tmp_path)
    table = pd.read_parquet(tmp_path / "clips.parquet")
    assert list(table.columns) == ["metric", "system", "what", "key", "value"]
    row = table[(table.metric == "fad") & (table.what == "reference_influence") & (table.key == "r")]
    assert row.value.tolist() == [1 / 7]


def test_a_record_without_its_values_still_reads(tmp_path: Path) -> None:
    records.write(RECORD, tmp_path)
    (tmp_path / "clips.parquet").unlink()
    read = records.read(tmp_path)
    assert [s.value for s in read.scores] == [s.value for s in RECORD.scores]
    assert not any(s.per_clip or s.influence or s.reference_influence for s in read.scores)


@pytest.mark.parametrize("damage", ["flip", "cut", "other", "empty"])
def test_damaged_values_are_refused(tmp_path: Path, damage: str) -> None:
    records.write(RECORD, tmp_path)
    path = tmp_path / "clips.parquet"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    if damage == "other":
        records.write(RunRecord("evaluate", RECORD.scores[:1]), tmp_path / "other")
        data = bytearray((tmp_path / "other" / "clips.parquet").read_bytes())
    path.write_bytes({"cut": data[:-3], "empty": b""}.get(damage, bytes(data)))
    with pytest.raises(UserError, match=r"clips\.parquet: (damaged, or of another run|the file is empty)"):
        records.read(tmp_path)


@pytest.mark.parametrize("content", [b"no parquet at all", b"PAR1 and no more PAR1"])
def test_a_file_that_is_no_parquet_is_one_sentence(tmp_path: Path, content: bytes) -> None:
    """Whoever writes the hash as well may still not bring a traceback."""
    records.write(RECORD, tmp_path)
    (tmp_path / "clips.parquet").write_bytes(content)
    tree = unsealed(json.loads((tmp_path / "record.json").read_text()))
    tree["clips"]["sha256"] = clip_values.file_sha256(tmp_path / "clips.parquet")
    (tmp_path / "record.json").write_text(json.dumps(tree))
    with pytest.raises(UserError, match="not readable as the values of clips"):
        records.read(tmp_path)


def test_the_number_of_rows_is_the_one_in_the_record(tmp_path: Path) -> None:
    records.write(RECORD, tmp_path)
    tree = unsealed(json.loads((tmp_path / "record.json").read_text()))
    assert tree["clips"]["rows"] == 9
    tree["clips"]["rows"] = 8
    (tmp_path / "record.json").write_text(json.dumps(tree))
    with pytest.raises(UserError, match="9 rows where the record says 8"):
        records.read(tmp_path)


def test_a_record_without_values_has_no_file_and_takes_an_old_one_away(tmp_path: Path) -> None:
    records.write(RECORD, tmp_path)
    bare = dataclasses.replace(RECORD, scores=RECORD.scores[3:])
    records.write(bare, tmp_path)
    assert not (tmp_path / "clips.parquet").exists()
    assert "clips" not in json.loads((tmp_path / "record.json").read_text())
    assert records.read(tmp_path) == bare


def test_a_write_that_fails_leaves_no_record_beside_other_values(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records.write(RECORD, tmp_path)

    def full(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(records, "write_json", full)
    with pytest.raises(OSError, match="no space"):
        records.write(dataclasses.replace(RECORD, scores=RECORD.scores[:1]), tmp_path)
    assert not (tmp_path / "record.json").exists()


def test_the_values_of_a_study_take_some_hundred_kilobytes(tmp_path: Path) -> None:
    """13 systems, 480 queries, four means over clips, FAD and another statistic against 960 clips of a reference."""
    rng = np.random.default_rng(0)
    keys, others = [f"test-{i:05d}" for i in range(480)], [f"train-{i:05d}" for i in range(960)]

    def drawn(names: list[str]) -> dict[str, float]:
        return dict(zip(names, rng.standard_normal(len(names)).tolist(), strict=True))

    scores = []
    for system in map(str, range(13)):
        scores += [score(f"clip {i}", system, per_clip=drawn(keys)) for i in range(3)]
        scores.append(score("right", system, per_clip={k: float(v > 0) for k, v in drawn(keys).items()}))
        scores += [score(m, system, influence=drawn(keys), reference_influence=drawn(others)) for m in ("fad", "kad")]
    records.write(RunRecord("evaluate", tuple(scores)), tmp_path)
    size = (tmp_path / "clips.parquet").stat().st_size
    assert size < 8 * 13 * (3 * 480 + 2 * (480 + 960)) * 1.1, size


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="threads are counted in /proc")
def test_no_thread_still_holds_the_bytes_when_a_process_ends(tmp_path: Path) -> None:
    records.write(RECORD, tmp_path)
    path, rows = tmp_path / "clips.parquet", len(pd.read_parquet(tmp_path / "clips.parquet"))
    program = f"""
import os, pathlib, pyarrow.parquet
from clipsonic_eval import clip_values
before = len(os.listdir("/proc/self/task"))
columns = clip_values.read_columns(pathlib.Path({str(path)!r}), {rows})
print(len(columns["value"]) > 0, len(os.listdir("/proc/self/task")) - before)
"""
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["True", "0"]
