"""Fréchet audio distance, extrapolated to infinitely many clips of the system."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from clipsonic_eval import seeds
from clipsonic_eval.arraytypes import Float64
from clipsonic_eval.metrics._base import ClipInfluence, Inputs, MetricCard, SetMetric, metric
from clipsonic_eval.metrics.frechet import FAD, fad_influence
from clipsonic_eval.metrics.scoring import Vectors, score
from clipsonic_eval.metrics.vectors import require_clips, sorted_rows
from clipsonic_eval.stats.bootstrap import resample_counts
from clipsonic_eval.stats.frechet_inf import STEPS, Extrapolation, extrapolate
from clipsonic_eval.stats.frechet_influence import frechet_influence
from clipsonic_eval.stats.influence import linear_deviations
from clipsonic_eval.types import Score

MIN_CLIPS = 4
_AT = "at/"  # among a score's details: the distance of a subset of so many clips


def _fit(inputs: Inputs) -> Extrapolation:
    reference = inputs.reference_gaussian("fad_inf")
    require_clips("fad_inf", inputs.system, MIN_CLIPS, "system")
    keys = sorted(set(inputs.system.keys))
    order = sorted(range(len(keys)), key=lambda i: (seeds.derive(0, keys[i], "fad-inf-order"), keys[i]))
    return extrapolate(sorted_rows(inputs.system), np.array(order), reference)


def _details(inputs: Inputs) -> dict[str, float]:
    fit = _fit(inputs)
    found = {"r2": fit.r2, "slope": fit.slope, "plug_in": float(fit.distances[-1]), "fewest_clips": float(fit.clips[0])}
    return found | {f"{_AT}{n}": float(d) for n, d in zip(fit.clips, fit.distances, strict=True)}


def subsets(score: Score) -> dict[int, float]:
    """Return the distances of the subsets that a score was extrapolated from, by their number of clips."""
    return {int(name.removeprefix(_AT)): d for name, d in score.details.items() if name.startswith(_AT)}


def _influence(inputs: Inputs) -> ClipInfluence:
    """Return the influences on the plug-in distance, those of the system times the clips' shares in the limit."""
    plug_in = fad_influence(inputs)
    moved = np.array(list(plug_in.system.values())) * _fit(inputs).weights  # g_i s_i
    moved -= moved.mean()
    return ClipInfluence(dict(zip(plug_in.system, moved.tolist(), strict=True)), plug_in.reference)


def _replicates(systems: Sequence[Inputs], n_boot: int, seed: int) -> Float64:
    """Return the plug-in distance's deviations in resamples, and to first order what the clips' unequal shares add."""
    reference = systems[0].reference_gaussian("fad_inf")
    result = FAD.replicates(systems, n_boot, seed)
    for row, inputs in enumerate(systems):
        fit = _fit(inputs)
        unequal = frechet_influence(sorted_rows(inputs.system), reference) * (fit.weights - 1)
        counts = resample_counts(sorted(set(inputs.system.keys)), n_boot, seed, "bootstrap-queries")
        # T* = d∞ + (plug-in* − plug-in) + Σ_i (w_i − 1) g_i (s_i − 1), with the clips' shares s in the limit
        result[row] += fit.limit - float(fit.distances[-1]) + linear_deviations(unequal, counts)
    return result


FAD_INF = SetMetric(
    MetricCard(
        name="fad_inf",
        title="FAD, extrapolated",
        description="Fréchet audio distance, extrapolated to infinitely many clips",
        unit="squared distance",
        higher_is_better=False,
        role="audio",
        encoder="toy-audio",
        needs=("reference",),
        min_n=MIN_CLIPS,
        biased_in_n=False,  # the line takes away the first order of the bias; the rest drowns in the noise
        signature=f"cov:n-1|est:line-in-1/n|sizes:{STEPS}-from-half|draw:without-replacement-by-clip|sqrt:eig-f64",
        source="M. J. Chong and D. Forsyth, Effectively Unbiased FID and Inception Score, CVPR 2020",
        decimals=2,
        reference_moments=True,
    ),
    lambda inputs: _fit(inputs).limit,
    _replicates,
    details=_details,
    influence=_influence,
    linear_in_swaps=False,
)


@metric(FAD_INF)
def fad_inf(reference: Vectors, system: Vectors, *, n_boot: int = 2000, seed: int = 0) -> Score:
    """Return the Fréchet audio distance extrapolated to infinitely many clips of the system.

    Conventions: 25 sizes from half of the clips to all, drawn without replacement from one random order of the clips
    that follows from their keys, least squares on 1/n, the intercept; may be slightly negative. The reference's
    statistics are kept fixed: the bias of its own finite size stays, so compare with one reference only. Resamples are
    those of ``fad``; what the extrapolation adds to their scatter is added by influence. Cost: see
    :mod:`clipsonic_eval.stats.frechet_inf`.

    Args:
        reference: (m, d) embeddings of real audio.
        system: (n, d) embeddings of the system's audio; half of its clips must have more than d rows.
        n_boot: number of resamples of the clips for the interval; 0: no interval.
        seed: of the resamples.

    Returns:
        The intercept; ``details`` has the fit's ``r2`` and ``slope``, the ``plug_in`` distance, and the
        ``fewest_clips`` used.

    Raises:
        ShapeError: fewer than four clips, or half of the clips have no more rows than there are dimensions.
        SpaceError: the sets come from different encoders or have different widths.

    Source: M. J. Chong and D. Forsyth, Effectively Unbiased FID and Inception Score, CVPR 2020.

    Example:
        >>> import numpy as np
        >>> from clipsonic_eval.metrics import fad_inf
        >>> rng = np.random.default_rng(0)
        >>> reference, system = rng.standard_normal((2000, 8)), rng.standard_normal((60, 8))
        >>> score = fad_inf(reference, system, n_boot=200)
        >>> round(score.details["plug_in"], 1)  # of 60 clips of the same population
        0.3
        >>> abs(score.value) < 0.1
        True
        >>> score.ci[0] < 0 < score.ci[1]
        True
    """
    return score(FAD_INF, system, reference=reference, n_boot=n_boot, seed=seed)
