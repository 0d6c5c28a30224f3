"""Moments of streams and shards against NumPy, and against Gaussian.fit on the whole."""

from __future__ import annotations

import numpy as np
import pytest

from clipsonic_eval.errors import ShapeError
from clipsonic_eval.stats.frechet import Gaussian, frechet_distance
from clipsonic_eval.stats.moments import Moments


def vectors(n: int, d: int, seed: int = 0, offset: float = 0.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (rng.standard_normal((n, d)) @ rng.standard_normal((d, d)) + offset).astype(np.float32)


@pytest.mark.parametrize("offset", [0.0, 1000.0])
def test_moments_are_numpys_in_double_precision(offset: float) -> None:
    x = vectors(3000, 12, offset=offset)
    found = Moments.of(x[i : i + 700] for i in range(0, len(x), 700))
    exact = x.astype(np.float64)
    assert found.n == 3000
    np.testing.assert_allclose(found.mean, exact.mean(axis=0), rtol=1e-13, atol=1e-13)
    covariance = np.cov(exact, rowvar=False)
    np.testing.assert_allclose(found.scatter / 2999, covariance, rtol=1e-10, atol=1e-12 * np.abs(covariance).max())


def test_shards_merge_to_the_whole_whatever_their_number_and_order() -> None:
    x = vectors(1000, 8, offset=50)
    whole = Moments.of([x])
    for cuts in ([300], [1, 2, 999], [500, 501, 700]):
        parts = [Moments.of([part]) for part in np.split(x, cuts)]
        for order in (parts, parts[::-1]):
            merged = order[0]
            for part in order[1:]:
                merged = merged.merged(part)
            assert merged.n == 1000
            np.testing.assert_allclose(merged.mean, whole.mean, rtol=1e-12)
            np.testing.assert_allclose(merged.scatter, whole.scatter, rtol=1e-10, atol=1e-9)


def test_the_distance_from_a_stream_is_that_of_all_vectors() -> None:
    a, b = vectors(2000, 16), vectors(1500, 16, seed=1, offset=0.5)
    fitted = frechet_distance(Gaussian.fit(a), Gaussian.fit(b))
    streamed = frechet_distance(Moments.of([a[:900], a[900:]]).gaussian(), Moments.of([b]).gaussian())
    assert streamed == pytest.approx(fitted, rel=1e-10)


def test_what_is_no_stream_of_vectors_is_refused() -> None:
    with pytest.raises(ShapeError, match="stream was empty"):
        Moments.of([])
    with pytest.raises(ShapeError, match="stream was empty"):
        Moments.of([np.zeros((0, 3))])
    with pytest.raises(ShapeError, match="same d"):
        Moments.of([np.zeros((2, 3)), np.zeros((2, 4))])
    with pytest.raises(ShapeError, match="must be finite"):
        Moments.of([np.array([[1.0, np.nan]])])
    with pytest.raises(ShapeError, match="at least 2"):
        Moments.of([np.ones((1, 3))]).gaussian()
    with pytest.raises(ShapeError, match="different dimension"):
        Moments.of([np.ones((1, 3))]).merged(Moments.of([np.ones((1, 4))]))
