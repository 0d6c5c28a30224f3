"""The trainings of a search for a recipe: results of `recipe`, by sampling setting and variant."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from clipsonic_eval import files
from clipsonic_eval.errors import UserError
from clipsonic_eval.reporting.headings import title
from clipsonic_eval.reporting.statements.wording import listed

RESULT: Final = "result.json"
METRICS: Final = {
    "fad": False,
    "clap_score": True,
    "class_accuracy": True,
    "worst_class_accuracy": True,
    "count_accuracy": True,
    "size_error": False,
}  # higher: better
_NEEDED = ("variant", "seed", "overrides", "command", "cpu_s", "ms_per_step", "steps", "val_loss", "evaluations")
_MEASURED = ("n", *METRICS, *(f"{metric}_ci" for metric in METRICS), "worst_class", "by_class")

Result = Mapping[str, Any]  # one training: what `recipe` writes into result.json
Row = Sequence[tuple[Result, Mapping[str, Any]]]  # trainings of one variant, by seed, and their scores at one setting


def read(folders: Sequence[Path]) -> list[Result]:
    """Read the results of searches.

    Args:
        folders: that ``clipsonic-eval recipe`` wrote, or ``records`` of an earlier page.

    Raises:
        UserError: there are none, one is no result, or two are of the same variant and seed.
    """
    found: dict[tuple[str, int], Result] = {}
    for path in (path for folder in folders for path in _files(folder)):
        result = files.read_json(path)
        missing = [name for name in _NEEDED if name not in result]
        if missing or not result["evaluations"]:
            raise UserError(
                f"{path}: no result of a recipe, it lacks {listed(missing or ['evaluations'])}; run it again"
            )
        key = result["variant"], result["seed"]
        if key in found:
            raise UserError(f"{path}: a second result of variant '{key[0]}', seed {key[1]}; give one folder of it")
        found[key] = result
    if not found:
        raise UserError(f"{listed([str(f) for f in folders])}: no {RESULT} below; give folders that `recipe` wrote")
    return list(found.values())


def _files(folder: Path) -> list[Path]:
    return sorted(folder.rglob(RESULT)) or sorted(folder.glob("*.json"))


def by_setting(results: Sequence[Result]) -> dict[str, dict[str, Row]]:
    """Return the trainings and their scores by sampling setting and variant, in the order of mean FAD."""
    found: dict[str, dict[str, list[tuple[Result, Mapping[str, Any]]]]] = {}
    for result, scores in flat(results):
        found.setdefault(setting(scores), {}).setdefault(result["variant"], []).append((result, scores))
    return {
        name: dict(sorted(rows.items(), key=lambda entry: mean(entry[1], "fad")))
        for name, rows in sorted(found.items())
    }


def setting(scores: Mapping[str, Any]) -> str:
    """Return how the clips were sampled, e.g. ``guidance 3, steps 20, vocoder iterations 8``."""
    flat = {
        f"{key} {name}".strip(): value
        for key, own in sorted(scores.items())
        if key not in _MEASURED
        for name, value in (own.items() if isinstance(own, Mapping) else [("", own)])
    }
    return ", ".join(f"{key} {value}" for key, value in flat.items())


def mean(row: Row, metric: str) -> float:
    """Return the mean of a metric over the seeds of a row, NaN where none has it."""
    found = [scores[metric] for _, scores in row if scores.get(metric) is not None]
    return float(np.mean(found)) if found else float("nan")


def gains(row: Row, base: Row, metric: str) -> list[float]:
    """Return how much better than the base a variant is with each seed that both were trained with."""
    sign = 1.0 if METRICS[metric] else -1.0
    of_base = {result["seed"]: scores.get(metric) for result, scores in base}
    return [
        sign * (scores[metric] - of_base[result["seed"]])
        for result, scores in row
        if scores.get(metric) is not None and of_base.get(result["seed"]) is not None
    ]


def measured(rows: Iterable[Row]) -> dict[str, bool]:
    """Return the metrics that a training has: whether higher is better, by name."""
    scores = [scores for row in rows for _, scores in row]
    return {name: higher for name, higher in METRICS.items() if any(s.get(name) is not None for s in scores)}


def base_of(rows: Mapping[str, Row]) -> str:
    """Return the variant without overrides, "" where it was not trained."""
    return next((name for name, row in rows.items() if not row[0][0]["overrides"]), "")


def flat(results: Sequence[Result]) -> list[tuple[Result, Mapping[str, Any]]]:
    """Return every training with its scores at each sampling setting, by variant and seed."""
    ordered = sorted(results, key=lambda result: (result["variant"], result["seed"]))
    return [(result, scores) for result in ordered for scores in result["evaluations"]]


def name_of(metric: str) -> str:
    """Return the heading of a metric of :data:`METRICS`."""
    return "Worst class" if metric == "worst_class_accuracy" else title(metric)
