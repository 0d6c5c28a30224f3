"""CLAP score: cosine similarity of each clip's audio embedding and the text embedding of its prompt."""

from __future__ import annotations

from clipsonic_eval.metrics._base import ClipMetric, Inputs, MetricCard, metric
from clipsonic_eval.metrics.scoring import Vectors, score
from clipsonic_eval.metrics.vectors import cosines_with_queries
from clipsonic_eval.types import Score


def _per_clip(inputs: Inputs) -> dict[str, float]:
    """Return the cosine of each clip with its prompt, by key, for the keys that both sides have."""
    return cosines_with_queries(inputs.system, inputs.require("prompts", "clap_score"))


CLAP_SCORE = ClipMetric(
    MetricCard(
        name="clap_score",
        title="CLAP score",
        description="cosine similarity of a clip's audio embedding and its prompt's text embedding",
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
)


@metric(CLAP_SCORE)
def clap_score(system: Vectors, *, prompts: Vectors, n_boot: int = 2000, seed: int = 0) -> Score:
    """Return the CLAP score: the mean cosine similarity of each clip with its prompt.

    Conventions: pairs by key; no clamp at zero and no factor of 100; a clip of several rows counts with the mean of its
    cosines, and so does one of several captions (the signature then has ``captions:mean``). Do not compute it with the
    encoder that conditions a system under test.

    Args:
        system: (n, d) audio embeddings, one or more rows per clip.
        prompts: (n, d) text embeddings in the same space, one or more rows (captions) per clip.
        n_boot: number of resamples of the clips for the interval; 0: no interval.
        seed: of the resamples.

    Returns:
        The score, in [-1, 1]; ``per_clip`` has the cosine of each clip.

    Raises:
        ShapeError: a shape does not fit, no clip has a prompt, or a vector is zero.
        SpaceError: audio and text come from different encoders.

    Source: Y. Wu et al., Large-Scale Contrastive Language-Audio Pretraining, ICASSP 2023.

    Example:
        >>> import numpy as np
        >>> from clipsonic_eval.metrics import clap_score
        >>> audio = np.array([[1.0, 0.0], [0.0, 2.0], [3.0, 4.0]])
        >>> text = np.array([[5.0, 0.0], [0.0, -1.0], [1.0, 0.0]])
        >>> score = clap_score(audio, prompts=text)
        >>> [round(cosine, 3) for cosine in score.per_clip.values()]
        [1.0, -1.0, 0.6]
        >>> score
        clap_score of system: 0.2 [-2.4, 2.8], n = 3
        >>> score.ci_method  # fewer than eight clips
        'student-t'
    """
    return score(CLAP_SCORE, system, prompts=prompts, n_boot=n_boot, seed=seed)
