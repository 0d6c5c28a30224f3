"""Cosines clip by clip, gap closed against metric recovered, and FAD at ever more clips, read back from the axes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from unit.report.synthetic import as_run, gap_record, on_fad, results_of, score

from clipsonic_eval.analysis.catalogue import Catalogue
from clipsonic_eval.analysis.recovery import recoveries
from clipsonic_eval.metrics import fad_inf
from clipsonic_eval.metrics.frechet_limit import subsets
from clipsonic_eval.records import RunRecord
from clipsonic_eval.reporting.build import build
from clipsonic_eval.reporting.figures import cosines, extrapolation, recovery, style
from clipsonic_eval.study.catalogue import CLIPSONIC


@pytest.fixture(autouse=True)
def look() -> Iterator[None]:
    with style.look():
        yield


# cosines clip by clip


def with_clips(values: dict[str, np.ndarray]) -> RunRecord:
    """A gap record whose raw cosines have values per clip."""
    scores = [
        score("matched_cosine", name, float(x.mean()), per_clip={f"q{i}": float(v) for i, v in enumerate(x)}, n=len(x))
        for name, x in values.items()
    ]
    return RunRecord("gap", tuple(scores))


def test_a_histogram_holds_every_clip_once_in_bins_that_all_conditions_share() -> None:
    rng = np.random.default_rng(0)
    values = {"text": rng.normal(0.4, 0.05, 200), "PD": rng.normal(0.8, 0.05, 300)}
    shown = cosines.histograms(with_clips(values), CLIPSONIC.completed(values))["matched_cosine"]
    edges = shown["text"][1]
    np.testing.assert_array_equal(edges, shown["PD"][1])
    for name, x in values.items():
        assert shown[name][0].sum() == pytest.approx(1.0)
        k = int(np.argmax(shown[name][0]))
        inside = (x >= edges[k]) & (x < edges[k + 1])
        assert shown[name][0][k] == pytest.approx(inside.mean())


def test_cosines_are_drawn_as_steps_with_the_looks_of_the_systems() -> None:
    values = {"text": np.array([0.1, 0.2, 0.3]), "PD": np.array([0.7, 0.8, 0.9])}
    catalogue = CLIPSONIC.completed(["PD", "ZS"])
    figure, caption = cosines.draw(with_clips(values), catalogue)
    (axis,) = figure.axes
    marks = {line.get_label(): line for line in axis.lines}
    assert set(marks) == {"text (ZS)", "PD"}
    assert marks["PD"].get_marker() == catalogue.style("PD").marker
    assert marks["text (ZS)"].get_color() == catalogue.style("ZS").colour
    assert len(axis.patches) == 2
    assert "n = 3" in caption


def test_equal_cosines_of_all_clips_are_one_bin() -> None:
    shown = cosines.histograms(with_clips({"PD": np.full(5, 0.5)}), Catalogue().completed(["PD"]))
    assert shown["matched_cosine"]["PD"][0].max() == 1.0


def test_without_values_per_clip_there_is_nothing_to_draw() -> None:
    assert cosines.histograms(gap_record({}), Catalogue()) == {}


# gap closed against metric recovered

LEVELS = {"IQ": 2.0, "ZS": 12.0, "PD": 4.0, "mean-shift": 8.0}  # FAD: of the way of 10, PD goes 8 and mean-shift 4


def test_a_system_recovers_the_share_of_the_way_from_text_to_image() -> None:
    found = {r.system: r for r in recoveries(results_of(on_fad(LEVELS, {}), gap_record({}), catalogue=CLIPSONIC))}
    assert {name: r.recovered for name, r in found.items()} == pytest.approx({"PD": 0.8, "mean-shift": 0.4})
    assert found["PD"].closed == pytest.approx(1 - (1 - 0.71) / (1 - 0.33))
    low, high = found["PD"].recovered_ci or (np.nan, np.nan)
    # FAD falls, so the upper end of the score, 4 + 0.205, is the lower one here
    assert (low, high) == pytest.approx(((12 - 4.205) / 10, (12 - 3.795) / 10))


def test_each_seed_goes_its_own_way() -> None:
    runs = [on_fad({k: v + i for k, v in LEVELS.items()} | {"PD": 4.0 + 3 * i}, {}, train_seed=str(i)) for i in (0, 1)]
    (one,) = [r for r in recoveries(results_of(*runs, gap_record({}), catalogue=CLIPSONIC)) if r.system == "PD"]
    assert one.by_seed == pytest.approx({"0": 0.8, "1": (13 - 7) / 10})


@pytest.mark.parametrize("missing", ["IQ", "ZS"])
def test_without_either_end_nothing_is_recovered(missing: str) -> None:
    levels = {name: value for name, value in LEVELS.items() if name != missing}
    assert recoveries(results_of(on_fad(levels, {}), gap_record({}), catalogue=CLIPSONIC)) == []
    assert recoveries(results_of(on_fad(LEVELS, {}), gap_record({}))) == []  # the default catalogue names no sides


def test_ends_that_are_equal_leave_no_way_to_go() -> None:
    assert recoveries(results_of(on_fad({**LEVELS, "ZS": 2.0}, {}), gap_record({}), catalogue=CLIPSONIC)) == []


def test_the_marks_stand_at_the_shares_and_the_ends_in_the_corners() -> None:
    results = results_of(on_fad(LEVELS, {}), gap_record({}), catalogue=CLIPSONIC)
    shown = recoveries(results)
    figure, caption = recovery.draw(shown, results.catalogue)
    marks = {line.get_label(): (line.get_xdata()[0], line.get_ydata()[0]) for line in figure.axes[0].lines}
    assert marks["ZS"] == (0.0, 0.0)
    assert marks["IQ"] == (1.0, 1.0)
    assert marks["PD"] == pytest.approx((shown[0].closed if shown[0].system == "PD" else shown[1].closed, 0.8))
    assert "0 is ZS, 1 is IQ" in caption
    header, *rows = recovery.to_csv(shown).splitlines()
    assert header.startswith("metric,system,closed,")
    assert len(rows) == 2


# FAD of ever more clips


def extrapolated(system: str, seed: int = 0) -> RunRecord:
    rng = np.random.default_rng(seed)
    reference, vectors = rng.standard_normal((400, 3)), rng.standard_normal((120, 3)) + 0.3
    return RunRecord("evaluate", (replace(fad_inf(reference, vectors, n_boot=50), system=system),))


def test_the_line_goes_through_the_limit_and_fits_the_subsets_best() -> None:
    record = extrapolated("mine")
    made, points = record.scores[0], subsets(record.scores[0])
    slope, limit = np.polyfit([1 / n for n in points], list(points.values()), 1)  # an independent least squares
    assert made.value == pytest.approx(limit)
    figure, caption = extrapolation.draw([as_run(record)], Catalogue().completed(["mine"]))
    (axis,) = figure.axes
    (line,) = [one for one in axis.lines if one.get_label() == "mine"]
    np.testing.assert_allclose(line.get_data(), ((0, 1 / 60), (limit, limit + slope / 60)))
    assert axis.get_xticklabels()[0].get_text() == "∞"
    assert "subsets of 60 to 120 clips" in caption


def moved(system: str, by: float, *seeds: int) -> list[RunRecord]:
    """Extrapolations of a system, all distances and the limit moved."""
    made = []
    for seed in seeds:
        (own,) = extrapolated(system, seed).scores
        details = {name: d + by if name.startswith("at/") else d for name, d in own.details.items()}
        ci = None if own.ci is None else (own.ci[0] + by, own.ci[1] + by)
        own = replace(own, value=own.value + by, ci=ci, details=details)
        made.append(RunRecord("evaluate", (own,), tags={"train_seed": str(seed)}))
    return made


def test_training_seeds_are_one_line_of_their_means_with_the_limit_of_each_beside_it() -> None:
    own = moved("mine", 0.0, 0, 1)
    figure, caption = extrapolation.draw([as_run(record) for record in own], Catalogue().completed(["mine"]))
    (axis,) = figure.axes
    (line,) = [one for one in axis.lines if one.get_label() == "mine"]
    values = [record.scores[0].value for record in own]
    assert line.get_ydata()[0] == pytest.approx(np.mean(values))
    (seeds,) = [one for one in axis.lines if one.get_marker() == "_"]
    assert list(seeds.get_ydata()) == values
    assert all(x < 0 for x in seeds.get_xdata())
    assert "means over 2 training seeds" in caption
    assert "broken" not in caption


def test_the_axis_is_broken_below_a_system_that_is_far_from_the_others() -> None:
    records = [*moved("near", 0.0, 0), *moved("mid", 0.2, 1), *moved("far", 30.0, 2)]
    names = ["near", "mid", "far"]
    figure, caption = extrapolation.draw([as_run(record) for record in records], Catalogue().completed(names))
    upper, lower = figure.axes
    shown = [{one.get_label() for one in axis.lines if one.get_label() in names} for axis in (upper, lower)]
    assert shown == [{"far"}, {"near", "mid"}]
    assert lower.get_ylim()[1] < upper.get_ylim()[0]
    assert caption.endswith("The axis is broken.")


def test_noise_and_systems_that_every_seed_scored_alike_are_not_drawn_again() -> None:
    runs = [as_run(replace(extrapolated(name), tags={"train_seed": s})) for s in "01" for name in ("mine", "noise")]
    assert [(seed, s.system) for seed, s in extrapolation.scores(runs)] == [("1", "mine")]


def test_the_distances_stand_beside_the_figure() -> None:
    record = extrapolated("mine")
    rows = extrapolation.to_csv([as_run(record)]).splitlines()
    assert rows[1].startswith(f"mine,,inf,{record.scores[0].value}")
    assert len(rows) == 2 + len(subsets(record.scores[0]))


def test_a_run_of_the_limit_alone_has_a_section_with_figure_and_table(tmp_path: Path) -> None:
    limit = replace(extrapolated("mine"), tags={"part": "limit"})
    plain = on_fad({"mine": 9.0}, {})
    page = (build([plain, limit], tmp_path / "one").out / "README.md").read_text()
    main, apart = page.split("## How many clips does FAD need?")
    assert "FAD, extrapolated" not in main
    assert "figures/extrapolation.png" in apart
    value = next(s for s in limit.scores).value
    row = next(line for line in apart.splitlines() if line.startswith("| mine |"))
    assert "9.00" in row
    assert f"{value:.2f}" in row
    assert (tmp_path / "one/extrapolation.csv").exists()
    again = build([tmp_path / "one/records"], tmp_path / "two")
    for name in ("figures/extrapolation.csv", "figures/extrapolation.svg", "extrapolation.csv", "table.csv"):
        assert (tmp_path / "one" / name).read_bytes() == (again.out / name).read_bytes()
