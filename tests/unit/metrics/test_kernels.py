"""KAD and KID against the formulas written out, and against the faults of other tools."""

from __future__ import annotations

import decimal
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from scipy.spatial import distance
from unit.metrics.data import embeddings

from clipsonic_eval import metrics
from clipsonic_eval.conventions import CONVENTIONS
from clipsonic_eval.errors import ShapeError, SpaceError
from clipsonic_eval.metrics import METRICS, Inputs, SetMetric
from clipsonic_eval.types import Embeddings

RNG = np.random.default_rng


def kad(reference: Embeddings, system: Embeddings) -> float:
    return float(metrics.kad(reference, system, n_boot=0))


def kad_kadtk(reference: Embeddings, system: Embeddings, kernel: Any = "gaussian") -> float:
    return float(metrics.kad_kadtk(reference, system, kernel=kernel, n_boot=0))


def kid(reference: Embeddings, system: Embeddings) -> float:
    return float(metrics.kid(reference, system, n_boot=0))


def kid_subsets(reference: Embeddings, system: Embeddings, subsets: int, size: int) -> tuple[float, float]:
    found = metrics.kid_subsets(reference, system, subsets=subsets, size=size, n_boot=0)
    return float(found), found.details["subsets_std"]


def bandwidth(name: str, inputs: Inputs) -> float:
    metric = METRICS[name]
    assert isinstance(metric, SetMetric)
    assert metric.details is not None
    return metric.details(inputs)["bandwidth"]


def discrepancy(kxx: np.ndarray, kyy: np.ndarray, kxy: np.ndarray) -> float:
    n, m = len(kxx), len(kyy)
    own = (kxx.sum() - np.trace(kxx)) / (n * (n - 1)) + (kyy.sum() - np.trace(kyy)) / (m * (m - 1))
    return float(own - 2 * kxy.mean())


def gaussian_formula(x: np.ndarray, y: np.ndarray, gamma: float) -> float:
    return discrepancy(*(np.exp(-gamma * distance.cdist(a, b, "sqeuclidean")) for a, b in ((x, x), (y, y), (x, y))))


def test_kad_is_the_formula_with_the_reference_s_median_distance() -> None:
    rng = RNG(0)
    reference, system = rng.standard_normal((31, 5)) + 4, rng.standard_normal((24, 5)) * 0.6 + 4.2
    wide = float(np.median(distance.pdist(reference)))
    assert bandwidth("kad", Inputs(embeddings(system), embeddings(reference))) == pytest.approx(wide, rel=1e-12)
    expected = gaussian_formula(system, reference, 1 / (2 * wide**2))
    assert kad(embeddings(reference), embeddings(system)) == pytest.approx(expected, rel=1e-11)


def test_kad_as_kadtk_takes_the_lower_median_of_the_evaluated_set_times_100() -> None:
    rng = RNG(1)
    reference, system = rng.standard_normal((20, 4)), rng.standard_normal((12, 4)) * 0.6
    distances = np.sort(distance.pdist(system))
    wide = distances[(len(distances) - 1) // 2]
    assert len(distances) % 2 == 0
    expected = 100 * gaussian_formula(system, reference, 1 / (2 * wide**2 + 1e-8))
    assert kad_kadtk(embeddings(reference), embeddings(system)) == pytest.approx(expected, rel=1e-11)


@pytest.mark.parametrize(("kernel", "power"), [("iq", Fraction(1)), ("imq", Fraction(1, 2))])
def test_kadtks_other_kernels_are_their_double_sums_in_fifty_digits(kernel: Any, power: Fraction) -> None:
    rng = RNG(9)
    reference, system = rng.standard_normal((11, 3)), rng.standard_normal((8, 3)) * 0.6
    with decimal.localcontext(prec=50):
        real, fake = ([[Decimal(float(v)) for v in row] for row in rows] for rows in (reference, system))

        def squared(a: list[Decimal], b: list[Decimal]) -> Decimal:
            return sum(((u - v) ** 2 for u, v in zip(a, b, strict=True)), Decimal(0))

        pairs = sorted(squared(a, b) for i, a in enumerate(fake) for b in fake[:i])
        gamma = 1 / (2 * pairs[(len(pairs) - 1) // 2] + Decimal("1e-8"))

        def mean(left: list[list[Decimal]], right: list[list[Decimal]]) -> Decimal:
            values = [
                1 / (1 + gamma * squared(a, b)) ** (Decimal(power.numerator) / power.denominator)
                for i, a in enumerate(left)
                for j, b in enumerate(right)
                if left is not right or i != j
            ]
            return sum(values, Decimal(0)) / len(values)

        expected = 100 * (mean(fake, fake) + mean(real, real) - 2 * mean(real, fake))
    given = embeddings(reference), embeddings(system)
    assert kad_kadtk(*given, kernel) == pytest.approx(float(expected), rel=1e-12)
    metric = METRICS[CONVENTIONS[f"kad/kadtk-{kernel}"].metric]
    assert isinstance(metric, SetMetric)
    assert metric.value(Inputs(given[1], given[0])) == kad_kadtk(*given, kernel)


def test_one_ruler_for_all_systems_keeps_their_distances_in_proportion() -> None:
    """With the evaluated set's own median, a system of half the spread looks many times worse than it is."""
    rng, d, n = RNG(2), 16, 1500
    reference = embeddings(rng.standard_normal((n, d)))

    def population(wide: float, spread: float) -> float:
        """The squared MMD of N(0, I) and N(0, spread^2 I): Gaussian integrals."""
        share = [(wide**2 / (wide**2 + s)) ** (d / 2) for s in (2.0, 2 * spread**2, 1 + spread**2)]
        return share[0] + share[1] - 2 * share[2]

    found: dict[str, list[float]] = {"kad": [], "kad_kadtk": []}
    for spread in (0.8, 0.4):
        system = embeddings(rng.standard_normal((n, d)) * spread)
        for name, metric, scale in (("kad", kad, 1), ("kad_kadtk", kad_kadtk, 100)):
            wide = bandwidth(name, Inputs(system, reference))
            assert wide**2 == pytest.approx(2 * d * (1 if name == "kad" else spread**2), rel=0.1)
            found[name].append(metric(reference, system) / scale)
            assert found[name][-1] == pytest.approx(population(wide, spread), rel=0.15)
    worse = {name: values[1] / values[0] for name, values in found.items()}
    assert worse["kad_kadtk"] > 3 * worse["kad"]


def test_rows_of_one_clip_are_not_two_draws() -> None:
    """Ten equal windows of each clip say no more than one: kad stays, the row-wise form shifts."""
    rng = RNG(3)
    x, y = rng.standard_normal((40, 4)), rng.standard_normal((50, 4))
    once, ten = embeddings(x), embeddings(np.repeat(x, 10, axis=0), rows=10)
    assert kad(embeddings(y), ten) == pytest.approx(kad(embeddings(y), once), rel=1e-9)
    assert kid(embeddings(y), ten) == pytest.approx(kid(embeddings(y), once), rel=1e-9)
    shift = kad_kadtk(embeddings(y), ten) - kad_kadtk(embeddings(y), once)
    assert shift == pytest.approx(100 * 9 / 399 * (1 - np.exp(-0.5)), rel=0.2)  # nine partners at distance 0 of 399


def test_kad_of_large_float32_vectors_far_from_the_origin_keeps_its_digits() -> None:
    rng = RNG(4)
    x, y = (np.round(rng.standard_normal((30, 6)) * 64) / 64 for _ in range(2))
    far = [embeddings((v + 4096).astype(np.float32)) for v in (x, y)]
    assert kad(*far) == pytest.approx(kad(embeddings(x), embeddings(y)), rel=1e-9)


def test_kid_is_the_cubic_formula_over_the_whole_sets() -> None:
    rng = RNG(5)
    x, y = rng.standard_normal((23, 7)) + 1, rng.standard_normal((19, 7)) * 1.4
    expected = discrepancy(*((a @ b.T / 7 + 1) ** 3 for a, b in ((x, x), (y, y), (x, y))))
    assert kid(embeddings(y), embeddings(x)) == pytest.approx(expected, rel=1e-12)


def test_subsets_scatter_around_kid_and_are_refused_where_they_would_be_the_whole_set() -> None:
    rng = RNG(6)
    y, x = embeddings(rng.standard_normal((120, 4))), embeddings(rng.standard_normal((90, 4)) * 1.5)
    mean, std = kid_subsets(y, x, subsets=60, size=40)
    assert std > 0.05 * mean
    assert mean == pytest.approx(kid(y, x), abs=4 * std / np.sqrt(60))
    assert kid_subsets(y, x, subsets=60, size=40) == (mean, std)
    with pytest.raises(ShapeError, match="needs at least 100 in the system, got 90; take kid"):
        kid_subsets(y, x, subsets=60, size=50)
    assert METRICS["kid_subsets"].card.min_n == 2000


def test_a_bandwidth_of_zero_is_refused() -> None:
    rng = RNG(7)
    with pytest.raises(ShapeError, match="half of its pairs are equal"):
        kad(embeddings(np.ones((10, 3))), embeddings(rng.standard_normal((10, 3))))
    with pytest.raises(ShapeError, match="kid needs at least 3 clips in the system, got 2"):
        kid(embeddings(np.ones((10, 3))), embeddings(np.eye(3)[:2]))


@pytest.mark.parametrize("name", ["kad", "kid"])
def test_intervals_are_as_wide_as_fresh_samples_scatter(name: str) -> None:
    rng, n, repeats = RNG(8), 60, 300
    metric = METRICS[name]
    assert isinstance(metric, SetMetric)

    def draw() -> Inputs:
        return Inputs(embeddings(rng.standard_normal((n, 3)) * 1.2 + 0.5), embeddings(rng.standard_normal((n, 3))))

    drawn = [draw() for _ in range(repeats)]
    values = np.array([metric.value(d) for d in drawn])
    errors = [metric.replicates([d], 400, i)[0].std() / 0.5 for i, d in enumerate(drawn[:60])]
    assert np.sqrt(np.mean(np.square(errors))) == pytest.approx(values.std(), rel=0.2)


def test_a_system_far_away_has_the_distance_of_exact_differences() -> None:
    rng = np.random.default_rng(20)
    x, y = rng.standard_normal((20, 3)) * 1.5 + 1e8, rng.standard_normal((20, 3))
    wide = bandwidth("kad", Inputs(embeddings(x), embeddings(y)))

    def mean(a: np.ndarray, b: np.ndarray, *, own: bool) -> float:
        d2 = ((a[:, None].astype(np.longdouble) - b[None]) ** 2).sum(axis=2)
        values = np.exp(-d2 / (2 * np.longdouble(wide) ** 2))
        return float((values.sum() - len(a)) / (len(a) * (len(a) - 1)) if own else values.mean())

    expected = mean(x, x, own=True) + mean(y, y, own=True) - 2 * mean(x, y, own=False)
    assert kad(embeddings(y), embeddings(x)) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("name", ["kad", "fad", "precision", "recall", "density", "coverage", "diversity_distance"])
def test_a_shift_of_both_sets_changes_nothing(name: str) -> None:
    rng = np.random.default_rng(21)
    x, y = rng.standard_normal((40, 3)) + 0.5, rng.standard_normal((40, 3))
    metric = METRICS[name]
    assert isinstance(metric, SetMetric)
    first, moved = (metric.value(Inputs(embeddings(x + far), embeddings(y + far))) for far in (0.0, 1e6))
    assert moved == pytest.approx(first, rel=1e-7)


@pytest.mark.parametrize("name", ["precision", "recall", "density", "coverage"])
def test_one_outlier_does_not_widen_the_balls_of_the_others(name: str) -> None:
    rng = np.random.default_rng(22)
    x, y = rng.standard_normal((40, 3)) + 4, rng.standard_normal((40, 3))
    x[0] = 1e7
    metric = METRICS[name]
    assert isinstance(metric, SetMetric)
    assert metric.value(Inputs(embeddings(x), embeddings(y))) < 0.3


@pytest.mark.parametrize(
    "name", [n for n in METRICS if "reference" in METRICS[n].card.needs and not METRICS[n].card.package]
)
def test_sets_of_two_modalities_of_one_encoder_are_refused(name: str) -> None:
    x = np.random.default_rng(23).standard_normal((60, 3))
    metric, given = METRICS[name], Inputs(embeddings(x, rows=2), embeddings(x, rows=2, modality="text"))
    with pytest.raises(SpaceError, match="embeddings of text and of audio do not compare as sets"):
        metric.value(given) if isinstance(metric, SetMetric) else metric.per_clip(given)
