"""``class_accuracy``: how often a classifier hears the class that the query names.

Conventions: the class of highest probability, rows of a clip averaged as probabilities; clips whose query has no label
are left out; a label that the classifier does not know is an error, not a wrong answer.
"""

from __future__ import annotations

from collections.abc import Mapping

from clipsonic_eval.errors import unknown_name
from clipsonic_eval.metrics._base import METRICS, ClipMetric, Inputs, MetricCard
from clipsonic_eval.metrics._classes import log_probabilities
from clipsonic_eval.types import Embeddings


def class_accuracy(log_probs: Embeddings, labels: Mapping[str, str]) -> dict[str, float]:
    """Return 1.0 (heard right) or 0.0 by key, for the keys that have a label.

    Args:
        log_probs: (rows, classes) log-probabilities over ``log_probs.space.labels``.
        labels: true class name by key.

    Raises:
        UserError: a label is no class of the encoder.
        ShapeError: the vectors are no log-probabilities.
    """
    classes = log_probs.space.labels
    keys, table = log_probabilities(log_probs)
    result = {}
    for key, row in zip(keys, table, strict=True):
        label = labels.get(key)
        if label is None:
            continue
        if label not in classes:
            raise unknown_name(f"label of '{key}' for encoder {log_probs.space.name}:", label, classes)
        result[key] = float(classes[int(row.argmax())] == label)
    return result


def _per_clip(inputs: Inputs) -> dict[str, float]:
    return class_accuracy(inputs.system, inputs.labels)


METRICS.add(
    "class_accuracy",
    ClipMetric(
        MetricCard(
            name="class_accuracy",
            title="Class accuracy",
            description="share of clips classified as their label",
            unit="proportion",
            higher_is_better=True,
            role="classifier",
            encoder="toy-audio-classes",
            needs=("labels",),
            min_n=1,
            biased_in_n=False,
            signature="top:1|rows:mean-probability",
            source="S. Ravuri and O. Vinyals, Classification Accuracy Score, NeurIPS 2019",
            by_default=True,
        ),
        _per_clip,
        proportion=True,
    ),
)
