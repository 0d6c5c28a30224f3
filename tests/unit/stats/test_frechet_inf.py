"""FAD at infinite n: subsets by hand, known limits, and the fault of drawing with replacement."""

from __future__ import annotations

import numpy as np
import pytest

from clipsonic_eval.errors import ShapeError
from clipsonic_eval.stats.frechet import Gaussian, frechet_distance, squared_frechet
from clipsonic_eval.stats.frechet_inf import Extrapolation, extrapolate
from clipsonic_eval.stats.pairwise import Rows

RNG = np.random.default_rng


def one_row(x: np.ndarray) -> Rows:
    return Rows(x, np.arange(len(x)))


def normal(d: int) -> Gaussian:
    """The exact N(0, I)."""
    return Gaussian.from_covariance(np.zeros(d), np.eye(d))


def line(sizes: np.ndarray, distances: list[float]) -> float:
    return float(np.polyfit(1 / sizes, distances, 1)[1])


def test_each_distance_is_that_of_its_subset_of_clips() -> None:
    """Subsets come from the front and the end of the order in turn, the whole set last, all rows of a clip together."""
    rng = RNG(0)
    clip = np.repeat(np.arange(20), rng.integers(1, 5, 20))
    rows = Rows(rng.standard_normal((len(clip), 4)) * 2 + 30, clip)
    reference = rng.standard_normal((50, 4)) + 29
    order = rng.permutation(20)
    fit = extrapolate(rows, order, Gaussian.fit(reference), steps=6)
    assert fit.clips.tolist() == [10, 12, 14, 16, 18, 20]
    for i, size in enumerate(fit.clips):
        chosen = order[-size:] if i % 2 == 0 else order[:size]
        subset = rows.vectors[np.isin(clip, chosen)]
        assert fit.distances[i] == pytest.approx(squared_frechet(subset, reference), rel=1e-7)
    assert fit.limit == pytest.approx(line(fit.clips, list(fit.distances)), rel=1e-10)
    residual = fit.distances - fit.limit - fit.slope / fit.clips
    assert fit.r2 == pytest.approx(1 - residual.var() / fit.distances.var(), abs=1e-10)


def test_the_reference_may_have_fewer_rows_than_dimensions() -> None:
    rng = RNG(1)
    x, reference = rng.standard_normal((60, 8)), rng.standard_normal((5, 8))
    fit = extrapolate(one_row(x), np.arange(60), Gaussian.fit(reference))
    assert fit.distances[-1] == pytest.approx(squared_frechet(x, reference), rel=1e-6)


def simulate(n: int, d: int, spread: float, repeats: int) -> dict[str, np.ndarray]:
    """Limits of normal samples of a known distance to N(0, I), and the same with replacement as fadtk draws."""
    rng, reference = RNG(2), normal(d)
    found: dict[str, list[float]] = {"plug-in": [], "ours": [], "with": []}
    for _ in range(repeats):
        x = rng.standard_normal((n, d)) * spread
        fit: Extrapolation = extrapolate(one_row(x), rng.permutation(n), reference)
        drawn = [frechet_distance(Gaussian.fit(x[rng.integers(0, n, size)]), reference) for size in fit.clips[::4]]
        found["plug-in"].append(float(fit.distances[-1]))
        found["ours"].append(fit.limit)
        found["with"].append(line(fit.clips[::4], drawn))
    return {name: np.array(values) for name, values in found.items()}


@pytest.mark.parametrize("spread", [1.0, 1.3])
def test_the_limit_is_found_without_replacement_and_missed_with(spread: float) -> None:
    d = 16
    truth = d * (spread - 1) ** 2
    found = simulate(300, d, spread, repeats=60)
    bias = {name: float(values.mean()) - truth for name, values in found.items()}
    error = {name: float(values.std()) / np.sqrt(60) for name, values in found.items()}
    assert abs(bias["ours"]) < 0.1 * bias["plug-in"] + 2 * error["ours"]
    assert bias["with"] > 0.7 * bias["plug-in"] - 2 * error["with"]


def test_too_few_rows_are_refused() -> None:
    x = RNG(3).standard_normal((30, 16))
    with pytest.raises(ShapeError, match="which have 15 rows here, but needs more rows than the 16 dimensions"):
        extrapolate(one_row(x), np.arange(30), normal(16))
