"""Large ranks, where eigenvalues are tried before singular values: the same numbers, whatever the sets."""

from __future__ import annotations

import numpy as np
import pytest

from clipsonic_eval.stats import frechet
from clipsonic_eval.stats._nuclear import nuclear_norms
from clipsonic_eval.stats.frechet import Gaussian, squared_frechet
from clipsonic_eval.stats.frechet_clips import distances_per_clip

D = 280
RNG = np.random.default_rng


def by_singular_values(monkeypatch: pytest.MonkeyPatch, a: np.ndarray, b: np.ndarray) -> float:
    with monkeypatch.context() as patch:
        patch.setattr(frechet, "_LARGE", 10**9)
        return squared_frechet(a, b)


def spread_out(rng: np.random.Generator, n: int, power: float) -> np.ndarray:
    return rng.standard_normal((n, D)) * np.arange(1, D + 1) ** (-power / 2)


@pytest.mark.parametrize("power", [0.0, 1.0, 2.0, 6.0])
@pytest.mark.parametrize("n", [600, 270])
def test_eigenvalues_give_the_distance_of_singular_values(
    monkeypatch: pytest.MonkeyPatch, power: float, n: int
) -> None:
    rng = RNG(0)
    a, b = spread_out(rng, n, power), spread_out(rng, n, power) * 1.2 + 0.01
    assert squared_frechet(a, b) == pytest.approx(by_singular_values(monkeypatch, a, b), rel=1e-9)


def test_both_ways_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[bool] = []
    inner = frechet._spread_by_eigenvalues

    def spy(product: np.ndarray, terms: float) -> float | None:
        result = inner(product, terms)
        taken.append(result is not None)
        return result

    monkeypatch.setattr(frechet, "_spread_by_eigenvalues", spy)
    rng = RNG(1)
    for power in (0.0, 6.0):
        squared_frechet(spread_out(rng, 400, power), spread_out(rng, 400, power))
    assert taken == [True, False]


def test_nearly_identical_large_sets_keep_their_digits() -> None:
    x = RNG(2).standard_normal((400, D))
    x -= x.mean(axis=0)
    terms = float((x**2).sum()) / 399
    assert squared_frechet(x, x * (1 + 1e-7)) == pytest.approx(1e-14 * terms, rel=1e-6)
    assert 0 <= squared_frechet(x, x[::-1]) < 1e-20 * terms


def test_a_wide_gap_and_constant_dimensions_cost_no_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = RNG(3)
    a, b = (rng.standard_normal((500, D)).astype(np.float32) * s for s in (1, 2))
    for x in (a, b):
        x[:, 260:] = 7
    kept = squared_frechet(a[:, :260], b[:, :260])
    assert squared_frechet(a, b) == pytest.approx(kept, rel=1e-11)
    assert kept == pytest.approx(by_singular_values(monkeypatch, a[:, :260], b[:, :260]), rel=1e-11)


def test_the_bound_holds() -> None:
    rng = RNG(4)
    for power in (0.0, 2.0, 8.0):
        product = spread_out(rng, 60, power) @ np.diag(np.arange(1, D + 1) ** (-power / 2))
        sums, bounds = nuclear_norms(product[None])
        assert abs(sums[0] - np.linalg.svd(product, compute_uv=False).sum()) <= bounds[0] + 1e-14 * sums[0]


def test_many_clips_at_once_are_the_clips_one_by_one() -> None:
    rng = RNG(5)
    clips, reference = rng.standard_normal((4, 30, D)).astype(np.float32), rng.standard_normal((700, D))
    expected = [squared_frechet(clip, reference) for clip in clips]
    assert distances_per_clip(clips, Gaussian.fit(reference)) == pytest.approx(expected, rel=1e-11)
