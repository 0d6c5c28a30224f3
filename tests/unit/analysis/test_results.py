"""What a report shows is computed once, as records of kind ``pooled`` that can be written and read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from unit.report.synthetic import Made, evaluation, gap_record, on_fad, results_of, score, simple, write_study

from clipsonic_eval import records
from clipsonic_eval.analysis.catalogue import Catalogue
from clipsonic_eval.analysis.parts import Runs, sort
from clipsonic_eval.analysis.results import analyse
from clipsonic_eval.analysis.runs import POOLED, Run, find
from clipsonic_eval.records import RunRecord
from clipsonic_eval.reporting import export_records
from clipsonic_eval.study.catalogue import CLIPSONIC

SEEDS = [evaluation(Made(seed, n=30)) for seed in range(3)]


def test_the_table_is_a_record_of_kind_pooled_that_says_what_it_was_made_from() -> None:
    table = results_of(*SEEDS, catalogue=CLIPSONIC).table
    assert table.kind == POOLED
    assert table.config == {"runs": ["r0", "r1", "r2"], "resamples": 2000, "permutations": 10_000, "seed": 0}
    assert table.metric_names == SEEDS[0].metric_names


def test_every_pooled_value_is_the_mean_of_its_seeds() -> None:
    for score_ in results_of(*SEEDS, catalogue=CLIPSONIC).table.scores:
        own = [record[score_.system, score_.metric].value for record in SEEDS]
        assert score_.value == pytest.approx(np.mean(own))
        if len(score_.by_seed) > 1:
            assert list(score_.by_seed.values()) == own
            assert score_.seed_std == pytest.approx(np.std(own, ddof=1))


def test_every_pooled_difference_is_that_of_the_pooled_values() -> None:
    table = results_of(*SEEDS, catalogue=CLIPSONIC).table
    assert table.comparisons
    for c in table.comparisons:
        assert c.difference == pytest.approx(table[c.a, c.metric].value - table[c.b, c.metric].value)
        assert c.difference == pytest.approx(np.mean(list(c.by_seed.values())))
        assert c.higher_is_better == table[c.a, c.metric].higher_is_better


def test_a_pooled_record_survives_the_disk(tmp_path: Path) -> None:
    table = results_of(*SEEDS, catalogue=CLIPSONIC).table
    records.write(table, tmp_path)
    assert records.read(tmp_path) == table


def test_numbers_without_values_per_clip_come_from_the_exported_pooled_record(tmp_path: Path) -> None:
    found = results_of(*SEEDS, catalogue=CLIPSONIC)
    export_records.write(found, tmp_path)
    for file in tmp_path.rglob("clips.parquet"):
        file.unlink()
    again = analyse(sort(find([tmp_path]), main_variants=CLIPSONIC.main_variants), CLIPSONIC)

    def numbers(record: RunRecord) -> list[object]:
        return [
            *((s.system, s.metric, s.value, s.ci, s.ci_method, s.by_seed) for s in record.scores),
            *((c.metric, c.a, c.b, c.difference, c.ci, c.p_value, c.p_holm, c.test) for c in record.comparisons),
        ]

    assert numbers(again.table) == numbers(found.table)


def test_exported_pooled_records_hold_no_values_per_clip(tmp_path: Path) -> None:
    export_records.write(results_of(*SEEDS, catalogue=CLIPSONIC), tmp_path)
    pooled = next(path for path in tmp_path.iterdir() if path.name.startswith("pooled"))
    assert not any(s.per_clip for s in records.read(pooled).scores)
    assert any(s.per_clip for s in records.read(tmp_path / "r0").scores)


def test_every_guidance_scale_has_a_record_and_the_table_names_the_chosen_scale() -> None:
    table = replace(on_fad({"a": 3.0, "b": 4.0}, {}, split="test"), systems={"a": {"guidance": 2.0}})
    sweep = [on_fad({"a": 5.0 + w, "b": 6.0}, {}, split="val", guidance=str(w)) for w in (4, 2, 1)]
    found = results_of(table, *sweep)
    assert list(found.by_scale) == [1.0, 2.0, 4.0]
    assert [record["a", "fad"].value for record in found.by_scale.values()] == [6.0, 7.0, 9.0]
    assert found.chosen == {"a": 2.0}
    assert found.guidance_split == "val"


def test_without_a_sweep_over_guidance_nothing_was_chosen() -> None:
    table = replace(on_fad({"a": 3.0}, {}), systems={"a": {"guidance": 2.0}})
    assert results_of(table).chosen == {}


def test_the_sweep_is_ordered_by_the_distance_of_text_and_image(tmp_path: Path) -> None:
    write_study(tmp_path, n=20, seeds=1, scales=("1",), gaps=(1.0, 0.45, 0.6), frames=4)
    found = analyse(sort(find([tmp_path]), main_variants=CLIPSONIC.main_variants), CLIPSONIC)
    distances = [distance.value for distance, _ in found.sweep]
    assert distances == sorted(distances)
    assert [record.tags["clip_variant"] for _, record in found.sweep] == ["gap-0.45", "gap-0.6", "toy-clip", "gap-1.0"]


def test_a_catalogue_without_a_sweep_has_no_points(tmp_path: Path) -> None:
    runs = [on_fad({"a": 3.0, "b": 4.0}, {}, clip_variant=name) for name in ("x", "y")]
    gaps = [gap_record({"clip_variant": name}) for name in ("x", "y")]
    found = results_of(*runs, *gaps)
    assert found.sweep == ()
    assert found.gap is not None


def test_the_gap_is_that_of_the_clip_variant_of_the_table() -> None:
    found = results_of(
        on_fad({"PD": 3.0}, {}, clip_variant="calibrated"),
        on_fad({"PD": 4.0}, {}, clip_variant="wide"),
        gap_record({"clip_variant": "wide"}, {"text": (1.0, 0.2, 0.2)}),
        gap_record({"clip_variant": "calibrated"}, {"text": (0.5, 0.3, 0.3)}),
        catalogue=CLIPSONIC,
    )
    assert found.runs.clip_variant == "calibrated"
    assert found.gap is not None
    assert found.gap["text", "centroid_distance"].value == 0.5
    assert [run.name for run in found.gap_runs] == ["r3"]


def test_a_gap_run_that_scores_no_condition_is_no_gap() -> None:
    record = RunRecord("gap", (score("image_image_cosine", "image", 0.5),))
    found = results_of(simple({("fad", "a"): 1.0}), record)
    assert found.gap is None


def test_nothing_at_all_gives_empty_results() -> None:
    found = analyse(Runs(), Catalogue())
    assert found.table.scores == ()
    assert found.gap is None
    assert found.by_scale == {}


def test_intervals_of_the_gap_come_from_its_exported_record(tmp_path: Path) -> None:
    """A gap run that lost its values per clip would otherwise give the mean of the seeds' ends."""
    rng = np.random.default_rng(3)
    runs = []
    for seed in range(2):
        items = {f"q{i}": float(v) for i, v in enumerate(rng.normal(0.5, 0.1, 50))}
        mean = float(np.mean(list(items.values())))
        cosine = score("matched_cosine", "PD", mean, n=50, per_clip=items)
        runs.append(RunRecord("gap", (cosine,), tags={"train_seed": str(seed), "clip_variant": "toy-clip"}))
    found = results_of(*runs)
    assert found.gap is not None
    export_records.write(found, tmp_path)
    for file in tmp_path.rglob("clips.parquet"):
        file.unlink()
    again = analyse(sort(find([tmp_path])))
    assert again.gap is not None
    assert again.gap["PD", "matched_cosine"].ci == found.gap["PD", "matched_cosine"].ci
    assert again.gap["PD", "matched_cosine"].ci_method.endswith("per-query means over seeds")


def shifted(fraction: str, fad: float, p: float, **tags: str) -> RunRecord:
    levels = {"IQ": 2.0, "PD": 3.0, "mean-shift": fad}
    return on_fad(levels, {("PD", "mean-shift"): p, ("IQ", "PD"): 1e-3}, split="val", fraction=fraction, **tags)


def test_pairs_at_the_values_of_a_setting_are_those_with_a_system_that_it_changes() -> None:
    runs = [shifted("0", 9.0, 0.001), shifted("0.5", 4.0, 0.2), on_fad({"PD": 3.0}, {}, split="test")]
    found = results_of(*runs, catalogue=CLIPSONIC)
    assert {line.system: line.level for line in found.by_setting["fraction"]} == {
        "IQ": True,
        "PD": True,
        "mean-shift": False,
    }
    by_value = found.pairs_by_setting["fraction"]
    assert {value: [(c.a, c.b, c.p_holm) for c in tests] for value, tests in by_value.items()} == {
        0.0: [("PD", "mean-shift", 0.001)],
        0.5: [("PD", "mean-shift", 0.2)],
    }
    assert found.split_of("fraction") == "val"
    assert found.split_of("steps") == ""


def test_systems_of_different_runs_are_not_paired_at_the_values_of_a_setting() -> None:
    runs = [on_fad({name: fad}, {}, steps=k) for k, fad in (("5", 1.0), ("10", 2.0)) for name in ("a", "b")]
    found = analyse(sort([Run(f"r{i}", None, record) for i, record in enumerate(runs)], {"steps": "5"}))
    assert [line.system for line in found.by_setting["steps"]] == ["a", "b"]
    assert found.pairs_by_setting == {"steps": {}}


def test_limits_stand_beside_the_fad_of_the_table() -> None:
    limit = simple({("fad_inf", "PD"): 2.5, ("fad_inf", "IQ"): 1.5}, part="limit")
    found = results_of(on_fad({"IQ": 2.0, "PD": 3.0}, {}), limit, catalogue=CLIPSONIC)
    assert found.table.metric_names == ("fad",)
    assert found.limits is not None
    assert [(s.system, s.metric, s.value) for s in found.limits.scores] == [
        ("PD", "fad", 3.0),
        ("PD", "fad_inf", 2.5),
        ("IQ", "fad", 2.0),
        ("IQ", "fad_inf", 1.5),
    ]
    assert results_of(on_fad({"IQ": 2.0}, {})).limits is None
