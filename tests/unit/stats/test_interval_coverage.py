"""How often do the intervals hold the truth? A few quick cases; ``-m slow`` runs them at full length."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import scipy.stats
from unit.metrics.data import embeddings

from clipsonic_eval.errors import ShapeError
from clipsonic_eval.metrics import METRICS, Inputs, SetMetric
from clipsonic_eval.metrics.scoring import score_systems
from clipsonic_eval.stats import bootstrap
from clipsonic_eval.stats.bootstrap import Interval, resample_counts
from clipsonic_eval.stats.frechet import Gaussian, squared_frechet
from clipsonic_eval.stats.frechet_influence import frechet_influence
from clipsonic_eval.stats.influence import linear_deviations
from clipsonic_eval.stats.interval_coverage import GaussianSets, expectation, measure_coverage
from clipsonic_eval.stats.pairwise import Rows

Sets = tuple[np.ndarray, np.ndarray]
N_BOOT = 300


def inputs(sets: Sets) -> Inputs:
    return Inputs(embeddings(sets[0]), embeddings(sets[1]))


def interval_of(name: str) -> Callable[[Sets, int], Interval]:
    metric = METRICS[name]
    assert isinstance(metric, SetMetric)

    def interval(sets: Sets, seed: int) -> Interval:
        found = score_systems(metric, {"a": inputs(sets)}, n_boot=N_BOOT, seed=seed).scores["a"].ci
        assert found is not None
        return found

    return interval


def value_of(name: str) -> Callable[[Sets], float]:
    metric = METRICS[name]
    assert isinstance(metric, SetMetric)
    return lambda sets: metric.value(inputs(sets))


def known_reference(sets: Sets) -> Gaussian:
    d = sets[0].shape[1]
    return Gaussian.from_covariance(np.zeros(d), np.diag(np.logspace(0, -1, d)))


def test_the_t_interval_of_normal_means_covers_as_the_textbook_says() -> None:
    def interval(x: np.ndarray, seed: int) -> Interval:
        low, high = scipy.stats.t.interval(0.95, len(x) - 1, loc=x.mean(), scale=scipy.stats.sem(x))
        return float(low), float(high)

    found = measure_coverage(lambda rng: rng.standard_normal(8) + 2, interval, 2.0, repeats=1000)
    assert found.ci[0] <= 0.95 <= found.ci[1]
    assert found.share + found.below + found.above == pytest.approx(1)
    assert found.width == pytest.approx(2 * 2.3646 / np.sqrt(8) * 0.965, rel=0.03)  # E s = 0.965


def test_an_interval_that_is_too_narrow_or_broken_is_found_out() -> None:
    def draw(rng: np.random.Generator) -> float:
        return float(rng.standard_normal())

    found = measure_coverage(draw, lambda x, seed: (x - 0.5, x + 0.5), 0.0, repeats=1000)
    assert found.share == pytest.approx(0.383, abs=0.04)
    assert measure_coverage(draw, lambda x, seed: (x + 9, x + 10), 0.0, repeats=5).above == 1.0
    with pytest.raises(ShapeError, match="swapped or not finite"):
        measure_coverage(draw, lambda x, seed: (x, x - 1), 0.0, repeats=3)


def test_the_known_distance_of_the_populations_is_that_of_large_samples() -> None:
    sets = GaussianSets(n=200_000, d=4, spread=1.3, shift=0.2)
    assert squared_frechet(*sets.draw(np.random.default_rng(0))) == pytest.approx(sets.distance, rel=0.02)


def mean_interval(x: np.ndarray, seed: int) -> Interval:
    return bootstrap.bca_interval(x, resample_counts([str(i) for i in range(len(x))], 1000, seed))


@pytest.mark.slow
@pytest.mark.parametrize("n", [40, 200])
def test_intervals_of_means_cover(n: int) -> None:
    found = measure_coverage(lambda rng: rng.beta(2, 5, n), mean_interval, 2 / 7)
    assert binomial(400)[0] <= found.share <= binomial(400)[1]
    assert found.width == pytest.approx(2 * 1.96 * scipy.stats.beta(2, 5).std() / np.sqrt(n), rel=0.08)


@pytest.mark.slow
@pytest.mark.parametrize("p", [0.02, 0.5, 0.9])
def test_intervals_of_proportions_cover(p: float) -> None:
    found = measure_coverage(
        lambda rng: rng.random(100) < p,
        lambda x, seed: bootstrap.wilson_interval(float(x.mean()), len(x)),
        p,
        repeats=1000,
    )
    assert 0.925 <= found.share <= 0.985


def frechet_interval(sets: Sets, seed: int) -> Interval:
    """Interval of the plug-in distance to a known reference, by influence."""
    rows = Rows(sets[0], np.arange(len(sets[0])))
    counts = resample_counts([str(i) for i in range(len(sets[0]))], N_BOOT, seed)
    value = squared_frechet_to(known_reference(sets), sets[0])
    return bootstrap.centred_interval(
        value, value + linear_deviations(frechet_influence(rows, known_reference(sets)), counts)
    )


def squared_frechet_to(reference: Gaussian, x: np.ndarray) -> float:
    from clipsonic_eval.stats.frechet import frechet_distance

    return frechet_distance(reference, Gaussian.fit(x))


CASES = [("kad", 0.3), ("kid", 0.3), ("precision", 0.3), ("recall", 0.3), ("density", 0.3), ("coverage", 0.3)]


def binomial(repeats: int) -> tuple[float, float]:
    """Return what a share of 95 % lies in with 99.8 % probability."""
    low, high = scipy.stats.binom.ppf([0.001, 0.999], repeats, 0.95) / repeats
    return float(low), float(high)


def estimates(sets: GaussianSets, name: str, repeats: int) -> np.ndarray:
    """Return the values of fresh samples: their mean is what intervals should hold, their spread how wide they are."""
    value = value_of(name)
    return np.array([value(sets.draw(np.random.default_rng([11, i]))) for i in range(repeats)])


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_intervals_half_or_twice_as_wide_fail(factor: float) -> None:
    def interval(x: np.ndarray, seed: int) -> Interval:
        half = factor * 2 * x.std() / np.sqrt(len(x))
        return float(x.mean() - half), float(x.mean() + half)

    found = measure_coverage(lambda rng: rng.standard_normal(50), interval, 0.0)
    assert not binomial(400)[0] <= found.share <= binomial(400)[1]


@pytest.mark.parametrize(("name", "shift"), CASES)
def test_intervals_of_set_metrics_cover_their_expectation(name: str, shift: float) -> None:
    sets = GaussianSets(n=60, d=4, spread=1.2, shift=shift)
    values = estimates(sets, name, 300)
    found = measure_coverage(sets.draw, interval_of(name), float(values.mean()), repeats=40)
    assert binomial(40)[0] <= found.share
    # a share of 40 cannot be too high, so the width says whether an interval is too wide
    assert 0.8 <= found.width / (2 * 1.96 * values.std()) <= 1.35


@pytest.mark.slow
@pytest.mark.parametrize(("name", "shift"), [*CASES, ("kad", 0.0), ("kid", 0.0)])
def test_intervals_of_set_metrics_cover_93_to_97_percent(name: str, shift: float) -> None:
    sets = GaussianSets(n=200, d=8, spread=1.2 if shift else 1.0, shift=shift)
    values = estimates(sets, name, 1000)
    found = measure_coverage(sets.draw, interval_of(name), float(values.mean()), repeats=400)
    # 400 repeats know the share to 2 %: refuse what they show to be below or above
    assert found.ci[1] >= 0.93
    assert found.ci[0] <= 0.975
    assert 0.85 <= found.width / (2 * 1.96 * values.std()) <= 1.25


@pytest.mark.slow
@pytest.mark.parametrize(("spread", "shift"), [(1.2, 0.2), (1.05, 0.0), (1.0, 0.0)])
def test_intervals_of_the_extrapolated_distance_cover_the_population(spread: float, shift: float) -> None:
    sets = GaussianSets(n=200, d=8, spread=spread, shift=shift, n_reference=4000)
    found = measure_coverage(sets.draw, interval_of("fad_inf"), sets.distance, repeats=200)
    assert found.ci[1] >= 0.93
    assert found.width <= 1.5 * 2 * 1.96 * estimates(sets, "fad_inf", 200).std()


@pytest.mark.slow
def test_intervals_of_the_distance_by_influence_cover_its_expectation() -> None:
    sets = GaussianSets(n=200, d=8, spread=1.1, shift=0.1)
    reference = known_reference(sets.draw(np.random.default_rng(0)))
    truth = expectation(sets.draw, lambda s: squared_frechet_to(reference, s[0]), repeats=2000)
    found = measure_coverage(sets.draw, frechet_interval, truth, repeats=400)
    assert binomial(400)[0] <= found.share <= binomial(400)[1]
