"""Coverage of confidence intervals by simulation: does a 95 % interval cover the truth 95 times in 100?

For whoever writes or doubts an interval; nothing in an evaluation calls this. An interval is a function of a sample and
a seed; :func:`measure_coverage` draws fresh samples from a population whose truth is known and counts. With 400 repeats
the coverage is accurate to 2 %.

    population = GaussianSets(n=200, d=16, spread=1.2, shift=0.2)
    measure_coverage(population.draw, my_interval, truth=population.distance, repeats=400)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from clipsonic_eval import seeds
from clipsonic_eval.arraytypes import Float64
from clipsonic_eval.errors import ShapeError
from clipsonic_eval.stats.bootstrap import Interval, wilson_interval

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class IntervalCoverage:
    """The simulated coverage of an interval.

    Attributes:
        share: of the samples whose interval covers the truth.
        ci: Wilson's 95 % interval of that share.
        below: share of the samples whose interval lay below the truth.
        above: share of the samples whose interval lay above it.
        width: mean width of the intervals.
        repeats: samples.
    """

    share: float
    ci: Interval
    below: float
    above: float
    width: float
    repeats: int


def measure_coverage(
    draw: Callable[[np.random.Generator], T],
    interval: Callable[[T, int], Interval],
    truth: float,
    *,
    repeats: int = 400,
    seed: int = 0,
) -> IntervalCoverage:
    """Measure the coverage of an interval.

    Args:
        draw: returns a fresh sample from a generator.
        interval: (sample, seed) -> (low, high).
        truth: value that the interval should cover.
        repeats: number of samples.
        seed: of the samples; sample i does not depend on ``repeats``.

    Raises:
        ShapeError: no repeats, or an interval with its ends swapped or not finite.

    Example:
        >>> from clipsonic_eval.stats.bootstrap import student_interval
        >>> found = measure_coverage(lambda rng: rng.normal(size=5), lambda x, _: student_interval(x), truth=0.0)
        >>> 0.9 < found.share < 1.0
        True
    """
    if repeats < 1:
        raise ShapeError(f"coverage needs at least one repeat, got {repeats}")
    ends = np.empty((repeats, 2))
    for i in range(repeats):
        ends[i] = interval(draw(seeds.stream(seed, str(i), "coverage")), i)
    if not np.isfinite(ends).all() or (ends[:, 0] > ends[:, 1]).any():
        raise ShapeError("an interval has ends that are swapped or not finite; the method under test is broken")
    below, above = float(np.mean(ends[:, 1] < truth)), float(np.mean(ends[:, 0] > truth))
    share = float(np.mean((ends[:, 0] <= truth) & (truth <= ends[:, 1])))
    width = float((ends[:, 1] - ends[:, 0]).mean())
    return IntervalCoverage(share, wilson_interval(share, repeats), below, above, width, repeats)


def expectation(
    draw: Callable[[np.random.Generator], T], statistic: Callable[[T], float], *, repeats: int, seed: int = 0
) -> float:
    """Return the mean of a statistic over fresh samples: its expectation at this n.

    Args:
        draw: returns a fresh sample from a generator.
        statistic: of a sample.
        repeats: number of samples.
        seed: of the samples.

    Example:
        >>> found = expectation(lambda rng: rng.normal(size=4), lambda x: float(x.var()), repeats=4000)
        >>> 0.7 < found < 0.8  # 1 − 1/n
        True
    """
    streams = (seeds.stream(seed, str(i), "coverage-expectation") for i in range(repeats))
    return float(np.mean([statistic(draw(stream)) for stream in streams]))


@dataclass(frozen=True, slots=True)
class GaussianSets:
    """Two Gaussian populations: reference N(0, diag v), system N(shift √v, spread² diag v), v falling from 1 to 0.1.

    Attributes:
        n: clips of the system.
        d: dimensions.
        spread: standard deviation of the system, relative to the reference.
        shift: of each dimension, in its standard deviations.
        n_reference: clips of the reference; 0: as many as n.

    Example:
        >>> sets = GaussianSets(n=10, d=2, spread=2.0)
        >>> round(sets.distance, 6)  # tr v (2 − 1)²
        1.1
    """

    n: int
    d: int
    spread: float = 1.0
    shift: float = 0.0
    n_reference: int = 0

    @property
    def deviations(self) -> Float64:
        """Standard deviations of the reference's dimensions, (d,) float64."""
        return np.sqrt(np.logspace(0, -1, self.d))

    @property
    def distance(self) -> float:
        """Squared Fréchet distance of the two populations."""
        # d² = Σ vᵢ (shift² + (spread − 1)²)
        return float((self.deviations**2).sum()) * ((self.spread - 1) ** 2 + self.shift**2)

    def draw(self, rng: np.random.Generator) -> tuple[Float64, Float64]:
        """Return a sample of the system, (n, d) float64, and one of the reference, (n_reference, d) float64."""
        system = (rng.standard_normal((self.n, self.d)) * self.spread + self.shift) * self.deviations
        return system, rng.standard_normal((self.n_reference or self.n, self.d)) * self.deviations
