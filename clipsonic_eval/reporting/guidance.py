"""The table of the planned pairs at every guidance scale: does the order of two systems depend on the scale?"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from clipsonic_eval.analysis.results import Results
from clipsonic_eval.formats import MINUS, arrow
from clipsonic_eval.records import Comparison
from clipsonic_eval.reporting import markup
from clipsonic_eval.reporting.headings import title
from clipsonic_eval.reporting.markup import Column, Text, TextTable
from clipsonic_eval.reporting.tables import NONE, comparison_columns, difference_text, span

Tests = Mapping[float, Comparison]  # of one pair on one metric, by scale


def pairs(results: Results) -> dict[str, list[Tests]]:
    """Return by metric the comparisons of each pair that was tested at two scales or more."""
    found: dict[tuple[str, str, str], dict[float, Comparison]] = {}
    for scale in sorted(results.by_scale):
        for c in results.by_scale[scale].comparisons:
            found.setdefault((c.metric, c.a, c.b), {})[scale] = c
    sections: dict[str, list[Tests]] = {}
    for (metric, _, _), tests in found.items():
        if len(tests) > 1:
            sections.setdefault(metric, []).append(tests)
    return sections


def table(results: Results, *, label: str = "tab:guidance") -> TextTable:
    """Return the table: pairs in rows, guidance scales in columns, a section per metric."""
    found = pairs(results)
    scales = sorted(results.by_scale)
    columns = [Column("Pair", text=_pair)]
    columns += [Column(f"guidance {scale:g}", text=partial(_at, scale)) for scale in scales]
    sections = {f"{title(metric)} {arrow(_first(rows[0]).higher_is_better)}": rows for metric, rows in found.items()}
    n = {c.n for rows in found.values() for tests in rows for c in tests.values()}
    where = "validation" if results.guidance_split == "val" else f"'{results.guidance_split}'"
    return TextTable(
        caption=(
            "Paired differences at every guidance scale (first minus second system; 95 % interval over "
            f"{span(n)} {where} queries in brackets). Both systems of a pair have the scale of the column. Bold: "
            "significant at 0.05 after Holm's correction over the pairs of that scale."
        ),
        cells=markup.cells(columns, sections),
        label=label,
    )


def to_csv(results: Results) -> str:
    """Return the differences as CSV: the columns of the paired differences, and the scale."""
    rows = [(scale, c) for section in pairs(results).values() for tests in section for scale, c in tests.items()]
    columns = [Column(csv_name="guidance", value=lambda row: row[0])]
    for column in comparison_columns([c for _, c in rows]):
        columns.append(Column(csv_name=column.csv_name, value=partial(_of_test, column)))
    return markup.csv(columns, rows)


def _of_test(column: Column, row: tuple[float, Comparison]) -> object:
    return column.value(row[1])


def _first(tests: Tests) -> Comparison:
    return next(iter(tests.values()))


def _pair(tests: Tests) -> Text:
    return Text(f"{_first(tests).a} {MINUS} {_first(tests).b}")


def _at(scale: float, tests: Tests) -> Text:
    return difference_text(tests[scale]) if scale in tests else NONE
