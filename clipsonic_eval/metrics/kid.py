"""``kid`` and ``kid_subsets``: the squared MMD under the cubic kernel (x . y / d + 1)^3.

``kid`` is the unbiased estimate over the whole sets, pairs of different clips, float64. The usual ``kid_subsets`` (mean
over 100 random subsets of 1000 rows of each set, drawn without replacement, pairs of different rows) estimates the same
quantity with more noise. Its spread over subsets is not a standard error: it falls to 1e-16 where a subset is the whole
set, as tools print that cut the subset down to the set. So fewer than 2000 rows in a set are refused here, and the
interval is that of the clips.

Intervals: jackknife over clips of both sets; for ``kid_subsets`` with the noise of the drawn subsets on top. Cost:
(n + m)^2 (d + 3) operations for n and m rows; the subsets themselves 3 x 10^8 (d + 3) whatever n.

Source of the subsets' convention: torch-fidelity 0.4 (degree 3, gamma 1/d, coef0 1, population standard deviation).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from clipsonic_eval import seeds
from clipsonic_eval.arraytypes import Float64
from clipsonic_eval.errors import ShapeError
from clipsonic_eval.metrics._base import METRICS, Inputs, MetricCard, SetMetric
from clipsonic_eval.metrics._rows import (
    Influence,
    at_least,
    each_its_own,
    influence_of,
    linear_replicates,
    metric_of,
    reference_of,
    sorted_rows,
)
from clipsonic_eval.stats.bootstrap import DAMPING
from clipsonic_eval.stats.influence import jackknife_influence
from clipsonic_eval.stats.mmd import cubic_kernel, mmd_squared
from clipsonic_eval.stats.pairwise import Rows
from clipsonic_eval.types import Embeddings

MIN_CLIPS = 3
SUBSETS = 100
SIZE = 1000


def kid(reference: Embeddings, system: Embeddings) -> float:
    """Return the unbiased squared MMD over the whole sets; may be negative.

    Raises:
        SpaceError: they come from different encoders.
        ShapeError: fewer than three clips in a set.
    """
    return _estimate(Inputs(system, reference))[0]


def kid_subsets(
    reference: Embeddings, system: Embeddings, subsets: int = SUBSETS, size: int = SIZE
) -> tuple[float, float]:
    """Return mean and standard deviation (divisor: subsets) of KID over random subsets of rows.

    Which rows are drawn follows from their place in the order of keys, not from a run's seed.

    Raises:
        SpaceError: they come from different encoders.
        ShapeError: a set has fewer than two subsets' rows.
    """
    values = _subset_values(Inputs(system, reference), subsets, size)
    return float(values.mean()), float(values.std())


def _estimate(inputs: Inputs) -> tuple[float, Influence]:
    reference = reference_of("kid", inputs)
    at_least("kid", reference, MIN_CLIPS, "reference")
    at_least("kid", inputs.system, MIN_CLIPS, "system")
    found = mmd_squared(sorted_rows(inputs.system), sorted_rows(reference), cubic_kernel)
    return found.value, (jackknife_influence(found.without_first), jackknife_influence(found.without_second))


def _subset_values(inputs: Inputs, subsets: int, size: int) -> Float64:
    reference = reference_of("kid_subsets", inputs)
    for whose, embeddings in (("reference", reference), ("system", inputs.system)):
        if len(embeddings) < 2 * size:
            raise ShapeError(
                f"kid_subsets draws subsets of {size} rows and needs at least {2 * size} in the {whose}, got "
                f"{len(embeddings)}; take kid, which uses all pairs"
            )
    ours, theirs = each_its_own(sorted_rows(inputs.system)), each_its_own(sorted_rows(reference))
    values = np.empty(subsets)
    for i in range(subsets):
        x, y = (_drawn(rows, size, f"{side}-{i}") for rows, side in ((ours, "system"), (theirs, "reference")))
        values[i] = mmd_squared(x, y, cubic_kernel).value
    return values


def _drawn(rows: Rows, size: int, key: str) -> Rows:
    chosen = seeds.stream(0, key, "kid-subset").choice(len(rows.vectors), size, replace=False)
    return Rows(rows.vectors[chosen], np.arange(size))


def _subsets_value(inputs: Inputs) -> float:
    return float(_subset_values(inputs, SUBSETS, SIZE).mean())


def _subsets_details(inputs: Inputs) -> dict[str, float]:
    return {"subsets_std": float(_subset_values(inputs, SUBSETS, SIZE).std())}


def _subsets_replicates(systems: Sequence[Inputs], n_boot: int, seed: int) -> Float64:
    result = linear_replicates(_estimate, systems, n_boot, seed)
    drawn = seeds.stream(seed, "", "kid-subsets-noise").standard_normal(n_boot)
    for i, inputs in enumerate(systems):
        values = _subset_values(inputs, SUBSETS, SIZE)
        result[i] += values.mean() - _estimate(inputs)[0] + DAMPING * values.std() / np.sqrt(SUBSETS) * drawn
    return result


METRICS.add(
    "kid",
    metric_of(
        MetricCard(
            name="kid",
            title="KID",
            description="Kernel distance, cubic",
            unit="squared MMD",
            higher_is_better=False,
            role="audio",
            encoder="toy-audio",
            needs=("reference",),
            min_n=MIN_CLIPS,
            biased_in_n=False,
            signature="kernel:poly3-1/d-1|est:unbiased|pairs:distinct-clips|subsets:none",
            source="M. Binkowski et al., Demystifying MMD GANs, ICLR 2018",
        ),
        _estimate,
    ),
)
METRICS.add(
    "kid_subsets",
    SetMetric(
        MetricCard(
            name="kid_subsets",
            title="KID over subsets",
            description="Kernel distance, cubic, over subsets",
            unit="squared MMD",
            higher_is_better=False,
            role="audio",
            encoder="toy-audio",
            needs=("reference",),
            min_n=2 * SIZE,
            biased_in_n=False,
            signature=f"kernel:poly3-1/d-1|est:unbiased|pairs:distinct-rows|subsets:{SUBSETS}x{SIZE}",
            source="M. Binkowski et al., Demystifying MMD GANs, ICLR 2018",
        ),
        _subsets_value,
        _subsets_replicates,
        details=_subsets_details,
        fits_covariance=False,
        method="jackknife-clip",
        influence=influence_of(_estimate),
        linear_in_swaps=False,
    ),
)
