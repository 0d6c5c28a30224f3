"""``fad_package``: the Fréchet distance as the frechet-audio-distance package computes it, on the same embeddings.

For whoever has that package installed and wants to see its formula beside ours: moments in NumPy, SciPy's ``sqrtm`` of
a complex product, 1e-6 on the diagonals where that fails. It refuses some sets of fewer rows than dimensions, with
an imaginary part; that is an error here too. Intervals are those of ``fad``, moved to its value.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from clipsonic_eval.arraytypes import Float64
from clipsonic_eval.errors import ConfigError, ShapeError
from clipsonic_eval.metrics._base import METRICS, Inputs, MetricCard, SetMetric
from clipsonic_eval.metrics._rows import reference_of
from clipsonic_eval.metrics.fad import fad_influence
from clipsonic_eval.types import Embeddings

PACKAGE = "frechet-audio-distance"


def fad_package(reference: Embeddings, system: Embeddings) -> float:
    """Return the package's squared Fréchet distance.

    Raises:
        ConfigError: it cannot be imported.
        SpaceError: the sets come from different encoders.
        ShapeError: the package gives up on these sets.
    """
    inputs = Inputs(system, reference)
    judge = _package()
    first, second = (judge.calculate_embd_statistics(None, e.vectors) for e in (reference_of("fad", inputs), system))
    try:
        return float(judge.calculate_frechet_distance(None, *first, *second))
    except (ValueError, TypeError) as error:
        raise ShapeError(f"{PACKAGE} gives up on these sets ({error}); take fad, which does not") from error


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
    return fad_package(reference_of("fad_package", inputs), inputs.system)


def _replicates(systems: Sequence[Inputs], n_boot: int, seed: int) -> Float64:
    own = METRICS["fad"]
    assert isinstance(own, SetMetric)
    moved = np.array([[_value(inputs) - own.value(inputs)] for inputs in systems])
    result: Float64 = own.replicates(systems, n_boot, seed) + moved
    return result


METRICS.add(
    "fad_package",
    SetMetric(
        MetricCard(
            name="fad_package",
            title="FAD (frechet-audio-distance)",
            description="Fréchet audio distance (frechet-audio-distance)",
            decimals=2,
            unit="squared distance",
            higher_is_better=False,
            role="audio",
            encoder="toy-audio",
            needs=("reference",),
            min_n=2,
            biased_in_n=True,
            signature="cov:n-1|est:plug-in|sqrt:sqrtm-complex|by:frechet-audio-distance",
            source="K. Kilgour et al., Fréchet Audio Distance, Interspeech 2019",
            package=PACKAGE,
        ),
        _value,
        _replicates,
        lowest=0.0,
        influence=fad_influence,
    ),
)
