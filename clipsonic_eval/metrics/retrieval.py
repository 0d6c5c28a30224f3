"""Recall at k (R@k) of text-audio retrieval, in the space of the CLAP score.

Text to audio: does a prompt find the clip that answers it among all clips of the system? Audio to text: does a clip
find its prompt among all prompts? Unlike the CLAP score, this is not raised by sounds that suit every prompt a little.

Conventions: the gallery are the system's clips that have a prompt, or their prompts; paired by key; a clip of several
rows counts with its mean cosine, as in ``clap_score``. Prompts with the same text (cosine above 1 - 1e-6) are right
together: any of their clips answers, and the text stands in the gallery of prompts once. Of a clip with several
captions each one is a query, and the clip counts with their mean; when the clip is the query, any of them answers (the
signature then has ``captions:mean``). Candidates at the same cosine are ordered at random, in expectation. Chance is
about k / n, so compare on one list of queries only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np

from clipsonic_eval.arraytypes import Bool, Float64, Int
from clipsonic_eval.metrics._base import ClipMetric, Inputs, MetricCard, metric
from clipsonic_eval.metrics._ranking import recall_at
from clipsonic_eval.metrics.scoring import Vectors, score
from clipsonic_eval.metrics.vectors import clips_of, mean_per_clip, unit
from clipsonic_eval.stats.chunking import chunks
from clipsonic_eval.types import Embeddings, Score

Direction = Literal["text_to_audio", "audio_to_text"]

_SAME = 1 - 1e-6  # cosine of two prompts of the same text


def _hits(system: Embeddings, text: Embeddings, direction: Direction, k: int) -> dict[str, float]:
    """Return by key whether the counterpart is among the k nearest, for the keys that both sides have."""
    both = set(system.keys) & set(text.keys)
    if not both:
        return {}
    audio = system.take(np.array([i for i, key in enumerate(system.keys) if key in both], dtype=np.intp))
    keys, clip_of_row = clips_of(audio.keys)
    clips = mean_per_clip(unit(audio), clip_of_row, len(keys))
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
        hits = recall_at(captions, clips, k, _marked(answers, len(keys)))
        found = mean_per_clip(hits, clip_of_caption, len(keys))
    else:
        once, place = np.unique(same, return_inverse=True)
        own: list[list[int]] = [[] for _ in keys]
        for clip, column in zip(clip_of_caption.tolist(), place.tolist(), strict=True):
            own[clip].append(column)
        found = recall_at(clips, captions[once], k, _marked(own, len(once)))
    return {key: float(value) for key, value in zip(keys, found, strict=True)}


def _marked(columns: Sequence[Sequence[int]], width: int) -> Callable[[slice], Bool]:
    """Return a function that gives slices of a table of booleans, true in the columns that each row names."""

    def rows(part: slice) -> Bool:
        marked = np.zeros((len(columns[part]), width), dtype=np.bool_)
        for row, own in zip(marked, columns[part], strict=True):
            row[list(own)] = True
        return marked

    return rows


def _first_equal(vectors: Float64) -> Int:
    """Return for each unit vector, (n, d), the number of the first one that equals it, itself perhaps, (n,)."""
    n = len(vectors)
    result = np.empty(n, dtype=np.intp)
    for part in chunks(n, n):
        result[part] = (vectors[part] @ vectors.T > _SAME).argmax(axis=1)
    return result


def _metric(direction: Direction, k: int) -> ClipMetric:
    name, words = f"retrieval_{direction}_r{k}", direction.replace("_", " ")

    def per_clip(inputs: Inputs) -> dict[str, float]:
        return _hits(inputs.system, inputs.require("prompts", name), direction, k)

    card = MetricCard(
        name=name,
        title=f"R@{k}, {words}",
        description=f"recall at {k} of {words.replace(' ', '-')} retrieval",
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
    return ClipMetric(card, per_clip, proportion=True)


TEXT_TO_AUDIO = {k: _metric("text_to_audio", k) for k in (1, 5, 10)}
AUDIO_TO_TEXT = {k: _metric("audio_to_text", k) for k in (1, 5, 10)}


@metric(TEXT_TO_AUDIO[1])
def retrieval_text_to_audio_r1(system: Vectors, *, prompts: Vectors, n_boot: int = 2000, seed: int = 0) -> Score:
    """Return the share of prompts that have their clip as the nearest of all clips of the system.

    Args:
        system: (n, d) audio embeddings, one or more rows per clip.
        prompts: (n, d) text embeddings in the same space, one or more rows (captions) per clip.
        n_boot: unused, the interval needs no resamples.
        seed: written into the score.

    Returns:
        The proportion, with Wilson's interval; ``per_clip`` has the hit of each clip, fractional at ties.

    Raises:
        ShapeError: a shape does not fit, fewer than two clips have a prompt, or a vector is zero.
        SpaceError: audio and text come from different encoders.

    Source: B. Elizalde et al., CLAP: Learning Audio Concepts from Natural Language Supervision, ICASSP 2023.

    Example:
        >>> import numpy as np
        >>> from clipsonic_eval.metrics import retrieval_text_to_audio_r1
        >>> clips = np.eye(4)
        >>> prompts = clips[[0, 1, 3, 2]] + 0.1  # the last two are exchanged
        >>> score = retrieval_text_to_audio_r1(clips, prompts=prompts)
        >>> list(score.per_clip.values())
        [1.0, 1.0, 0.0, 0.0]
        >>> score
        retrieval_text_to_audio_r1 of system: 0.50 [0.15, 0.85], n = 4
    """
    return score(TEXT_TO_AUDIO[1], system, prompts=prompts, n_boot=n_boot, seed=seed)


@metric(TEXT_TO_AUDIO[5])
def retrieval_text_to_audio_r5(system: Vectors, *, prompts: Vectors, n_boot: int = 2000, seed: int = 0) -> Score:
    """Return the share of prompts that find their clip among the 5 nearest clips of the system.

    Args:
        system: (n, d) audio embeddings, one or more rows per clip.
        prompts: (n, d) text embeddings in the same space, one or more rows (captions) per clip.
        n_boot: unused, the interval needs no resamples.
        seed: written into the score.

    Returns:
        The proportion, with Wilson's interval; ``per_clip`` has the hit of each clip, fractional at ties.

    Raises:
        ShapeError: a shape does not fit, at most 5 clips have a prompt, or a vector is zero.
        SpaceError: audio and text come from different encoders.

    Source: B. Elizalde et al., CLAP: Learning Audio Concepts from Natural Language Supervision, ICASSP 2023.

    Example:
        >>> import numpy as np
        >>> from clipsonic_eval.metrics import retrieval_text_to_audio_r5
        >>> prompts = np.random.default_rng(0).standard_normal((10, 8))
        >>> equal = np.ones((10, 8))  # clips that all sound the same find no more than chance, k / n
        >>> round(float(retrieval_text_to_audio_r5(equal, prompts=prompts)), 6)
        0.5
        >>> float(retrieval_text_to_audio_r5(prompts, prompts=prompts))
        1.0
    """
    return score(TEXT_TO_AUDIO[5], system, prompts=prompts, n_boot=n_boot, seed=seed)


@metric(TEXT_TO_AUDIO[10])
def retrieval_text_to_audio_r10(system: Vectors, *, prompts: Vectors, n_boot: int = 2000, seed: int = 0) -> Score:
    """Return the share of prompts that find their clip among the 10 nearest clips of the system.

    Args:
        system: (n, d) audio embeddings, one or more rows per clip.
        prompts: (n, d) text embeddings in the same space, one or more rows (captions) per clip.
        n_boot: unused, the interval needs no resamples.
        seed: written into the score.

    Returns:
        The proportion, with Wilson's interval; ``per_clip`` has the hit of each clip, fractional at ties.

    Raises:
        ShapeError: a shape does not fit, at most 10 clips have a prompt, or a vector is zero.
        SpaceError: audio and text come from different encoders.

    Source: B. Elizalde et al., CLAP: Learning Audio Concepts from Natural Language Supervision, ICASSP 2023.

    Example:
        >>> import numpy as np
        >>> from clipsonic_eval.metrics import retrieval_text_to_audio_r10
        >>> prompts = np.random.default_rng(0).standard_normal((20, 8))
        >>> equal = np.ones((20, 8))  # clips that all sound the same find no more than chance, k / n
        >>> round(float(retrieval_text_to_audio_r10(equal, prompts=prompts)), 6)
        0.5
        >>> float(retrieval_text_to_audio_r10(prompts, prompts=prompts))
        1.0
    """
    return score(TEXT_TO_AUDIO[10], system, prompts=prompts, n_boot=n_boot, seed=seed)


@metric(AUDIO_TO_TEXT[1])
def retrieval_audio_to_text_r1(system: Vectors, *, prompts: Vectors, n_boot: int = 2000, seed: int = 0) -> Score:
    """Return the share of clips that have their prompt as the nearest of all prompts.

    Args:
        system: (n, d) audio embeddings, one or more rows per clip.
        prompts: (n, d) text embeddings in the same space, one or more rows (captions) per clip.
        n_boot: unused, the interval needs no resamples.
        seed: written into the score.

    Returns:
        The proportion, with Wilson's interval; ``per_clip`` has the hit of each clip, fractional at ties.

    Raises:
        ShapeError: a shape does not fit, fewer than two clips have a prompt, or a vector is zero.
        SpaceError: audio and text come from different encoders.

    Source: B. Elizalde et al., CLAP: Learning Audio Concepts from Natural Language Supervision, ICASSP 2023.

    Example:
        >>> import numpy as np
        >>> from clipsonic_eval.metrics import retrieval_audio_to_text_r1
        >>> prompts = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])  # the first two have the same text
        >>> clips = np.array([[1.0, 0.1], [1.0, 0.3], [0.0, 1.0]])
        >>> list(retrieval_audio_to_text_r1(clips, prompts=prompts).per_clip.values())
        [1.0, 1.0, 1.0]
        >>> list(retrieval_audio_to_text_r1(clips[[0, 2, 1]], prompts=prompts).per_clip.values())
        [1.0, 0.0, 0.0]
    """
    return score(AUDIO_TO_TEXT[1], system, prompts=prompts, n_boot=n_boot, seed=seed)


@metric(AUDIO_TO_TEXT[5])
def retrieval_audio_to_text_r5(system: Vectors, *, prompts: Vectors, n_boot: int = 2000, seed: int = 0) -> Score:
    """Return the share of clips that find their prompt among the 5 nearest prompts.

    Args:
        system: (n, d) audio embeddings, one or more rows per clip.
        prompts: (n, d) text embeddings in the same space, one or more rows (captions) per clip.
        n_boot: unused, the interval needs no resamples.
        seed: written into the score.

    Returns:
        The proportion, with Wilson's interval; ``per_clip`` has the hit of each clip, fractional at ties.

    Raises:
        ShapeError: a shape does not fit, at most 5 clips have a prompt, or a vector is zero.
        SpaceError: audio and text come from different encoders.

    Source: B. Elizalde et al., CLAP: Learning Audio Concepts from Natural Language Supervision, ICASSP 2023.

    Example:
        >>> import numpy as np
        >>> from clipsonic_eval.metrics import retrieval_audio_to_text_r5
        >>> prompts = np.random.default_rng(0).standard_normal((10, 8))
        >>> equal = np.ones((10, 8))  # clips that all sound the same find no more than chance, k / n
        >>> round(float(retrieval_audio_to_text_r5(equal, prompts=prompts)), 6)
        0.5
        >>> float(retrieval_audio_to_text_r5(prompts, prompts=prompts))
        1.0
    """
    return score(AUDIO_TO_TEXT[5], system, prompts=prompts, n_boot=n_boot, seed=seed)


@metric(AUDIO_TO_TEXT[10])
def retrieval_audio_to_text_r10(system: Vectors, *, prompts: Vectors, n_boot: int = 2000, seed: int = 0) -> Score:
    """Return the share of clips that find their prompt among the 10 nearest prompts.

    Args:
        system: (n, d) audio embeddings, one or more rows per clip.
        prompts: (n, d) text embeddings in the same space, one or more rows (captions) per clip.
        n_boot: unused, the interval needs no resamples.
        seed: written into the score.

    Returns:
        The proportion, with Wilson's interval; ``per_clip`` has the hit of each clip, fractional at ties.

    Raises:
        ShapeError: a shape does not fit, at most 10 clips have a prompt, or a vector is zero.
        SpaceError: audio and text come from different encoders.

    Source: B. Elizalde et al., CLAP: Learning Audio Concepts from Natural Language Supervision, ICASSP 2023.

    Example:
        >>> import numpy as np
        >>> from clipsonic_eval.metrics import retrieval_audio_to_text_r10
        >>> prompts = np.random.default_rng(0).standard_normal((20, 8))
        >>> equal = np.ones((20, 8))  # clips that all sound the same find no more than chance, k / n
        >>> round(float(retrieval_audio_to_text_r10(equal, prompts=prompts)), 6)
        0.5
        >>> float(retrieval_audio_to_text_r10(prompts, prompts=prompts))
        1.0
    """
    return score(AUDIO_TO_TEXT[10], system, prompts=prompts, n_boot=n_boot, seed=seed)
