"""What is said of the shift curve: only what a test or an interval says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from unit.report.synthetic import on_fad, results_of, score

from clipsonic_eval.analysis.results import Results
from clipsonic_eval.records import RunRecord
from clipsonic_eval.study.catalogue import CLIPSONIC
from clipsonic_eval.study.shift_statements import best_fraction, shift_or_prior

N = 200


def heard(system: str, mean: float, spread: float = 0.1) -> RunRecord:
    """CLAP scores of clips around a mean; equal draws for every system, so that differences are sure."""
    noise = np.random.default_rng(1).standard_normal(N)
    values = mean + spread * (noise - noise.mean())
    by_key = {f"q{i}": float(value) for i, value in enumerate(values)}
    made = score("clap_score", system, mean, n=N, per_clip=by_key, ci=(mean - 0.02, mean + 0.02))
    return RunRecord("evaluate", (made,))


def curve(levels: Mapping[str, float], prior: float = 0.7) -> Results:
    """Return the results of mean-shift at fractions, beside the prior."""
    runs = []
    for fraction, mean in levels.items():
        scores = (*heard("PD", prior).scores, *heard("mean-shift", mean).scores)
        runs.append(RunRecord("evaluate", scores, tags={"split": "val", "train_seed": "0", "fraction": fraction}))
    return results_of(*runs, on_fad({"PD": 3.0}, {}, split="test"), catalogue=CLIPSONIC)


def test_the_best_fraction_stands_with_its_interval_and_those_that_are_significantly_worse() -> None:
    first, clap = best_fraction(curve({"0": 0.4, "1.25": 0.65, "1": 0.7, "0.5": 0.6}))
    assert first.startswith("Mean-shift by 4 fractions of the difference of the centroids, on 200 validation queries")
    assert "one training seed" in first
    assert "Holm-corrected over all 3" in first
    assert clap == "CLAP score is best at 1 (0.700 [0.680, 0.720]); 0, 0.5 and 1.25 are significantly worse."


def test_a_fraction_that_cannot_be_told_from_the_best_is_not_called_worse() -> None:
    levels = {"0": 0.4, "0.75": 0.6999, "1": 0.7}
    results = curve(levels)
    line = next(one for one in results.runs.settings["fraction"] if one.system == "mean-shift")
    (place,) = line.places["0.75"]
    noise = np.random.default_rng(2).standard_normal(N)
    noise -= noise.mean()
    own = place[0].record.score("clap_score", "mean-shift")
    assert own is not None
    other = {key: value + 0.1 * e for (key, value), e in zip(own.per_clip.items(), noise, strict=True)}
    record = replace(place[0].record, scores=(replace(own, per_clip=other),))
    places = {**line.places, "0.75": [(replace(place[0], record=record), "mean-shift")]}
    runs = replace(results.runs, settings={"fraction": (line._replace(places=places),)})
    assert best_fraction(replace(results, runs=runs))[1] == (
        "CLAP score is best at 1 (0.700 [0.680, 0.720]); 0 is significantly worse; 0.75 is not shown to be worse."
    )


@pytest.mark.parametrize(
    ("levels", "said"),
    [
        (
            {"0": 0.4, "1": 0.6},
            [
                "PD is better on CLAP score at all fractions.",
                "On CLAP score no fraction that was tested is as good as the prior.",
            ],
        ),
        (
            {"0": 0.4, "0.5": 0.7, "1": 0.8},
            [
                "PD is better on CLAP score at 0; mean-shift is better on CLAP score at 1; no significant difference "
                "on CLAP score at 0.5."
            ],
        ),
    ],
)
def test_the_prior_is_compared_with_every_fraction(levels: dict[str, float], said: list[str]) -> None:
    first, *more = shift_or_prior(curve(levels))
    intro = f"PD against mean-shift at each of these fractions, Holm-corrected over all {len(levels)} tests: "
    assert [first.removeprefix(intro), *more] == said


def test_the_correction_is_over_all_fractions_and_metrics() -> None:
    runs = [
        on_fad({"PD": 3.0, "mean-shift": fad}, {("PD", "mean-shift"): 0.02}, split="val", fraction=k)
        for k, fad in (("0", 9.0), ("0.5", 8.0), ("1", 7.0))
    ]
    results = results_of(*runs, on_fad({"PD": 3.0}, {}, split="test"), catalogue=CLIPSONIC)
    assert all(c.significant for tests in results.pairs_by_setting["fraction"].values() for c in tests)  # alone, each
    (line,) = shift_or_prior(results)
    assert line.endswith("over all 3 tests: no significant difference on FAD at all fractions.")  # 3 · 0.02 > 0.05


def test_without_a_shift_curve_nothing_is_said() -> None:
    results = results_of(on_fad({"PD": 3.0, "mean-shift": 5.0}, {("PD", "mean-shift"): 0.001}), catalogue=CLIPSONIC)
    assert best_fraction(results) == shift_or_prior(results) == []
