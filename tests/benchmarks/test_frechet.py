"""Fréchet distances, moments included, embeddings in memory: ours, frechet_audio_distance's and fadtk's."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
import pytest
import reference_packages

from clipsonic_eval.arraytypes import FloatArray
from clipsonic_eval.stats.frechet import Gaussian, squared_frechet
from clipsonic_eval.stats.frechet_clips import distances_per_clip
from clipsonic_eval.stats.frechet_inf import extrapolate
from clipsonic_eval.stats.pairwise import Rows

SIZES = [(512, 1000), (512, 20000), (1024, 1000), (2048, 1000)]
CLIPS, FRAMES, DIM = 1000, 30, 512
POOL = 5000


def sets(d: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(d)
    mix = np.eye(d) + 0.3 * rng.standard_normal((d, d)) / np.sqrt(d)
    a = rng.standard_normal((n, d)) @ mix
    b = 1.1 * rng.standard_normal((n, d)) @ mix + 0.1
    return a.astype(np.float32), b.astype(np.float32)


def root(x: FloatArray) -> np.ndarray:
    """Return R with R^T R = the covariance of the rows."""
    centred = x.astype(np.float64) - x.mean(axis=0, dtype=np.float64)
    return np.linalg.qr(centred, mode="r") / np.sqrt(len(x) - 1)


def definition(a: FloatArray, b: FloatArray) -> float:
    """Return the squared distance written out, with tr (C_a C_b)^(1/2) as the sum of singular values of two roots."""
    ours, theirs = root(a), root(b)
    apart = a.mean(axis=0, dtype=np.float64) - b.mean(axis=0, dtype=np.float64)
    cross = np.linalg.svd(ours @ theirs.T, compute_uv=False).sum()
    return float(apart @ apart + (ours**2).sum() + (theirs**2).sum() - 2 * cross)


@lru_cache(maxsize=4)
def truth(d: int, n: int) -> float:
    return definition(*sets(d, n))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("who", ["ours", "frechet-audio-distance", "fadtk"])
@pytest.mark.parametrize(("d", "n"), SIZES)
def test_two_sets(benchmark: Any, d: int, n: int, who: str) -> None:
    makers: dict[str, Callable[[], Callable[[np.ndarray, np.ndarray], float]]] = {
        "ours": lambda: squared_frechet,
        "frechet-audio-distance": reference_packages.frechet_audio_distance,
        "fadtk": reference_packages.fadtk_distance,
    }
    benchmark.group = f"Fréchet distance, d {d}, n {n}"
    benchmark.extra_info["who"] = who
    a, b = sets(d, n)
    distance = makers[who]()

    try:
        distance(a, b)
    except ValueError as error:  # an imaginary part above 1e-3, on some sets of less than full rank
        pytest.skip(f"{who} gives no distance here, so its time is none: {error}")
    found = benchmark.pedantic(distance, (a, b), rounds=7 if who == "ours" else 2, warmup_rounds=who == "ours")
    assert found == pytest.approx(truth(d, n), rel=1e-6 if who == "ours" else 1e-4)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("who", ["ours", "fadtk"])
def test_each_clip(benchmark: Any, who: str) -> None:
    """1000 clips of 30 rows; fadtk is timed on four of them."""
    clips = CLIPS if who == "ours" else 4
    benchmark.group = f"Fréchet distance of each clip of {FRAMES} rows, d {DIM}"
    benchmark.extra_info.update(who=who, units=clips)
    reference = sets(DIM, 2000)[0]
    rows = sets(DIM, clips * FRAMES)[1].reshape(clips, FRAMES, DIM)
    if who == "ours":
        fitted = Gaussian.fit(reference)
        found = benchmark.pedantic(lambda: distances_per_clip(rows, fitted), rounds=3, warmup_rounds=1)
        assert found.shape == (clips,)
        assert np.isfinite(found).all()
        checked = range(0, clips, clips // 4)
        assert found[list(checked)] == pytest.approx([definition(rows[i], reference) for i in checked], rel=1e-6)
        return
    package = reference_packages.fadtk()
    fixed = package.calc_embd_statistics(reference)

    def run() -> list[float]:
        return [
            float(np.real(package.calc_frechet_distance(*fixed, *package.calc_embd_statistics(clip)))) for clip in rows
        ]

    theirs = benchmark.pedantic(run, rounds=1)
    assert theirs == pytest.approx([definition(clip, reference) for clip in rows], rel=1e-4)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("who", ["ours", "fadtk"])
def test_infinite_sample(benchmark: Any, who: str) -> None:
    """25 sizes up to 5000 rows."""
    benchmark.group = f"FAD-inf, 25 steps, {POOL} rows, d {DIM}"
    benchmark.extra_info["who"] = who
    reference, pool = sets(DIM, POOL)
    if who == "ours":
        fitted = Gaussian.fit(reference)
        rows = Rows(pool.astype(np.float64), np.arange(POOL))
        order = np.random.default_rng(0).permutation(POOL)
        found = benchmark.pedantic(lambda: extrapolate(rows, order, fitted), rounds=3, warmup_rounds=1)
        assert len(found.clips) == 25
        ends = [pool[order[:size]] if i % 2 == 0 else pool[order[-size:]] for i, size in enumerate(found.clips)]
        written_out = [definition(part, reference) for part in ends]
        assert found.distances == pytest.approx(written_out, rel=1e-6)
        assert found.limit == pytest.approx(np.polyfit(1 / found.clips, written_out, 1)[1], rel=1e-5)
        return
    package = reference_packages.fadtk()
    fixed = package.calc_embd_statistics(reference)
    rng = np.random.default_rng(0)

    drawn = [pool[rng.integers(0, POOL, int(n))] for n in np.linspace(500, POOL, 25)]

    def run() -> list[float]:
        return [
            float(np.real(package.calc_frechet_distance(*fixed, *package.calc_embd_statistics(part)))) for part in drawn
        ]

    theirs = benchmark.pedantic(run, rounds=1)
    assert theirs == pytest.approx([definition(part, reference) for part in drawn], rel=1e-4)
