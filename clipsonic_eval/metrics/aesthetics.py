"""Aesthetics: mean of what Audiobox Aesthetics predicts that listeners would say of a clip, by axis."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from clipsonic_eval.errors import ShapeError
from clipsonic_eval.metrics._base import ClipMetric, Inputs, MetricCard, metric
from clipsonic_eval.metrics.scoring import Vectors, score
from clipsonic_eval.metrics.vectors import clips_of, mean_per_clip
from clipsonic_eval.types import Score

AXES: Final = ("content_enjoyment", "content_usefulness", "production_complexity", "production_quality")
_TITLES: Final = ("Enjoyment (CE)", "Usefulness (CU)", "Complexity (PC)", "Quality (PQ)")
_SOURCE: Final = "A. Tjandra et al., Meta Audiobox Aesthetics, 2025 (arXiv 2502.05139)"


def _reader(axis: int) -> Callable[[Inputs], dict[str, float]]:
    def per_clip(inputs: Inputs) -> dict[str, float]:
        """Return the points on an axis by key."""
        vectors = inputs.system.vectors
        if vectors.shape[1] != len(AXES):
            raise ShapeError(
                f"{AXES[axis]} needs four numbers per row, and encoder '{inputs.system.space.name}' gives "
                f"{vectors.shape[1]}; take an encoder of aesthetics"
            )
        keys, clip_of_row = clips_of(inputs.system.keys)
        points = mean_per_clip(vectors[:, axis].astype(np.float64), clip_of_row, len(keys))
        return {key: float(value) for key, value in zip(keys, points, strict=True)}

    return per_clip


AESTHETICS: Final = {
    name: ClipMetric(
        MetricCard(
            name=name,
            title=title,
            description=f"{name.replace('_', ' ')} that Audiobox Aesthetics predicts for a clip",
            unit="points, 1 to 10",
            higher_is_better=True,
            role="aesthetics",
            encoder="audiobox-aesthetics",
            needs=(),
            min_n=1,
            biased_in_n=False,
            signature=f"axis:{title[-3:-1]}|rows:mean",
            source=_SOURCE,
            decimals=2,
        ),
        _reader(axis),
    )
    for axis, (name, title) in enumerate(zip(AXES, _TITLES, strict=True))
}


@metric(AESTHETICS["content_enjoyment"])
def content_enjoyment(system: Vectors, *, n_boot: int = 2000, seed: int = 0) -> Score:
    """Return the mean content enjoyment (CE): how much listeners would like to hear the clips.

    Args:
        system: (n, d) predicted CE, CU, PC and PQ, d = 4, one or more rows per clip.
        n_boot: number of resamples of the clips for the interval; 0: no interval.
        seed: of the resamples.

    Returns:
        The mean, in points; ``per_clip`` has those of each clip.

    Raises:
        ShapeError: not four columns.

    Source: A. Tjandra et al., Meta Audiobox Aesthetics, 2025.

    Example:
        >>> import numpy as np
        >>> from clipsonic_eval.metrics import content_enjoyment
        >>> content_enjoyment(np.array([[4.0, 5.0, 2.0, 6.0], [6.0, 5.0, 3.0, 7.0]]), n_boot=0)
        content_enjoyment of system: 5.000, n = 2
    """
    return score(AESTHETICS["content_enjoyment"], system, n_boot=n_boot, seed=seed)


@metric(AESTHETICS["content_usefulness"])
def content_usefulness(system: Vectors, *, n_boot: int = 2000, seed: int = 0) -> Score:
    """Return the mean content usefulness (CU): how likely the clips would serve as material for something new.

    Args:
        system: (n, d) predicted CE, CU, PC and PQ, d = 4, one or more rows per clip.
        n_boot: number of resamples of the clips for the interval; 0: no interval.
        seed: of the resamples.

    Returns:
        The mean, in points; ``per_clip`` has those of each clip.

    Raises:
        ShapeError: not four columns.

    Source: A. Tjandra et al., Meta Audiobox Aesthetics, 2025.

    Example:
        >>> import numpy as np
        >>> from clipsonic_eval.metrics import content_usefulness
        >>> content_usefulness(np.array([[4.0, 5.0, 2.0, 6.0], [6.0, 6.0, 3.0, 7.0]]), n_boot=0)
        content_usefulness of system: 5.500, n = 2
    """
    return score(AESTHETICS["content_usefulness"], system, n_boot=n_boot, seed=seed)


@metric(AESTHETICS["production_complexity"])
def production_complexity(system: Vectors, *, n_boot: int = 2000, seed: int = 0) -> Score:
    """Return the mean production complexity (PC): how many things sound together; more is other, not better.

    Args:
        system: (n, d) predicted CE, CU, PC and PQ, d = 4, one or more rows per clip.
        n_boot: number of resamples of the clips for the interval; 0: no interval.
        seed: of the resamples.

    Returns:
        The mean, in points; ``per_clip`` has those of each clip.

    Raises:
        ShapeError: not four columns.

    Source: A. Tjandra et al., Meta Audiobox Aesthetics, 2025.

    Example:
        >>> import numpy as np
        >>> from clipsonic_eval.metrics import production_complexity
        >>> production_complexity(np.array([[4.0, 5.0, 2.0, 6.0], [6.0, 6.0, 3.0, 7.0]]), n_boot=0)
        production_complexity of system: 2.500, n = 2
    """
    return score(AESTHETICS["production_complexity"], system, n_boot=n_boot, seed=seed)


@metric(AESTHETICS["production_quality"])
def production_quality(system: Vectors, *, n_boot: int = 2000, seed: int = 0) -> Score:
    """Return the mean production quality (PQ): how clear, faithful and balanced the clips sound.

    Args:
        system: (n, d) predicted CE, CU, PC and PQ, d = 4, one or more rows per clip.
        n_boot: number of resamples of the clips for the interval; 0: no interval.
        seed: of the resamples.

    Returns:
        The mean, in points; ``per_clip`` has those of each clip.

    Raises:
        ShapeError: not four columns.

    Source: A. Tjandra et al., Meta Audiobox Aesthetics, 2025.

    Example:
        >>> import numpy as np
        >>> from clipsonic_eval.metrics import production_quality
        >>> production_quality(np.array([[4.0, 5.0, 2.0, 6.0], [6.0, 6.0, 3.0, 7.0]]), n_boot=0)
        production_quality of system: 6.500, n = 2
    """
    return score(AESTHETICS["production_quality"], system, n_boot=n_boot, seed=seed)
