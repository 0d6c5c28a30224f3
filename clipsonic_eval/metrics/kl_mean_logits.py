"""``kl_mean_logits``: KL(real || generated) where the windows of a clip are averaged before the softmax.

For encoders of one row per clip it is ``kl``. For several rows it is another number: the mean of probabilities keeps a
class that one window is sure of, the mean of logits (the geometric mean of the probabilities, made to sum to 1) keeps
what no window denies.
"""

from __future__ import annotations

from clipsonic_eval.errors import ShapeError
from clipsonic_eval.metrics._base import METRICS, ClipMetric, Inputs, MetricCard
from clipsonic_eval.metrics._classes import divergence
from clipsonic_eval.types import Embeddings


def kl_mean_logits(real: Embeddings, generated: Embeddings) -> dict[str, float]:
    """Return KL(real || generated) by key, nats; arguments and errors as of :func:`clipsonic_eval.metrics.kl.kl`."""
    return divergence(real, generated, "logit")


def _per_clip(inputs: Inputs) -> dict[str, float]:
    if inputs.real is None:
        raise ShapeError("kl_mean_logits needs the queries' own audio; give a folder of it")
    return kl_mean_logits(inputs.real, inputs.system)


METRICS.add(
    "kl_mean_logits",
    ClipMetric(
        MetricCard(
            name="kl_mean_logits",
            title="KL, logits averaged",
            description="KL divergence of classes, logits averaged",
            unit="nats",
            higher_is_better=False,
            role="classifier",
            encoder="toy-audio-classes",
            needs=("real",),
            min_n=1,
            biased_in_n=False,
            signature="dir:real-generated|prob:softmax|rows:mean-logit",
            source="V. Iashin and E. Rahtu, Taming Visually Guided Sound Generation, BMVC 2021",
        ),
        _per_clip,
    ),
)
