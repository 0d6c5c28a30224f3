"""Kernel audio distance (KAD): unbiased estimates of the squared maximum mean discrepancy (MMD) of two sets.

    MMD² = mean k(x, x') + mean k(y, y') − 2 mean k(x, y)

over pairs of rows of different clips within a set and all pairs between the sets (:mod:`clipsonic_eval.stats.mmd`).
It needs no Gaussian embeddings, few clips, and equal n on neither side; it may be negative.

Intervals: jackknife over the clips of both sets, a bandwidth held at its value. Cost: about (n + m)² (d + 5) operations
for n and m rows; 1000 against 1000 rows in 512 dimensions take 0.1 s, 10,000 against 10,000 some 10 s.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from clipsonic_eval.arraytypes import Float64
from clipsonic_eval.errors import ShapeError
from clipsonic_eval.metrics._base import Influence, Inputs, MetricCard, SetMetric, metric
from clipsonic_eval.metrics.scoring import Vectors, score
from clipsonic_eval.metrics.vectors import one_row_per_clip, require_clips, sorted_rows
from clipsonic_eval.stats.influence import jackknife_influence
from clipsonic_eval.stats.mmd import (
    gaussian_kernel,
    inverse_multiquadric_kernel,
    inverse_quadratic_kernel,
    mmd_squared,
)
from clipsonic_eval.stats.pairwise import Kernel, LeaveOneOut, Rows, median_distance
from clipsonic_eval.types import Score

MIN_CLIPS = 3
_CHUNG = "Y. Chung et al., KAD: No More FAD!, 2025"


def mmd_card(name: str, title: str, description: str, signature: str, source: str, **more: int | str) -> MetricCard:
    """Return the card of a squared MMD; ``more`` replaces any of its fields."""
    card = MetricCard(
        name=name,
        title=title,
        description=description,
        unit="squared MMD",
        higher_is_better=False,
        role="audio",
        encoder="toy-audio",
        needs=("reference",),
        min_n=MIN_CLIPS,
        biased_in_n=False,
        signature=signature,
        source=source,
    )
    return dataclasses.replace(card, **more)  # type: ignore[arg-type]


def with_influence(found: LeaveOneOut, scale: float = 1.0) -> tuple[float, Influence]:
    """Return a statistic and the influences of the clips, (clips of the system,) and (clips of the reference,)."""
    # g_i from the statistic without clip i, of each side
    own, other = (jackknife_influence(scale * w) for w in (found.without_first, found.without_second))
    return scale * found.value, (own, other)


@dataclass(frozen=True, slots=True)
class _Kad:
    """One convention of the kernel audio distance.

    Attributes:
        name: of the metric.
        kernel: takes bandwidth and epsilon.
        own_bandwidth: the bandwidth is the lower median distance of the evaluated set, not the median of the reference.
        epsilon: added to the kernel's denominator.
        scale: of the values.
        per_row: pairs are of different rows, not of different clips.
    """

    name: str
    kernel: Callable[[float, float], Kernel]
    own_bandwidth: bool = True
    epsilon: float = 1e-8
    scale: float = 100.0
    per_row: bool = True

    def rows(self, inputs: Inputs) -> tuple[Rows, Rows]:
        """Return the rows of system (n, d) and reference (m, d), measured from the reference's mean."""
        reference = inputs.require("reference", self.name)
        require_clips(self.name, reference, MIN_CLIPS, "reference")
        require_clips(self.name, inputs.system, MIN_CLIPS, "system")
        origin: Float64 = reference.vectors.mean(axis=0, dtype=np.float64)
        return sorted_rows(inputs.system, origin), sorted_rows(reference, origin)

    def bandwidth(self, system: Rows, reference: Rows) -> float:
        """Return the median distance of all pairs of rows, (n, d), of the set that the bandwidth is taken from.

        Raises:
            ShapeError: that set has no spread.
        """
        whose, rows = ("system", system) if self.own_bandwidth else ("reference", reference)
        found = median_distance(rows.vectors, lower=self.own_bandwidth)
        if found == 0:
            raise ShapeError(
                f"{self.name} takes its bandwidth from the {whose}, but half of its pairs are equal; drop copies"
            )
        return found

    def details(self, inputs: Inputs) -> dict[str, float]:
        """Return the bandwidth."""
        return {"bandwidth": self.bandwidth(*self.rows(inputs))}

    def estimate(self, inputs: Inputs) -> tuple[float, Influence]:
        """Return the estimate, and the influence of each clip."""
        system, reference = self.rows(inputs)
        kernel = self.kernel(self.bandwidth(system, reference), self.epsilon)
        if not self.per_row:
            return with_influence(mmd_squared(system, reference, kernel, of_differences=True), self.scale)
        units = one_row_per_clip(system), one_row_per_clip(reference)
        value, (own, other) = with_influence(mmd_squared(*units, kernel, of_differences=True), self.scale)
        assert other is not None
        return value, (system.sum_per_clip(own), reference.sum_per_clip(other))

    def metric(self, title: str, description: str, signature: str, unit: str) -> SetMetric:
        """Return the metric."""
        return SetMetric.from_estimate(
            mmd_card(self.name, title, description, signature, _CHUNG, unit=unit),
            self.estimate,
            details=self.details,
            linear_in_swaps=not self.own_bandwidth,  # a bandwidth of its own changes with the system's clips
        )


def _as_kadtk(suffix: str, kernel: Callable[[float, float], Kernel], words: str) -> SetMetric:
    signature = f"kernel:{words.replace(' ', '-')}|bw:lower-median-evaluated|est:unbiased|pairs:distinct-rows|scale:100"
    title = f"KAD (kadtk{suffix.replace('_', ', ').upper()})"
    return _Kad(f"kad_kadtk{suffix}", kernel).metric(
        title, f"kernel audio distance as kadtk, {words} kernel", signature, "squared MMD x 100"
    )


KAD = _Kad("kad", gaussian_kernel, own_bandwidth=False, epsilon=0.0, scale=1.0, per_row=False).metric(
    "KAD",
    "kernel audio distance",
    "kernel:gaussian|bw:median-reference|est:unbiased|pairs:distinct-clips|scale:1",
    "squared MMD",
)
KAD_KADTK = _as_kadtk("", gaussian_kernel, "gaussian")
KAD_KADTK_IQ = _as_kadtk("_iq", inverse_quadratic_kernel, "inverse quadratic")
KAD_KADTK_IMQ = _as_kadtk("_imq", inverse_multiquadric_kernel, "inverse multiquadric")


@metric(KAD)
def kad(reference: Vectors, system: Vectors, *, n_boot: int = 2000, seed: int = 0) -> Score:
    """Return the kernel audio distance: the unbiased squared MMD under a Gaussian kernel.

    Conventions: bandwidth the median distance of all pairs of rows of the *reference*, so that two systems are measured
    with one ruler; pairs of different clips; float64; not scaled.

    Args:
        reference: (m, d) embeddings of real audio.
        system: (n, d) embeddings of the system's audio; one or more rows per clip.
        n_boot: number of resamples of the clips for the interval; 0: no interval.
        seed: of the resamples.

    Returns:
        The squared MMD, which may be negative; ``details["bandwidth"]`` has the bandwidth.

    Raises:
        ShapeError: a shape does not fit, fewer than three clips in a set, or half of the reference's pairs are equal.
        SpaceError: the sets come from different encoders or have different widths.

    Source: Y. Chung et al., KAD: No More FAD! An Effective and Efficient Evaluation Metric for Audio Generation, 2025.

    Example:
        >>> import numpy as np
        >>> from clipsonic_eval.metrics import kad
        >>> rng = np.random.default_rng(0)
        >>> reference, same, wide = (s * rng.standard_normal((80, 4)) for s in (1, 1, 2))
        >>> kad(reference, same)
        kad of system: -0.002 [-0.014, 0.011], n = 80
        >>> kad(reference, wide)
        kad of system: 0.089 [0.045, 0.132], n = 80
        >>> from scipy.spatial.distance import pdist
        >>> bool(np.isclose(kad(reference, wide).details["bandwidth"], np.median(pdist(reference))))
        True
    """
    return score(KAD, system, reference=reference, n_boot=n_boot, seed=seed)


@metric(KAD_KADTK)
def kad_kadtk(
    reference: Vectors,
    system: Vectors,
    *,
    kernel: Literal["gaussian", "iq", "imq"] = "gaussian",
    n_boot: int = 2000,
    seed: int = 0,
) -> Score:
    """Return the kernel audio distance as releases of kadtk compute it that take the bandwidth from the evaluated set.

    Other releases, with the same name of the score, take it from the reference. Here a system that is less diverse is
    measured with a finer ruler, and systems do not compare. Conventions: lower median of the distances, rows as units,
    1e-8 added to the denominator, times 100.

    Args:
        reference: (m, d) embeddings of real audio.
        system: (n, d) embeddings of the system's audio.
        kernel: with g = 1 / (2 bandwidth² + 1e-8) and r = |x - y|: exp(-g r²), inverse quadratic 1 / (1 + g r²), or
            inverse multiquadric 1 / √(1 + g r²).
        n_boot: number of resamples of the clips for the interval; 0: no interval.
        seed: of the resamples.

    Returns:
        100 times the squared MMD.

    Raises:
        ShapeError: a shape does not fit, fewer than three clips in a set, or half of the system's pairs are equal.
        SpaceError: the sets come from different encoders or have different widths.

    Source: Y. Chung et al., KAD: No More FAD!, 2025, and their package.

    Example:
        >>> import numpy as np
        >>> from clipsonic_eval.metrics import kad, kad_kadtk
        >>> rng = np.random.default_rng(0)
        >>> reference, narrow = rng.standard_normal((60, 4)), 0.3 * rng.standard_normal((60, 4))
        >>> round(100 * float(kad(reference, narrow)), 1), round(float(kad_kadtk(reference, narrow)), 1)
        (5.8, 40.4)
        >>> kad_kadtk(reference, narrow, kernel="iq").metric
        'kad_kadtk_iq'
    """
    entry = {"gaussian": KAD_KADTK, "iq": KAD_KADTK_IQ, "imq": KAD_KADTK_IMQ}[kernel]
    return score(entry, system, reference=reference, n_boot=n_boot, seed=seed)


@metric(KAD_KADTK_IQ)
def kad_kadtk_iq(reference: Vectors, system: Vectors, *, n_boot: int = 2000, seed: int = 0) -> Score:
    """Return :func:`kad_kadtk` with its inverse quadratic kernel.

    Args:
        reference: (m, d) embeddings of real audio.
        system: (n, d) embeddings of the system's audio.
        n_boot: number of resamples of the clips for the interval; 0: no interval.
        seed: of the resamples.

    Example:
        >>> import numpy as np
        >>> from clipsonic_eval.metrics import kad_kadtk, kad_kadtk_iq
        >>> rng = np.random.default_rng(0)
        >>> sets = rng.standard_normal((30, 3)), rng.standard_normal((30, 3))
        >>> float(kad_kadtk_iq(*sets)) == float(kad_kadtk(*sets, kernel="iq"))
        True
    """
    return score(KAD_KADTK_IQ, system, reference=reference, n_boot=n_boot, seed=seed)


@metric(KAD_KADTK_IMQ)
def kad_kadtk_imq(reference: Vectors, system: Vectors, *, n_boot: int = 2000, seed: int = 0) -> Score:
    """Return :func:`kad_kadtk` with its inverse multiquadric kernel.

    Args:
        reference: (m, d) embeddings of real audio.
        system: (n, d) embeddings of the system's audio.
        n_boot: number of resamples of the clips for the interval; 0: no interval.
        seed: of the resamples.

    Example:
        >>> import numpy as np
        >>> from clipsonic_eval.metrics import kad_kadtk, kad_kadtk_imq
        >>> rng = np.random.default_rng(0)
        >>> sets = rng.standard_normal((30, 3)), rng.standard_normal((30, 3))
        >>> float(kad_kadtk_imq(*sets)) == float(kad_kadtk(*sets, kernel="imq"))
        True
    """
    return score(KAD_KADTK_IMQ, system, reference=reference, n_boot=n_boot, seed=seed)
