"""``retrieval_text_to_audio_r1`` ... ``retrieval_audio_to_text_r10``: recall at k in the space of the CLAP score.

Text to audio: does a prompt find the clip that answers it among all clips of the system? Audio to text: does a clip
find its prompt among all prompts? Unlike the CLAP score, this is not raised by sounds that suit every prompt a little.

Conventions: the gallery are the system's clips that have a prompt, or their prompts; paired by key; a clip of several
rows counts with its mean cosine, as in ``clap_score``. Prompts with one and the same text (cosine above 1 - 1e-6) are
right together: any of their clips answers, and the text stands in the gallery of prompts once. Of a clip with several
captions each one asks, and the clip counts with their mean; when the clip asks, any of them answers (the signature then
has ``captions:mean``). Candidates at the same cosine are ordered at random, in expectation. Chance is about k / n, so
compare at one list of queries only.

Source: B. Elizalde et al., CLAP: Learning Audio Concepts from Natural Language Supervision, ICASSP 2023 (R@k).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np

from clipsonic_eval.arraytypes import Bool, Float64, Int
from clipsonic_eval.errors import ShapeError
from clipsonic_eval.metrics._base import METRICS, ClipMetric, Inputs, MetricCard
from clipsonic_eval.metrics._vectors import check_space, clips_of, mean_by_clip, unit
from clipsonic_eval.metrics.gap.retrieval import recall_where
from clipsonic_eval.stats.chunking import chunks
from clipsonic_eval.types import Embeddings

Direction = Literal["text_to_audio", "audio_to_text"]

KS = (1, 5, 10)
_SAME = 1 - 1e-6


def retrieval(audio: Embeddings, text: Embeddings, direction: Direction, k: int) -> dict[str, float]:
    """Return by key whether the counterpart is among the k nearest, for the keys that both sides have; ties share.

    Args:
        audio: (rows, d), one or more rows per clip.
        text: (n, d), one or more rows (captions) by key.
        direction: which side asks.
        k: how many of the nearest count.

    Raises:
        SpaceError: audio and text come from different encoders.
        ShapeError: a vector is zero.
    """
    check_space(audio, text, across=True)
    both = set(audio.keys) & set(text.keys)
    if not both:
        return {}
    heard = audio.take(np.array([i for i, key in enumerate(audio.keys) if key in both], dtype=np.intp))
    keys, clip_of_row = clips_of(heard.keys)
    sounds = mean_by_clip(unit(heard), clip_of_row, len(keys))
    order = sorted((i for i, key in enumerate(text.keys) if key in both), key=lambda i: text.keys[i])
    asked = text.take(np.array(order, dtype=np.intp))
    captions = unit(asked)
    clip_of_caption = clips_of(asked.keys)[1]
    same = _first_equal(captions)
    if direction == "text_to_audio":
        clips_of_text: dict[int, list[int]] = {}
        for clip, text_id in zip(clip_of_caption.tolist(), same.tolist(), strict=True):
            clips_of_text.setdefault(text_id, []).append(clip)
        answers = [clips_of_text[text_id] for text_id in same.tolist()]
        hits = recall_where(captions, sounds, (k,), _marked(answers, len(keys)))[0]
        found = mean_by_clip(hits, clip_of_caption, len(keys))
    else:
        once, place = np.unique(same, return_inverse=True)
        own: list[list[int]] = [[] for _ in keys]
        for clip, column in zip(clip_of_caption.tolist(), place.tolist(), strict=True):
            own[clip].append(column)
        found = recall_where(sounds, captions[once], (k,), _marked(own, len(once)))[0]
    return {key: float(value) for key, value in zip(keys, found, strict=True)}


def _marked(columns: Sequence[Sequence[int]], width: int) -> Callable[[slice], Bool]:
    """Return what makes a table of booleans, true in the columns that each row names, slice by slice."""

    def rows(part: slice) -> Bool:
        marked = np.zeros((len(columns[part]), width), dtype=np.bool_)
        for row, own in zip(marked, columns[part], strict=True):
            row[list(own)] = True
        return marked

    return rows


def _first_equal(vectors: Float64) -> Int:
    """Return for each unit vector the first one that equals it, itself perhaps."""
    n = len(vectors)
    result = np.empty(n, dtype=np.intp)
    for part in chunks(n, n):
        result[part] = (vectors[part] @ vectors.T > _SAME).argmax(axis=1)
    return result


def _per_clip(name: str, direction: Direction, k: int) -> Callable[[Inputs], dict[str, float]]:
    def per_clip(inputs: Inputs) -> dict[str, float]:
        if inputs.prompts is None:
            raise ShapeError(f"{name} needs the prompts' text embeddings; give a csv with the columns key and prompt")
        return retrieval(inputs.system, inputs.prompts, direction, k)

    return per_clip


def _add(direction: Direction, k: int) -> None:
    name = f"retrieval_{direction}_r{k}"
    card = MetricCard(
        name=name,
        title=f"R@{k}, {direction.replace('_', ' ')}",
        description=f"recall at {k}, {direction.replace('_', ' ')}",
        unit="proportion",
        higher_is_better=True,
        role="audio_text",
        encoder="toy-clap",
        needs=("prompts",),
        min_n=k + 1,
        biased_in_n=True,
        signature=f"pair:key|k:{k}|ties:expected|same:equal-prompts|rows:mean-cosine",
        source="B. Elizalde et al., CLAP: Learning Audio Concepts from Natural Language Supervision, ICASSP 2023",
    )
    METRICS.add(name, ClipMetric(card, _per_clip(name, direction, k), proportion=True))


for _k in KS:
    _add("text_to_audio", _k)
    _add("audio_to_text", _k)
