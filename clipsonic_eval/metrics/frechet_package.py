"""Fréchet distance as the frechet-audio-distance package computes it, on the same embeddings.

For those who have that package installed and want to compare its formula with ours: moments in NumPy, SciPy's ``sqrtm``
of a complex product, 1e-6 on the diagonals where that fails. It refuses some sets of fewer rows than dimensions, with
an imaginary part; that is an error here too. Intervals are those of ``fad``, moved to its value.
"""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from clipsonic_eval.arraytypes import Float64
from clipsonic_eval.errors import ConfigError, ShapeError
from clipsonic_eval.metrics._base import Inputs, SetMetric, metric
from clipsonic_eval.metrics.frechet import FAD, fad_influence
from clipsonic_eval.metrics.scoring import Vectors, score
from clipsonic_eval.types import Score

PACKAGE = "frechet-audio-distance"


def _package() -> Any:
    try:
        return importlib.import_module("frechet_audio_distance.fad").FrechetAudioDistance
    except Exception as error:  # with it come packages that ask model hubs while they are imported
        line = str(error).strip().partition("\n")[0]
        raise ConfigError(
            f"fad_package needs the {PACKAGE} package ({line}); install it with 'pip install "
            "clipsonic-eval[reference]', or take fad, which agrees with it"
        ) from error


def _value(inputs: Inputs) -> float:
    package = _package()
    sets = inputs.require("reference", "fad_package"), inputs.system
    first, second = (package.calculate_embd_statistics(None, e.vectors) for e in sets)
    try:
        return float(package.calculate_frechet_distance(None, *first, *second))
    except (ValueError, TypeError) as error:
        raise ShapeError(f"{PACKAGE} gives up on these sets ({error}); take fad, which does not") from error


def _replicates(systems: Sequence[Inputs], n_boot: int, seed: int) -> Float64:
    moved = np.array([[_value(inputs) - FAD.value(inputs)] for inputs in systems])
    result: Float64 = FAD.replicates(systems, n_boot, seed) + moved
    return result


FAD_PACKAGE = SetMetric(
    dataclasses.replace(
        FAD.card,
        name="fad_package",
        title="FAD (frechet-audio-distance)",
        description="Fréchet audio distance as the frechet-audio-distance package computes it",
        signature="cov:n-1|est:plug-in|sqrt:sqrtm-complex|by:frechet-audio-distance",
        by_default=False,
        reference_moments=False,
        package=PACKAGE,
    ),
    _value,
    _replicates,
    lowest=0.0,
    influence=fad_influence,
)


@metric(FAD_PACKAGE)
def fad_package(reference: Vectors, system: Vectors, *, n_boot: int = 2000, seed: int = 0) -> Score:
    """Return the squared Fréchet distance of the frechet-audio-distance package.

    Args:
        reference: (m, d) embeddings of real audio.
        system: (n, d) embeddings of the system's audio.
        n_boot: number of resamples of the clips for the interval; 0: no interval.
        seed: of the resamples.

    Raises:
        ConfigError: the package cannot be imported.
        ShapeError: a shape does not fit, or the package gives up on these sets.
        SpaceError: the sets come from different encoders or have different widths.

    Source: the package's ``fad.py``, version 0.3.

    Example:
        >>> import numpy as np
        >>> from clipsonic_eval.metrics import METRICS, fad_package
        >>> card = METRICS["fad_package"].card
        >>> card.package, card.unit, card.by_default
        ('frechet-audio-distance', 'squared distance', False)
        >>> x = np.random.default_rng(0).standard_normal((50, 3))
        >>> fad_package(x, x + [0, 0, 2], n_boot=0)  # doctest: +SKIP
        fad_package of system: 4.000, n = 50
    """
    return score(FAD_PACKAGE, system, reference=reference, n_boot=n_boot, seed=seed)
