"""Class and count accuracy: how often a classifier hears the class, or the number of events, that the query has."""

from __future__ import annotations

from clipsonic_eval import class_shares
from clipsonic_eval.errors import unknown_name
from clipsonic_eval.metrics._base import ClipMetric, Inputs, MetricCard, metric
from clipsonic_eval.metrics._classes import log_probabilities
from clipsonic_eval.metrics.scoring import Labels, Vectors, score
from clipsonic_eval.types import Score


def _per_clip(inputs: Inputs) -> dict[str, float]:
    """Return 1.0 (right) or 0.0 by key, for the keys that have a label."""
    classes = inputs.system.space.labels
    keys, table = log_probabilities(inputs.system)
    result = {}
    for key, row in zip(keys, table, strict=True):
        label = inputs.labels.get(key)
        if label is None:
            continue
        if label not in classes:
            raise unknown_name(f"label of '{key}' for encoder {inputs.system.space.name}:", str(label), classes)
        result[key] = float(classes[int(row.argmax())] == label)
    return result


CLASS_ACCURACY = ClipMetric(
    MetricCard(
        name="class_accuracy",
        title="Class accuracy",
        description="share of clips that a classifier assigns to the class of their query",
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
    details=lambda inputs, hits: class_shares.details(hits, inputs.labels),
)


COUNT_ACCURACY = ClipMetric(
    MetricCard(
        name="count_accuracy",
        title="Count accuracy",
        description="share of clips in which a classifier hears as many events as their query has objects",
        unit="proportion",
        higher_is_better=True,
        role="count_classifier",
        encoder="toy-audio-count",
        needs=("labels",),
        min_n=1,
        biased_in_n=False,
        signature="top:1|rows:mean-probability",
        source="S. Ravuri and O. Vinyals, Classification Accuracy Score, NeurIPS 2019",
        attribute="count",
    ),
    _per_clip,
    proportion=True,
    details=lambda inputs, hits: class_shares.details(hits, inputs.labels),
)


@metric(CLASS_ACCURACY)
def class_accuracy(system: Vectors, *, labels: Labels, n_boot: int = 2000, seed: int = 0) -> Score:
    """Return the share of clips whose most probable class is their label.

    Conventions: rows of a clip are averaged as probabilities; clips without a label are left out; a label that the
    classifier does not know is an error, not a wrong answer. The interval is Wilson's.

    Args:
        system: (rows, classes) log-probabilities in nats, one or more rows per clip.
        labels: true class per clip: names by key or, for arrays, column numbers in the order of the clips.
        n_boot: unused, the interval needs no resamples.
        seed: written into the score.

    Returns:
        The proportion; ``per_clip`` has 1.0 (right) or 0.0 of each clip, ``details`` the share of each class
        (``class/dog``) and its number of clips (``class_n/dog``).

    Raises:
        UserError: a label is no class of the classifier.
        ShapeError: a shape does not fit, or the rows are no log-probabilities.

    Source: S. Ravuri and O. Vinyals, Classification Accuracy Score for Conditional Generative Models, NeurIPS 2019.

    Example:
        >>> import numpy as np
        >>> from clipsonic_eval.metrics import class_accuracy
        >>> probabilities = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.3, 0.7]])
        >>> score = class_accuracy(np.log(probabilities), labels=[0, 1, 1, 1])
        >>> score.value, score.n
        (0.75, 4)
        >>> list(score.per_clip.values())
        [1.0, 1.0, 0.0, 1.0]
        >>> score
        class_accuracy of system: 0.75 [0.30, 0.95], n = 4
    """
    return score(CLASS_ACCURACY, system, labels=labels, n_boot=n_boot, seed=seed)


@metric(COUNT_ACCURACY)
def count_accuracy(system: Vectors, *, labels: Labels, n_boot: int = 2000, seed: int = 0) -> Score:
    """Return the share of clips whose most probable count is that of their query; see :func:`class_accuracy`.

    An image shows how many objects there are, and most captions do not say it: what an image query knows and a text
    query mostly does not.

    Args:
        system: (rows, classes) log-probabilities of the counts in nats, one or more rows per clip.
        labels: true count per clip, named as the classifier names its classes: by key or, for arrays, column numbers in
            the order of the clips.
        n_boot: unused, the interval is Wilson's.
        seed: written into the score.

    Returns:
        The proportion; ``per_clip`` has 1.0 (right) or 0.0 of each clip.

    Raises:
        UserError: a count is no class of the classifier.
        ShapeError: a shape does not fit, or the rows are no log-probabilities.

    Example:
        >>> import numpy as np
        >>> from clipsonic_eval.metrics import count_accuracy
        >>> probabilities = np.array([[0.7, 0.2, 0.1], [0.1, 0.6, 0.3], [0.2, 0.5, 0.3]])
        >>> score = count_accuracy(np.log(probabilities), labels=[0, 1, 2])
        >>> round(score.value, 3)
        0.667
        >>> list(score.per_clip.values())
        [1.0, 1.0, 0.0]
    """
    return score(COUNT_ACCURACY, system, labels=labels, n_boot=n_boot, seed=seed)
