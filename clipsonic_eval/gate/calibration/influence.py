"""Verdicts from the influences of clips beside those from resamples, on the same simulated clips, and refusals."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from clipsonic_eval import seeds
from clipsonic_eval.arraytypes import Float64
from clipsonic_eval.gate.first_order import first_order_fails
from clipsonic_eval.harness.calibration.populations import features
from clipsonic_eval.harness.resolve import resolve_metric
from clipsonic_eval.metrics.scoring import Scored, score_systems
from clipsonic_eval.stats.bootstrap import wilson_interval
from clipsonic_eval.stats.decisions import decide
from clipsonic_eval.stats.evidence import Evidence, evidence_from_influences, evidence_from_replicates
from clipsonic_eval.types import Score

METRIC: Final = "fad"
N_BOOT: Final = 2000
_EVERY: Final = 5  # comparisons are resampled a second time


@dataclass(frozen=True, slots=True)
class InfluenceCase:
    """Two systems whose FAD is compared.

    Attributes:
        n: number of queries.
        dim: dimensions of the embeddings.
        noises: of the baseline and of the candidate.
        margin: of the decision, relative to the baseline's value; chosen so that it can go either way.
        poor: the first order is expected to be, so that a few comparisons show the refusals.
    """

    n: int
    dim: int
    noises: tuple[float, float]
    margin: float
    poor: bool = False

    @property
    def name(self) -> str:
        """Name of its draws and files."""
        return f"influence-n{self.n}-d{self.dim}-{self.noises[0]:g}-{self.noises[1]:g}"


CASES: Final = (
    InfluenceCase(200, 8, (0.4, 0.4), 0.15),
    InfluenceCase(200, 8, (0.4, 0.5), 0.05),
    InfluenceCase(200, 8, (1.0, 1.1), 0.1),
    InfluenceCase(50, 8, (0.4, 0.4), 0.3),
    InfluenceCase(30, 16, (0.4, 0.4), 0.15, poor=True),
    InfluenceCase(16, 20, (0.4, 0.4), 0.15, poor=True),
)


def simulate_influence(case: InfluenceCase, repeats: range, seed: int) -> list[dict[str, Any]]:
    """Simulate comparisons; returns of each the three verdicts and whether influences were refused.

    Args:
        case: what is compared.
        repeats: numbers of the comparisons; each has draws of its own.
        seed: of the simulation.
    """
    return [_compare(case, i, seed) for i in repeats]


def _compare(case: InfluenceCase, i: int, seed: int) -> dict[str, Any]:
    rng = seeds.stream(seed, f"{case.name}-{i}", "calibrate-gate")
    systems = dict(zip(("old", "new"), features(rng, case.n, case.noises, dim=case.dim), strict=True))
    first = score_systems(resolve_metric(METRIC), systems, n_boot=N_BOOT, seed=2 * i)
    old, new = first.scores["old"], first.scores["new"]
    margin = case.margin * old.value
    again = {}
    if i % _EVERY == 0:
        other = score_systems(resolve_metric(METRIC), systems, n_boot=N_BOOT, seed=2 * i + 1)
        again = {"again": _outcome(_by_replicates(other, case.n), margin)}
    return {
        **again,
        "influences": _outcome(_by_influence(old, new), margin),
        "resamples": _outcome(_by_replicates(first, case.n), margin),
        "refused": bool(first_order_fails(old) or first_order_fails(new)),
        "spread": _predicted(old) / (old.details["debiased_high"] - old.details["debiased_low"]),
    }


def _by_influence(old: Score, new: Score) -> Evidence:
    return evidence_from_influences(
        new.value - old.value,
        _difference(old.influence, new.influence),
        _difference(old.reference_influence, new.reference_influence),
    )


def _difference(old: Mapping[str, float], new: Mapping[str, float]) -> Float64:
    """Return new less old by key, (keys,) float64."""
    return np.array([new[key] - old[key] for key in sorted(old)])


def _by_replicates(scored: Scored, n: int) -> Evidence:
    harm = scored.scores["new"].value - scored.scores["old"].value
    return evidence_from_replicates(harm, scored.replicates["new"] - scored.replicates["old"], n=n)


def _outcome(evidence: Evidence, margin: float) -> str:
    return decide([evidence], [margin])[0][0]


def _predicted(score: Score) -> float:
    """Return the width of the 95 % interval that the influences predict."""
    squares = (v * v for v in (*score.influence.values(), *score.reference_influence.values()))
    return 2 * 1.959964 * math.sqrt(math.fsum(squares))


def influence_row(case: InfluenceCase, told: Sequence[Mapping[str, Any]]) -> dict[str, object]:
    """Return the row of a case.

    ``same``: share of the comparisons that were not refused in which influences and resamples gave one verdict;
    ``resamples_same``: the same of two sets of resamples of the same clips.
    """
    taken = [one for one in told if not one["refused"]]
    same = float(np.mean([one["influences"] == one["resamples"] for one in taken])) if taken else 0.0
    low, high = wilson_interval(same, max(1, len(taken)))
    again = float(np.mean([one["again"] == one["resamples"] for one in told if "again" in one]))
    opposite = sum({one["influences"], one["resamples"]} == {"worse", "not worse"} for one in told)
    return {
        "metric": METRIC,
        "n": case.n,
        "dimensions": case.dim,
        "noise_baseline": case.noises[0],
        "noise_candidate": case.noises[1],
        "margin": case.margin,
        "repeats": len(told),
        "refused": float(np.mean([one["refused"] for one in told])),
        "same": same if taken else "",
        "same_low": low if taken else "",
        "same_high": high if taken else "",
        "resamples_same": again,
        "opposite": opposite,
        "spread": float(np.median([one["spread"] for one in told])),
        **{f"share_{o.replace(' ', '_')}": float(np.mean([one["resamples"] == o for one in told])) for o in _OUTCOMES},
    }


_OUTCOMES: Final = ("worse", "not worse", "cannot tell")
