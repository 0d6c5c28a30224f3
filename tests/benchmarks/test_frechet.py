"""Fréchet distances, moments included, embeddings in memory: ours, frechet_audio_distance's and fadtk's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import judges
import numpy as np
import pytest

from clipsonic_eval.stats.frechet import Gaussian, squared_frechet
from clipsonic_eval.stats.frechet_clips import clip_distances
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


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("who", ["ours", "frechet-audio-distance", "fadtk"])
@pytest.mark.parametrize(("d", "n"), SIZES)
def test_two_sets(benchmark: Any, d: int, n: int, who: str) -> None:
    makers: dict[str, Callable[[], Callable[[np.ndarray, np.ndarray], float]]] = {
        "ours": lambda: squared_frechet,
        "frechet-audio-distance": judges.frechet_audio_distance,
        "fadtk": judges.fadtk_distance,
    }
    benchmark.group = f"Fréchet distance, d {d}, n {n}"
    benchmark.extra_info["who"] = who
    a, b = sets(d, n)
    distance = makers[who]()

    def run() -> float:
        try:
            return distance(a, b)
        except ValueError:  # an imaginary part above 1e-3: theirs gives up on some sets of less than full rank
            return float("nan")

    found = benchmark.pedantic(run, rounds=7 if who == "ours" else 2, warmup_rounds=who == "ours")
    assert np.isnan(found) or found == pytest.approx(squared_frechet(a, b), rel=1e-5)


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
        benchmark.pedantic(lambda: clip_distances(rows, fitted), rounds=3, warmup_rounds=1)
        return
    judge = judges.fadtk()
    fixed = judge.calc_embd_statistics(reference)

    def run() -> None:
        for clip in rows:
            judge.calc_frechet_distance(*fixed, *judge.calc_embd_statistics(clip))

    benchmark.pedantic(run, rounds=1)


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
        benchmark.pedantic(lambda: extrapolate(rows, order, fitted), rounds=3, warmup_rounds=1)
        return
    judge = judges.fadtk()
    fixed = judge.calc_embd_statistics(reference)
    rng = np.random.default_rng(0)

    def run() -> None:
        for n in np.linspace(500, POOL, 25):
            drawn = pool[rng.integers(0, POOL, int(n))]
            judge.calc_frechet_distance(*fixed, *judge.calc_embd_statistics(drawn))

    benchmark.pedantic(run, rounds=1)
