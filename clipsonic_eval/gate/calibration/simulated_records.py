"""Run records of simulated evaluations: some systems, four metrics, one record per training seed."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from clipsonic_eval import seeds
from clipsonic_eval.gate.limits import from_texts
from clipsonic_eval.harness.calibration.populations import draw
from clipsonic_eval.harness.resolve import resolve_metric
from clipsonic_eval.metrics import Inputs, SetMetric
from clipsonic_eval.metrics.scoring import score_systems
from clipsonic_eval.records import RunRecord
from clipsonic_eval.types import Embeddings, Score

LIMITS: Final = from_texts(["fad<+3%", "clap_score>-0.01", "kl<+3%", "class_accuracy>-0.02"])
NAMES: Final = ("a", "b")
NOISE: Final = 0.4

Noises = Sequence[Mapping[str, float]]  # of each record: noise by system


def same_noise(factor: float = 1.0, records: int = 1) -> Noises:
    """Return noises of some records whose systems are all as noisy as usual, times a factor."""
    return [dict.fromkeys(NAMES, NOISE * factor)] * records


def sides(
    baseline: Noises, candidate: Noises, n: int, *, stream: str, seed: int, n_boot: int
) -> tuple[list[RunRecord], list[RunRecord]]:
    """Simulate the evaluations of both sides on the same queries.

    Args:
        baseline: noises of its records.
        candidate: noises of its records.
        n: number of queries.
        stream: name of the draw.
        seed: of the simulation.
        n_boot: resamples of statistics of sets; 0: scores without intervals.
    """
    noises = [*baseline, *candidate]
    scores: list[list[Score]] = [[] for _ in noises]
    for limit in LIMITS.limits:
        metric = resolve_metric(limit.metric)
        rng = seeds.stream(seed, f"{stream}-{metric.card.role}", "calibrate-gate")  # classifiers judge the same clips
        drawn = iter(draw(rng, n, metric.card, tuple(noise for one in noises for noise in one.values())))
        for i, one in enumerate(noises):
            inputs = {name: next(drawn) for name in one}
            resamples = n_boot if isinstance(metric, SetMetric) else 0  # tests of means take no interval
            scores[i] += score_systems(metric, inputs, n_boot=resamples, seed=seed).scores.values()
    records = [_record(found, i) for i, found in enumerate(scores)]
    return records[: len(baseline)], records[len(baseline) :]


def same_weights(n: int, moved: float, *, stream: str, seed: int) -> tuple[list[RunRecord], list[RunRecord]]:
    """Simulate one model under other code, which takes the clips in another order.

    Args:
        n: number of queries.
        moved: relative error that the other code adds to embeddings.
        stream: name of the draw.
        seed: of the simulation.
    """
    old: list[Score] = []
    new: list[Score] = []
    for limit in LIMITS.limits:
        metric = resolve_metric(limit.metric)
        rng = seeds.stream(seed, f"{stream}-{metric.card.role}", "calibrate-gate")
        inputs = dict(zip(NAMES, draw(rng, n, metric.card, (NOISE,) * len(NAMES)), strict=True))
        other = {name: _recomputed(one, rng, moved) for name, one in inputs.items()}
        old += score_systems(metric, inputs, n_boot=0, seed=seed).scores.values()
        new += score_systems(metric, other, n_boot=0, seed=seed).scores.values()
    return [_record(old, 0, side="code before")], [_record(new, 0, side="code after")]


def _recomputed(inputs: Inputs, rng: np.random.Generator, moved: float) -> Inputs:
    embeddings = inputs.system
    order = rng.permutation(len(embeddings.keys))
    vectors = embeddings.vectors[order] * (1 + moved)
    keys = tuple(embeddings.keys[i] for i in order)
    return dataclasses.replace(inputs, system=Embeddings(vectors, keys, embeddings.modality, embeddings.space))


def _record(scores: Sequence[Score], i: int, side: str = "") -> RunRecord:
    weights = "one" if side else str(i)
    return RunRecord(
        "evaluate",
        tuple(scores),
        systems={name: {"card_hash": f"{name}-{weights}"} for name in NAMES},
        tags={"train_seed": str(i)},
        provenance={"commit": side or str(i)},
    )
