"""KL divergence between the classes that a classifier predicts for a generated clip and for the query's own audio.

Four forms, which give different numbers: two directions, and two ways to average the rows (windows) of a clip. The mean
of probabilities keeps a class that one window is sure of; the mean of logits (the geometric mean of the probabilities,
normalised) keeps what no window denies. For encoders of one row per clip the two are equal.

Conventions: softmax probabilities in float64 without an epsilon, log-probabilities below -100 count as -100. Toolkits
that add 1e-6 to the second distribution lose what lies below it: with several hundred classes their numbers are a
little smaller.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np

from clipsonic_eval.metrics._base import ClipMetric, Inputs, MetricCard, metric
from clipsonic_eval.metrics._classes import Pooling, log_probabilities
from clipsonic_eval.metrics.scoring import Vectors, score
from clipsonic_eval.types import Score

Direction = Literal["real-generated", "generated-real"]

_FLOOR = -100.0  # keeps a probability that underflowed from giving infinity
_IASHIN = "V. Iashin and E. Rahtu, Taming Visually Guided Sound Generation, BMVC 2021"
_EVANS = "Z. Evans et al., Fast Timing-Conditioned Latent Audio Diffusion, ICML 2024"


def _divergences(name: str, direction: Direction, pooling: Pooling) -> Callable[[Inputs], dict[str, float]]:
    def per_clip(inputs: Inputs) -> dict[str, float]:
        """Return the divergence by key, nats, for the keys that both sides have."""
        pair = inputs.require("real", name), inputs.system
        first, second = pair if direction == "real-generated" else pair[::-1]
        keys, p = log_probabilities(first, pooling)
        other_keys, q = log_probabilities(second, pooling)
        row_of = {key: i for i, key in enumerate(other_keys)}
        result = {}
        for key, log_p in zip(keys, p, strict=True):
            if key in row_of:
                log_q = q[row_of[key]]
                # KL(p ‖ q) = Σ_c p_c (log p_c − log q_c)
                result[key] = float(np.exp(log_p) @ (np.maximum(log_p, _FLOOR) - np.maximum(log_q, _FLOOR)))
        return result

    return per_clip


def _metric(name: str, title: str, direction: Direction, pooling: Pooling, source: str) -> ClipMetric:
    first, second = direction.split("-")
    averaged = {"probability": "probabilities", "logit": "logits"}[pooling]
    card = MetricCard(
        name=name,
        title=title,
        description=f"KL({first} || {second}) of class probabilities, windows averaged as {averaged}",
        unit="nats",
        higher_is_better=False,
        role="classifier",
        encoder="toy-audio-classes",
        needs=("real",),
        min_n=1,
        biased_in_n=False,
        signature=f"dir:{direction}|prob:softmax|rows:mean-{pooling}",
        source=source,
    )
    return ClipMetric(card, _divergences(name, direction, pooling))


KL = _metric("kl", "KL", "real-generated", "probability", _IASHIN)
KL_REVERSE = _metric("kl_reverse", "KL, reversed", "generated-real", "probability", _EVANS)
KL_MEAN_LOGITS = _metric("kl_mean_logits", "KL, logits averaged", "real-generated", "logit", _IASHIN)
KL_REVERSE_MEAN_LOGITS = _metric(
    "kl_reverse_mean_logits", "KL, reversed, logits averaged", "generated-real", "logit", _EVANS
)


@metric(KL)
def kl(system: Vectors, *, real: Vectors, n_boot: int = 2000, seed: int = 0) -> Score:
    """Return the mean of KL(real || generated) over clips, as most toolkits print it.

    It is large where the system misses a class of the real clip. Rows of a clip are averaged as probabilities.

    Args:
        system: (rows, classes) log-probabilities in nats of the generated clips, one or more rows per clip.
        real: (rows, classes) the same of the queries' own audio; an array has one row per clip, in the same order.
        n_boot: number of resamples of the clips for the interval; 0: no interval.
        seed: of the resamples.

    Returns:
        The divergence in nats; ``per_clip`` has that of each clip.

    Raises:
        ShapeError: a shape does not fit, no clip has real audio, or the rows are no log-probabilities.
        SpaceError: two different classifiers.

    Source: V. Iashin and E. Rahtu, Taming Visually Guided Sound Generation, BMVC 2021.

    Example:
        >>> import numpy as np
        >>> from clipsonic_eval.metrics import kl
        >>> real = np.log([[0.36, 0.64], [0.5, 0.5]])
        >>> generated = np.log([[0.5, 0.5], [0.5, 0.5]])
        >>> score = kl(generated, real=real)
        >>> by_hand = 0.36 * np.log(0.36 / 0.5) + 0.64 * np.log(0.64 / 0.5)
        >>> bool(np.isclose(score.per_clip["00000000"], by_hand))
        True
        >>> round(float(score), 4), score.unit
        (0.0199, 'nats')
    """
    return score(KL, system, real=real, n_boot=n_boot, seed=seed)


@metric(KL_REVERSE)
def kl_reverse(system: Vectors, *, real: Vectors, n_boot: int = 2000, seed: int = 0) -> Score:
    """Return the mean of KL(generated || real) over clips: large where the system adds a class to the real clip.

    Args:
        system: (rows, classes) log-probabilities in nats of the generated clips, one or more rows per clip.
        real: (rows, classes) the same of the queries' own audio; an array has one row per clip, in the same order.
        n_boot: number of resamples of the clips for the interval; 0: no interval.
        seed: of the resamples.

    Returns:
        The divergence in nats; ``per_clip`` has that of each clip.

    Raises:
        ShapeError: a shape does not fit, no clip has real audio, or the rows are no log-probabilities.
        SpaceError: two different classifiers.

    Source: V. Iashin and E. Rahtu, Taming Visually Guided Sound Generation, BMVC 2021, with the sides exchanged; the
    direction of Z. Evans et al., Fast Timing-Conditioned Latent Audio Diffusion, ICML 2024.

    Example:
        >>> import numpy as np
        >>> from clipsonic_eval.metrics import kl, kl_reverse
        >>> dog = np.log([[0.98, 0.01, 0.01]])
        >>> dog_and_bell = np.log([[0.495, 0.495, 0.01]])
        >>> round(float(kl_reverse(dog_and_bell, real=dog)), 2)  # the bell is an addition
        1.59
        >>> round(float(kl(dog_and_bell, real=dog)), 2)
        0.63
    """
    return score(KL_REVERSE, system, real=real, n_boot=n_boot, seed=seed)


@metric(KL_MEAN_LOGITS)
def kl_mean_logits(system: Vectors, *, real: Vectors, n_boot: int = 2000, seed: int = 0) -> Score:
    """Return the mean of KL(real || generated) over clips whose windows are averaged before the softmax.

    Args:
        system: (rows, classes) log-probabilities in nats of the generated clips, one or more rows per clip.
        real: (rows, classes) the same of the queries' own audio.
        n_boot: number of resamples of the clips for the interval; 0: no interval.
        seed: of the resamples.

    Returns:
        The divergence in nats; ``per_clip`` has that of each clip.

    Raises:
        ShapeError: a shape does not fit, no clip has real audio, or the rows are no log-probabilities.
        SpaceError: two different classifiers.

    Source: V. Iashin and E. Rahtu, Taming Visually Guided Sound Generation, BMVC 2021.

    Example:
        >>> import numpy as np
        >>> from clipsonic_eval.metrics import kl, kl_mean_logits
        >>> from clipsonic_eval.types import as_embeddings
        >>> windows = np.log([[0.9, 0.1], [0.5, 0.5]])  # of one clip, over classes "a" and "b"
        >>> clip = as_embeddings(windows, keys=["q", "q"], labels=["a", "b"])
        >>> real = as_embeddings(np.log([[0.7, 0.3]]), keys=["q"], labels=["a", "b"])
        >>> bool(abs(float(kl(clip, real=real))) < 1e-12)  # mean of the probabilities: 0.7, 0.3
        True
        >>> round(float(kl_mean_logits(clip, real=real)), 4)  # mean of the logits: 0.75, 0.25
        0.0064
    """
    return score(KL_MEAN_LOGITS, system, real=real, n_boot=n_boot, seed=seed)


@metric(KL_REVERSE_MEAN_LOGITS)
def kl_reverse_mean_logits(system: Vectors, *, real: Vectors, n_boot: int = 2000, seed: int = 0) -> Score:
    """Return the mean of KL(generated || real) over clips whose windows are averaged before the softmax.

    Direction and averaging of stable-audio-metrics, which also adds 1e-6 to the second probability within the logarithm
    and cuts windows of 10 s every 5 s; here the windows are the encoder's, as its card says, without an epsilon.

    Args:
        system: (rows, classes) log-probabilities in nats of the generated clips, one or more rows per clip.
        real: (rows, classes) the same of the queries' own audio.
        n_boot: number of resamples of the clips for the interval; 0: no interval.
        seed: of the resamples.

    Returns:
        The divergence in nats; ``per_clip`` has that of each clip.

    Raises:
        ShapeError: a shape does not fit, no clip has real audio, or the rows are no log-probabilities.
        SpaceError: two different classifiers.

    Source: Z. Evans et al., Fast Timing-Conditioned Latent Audio Diffusion, ICML 2024.

    Example:
        >>> import numpy as np
        >>> from clipsonic_eval.metrics import kl_reverse, kl_reverse_mean_logits
        >>> real, generated = np.log([[0.2, 0.8]]), np.log([[0.5, 0.5]])
        >>> score = kl_reverse_mean_logits(generated, real=real)
        >>> float(score) == float(kl_reverse(generated, real=real))  # one row per clip: nothing to average
        True
        >>> round(float(score), 4)
        0.2231
    """
    return score(KL_REVERSE_MEAN_LOGITS, system, real=real, n_boot=n_boot, seed=seed)
