"""Precision, recall, density and coverage against loops over all pairs."""

from __future__ import annotations

import numpy as np
import pytest

from clipsonic_eval.stats import chunking, manifold
from clipsonic_eval.stats.pairwise import LeaveOneOut, Rows

K = 3


def material(seed: int, rows_of_clip: int = 1, n: int = 24, m: int = 30) -> tuple[Rows, Rows]:
    """A system (n rows) and a reference (m rows) that overlap in part."""
    rng = np.random.default_rng(seed)
    system = rng.standard_normal((n, 2)) * 0.7 + 0.8
    return (
        Rows(system, np.repeat(np.arange(n // rows_of_clip), rows_of_clip)),
        Rows(rng.standard_normal((m, 2)), np.repeat(np.arange(m // rows_of_clip), rows_of_clip)),
    )


def looped(system: np.ndarray, reference: np.ndarray, k: int) -> dict[str, float]:
    """The definitions, one distance at a time."""

    def radius(x: np.ndarray, i: int) -> float:
        return float(np.sort([np.linalg.norm(x[i] - x[j]) for j in range(len(x)) if j != i])[k - 1])

    balls = [radius(reference, i) for i in range(len(reference))]
    own = [radius(system, i) for i in range(len(system))]
    within = [[np.linalg.norm(y - x) <= r for x, r in zip(reference, balls, strict=True)] for y in system]
    back = [[np.linalg.norm(y - x) <= r for x, r in zip(system, own, strict=True)] for y in reference]
    return {
        "precision": float(np.mean([any(w) for w in within])),
        "recall": float(np.mean([any(w) for w in back])),
        "density": float(np.mean([sum(w) for w in within])) / k,
        "coverage": float(np.mean(np.any(within, axis=0))),
    }


def shares(system: Rows, reference: Rows, k: int = K) -> dict[str, LeaveOneOut]:
    ours, theirs = manifold.balls_of_both(system, reference, k)
    return {
        "precision": manifold.share_within(ours.centres, theirs),
        "recall": manifold.share_within(theirs.centres, ours),
        "density": manifold.density(ours.centres, theirs),
        "coverage": manifold.coverage(ours.centres, theirs),
    }


@pytest.mark.parametrize("block", [40, 4_000_000])
@pytest.mark.parametrize("seed", range(4))
def test_shares_are_those_of_a_loop(monkeypatch: pytest.MonkeyPatch, block: int, seed: int) -> None:
    monkeypatch.setattr(chunking, "CHUNK_VALUES", block)
    system, reference = material(seed)
    found = {name: share.value for name, share in shares(system, reference).items()}
    assert found == pytest.approx(looped(system.vectors, reference.vectors, K), rel=1e-12)
    assert 0 < found["recall"] < 1


@pytest.mark.parametrize("rows_of_clip", [1, 2])
@pytest.mark.parametrize("seed", range(3))
def test_shares_without_a_clip_are_those_of_the_other_clips(rows_of_clip: int, seed: int) -> None:
    system, reference = material(seed, rows_of_clip)
    found = shares(system, reference)
    for clip in range(len(system.counts)):
        expected = looped(system.vectors[system.clip_of_row != clip], reference.vectors, K)
        for name, share in found.items():
            got = share.without_second if name == "recall" else share.without_first
            assert got[clip] == pytest.approx(expected[name], rel=1e-12), name
    for clip in range(len(reference.counts)):
        expected = looped(system.vectors, reference.vectors[reference.clip_of_row != clip], K)
        for name, share in found.items():
            got = share.without_first if name == "recall" else share.without_second
            assert got[clip] == pytest.approx(expected[name], rel=1e-12), name


@pytest.mark.parametrize("offset", [0.0, 1e4])
def test_a_set_and_itself_cover_each_other(offset: float) -> None:
    x = np.random.default_rng(5).standard_normal((50, 6)).astype(np.float32).astype(np.float64) + offset
    found = {name: share.value for name, share in shares(Rows(x, np.arange(50)), Rows(x[::-1], np.arange(50))).items()}
    assert found == pytest.approx({"precision": 1, "recall": 1, "density": (K + 1) / K, "coverage": 1}, rel=1e-12)


def test_sets_far_apart_cover_nothing() -> None:
    system, reference = material(6)
    far = Rows(system.vectors + 100, system.clip_of_row)
    assert [share.value for share in shares(far, reference).values()] == [0, 0, 0, 0]


def test_a_collapsed_system_is_precise_and_covers_little() -> None:
    _, reference = material(7)
    centre = reference.vectors[np.argmin((reference.vectors**2).sum(axis=1))]
    few = centre + 1e-3 * np.random.default_rng(0).standard_normal((20, 2))
    found = {name: share.value for name, share in shares(Rows(few, np.arange(20)), reference).items()}
    assert found["precision"] == 1
    assert found["recall"] <= 1 / 30
    assert found["coverage"] < 0.5


def test_a_scattered_system_reaches_everything_and_is_not_precise() -> None:
    _, reference = material(8)
    wide = np.random.default_rng(1).standard_normal((30, 2)) * 8
    found = {name: share.value for name, share in shares(Rows(wide, np.arange(30)), reference).items()}
    assert found["precision"] < 0.5
    assert found["recall"] == 1


@pytest.mark.parametrize("name", ["precision", "recall", "density", "coverage"])
def test_the_shares_of_halves_are_those_of_a_loop(name: manifold.Statistic) -> None:
    system, reference = material(9)
    found = manifold._share(system.vectors, reference.vectors, K, name)
    assert found == pytest.approx(looped(system.vectors, reference.vectors, K)[name], abs=1e-12)


def test_halves_keep_the_rows_of_a_clip_together_and_apart() -> None:
    rows = Rows(np.arange(60.0)[:, None], np.repeat(np.arange(20), 3))
    first, second = manifold._parts(rows, 9, np.random.default_rng(0))
    clips = [set((part[:, 0] // 3).astype(int)) for part in (first, second)]
    assert [len(part) for part in (first, second)] == [27, 27]
    assert not clips[0] & clips[1]


def test_too_few_clips_have_no_halves() -> None:
    rng = np.random.default_rng(0), np.random.default_rng(1)
    assert manifold.half_deviations(*material(0, n=20), K, "recall", rng) is None


def test_the_spread_of_halves_is_that_of_fresh_samples() -> None:
    values, spreads = [], []
    for i in range(60):
        system, reference = material(i, n=60, m=60)
        values.append(manifold._share(system.vectors, reference.vectors, K, "recall"))
        if i < 12:
            rng = np.random.default_rng([1, i]), np.random.default_rng([2, i])
            found = manifold.half_deviations(system, reference, K, "recall", rng)
            assert found is not None
            spreads.append(float(np.mean(found**2)))
    assert np.sqrt(np.mean(spreads)) == pytest.approx(np.std(values), rel=0.35)  # the jackknife: 2 times and more
