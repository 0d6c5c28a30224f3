"""Simulated populations: embeddings of systems, a reference, prompts and classes, by the role of the encoder.

Small and heavy-tailed rather than realistic: the statistics are under test, whose assumptions (independent clips,
enough of them) are the same on real embeddings. Systems answer the same queries and share the effect of a query, so
that paired tests gain by pairing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from clipsonic_eval.arraytypes import Float64
from clipsonic_eval.metrics import Inputs, MetricCard
from clipsonic_eval.types import Embeddings, EncoderCard, Modality

Population = Callable[[np.random.Generator, int, MetricCard, tuple[float, ...]], list[Inputs]]

DIM: Final = 8
CLASSES: Final = 6
_PAIR_DIM: Final = 16


def draw(rng: np.random.Generator, n: int, card: MetricCard, noises: tuple[float, ...]) -> list[Inputs]:
    """Draw one evaluation of some systems on n queries: the inputs of each system.

    Args:
        rng: of this draw.
        n: number of queries.
        card: of the metric; its role names the population.
        noises: one per system; equal ones are systems of equal quality, larger ones are worse.
    """
    return POPULATIONS[card.role](rng, n, card, noises)


def _keys(n: int) -> tuple[str, ...]:
    return tuple(f"q{i:05d}" for i in range(n))


def _space(dim: int, labels: tuple[str, ...] = ()) -> EncoderCard:
    return EncoderCard("simulated", "none", dim, ("audio", "text"), "simulated", labels=labels)


def _embeddings(vectors: Float64, keys: tuple[str, ...], space: EncoderCard, modality: Modality) -> Embeddings:
    return Embeddings(vectors, keys, modality, space)


def _features(rng: np.random.Generator, n: int, card: MetricCard, noises: tuple[float, ...]) -> list[Inputs]:
    """Metrics that need several rows per clip get three times as many, around a centre of the clip's own."""
    return features(rng, n, noises, rows=1 if card.min_rows == 1 else 3 * card.min_rows)


def features(
    rng: np.random.Generator, n: int, noises: tuple[float, ...], *, rows: int = 1, dim: int = DIM
) -> list[Inputs]:
    """Draw Student's t of 8 degrees, variances from 1 to 0.1; the system is shifted by 0.2 and wider by its noise.

    Args:
        rng: of this draw.
        n: number of queries, and of clips of the reference.
        noises: one per system.
        rows: per clip.
        dim: dimensions.
    """
    spread = np.sqrt(np.logspace(0, -1, dim))
    space = _space(dim)

    def clips(count: int) -> Float64:
        return rng.standard_t(8, (count, dim)) * spread

    def within(centres: Float64) -> Float64:
        if rows == 1:
            return centres
        return np.repeat(centres, rows, axis=0) + rng.standard_normal((len(centres) * rows, dim)) * spread

    keys = tuple(key for key in _keys(n) for _ in range(rows))
    reference = _embeddings(within(clips(n)), keys, space, "audio")
    asked = clips(n)
    found = []
    for noise in noises:
        generated = within(asked + 0.2 * spread + noise * clips(n))
        found.append(Inputs(_embeddings(generated, keys, space, "audio"), reference))
    return found


def _pairs(rng: np.random.Generator, n: int, card: MetricCard, noises: tuple[float, ...]) -> list[Inputs]:
    """Unit vectors of prompts or images, and of clips at some angle to them."""
    other: Modality = "image" if "images" in card.needs else "text"
    keys, space = _keys(n), _space(_PAIR_DIM)

    def unit(x: Float64) -> Float64:
        long: Float64 = np.linalg.norm(x, axis=1, keepdims=True)
        return x / long

    prompts = unit(rng.standard_normal((n, _PAIR_DIM)))
    shared = 0.15 * rng.standard_normal((n, _PAIR_DIM))
    asked = _embeddings(prompts, keys, space, other)
    text, images = (None, asked) if other == "image" else (asked, None)
    clips = (unit(prompts + shared + noise * rng.standard_normal((n, _PAIR_DIM))) for noise in noises)
    return [Inputs(_embeddings(clip, keys, space, "audio"), prompts=text, images=images) for clip in clips]


def _classes(rng: np.random.Generator, n: int, card: MetricCard, noises: tuple[float, ...]) -> list[Inputs]:
    """Log-probabilities of six classes for real and generated clips; labels follow the real clip's probabilities."""
    del card
    labels = tuple("abcdef"[:CLASSES])
    keys, space = _keys(n), _space(CLASSES, labels)

    def log_softmax(x: Float64) -> Float64:
        total: Float64 = np.log(np.exp(x).sum(axis=1, keepdims=True))
        return x - total

    logits = 1.5 * rng.standard_normal((n, CLASSES))
    real = log_softmax(logits + 0.3 * rng.standard_normal(logits.shape))
    chosen = (np.cumsum(np.exp(real), axis=1) > rng.random((n, 1))).argmax(axis=1)
    named = {key: labels[int(k)] for key, k in zip(keys, chosen, strict=True)}
    held = _embeddings(real, keys, space, "audio")
    return [
        Inputs(
            _embeddings(log_softmax(logits + 3 * noise * rng.standard_normal(logits.shape)), keys, space, "audio"),
            labels=named,
            real=held,
        )
        for noise in noises
    ]


def _sizes(rng: np.random.Generator, n: int, card: MetricCard, noises: tuple[float, ...]) -> list[Inputs]:
    """Sizes uniform in [0, 1] and estimates of them, whose errors are normal."""
    del card
    keys, space = _keys(n), _space(1)
    sizes = rng.random(n)
    shared = 0.05 * rng.standard_normal(n)
    named = {key: f"{size:.6f}" for key, size in zip(keys, sizes, strict=True)}
    heard = [sizes + shared + 0.2 * noise * rng.standard_normal(n) for noise in noises]
    return [Inputs(_embeddings(one[:, None], keys, space, "audio"), labels=named) for one in heard]


def _points(rng: np.random.Generator, n: int, card: MetricCard, noises: tuple[float, ...]) -> list[Inputs]:
    """Points on four axes, whose mean falls and whose spread grows with the noise."""
    del card
    keys, space = _keys(n), _space(4)
    asked = 6 + rng.standard_normal((n, 4))
    points = [asked - noise + (0.3 + noise) * rng.standard_normal((n, 4)) for noise in noises]
    return [Inputs(_embeddings(one, keys, space, "audio")) for one in points]


def _offsets(rng: np.random.Generator, n: int, card: MetricCard, noises: tuple[float, ...]) -> list[Inputs]:
    """Offsets in seconds, normal and wider with the noise, two of each clip."""
    del card
    keys, space = tuple(key for key in _keys(n) for _ in range(2)), _space(1)
    shared = 0.2 * rng.standard_normal(n)
    found = []
    for noise in noises:
        own = np.repeat(shared + 0.3 * noise * rng.standard_normal(n), 2) + 0.05 * rng.standard_normal(2 * n)
        apart = _embeddings(own[:, None], keys, space, "audio")
        found.append(Inputs(apart, images=apart))
    return found


POPULATIONS: Final[dict[str, Population]] = {
    "audio": _features,
    "audio_text": _pairs,
    "classifier": _classes,
    "count_classifier": _classes,
    "size_estimator": _sizes,
    "aesthetics": _points,
    "audio_image": _pairs,
    "audio_video": _offsets,
}
