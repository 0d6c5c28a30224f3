from __future__ import annotations

import re

from clipsonic_eval.reporting import markup
from clipsonic_eval.reporting.latex import numbers
from clipsonic_eval.reporting.latex.floats import LatexStyle, latex
from clipsonic_eval.reporting.latex.widths import width, wrapped
from clipsonic_eval.reporting.markup import Column, Text, TextTable

SIUNITX = LatexStyle(siunitx=True)


def table(heads: list[str], rows: list[list[Text]], title: str = "", **more: object) -> TextTable:
    """A table of one section."""
    columns = [Column(head, text=lambda row, i=i: row[i]) for i, head in enumerate(heads)]  # type: ignore[misc]
    return TextTable("50 % of a_b", markup.cells(columns, {title: rows}), **more)  # type: ignore[arg-type]


SMALL = table(
    ["System", "FAD ↓"],
    [
        [Text("my|sys_1"), Text("1.2", bold=True, small="[1.0, 1.4]")],
        [Text("other"), Text("17.96", underline=True, small="[15.91, 20.08]")],
        [Text("none"), Text("–")],
    ],
    title="ours & theirs",
    notes=("FAD ↓: `fad|enc:a_b+1`", "a general note"),
)


def test_a_float_has_rules_notes_and_what_it_needs_in_a_comment() -> None:
    text = latex(SMALL)
    assert text.splitlines()[0] == r"% needs \usepackage{booktabs,threeparttable}"
    for part in (r"\toprule", r"\midrule", r"\bottomrule", r"\begin{threeparttable}", r"\begin{tablenotes}"):
        assert text.count(part) == 1
    assert r"\caption{50 \% of a\_b}" in text
    assert r"\emph{ours \& theirs}" in text
    assert r"FAD $\downarrow$\tnote{a}" in text
    assert r"\item[a] \texttt{fad\textbar{}\allowbreak{}enc:" in text
    assert r"\item[] a general note" in text
    assert text.count("{") == text.count("}")


def test_plain_numbers_align_by_phantom_digits() -> None:
    text = latex(SMALL)
    assert r"my\textbar{}sys\_1 & \phantom{0}\textbf{1.2}\phantom{0} & \ci{[1.0, 1.4]} \\" in text
    assert r"other & \underline{17.96} & \ci{[15.91, 20.08]} \\" in text
    assert r"none & -- &  \\" in text


def test_an_uncertainty_of_zero_is_text_since_siunitx_drops_it() -> None:
    column = numbers.digits([Text("1.000 ± 0.000"), Text("0.963 ± 0.019")])
    assert column is not None
    assert numbers.for_siunitx(Text("0.963 ± 0.019"), column) == r"0.963 \pm 0.019"
    assert numbers.for_siunitx(Text("1.000 ± 0.000", bold=True), column) == r"{\textbf{1.000}\,$\pm$\,0.000}"


def test_siunitx_columns_reserve_the_digits_of_their_numbers() -> None:
    text = latex(SMALL, SIUNITX)
    assert "S[table-format=2.2]" in text
    assert r"my\textbar{}sys\_1 & \bfseries 1.2 & \ci{[1.0, 1.4]} \\" in text
    assert r"& {\underline{17.96}} &" in text  # a cell of text, since S columns underline nothing
    assert "siunitx" in text.splitlines()[0]


def test_a_column_with_words_is_no_column_of_numbers() -> None:
    cells = [Text("0.01"), Text("< 0.001")]
    assert numbers.digits(cells) is None
    assert "S[" not in latex(table(["a", "p"], [[Text("x"), cell] for cell in cells]), SIUNITX)


def test_digits_count_what_follows_the_sign_in_the_last_place() -> None:
    found = numbers.digits([Text("0.754 ± 0.008"), Text("−12.5 ± 4.9"), Text("–")])
    assert found is not None
    assert found.siunitx() == "S[table-format=-2.3(4)]"  # ± 4.9 is 4900 in the third decimal
    assert numbers.digits([Text("0.754 ± 0.008"), Text("0.9")]).siunitx() == "S[table-format=1.3(1)]"  # type: ignore[union-attr]


def test_intervals_go_beneath_where_the_column_is_narrow() -> None:
    narrow = latex(SMALL, LatexStyle(column=80, page=85))
    assert r"\ci{[15.91, 20.08]}} \\[1pt]" in narrow
    assert narrow.count(r"\begin{table}") + narrow.count(r"\begin{table*}") == 1


def wide(n: int) -> TextTable:
    heads = ["System", *(f"Metric {i} ↓" for i in range(n))]
    rows = [[Text("name"), *(Text(f"{i}.25", small="[1.23, 4.56]") for i in range(n))]]
    notes = tuple(f"{head}: `sig{i}|n:1`" for i, head in enumerate(heads[1:]))
    return table(heads, rows, notes=(*notes, "of all"))


def test_a_table_wider_than_the_page_becomes_several_that_fit() -> None:
    text = latex(wide(20))
    floats = re.split(r"\\begin\{table\*?\}", text)[1:]
    assert [one.count("name & ") for one in floats] == [1] * 3
    assert [re.search(r"Part \d of \d", f)[0] for f in floats] == [f"Part {i} of 3" for i in (1, 2, 3)]  # type: ignore[index]
    assert [f"{i}.25" in text for i in range(20)] == [True] * 20
    assert text.count("of all") == 1  # under the last part
    assert len(set(re.findall(r"\\label\{(.*)\}", text))) == 3
    for one in floats:  # each part has the signatures of its own columns
        assert re.findall(r"Metric.? (\d+)", one.replace(r"\\", " ")) == re.findall(r"sig(\d+)", one)


def test_the_same_table_fits_one_float_at_a_wide_venue() -> None:
    assert latex(wide(8), LatexStyle(page=516)).count(r"\begin{tabular*}") == 1
    assert latex(wide(8)).count(r"\begin{tabular*}") == 2


def test_a_long_table_is_cut_into_pages() -> None:
    rows = [[Text(f"system {i}"), Text(f"{i}")] for i in range(100)]
    text = latex(table(["System", "n"], rows))
    assert text.count(r"\begin{tabular*}") == 2
    assert [text.count(f"system {i} ") for i in range(100)] == [1] * 100
    with_notes = latex(table(["System", "n"], rows[:40], notes=("a long note " * 100,)))
    assert with_notes.count(r"\begin{tabular*}") == 2  # notes take lines too


def test_optional_columns_go_first() -> None:
    rows = [[Text("a"), Text("1.5"), Text("x " * 20)]]
    made = table(["System", "FAD", "By seed"], rows, optional=("By seed",))
    text = latex(made, LatexStyle(column=60, page=80))
    assert "% left out for want of width: By seed" in text
    assert "x x" not in text
    assert "x x" in latex(made)


def test_long_words_wrap_in_their_columns() -> None:
    made = table(["System", "FAD", "Remark"], [[Text("a_" * 60), Text("1.5"), Text("words " * 30)]])
    text = latex(made)
    assert text.count(r"\raggedright\let\\\tabularnewline") == 2
    assert r"a\_\allowbreak{}a\_" in text
    assert re.search(r"@\{\\extracolsep\{\\fill\}\}p\{[\d.]+pt\}cp\{[\d.]+pt\}", text)


def test_characters_that_pdflatex_lacks_are_named_in_a_comment() -> None:
    text = latex(table(["System", "n"], [[Text("犬"), Text("1")]]))
    assert "their shapes: 犬" in text.splitlines()[1]


def test_widths_are_those_that_tex_measured() -> None:
    assert 42.5 < width("0123456789") < 43.5  # cmr8: 4.25 pt each
    assert width("0", bold=True) > 4.9  # cmbx8
    assert width("0", points=7) > 3.98  # cmr7


def test_headings_wrap_at_words_and_keep_their_arrow() -> None:
    assert wrapped("Content enjoyment ↑", 40) == ["Content", "enjoyment ↑"]
    assert wrapped("FAD ↓", 1) == ["FAD ↓"]
    assert wrapped("", 10) == [""]
