"""The Fréchet distance against closed forms, 50-digit arithmetic and scipy."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
import scipy.linalg

from clipsonic_eval.errors import ShapeError
from clipsonic_eval.stats.frechet import Gaussian, frechet_distance, squared_frechet

RNG = np.random.default_rng


def exact_sample(rng: np.random.Generator, mean: np.ndarray, variances: np.ndarray, n: int) -> np.ndarray:
    """Return n vectors whose sample mean and covariance (n - 1) are ``mean`` and diag(``variances``) exactly."""
    raw = rng.standard_normal((n, len(mean)))
    columns = np.linalg.qr(raw - raw.mean(axis=0))[0]
    return mean + columns * np.sqrt(variances * (n - 1))


def fifty_digits(a: np.ndarray, b: np.ndarray) -> tuple[float, float]:
    """Return the distance of two small sets in 50-digit arithmetic, and the sum of its positive terms."""
    with mpmath.workdps(50):
        sets = []
        for x in (a, b):
            m = mpmath.matrix(x.tolist())
            mean = [mpmath.fsum(m[:, j]) / m.rows for j in range(m.cols)]
            for i in range(m.rows):
                for j in range(m.cols):
                    m[i, j] = (m[i, j] - mean[j]) / mpmath.sqrt(m.rows - 1)
            sets.append((mean, m))
        (mean_a, x), (mean_b, y) = sets
        cross = x * y.T
        values = mpmath.eigsy(cross * cross.T, eigvals_only=True)
        nuclear = mpmath.fsum(mpmath.sqrt(v) for v in values if v > mpmath.mpf(10) ** -45)
        shift = mpmath.fsum((p - q) ** 2 for p, q in zip(mean_a, mean_b, strict=True))
        traces = mpmath.fsum(v**2 for v in x) + mpmath.fsum(v**2 for v in y)
        return float(shift + traces - 2 * nuclear), float(shift + traces)


def test_a_shift_of_the_mean_costs_its_squared_length() -> None:
    rng = RNG(0)
    x = rng.standard_normal((200, 16))
    shift = rng.standard_normal(16)
    assert squared_frechet(x, x + shift) == pytest.approx(float(shift @ shift), rel=1e-12)


def test_commuting_covariances_cost_the_squared_difference_of_standard_deviations() -> None:
    rng = RNG(1)
    p, q = rng.uniform(0.1, 4, 8), rng.uniform(0.1, 4, 8)
    a = exact_sample(rng, np.zeros(8), p, 40)
    b = exact_sample(rng, np.full(8, 0.5), q, 60)
    expected = 8 * 0.25 + float(((np.sqrt(p) - np.sqrt(q)) ** 2).sum())
    assert squared_frechet(a, b) == pytest.approx(expected, rel=1e-12)


def test_stored_moments_give_the_same_distance_as_the_vectors() -> None:
    rng = RNG(2)
    a, b = rng.standard_normal((300, 12)), rng.standard_normal((200, 12)) @ rng.standard_normal((12, 12))
    stored = [Gaussian.from_covariance(x.mean(axis=0), np.cov(x.T)) for x in (a, b)]
    assert frechet_distance(*stored) == pytest.approx(squared_frechet(a, b), rel=1e-10)


def test_full_rank_sets_agree_with_scipy_sqrtm() -> None:
    rng = RNG(3)
    a, b = rng.standard_normal((500, 20)), rng.standard_normal((400, 20)) * 1.3 + 0.1
    ca, cb = np.cov(a.T), np.cov(b.T)
    shift = a.mean(axis=0) - b.mean(axis=0)
    expected = shift @ shift + np.trace(ca + cb - 2 * scipy.linalg.sqrtm(ca @ cb).real)
    assert squared_frechet(a, b) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize(("n_a", "n_b", "d"), [(6, 6, 15), (4, 12, 9), (12, 5, 9), (2, 2, 30), (7, 9, 1)])
def test_fewer_clips_than_dimensions_is_exact(n_a: int, n_b: int, d: int) -> None:
    rng = RNG(4)
    a, b = rng.standard_normal((n_a, d)), rng.standard_normal((n_b, d)) + 0.3
    truth, terms = fifty_digits(a, b)
    assert abs(squared_frechet(a, b) - truth) < 1e-14 * terms


@pytest.mark.parametrize("decades", [0, 3, 6, 9])
def test_ill_conditioned_sets_are_exact(decades: int) -> None:
    rng = RNG(5)
    scale = np.logspace(0, -decades, 10)
    turn = np.linalg.qr(rng.standard_normal((10, 10)))[0]
    a = rng.standard_normal((30, 10)) * scale @ turn
    b = rng.standard_normal((25, 10)) * scale @ turn * 1.1
    truth, terms = fifty_digits(a, b)
    assert abs(squared_frechet(a, b) - truth) < 1e-13 * terms


def test_constant_dimensions_change_nothing() -> None:
    rng = RNG(6)
    a, b = rng.standard_normal((50, 5)), rng.standard_normal((60, 5)) * 2
    padded = [np.hstack([x, np.full((len(x), 3), 7.0)]) for x in (a, b)]
    assert squared_frechet(*padded) == pytest.approx(squared_frechet(a, b), rel=1e-12)


def test_float32_far_from_the_origin_loses_nothing() -> None:
    rng = RNG(7)
    grid = [
        np.round(rng.standard_normal((400, 24)) * s * 64) / 64 for s in (1.0, 1.5)
    ]  # exact in float32 after the shift
    near = squared_frechet(*grid)
    far = squared_frechet(*[(x + 4096).astype(np.float32) for x in grid])
    assert far == pytest.approx(near, rel=1e-11)


@pytest.mark.parametrize("n", [10, 300, 5000])
def test_a_set_and_itself_are_at_distance_zero(n: int) -> None:
    x = RNG(8).standard_normal((n, 32)).astype(np.float32) * 50 + 3
    value = squared_frechet(x, x[::-1])
    assert 0 <= value < 1e-20 * 32 * 2500


@pytest.mark.parametrize("n", [20, 400])
def test_nearly_identical_sets_keep_their_digits(n: int) -> None:
    x = RNG(9).standard_normal((n, 40))
    x -= x.mean(axis=0)
    expected = 1e-14 * float((x**2).sum()) / (n - 1)  # covariances C and (1 + 1e-7)^2 C
    assert squared_frechet(x, x * (1 + 1e-7)) == pytest.approx(expected, rel=1e-6)


def test_order_rotation_and_number_of_blocks_do_not_matter() -> None:
    rng = RNG(10)
    a, b = rng.standard_normal((5000, 6)), rng.standard_normal((100, 6)) * 1.2
    value = squared_frechet(a, b)
    turn = np.linalg.qr(rng.standard_normal((6, 6)))[0]
    assert squared_frechet(a[rng.permutation(5000)], b[::-1]) == pytest.approx(value, rel=1e-12)
    assert squared_frechet(a @ turn, b @ turn) == pytest.approx(value, rel=1e-12)
    assert squared_frechet(b, a) == pytest.approx(value, rel=1e-12)
    assert np.allclose(np.cov(a.T), Gaussian.fit(a).root.T @ Gaussian.fit(a).root, rtol=1e-12, atol=1e-14)


def test_what_has_no_covariance_is_refused() -> None:
    with pytest.raises(ShapeError, match="at least 2 vectors"):
        squared_frechet(np.zeros((1, 3)), np.zeros((4, 3)))
    with pytest.raises(ShapeError, match="different dimension, 3 and 4"):
        squared_frechet(np.eye(3), np.eye(4))
    with pytest.raises(ShapeError, match="finite"):
        squared_frechet(np.array([[0.0], [np.nan]]), np.zeros((2, 1)))


def test_moments_that_are_none_are_refused() -> None:
    with pytest.raises(ShapeError, match="not symmetric"):
        Gaussian.from_covariance(np.zeros(2), np.array([[1.0, 2.0], [0.0, 1.0]]))
    with pytest.raises(ShapeError, match="positive semi-definite"):
        Gaussian.from_covariance(np.zeros(2), np.diag([1.0, -1.0]))
    with pytest.raises(ShapeError, match=r"\(d,\) and \(d, d\)"):
        Gaussian.from_covariance(np.zeros(3), np.eye(2))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_stored_moments_that_are_not_finite_are_refused(bad: float) -> None:
    mean, covariance = np.zeros(3), np.eye(3)
    covariance[1, 1] = bad
    with pytest.raises(ShapeError, match="holds NaN or infinite values"):
        Gaussian.from_covariance(mean, covariance)
    mean[0] = bad
    with pytest.raises(ShapeError, match="holds NaN or infinite values"):
        Gaussian.from_covariance(mean, np.eye(3))
