"""``kad`` and ``kad_kadtk``: kernel audio distance, the squared MMD under a Gaussian kernel or one with heavier tails.

Conventions of ``kad``: bandwidth the median distance of all pairs of rows of the *reference*, so that two systems are
measured with one ruler; unbiased, pairs of different clips; float64; not scaled. It needs no Gaussian embeddings, few
clips, and equal n on neither side.

``kad_kadtk`` gives the numbers of releases of kadtk that take the bandwidth from the *evaluated* set (others, with the
same name of the score, take it from the reference): lower median, rows as units, 1e-8 added to the denominator, times
100. There a system that is less diverse is measured with a finer ruler, and systems do not compare.
``kad_kadtk_iq`` and ``kad_kadtk_imq`` are its other kernels: with g = 1 / (2 bandwidth^2 + 1e-8), inverse quadratic
1 / (1 + g |x - y|^2) and inverse multiquadric 1 / sqrt(1 + g |x - y|^2).

Intervals: jackknife over clips of both sets, the bandwidth held at its value. Cost: about (n + m)^2 (d + 5) operations
for n and m rows; 1000 against 1000 rows in 512 dimensions take 0.1 s, 10,000 against 10,000 some 10 s.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from clipsonic_eval.arraytypes import Float64
from clipsonic_eval.errors import ShapeError
from clipsonic_eval.metrics._base import METRICS, Inputs, MetricCard, SetMetric
from clipsonic_eval.metrics._rows import (
    Influence,
    at_least,
    each_its_own,
    metric_of,
    reference_of,
    sorted_rows,
)
from clipsonic_eval.stats.influence import jackknife_influence
from clipsonic_eval.stats.mmd import (
    gaussian_kernel,
    inverse_multiquadric_kernel,
    inverse_quadratic_kernel,
    mmd_squared,
)
from clipsonic_eval.stats.pairwise import LeaveOneOut, Rows, median_distance
from clipsonic_eval.types import Embeddings

MIN_CLIPS = 3
_KADTK_SCALE = 100.0
_KADTK_EPSILON = 1e-8
_KADTK_KERNELS = {
    "kad_kadtk": gaussian_kernel,
    "kad_kadtk_iq": inverse_quadratic_kernel,
    "kad_kadtk_imq": inverse_multiquadric_kernel,
}


def kad(reference: Embeddings, system: Embeddings) -> float:
    """Return the unbiased squared MMD with the reference's median distance as bandwidth; may be negative.

    Raises:
        SpaceError: they come from different encoders.
        ShapeError: fewer than three clips in a set, or all rows of the reference are equal.
    """
    return _estimate("kad", Inputs(system, reference))[0]


def kad_kadtk(
    reference: Embeddings, system: Embeddings, kernel: Literal["gaussian", "iq", "imq"] = "gaussian"
) -> float:
    """Return 100 times the unbiased squared MMD of rows with the evaluated set's median distance as bandwidth.

    Args:
        reference: embeddings of real sound.
        system: embeddings of the evaluated set.
        kernel: of the package: Gaussian, inverse quadratic or inverse multiquadric.

    Raises:
        SpaceError: they come from different encoders.
        ShapeError: fewer than three clips in a set, or all rows of the system are equal.
    """
    name = "kad_kadtk" if kernel == "gaussian" else f"kad_kadtk_{kernel}"
    return _estimate(name, Inputs(system, reference))[0]


def bandwidth(name: str, inputs: Inputs) -> float:
    """Return the bandwidth that ``kad`` or a form of ``kad_kadtk`` takes.

    Raises:
        ShapeError: the set that it is taken from has no spread.
    """
    return _rows(name, inputs)[2]


def _rows(name: str, inputs: Inputs) -> tuple[Rows, Rows, float]:
    reference = reference_of(name, inputs)
    at_least(name, reference, MIN_CLIPS, "reference")
    at_least(name, inputs.system, MIN_CLIPS, "system")
    origin: Float64 = reference.vectors.mean(axis=0, dtype=np.float64)
    ours, theirs = sorted_rows(inputs.system, origin), sorted_rows(reference, origin)
    whose = "reference" if name == "kad" else "system"
    wide = median_distance((theirs if name == "kad" else ours).vectors, lower=name != "kad")
    if wide == 0:
        raise ShapeError(f"{name} takes its bandwidth from the {whose}, but half of its pairs are equal; drop copies")
    return ours, theirs, wide


def _estimate(name: str, inputs: Inputs) -> tuple[float, Influence]:
    ours, theirs, wide = _rows(name, inputs)
    if name == "kad":
        return _with_influence(mmd_squared(ours, theirs, gaussian_kernel(wide), of_differences=True), 1.0)
    kernel = _KADTK_KERNELS[name](wide, _KADTK_EPSILON)
    found = mmd_squared(each_its_own(ours), each_its_own(theirs), kernel, of_differences=True)
    value, (own, other) = _with_influence(found, _KADTK_SCALE)
    assert other is not None
    return value, (ours.sum_per_clip(own), theirs.sum_per_clip(other))


def _with_influence(found: LeaveOneOut, scale: float) -> tuple[float, Influence]:
    own, other = (jackknife_influence(scale * w) for w in (found.without_first, found.without_second))
    return scale * found.value, (own, other)


def _metric(name: str, title: str, unit: str, signature: str) -> SetMetric:
    def estimate(inputs: Inputs) -> tuple[float, Influence]:
        return _estimate(name, inputs)

    def details(inputs: Inputs) -> dict[str, float]:
        return {"bandwidth": bandwidth(name, inputs)}

    card = MetricCard(
        name=name,
        title=title.replace("Kernel audio distance", "KAD"),
        description=title,
        unit=unit,
        higher_is_better=False,
        role="audio",
        encoder="toy-audio",
        needs=("reference",),
        min_n=MIN_CLIPS,
        biased_in_n=False,
        signature=signature,
        source="Y. Chung et al., KAD: No More FAD!, 2025",
    )
    own_bandwidth = name != "kad"  # which goes with the system's clips
    return metric_of(card, estimate, details=details, linear_in_swaps=not own_bandwidth)


METRICS.add(
    "kad",
    _metric(
        "kad",
        "Kernel audio distance",
        "squared MMD",
        "kernel:gaussian|bw:median-reference|est:unbiased|pairs:distinct-clips|scale:1",
    ),
)
for _suffix, _kernel, _words in (
    ("", "gaussian", ""),
    ("_iq", "inverse-quadratic", ", inverse quadratic kernel"),
    ("_imq", "inverse-multiquadric", ", inverse multiquadric kernel"),
):
    METRICS.add(
        f"kad_kadtk{_suffix}",
        _metric(
            f"kad_kadtk{_suffix}",
            f"Kernel audio distance as kadtk{_words}",
            "squared MMD x 100",
            f"kernel:{_kernel}|bw:lower-median-evaluated|est:unbiased|pairs:distinct-rows|scale:100",
        ),
    )
