"""DeSync: how far the sound of a clip and the video of its query are apart in time."""

from __future__ import annotations

import numpy as np

from clipsonic_eval.errors import ShapeError
from clipsonic_eval.metrics._base import ClipMetric, Inputs, MetricCard, metric
from clipsonic_eval.metrics.scoring import Vectors, score
from clipsonic_eval.metrics.vectors import clips_of, mean_per_clip
from clipsonic_eval.types import Score


def _per_clip(inputs: Inputs) -> dict[str, float]:
    """Return the mean absolute offset by key. The harness has the offsets of clips from their videos as both inputs."""
    inputs.require("images", "desync")
    offsets = inputs.system.vectors
    if offsets.shape[1] != 1:
        raise ShapeError(
            f"desync takes offsets, one number per row, and encoder '{inputs.system.space.name}' gives "
            f"{offsets.shape[1]}; 'clipsonic-eval evaluate --metric desync' compares sounds with videos"
        )
    keys, clip_of_row = clips_of(inputs.system.keys)
    means = mean_per_clip(np.abs(offsets[:, 0].astype(np.float64)), clip_of_row, len(keys))  # mean of |offset|
    return {key: float(value) for key, value in zip(keys, means, strict=True)}


DESYNC = ClipMetric(
    MetricCard(
        name="desync",
        title="DeSync",
        description="mean absolute offset of a clip's sound from the video of its query",
        unit="s",
        higher_is_better=False,
        role="audio_video",
        encoder="synchformer",
        needs=("images",),
        min_n=1,
        biased_in_n=False,
        signature="pair:key|err:absolute|rows:mean",
        source="V. Iashin et al., Synchformer: Efficient Synchronization from Sparse Cues, ICASSP 2024",
    ),
    _per_clip,
)


@metric(DESYNC)
def desync(system: Vectors, *, n_boot: int = 2000, seed: int = 0) -> Score:
    """Return DeSync: the mean absolute offset of sounds from the videos of their queries, in seconds.

    Conventions: those of av-benchmark. Of each clip the first 14 segments and the last 14 are compared with those of
    the video (Synchformer; 8 s by default), each comparison gives the most likely of 21 offsets from -2 to 2 s, and
    the absolute values are averaged. ``clipsonic-eval evaluate`` embeds and compares; here are the offsets.

    Args:
        system: (rows, 1) offsets in seconds, one or more rows per clip.
        n_boot: number of resamples of the clips for the interval; 0: no interval.
        seed: of the resamples.

    Returns:
        The mean, in seconds; ``per_clip`` has that of each clip.

    Raises:
        ShapeError: not one column.

    Source: V. Iashin et al., Synchformer: Efficient Synchronization from Sparse Cues, ICASSP 2024.

    Example:
        >>> import numpy as np
        >>> from clipsonic_eval.metrics import desync
        >>> score = desync(np.array([[0.2], [-0.4], [0.0]]), n_boot=0)
        >>> round(score.value, 3)
        0.2
        >>> [round(offset, 3) for offset in score.per_clip.values()]
        [0.2, 0.4, 0.0]
    """
    return score(DESYNC, system, images=system, n_boot=n_boot, seed=seed)
