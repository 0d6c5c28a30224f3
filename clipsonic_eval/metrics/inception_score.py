"""``inception_score``: how sure the classifier is of each clip, and how evenly the clips spread over the classes.

exp of the mean over clips of KL(p(y|x) || p(y)), p(y) the mean over the same clips; from 1 (every clip gets the same
answer) to the number of classes. Conventions: all clips at once, softmax probabilities, rows of a clip averaged as
probabilities, no epsilon. The score looks at no prompt and no reference: a system that ignores its prompts can score
well. It grows with the number of clips, so compare at equal n only; ``inception_score_10_splits`` is smaller for the
same clips, since each split has a tenth of them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from clipsonic_eval.arraytypes import Float64
from clipsonic_eval.metrics._base import METRICS, ClipInfluence, Inputs, MetricCard, SetMetric
from clipsonic_eval.metrics._inception import influence, probabilities_of, replicates, scores
from clipsonic_eval.types import Embeddings


def inception_score(log_probs: Embeddings) -> float:
    """Return the inception score of a set of clips.

    Args:
        log_probs: (rows, classes) log-probabilities, one or more rows per clip.

    Raises:
        ShapeError: the vectors are no log-probabilities.

    Source: T. Salimans et al., Improved Techniques for Training GANs, 2016, section 4.
    """
    return _value(Inputs(log_probs))


def _value(inputs: Inputs) -> float:
    probabilities = probabilities_of(inputs)[1]
    return float(scores(probabilities, np.ones((1, len(probabilities))))[0])


def _replicates(systems: Sequence[Inputs], n_boot: int, seed: int) -> Float64:
    return replicates(systems, n_boot, seed, scores)


def _influence(inputs: Inputs) -> ClipInfluence:
    keys, probabilities = probabilities_of(inputs)
    return ClipInfluence(dict(zip(keys, influence(probabilities).tolist(), strict=True)), {})


METRICS.add(
    "inception_score",
    SetMetric(
        MetricCard(
            name="inception_score",
            title="Inception score",
            description="exp of the mean KL divergence of the clips' classes from their average",
            decimals=2,
            unit="effective classes",
            higher_is_better=True,
            role="classifier",
            encoder="toy-audio-classes",
            needs=(),
            min_n=2,
            biased_in_n=True,
            signature="prob:softmax|rows:mean-probability|splits:1",
            source="T. Salimans et al., Improved Techniques for Training GANs, NeurIPS 2016",
        ),
        _value,
        _replicates,
        lowest=1.0,
        fits_covariance=False,
        influence=_influence,
    ),
)
