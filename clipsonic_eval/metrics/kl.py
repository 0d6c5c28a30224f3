"""``kl``: divergence of the classes heard in a system's clip from those heard in the query's own audio.

Conventions: KL(real || generated) in nats, as most toolkits print it (some print the other direction, which gives
other numbers); softmax probabilities, rows of a clip averaged; float64 without an epsilon, log-probabilities below
-100 count as -100.
"""

from __future__ import annotations

import numpy as np

from clipsonic_eval.errors import ShapeError
from clipsonic_eval.metrics import METRICS, ClipMetric, Inputs, MetricCard
from clipsonic_eval.metrics._classes import log_probabilities
from clipsonic_eval.metrics._vectors import check_space
from clipsonic_eval.types import Embeddings

_FLOOR = -100.0  # keeps a probability that underflowed from giving infinity


def kl(real: Embeddings, generated: Embeddings) -> dict[str, float]:
    """Return KL(real || generated) by key, nats, for the keys that both sides have.

    Args:
        real: (rows, classes) log-probabilities of the queries' own audio.
        generated: the same of a system's clips.

    Raises:
        SpaceError: two different classifiers.
        ShapeError: the vectors are no log-probabilities.
    """
    check_space(real, generated)
    real_keys, p = log_probabilities(real)
    keys, q = log_probabilities(generated)
    row_of = {key: i for i, key in enumerate(real_keys)}
    result = {}
    for key, row in zip(keys, q, strict=True):
        if key in row_of:
            log_p = p[row_of[key]]
            gap = np.maximum(log_p, _FLOOR) - np.maximum(row, _FLOOR)
            result[key] = float(np.exp(log_p) @ gap)
    return result


def _per_clip(inputs: Inputs) -> dict[str, float]:
    if inputs.real is None:
        raise ShapeError("kl needs the queries' own audio; give a folder of it")
    return kl(inputs.real, inputs.system)


METRICS.add(
    "kl",
    ClipMetric(
        MetricCard(
            name="kl",
            title="KL divergence of classes",
            unit="nats",
            higher_is_better=False,
            role="classes",
            needs=("real",),
            min_n=1,
            signature="dir:real-generated|prob:softmax|rows:mean-probability",
            source="V. Iashin and E. Rahtu, Taming Visually Guided Sound Generation, BMVC 2021",
            by_default=False,
        ),
        _per_clip,
    ),
)
