"""Size error: how far the size that is heard in a clip is from the one that its query asks for."""

from __future__ import annotations

import math

import numpy as np

from clipsonic_eval.errors import ShapeError, UserError
from clipsonic_eval.metrics._base import ClipMetric, Inputs, MetricCard, metric
from clipsonic_eval.metrics.scoring import Labels, Vectors, score
from clipsonic_eval.metrics.vectors import clips_of, mean_per_clip
from clipsonic_eval.types import Score


def _per_clip(inputs: Inputs) -> dict[str, float]:
    """Return the absolute error by key, for the keys that have a size."""
    vectors = inputs.system.vectors
    if vectors.shape[1] != 1:
        raise ShapeError(
            f"size_error needs one number per row, and encoder '{inputs.system.space.name}' gives "
            f"{vectors.shape[1]}; take an encoder that estimates the size"
        )
    keys, clip_of_row = clips_of(inputs.system.keys)
    heard = mean_per_clip(vectors[:, 0].astype(np.float64), clip_of_row, len(keys))
    asked = {key: _number(key, label) for key, label in inputs.labels.items()}
    # |ŝ − s|, with ŝ the mean over the rows of the clip
    return {key: abs(float(size) - asked[key]) for key, size in zip(keys, heard, strict=True) if key in asked}


def _number(key: str, label: object) -> float:
    try:
        size = float(str(label))
    except ValueError:
        size = math.nan
    if not math.isfinite(size):
        raise UserError(f"size of '{key}' is '{label}'; it must be a number from 0 (small) to 1 (big)")
    return size


SIZE_ERROR = ClipMetric(
    MetricCard(
        name="size_error",
        title="Size error",
        description="mean absolute difference of the size heard in a clip and the size of its query",
        unit="size, 0 to 1",
        higher_is_better=False,
        role="size_estimator",
        encoder="toy-audio-size",
        needs=("labels",),
        min_n=1,
        biased_in_n=False,
        signature="err:absolute|rows:mean",
        source="C. J. Willmott and K. Matsuura, Advantages of the mean absolute error (MAE), Climate Research 2005",
        attribute="size",
    ),
    _per_clip,
)


@metric(SIZE_ERROR)
def size_error(system: Vectors, *, labels: Labels, n_boot: int = 2000, seed: int = 0) -> Score:
    """Return the mean absolute difference of the estimated and the true size.

    Conventions: rows of a clip are averaged; clips without a size are left out; a size that is no number is an error.
    Where true sizes are uniform in [0, 1], the constant answer 0.5 has an expected error of 0.25.

    Args:
        system: (rows, 1) estimated sizes, one or more rows per clip.
        labels: true size per clip, numbers from 0 to 1: by key or, for arrays, in the order of the clips.
        n_boot: number of resamples of the clips for the interval; 0: no interval.
        seed: of the resamples.

    Returns:
        The mean; ``per_clip`` has the error of each clip.

    Raises:
        UserError: a size is no number.
        ShapeError: a shape does not fit.

    Source: C. J. Willmott and K. Matsuura, Advantages of the mean absolute error (MAE) over the root mean square error
    (RMSE) in assessing average model performance, Climate Research 2005.

    Example:
        >>> import numpy as np
        >>> from clipsonic_eval.metrics import size_error
        >>> score = size_error(np.array([[0.2], [0.5], [0.9]]), labels=[0.1, 0.5, 0.7])
        >>> round(score.value, 3)
        0.1
        >>> [round(error, 3) for error in score.per_clip.values()]
        [0.1, 0.0, 0.2]
    """
    return score(SIZE_ERROR, system, labels=labels, n_boot=n_boot, seed=seed)
