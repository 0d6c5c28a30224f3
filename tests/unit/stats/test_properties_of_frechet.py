"""Properties that define the Fréchet distance, on random Gaussians."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.stats.arrays import dimensions, one_row_each, rotation, seeds, vectors

from clipsonic_eval.stats._nuclear import nuclear_norms
from clipsonic_eval.stats.frechet import Gaussian, frechet_distance, squared_frechet
from clipsonic_eval.stats.frechet_clips import distances_per_clip
from clipsonic_eval.stats.frechet_influence import frechet_influence
from clipsonic_eval.stats.moments import Moments

sizes = st.integers(2, 12)  # some below, some above the dimension


def gaussian(seed: int, n: int, d: int) -> Gaussian:
    return Gaussian.fit(vectors(seed, n, d))


@settings(deadline=None, max_examples=50)
@given(seed=seeds, n=sizes, m=sizes, d=dimensions)
def test_the_distance_is_symmetric_and_not_negative(seed: int, n: int, m: int, d: int) -> None:
    a, b = gaussian(seed, n, d), gaussian(seed + 1, m, d)
    assert frechet_distance(a, b) >= 0
    assert frechet_distance(a, b) == pytest.approx(frechet_distance(b, a), rel=1e-9, abs=1e-12)


@settings(deadline=None, max_examples=50)
@given(seed=seeds, n=sizes, d=dimensions)
def test_a_set_has_distance_zero_from_itself_in_any_order(seed: int, n: int, d: int) -> None:
    x = vectors(seed, n, d)
    shuffled = np.random.default_rng(seed).permutation(x)
    scale = float((x**2).sum())
    assert squared_frechet(x, shuffled) <= 1e-12 * scale


@settings(deadline=None, max_examples=50)
@given(seed=seeds, n=sizes, d=dimensions, shift=st.floats(-50, 50))
def test_a_shift_adds_its_squared_length(seed: int, n: int, d: int, shift: float) -> None:
    x = vectors(seed, n, d)
    assert squared_frechet(x, x + shift) == pytest.approx(d * shift**2, rel=1e-6, abs=1e-9)


@settings(deadline=None, max_examples=50)
@given(seed=seeds, n=sizes, m=sizes, d=dimensions, scale=st.floats(0.01, 100))
def test_the_squared_distance_scales_with_the_square(seed: int, n: int, m: int, d: int, scale: float) -> None:
    a, b = vectors(seed, n, d), vectors(seed + 1, m, d)
    assert squared_frechet(scale * a, scale * b) == pytest.approx(scale**2 * squared_frechet(a, b), rel=1e-7)


@settings(deadline=None, max_examples=50)
@given(seed=seeds, n=sizes, m=sizes, d=dimensions)
def test_rotating_both_sets_changes_nothing(seed: int, n: int, m: int, d: int) -> None:
    a, b, turn = vectors(seed, n, d), vectors(seed + 1, m, d), rotation(seed, d)
    assert squared_frechet(a @ turn, b @ turn) == pytest.approx(squared_frechet(a, b), rel=1e-7, abs=1e-9)


@settings(deadline=None, max_examples=50)
@given(seed=seeds, n=sizes, d=dimensions)
def test_its_root_obeys_the_triangle_inequality(seed: int, n: int, d: int) -> None:
    a, b, c = (gaussian(seed + i, n + i, d) for i in range(3))
    ab, bc, ac = (np.sqrt(frechet_distance(*pair)) for pair in ((a, b), (b, c), (a, c)))
    assert ac <= (ab + bc) * (1 + 1e-9)


@settings(deadline=None, max_examples=50)
@given(seed=seeds, n=st.integers(2, 30), m=st.integers(2, 30))
def test_in_one_dimension_it_compares_means_and_standard_deviations(seed: int, n: int, m: int) -> None:
    a, b = vectors(seed, n, 1), vectors(seed + 1, m, 1)
    expected = (a.mean() - b.mean()) ** 2 + (a.std(ddof=1) - b.std(ddof=1)) ** 2
    assert squared_frechet(a, b) == pytest.approx(expected, rel=1e-7, abs=1e-12)


@settings(deadline=None, max_examples=50)
@given(seed=seeds, d=dimensions)
def test_commuting_covariances_have_a_closed_form(seed: int, d: int) -> None:
    rng = np.random.default_rng(seed)
    basis, va, vb = rotation(seed, d), rng.exponential(size=d), rng.exponential(size=d)
    a = Gaussian.from_covariance(np.zeros(d), basis @ np.diag(va) @ basis.T)
    b = Gaussian.from_covariance(np.ones(d), basis @ np.diag(vb) @ basis.T)
    expected = d + ((np.sqrt(va) - np.sqrt(vb)) ** 2).sum()  # |μ|² + Σ (√λ_a − √λ_b)²
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-7)


@settings(deadline=None, max_examples=50)
@given(seed=seeds, n=st.integers(3, 20), d=dimensions)
def test_fitting_and_giving_the_moments_are_the_same(seed: int, n: int, d: int) -> None:
    x = vectors(seed, n, d)
    given_moments = Gaussian.from_covariance(x.mean(axis=0), np.cov(x, rowvar=False).reshape(d, d))
    assert frechet_distance(Gaussian.fit(x), given_moments) <= 1e-7 * given_moments.trace


@settings(deadline=None, max_examples=50)
@given(seed=seeds, n=st.integers(2, 20), d=dimensions)
def test_the_root_of_a_fit_is_a_root_of_the_covariance(seed: int, n: int, d: int) -> None:
    x = vectors(seed, n, d)
    fitted = Gaussian.fit(x)
    covariance = np.cov(x, rowvar=False).reshape(d, d)
    assert len(fitted.root) == min(n - 1, d)
    np.testing.assert_allclose(fitted.root.T @ fitted.root, covariance, atol=1e-10 * np.abs(covariance).max() + 1e-14)
    assert fitted.trace == pytest.approx(np.trace(covariance), rel=1e-10)


@settings(deadline=None, max_examples=50)
@given(seed=seeds, n=st.integers(2, 30), d=dimensions, parts=st.integers(1, 4))
def test_moments_of_parts_merge_to_those_of_the_whole(seed: int, n: int, d: int, parts: int) -> None:
    x = vectors(seed, n, d)
    pieces = [piece for piece in np.array_split(x, parts) if len(piece)]
    merged = Moments.of([pieces[0]])
    for piece in pieces[1:]:
        merged = Moments.of([piece]).merged(merged)
    assert merged.n == n
    np.testing.assert_allclose(merged.mean, x.mean(axis=0), atol=1e-10)
    assert frechet_distance(merged.gaussian(), Gaussian.fit(x)) <= 1e-7 * (1 + Gaussian.fit(x).trace)


@settings(deadline=None, max_examples=50)
@given(seed=seeds, n=st.integers(1, 5), m=st.integers(2, 5), d=dimensions)
def test_distances_per_clip_are_those_of_one_set_after_another(seed: int, n: int, m: int, d: int) -> None:
    clips = np.stack([vectors(seed + i, m, d) for i in range(n)])
    reference = gaussian(seed + 100, 10, d)
    expected = [frechet_distance(Gaussian.fit(clip), reference) for clip in clips]
    np.testing.assert_allclose(distances_per_clip(clips, reference), expected, rtol=1e-6, atol=1e-9)


@settings(deadline=None, max_examples=50)
@given(seed=seeds, n=st.integers(4, 20), d=st.integers(1, 3))
def test_influences_sum_to_zero_and_vanish_at_the_same_gaussian(seed: int, n: int, d: int) -> None:
    rows = one_row_each(vectors(seed, n, d))
    far, same = gaussian(seed + 1, 12, d), Gaussian.fit(rows.vectors)
    influence = frechet_influence(rows, far)
    assert influence.sum() == pytest.approx(0, abs=1e-9 * np.abs(influence).max())
    if n > d + 1:
        np.testing.assert_allclose(frechet_influence(rows, same), 0, atol=1e-6 * same.trace)


@settings(deadline=None, max_examples=50)
@given(seed=seeds, rows=st.integers(1, 6), more=st.integers(0, 6))
def test_nuclear_norms_lie_within_their_bound_of_the_singular_values(seed: int, rows: int, more: int) -> None:
    matrices = np.random.default_rng(seed).standard_normal((3, rows, rows + more))
    norms, bounds = nuclear_norms(matrices)
    exact = np.linalg.svd(matrices, compute_uv=False).sum(axis=1)
    assert (np.abs(norms - exact) <= bounds + 1e-12 * exact).all()
