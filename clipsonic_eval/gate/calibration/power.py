"""How many clips and training seeds a limit takes, from measured spreads; checked by simulation."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import special

from clipsonic_eval import seeds
from clipsonic_eval.stats.decisions import decide, needed
from clipsonic_eval.stats.evidence import (
    LEVEL,
    MIN_GROUPS,
    Evidence,
    evidence_from_groups,
    evidence_from_influences,
    evidence_from_pairs,
)

_PERMUTATIONS: Final = 999
_MOST_SIMULATED: Final = 8000  # clips
_DEMO: Final = "reports/gate/spreads, test split, n = 480"


@dataclass(frozen=True, slots=True)
class Spread:
    """How a metric scatters between two systems of one kind.

    Attributes:
        metric: registry name.
        value: typical, in the metric's unit.
        of_clips: standard deviation of the paired difference of one clip; of a statistic of sets, the standard error of
            the difference times √n.
        of_seeds: standard deviation between trainings of one recipe; None where none is measured.
        margins: in the metric's unit, or relative to the value where they are relative.
        relative: whether the margins are.
        source: where it was measured.
    """

    metric: str
    value: float
    of_clips: float
    of_seeds: float | None
    margins: tuple[float, ...]
    relative: bool
    source: str


# Of clips: median over the planned pairs of systems and three training seeds, from the intervals of the differences. Of
# seeds: root mean square over IQ, ZS, PD, SD, mean-shift, CLIP-TTA and CLAP-TTA.
SPREADS: Final = (
    Spread("fad", 16.73, 12.99, 0.753, (0.03, 0.05, 0.1), True, _DEMO),
    Spread("clap_score", 0.597, 0.2088, 0.0084, (0.01, 0.02, 0.05), False, _DEMO),
    Spread("class_accuracy", 0.883, 0.3843, 0.0182, (0.02, 0.05), False, _DEMO),
    Spread("kl", 0.434, 0.5057, None, (0.05, 0.1, 0.2), True, "the simulated classifier of reports/calibration"),
)


def power_rows(spread: Spread, repeats: int, seed: int) -> list[dict[str, object]]:
    """Return a row per limit and question of a metric.

    ``needed``: clips, or training seeds a side, with which no change is called not worse in 80 % of comparisons and a
    change of the margin's size is told from none in 80 %. ``not_worse`` and ``worse_at_twice``: shares of simulated
    comparisons with so many, of no change called not worse and of twice the margin called worse. ``found_with_few`` and
    ``found_with_many``: probability that one test tells a change of the margin's size from none with so many units.

    Args:
        spread: of the metric.
        repeats: simulated comparisons per row.
        seed: of the simulations.
    """
    rows = []
    for size in spread.margins:
        margin = size * spread.value if spread.relative else size
        change = f"{100 * size:g} %" if spread.relative else f"{size:g}"
        rows.append(_row(spread, change, margin, "same queries", spread.of_clips, repeats, seed))
        if spread.of_seeds is not None:
            rows.append(_row(spread, change, margin, "recipe", spread.of_seeds, repeats, seed))
    return rows


def _row(
    spread: Spread, change: str, margin: float, question: str, deviation: float, repeats: int, seed: int
) -> dict[str, object]:
    clips = question == "same queries"
    few, many = (480, 1000) if clips else (MIN_GROUPS, 5)
    units = _needed(margin, deviation, groups=1 if clips else 2)
    row = {
        "metric": spread.metric,
        "question": question,
        "margin": change,
        "unit": "clips" if clips else "training seeds a side",
        "spread": deviation,
        "source": spread.source,
        "needed": units,
        "few": few,
        "found_with_few": _power(margin, deviation, few, 1 if clips else 2),
        "many": many,
        "found_with_many": _power(margin, deviation, many, 1 if clips else 2),
    }
    if units > _MOST_SIMULATED:
        return {**row, "repeats": 0, "not_worse": "", "worse_at_twice": ""}
    draw = _DRAWS["fad" if spread.metric == "fad" and clips else question]
    rng = seeds.stream(seed, f"{spread.metric}-{question}-{change}", "calibrate-gate-power")
    found = {
        truth: [decide([draw(rng, truth * margin, deviation, units)], [margin])[0][0] for _ in range(repeats)]
        for truth in (0, 2)
    }
    return {
        **row,
        "repeats": repeats,
        "not_worse": found[0].count("not worse") / repeats,
        "worse_at_twice": found[2].count("worse") / repeats,
    }


def _needed(margin: float, deviation: float, groups: int) -> int:
    """Return the number of units, on each side where there are two groups."""
    pilot = 1000
    se = deviation * math.sqrt(groups / pilot)
    found = needed(Evidence(0.0, se, 0.0, 0.0, 0.5, pilot, "", "", groups * (pilot - 1)), margin)
    return max(found or 0, 5 if groups == 1 else MIN_GROUPS)


def _power(margin: float, deviation: float, units: int, groups: int) -> float:
    """Return the probability that one test at :data:`LEVEL` finds a change of the margin's size."""
    df, se = groups * (units - 1), deviation * math.sqrt(groups / units)
    return 1 - float(special.nctdtr(df, margin / se, special.stdtrit(df, 1 - LEVEL)))


Draw = Callable[[np.random.Generator, float, float, int], Evidence]


def _pairs(rng: np.random.Generator, harm: float, deviation: float, n: int) -> Evidence:
    return evidence_from_pairs(harm + deviation * rng.standard_normal(n), n_permutations=_PERMUTATIONS)


def _influences(rng: np.random.Generator, harm: float, deviation: float, n: int) -> Evidence:
    found = harm + deviation / math.sqrt(n) * float(rng.standard_normal())
    return evidence_from_influences(found, deviation / n * rng.standard_normal(n), np.array([]))


def _groups(rng: np.random.Generator, harm: float, deviation: float, n: int) -> Evidence:
    a, b = deviation * rng.standard_normal((2, n))
    return evidence_from_groups(a.tolist(), (b + harm).tolist(), "training seeds")


_DRAWS: Final[dict[str, Draw]] = {"same queries": _pairs, "fad": _influences, "recipe": _groups}
