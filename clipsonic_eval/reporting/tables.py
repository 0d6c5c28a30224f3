"""The paper-style table of systems and metrics, and the table of paired differences."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from clipsonic_eval.analysis.best import best_systems, unequal_n
from clipsonic_eval.analysis.catalogue import CONTROLS, Catalogue
from clipsonic_eval.errors import UserError
from clipsonic_eval.formats import MINUS, arrow, interval, number, p_value, percent
from clipsonic_eval.listening.protocols import PROTOCOLS
from clipsonic_eval.records import Comparison, RunRecord
from clipsonic_eval.reporting import markup
from clipsonic_eval.reporting.headings import decimals, heading, title
from clipsonic_eval.reporting.markup import Column, Text, TextTable
from clipsonic_eval.signature import comparable, explain_difference
from clipsonic_eval.types import Score

NONE = Text("–")  # cell without a number


def check_columns(scores: Iterable[Score]) -> None:
    """Refuse a column whose numbers were not computed in the same way.

    Raises:
        UserError: two systems have signatures that differ in more than n.
    """
    first: dict[str, Score] = {}
    for score in scores:
        known = first.setdefault(score.metric, score)
        if not comparable(known.signature, score.signature):
            difference = explain_difference(score.signature, known.signature, compared_only=True)
            raise UserError(
                f"{score.metric} of '{score.system}' and of '{known.system}' were not computed in the same way "
                f"({difference}) and may not stand in one column; evaluate both "
                "alike or report them apart"
            )


def first_of_metric(scores: Iterable[Score]) -> dict[str, Score]:
    """Return the first score of every metric, in the order of the columns."""
    first: dict[str, Score] = {}
    for score in scores:
        first.setdefault(score.metric, score)
    return first


def span(counts: Iterable[int], dash: str = "–") -> str:
    """Return numbers of clips as ``480``, or as ``240–480`` where they differ."""
    found = sorted(set(counts))
    return f"{found[0]}{dash}{found[-1]}" if len(found) > 1 else str(found[0])


def result_columns(record: RunRecord, catalogue: Catalogue) -> list[Column]:
    """Return the columns of the results: a row of the table is a system's scores, a row of the CSV file one score."""
    best = best_systems(record.scores, catalogue)
    return [
        Column("System", "system", value=lambda s: s.system, text=lambda scores: Text(scores[0].system)),
        Column(csv_name="group", value=lambda s: catalogue.style(s.system).group),
        Column(csv_name="metric", value=lambda s: s.metric),
        Column(csv_name="direction", value=lambda s: "higher" if s.higher_is_better else "lower"),
        *(
            Column(heading(first), text=partial(_score, metric, best))
            for metric, first in first_of_metric(record.scores).items()
        ),
        Column(csv_name="value", value=lambda s: s.value),
        Column(csv_name="ci_low", value=lambda s: s.ci and s.ci[0]),
        Column(csv_name="ci_high", value=lambda s: s.ci and s.ci[1]),
        Column(csv_name="ci_level", value=lambda s: s.ci_level),
        Column(csv_name="ci_method", value=lambda s: s.ci_method),
        Column("n", "n", value=lambda s: s.n, text=lambda scores: Text(span(s.n for s in scores))),
        Column(csv_name="n_seeds", value=lambda s: len(s.by_seed)),
        Column(csv_name="seed_std", value=lambda s: s.seed_std),
        Column(csv_name="seed_values", value=lambda s: seed_list(s.by_seed)),
        Column(csv_name="best", value=lambda s: int(best.get(s.metric) == s.system)),
        Column(csv_name="unit", value=lambda s: s.unit),
        Column(csv_name="signature", value=lambda s: s.signature),
    ]


def _score(metric: str, best: Mapping[str, str], scores: Sequence[Score]) -> Text:
    """Return the cell of one metric in a system's row."""
    score = next((s for s in scores if s.metric == metric), None)
    return NONE if score is None else score_text(score, decimals(metric), bold=best.get(metric) == score.system)


def score_text(score: Score, places: int, *, bold: bool = False) -> Text:
    """Return a score as ``value ± standard deviation over seeds [low, high]``."""
    text = number(score.value, places)
    if score.seed_std is not None:
        text += f" ± {number(score.seed_std, places)}"
    return Text(text, bold, interval(score.ci, places))


def results(record: RunRecord, catalogue: Catalogue, *, label: str = "tab:results") -> TextTable:
    """Return the table of systems (rows, controls in a section of their own) and metrics (columns), the best in bold.

    Raises:
        UserError: the signatures of a column are not comparable.
    """
    check_columns(record.scores)
    groups: dict[str, list[list[Score]]] = {}
    for style in catalogue.ordered(record.system_names):
        groups.setdefault(style.group, []).append([s for s in record.scores if s.system == style.name])
    sections = groups if len(groups) > 1 else {"": [row for rows in groups.values() for row in rows]}
    legend = [f"{s.name}: {s.meaning}" for s in catalogue.ordered(record.system_names) if s.meaning]
    return TextTable(
        caption=_caption(record, catalogue),
        cells=markup.cells(result_columns(record, catalogue), sections),
        notes=(*_signature_notes(record), *n_notes(record.scores), *(["; ".join(legend)] if legend else [])),
        label=label,
    )


def results_csv(record: RunRecord, catalogue: Catalogue) -> str:
    """Return the results as CSV, one row per system and metric, with every seed's value."""
    order = [style.name for style in catalogue.ordered(record.system_names)]
    rows = [score for name in order for score in record.scores if score.system == name]
    return markup.csv(result_columns(record, catalogue), rows)


def scores_csv(setting: str, by_value: Mapping[Any, Sequence[Score]]) -> str:
    """Return scores as CSV, one row per value of a setting, metric and system."""
    heads = (setting, "metric", "system", "value", "ci_low", "ci_high", "ci_method", "n", "seed_values", "signature")
    rows = [
        (
            value,
            s.metric,
            s.system,
            s.value,
            *(s.ci or (None, None)),
            s.ci_method,
            s.n,
            seed_list(s.by_seed),
            s.signature,
        )
        for value, scores in by_value.items()
        for s in scores
    ]
    return markup.plain_csv(heads, rows)


def sections_csv(records: Mapping[str, RunRecord]) -> str:
    """Return records as one CSV file, which has their titles as groups and no order but theirs."""
    rows = [(title, score) for title, record in records.items() for score in record.scores]
    scores = RunRecord("pooled", tuple(score for _, score in rows))
    columns = [Column(csv_name="section", value=lambda row: row[0])]
    for column in result_columns(scores, Catalogue()):
        if column.csv_name not in ("group", "best"):
            columns.append(Column(csv_name=column.csv_name, value=partial(_of_score, column)))
    return markup.csv(columns, rows)


def _of_score(column: Column, row: tuple[str, Score]) -> object:
    return column.value(row[1])


def _caption(record: RunRecord, catalogue: Catalogue) -> str:
    seeds = max(len(s.by_seed) for s in record.scores)
    controls = any(catalogue.is_control(name) for name in record.system_names)
    return (
        (f"Mean ± standard deviation over {seeds} training seeds. " if seeds > 1 else "")
        + f"In brackets: {percent(record.scores[0].ci_level)} interval over test clips (n)"
        + over_listeners(record.metric_names)
        + "; bold: best system"
        + (f", {CONTROLS} excluded." if controls else ".")
    )


def over_listeners(metrics: Iterable[str]) -> str:
    """Return what else the intervals of opinions are over, for a caption; "" where there are none."""
    return ", of what listeners said over listeners too" if any(metric in PROTOCOLS for metric in metrics) else ""


def _signature_notes(record: RunRecord) -> Iterator[str]:
    for first in first_of_metric(record.scores).values():
        yield f"{heading(first)}: {markup.code(first.signature)}, interval: {first.ci_method}"


def n_notes(scores: Sequence[Score]) -> list[str]:
    """Return a warning for each metric that depends on n and whose n differs between rows."""
    return [
        f"n differs between rows of {title(metric)} ({least} to {most}); its expectation depends on n, so these rows "
        "do not compare and none is the best"
        for metric, (least, most) in unequal_n(scores).items()
    ]


def seed_list(by_seed: Mapping[str, float]) -> str:
    """Return values by training seed as ``0=23.5;1=24.1``; a single untagged value as itself."""
    return ";".join(f"{seed}={value:.10g}" if seed else f"{value:.10g}" for seed, value in by_seed.items())


def comparison_columns(comparisons: Sequence[Comparison]) -> list[Column]:
    """Return the columns of the paired differences; every row is one comparison."""
    several = max((len(c.by_seed) for c in comparisons), default=1) > 1
    return [
        Column(csv_name="metric", value=lambda c: c.metric),
        Column("Pair", "a", value=lambda c: c.a, text=lambda c: Text(f"{c.a} {MINUS} {c.b}")),
        Column(csv_name="b", value=lambda c: c.b),
        Column("Difference", "difference", value=lambda c: c.difference, text=difference_text),
        Column(csv_name="ci_low", value=lambda c: c.ci and c.ci[0]),
        Column(csv_name="ci_high", value=lambda c: c.ci and c.ci[1]),
        Column("By seed" if several else "", text=_by_seed),
        Column("p", "p", value=lambda c: c.p_value, text=lambda c: Text(p_value(c.p_value))),
        Column(
            "p (Holm)", "p_holm", value=lambda c: c.p_holm, text=lambda c: Text(p_value(c.p_holm), bold=c.significant)
        ),
        Column("Effect size", "effect_size", value=lambda c: c.effect_size, text=_effect_size),
        Column("n", "n", value=lambda c: c.n, text=lambda c: Text(str(c.n))),
        Column(csv_name="n_seeds", value=lambda c: len(c.by_seed)),
        Column(csv_name="seed_differences", value=lambda c: seed_list(c.by_seed)),
        Column(csv_name="better", value=lambda c: c.a if c.a_better else c.b),
        Column(csv_name="significant", value=lambda c: int(c.significant)),
        Column(csv_name="test", value=lambda c: c.test),
    ]


def difference_text(c: Comparison) -> Text:
    """Return a difference with its interval as a cell, bold where it is significant."""
    places = decimals(c.metric)
    return Text(number(c.difference, places, sign=True), c.significant, interval(c.ci, places))


def _by_seed(c: Comparison) -> Text:
    return Text(", ".join(number(d, decimals(c.metric), sign=True) for d in c.by_seed.values()))


def _effect_size(c: Comparison) -> Text:
    return NONE if c.effect_size is None else Text(number(c.effect_size, 2, sign=True))


def comparisons(found: Sequence[Comparison], *, label: str = "tab:comparisons") -> TextTable:
    """Return the table of paired differences, a section per metric, significant ones in bold."""
    sections: dict[str, list[Comparison]] = {}
    for c in found:
        sections.setdefault(f"{title(c.metric)} {arrow(c.higher_is_better)}", []).append(c)
    caption = (
        "Paired differences (first minus second system; 95 % interval over test queries"
        f"{over_listeners(c.metric for c in found)} in brackets). p two-sided, "
        f"Holm-corrected over the {len(found)} {'row' if len(found) == 1 else 'rows'}; "
        "bold: significant at 0.05 after correction."
    )
    tests = dict.fromkeys(f"{title(c.metric)}: {markup.code(c.test)}" for c in found)
    return TextTable(caption, markup.cells(comparison_columns(found), sections), tuple(tests), label, ("By seed",))


def comparisons_csv(found: Sequence[Comparison]) -> str:
    """Return the paired differences as CSV."""
    return markup.csv(comparison_columns(found), found)
