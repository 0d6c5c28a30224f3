"""``fad``: Fréchet audio distance of a system's clips to a reference set.

Conventions: squared distance of the Gaussians fitted to all rows of all clips, covariance n - 1, plug-in (no
extrapolation to infinite n: the value falls with n, so compare at equal n only). Resamples draw clips, of the system
and of the reference; a reference of stored statistics stays as it is, and its own uncertainty is not in the interval.
"""

from __future__ import annotations

from collections.abc import Sequence

from clipsonic_eval.arraytypes import Float64
from clipsonic_eval.metrics._base import METRICS, ClipInfluence, Inputs, MetricCard, SetMetric
from clipsonic_eval.metrics._rows import by_key, reference_gaussian, reference_of, sorted_rows
from clipsonic_eval.metrics._vectors import check_space, clips_of
from clipsonic_eval.stats.bootstrap import resample_counts
from clipsonic_eval.stats.frechet import Gaussian, frechet_distance
from clipsonic_eval.stats.frechet_bootstrap import ResampledSet, frechet_replicates, frechet_replicates_to
from clipsonic_eval.stats.frechet_influence import frechet_influence
from clipsonic_eval.types import Embeddings


def fad(reference: Embeddings, system: Embeddings) -> float:
    """Return the squared Fréchet distance of two sets of audio embeddings.

    Raises:
        SpaceError: they come from different encoders.
        ShapeError: one has fewer than two rows.
    """
    check_space(reference, system)
    return frechet_distance(Gaussian.fit(reference.vectors), Gaussian.fit(system.vectors))


def fad_influence(inputs: Inputs) -> ClipInfluence:
    """Return what each clip does to the distance.

    In simulations they describe the scatter of differences also where there are fewer rows than dimensions.

    Raises:
        SpaceError: the sets come from different encoders.
        ShapeError: there is no reference.
    """
    if inputs.reference_moments is not None:
        return _given_reference(inputs, inputs.reference_moments)
    sets = inputs.system, reference_of("fad", inputs)
    ours, theirs = (Gaussian.fit(s.vectors) for s in sets)
    own, other = (sorted_rows(s, g.mean) for s, g in zip(sets, (ours, theirs), strict=True))
    return by_key(
        inputs, (frechet_influence(own, _moved(theirs, ours)), frechet_influence(other, _moved(ours, theirs)))
    )


def _given_reference(inputs: Inputs, theirs: Gaussian) -> ClipInfluence:
    system = inputs.system
    ours = Gaussian.fit(system.vectors)
    return by_key(inputs, (frechet_influence(sorted_rows(system, ours.mean), _moved(theirs, ours)), None))


def _moved(gaussian: Gaussian, origin: Gaussian) -> Gaussian:
    return Gaussian(gaussian.n, gaussian.mean - origin.mean, gaussian.root)


def _value(inputs: Inputs) -> float:
    return frechet_distance(reference_gaussian("fad", inputs), Gaussian.fit(inputs.system.vectors))


def _replicates(systems: Sequence[Inputs], n_boot: int, seed: int) -> Float64:
    drawn = [_weighted(inputs.system, n_boot, seed, "bootstrap-queries") for inputs in systems]
    if systems[0].reference_moments is not None:
        return frechet_replicates_to(systems[0].reference_moments, drawn)
    reference = reference_of("fad", systems[0])
    return frechet_replicates(_weighted(reference, n_boot, seed, "bootstrap-reference"), drawn)


def _weighted(embeddings: Embeddings, n_boot: int, seed: int, purpose: str) -> ResampledSet:
    keys, clip_of_row = clips_of(embeddings.keys)
    return ResampledSet(embeddings.vectors, clip_of_row, resample_counts(keys, n_boot, seed, purpose))


METRICS.add(
    "fad",
    SetMetric(
        MetricCard(
            name="fad",
            title="FAD",
            description="Fréchet audio distance",
            decimals=2,
            unit="squared distance",
            higher_is_better=False,
            role="audio",
            encoder="toy-audio",
            needs=("reference",),
            min_n=2,
            biased_in_n=True,
            signature="cov:n-1|est:plug-in|sqrt:svd-f64",
            reference_moments=True,
            source="K. Kilgour et al., Fréchet Audio Distance, Interspeech 2019",
            by_default=True,
        ),
        _value,
        _replicates,
        lowest=0.0,
        influence=fad_influence,
    ),
)
