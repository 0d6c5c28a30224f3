"""``clap_score``: cosine of a clip's audio embedding and its prompt's text embedding, mean over clips.

Conventions: paired by key; no clamp at zero, no factor of 100; a clip of several rows counts with the mean of its
cosines, and so does one of several captions (the signature then has ``captions:mean``). It may not be computed with the
encoder that conditions a system under test.
"""

from __future__ import annotations

import numpy as np

from clipsonic_eval.errors import ShapeError
from clipsonic_eval.metrics._base import METRICS, ClipMetric, Inputs, MetricCard
from clipsonic_eval.metrics._vectors import check_space, clips_of, mean_by_clip, unit
from clipsonic_eval.types import Embeddings


def clap_score(audio: Embeddings, text: Embeddings) -> dict[str, float]:
    """Return the cosine of each clip with its prompt, by key, for the keys that both sides have.

    Args:
        audio: (rows, d), one or more rows per clip.
        text: (n, d), one or more rows (captions) by key.

    Raises:
        SpaceError: audio and text come from different encoders.
        ShapeError: a vector is zero.
    """
    check_space(audio, text, across=True)
    asked_keys, caption_of_row = clips_of(text.keys)
    row_of = {key: i for i, key in enumerate(asked_keys)}
    rows = np.array([i for i, key in enumerate(audio.keys) if key in row_of], dtype=np.intp)
    if len(rows) == 0:
        return {}
    heard = audio.take(rows)
    captions = mean_by_clip(unit(text), caption_of_row, len(asked_keys))  # the mean of cosines is that to the mean
    asked = captions[[row_of[key] for key in heard.keys]]
    cosines = np.einsum("ij,ij->i", unit(heard), asked)
    keys, clip_of_row = clips_of(heard.keys)
    means = mean_by_clip(cosines, clip_of_row, len(keys))
    return {key: float(value) for key, value in zip(keys, means, strict=True)}


def _per_clip(inputs: Inputs) -> dict[str, float]:
    if inputs.prompts is None:
        raise ShapeError("clap_score needs the prompts' text embeddings; give a csv with the columns key and prompt")
    return clap_score(inputs.system, inputs.prompts)


METRICS.add(
    "clap_score",
    ClipMetric(
        MetricCard(
            name="clap_score",
            title="CLAP score",
            description="cosine of a clip's audio and its prompt's text embedding",
            unit="cosine",
            higher_is_better=True,
            role="audio_text",
            encoder="toy-clap",
            needs=("prompts",),
            min_n=1,
            biased_in_n=False,
            signature="pair:key|clamp:none",
            source="Y. Wu et al., Large-Scale Contrastive Language-Audio Pretraining, ICASSP 2023",
            by_default=True,
        ),
        _per_clip,
    ),
)
