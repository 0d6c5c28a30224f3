"""Every table of a report compiles as it is in the layouts of venues, fits the page, and shows every number."""

from __future__ import annotations

import functools
import re
from collections import Counter
from pathlib import Path

import pytest
from tex.conftest import LAYOUTS, Made, Typeset
from unit.report.latex.test_floats import table, wide
from unit.report.synthetic import Made as Study
from unit.report.synthetic import evaluation, gap_record, results_of

from clipsonic_eval.analysis.results import Results
from clipsonic_eval.reporting import paper, published
from clipsonic_eval.reporting.latex.floats import LatexStyle, latex
from clipsonic_eval.reporting.markup import Text, TextTable
from clipsonic_eval.reporting.options import PaperTable, ReportOptions
from clipsonic_eval.reporting.report_tables import render_tables
from clipsonic_eval.study.catalogue import CLIPSONIC

HOSTILE = [
    r"50 % of $a_b$ & {c}#~^\d",
    "a--b <x> |y| \"z\" 'w' `v`",
    "犬 barks, Dvořák’s λ-Süß 🐕\u200d🦺",
    "x" * 60,
    "https://a.b/" + "c_d/" * 30,
]


@functools.cache
def study() -> Results:
    seeds = [evaluation(Study(seed=seed, n=40)) for seed in range(2)]
    return results_of(*seeds, gap_record({"clip_variant": "toy-clip"}), catalogue=CLIPSONIC)


@functools.cache
def tables() -> list[TextTable]:
    """All tables of a study, those of a paper in both spreads, and one of names that TeX stumbles over."""
    shown, _ = render_tables(study())
    rows = [[Text(name), Text("1.5", bold=True, small="[1.2, 1.8]"), Text(name)] for name in HOSTILE]
    elsewhere = published.read(Path(__file__).parents[2] / "examples/published.yaml")
    return [
        *shown.values(),
        *(paper.table(study(), PaperTable(spread=spread)) for spread in ("seeds", "interval")),
        published.table(elsewhere),
        table(["System", "FAD ↓", "Prompt & more"], rows, notes=tuple(HOSTILE)),
        wide(13),
    ]


def numbers(table: TextTable) -> Counter[str]:
    cells = [cell for _, rows in table.sections() for row in rows for cell in row[1:]]
    return Counter(re.findall(r"\d+\.\d+", " ".join(f"{cell.text} {cell.small}" for cell in cells)))


def fits(made: Made) -> None:
    assert made.errors == []
    assert [width for width in made.overfull if width > 1] == []
    assert made.complaints == []


@pytest.mark.parametrize("siunitx", [False, True], ids=["plain", "siunitx"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_all_tables_compile_fit_and_show_every_number(layout: str, siunitx: bool, typeset: Typeset) -> None:
    made = typeset(layout, [latex(one, LatexStyle(siunitx)) for one in tables()])
    fits(made)
    asked = sum((numbers(one) for one in tables() if "By seed" not in one.heads), Counter[str]())
    assert asked - Counter(re.findall(r"\d+\.\d+", made.text)) == Counter()


@pytest.mark.parametrize("engine", ["lualatex", "xelatex"])
def test_tables_compile_with_the_other_engines_too(engine: str, typeset: Typeset) -> None:
    made = typeset("article", [latex(one, LatexStyle(siunitx=True)) for one in tables()], engine)
    fits(made)
    asked = sum((numbers(one) for one in tables() if "By seed" not in one.heads), Counter[str]())
    assert asked - Counter(re.findall(r"\d+\.\d+", made.text)) == Counter()
    assert "U+72AC" not in made.text  # these engines set the character itself, in a font that has it


@pytest.mark.parametrize("venue", ["ieee", "icassp", "neurips"])
def test_tables_for_a_venue_fill_its_page_and_no_more(venue: str, typeset: Typeset) -> None:
    style = ReportOptions(venue=venue).latex
    made = typeset(venue, [latex(one, style) for one in tables()])
    fits(made)
    narrow = sum(latex(one).count(r"\begin{tabular*}") for one in tables())
    assert sum(latex(one, style).count(r"\begin{tabular*}") for one in tables()) <= narrow


@pytest.mark.parametrize("layout", ["article", "icassp"])
def test_bold_and_underlined_numbers_are_set_by_siunitx_too(layout: str, typeset: Typeset) -> None:
    cells = [
        Text("2.1 ± 0.3", bold=True),
        Text("17.96 ± 4.92", underline=True),
        Text("−0.5 ± 0.1"),
        Text("1.00 ± 0.00"),
        Text("–"),
    ]
    made = table(["System", "FAD ↓"], [[Text(f"s{i}"), cell] for i, cell in enumerate(cells)])
    shown = typeset(layout, [latex(made, LatexStyle(True))])
    fits(shown)
    assert "CMBX" in shown.fonts or "Medi" in shown.fonts  # a bold face, in Computer Modern or Times
    assert "Type 3" not in shown.fonts  # which IEEE rejects
    text = shown.text.replace(" ", "")
    assert "2.1±0.3" in text
    assert "17.96±4.92" in text
    assert "-0.5±0.1" in text
    assert "1.00±0.00" in text
    assert shown.text.count("17.96") == 1


def test_what_pdflatex_cannot_set_is_visible(typeset: Typeset) -> None:
    made = typeset("article", [latex(table(["System", "n"], [[Text("犬 barks"), Text("1")]]))])
    fits(made)
    assert "[U+72AC] barks" in made.text
