"""``kl_reverse_mean_logits``: KL(generated || real), windows averaged before the softmax.

Direction and averaging of stable-audio-metrics. That toolkit adds 1e-6 to the second probability within the
logarithm and cuts windows of 10 s every 5 s; here the windows are the encoder's, as its card says, and there is no
epsilon.
"""

from __future__ import annotations

from clipsonic_eval.errors import ShapeError
from clipsonic_eval.metrics._base import METRICS, ClipMetric, Inputs, MetricCard
from clipsonic_eval.metrics._classes import divergence
from clipsonic_eval.types import Embeddings


def kl_reverse_mean_logits(real: Embeddings, generated: Embeddings) -> dict[str, float]:
    """Return KL(generated || real) by key, nats; arguments and errors as of :func:`clipsonic_eval.metrics.kl.kl`."""
    return divergence(generated, real, "logit")


def _per_clip(inputs: Inputs) -> dict[str, float]:
    if inputs.real is None:
        raise ShapeError("kl_reverse_mean_logits needs the queries' own audio; give a folder of it")
    return kl_reverse_mean_logits(inputs.real, inputs.system)


METRICS.add(
    "kl_reverse_mean_logits",
    ClipMetric(
        MetricCard(
            name="kl_reverse_mean_logits",
            title="KL, reversed, logits averaged",
            description="KL divergence of classes, reversed, logits averaged",
            unit="nats",
            higher_is_better=False,
            role="classifier",
            encoder="toy-audio-classes",
            needs=("real",),
            min_n=1,
            biased_in_n=False,
            signature="dir:generated-real|prob:softmax|rows:mean-logit",
            source="Z. Evans et al., Fast Timing-Conditioned Latent Audio Diffusion, ICML 2024",
        ),
        _per_clip,
    ),
)
