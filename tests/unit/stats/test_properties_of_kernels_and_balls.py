"""Properties of MMD, distances between rows, and k-nearest-neighbour balls, on random sets."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
import scipy.spatial.distance as reference
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.stats.arrays import dimensions, one_row_each, rotation, seeds, vectors

from clipsonic_eval.arraytypes import Float64
from clipsonic_eval.stats import manifold
from clipsonic_eval.stats.mmd import (
    cubic_kernel,
    gaussian_kernel,
    inverse_multiquadric_kernel,
    inverse_quadratic_kernel,
    mmd_squared,
)
from clipsonic_eval.stats.pairwise import (
    Kernel,
    LeaveOneOut,
    Rows,
    mean_between,
    mean_within,
    median_distance,
    squared_distances,
)

KERNELS: dict[str, Kernel] = {
    "gaussian": gaussian_kernel(1.5),
    "inverse quadratic": inverse_quadratic_kernel(1.5),
    "inverse multiquadric": inverse_multiquadric_kernel(1.5),
    "cubic": cubic_kernel,
}
STATISTICS: tuple[Literal["precision", "recall", "density", "coverage"], ...] = (
    "precision",
    "recall",
    "density",
    "coverage",
)
sizes = st.integers(3, 12)


def statistic(name: str, system: Float64, others: Float64, k: int = 2) -> LeaveOneOut:
    ours, theirs = manifold.balls_of_both(one_row_each(system), one_row_each(others), k)
    if name == "recall":
        return manifold.share_within(theirs.centres, ours)
    function = {"precision": manifold.share_within, "density": manifold.density, "coverage": manifold.coverage}[name]
    return function(ours.centres, theirs)


@settings(deadline=None, max_examples=50)
@given(seed=seeds, n=sizes, m=sizes, d=dimensions)
def test_squared_distances_are_scipys(seed: int, n: int, m: int, d: int) -> None:
    a, b = vectors(seed, n, d), vectors(seed + 1, m, d)
    expected = reference.cdist(a, b, "sqeuclidean")
    np.testing.assert_allclose(squared_distances(a, b), expected, atol=1e-10 * (1 + expected.max()))


@settings(deadline=None, max_examples=50)
@given(seed=seeds, n=st.integers(2, 15), d=dimensions)
def test_the_median_distance_is_that_of_all_pairs_and_turns_with_nothing(seed: int, n: int, d: int) -> None:
    x = vectors(seed, n, d)
    expected = float(np.median(reference.pdist(x)))
    assert median_distance(x) == pytest.approx(expected, rel=1e-6)
    assert median_distance(x @ rotation(seed, d) + 7) == pytest.approx(expected, rel=1e-6)
    assert median_distance(3 * x) == pytest.approx(3 * expected, rel=1e-6)
    assert median_distance(x, lower=True) <= median_distance(x) * (1 + 1e-12)


@pytest.mark.parametrize("name", KERNELS)
@settings(deadline=None, max_examples=20)
@given(seed=seeds, n=sizes, d=dimensions)
def test_kernels_are_symmetric_and_positive_semi_definite(name: str, seed: int, n: int, d: int) -> None:
    gram = KERNELS[name](x := vectors(seed, n, d), x)
    np.testing.assert_allclose(gram, gram.T, rtol=1e-10, atol=1e-10)
    assert np.linalg.eigvalsh((gram + gram.T) / 2).min() >= -1e-9 * np.abs(gram).max()


@pytest.mark.parametrize("name", ["gaussian", "inverse quadratic", "inverse multiquadric"])
@settings(deadline=None, max_examples=20)
@given(seed=seeds, n=sizes, d=dimensions)
def test_kernels_of_differences_are_one_at_zero_and_fall_with_distance(name: str, seed: int, n: int, d: int) -> None:
    x = vectors(seed, n, d)
    origin = x[:1]
    gram, distances = KERNELS[name](origin, x)[0], np.linalg.norm(x - origin, axis=1)
    assert gram[0] == pytest.approx(1)
    order = np.argsort(distances)
    assert (np.diff(gram[order]) <= 1e-12).all()


@pytest.mark.parametrize("name", KERNELS)
@settings(deadline=None, max_examples=20)
@given(seed=seeds, n=sizes, m=sizes, d=dimensions)
def test_mmd_is_the_mean_of_its_three_parts_and_symmetric(name: str, seed: int, n: int, m: int, d: int) -> None:
    kernel = KERNELS[name]
    a, b = one_row_each(vectors(seed, n, d)), one_row_each(vectors(seed + 1, m, d))
    found, turned = mmd_squared(a, b, kernel), mmd_squared(b, a, kernel)
    within = [kernel(x.vectors, x.vectors)[~np.eye(len(x.vectors), dtype=bool)].mean() for x in (a, b)]
    expected = sum(within) - 2 * kernel(a.vectors, b.vectors).mean()
    scale = 1 + sum(map(abs, within))
    assert found.value == pytest.approx(expected, abs=1e-10 * scale)
    assert turned.value == pytest.approx(found.value, abs=1e-10 * scale)
    np.testing.assert_allclose(turned.without_first, found.without_second, atol=1e-10 * scale)


@settings(deadline=None, max_examples=30)
@given(seed=seeds, n=sizes, m=sizes, d=dimensions)
def test_without_a_clip_is_the_statistic_of_the_other_clips(seed: int, n: int, m: int, d: int) -> None:
    kernel = KERNELS["gaussian"]
    a, b = vectors(seed, n + 1, d), vectors(seed + 1, m, d)
    found = mmd_squared(one_row_each(a), one_row_each(b), kernel)
    left_out = mmd_squared(one_row_each(a[1:]), one_row_each(b), kernel)
    assert found.without_first[0] == pytest.approx(left_out.value, abs=1e-10)


@settings(deadline=None, max_examples=30)
@given(seed=seeds, n=sizes, d=dimensions)
def test_copies_of_a_clips_rows_leave_means_over_pairs_of_clips(seed: int, n: int, d: int) -> None:
    x = vectors(seed, n, d)
    twice = Rows(np.repeat(x, 2, axis=0), np.repeat(np.arange(n), 2))
    kernel = KERNELS["gaussian"]
    assert mean_within(twice, kernel).value == pytest.approx(mean_within(one_row_each(x), kernel).value, rel=1e-9)
    other = one_row_each(vectors(seed + 1, 5, d))
    expected = mean_between(one_row_each(x), other, kernel)
    found = mean_between(twice, other, kernel)
    assert found.value == pytest.approx(expected.value, rel=1e-9)
    np.testing.assert_allclose(found.without_first, expected.without_first, rtol=1e-9)


@pytest.mark.parametrize("name", STATISTICS)
@settings(deadline=None, max_examples=20)
@given(seed=seeds, n=sizes, m=sizes, d=dimensions, scale=st.floats(0.1, 10))
def test_shares_do_not_change_with_scale_and_position(
    name: str, seed: int, n: int, m: int, d: int, scale: float
) -> None:
    a, b = vectors(seed, n + 1, d), vectors(seed + 1, m + 1, d)
    value = statistic(name, a, b).value
    assert value >= 0
    assert name == "density" or value <= 1
    assert statistic(name, scale * a + 3, scale * b + 3).value == pytest.approx(value)


@pytest.mark.parametrize("name", STATISTICS)
@settings(deadline=None, max_examples=20)
@given(seed=seeds, n=sizes, d=dimensions)
def test_sets_far_apart_share_nothing_and_equal_sets_share_all(name: str, seed: int, n: int, d: int) -> None:
    x = vectors(seed, n + 1, d)
    assert statistic(name, x + 1e4, x).value == 0
    if name != "density":
        assert statistic(name, x, x).value == 1


@settings(deadline=None, max_examples=30)
@given(seed=seeds, n=sizes, m=sizes, d=dimensions)
def test_precision_of_one_set_is_recall_of_the_other(seed: int, n: int, m: int, d: int) -> None:
    a, b = vectors(seed, n + 1, d), vectors(seed + 1, m + 1, d)
    assert statistic("precision", a, b).value == pytest.approx(statistic("recall", b, a).value)


@settings(deadline=None, max_examples=30)
@given(seed=seeds, n=st.integers(5, 12), d=dimensions)
def test_more_neighbours_never_shrink_a_ball(seed: int, n: int, d: int) -> None:
    rows = one_row_each(vectors(seed, n, d))
    radii = [manifold.nearest_neighbour_balls(rows, k).radii for k in (1, 2, 3)]
    assert (radii[0] <= radii[1]).all()
    assert (radii[1] <= radii[2]).all()
    expected = np.sort(reference.cdist(rows.vectors, rows.vectors, "sqeuclidean"), axis=1)[:, 2]
    np.testing.assert_allclose(radii[1], expected, rtol=1e-6, atol=1e-9)


@settings(deadline=None, max_examples=30)
@given(seed=seeds, n=st.integers(5, 12), d=dimensions)
def test_balls_without_a_clip_are_those_of_the_other_rows(seed: int, n: int, d: int) -> None:
    x = vectors(seed, n, d)
    x -= x.mean(axis=0)
    found = manifold.nearest_neighbour_balls(one_row_each(x), 2)
    for ball, left_out, radius in zip(found.ball, found.left_out, found.radii_without, strict=True):
        others = np.delete(np.arange(n), [ball, left_out])
        expected = np.sort(((x[others] - x[ball]) ** 2).sum(axis=1))[1]
        assert radius == pytest.approx(expected, rel=1e-6, abs=1e-9)
