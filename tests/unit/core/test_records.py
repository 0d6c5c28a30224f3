"""Records of every schema version that ever was are read; only newer ones are refused.

``records/`` holds one frozen file of each version (of version 1 two: its first releases knew no findings). They were
written by the releases of their time and are never made anew.
"""

from __future__ import annotations

import copy
import dataclasses
import json
import os
from pathlib import Path

import pytest

from clipsonic_eval import record_upgrades, records
from clipsonic_eval.errors import UserError
from clipsonic_eval.records import RunRecord, SetCount
from clipsonic_eval.types import Finding, Score

FROZEN = Path(__file__).parent / "records"
REPORTS = Path(__file__).parents[3] / "reports"


def frozen(name: str) -> dict[str, object]:
    tree: dict[str, object] = json.loads((FROZEN / f"{name}.json").read_text(encoding="utf-8"))
    return tree


@pytest.mark.parametrize("name", ["version-1", "version-1-early"])
def test_a_record_of_version_1_says_all_it_said(name: str) -> None:
    tree = frozen(name)
    read = records.read(FROZEN / f"{name}.json")
    assert read.schema_version == record_upgrades.SCHEMA_VERSION
    assert [(s.metric, s.system, s.value, s.n) for s in read.scores] == [
        (s["metric"], s["system"], s["value"], s["n"])
        for s in tree["scores"]  # type: ignore[attr-defined]
    ]
    assert [dict(s.per_clip) for s in read.scores] == [s["per_item"] for s in tree["scores"]]  # type: ignore[attr-defined]
    assert [c.p_value for c in read.comparisons] == [c["p_value"] for c in tree["comparisons"]]  # type: ignore[attr-defined]
    assert dict(read.tags) == {("clip_variant" if k == "instrument" else k): v for k, v in tree["tags"].items()}  # type: ignore[attr-defined]
    assert read.config == tree["config"]
    assert read.provenance == tree["provenance"]
    assert read.sets == {}


def test_what_version_1_skipped_and_found_is_still_there() -> None:
    read = records.read(FROZEN / "version-1.json")
    assert read.skipped["good"][0].reason
    found = read.findings["good"][0]
    assert isinstance(found, Finding)
    assert found.keys
    assert records.read(FROZEN / "version-1-early.json").findings == {}


def test_an_upgrade_is_one_pure_step() -> None:
    tree = frozen("version-1")
    before = copy.deepcopy(tree)
    after = record_upgrades.upgrade_1_to_2(tree)
    assert tree == before
    assert after["schema_version"] == 2
    assert after["sets"] == {}
    assert set(record_upgrades.UPGRADES) == set(range(1, record_upgrades.SCHEMA_VERSION))


def test_names_of_version_2_are_read_as_those_of_version_3() -> None:
    tree = {
        "tags": {"instrument": "toy-clip"},
        "scores": [{"metric": "fad", "higher_is_better": False, "value": 1.0, "per_item": {"a": 1.0}}],
        "comparisons": [{"metric": "fad", "a": "PD", "b": "ZS"}],
        "schema_version": 2,
    }
    before = copy.deepcopy(tree)
    after = record_upgrades.upgrade_2_to_3(tree)
    assert after["tags"] == {"clip_variant": "toy-clip"}
    assert after["scores"] == [{"metric": "fad", "higher_is_better": False, "value": 1.0, "per_clip": {"a": 1.0}}]
    assert after["comparisons"] == [{"metric": "fad", "a": "PD", "b": "ZS", "higher_is_better": False}]
    assert after["schema_version"] == 3
    assert tree == before


@pytest.mark.parametrize(
    "path", sorted(REPORTS.glob("*/records/*/record.json")), ids=lambda p: f"{p.parts[-4]}-{p.parts[-2]}"
)
def test_the_committed_reports_still_read(path: Path) -> None:
    assert records.read(path).scores


def test_a_record_read_and_written_again_is_of_the_newest_version(tmp_path: Path) -> None:
    read = records.read(FROZEN / "version-1.json")
    records.write(read, tmp_path)
    assert json.loads((tmp_path / "record.json").read_text())["schema_version"] == record_upgrades.SCHEMA_VERSION
    assert records.read(tmp_path) == read


def test_counts_of_sets_survive_the_disk(tmp_path: Path) -> None:
    counted = {"good": SetCount(found=20, used=18, skipped=1, left_out=1), "reference": SetCount(9, 9, 0, 0)}
    record = dataclasses.replace(records.read(FROZEN / "version-1.json"), sets=counted)
    records.write(record, tmp_path)
    assert records.read(tmp_path).sets == counted


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ({"schema_version": 99}, "schema version 99, and this release reads up to .*newer release"),
        ({"schema_version": None}, "names no schema version"),
        ({"schema_version": True}, "names no schema version"),
        ({"schema_version": 0}, "names no schema version"),
        ([], "names no schema version"),
        ({"schema_version": 1, "scores": [float("nan")]}, "not readable as JSON"),
        ({"schema_version": 1}, "not a record of schema version 1"),
        ({"schema_version": 2, "kind": "evaluate", "scores": [{"metric": "fad"}]}, "not a record of schema version 2"),
        (
            {"schema_version": 1, "scores": {"a": 1}, "comparisons": [], "skipped": 3},
            "not a record of schema version 1",
        ),
    ],
)
def test_what_is_no_record_is_one_sentence(tmp_path: Path, tree: object, message: str) -> None:
    (tmp_path / "record.json").write_text(json.dumps(tree))
    with pytest.raises(UserError, match=message):
        records.read(tmp_path)


def test_a_pipe_is_no_record(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "record.json")
    with pytest.raises(UserError, match="is a named pipe"):
        records.read(tmp_path)


def test_a_record_of_version_2_has_counts_numerics_and_the_values_of_clips() -> None:
    read = records.read(FROZEN / "version-2")
    assert read.sets["good"] == SetCount(**frozen("version-2/record")["sets"]["good"])  # type: ignore[index]
    assert read.sets["good"].found > 0
    for score in read.scores:
        assert "|num:1|" in score.signature
        if score.metric == "fad":
            assert len(score.influence) == score.n
            assert sum(score.influence.values()) == pytest.approx(0, abs=1e-9)
        else:
            assert sum(score.per_clip.values()) / score.n == pytest.approx(score.value, rel=1e-12)


def edited(folder: Path, old: str, new: str) -> None:
    """Change a number of a record by hand, as an editor would."""
    path = folder / "record.json"
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))


SCORE = Score("fad", "PD", 2.125, (1.5, 2.5), "bootstrap", 50, 50, "squared distance", False, "fad|n:50")


def test_a_number_that_was_edited_by_hand_is_refused_by_name(tmp_path: Path) -> None:
    records.write(RunRecord("evaluate", (SCORE,)), tmp_path)
    edited(tmp_path, '"value": 2.125', '"value": 1.125')
    with pytest.raises(UserError, match=r"record\.json: its values do not match its sha256, so it was edited"):
        records.read(tmp_path)


def test_layout_and_order_of_the_keys_are_no_edit(tmp_path: Path) -> None:
    records.write(RunRecord("evaluate", (SCORE,)), tmp_path)
    tree = json.loads((tmp_path / "record.json").read_text())
    (tmp_path / "record.json").write_text(json.dumps(dict(reversed(tree.items()))))
    assert records.read(tmp_path)["PD", "fad"] == SCORE
