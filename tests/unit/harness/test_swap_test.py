"""Paired tests of set metrics by swaps: against systems that are really swapped, and how often they reject."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from clipsonic_eval.errors import ShapeError
from clipsonic_eval.harness.calibration import populations
from clipsonic_eval.harness.compare import compare_systems
from clipsonic_eval.metrics import METRICS, Inputs, SetMetric
from clipsonic_eval.metrics.scoring import score_systems
from clipsonic_eval.records import Comparison
from clipsonic_eval.stats import bootstrap, paired
from clipsonic_eval.stats.frechet import Gaussian
from clipsonic_eval.types import Embeddings

RNG = np.random.default_rng
OURS = [
    name
    for name in METRICS
    if isinstance(m := METRICS[name], SetMetric) and m.influence and m.linear_in_swaps and not m.card.package
]


def set_metric(name: str) -> SetMetric:
    metric = METRICS[name]
    assert isinstance(metric, SetMetric)
    return metric


def swapped(a: Inputs, b: Inputs, stay: np.ndarray) -> tuple[Inputs, Inputs]:
    """Swap the rows of the two systems where ``stay`` is false; both have one row per clip, in one order."""
    x, y = a.system.vectors, b.system.vectors
    first, second = np.where(stay[:, None], x, y), np.where(stay[:, None], y, x)
    put = [dataclasses.replace(one.system, vectors=v) for one, v in ((a, first), (b, second))]
    return dataclasses.replace(a, system=put[0]), dataclasses.replace(b, system=put[1])


def contributions(metric: SetMetric, a: Inputs, b: Inputs) -> np.ndarray:
    n = len(a.system)
    pooled = Embeddings(
        np.concatenate([a.system.vectors, b.system.vectors]),
        tuple(f"{i:04d}" for i in range(2 * n)),
        "audio",
        a.system.space,
    )
    assert metric.influence is not None
    found = np.array(list(metric.influence(dataclasses.replace(a, system=pooled)).system.values()))
    return 2 * (found[:n] - found[n:])


@pytest.mark.parametrize("name", OURS)
def test_the_contributions_with_signs_are_the_differences_of_swapped_systems(name: str) -> None:
    metric = set_metric(name)
    a, b = populations.draw(RNG(0), 40, metric.card, (0.4, 0.6))
    by_clip = contributions(metric, a, b)
    patterns = [np.ones(40, dtype=bool), *(RNG(1).random((20, 40)) < 0.5)]
    true = np.array([metric.value(x) - metric.value(y) for x, y in (swapped(a, b, s) for s in patterns)])
    linear = np.array([by_clip @ np.where(s, 1, -1) for s in patterns])
    assert np.corrcoef(true, linear)[0, 1] > 0.99
    assert linear.std() == pytest.approx(true.std(), rel=0.1)


def compared(name: str, a: Inputs, b: Inputs, seed: int = 0, permutations: int = 199) -> Comparison:
    metric = set_metric(name)
    inputs = {"a": a, "b": b}
    scored = score_systems(metric, inputs, n_boot=20, seed=seed)
    (found,), _ = compare_systems(
        metric, inputs, scored, [("a", "b")], n_boot=20, n_permutations=permutations, seed=seed
    )
    return found


def drawn(seed: int, apart: float, n: int = 40) -> tuple[Inputs, Inputs]:
    """Return two systems near the reference; the second one is shifted further."""
    a, b = populations.draw(RNG([7, seed]), n, METRICS["fad"].card, (0.4, 0.4))
    moved = dataclasses.replace(b.system, vectors=b.system.vectors + apart)
    return a, dataclasses.replace(b, system=moved)


def share(apart: float, repeats: int) -> tuple[float, float]:
    p = [compared("fad", *drawn(i, apart), seed=i).p_value for i in range(repeats)]
    return bootstrap.wilson_interval(float(np.mean(np.array(p) <= 0.05)), repeats)


def test_equal_systems_are_told_apart_by_fad_as_often_as_the_level_says() -> None:
    low, high = share(0.0, 150)
    assert low < 0.05 < high


def test_a_system_that_is_further_off_is_found_by_fad() -> None:
    assert share(0.15, 60)[0] > 0.5  # the damped bootstrap: 0.05 to 0.2


@pytest.mark.slow
@pytest.mark.parametrize("name", [n for n in OURS if n.startswith(("fad", "k", "precision", "density", "diversity"))])
def test_tests_by_swaps_hold_their_level(name: str) -> None:
    metric, p = set_metric(name), []
    for i in range(400):
        a, b = populations.draw(RNG([8, i]), 50, metric.card, (0.4, 0.4))
        p.append(compared(name, a, b, seed=i).p_value)
    assert bootstrap.wilson_interval(float(np.mean(np.array(p) <= 0.05)), 400)[0] < 0.05


def test_unlike_systems_of_equal_distance_are_seldom_told_apart() -> None:
    """One is shifted, one is wider, by as much: swaps alone would reject 39 % of them."""
    inside = []
    for i in range(60):
        rng = RNG([9, i])
        spread = np.sqrt(np.logspace(0, -1, 4))
        x, reference = (rng.standard_normal((300, 4)) * spread for _ in range(2))
        keys, space = tuple(f"{k:03d}" for k in range(300)), METRICS["fad"].card
        sets = [
            Embeddings(v, keys, "audio", populations.draw(rng, 2, space, (0.4,))[0].system.space)
            for v in (x + 0.6 * spread, x + np.sqrt(1.6**2 - 1) * rng.standard_normal((300, 4)) * spread, reference)
        ]
        inside.append(compared("fad", Inputs(sets[0], sets[2]), Inputs(sets[1], sets[2]), seed=i).p_value > 0.05)
    assert np.mean(inside) > 0.85


def test_a_system_and_itself_have_no_difference() -> None:
    a, _ = drawn(0, 0.0)
    found = compared("fad", a, a)
    assert (found.difference, found.p_value, found.ci) == (0.0, 1.0, (0.0, 0.0))
    assert found.test == "paired-swap-199"


def test_few_queries_are_tested_over_all_swaps() -> None:
    a, b = drawn(0, 1.0, n=6)
    found = compared("kad", a, b)
    assert found.test == "paired-swap-exact-64"
    assert found.p_value == 2 / 64


def test_the_unit_of_the_embeddings_changes_no_p_value() -> None:
    a, b = drawn(1, 0.1)
    first = compared("fad", a, b)

    def scaled(e: Embeddings) -> Embeddings:
        return dataclasses.replace(e, vectors=e.vectors * 1e-9)

    for one in (a, b):
        assert one.reference is not None
    small = [Inputs(scaled(one.system), scaled(one.reference)) for one in (a, b) if one.reference]
    second = compared("fad", *small)
    assert second.p_value == first.p_value
    assert second.ci == pytest.approx(tuple(1e-18 * end for end in first.ci), rel=1e-6)


def test_queries_that_only_one_system_answered_take_no_part() -> None:
    a, b = drawn(2, 0.1)
    fewer = dataclasses.replace(b, system=b.system.take(np.arange(30)))
    both = dataclasses.replace(a, system=a.system.take(np.arange(30)))
    assert compared("kid", a, fewer) == compared("kid", both, fewer)


def test_parts_that_are_not_finite_are_refused() -> None:
    with pytest.raises(ShapeError, match="must be finite"):
        paired.swap_test(1.0, np.array([1.0, np.nan]), 1.0, [1.0], 100, 0)


def test_a_reference_of_stored_moments_takes_part_in_swaps_with_fewer_rows_than_dimensions() -> None:
    a, b = drawn(3, 1.0, n=7)  # of 8 dimensions
    moments = Gaussian(0, np.zeros(8), np.eye(8))
    given = [Inputs(x.system, reference_moments=moments) for x in (a, b)]
    assert compared("fad", *given).test == "paired-swap-exact-128"
