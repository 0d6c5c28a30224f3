"""The table of the planned pairs at every value of a setting: does the order of two systems depend on it?"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Final

from clipsonic_eval.analysis.results import Results
from clipsonic_eval.formats import MINUS, arrow
from clipsonic_eval.records import Comparison
from clipsonic_eval.reporting import markup
from clipsonic_eval.reporting.headings import title
from clipsonic_eval.reporting.markup import Column, Text, TextTable
from clipsonic_eval.reporting.tables import NONE, comparison_columns, difference_text, span

AGAINST: Final = "against-"  # begins the name of a table or figure over the values of a setting
GUIDANCE: Final = "guidance"
Tests = Mapping[float, Comparison]  # of one pair on one metric, by value


def stem(setting: str) -> str:
    """Return the name of the table and the figure over the values of a setting.

    Example:
        >>> stem("candidates"), stem("shift fraction")
        ('against-candidates', 'against-shift-fraction')
    """
    return GUIDANCE if setting == GUIDANCE else AGAINST + re.sub("[^A-Za-z0-9]+", "-", setting)


def pairs(results: Results, setting: str = GUIDANCE) -> dict[str, list[Tests]]:
    """Return by metric the comparisons of each pair that was tested at two values of a setting or more."""
    found: dict[tuple[str, str, str], dict[float, Comparison]] = {}
    for value, comparisons in _by_value(results, setting).items():
        for c in comparisons:
            found.setdefault((c.metric, c.a, c.b), {})[value] = c
    sections: dict[str, list[Tests]] = {}
    for (metric, _, _), tests in found.items():
        if len(tests) > 1:
            sections.setdefault(metric, []).append(tests)
    return sections


def _by_value(results: Results, setting: str) -> dict[float, Iterable[Comparison]]:
    if setting == GUIDANCE:
        return {scale: results.by_scale[scale].comparisons for scale in sorted(results.by_scale)}
    return dict(results.pairs_by_setting.get(setting, {}))


def table(results: Results, setting: str = GUIDANCE) -> TextTable:
    """Return the table: pairs in rows, values of the setting in columns, a section per metric."""
    found = pairs(results, setting)
    values = list(_by_value(results, setting))
    name = "guidance scale" if setting == GUIDANCE else results.catalogue.setting(setting)
    columns = [Column("Pair", text=_pair)]
    columns += [Column(f"{setting.replace('_', ' ')} {value:g}", text=partial(_at, value)) for value in values]
    sections = {f"{title(metric)} {arrow(_first(rows[0]).higher_is_better)}": rows for metric, rows in found.items()}
    n = {c.n for rows in found.values() for tests in rows for c in tests.values()}
    split = results.guidance_split if setting == GUIDANCE else results.split_of(setting)
    where = {"val": "validation queries", "": "queries"}.get(split, f"'{split}' queries")
    return TextTable(
        caption=f"Paired differences at every {name} (first minus second system; 95 % interval over "
        f"{span(n)} {where} in brackets). {_WHOSE[setting == GUIDANCE]} Bold: significant at 0.05 after Holm's "
        f"correction over the pairs of that {'scale' if setting == GUIDANCE else 'value'}.",
        cells=markup.cells(columns, sections),
        label=f"tab:{stem(setting)}",
    )


_WHOSE: Final = {
    True: "Both systems of a pair have the scale of the column.",
    False: "A system that does not have the setting is the same in every column.",
}


def to_csv(results: Results, setting: str = GUIDANCE) -> str:
    """Return the differences as CSV: the columns of the paired differences, and the value of the setting."""
    found = pairs(results, setting)
    rows = [(value, c) for section in found.values() for tests in section for value, c in tests.items()]
    columns = [Column(csv_name=setting, value=lambda row: row[0])]
    for column in comparison_columns([c for _, c in rows]):
        columns.append(Column(csv_name=column.csv_name, value=partial(_of_test, column)))
    return markup.csv(columns, rows)


def _of_test(column: Column, row: tuple[float, Comparison]) -> object:
    return column.value(row[1])


def _first(tests: Tests) -> Comparison:
    return next(iter(tests.values()))


def _pair(tests: Tests) -> Text:
    return Text(f"{_first(tests).a} {MINUS} {_first(tests).b}")


def _at(value: float, tests: Tests) -> Text:
    return difference_text(tests[value]) if value in tests else NONE
