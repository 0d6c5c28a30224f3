"""``fad_inf``: Fréchet audio distance extrapolated to infinitely many clips of the system.

Conventions: 25 sizes from half of the clips to all, drawn without replacement from one random order of the clips that
follows from their keys, least squares on 1/n, the intercept; may be slightly negative. The reference's statistics stay
as they are: what its own finite size adds is not taken out, so compare with one reference only. The details give the
fit's R^2, its slope, the plug-in distance it started from and the fewest clips used.

A set whose half has no more rows than dimensions is refused.

Intervals: clips of the system and of the reference are drawn as for ``fad``, and what the extrapolation adds to their
scatter is added by influence. Cost: see :mod:`clipsonic_eval.stats.frechet_inf`; measured beside fadtk in
reports/benchmarks; the interval takes what that of ``fad`` takes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from clipsonic_eval import seeds
from clipsonic_eval.arraytypes import Float64
from clipsonic_eval.metrics._base import METRICS, ClipInfluence, Inputs, MetricCard, SetMetric
from clipsonic_eval.metrics._rows import at_least, reference_gaussian, sorted_rows
from clipsonic_eval.metrics.fad import fad_influence
from clipsonic_eval.stats.bootstrap import resample_counts
from clipsonic_eval.stats.frechet_inf import STEPS, Extrapolation, extrapolate
from clipsonic_eval.stats.frechet_influence import frechet_influence
from clipsonic_eval.stats.influence import linear_deviations
from clipsonic_eval.types import Embeddings

MIN_CLIPS = 4


def fad_inf(reference: Embeddings, system: Embeddings) -> Extrapolation:
    """Extrapolate the squared Fréchet distance of a system to infinitely many clips.

    Raises:
        SpaceError: they come from different encoders.
        ShapeError: fewer than four clips, or half of the clips have no more rows than there are dimensions.
    """
    return _fit(Inputs(system, reference))


def _fit(inputs: Inputs) -> Extrapolation:
    reference = reference_gaussian("fad_inf", inputs)
    at_least("fad_inf", inputs.system, MIN_CLIPS, "system")
    keys = sorted(set(inputs.system.keys))
    order = sorted(range(len(keys)), key=lambda i: (seeds.derive(0, keys[i], "fad-inf-order"), keys[i]))
    return extrapolate(sorted_rows(inputs.system), np.array(order), reference)


def _value(inputs: Inputs) -> float:
    return _fit(inputs).limit


def _details(inputs: Inputs) -> dict[str, float]:
    fit = _fit(inputs)
    return {"r2": fit.r2, "slope": fit.slope, "plug_in": float(fit.distances[-1]), "fewest_clips": float(fit.clips[0])}


def _influence(inputs: Inputs) -> ClipInfluence:
    """Return the influences on the plug-in distance, those of the system times the clips' shares in the limit."""
    plug_in = fad_influence(inputs)
    shares = _fit(inputs).weights
    moved = np.array(list(plug_in.system.values())) * shares
    moved -= moved.mean()
    return ClipInfluence(dict(zip(plug_in.system, moved.tolist(), strict=True)), plug_in.reference)


def _replicates(systems: Sequence[Inputs], n_boot: int, seed: int) -> Float64:
    """Return the plug-in distance's deviations in resamples, and what the clips' unequal shares add to first order."""
    reference = reference_gaussian("fad_inf", systems[0])
    plug_in = METRICS["fad"]
    assert isinstance(plug_in, SetMetric)
    result = plug_in.replicates(systems, n_boot, seed)
    for row, inputs in enumerate(systems):
        fit = _fit(inputs)
        unequal = frechet_influence(sorted_rows(inputs.system), reference) * (fit.weights - 1)
        counts = resample_counts(sorted(set(inputs.system.keys)), n_boot, seed, "bootstrap-queries")
        result[row] += fit.limit - float(fit.distances[-1]) + linear_deviations(unequal, counts)
    return result


METRICS.add(
    "fad_inf",
    SetMetric(
        MetricCard(
            name="fad_inf",
            title="FAD, extrapolated",
            description="Fréchet audio distance, extrapolated",
            decimals=2,
            unit="squared distance",
            higher_is_better=False,
            role="audio",
            encoder="toy-audio",
            needs=("reference",),
            min_n=MIN_CLIPS,
            biased_in_n=False,  # the line takes away the first order of the bias; the rest drowns in the noise
            signature=f"cov:n-1|est:line-in-1/n|sizes:{STEPS}-from-half|draw:without-replacement-by-clip|sqrt:eig-f64",
            source="M. J. Chong and D. Forsyth, Effectively Unbiased FID and Inception Score, CVPR 2020",
            reference_moments=True,
        ),
        _value,
        _replicates,
        details=_details,
        influence=_influence,
        linear_in_swaps=False,
    ),
)
