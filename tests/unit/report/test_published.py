from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from unit.report.synthetic import simple

from clipsonic_eval.errors import UserError
from clipsonic_eval.reporting import markup, published
from clipsonic_eval.reporting.build import PaperTable, ReportOptions, build

EXAMPLE = Path(__file__).parents[3] / "examples/published.yaml"
ROW = {"source": "Them, 2024, Table 1", "better": {"FAD": "lower"}, "rows": {"A": {"FAD": 1.5}}}


def written(folder: Path, *sources: object) -> Path:
    path = folder / "published.yaml"
    path.write_text(yaml.safe_dump({"published": list(sources)}))
    return path


def test_the_example_has_the_one_known_row_with_its_source() -> None:
    (one,) = published.read(EXAMPLE)
    assert one.rows == {"CLIPSonic-IQ": {"FD": "27.124", "FAD": "3.495"}}
    assert one.signature == "unknown"
    lines = markup.markdown(published.table([one])).splitlines()
    assert "| CLIPSonic-IQ † | 27.124 | 3.495 |" in lines
    assert any("V2A-Mapper" in line and "signature: unknown" in line for line in lines)


def test_two_sources_share_no_column(tmp_path: Path) -> None:
    found = published.read(written(tmp_path, ROW, {**ROW, "source": "Others", "rows": {"A": {"FAD": "2.50"}}}))
    table = published.table(found)
    assert table.heads == ("Reported elsewhere", "FAD ↓ [1]", "FAD ↓ [2]")
    assert "| A † | 1.5 | 2.50 |" in markup.markdown(table)  # as it was printed
    assert [note[:3] for note in table.notes] == ["[1]", "[2]"]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({**ROW, "source": ""}, "source 1: has no 'source'; name authors"),
        ({**ROW, "better": {"FAD": "down"}}, "'better' must say 'lower' or 'higher'"),
        ({**ROW, "rows": {"A": {"KL": 1}}}, "'A': 'better' does not say whether a lower or a higher KL is better"),
        ({**ROW, "rows": {"A": {"FAD": "n/a"}}}, "'A': FAD is 'n/a'"),
        ({**ROW, "rows": {}}, "has no 'rows'"),
        ({**ROW, "rows": {"A": 3}}, "'A': needs a value by metric"),
        ({**ROW, "year": 2024}, "unknown key 'year'"),
        ("text", "needs the keys source, better and rows"),
    ],
)
def test_what_is_wrong_in_the_file_is_one_sentence(tmp_path: Path, source: object, message: str) -> None:
    path = written(tmp_path, source)
    with pytest.raises(UserError) as error:
        published.read(path)
    assert str(error.value).startswith(f"{path}: source 1")
    assert message in str(error.value)


def test_a_file_without_sources_and_no_file_are_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="needs a list 'published' of sources"):
        published.read(written(tmp_path))
    with pytest.raises(UserError, match=r"nowhere\.yaml"):
        published.read(tmp_path / "nowhere.yaml")


def test_numbers_from_elsewhere_stand_apart_in_the_report(tmp_path: Path) -> None:
    options = ReportOptions(paper=PaperTable(published=EXAMPLE))
    made = build([simple({("fad", "A"): 1.0, ("fad", "B"): 2.0})], tmp_path / "report", options=options)
    page = (made.out / "README.md").read_text()
    assert "## Reported elsewhere" in page
    assert "3.495" not in (made.out / "table.tex").read_text()
    assert "3.495" in (made.out / "published.tex").read_text()
    assert "CLIPSonic-IQ,FAD,lower,3.495" in (made.out / "published.csv").read_text()
