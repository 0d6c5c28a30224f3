"""The scores of a trained audio model on validation queries, for the search of a recipe."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from clipsonic.training.sample_scores import SAMPLES, SampleScorer, SampleValidationConfig
from clipsonic_eval import class_shares
from clipsonic_eval.devices import resolve_device
from clipsonic_eval.harness.queries import read_queries
from clipsonic_eval.progress import Progress

_METRICS: Final = ("fad", "clap_score", "class_accuracy")
_OF_ATTRIBUTES: Final = {"count_accuracy": "count", "size_error": "size"}  # and what the queries must say for them


def evaluated(
    model: Path, chosen: Mapping[str, Any], data: tuple[Path, int | None, Path], wavs: Path, progress: Progress
) -> dict[str, Any]:
    """Sample image queries (IQ) and score them.

    Args:
        model: folder of the audio model.
        chosen: settings of the system, such as guidance and steps.
        data: csv of the queries, how many of them (None: all), and the reference of the distribution metrics.
        wavs: gets a folder of wavs per choice.
        progress: shows bars and notes.

    Returns:
        The choice, n, each metric that the queries allow with its interval, and the accuracy of every class.

    Raises:
        UserError: a query was not answered.
    """
    path, limit, reference = data
    words = "-".join(f"{key}{value}" for key, value in sorted(chosen.items()))
    folder = wavs / re.sub(r"[^\w.]+", "-", words).strip("-")
    first = next(iter(read_queries(path).single(path, "check it")))
    metrics = (*_METRICS, *(metric for metric, name in _OF_ATTRIBUTES.items() if first.attributes.get(name)))
    config = SampleValidationConfig(
        queries=path,
        reference=reference,
        limit=limit,
        metrics=metrics,
        settings={"precision": "auto", **chosen},
        examples=0,
        n_bootstrap=200,
    )
    scorer = SampleScorer(config, str(resolve_device("auto")))
    record = scorer.record(model, folder, None, {}, progress)
    found: dict[str, Any] = {**chosen, "n": len(scorer.queries)}
    for metric in metrics:
        score = record.score(metric, SAMPLES)
        if score is not None:
            found |= {metric: score.value, f"{metric}_ci": score.ci}
    hits = record.score("class_accuracy", SAMPLES)
    if hits is not None and (worst := class_shares.worst(hits)) is not None:
        by_class = {name: share for name, (share, _) in class_shares.shares(hits).items()}
        found |= {"worst_class": worst[0], "worst_class_accuracy": worst[1], "by_class": by_class}
    return found
