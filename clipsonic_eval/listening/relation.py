"""Do metrics say what listeners say? Correlations of mean opinions with FAD, CLAP score and others.

By system: over the systems that both records score, controls left out: real recordings and noise would agree with any
metric. A handful of systems is few, and the interval says so. By clip: over the clips of these systems, with the mean
of each system taken out, so that it is told which of two sounds of *one* system is better; the queries are resampled.
The noise of few answers a clip pulls these towards zero.

Source: R. A. Fisher, On the probable error of a coefficient of correlation deduced from a small sample, 1921.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple

import numpy as np
from scipy import special, stats

from clipsonic_eval.arraytypes import Float64, IntArray
from clipsonic_eval.records import RunRecord
from clipsonic_eval.stats.bootstrap import resample_counts
from clipsonic_eval.stats.crossed import numbered
from clipsonic_eval.types import Score

LEAST = 4  # systems, or clips


class Relation(NamedTuple):
    """A correlation of what listeners said with a metric; positive where both call the same better.

    Attributes:
        opinion: protocol of the listening test.
        metric: that it is compared with.
        over: ``systems`` or ``clips``.
        r: Pearson's correlation; of the metric's negative where lower is better.
        low: lower end of its 95 % interval.
        high: upper end.
        rank: Spearman's correlation.
        n: systems or clips.
    """

    opinion: str
    metric: str
    over: str
    r: float
    low: float
    high: float
    rank: float
    n: int


def relations(
    heard: RunRecord,
    measured: Iterable[RunRecord],
    *,
    controls: Collection[str] = (),
    n_boot: int = 2000,
    seed: int = 0,
) -> list[Relation]:
    """Relate every protocol of a listening test to every metric of other records.

    Args:
        heard: record of the listening test.
        measured: records of evaluations of the same systems.
        controls: systems that are left out.
        n_boot: resamples of the queries.
        seed: of the resamples.

    Returns:
        Correlations; those over fewer than four systems or clips are left out.
    """
    found = []
    others: dict[str, dict[str, Score]] = {}
    for record in measured:
        for score in record.scores:
            others.setdefault(score.metric, {}).setdefault(score.system, score)
    for opinion in heard.metric_names:
        own = {
            score.system: score for score in heard.scores if score.metric == opinion and score.system not in controls
        }
        for by_system in others.values():
            pairs = [(own[name], by_system[name]) for name in own if name in by_system]
            found += [*_by_system(pairs), *_by_clip(pairs, n_boot, seed)]
    return found


def _by_system(pairs: list[tuple[Score, Score]]) -> Iterator[Relation]:
    x, y = (np.array([_good(pair[side]) for pair in pairs]) for side in (0, 1))
    if len(pairs) < LEAST or np.ptp(x) == 0 or np.ptp(y) == 0:
        return
    r = float(np.corrcoef(x, y)[0, 1])
    # tanh(artanh r ± z / √(n − 3))
    half = float(special.ndtri(0.975)) / np.sqrt(len(pairs) - 3)
    centre = float(np.arctanh(np.clip(r, -1 + 1e-12, 1 - 1e-12)))
    low, high = np.tanh(centre - half), np.tanh(centre + half)
    rank = float(stats.spearmanr(x, y).statistic)
    yield Relation(pairs[0][0].metric, pairs[0][1].metric, "systems", r, float(low), float(high), rank, len(pairs))


def _by_clip(pairs: list[tuple[Score, Score]], n_boot: int, seed: int) -> Iterator[Relation]:
    rows = [
        (key, number, a.per_clip[key], b.per_clip[key] * (1 if b.higher_is_better else -1))
        for number, (a, b) in enumerate(pairs)
        for key in sorted(a.per_clip.keys() & b.per_clip.keys())
    ]
    keys = sorted({key for key, *_ in rows})
    if len(keys) < LEAST:
        return
    queries, systems = numbered([row[0] for row in rows]), numbered([row[1] for row in rows])
    x, y = (_centred(np.array([row[side] for row in rows], np.float64), systems) for side in (2, 3))
    if np.ptp(x) < 1e-12 or np.ptp(y) < 1e-12:
        return
    counts = resample_counts(keys, n_boot, seed, "relation").astype(np.float64)
    xy, xx, yy = (counts @ np.bincount(queries, product) for product in (x * y, x**2, y**2))
    drawn = xy / np.sqrt(np.maximum(xx * yy, 1e-300))  # r = Σ w x y / √(Σ w x² Σ w y²)
    low, high = np.quantile(drawn, [0.025, 0.975])
    r = float(x @ y / np.sqrt(x @ x * (y @ y)))
    rank = float(stats.spearmanr(x, y).statistic)
    yield Relation(pairs[0][0].metric, pairs[0][1].metric, "clips", r, float(low), float(high), rank, len(rows))


def _good(score: Score) -> float:
    return score.value if score.higher_is_better else -score.value


def _centred(values: Float64, groups: IntArray) -> Float64:
    """Return values less the mean of their group, both (n,)."""
    return np.asarray(values - (np.bincount(groups, values) / np.bincount(groups))[groups], np.float64)
