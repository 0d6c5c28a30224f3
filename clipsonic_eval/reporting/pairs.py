"""Paired differences at a glance: a row for each pair, a column for each metric."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from clipsonic_eval.formats import MINUS, arrow
from clipsonic_eval.records import Comparison
from clipsonic_eval.reporting import markup
from clipsonic_eval.reporting.headings import title
from clipsonic_eval.reporting.markup import Column, Text, TextTable
from clipsonic_eval.reporting.tables import NONE, difference_text, over_listeners, span

ByMetric = Mapping[str, Comparison]  # of one pair


def by_pair(comparisons: Sequence[Comparison]) -> list[ByMetric]:
    """Return the comparisons of each pair by metric, in the order in which pairs are first named."""
    found: dict[tuple[str, str], dict[str, Comparison]] = {}
    for c in comparisons:
        found.setdefault((c.a, c.b), {})[c.metric] = c
    return list(found.values())


def table(comparisons: Sequence[Comparison], *, label: str = "tab:pairs") -> TextTable:
    """Return the table: pairs in rows, metrics in columns, significant differences in bold."""
    metrics = {c.metric: c.higher_is_better for c in comparisons}
    columns = [Column("Pair", text=_pair)]
    columns += [Column(f"{title(m)} {arrow(up)}", text=partial(_at, m)) for m, up in metrics.items()]
    caption = (
        "Paired differences (first minus second system; 95 % interval over "
        f"{span({c.n for c in comparisons})} test queries{over_listeners(metrics)} in brackets); bold: significant at "
        f"0.05 after Holm's correction over all {len(comparisons)}."
    )
    if any(c.disputed for c in comparisons):
        caption += " Fractions: training seeds whose difference has that sign, where not all have it."
    return TextTable(caption, markup.cells(columns, {"": by_pair(comparisons)}), (), label)


def to_csv(comparisons: Sequence[Comparison]) -> str:
    """Return the table as CSV: for each metric the difference, its interval and p after Holm's correction."""
    columns = [Column(csv_name=name, value=partial(_name, name)) for name in ("a", "b")]
    for metric in dict.fromkeys(c.metric for c in comparisons):
        columns += [
            Column(csv_name=metric, value=partial(_value, metric, "difference")),
            Column(csv_name=f"{metric}_ci_low", value=partial(_end, metric, 0)),
            Column(csv_name=f"{metric}_ci_high", value=partial(_end, metric, 1)),
            Column(csv_name=f"{metric}_p_holm", value=partial(_value, metric, "p_holm")),
        ]
    return markup.csv(columns, by_pair(comparisons))


def _first(row: ByMetric) -> Comparison:
    return next(iter(row.values()))


def _name(name: str, row: ByMetric) -> object:
    return getattr(_first(row), name)


def _value(metric: str, name: str, row: ByMetric) -> object:
    return getattr(row[metric], name) if metric in row else None


def _end(metric: str, end: int, row: ByMetric) -> object:
    ci = row[metric].ci if metric in row else None
    return ci and ci[end]


def _pair(row: ByMetric) -> Text:
    return Text(f"{_first(row).a} {MINUS} {_first(row).b}")


def _at(metric: str, row: ByMetric) -> Text:
    if metric not in row:
        return NONE
    shown, c = difference_text(row[metric]), row[metric]
    return Text(shown.text, shown.bold, f"{shown.small} {c.seeds_agree}/{len(c.by_seed)}") if c.disputed else shown
