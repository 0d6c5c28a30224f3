"""Metrics: pure functions on embeddings. One file each; the folder is scanned.

A metric never loads an encoder or opens a file: the harness hands it :class:`Inputs`. There are two kinds:

- :class:`ClipMetric`: the mean of a value per clip (CLAP score, class accuracy). Interval and paired test follow from
  the values.
- :class:`SetMetric`: a statistic of whole sets (FAD). It also says what it gives in resamples of the clips.

A file makes one and adds it to :data:`METRICS`. The modality-gap statistics are a library of their own,
:mod:`clipsonic_eval.metrics.gap`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from clipsonic_eval.arraytypes import Float64
from clipsonic_eval.registry import Registry
from clipsonic_eval.stats.frechet import Gaussian
from clipsonic_eval.types import Embeddings

Need = Literal["reference", "prompts", "labels", "real"]


@dataclass(frozen=True, slots=True)
class MetricCard:
    """What a metric is.

    Attributes:
        name: registry name, the first field of its signatures.
        title: for people.
        unit: of its values.
        higher_is_better: direction.
        role: which encoder embeds for it: ``fad``, ``clap`` or ``classes``.
        needs: what it takes beside the system's own embeddings.
        min_n: fewest clips that it is defined for.
        biased_in_n: its expectation depends on how many clips of the system there are, so that two values compare at
            equal n only.
        signature: what changes its values beside the encoder, ``key:value`` fields joined by ``|``.
        source: paper.
        by_default: computed where nobody names metrics.
        min_rows: fewest embedding rows of a clip; clips with fewer cannot be scored and are listed.
        package: on PyPI, that computes it; "" for our own metrics.
        reference_moments: of the reference, mean and covariance are enough: stored statistics will do.
        num: numerics version: raised when the same embeddings give another value, and only then.
    """

    name: str
    title: str
    unit: str
    higher_is_better: bool
    role: str
    needs: tuple[Need, ...]
    min_n: int
    biased_in_n: bool
    signature: str
    source: str
    by_default: bool = True
    min_rows: int = 1
    package: str = ""
    reference_moments: bool = False
    num: int = 1


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a metric may look at; only what its card needs is required.

    Attributes:
        system: the embeddings that are scored; keys name the queries.
        reference: embeddings of the reference set.
        prompts: text embeddings in the system's space; keys name the queries, a row for each caption.
        labels: class name by key.
        real: embeddings of the queries' own audio.
        reference_moments: mean and covariance of a reference whose embeddings are not there, instead of ``reference``.
    """

    system: Embeddings
    reference: Embeddings | None = None
    prompts: Embeddings | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    real: Embeddings | None = None
    reference_moments: Gaussian | None = None


@dataclass(frozen=True, slots=True)
class ClipMetric:
    """A mean over clips.

    Attributes:
        card: see there.
        per_clip: gives the value of every clip that can be scored, by key; pairs by key, never by order.
        proportion: values are 0 or 1, so that the mean is a proportion.
    """

    card: MetricCard
    per_clip: Callable[[Inputs], dict[str, float]]
    proportion: bool = False


@dataclass(frozen=True, slots=True)
class ClipInfluence:
    """What each clip does to a statistic of sets, to first order: its derivative in the clip's weight, which is 1.

    The values of a set sum to 0, and the root of the sum of all squares is the statistic's standard error. So they are
    for a statistic of sets what the deviations of values per clip, over n, are for a mean. The values of two systems
    that answered the same queries subtract.

    Attributes:
        system: by key of the system's clips.
        reference: by key of the reference's clips; empty where there is no reference.
    """

    system: Mapping[str, float]
    reference: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class SetMetric:
    """A statistic of a set.

    Attributes:
        card: see there.
        value: gives the statistic.
        replicates: takes the inputs of several systems (with one and the same reference), a number of resamples and
            the run's seed; gives the statistics in resamples of the clips, (systems, resamples), with
            :func:`~clipsonic_eval.stats.bootstrap.damped_weights`. Systems with equal keys share their resamples.
        lowest: no value lies below; intervals end there.
        highest: no value lies above; intervals end there.
        fits_covariance: its value means little where there are fewer rows than dimensions; scoring warns.
        proportion: of clips or balls; intervals are Wilson's, with as many clips as would scatter as the resamples do.
        details: further numbers for readers, such as the fit of an extrapolation.
        method: how the replicates come about, the first part of ``ci_method``.
        influence: gives what each clip does to the statistic; None where nothing is known.
        linear_in_swaps: the difference of two systems is, to second order, the sum over queries of what the influences
            at both systems' pooled clips say, so that swaps test it. Not so where the value hangs on an order of the
            clips, on draws of its own, or on neighbours or a bandwidth within the system's clips.
    """

    card: MetricCard
    value: Callable[[Inputs], float]
    replicates: Callable[[Sequence[Inputs], int, int], Float64]
    lowest: float = -np.inf
    highest: float = np.inf
    fits_covariance: bool = True
    proportion: bool = False
    details: Callable[[Inputs], Mapping[str, float]] | None = None
    method: str = "bootstrap-clip-damped"
    influence: Callable[[Inputs], ClipInfluence] | None = None
    linear_in_swaps: bool = True


Metric = ClipMetric | SetMetric
METRICS: Registry[Metric] = Registry(
    "metric", "clipsonic_eval.metrics", accepts=lambda thing: isinstance(thing, ClipMetric | SetMetric)
)
