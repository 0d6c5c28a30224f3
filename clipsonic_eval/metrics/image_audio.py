"""Image–audio score: cosine similarity of each clip's audio embedding and the embedding of its query's picture."""

from __future__ import annotations

from clipsonic_eval.metrics._base import ClipMetric, Inputs, MetricCard, metric
from clipsonic_eval.metrics.scoring import Vectors, score
from clipsonic_eval.metrics.vectors import cosines_with_queries
from clipsonic_eval.types import Score


def _per_clip(inputs: Inputs) -> dict[str, float]:
    """Return the cosine of each clip with the image or video of its query, by key, for the keys that both have."""
    return cosines_with_queries(inputs.system, inputs.require("images", "image_audio_score"))


IMAGE_AUDIO_SCORE = ClipMetric(
    MetricCard(
        name="image_audio_score",
        title="Image–audio score",
        description="cosine similarity of a clip's audio embedding and that of its query's image or video",
        unit="cosine",
        higher_is_better=True,
        role="audio_image",
        encoder="imagebind",
        needs=("images",),
        min_n=1,
        biased_in_n=False,
        signature="pair:key|clamp:none",
        source="R. Girdhar et al., ImageBind: One Embedding Space To Bind Them All, CVPR 2023",
    ),
    _per_clip,
)


@metric(IMAGE_AUDIO_SCORE)
def image_audio_score(system: Vectors, *, images: Vectors, n_boot: int = 2000, seed: int = 0) -> Score:
    """Return the image–audio score: the mean cosine similarity of each clip with the image or video of its query.

    Conventions: pairs by key; no clamp at zero and no factor; a clip of several rows counts with the mean of its
    cosines. With ImageBind it is what video-to-audio papers call the IB score; they differ in the frames of a video
    that they take, which the signature names.

    Args:
        system: (n, d) audio embeddings, one or more rows per clip.
        images: (n, d) embeddings of the queries' images or videos in the same space.
        n_boot: number of resamples of the clips for the interval; 0: no interval.
        seed: of the resamples.

    Returns:
        The score, in [-1, 1]; ``per_clip`` has the cosine of each clip.

    Raises:
        ShapeError: a shape does not fit, no clip has an image, or a vector is zero.
        SpaceError: audio and images come from different encoders.

    Source: R. Girdhar et al., ImageBind: One Embedding Space To Bind Them All, CVPR 2023.

    Example:
        >>> import numpy as np
        >>> from clipsonic_eval.metrics import image_audio_score
        >>> audio = np.array([[1.0, 0.0], [0.0, 2.0], [3.0, 4.0]])
        >>> images = np.array([[5.0, 0.0], [0.0, -1.0], [1.0, 0.0]])
        >>> score = image_audio_score(audio, images=images, n_boot=0)
        >>> [round(cosine, 3) for cosine in score.per_clip.values()]
        [1.0, -1.0, 0.6]
    """
    return score(IMAGE_AUDIO_SCORE, system, images=images, n_boot=n_boot, seed=seed)
