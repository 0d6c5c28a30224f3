"""Coverage of a metric's interval, and false alarms and power of its paired test, at one n, by simulation.

Scores and tests come from the functions of an evaluation, resamples and permutations included.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from clipsonic_eval import seeds
from clipsonic_eval.config import coerce
from clipsonic_eval.errors import ConfigError
from clipsonic_eval.harness.calibration.populations import POPULATIONS, draw
from clipsonic_eval.harness.compare import compare_systems
from clipsonic_eval.harness.resolve import resolve_metric
from clipsonic_eval.metrics import METRICS, ClipMetric, Inputs, Metric
from clipsonic_eval.metrics.scoring import score_systems
from clipsonic_eval.records import Comparison
from clipsonic_eval.stats.bootstrap import wilson_interval
from clipsonic_eval.stats.paired import holm
from clipsonic_eval.types import Score

BAND = (0.93, 0.97)
ALPHA = 0.05
NOISE = 0.4
_SYSTEMS = ("a", "b", "c")
_TRUTH_CLIPS = 20000
Verdict = Literal["yes", "no", "cannot tell"]


@dataclass(frozen=True, slots=True)
class CalibrateConfig:
    """Settings of a simulation.

    Attributes:
        metrics: names; empty: all that are defined at some n asked for.
        n: numbers of clips of a simulated evaluation.
        repeats: number of simulated evaluations per metric and n.
        truth_repeats: number of fresh sets whose mean is the truth of a set metric at its n.
        n_bootstrap: number of resamples within an evaluation.
        n_permutations: of its paired tests.
        worse: relative excess of noise of the worse system, for the power of the test.
        seed: of the simulation.
    """

    metrics: tuple[str, ...] = ()
    n: tuple[int, ...] = (50, 200, 1000)
    repeats: int = 400
    truth_repeats: int = 600
    n_bootstrap: int = 500
    n_permutations: int = 1000
    worse: float = 0.25
    seed: int = 0

    def __post_init__(self) -> None:
        coerce(self)
        if min(self.repeats, self.truth_repeats) < 2 or min(self.n, default=0) < 2:
            raise ConfigError("repeats, truth_repeats and every n must be at least 2")
        if min(self.n_bootstrap, self.n_permutations) < 20:
            raise ConfigError("n_bootstrap and n_permutations must be at least 20")


@dataclass(frozen=True, slots=True)
class Rate:
    """A share of the repeats, with Wilson's interval."""

    share: float
    low: float
    high: float

    @classmethod
    def of(cls, hits: Sequence[bool]) -> Rate:
        """Count."""
        share = float(np.mean(hits))
        return cls(share, *wilson_interval(share, len(hits)))


@dataclass(frozen=True, slots=True)
class Calibration:
    """What the simulations of one metric at one n show.

    Attributes:
        metric: name.
        n: number of clips.
        truth: the value that the interval should hold.
        truth_kind: ``expectation at n`` (set metrics: the mean of the estimate over fresh sets of that size) or
            ``population mean`` (means over clips).
        covered: share of the intervals that held the truth.
        below: share that lay below it.
        above: share that lay above it.
        width: mean width, in the metric's unit.
        method: of the interval.
        alarms: share of the tests at 5 % that found a difference between two systems of equal quality.
        family_alarms: share of the evaluations in which, after Holm's correction, any of the tests between three equal
            systems found a difference.
        power: share of the tests at 5 % that found the difference between a worse system and a better one.
        repeats: number of simulated evaluations.
    """

    metric: str
    n: int
    truth: float
    truth_kind: str
    covered: Rate
    below: float
    above: float
    width: float
    method: str
    alarms: Rate
    family_alarms: Rate
    power: Rate
    repeats: int

    @property
    def within(self) -> Verdict:
        """Whether 93 to 97 % were covered, as far as this number of repeats can tell."""
        if BAND[0] <= self.covered.share <= BAND[1]:
            return "yes"
        outside = self.covered.high < BAND[0] or self.covered.low > BAND[1]
        return "no" if outside else "cannot tell"


def planned(config: CalibrateConfig) -> list[tuple[str, int]]:
    """Return (metric, n) for every simulation, without those n at which a metric is not defined.

    Raises:
        UserError: there is no metric of that name, or no population of its role.
    """
    for name in config.metrics:
        if METRICS[name].card.role not in POPULATIONS:
            raise ConfigError(f"{name}: no population is simulated for metrics of role '{METRICS[name].card.role}'")
    chosen = config.metrics or tuple(
        name for name in METRICS if METRICS[name].card.role in POPULATIONS and not METRICS[name].card.package
    )
    return [(name, n) for name in chosen for n in config.n if n >= METRICS[name].card.min_n]


def simulate(name: str, n: int, config: CalibrateConfig) -> Calibration:
    """Simulate evaluations by one metric on n queries each."""
    metric = resolve_metric(name)
    truth, kind = _truth(metric, n, config)
    scores, alone, family, power = [], [], [], []
    for i in range(config.repeats):
        rng = seeds.stream(config.seed, f"{name}-{n}-{i}", "calibrate")
        given = draw(rng, n, metric.card, (NOISE, NOISE, NOISE, NOISE * (1 + config.worse)))
        score, comparisons = _evaluate(metric, dict(zip((*_SYSTEMS, "worse"), given, strict=True)), config, seed=i)
        null = [c.p_value for c in comparisons if "worse" not in (c.a, c.b)]
        scores.append(score)
        alone.append(null[0] <= ALPHA)
        family.append(min(holm(null)) <= ALPHA)
        power.append(next(c.p_value for c in comparisons if c.b == "worse") <= ALPHA)
    ends = np.array([score.ci for score in scores], dtype=np.float64)  # (repeats, 2)
    hit = (ends[:, 0] <= truth) & (truth <= ends[:, 1])
    return Calibration(
        name,
        n,
        truth,
        kind,
        Rate.of(hit.tolist()),
        float(np.mean(ends[:, 1] < truth)),
        float(np.mean(ends[:, 0] > truth)),
        float((ends[:, 1] - ends[:, 0]).mean()),
        scores[-1].ci_method,
        Rate.of(alone),
        Rate.of(family),
        Rate.of(power),
        config.repeats,
    )


def _evaluate(
    metric: Metric, systems: dict[str, Inputs], config: CalibrateConfig, seed: int
) -> tuple[Score, list[Comparison]]:
    """Return the score of system ``a``, and the tests of the equal systems and of ``a`` against the worse one."""
    pairs = [("a", "b"), ("a", "c"), ("b", "c"), ("a", "worse")]
    scored = score_systems(metric, systems, n_boot=config.n_bootstrap, seed=seed)
    comparisons, _ = compare_systems(
        metric, systems, scored, pairs, n_boot=config.n_bootstrap, n_permutations=config.n_permutations, seed=seed
    )
    return scored.scores["a"], comparisons


def _truth(metric: Metric, n: int, config: CalibrateConfig) -> tuple[float, str]:
    card = metric.card
    if isinstance(metric, ClipMetric) and "reference" not in card.needs and not card.name.startswith("retrieval"):
        rng = seeds.stream(config.seed, card.name, "calibrate-population")
        values = [metric.value(draw(rng, _TRUTH_CLIPS, card, (NOISE,))[0]) for _ in range(5)]
        return float(np.mean(values)), "population mean"
    values = []
    for i in range(config.truth_repeats):
        rng = seeds.stream(config.seed, f"{card.name}-{n}-{i}", "calibrate-truth")
        values.append(metric.value(draw(rng, n, card, (NOISE,))[0]))
    return float(np.mean(values)), "expectation at n"


def as_row(found: Calibration) -> dict[str, object]:
    """Return one flat row of a table."""
    flat: dict[str, object] = {}
    for field in dataclasses.fields(found):
        value = getattr(found, field.name)
        if isinstance(value, Rate):
            flat |= {field.name: value.share, f"{field.name}_low": value.low, f"{field.name}_high": value.high}
        else:
            flat[field.name] = value
    return {**flat, "within_93_97": found.within}
