"""Change points against apache-otava's (E-divisive with t-tests, p ≤ 0.001), on the same simulated series."""

from __future__ import annotations

import numpy as np
import pytest

from clipsonic_eval.stats.change_points import find_change_points

SERIES = 100
Places = list[int]


def judged(n: int, steps: tuple[int, ...], size: float) -> list[tuple[Places, Places]]:
    """Return the places that otava and that we find in each series; the level goes up and down in turn."""
    from otava.analysis import compute_change_points

    found = []
    for seed in range(SERIES):
        series = 100 + np.random.default_rng(seed).standard_normal(n)
        for k, step in enumerate(steps):
            series[step:] += size if k % 2 == 0 else -size
        theirs = [point.index for point in compute_change_points(series.tolist())[0]]
        found.append((theirs, [step.index for step in find_change_points(series).steps]))
    return found


def hits(places: Places, steps: tuple[int, ...]) -> bool:
    return all(any(abs(place - step) <= 2 for place in places) for step in steps)


@pytest.mark.parametrize(("n", "steps"), [(40, (25,)), (60, (20, 40)), (100, (50,))])
def test_both_find_large_steps_at_the_same_places(n: int, steps: tuple[int, ...]) -> None:
    found = judged(n, steps, size=4.0)
    assert np.mean([hits(theirs, steps) and hits(ours, steps) for theirs, ours in found]) >= 0.97
    assert np.mean([theirs == ours for theirs, ours in found]) >= 0.8


@pytest.mark.parametrize(("n", "steps"), [(40, (25,)), (60, (20, 40)), (100, (50,))])
@pytest.mark.parametrize("size", [1.0, 2.0])
def test_of_smaller_steps_ours_finds_no_fewer(n: int, steps: tuple[int, ...], size: float) -> None:
    found = judged(n, steps, size)
    theirs, ours = (np.mean([hits(pair[k], steps) for pair in found]) for k in (0, 1))
    assert ours >= theirs - 0.05


@pytest.mark.parametrize("n", [40, 60, 100])
def test_without_a_change_both_are_silent_in_most_series_and_ours_is_no_louder(n: int) -> None:
    found = judged(n, (), 0.0)
    theirs, ours = (np.mean([bool(pair[k]) for pair in found]) for k in (0, 1))
    assert ours <= theirs + 0.03
    assert max(theirs, ours) <= 0.1
