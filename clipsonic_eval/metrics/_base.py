"""What a metric is: its card, its inputs, the kinds of metrics, and the registry of all of them.

A metric never loads an encoder and never opens a file: it receives :class:`Inputs`. There are three kinds:

- :class:`ClipMetric`: the mean of one value per clip (CLAP score, class accuracy). Interval and paired test follow from
  the values.
- :class:`SetMetric`: a statistic of whole sets of clips (FAD). It also gives its values in resamples of the clips.
- :class:`PairMetric`: a statistic of the modality gap, of vectors that are paired by key (image and text).

A file of this package defines one and registers it, with its public function, by the decorator :func:`metric`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Integral
from typing import TYPE_CHECKING, Literal, TypeVar

import numpy as np

from clipsonic_eval.arraytypes import Float64
from clipsonic_eval.errors import ConfigError, ShapeError
from clipsonic_eval.metrics.vectors import check_space
from clipsonic_eval.registry import Registry
from clipsonic_eval.types import Embeddings, Score

if TYPE_CHECKING:
    from clipsonic_eval.metrics.gap._pairs import PairedVectors
    from clipsonic_eval.stats.frechet import Gaussian

Need = Literal["reference", "prompts", "labels", "real", "images", "image", "text"]
Influence = tuple[Float64, Float64 | None]  # of the system's clips and of the reference's, in the order of their keys
Interval = tuple[float, float]

_MISSING: Mapping[Need, str] = {
    "reference": "a reference set; give a folder of real audio",
    "prompts": "the prompts' text embeddings; give a csv with the columns key and prompt",
    "real": "the queries' own audio; give a folder of it",
    "images": "embeddings of the queries' images; give a csv with the columns key, prompt and image",
}

_LEAST_RESAMPLES = 20


def check_draws(n_boot: int, seed: int) -> None:
    """Refuse numbers of resamples and seeds that are none.

    Raises:
        ConfigError: one is no whole number, or there are too few resamples for an interval.
    """
    for name, value in (("n_boot", n_boot), ("seed", seed)):
        if not isinstance(value, Integral):
            raise ConfigError(f"{name} must be a whole number; got {value!r}")
    if n_boot and n_boot < _LEAST_RESAMPLES:
        raise ConfigError(f"n_boot must be 0 (no interval) or at least {_LEAST_RESAMPLES}, better 2000; got {n_boot}")


@dataclass(frozen=True, slots=True)
class MetricCard:
    """Properties of a metric that the harness, the tables and the reader need.

    Attributes:
        name: registry name, the first field of its signatures.
        title: heading of its column in tables.
        description: one line for lists; says what the title abbreviates.
        unit: of its values.
        higher_is_better: direction.
        role: what kind of encoder embeds for it, by a free name: ``audio`` (an audio encoder), ``audio_text`` (audio
            and text in one space), ``classifier`` (class log-probabilities), ``paired`` (the two sides of a modality
            gap).
        needs: inputs besides the system's own embeddings.
        min_n: fewest clips that it is defined for.
        biased_in_n: its expectation depends on the number of the system's clips, so that values compare at equal n
            only.
        signature: conventions that change its values, besides the encoder, ``key:value`` fields joined by ``|``.
        source: paper.
        encoder: default encoder of the role; "" if there is none.
        decimals: in tables.
        by_default: computed where no metrics are named.
        min_rows: fewest embedding rows of a clip; clips with fewer cannot be scored and are listed.
        package: on PyPI, that computes it; "" for our own metrics.
        reference_moments: mean and covariance of the reference are enough, so that stored statistics will do.
        attribute: column of the queries that ``labels`` are taken from; "" for the class (column ``label``).
        num: numerics version: raised when the same embeddings give another value, and only then.
    """

    name: str
    title: str
    description: str
    unit: str
    higher_is_better: bool
    role: str
    needs: tuple[Need, ...]
    min_n: int
    biased_in_n: bool
    signature: str
    source: str
    encoder: str = ""
    decimals: int = 3
    by_default: bool = False
    min_rows: int = 1
    package: str = ""
    reference_moments: bool = False
    attribute: str = ""
    num: int = 1


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a clip or set metric may look at; only what its card needs is required.

    Attributes:
        system: the embeddings that are scored, (rows, d); keys name the queries.
        reference: embeddings of the reference set, (rows, d).
        prompts: text embeddings in the system's space, one row per caption; keys name the queries.
        labels: the truth by key: the class, or the attribute that the metric's card names.
        real: embeddings of the queries' own audio.
        reference_moments: mean and covariance of a reference whose embeddings are not there, instead of ``reference``.
        images: embeddings of the queries' images or videos in the system's space; keys name the queries.
    """

    system: Embeddings
    reference: Embeddings | None = None
    prompts: Embeddings | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    real: Embeddings | None = None
    reference_moments: Gaussian | None = None
    images: Embeddings | None = None

    def require(self, need: Literal["reference", "prompts", "real", "images"], metric: str) -> Embeddings:
        """Return an input that a metric cannot do without, (rows, d).

        Raises:
            ShapeError: it is not there.
            SpaceError: another encoder made it than the system's embeddings.
        """
        found: Embeddings | None = getattr(self, need)
        if found is None:
            raise ShapeError(f"{metric} needs {_MISSING[need]}")
        check_space(found, self.system, across=need in ("prompts", "images"))
        return found

    def reference_gaussian(self, metric: str) -> Gaussian:
        """Return mean and covariance of the reference, as they are stored or of its rows.

        Raises:
            ShapeError: there is no reference, or one of fewer than two rows.
            SpaceError: another encoder made it than the system's embeddings.
        """
        from clipsonic_eval.stats.frechet import Gaussian

        if self.reference_moments is not None:
            return self.reference_moments
        return Gaussian.fit(self.require("reference", metric).vectors)


@dataclass(frozen=True, slots=True)
class ClipInfluence:
    """Influence of each clip on a statistic of sets: its derivative in the weight of the clip, which is 1.

    The values of a set sum to 0, and the root of the sum of all squares is the statistic's standard error. They are for
    a statistic of sets what the deviations of the values per clip, over n, are for a mean. The influences of two
    systems that answered the same queries subtract.

    Attributes:
        system: by key of the system's clips.
        reference: by key of the reference's clips; empty where there is no reference.
    """

    system: Mapping[str, float] = field(default_factory=dict)
    reference: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, inputs: Inputs, found: Influence) -> ClipInfluence:
        """Name arrays (clips of the system,) and (clips of the reference,) or None by their keys, sorted."""
        sets = (inputs.system, found[0]), (inputs.reference, found[1])
        return cls(
            *(
                {}
                if rows is None or values is None
                else dict(zip(sorted(set(rows.keys)), values.tolist(), strict=True))
                for rows, values in sets
            )
        )


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with its interval.

    Attributes:
        value: the estimate.
        ci: lower and upper end of the 95 % interval; None where none is defined.
        ci_method: how the interval was made.
        per_clip: value by key, where the estimate is a mean over clips.
        details: further numbers for readers.
        influence: of each clip, for statistics of sets.
    """

    value: float
    ci: Interval | None
    ci_method: str
    per_clip: Mapping[str, float] = field(default_factory=dict)
    details: Mapping[str, float] = field(default_factory=dict)
    influence: ClipInfluence = field(default_factory=ClipInfluence)


@dataclass(frozen=True, slots=True)
class ClipMetric:
    """A mean over clips.

    Attributes:
        card: what the metric is.
        per_clip: gives the value of every clip that can be scored, by key; pairs by key, never by order.
        proportion: values are 0 or 1, so that the mean is a proportion.
        details: gives further numbers for readers, from the inputs and the values of the clips.
        function: the public function of the metric.
    """

    card: MetricCard
    per_clip: Callable[[Inputs], dict[str, float]]
    proportion: bool = False
    details: Callable[[Inputs, Mapping[str, float]], Mapping[str, float]] | None = None
    function: Callable[..., Score] | None = None

    def value(self, inputs: Inputs) -> float:
        """Return the mean over clips."""
        return float(np.mean(list(self.per_clip(inputs).values())))


@dataclass(frozen=True, slots=True)
class SetMetric:
    """A statistic of a set of clips.

    Attributes:
        card: what the metric is.
        value: gives the statistic.
        replicates: takes the inputs of several systems (with one and the same reference), the number of resamples and
            the run's seed; gives the statistics in resamples of the clips, (systems, resamples), with
            :func:`~clipsonic_eval.stats.bootstrap.damped_weights` weights. Systems with equal keys share their
            resamples.
        lowest: no value lies below; intervals end there.
        highest: no value lies above; intervals end there.
        fits_covariance: it fits a covariance, which means little with fewer rows than dimensions; checks warn of it.
        proportion: of clips or balls; intervals are Wilson's, with as many clips as would scatter as the resamples do.
        details: further numbers for readers, such as the fit of an extrapolation.
        method: how the replicates come about, the first part of ``ci_method``.
        influence: gives the influence of each clip; None where it is not known.
        linear_in_swaps: the difference of two systems is, to second order, the sum over queries of the influences at
            both systems' pooled clips, so that swapping clips between the systems tests it. Not so where the value
            depends on an order of the clips, on random draws, or on neighbours or a bandwidth within the system's
            clips.
        function: the public function of the metric.
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
    function: Callable[..., Score] | None = None

    @classmethod
    def from_estimate(
        cls,
        card: MetricCard,
        estimate: Callable[[Inputs], tuple[float, Influence]],
        *,
        lowest: float = -np.inf,
        highest: float = np.inf,
        details: Callable[[Inputs], Mapping[str, float]] | None = None,
        linear_in_swaps: bool = True,
    ) -> SetMetric:
        """Make the metric of a statistic whose resamples follow from its influences, by the jackknife.

        Args:
            card: of the metric.
            estimate: gives the statistic and the influence of each clip.
            lowest: no value lies below.
            highest: no value lies above.
            details: further numbers for readers.
            linear_in_swaps: see the class.
        """

        def replicates(systems: Sequence[Inputs], n_boot: int, seed: int) -> Float64:
            return linear_replicates(estimate, systems, n_boot, seed)

        return cls(
            card,
            lambda inputs: estimate(inputs)[0],
            replicates,
            lowest,
            highest,
            fits_covariance=False,
            details=details,
            method="jackknife-clip",
            influence=lambda inputs: ClipInfluence.of(inputs, estimate(inputs)[1]),
            linear_in_swaps=linear_in_swaps,
        )


def linear_replicates(
    estimate: Callable[[Inputs], tuple[float, Influence]], systems: Sequence[Inputs], n_boot: int, seed: int
) -> Float64:
    """Return the statistics of several systems in resamples of the clips, to first order, (systems, n_boot).

    Args:
        estimate: gives a statistic and the influence of each clip.
        systems: inputs with one and the same reference; equal keys share their resamples.
        n_boot: number of resamples.
        seed: the run's.
    """
    from clipsonic_eval.stats.bootstrap import resample_counts
    from clipsonic_eval.stats.influence import linear_deviations

    result = np.empty((len(systems), n_boot))
    for row, inputs in enumerate(systems):
        value, (own, other) = estimate(inputs)
        keys = sorted(set(inputs.system.keys))
        # T* = T + Σ_i (w_i − 1) g_i, over the clips of the system and of the reference
        result[row] = value + linear_deviations(own, resample_counts(keys, n_boot, seed, "bootstrap-queries"))
        if other is not None and inputs.reference is not None:
            keys = sorted(set(inputs.reference.keys))
            result[row] += linear_deviations(other, resample_counts(keys, n_boot, seed, "bootstrap-reference"))
    return result


@dataclass(frozen=True, slots=True)
class PairMetric:
    """A statistic of the modality gap.

    Attributes:
        card: what the metric is; it needs ``image`` (against the text or a prior), and perhaps ``text`` (a prior
            against the text); a statistic of one side needs neither.
        estimate: gives the value with its interval; None where it is not defined.
        side: the one side that it describes: a modality, or ``prior``; "" for statistics of two sides.
        independent: it assumes independent items, so it is not computed for vectors that were cross-fitted.
        function: the public function of the metric.
    """

    card: MetricCard
    estimate: Callable[[PairedVectors], Estimate | None]
    side: str = ""
    independent: bool = False
    function: Callable[..., Score] | None = None


Metric = ClipMetric | SetMetric
METRICS: Registry[Metric | PairMetric] = Registry(
    "metric", "clipsonic_eval.metrics", accepts=lambda thing: isinstance(thing, ClipMetric | SetMetric | PairMetric)
)


def attributes() -> tuple[str, ...]:
    """Return the columns of the queries, besides their class, that a registered metric compares with, sorted."""
    return tuple(sorted({METRICS[name].card.attribute for name in METRICS} - {""}))


F = TypeVar("F", bound=Callable[..., Score])


def metric(entry: Metric | PairMetric) -> Callable[[F], F]:
    """Register a metric together with its public function (a decorator of that function)."""

    def register(function: F) -> F:
        METRICS.add(entry.card.name, dataclasses.replace(entry, function=function))
        return function

    return register
