"""Last step of an evaluation: the record, the same numbers as CSV, and spectrograms of a few clips."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from clipsonic_eval import records
from clipsonic_eval.files import write_csv
from clipsonic_eval.harness.embed import Embedded
from clipsonic_eval.harness.spectrograms import write_examples
from clipsonic_eval.records import Comparison, RunRecord
from clipsonic_eval.types import Score

_SCORES = ("metric", "system", "value", "ci_low", "ci_high", "ci_level", "ci_method", "n", "n_rows", "unit",
           "higher_is_better", "seed", "signature")  # fmt: skip
_COMPARISONS = ("metric", "a", "b", "difference", "ci_low", "ci_high", "p_value", "p_holm", "effect_size", "n", "test")


def write(record: RunRecord, out: Path, embedded: Embedded | None = None, *, examples: int = 0, seed: int = 0) -> None:
    """Write scores, comparisons, values per clip, skips and findings as CSV and, last, ``record.json``.

    Args:
        record: of the run.
        out: the run folder.
        embedded: of an evaluation, for ``examples.npz``: mel spectrograms of the same few queries by every system.
        examples: number of these queries, see :func:`clipsonic_eval.harness.spectrograms.write_examples`.
        seed: of their choice.
    """
    if embedded is not None:
        write_examples(embedded.sets, embedded.plan.queries, out, k=examples, seed=seed)
    per_clip = [(key, s.system, s.metric, value) for s in record.scores for key, value in s.per_clip.items()]
    skipped = [(name, skip.key, skip.reason) for name, skips in record.skipped.items() for skip in skips]
    findings = [
        (name, f.check, f.severity, " ".join(f.keys), f.sentence)
        for name, found in record.findings.items()
        for f in found
    ]
    _write(out / "scores.csv", _SCORES, [_row(score, _SCORES) for score in record.scores])
    _write(out / "comparisons.csv", _COMPARISONS, [_row(comparison, _COMPARISONS) for comparison in record.comparisons])
    _write(out / "per_clip.csv", ("key", "system", "metric", "value"), per_clip)
    _write(out / "skipped.csv", ("system", "key", "reason"), skipped)
    _write(out / "findings.csv", ("system", "check", "severity", "keys", "sentence"), findings)
    records.write(record, out)


def _write(path: Path, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    write_csv(path, columns, [dict(zip(columns, row, strict=True)) for row in rows])


def _row(entry: Score | Comparison, columns: Sequence[str]) -> list[Any]:
    """Return the fields of a score or a comparison, the interval as two numbers."""
    low, high = entry.ci if entry.ci else (None, None)
    ends = {"ci_low": low, "ci_high": high}
    return [ends[name] if name in ends else getattr(entry, name) for name in columns]
