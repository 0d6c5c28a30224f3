"""``kl``: divergence of the classes heard in a system's clip from those heard in the query's own audio.

Conventions: KL(real || generated) in nats, as most toolkits print it (``kl_reverse`` is the other direction, which
gives other numbers); softmax probabilities, rows of a clip averaged (``kl_mean_logits`` averages logits); float64
without an epsilon, log-probabilities below -100 count as -100. Toolkits that add 1e-6 to the second distribution lose
what lies below it: with several hundred classes their numbers are a little smaller.
"""

from __future__ import annotations

from clipsonic_eval.errors import ShapeError
from clipsonic_eval.metrics._base import METRICS, ClipMetric, Inputs, MetricCard
from clipsonic_eval.metrics._classes import divergence
from clipsonic_eval.types import Embeddings


def kl(real: Embeddings, generated: Embeddings) -> dict[str, float]:
    """Return KL(real || generated) by key, nats, for the keys that both sides have.

    Args:
        real: (rows, classes) log-probabilities of the queries' own audio.
        generated: the same of a system's clips.

    Raises:
        SpaceError: two different classifiers.
        ShapeError: the vectors are no log-probabilities.
    """
    return divergence(real, generated)


def _per_clip(inputs: Inputs) -> dict[str, float]:
    if inputs.real is None:
        raise ShapeError("kl needs the queries' own audio; give a folder of it")
    return kl(inputs.real, inputs.system)


METRICS.add(
    "kl",
    ClipMetric(
        MetricCard(
            name="kl",
            title="KL",
            description="KL divergence of classes",
            unit="nats",
            higher_is_better=False,
            role="classifier",
            encoder="toy-audio-classes",
            needs=("real",),
            min_n=1,
            biased_in_n=False,
            signature="dir:real-generated|prob:softmax|rows:mean-probability",
            source="V. Iashin and E. Rahtu, Taming Visually Guided Sound Generation, BMVC 2021",
        ),
        _per_clip,
    ),
)
