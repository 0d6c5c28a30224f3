"""Last step of an evaluation: the record, the same numbers as CSV, and spectrograms of a few clips."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from clipsonic_eval import records
from clipsonic_eval.files import write_csv
from clipsonic_eval.harness.embed import Embedded
from clipsonic_eval.harness.spectrograms import write_examples
from clipsonic_eval.records import RunRecord

_SCORES = ("metric", "system", "value", "ci_low", "ci_high", "ci_level", "ci_method", "n", "n_rows", "unit",
           "higher_is_better", "seed", "signature")  # fmt: skip
_COMPARISONS = ("metric", "a", "b", "difference", "ci_low", "ci_high", "p_value", "p_holm", "effect_size", "n", "test")


def write(record: RunRecord, out: Path, embedded: Embedded | None = None, *, examples: int = 0, seed: int = 0) -> None:
    """Write scores, comparisons, values per clip, skips and findings as CSV and, last, ``record.json``.

    Args:
        record: of the run.
        out: the run folder.
        embedded: of an evaluation, for ``examples.npz``: mel spectrograms of the same few queries by every system.
        examples: number of these queries.
        seed: of their choice.
    """
    if embedded is not None:
        write_examples(embedded.sets, embedded.plan.queries.prompts, out, k=examples, seed=seed)
    write_csv(out / "scores.csv", _SCORES, (_row(s, _SCORES) for s in record.scores))
    write_csv(out / "comparisons.csv", _COMPARISONS, (_row(c, _COMPARISONS) for c in record.comparisons))
    write_csv(out / "per_clip.csv", ("key", "system", "metric", "value"), _items(record))
    write_csv(out / "skipped.csv", ("system", "key", "reason"), _skips(record))
    write_csv(out / "findings.csv", ("system", "check", "severity", "keys", "sentence"), _findings(record))
    records.write(record, out)


def _row(entry: Any, columns: Sequence[str]) -> dict[str, Any]:
    low, high = entry.ci if entry.ci else (None, None)
    own = {name: getattr(entry, name) for name in columns if name not in ("ci_low", "ci_high")}
    return {**own, "ci_low": low, "ci_high": high}


def _items(record: RunRecord) -> Iterable[dict[str, Any]]:
    for score in record.scores:
        for key, value in score.per_clip.items():
            yield {"key": key, "system": score.system, "metric": score.metric, "value": value}


def _skips(record: RunRecord) -> Iterable[dict[str, Any]]:
    for system, group in record.skipped.items():
        for skip in group:
            yield {"system": system, "key": skip.key, "reason": skip.reason}


def _findings(record: RunRecord) -> Iterable[dict[str, Any]]:
    for system, group in record.findings.items():
        for found in group:
            own = {"check": found.check, "severity": found.severity, "sentence": found.sentence}
            yield {"system": system, "keys": " ".join(found.keys), **own}
