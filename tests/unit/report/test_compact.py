"""What a report keeps of a record: everything that its tables show, and nothing of the machine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from unit.report.synthetic import Made, evaluation, gap_record, on_fad, results_of, simple, write_projection

from clipsonic_eval import records
from clipsonic_eval.analysis.parts import sort
from clipsonic_eval.analysis.results import analyse
from clipsonic_eval.analysis.runs import Run
from clipsonic_eval.records import RunRecord
from clipsonic_eval.reporting import export_records
from clipsonic_eval.reporting.export_records import compact, without_paths
from clipsonic_eval.study.catalogue import CLIPSONIC
from clipsonic_eval.types import Skip

trees = st.recursive(
    st.none() | st.integers() | st.text("ab/.", max_size=8) | st.sampled_from(["/home/me/wavs", "/data/real", "rel/x"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=2), inner, max_size=3),
    max_leaves=8,
)


def leaves(tree: Any) -> Iterator[Any]:
    if isinstance(tree, dict):
        for value in tree.values():
            yield from leaves(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from leaves(value)
    else:
        yield tree


@given(trees)
def test_no_absolute_path_is_left_and_everything_else_is(tree: Any) -> None:
    for before, after in zip(leaves(tree), leaves(without_paths(tree)), strict=True):
        if isinstance(before, str) and before.startswith("/"):
            assert "/" not in after
        else:
            assert after == before


@given(trees)
def test_cutting_paths_twice_changes_nothing(tree: Any) -> None:
    once = without_paths(tree)
    assert without_paths(once) == once


def pairs_of(record: RunRecord) -> set[str]:
    return {f"{c.a}:{c.b}" for c in record.comparisons}


def test_only_comparisons_that_a_table_shows_are_kept() -> None:
    record = evaluation(Made(n=20))
    found = results_of(record, catalogue=CLIPSONIC)
    kept = pairs_of(compact(record, found))
    assert "IQ:real" in pairs_of(record)
    assert "IQ:real" not in kept
    planned = {frozenset(pair) for pair in (*found.catalogue.planned, *found.catalogue.sweep)}
    best = {frozenset((c.a, c.b)) for c in found.against_best}
    assert {frozenset(pair.split(":")) for pair in kept} <= planned | best


def test_comparisons_of_anybodys_systems_are_all_kept() -> None:
    record = on_fad({"a": 1.0, "b": 2.0, "noise": 9.0}, {("a", "b"): 0.1, ("a", "noise"): 0.1})
    assert pairs_of(compact(record, results_of(record))) == {"a:b", "a:noise"}


def test_a_pair_that_a_run_was_asked_for_is_kept() -> None:
    record = replace(
        on_fad({"IQ": 1.0, "real": 0.5}, {("IQ", "real"): 0.1}), config={"pairs": ["IQ:real"], "reference": "/x/real"}
    )
    kept = compact(record, results_of(record, catalogue=CLIPSONIC))
    assert pairs_of(kept) == {"IQ:real"}
    assert kept.config == {"pairs": ["IQ:real"], "reference": "real"}


def test_values_per_clip_stay_and_skipped_clips_of_a_metric_go() -> None:
    record = evaluation(Made(n=20))
    skipping = replace(record, scores=tuple(replace(s, skipped=(Skip("q1", "too short"),)) for s in record.scores))
    kept = compact(skipping, results_of(record, catalogue=CLIPSONIC))
    assert [s.per_clip for s in kept.scores] == [s.per_clip for s in record.scores]
    assert not any(s.skipped for s in kept.scores)
    assert kept.skipped == record.skipped


def test_every_part_of_a_report_is_exported_under_its_name(tmp_path: Path) -> None:
    (tmp_path / "gap").mkdir()
    write_projection(tmp_path / "gap")
    sweep = [on_fad({"PD": 3.0}, {}, split="val", guidance=w, clip_variant="toy-clip") for w in ("1", "2")]
    runs = [
        Run("test", None, on_fad({"PD": 2.0}, {}, split="test", clip_variant="toy-clip")),
        *(Run(f"val-{i}", None, record) for i, record in enumerate(sweep)),
        Run("gap", tmp_path / "gap", gap_record({"clip_variant": "toy-clip"})),
    ]
    export_records.write(analyse(sort(runs), CLIPSONIC), tmp_path / "records")
    assert {path.name for path in (tmp_path / "records").iterdir()} == {
        "test", "val-0", "val-1", "gap", "pooled-toy-clip", "pooled-toy-clip-1", "pooled-toy-clip-2",
        "pooled-toy-clip-gap",
    }  # fmt: skip
    assert (tmp_path / "records/gap/projection.npz").exists()
    assert records.read(tmp_path / "records/pooled-toy-clip-gap").tags == {"clip_variant": "toy-clip", "part": "gap"}
    assert records.read(tmp_path / "records/pooled-toy-clip-2").tags["guidance"] == "2"


def test_untagged_runs_are_exported_without_an_empty_tag(tmp_path: Path) -> None:
    export_records.write(results_of(simple({("fad", "a"): 1.0})), tmp_path)
    assert records.read(tmp_path / "pooled").tags == {}
