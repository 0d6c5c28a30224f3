"""Fréchet audio distance: of whole sets, extrapolated to infinitely many clips, and per clip.

    d² = |μ1 − μ2|² + tr(Σ1 + Σ2 − 2 (Σ1 Σ2)^½)

of the Gaussians fitted to the embeddings of a reference and of a system (:mod:`clipsonic_eval.stats.frechet`).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from clipsonic_eval import seeds
from clipsonic_eval.arraytypes import Float64
from clipsonic_eval.metrics._base import ClipInfluence, ClipMetric, Inputs, MetricCard, SetMetric, metric
from clipsonic_eval.metrics._rows import require_clips, sorted_rows
from clipsonic_eval.metrics._vectors import clips_of
from clipsonic_eval.metrics.scoring import Vectors, score
from clipsonic_eval.stats.bootstrap import resample_counts
from clipsonic_eval.stats.frechet import Gaussian, frechet_distance
from clipsonic_eval.stats.frechet_bootstrap import ResampledSet, frechet_replicates, frechet_replicates_to
from clipsonic_eval.stats.frechet_clips import distances_per_clip
from clipsonic_eval.stats.frechet_inf import STEPS, Extrapolation, extrapolate
from clipsonic_eval.stats.frechet_influence import frechet_influence
from clipsonic_eval.stats.influence import linear_deviations
from clipsonic_eval.types import Embeddings, Score

MIN_CLIPS_INF = 4
MIN_ROWS = 2  # of a clip, for a Gaussian of its own
_GUI = "A. Gui et al., Adapting Frechet Audio Distance for Generative Music Evaluation, ICASSP 2024"


# --- whole sets


def _value(inputs: Inputs) -> float:
    return frechet_distance(inputs.reference_gaussian("fad"), Gaussian.fit(inputs.system.vectors))


def _replicates(systems: Sequence[Inputs], n_boot: int, seed: int) -> Float64:
    drawn = [_resampled(inputs.system, n_boot, seed, "bootstrap-queries") for inputs in systems]
    if systems[0].reference_moments is not None:
        return frechet_replicates_to(systems[0].reference_moments, drawn)
    reference = systems[0].require("reference", "fad")
    return frechet_replicates(_resampled(reference, n_boot, seed, "bootstrap-reference"), drawn)


def _resampled(embeddings: Embeddings, n_boot: int, seed: int, purpose: str) -> ResampledSet:
    keys, clip_of_row = clips_of(embeddings.keys)
    return ResampledSet(embeddings.vectors, clip_of_row, resample_counts(keys, n_boot, seed, purpose))


def fad_influence(inputs: Inputs) -> ClipInfluence:
    """Return the influence of each clip on the distance.

    In simulations they describe the scatter of differences also where there are fewer rows than dimensions.

    Raises:
        SpaceError: the sets come from different encoders.
        ShapeError: there is no reference.
    """
    ours = Gaussian.fit(inputs.system.vectors)
    if inputs.reference_moments is not None:
        return ClipInfluence.of(inputs, (_of_set(inputs.system, ours, inputs.reference_moments), None))
    reference = inputs.require("reference", "fad")
    theirs = Gaussian.fit(reference.vectors)
    return ClipInfluence.of(inputs, (_of_set(inputs.system, ours, theirs), _of_set(reference, theirs, ours)))


def _of_set(embeddings: Embeddings, own: Gaussian, other: Gaussian) -> Float64:
    """Return the influences of the clips of one set, (clips,), everything measured from its own mean."""
    moved = Gaussian(other.n, other.mean - own.mean, other.root)
    return frechet_influence(sorted_rows(embeddings, own.mean), moved)


FAD = SetMetric(
    MetricCard(
        name="fad",
        title="FAD",
        description="Fréchet audio distance",
        unit="squared distance",
        higher_is_better=False,
        role="audio",
        encoder="toy-audio",
        needs=("reference",),
        min_n=2,
        biased_in_n=True,
        signature="cov:n-1|est:plug-in|sqrt:svd-f64",
        source="K. Kilgour et al., Fréchet Audio Distance, Interspeech 2019",
        decimals=2,
        by_default=True,
        reference_moments=True,
    ),
    _value,
    _replicates,
    lowest=0.0,
    influence=fad_influence,
)


@metric(FAD)
def fad(reference: Vectors, system: Vectors, *, n_boot: int = 2000, seed: int = 0) -> Score:
    """Return the Fréchet audio distance of a system to a reference set.

    Conventions: squared distance of the Gaussians fitted to all rows of all clips, covariance with divisor n - 1,
    plug-in (no extrapolation to infinite n: the value falls with n, so compare at equal n only). Resamples draw clips,
    of the system and of the reference; a reference of stored statistics is kept fixed, and its own uncertainty is not
    in the interval.

    Args:
        reference: (m, d) embeddings of real audio.
        system: (n, d) embeddings of the system's audio; one or more rows per clip.
        n_boot: number of resamples of the clips for the interval; 0: no interval.
        seed: of the resamples.

    Returns:
        The squared distance.

    Raises:
        ShapeError: a shape does not fit, or a set has fewer than two rows.
        SpaceError: the sets come from different encoders or have different widths.

    Source: K. Kilgour et al., Fréchet Audio Distance, Interspeech 2019.

    Example:
        >>> import numpy as np
        >>> from clipsonic_eval.metrics import fad
        >>> reference = np.random.default_rng(0).standard_normal((100, 4))
        >>> moved = reference + np.array([3, 4, 0, 0])
        >>> round(float(fad(reference, moved)), 6)  # equal covariances: the squared shift, 3² + 4²
        25.0
        >>> score = fad(reference, moved)
        >>> score.ci[0] < score.value < score.ci[1]
        True
        >>> score.signature.split("|")[:6]
        ['fad', 'num:1', 'enc:array', 'encnum:1', 'cov:n-1', 'est:plug-in']
    """
    return score(FAD, system, reference=reference, n_boot=n_boot, seed=seed)


# --- extrapolated to infinitely many clips


def _fit(inputs: Inputs) -> Extrapolation:
    reference = inputs.reference_gaussian("fad_inf")
    require_clips("fad_inf", inputs.system, MIN_CLIPS_INF, "system")
    keys = sorted(set(inputs.system.keys))
    order = sorted(range(len(keys)), key=lambda i: (seeds.derive(0, keys[i], "fad-inf-order"), keys[i]))
    return extrapolate(sorted_rows(inputs.system), np.array(order), reference)


def _inf_details(inputs: Inputs) -> dict[str, float]:
    fit = _fit(inputs)
    return {"r2": fit.r2, "slope": fit.slope, "plug_in": float(fit.distances[-1]), "fewest_clips": float(fit.clips[0])}


def _inf_influence(inputs: Inputs) -> ClipInfluence:
    """Return the influences on the plug-in distance, those of the system times the clips' shares in the limit."""
    plug_in = fad_influence(inputs)
    moved = np.array(list(plug_in.system.values())) * _fit(inputs).weights
    moved -= moved.mean()
    return ClipInfluence(dict(zip(plug_in.system, moved.tolist(), strict=True)), plug_in.reference)


def _inf_replicates(systems: Sequence[Inputs], n_boot: int, seed: int) -> Float64:
    """Return the plug-in distance's deviations in resamples, and to first order what the clips' unequal shares add."""
    reference = systems[0].reference_gaussian("fad_inf")
    result = FAD.replicates(systems, n_boot, seed)
    for row, inputs in enumerate(systems):
        fit = _fit(inputs)
        unequal = frechet_influence(sorted_rows(inputs.system), reference) * (fit.weights - 1)
        counts = resample_counts(sorted(set(inputs.system.keys)), n_boot, seed, "bootstrap-queries")
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
        min_n=MIN_CLIPS_INF,
        biased_in_n=False,  # the line takes away the first order of the bias; the rest drowns in the noise
        signature=f"cov:n-1|est:line-in-1/n|sizes:{STEPS}-from-half|draw:without-replacement-by-clip|sqrt:eig-f64",
        source="M. J. Chong and D. Forsyth, Effectively Unbiased FID and Inception Score, CVPR 2020",
        decimals=2,
        reference_moments=True,
    ),
    lambda inputs: _fit(inputs).limit,
    _inf_replicates,
    details=_inf_details,
    influence=_inf_influence,
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


# --- per clip


def _distances(inputs: Inputs) -> dict[str, float]:
    gaussian, system = inputs.reference_gaussian("fad_per_clip"), inputs.system
    keys, clip_of_row = clips_of(system.keys)
    order = np.argsort(clip_of_row, kind="stable")
    counts = np.bincount(clip_of_row, minlength=len(keys))
    starts = np.cumsum(counts) - counts
    result = {}
    for m in np.unique(counts[counts >= MIN_ROWS]):  # clips of equally many rows at once
        chosen = np.flatnonzero(counts == m)
        rows = system.vectors[order[starts[chosen][:, None] + np.arange(m)]]
        distances = distances_per_clip(np.asarray(rows), gaussian)
        result.update({keys[i]: float(v) for i, v in zip(chosen, distances, strict=True)})
    return result


FAD_PER_CLIP = ClipMetric(
    MetricCard(
        name="fad_per_clip",
        title="FAD per clip",
        description="Fréchet audio distance of each clip's own rows to the reference",
        unit="squared distance",
        higher_is_better=False,
        role="audio",
        encoder="toy-audio",
        needs=("reference",),
        min_n=1,
        biased_in_n=False,
        signature="cov:n-1|est:plug-in-by-clip|sqrt:svd-f64",
        source=_GUI,
        decimals=2,
        reference_moments=True,
        min_rows=MIN_ROWS,
    ),
    _distances,
)


@metric(FAD_PER_CLIP)
def fad_per_clip(reference: Vectors, system: Vectors, *, n_boot: int = 2000, seed: int = 0) -> Score:
    """Return the Fréchet distance of each clip to the reference, and their mean.

    It names the clips that are far off, where FAD only says that some are. Conventions: Gaussian of a clip's own rows,
    covariance with divisor n - 1, so at least two rows per clip; clips with fewer are listed as ``skipped``. A clip of
    m rows has a covariance of rank m - 1: most of the value is spread of the reference that no single clip can have,
    and it falls with m. Compare clips and systems with equal numbers of rows only, and never with FAD.

    Args:
        reference: (m, d) embeddings of real audio.
        system: (rows, d) embeddings with at least two rows per clip; see
            :func:`~clipsonic_eval.types.as_embeddings` for arrays of several rows per clip.
        n_boot: number of resamples of the clips for the interval; 0: no interval.
        seed: of the resamples.

    Returns:
        The mean; ``per_clip`` has the squared distance of each clip.

    Raises:
        ShapeError: no clip has two rows, or the reference has fewer than two.
        SpaceError: the sets come from different encoders or have different widths.

    Source: A. Gui et al., Adapting Frechet Audio Distance for Generative Music Evaluation, ICASSP 2024 (per-song FAD).

    Example:
        >>> import numpy as np
        >>> from clipsonic_eval.metrics import fad_per_clip
        >>> from clipsonic_eval.types import as_embeddings
        >>> reference = as_embeddings(np.array([[-1.0], [1.0], [-1.0], [1.0]]))  # mean 0, variance 4/3
        >>> windows = np.array([[-1.0], [1.0], [4.0], [6.0]])
        >>> score = fad_per_clip(reference, as_embeddings(windows, keys=["a", "a", "b", "b"]))
        >>> {key: round(value, 3) for key, value in score.per_clip.items()}  # |μ1 − μ2|² + (σ1 − σ2)²
        {'a': 0.067, 'b': 25.067}
        >>> score.n, score.n_rows
        (2, 4)
    """
    return score(FAD_PER_CLIP, system, reference=reference, n_boot=n_boot, seed=seed)
