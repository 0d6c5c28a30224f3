"""``kl_reverse``: KL(generated || real), the direction that stable-audio-metrics prints.

It punishes classes that are heard in the system's clip and not in the query's own audio; ``kl`` punishes those that
are missing. The two are different numbers for the same clips and may not stand in one column. Everything else as
in ``kl``. The toolkit named above also averages logits over windows: see ``kl_reverse_mean_logits``.
"""

from __future__ import annotations

from clipsonic_eval.errors import ShapeError
from clipsonic_eval.metrics._base import METRICS, ClipMetric, Inputs, MetricCard
from clipsonic_eval.metrics._classes import divergence
from clipsonic_eval.types import Embeddings


def kl_reverse(real: Embeddings, generated: Embeddings) -> dict[str, float]:
    """Return KL(generated || real) by key, nats; arguments and errors as of :func:`clipsonic_eval.metrics.kl.kl`."""
    return divergence(generated, real)


def _per_clip(inputs: Inputs) -> dict[str, float]:
    if inputs.real is None:
        raise ShapeError("kl_reverse needs the queries' own audio; give a folder of it")
    return kl_reverse(inputs.real, inputs.system)


METRICS.add(
    "kl_reverse",
    ClipMetric(
        MetricCard(
            name="kl_reverse",
            title="KL, reversed",
            description="KL divergence of classes, reversed",
            unit="nats",
            higher_is_better=False,
            role="classifier",
            encoder="toy-audio-classes",
            needs=("real",),
            min_n=1,
            biased_in_n=False,
            signature="dir:generated-real|prob:softmax|rows:mean-probability",
            source="Z. Evans et al., Fast Timing-Conditioned Latent Audio Diffusion, ICML 2024",
        ),
        _per_clip,
    ),
)
