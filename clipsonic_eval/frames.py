"""Scores as pandas data frames: one row per score, systems × metrics, one row per clip.

pandas is imported when a frame is made, not when this module is.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from clipsonic_eval.formats import arrow, decimals_of, with_interval
from clipsonic_eval.types import WITH_UNANSWERED, Finding, Score, Skip

if TYPE_CHECKING:
    from pandas import DataFrame

SCORES = (
    "metric", "system", "value", "low", "high", "ci_level", "ci_method", "n", "n_rows", "unit", "direction", "seed",
    "with_unanswered", "signature",
)  # fmt: skip
NONE = "–"  # cell of a table without a score


def frame(rows: Iterable[Sequence[Any]], columns: Sequence[str]) -> DataFrame:
    """Return rows as a data frame; without rows it still has its columns."""
    from pandas import DataFrame

    return DataFrame(list(rows), columns=list(columns))


def scores_frame(scores: Iterable[Score]) -> DataFrame:
    """Return one row per score with everything that a reader needs to trust the number.

    ``low`` and ``high`` are the ends of the confidence interval at ``ci_level`` (NaN where there is none),
    ``direction`` says whether higher or lower is better, and ``with_unanswered`` is the value with unanswered queries
    counted (NaN where every query was answered).
    """
    return frame(map(_row, scores), SCORES)


def _row(score: Score) -> tuple[Any, ...]:
    nan = float("nan")
    low, high = score.ci or (nan, nan)
    direction = "higher is better" if score.higher_is_better else "lower is better"
    with_unanswered = score.details.get(WITH_UNANSWERED, nan)
    return (
        score.metric, score.system, score.value, low, high, score.ci_level, score.ci_method, score.n, score.n_rows,
        score.unit, direction, score.seed, with_unanswered, score.signature,
    )  # fmt: skip


def scores_table(scores: Sequence[Score]) -> DataFrame:
    """Return systems × metrics with cells ``value [low, high]``, and the number of clips.

    A column's heading carries its direction (↑ higher is better). All cells of a column have as many decimals as its
    narrowest interval supports.
    """
    from pandas import DataFrame, Index

    found = {(s.system, s.metric): s for s in scores}
    systems = list(dict.fromkeys(s.system for s in scores))
    columns: dict[str, list[str]] = {}
    for metric, head in {s.metric: f"{s.metric} {arrow(s.higher_is_better)}" for s in scores}.items():
        column = [found.get((system, metric)) for system in systems]
        places = max(decimals_of(s.value, s.ci) for s in column if s is not None)
        columns[head] = [NONE if s is None else with_interval(s.value, s.ci, places) for s in column]
    counts = ([s.n for s in scores if s.system == system] for system in systems)
    columns["n"] = ["–".join(map(str, sorted({min(n), max(n)}))) for n in counts]
    return DataFrame(columns, index=Index(systems, name="system"))


def per_clip_frame(scores: Iterable[Score]) -> DataFrame:
    """Return one row per clip, system and metric: ``key``, ``system``, ``metric``, ``value``, ``influence``.

    Metrics that are means over clips have a ``value`` per clip. Statistics of sets (FAD) have an ``influence``: how far
    the clip moves the statistic, to first order; the influences of a set sum to zero. The other one is NaN.
    """
    nan = float("nan")
    rows: list[tuple[str, str, str, float, float]] = []
    for s in scores:
        rows += [(key, s.system, s.metric, value, nan) for key, value in s.per_clip.items()]
        rows += [(key, s.system, s.metric, nan, moves) for key, moves in s.influence.items()]
    return frame(rows, ("key", "system", "metric", "value", "influence"))


def listed_html(findings: Mapping[str, Sequence[Finding]], skipped: Mapping[str, Sequence[Skip]]) -> str:
    """Return what the checks found and what was skipped, by system, as a list in HTML; "" for neither."""
    found = [(finding, name) for name, several in findings.items() for finding in several]
    lines = [f"{f.severity} {name}: {f.sentence}" for f, name in sorted(found, key=lambda entry: entry[0].severity)]
    for name, several in skipped.items():
        if several:
            lines.append(f"skipped {name}: {len(several)}, the first is {several[0].key}: {several[0].reason}")
    return f"<ul>{''.join(f'<li>{html.escape(line)}</li>' for line in lines)}</ul>" if lines else ""
