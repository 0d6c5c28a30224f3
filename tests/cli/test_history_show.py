from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result
from unit.history.make_records import record

from clipsonic_eval.cli import main
from clipsonic_eval.history.store import History
from clipsonic_eval.reporting.figures.venues import VENUES


def shown(*options: str) -> Result:
    return CliRunner().invoke(main, ["history", "show", *options])


@pytest.fixture
def history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> History:
    monkeypatch.chdir(tmp_path)
    made = History("history")
    made.add([record(step) for step in range(6)])
    made.pin("released", "latest")
    return made


@pytest.mark.usefixtures("history")
def test_show_prints_points_and_writes_a_page() -> None:
    result = shown("--metric", "fad", "--system", "S0", "--over", "commit", "--baseline", "released", "--out", "page")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0] == "FAD ↓ of S0 (squared distance) over commit, 6 points"
    assert lines[6].endswith("too new to tell; ◆ released")
    page = Path("page/README.md").read_text()
    asked = "--metric fad --system S0 --over commit --baseline released"
    assert f"`clipsonic-eval history show {asked}`" in page
    written = ["README.md", "history.csv", "history.pdf", "history.png", "history.svg", "run.json"]
    assert sorted(p.name for p in Path("page").iterdir()) == written
    assert shown("--out", "page").exit_code == 0  # of everything now, in place of what it wrote before
    assert sorted(p.name for p in Path("page").iterdir()) == written


@pytest.mark.usefixtures("history")
def test_figures_are_as_wide_as_the_page_of_a_venue() -> None:
    def width(venue: str) -> float:
        assert shown("--out", "page", "--venue", venue).exit_code == 0
        assert f"--venue {venue}`" in Path("page/README.md").read_text()
        return float(ElementTree.parse("page/history.svg").getroot().attrib["width"].removesuffix("pt"))

    for venue in ("icassp", "ieee"):
        assert width(venue) == pytest.approx(72 * VENUES[venue].page, abs=0.01)


@pytest.mark.usefixtures("history")
def test_a_folder_of_other_things_is_left_alone() -> None:
    Path("thesis").mkdir()
    Path("thesis/README.md").write_text("precious")
    result = shown("--out", "thesis")
    assert result.exit_code == 2
    assert "thesis: holds other things (README.md)" in result.stderr
    assert Path("thesis/README.md").read_text() == "precious"


@pytest.mark.usefixtures("history")
def test_json_is_all_of_it() -> None:
    found = json.loads(shown("--json", "--over", "step").stdout)
    assert found["over"] == "step"
    assert [(s["metric"], s["system"]) for s in found["series"]][:2] == [("fad", "S0"), ("fad", "S1")]
    assert [p["x"] for p in found["series"][0]["lines"][0]["points"]] == list("012345")
    few = json.loads(shown("--json", "--newest", "2").stdout)
    assert len(few["series"][0]["lines"][0]["points"]) == 2


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--metric", "fda"], "unknown metric 'fda'. Did you mean 'fad'?"),
        (["--system", "S9"], "unknown system 'S9'. Known: S0, S1."),
        (["--over", "checkpoint"], "unknown tag 'checkpoint'. Known: commit, date, step."),
        (["--baseline", "relaesed"], "'relaesed': no such record in history; its pins are released"),
        (["--venue", "icasp", "--out", "page"], "unknown venue 'icasp'. Did you mean 'icassp'?"),
        (["--history", "elsewhere"], "elsewhere: no history here; `clipsonic-eval history add RUN` begins one"),
        (["--out", "history/pins/released.json"], "is a file, not a folder"),
    ],
)
@pytest.mark.usefixtures("history")
def test_wrong_names_are_one_sentence(options: list[str], said: str) -> None:
    result = shown(*options)
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert said in result.stderr
    assert not Path("page").exists()


def test_an_empty_history_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "records").mkdir()
    result = shown("--history", str(tmp_path))
    assert result.exit_code == 2
    assert "the history is empty" in result.stderr


def test_a_damaged_record_is_named_and_the_others_are_shown(history: History) -> None:
    path = next((history.folder / "records").glob("*.json"))
    path.write_text("{")
    result = shown("--metric", "fad")
    assert result.exit_code == 3
    assert "of S0 (squared distance) over date, 5 points" in result.stdout
    assert path.name in result.stderr
