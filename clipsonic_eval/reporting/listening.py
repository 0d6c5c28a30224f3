"""The page of a listening test: opinions with and without exclusions, differences, agreement, relation to metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from clipsonic_eval.analysis.catalogue import Catalogue
from clipsonic_eval.files import write_csv, write_text
from clipsonic_eval.formats import interval, markdown_table, number, p_value, printable
from clipsonic_eval.listening.analysis import KIND, ListeningResult
from clipsonic_eval.listening.exclusion import MEANING
from clipsonic_eval.listening.relation import Relation
from clipsonic_eval.records import Comparison, RunRecord
from clipsonic_eval.reporting.drawing import draw_each
from clipsonic_eval.reporting.drawn.opinions import of_opinions
from clipsonic_eval.reporting.headings import decimals, title
from clipsonic_eval.reporting.page import figure
from clipsonic_eval.types import Score

PAGE: Final = "listening.md"


def write(result: ListeningResult, relations: Sequence[Relation], measured: Sequence[RunRecord], folder: Path) -> Path:
    """Write the page and its figures, and ``relation.csv`` if there is a relation.

    Args:
        result: of the analysis.
        relations: of opinions and metrics.
        measured: records of the metrics.
        folder: the run folder.

    Returns:
        The page.
    """
    if relations:
        write_csv(folder / "relation.csv", Relation._fields, relations)
    others = replace(result.record, scores=tuple(score for record in measured for score in record.scores))
    catalogue = Catalogue().completed(result.record.system_names)
    figures = draw_each(of_opinions(result.record, others, relations, catalogue), folder / "figures")
    listeners = {check.listener for check in result.checks}
    out = {check.listener for check in result.checks if not check.kept}
    parts = [
        "# Listening test",
        f"Plan {result.record.config['plan']}; {len(listeners)} listeners, {len(out)} of them excluded by the rules of "
        "the plan. Intervals are 95 %, over listeners and queries: another test would have others of both.",
        *(
            f"**{one.sentence[0].upper()}{one.sentence[1:]}.**"
            for one in result.record.findings.get(KIND, ())
            if one.severity == "error"
        ),
        "## Opinions",
        *_opinions(result.record, result.everyone, catalogue),
        "\n".join(figure(figures, "opinions")),
        "## Differences",
        _differences(result.record.comparisons, result.ordinal),
        "## Agreement of the listeners",
        _agreement(result.agreement),
        "## Rules",
        _rules(result),
        *(
            ["## Relation to metrics", _relation(relations), "\n".join(figure(figures, "relation"))]
            if relations
            else []
        ),
        "## Signatures",
        "\n".join(f"- `{line}`" for line in dict.fromkeys(score.signature for score in result.record.scores)),
    ]
    write_text(folder / PAGE, "\n\n".join(part.rstrip("\n") for part in parts if part) + "\n")
    return folder / PAGE


def _opinions(record: RunRecord, everyone: RunRecord, catalogue: Catalogue) -> list[str]:
    parts = []
    for metric in record.metric_names:
        own = [score for score in record.scores if score.metric == metric]
        heads = [
            "system",
            title(metric),
            "analytic",
            "answers taken as independent",
            "all listeners",
            "answers",
            "queries",
        ]
        rows = [_row(score, everyone.score(metric, score.system), catalogue) for score in own]
        parts.append(f"**{title(metric)}** ({own[0].unit})")
        parts.append(markdown_table(heads, rows))
    parts.append(
        "The first interval resamples listeners and queries, the analytic one comes from their variances. The third is "
        "the usual 1.96 sd / √n, which takes every answer for an independent one and is too short."
    )
    return parts


def _row(score: Score, other: Score | None, catalogue: Catalogue) -> list[str]:
    places, details = decimals(score.metric), score.details
    return [
        printable(score.system) + (" (control)" if catalogue.is_control(score.system) else ""),
        f"{number(score.value, places)} {interval(score.ci, places)}",
        interval((details["two_way_low"], details["two_way_high"]), places),
        interval((details["naive_low"], details["naive_high"]), places) if "naive_low" in details else "–",
        "–" if other is None else f"{number(other.value, places)} {interval(other.ci, places)}",
        str(score.n_rows),
        str(score.n),
    ]


def _differences(comparisons: Sequence[Comparison], ordinal: Sequence[Mapping[str, Any]]) -> str:
    if not comparisons:
        return "One system, so nothing to compare. Controls are not compared."
    beside = {(row["metric"], row["a"], row["b"]): row for row in ordinal}
    rows = []
    for c in comparisons:
        places, row = decimals(c.metric), beside.get((c.metric, c.a, c.b))
        odds = "–" if row is None else f"{number(row['log_odds'], 2)} {interval((row['ci_low'], row['ci_high']), 2)}"
        rows.append(
            [
                title(c.metric), f"{printable(c.a)} − {printable(c.b)}",
                f"{number(c.difference, places, sign=True)} {interval(c.ci, places)}", p_value(c.p_holm), odds,
                "–" if row is None else p_value(row["p_holm"]),
            ]
        )  # fmt: skip
    table = markdown_table(
        ["", "systems", "difference", "p (Holm)", "log odds, ordinal model", "p (Holm), ordinal model"], rows
    )
    return (
        table + "\nDifferences are freed of the levels of listeners and queries by least squares. Controls are not "
        "compared."
    )


def _agreement(rows: Sequence[Mapping[str, Any]]) -> str:
    heads = ["", "Krippendorff's alpha", "ICC, one listener", "ICC, mean of a clip", "answers a clip"]
    heads += ["sd of listeners", "of clips", "of the rest"]
    cells = [
        [
            title(row["metric"]), f"{number(row['alpha'], 2)} {interval((row['alpha_low'], row['alpha_high']), 2)}",
            *(number(row[name], 2) for name in ("icc_single", "icc_mean")), number(row["answers_per_clip"], 1),
            *(number(row[name], 2) for name in ("sd_listener", "sd_clip", "sd_rest")),
        ]
        for row in rows
    ]  # fmt: skip
    return markdown_table(heads, cells) if cells else "Nothing was rated twice."


def _rules(result: ListeningResult) -> str:
    rows = []
    for rule, (meaning, least) in MEANING.items():
        own = [check for check in result.checks if check.rule == rule]
        if own:
            limit = f"{'at least' if least else 'at most'} {own[0].limit:g}"
            rows.append([meaning, limit, f"{sum(not check.kept for check in own)} of {len(own)}"])
    return markdown_table(["", "limit", "listeners who broke it"], rows)


def _relation(relations: Sequence[Relation]) -> str:
    rows = [
        [title(r.opinion), title(r.metric), r.over, f"{number(r.r, 2)} {interval((r.low, r.high), 2)}",
         number(r.rank, 2), str(r.n)]
        for r in relations
    ]  # fmt: skip
    note = (
        "Positive: both call the same better. Over clips, the mean of each system is taken out, and queries are "
        "resampled; the noise of few answers a clip pulls the value towards zero."
    )
    return markdown_table(["opinion", "metric", "over", "r", "rank correlation", "n"], rows) + "\n" + note
