"""The scores of a trained audio model on validation queries, for the search of a recipe."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from clipsonic_eval import class_shares
from clipsonic_eval.config import resolve
from clipsonic_eval.errors import UserError
from clipsonic_eval.harness.evaluate import EvaluateConfig, evaluate
from clipsonic_eval.harness.queries import read_queries
from clipsonic_eval.harness.sample import sample
from clipsonic_eval.progress import Progress
from clipsonic_eval.systems import resolve as resolve_system

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
    system = resolve_system("clipsonic.systems:ImageQueried", {"model": str(model), "precision": "auto", **chosen})
    queries = list(read_queries(path).single(path, "check it"))[:limit]
    done = sample(system, queries, folder, seed=0, batch_size=64, name="IQ", progress=progress)
    if done.skipped:
        raise UserError(f"{folder}: {len(done.skipped)} queries were not answered: {done.skipped[0].reason}")
    metrics = [*_METRICS, *(metric for metric, name in _OF_ATTRIBUTES.items() if queries[0].attributes.get(name))]
    run = {"systems": {"IQ": folder}, "reference": reference, "metrics": metrics}
    run |= {"compare": False, "examples": 0, "n_bootstrap": 200}
    record = evaluate(resolve(EvaluateConfig, run), None, progress=progress)
    found: dict[str, Any] = {**chosen, "n": done.n}
    for metric in metrics:
        score = record.score(metric, "IQ")
        if score is not None:
            found |= {metric: score.value, f"{metric}_ci": score.ci}
    hits = record.score("class_accuracy", "IQ")
    if hits is not None and (worst := class_shares.worst(hits)) is not None:
        by_class = {name: share for name, (share, _) in class_shares.shares(hits).items()}
        found |= {"worst_class": worst[0], "worst_class_accuracy": worst[1], "by_class": by_class}
    return found
