"""Fréchet audio distance: of whole sets, and of each clip to the reference.

    d² = |μ1 − μ2|² + tr(Σ1 + Σ2 − 2 (Σ1 Σ2)^½)

of the Gaussians fitted to the embeddings of a reference and of a system (:mod:`clipsonic_eval.stats.frechet`).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from clipsonic_eval.arraytypes import Float64
from clipsonic_eval.metrics._base import ClipInfluence, ClipMetric, Inputs, MetricCard, SetMetric, metric
from clipsonic_eval.metrics.scoring import Vectors, score
from clipsonic_eval.metrics.vectors import clips_of, sorted_rows
from clipsonic_eval.stats.bootstrap import resample_counts
from clipsonic_eval.stats.frechet import Gaussian, frechet_distance
from clipsonic_eval.stats.frechet_bootstrap import ResampledSet, frechet_replicates, frechet_replicates_to
from clipsonic_eval.stats.frechet_clips import distances_per_clip
from clipsonic_eval.stats.frechet_influence import frechet_influence
from clipsonic_eval.types import Embeddings, Score

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
    moved = Gaussian(other.n, other.mean - own.mean, other.root)  # N(μ2 − μ1, Σ2)
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

    Cost: O(n d² + d³) for the value and again for each resample, so the interval takes minutes from d = 512 on;
    ``n_boot=0`` gives the value at once.

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
