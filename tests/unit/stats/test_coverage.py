"""Do the intervals of FAD cover, and do its paired tests keep their level? By simulation."""

from __future__ import annotations

import numpy as np
import pytest

from clipsonic_eval.stats import bootstrap, paired
from clipsonic_eval.stats.bootstrap import resample_counts
from clipsonic_eval.stats.frechet import squared_frechet
from clipsonic_eval.stats.frechet_bootstrap import ResampledSet, frechet_replicates

N_BOOT = 250


def draw(rng: np.random.Generator, n: int, d: int, *, moved: bool) -> np.ndarray:
    """Correlated, heavy-tailed vectors; ``moved``: wider and shifted."""
    x = rng.standard_t(6, (n, d)) * np.logspace(0, -1, d)
    return x * 1.3 + 0.2 if moved else x


def intervals(rng: np.random.Generator, seed: int, n: int, d: int) -> tuple[float, tuple[float, float], float]:
    a, b = draw(rng, n, d, moved=False), draw(rng, n, d, moved=True)
    value = squared_frechet(a, b)
    names = [str(i) for i in range(n)]
    sets = [ResampledSet(x, np.arange(n), resample_counts(names, N_BOOT, seed, p)) for x, p in ((a, "a"), (b, "b"))]
    replicates = frechet_replicates(sets[0], [sets[1]])[0]
    return value, bootstrap.centred_interval(value, replicates), bootstrap.bootstrap_bias(value, replicates)


def cover(n: int, d: int, repeats: int) -> tuple[float, float]:
    """Return how often the interval holds the expectation at n, and how often the debiased one the infinite sample."""
    rng = np.random.default_rng(0)
    truth = np.mean([squared_frechet(draw(rng, n, d, moved=False), draw(rng, n, d, moved=True)) for _ in range(2000)])
    limit = squared_frechet(draw(rng, 200_000, d, moved=False), draw(rng, 200_000, d, moved=True))
    found = [intervals(rng, seed, n, d) for seed in range(repeats)]
    at_n = np.mean([low <= truth <= high for _, (low, high), _ in found])
    debiased = np.mean([low - bias <= limit <= high - bias for _, (low, high), bias in found])
    return float(at_n), float(debiased)


def rejections(n: int, d: int, repeats: int) -> float:
    """Return how often two systems that differ by noise alone are told apart at 5 %."""
    rng = np.random.default_rng(1)
    names = [str(i) for i in range(n)]
    p_values = []
    for seed in range(repeats):
        reference, shared = draw(rng, n, d, moved=False), draw(rng, n, d, moved=True)
        systems = [shared + 0.3 * rng.standard_normal((n, d)) for _ in range(2)]
        drawn = [ResampledSet(x, np.arange(n), resample_counts(names, N_BOOT, seed, "queries")) for x in systems]
        held = ResampledSet(reference, np.arange(n), resample_counts(names, N_BOOT, seed, "reference"))
        replicates = frechet_replicates(held, drawn)
        difference = squared_frechet(reference, systems[0]) - squared_frechet(reference, systems[1])
        p_values.append(paired.paired_bootstrap_test(difference, replicates[0] - replicates[1])[0])
    return float(np.mean(np.array(p_values) <= 0.05))


def test_intervals_of_fad_cover_their_target() -> None:
    at_n, debiased = cover(n=100, d=4, repeats=120)
    assert at_n >= 0.88
    assert debiased >= 0.87


def test_paired_tests_of_fad_keep_their_level() -> None:
    assert rejections(n=80, d=4, repeats=100) <= 0.10


@pytest.mark.slow
@pytest.mark.parametrize(("n", "d"), [(200, 16), (480, 64), (1000, 16)])
def test_intervals_of_fad_cover_93_percent_or_more(n: int, d: int) -> None:
    at_n, debiased = cover(n, d, repeats=400)
    assert at_n >= 0.93
    assert debiased >= 0.92


@pytest.mark.slow
@pytest.mark.parametrize(("n", "d"), [(200, 16), (480, 64)])
def test_paired_tests_of_fad_reject_at_most_at_their_level(n: int, d: int) -> None:
    assert rejections(n, d, repeats=400) <= 0.07
