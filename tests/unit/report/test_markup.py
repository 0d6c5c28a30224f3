from __future__ import annotations

import csv
import io

from clipsonic_eval.reporting import markup
from clipsonic_eval.reporting.markup import Column, Text, TextTable

NAME = Column("System", "system", value=lambda row: row[0], text=lambda row: Text(row[0]))
FAD = Column("FAD ↓", "fad", value=lambda row: row[1], text=lambda row: Text("1.20", bold=True, small="[1.00, 1.40]"))
UNIT = Column(csv_name="unit", value=lambda row: None)
TABLE = TextTable(
    caption="50 % of a_b",
    cells=markup.cells([NAME, FAD, UNIT], {"ours & theirs": [("my|sys_1", 1.2)]}),
    notes=("FAD: `fad|enc:a_b+1`",),
)


def test_markdown_keeps_its_columns_whatever_a_name_holds() -> None:
    lines = markup.markdown(TABLE).splitlines()
    row = next(line for line in lines if "sys" in line)
    assert row == r"| my\|sys\_1 | **1.20** [1.00, 1.40] |"


def test_a_column_without_a_heading_is_in_the_csv_file_only_and_the_other_way_round() -> None:
    marked = Column("Marked", text=lambda row: Text("*"))
    columns = [NAME, marked, UNIT]
    assert markup.csv(columns, [("a", 1.0)]) == "system,unit\na,\n"
    assert TextTable("", markup.cells(columns, {"": [("a", 1.0)]})).heads == ("System", "Marked")


def test_numbers_in_csv_read_back_exactly() -> None:
    text = markup.csv([NAME, FAD, UNIT], [("a", 0.1 + 0.2), ('x,"y"', 3), ("z", None)])
    rows = list(csv.DictReader(io.StringIO(text)))
    assert float(rows[0]["fad"]) == 0.1 + 0.2
    assert [row["fad"] for row in rows[1:]] == ["3", ""]
    assert rows[1]["system"] == 'x,"y"'


def test_a_table_without_section_titles_has_none_in_markdown() -> None:
    table = TextTable("", markup.cells([NAME, FAD], {"": [("a", 1.0), ("b", 2.0)]}))
    lines = markup.markdown(table).splitlines()
    assert lines[2:] == [
        "| System | FAD ↓ |",
        "|---|---|",
        "| a | **1.20** [1.00, 1.40] |",
        "| b | **1.20** [1.00, 1.40] |",
    ]


def test_two_columns_of_one_heading_are_both_shown() -> None:
    table = TextTable("", markup.cells([NAME, FAD, FAD], {"": [("a", 1.0)]}))
    assert markup.markdown(table).splitlines()[-1].count("1.20") == 2
