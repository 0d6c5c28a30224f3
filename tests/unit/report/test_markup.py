from __future__ import annotations

import csv
import io

import pytest

from clipsonic_eval import formats
from clipsonic_eval.files import csv_text
from clipsonic_eval.reporting import markup
from clipsonic_eval.reporting.markup import Table, Text

TABLE = Table(
    caption="50 % of a_b",
    heads=("System", "FAD ↓"),
    sections=(("ours & theirs", ((Text("my|sys_1"), Text("1.20", bold=True, small="[1.00, 1.40]")),)),),
    notes=("FAD: `fad|enc:a_b+1`",),
)


@pytest.mark.parametrize(
    ("value", "decimals", "text"),
    [(-1.25, 2, "−1.25"), (-0.001, 2, "0.00"), (3.14159, 3, "3.142"), (0.0, 1, "0.0")],
)
def test_numbers_have_a_real_minus_and_no_negative_zero(value: float, decimals: int, text: str) -> None:
    assert formats.number(value, decimals) == text


def test_a_difference_shows_its_sign() -> None:
    assert formats.number(0.5, 1, sign=True) == "+0.5"
    assert formats.number(-0.04, 1, sign=True) == "0.0"


@pytest.mark.parametrize(
    ("p", "text"), [(0.0004, "< 0.001"), (0.001, "0.001"), (0.0414, "0.041"), (0.25, "0.25"), (1.0, "1.00")]
)
def test_p_values_are_short(p: float, text: str) -> None:
    assert formats.p_value(p) == text


def test_every_special_character_of_latex_is_escaped() -> None:
    assert markup.latex_escape(r"\&%$#_{}~^") == (r"\textbackslash{}\&\%\$\#\_\{\}\textasciitilde{}\textasciicircum{}")
    assert markup.latex_escape("a|b<c ↑ ± −") == r"a\textbar{}b\textless{}c $\uparrow$ $\pm$ $-$"


def test_latex_has_rules_bold_cells_and_typewriter_signatures() -> None:
    text = markup.latex(TABLE)
    assert r"\caption{50 \% of a\_b}" in text
    assert r"my\textbar{}sys\_1 & \textbf{1.20} {\scriptsize [1.00, 1.40]} \\" in text
    assert r"\multicolumn{2}{l}{\emph{ours \& theirs}} \\" in text
    assert r"\texttt{fad\textbar{}\allowbreak{}enc:a\_b+1}" in text
    for rule in (r"\toprule", r"\midrule", r"\bottomrule"):
        assert rule in text
    assert text.count("{") == text.count("}")


def test_markdown_keeps_its_columns_whatever_a_name_holds() -> None:
    lines = markup.markdown(TABLE).splitlines()
    row = next(line for line in lines if "sys" in line)
    assert row == r"| my\|sys\_1 | **1.20** [1.00, 1.40] |"


def test_csv_reads_back_exactly() -> None:
    text = csv_text(("a", "b"), [{"a": 0.1 + 0.2, "b": None}, {"a": 'x,"y"', "b": 1}])
    rows = list(csv.DictReader(io.StringIO(text)))
    assert float(rows[0]["a"]) == 0.1 + 0.2
    assert rows[0]["b"] == ""
    assert rows[1]["a"] == 'x,"y"'
