from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from unit.report.synthetic import simple

from clipsonic_eval import records
from clipsonic_eval.cli import main


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    tests = {("fad", "PD", "ZS"): (-2.0, 0.001), ("fad", "IQ", "PD"): (-1.0, 0.001)}
    records.write(simple({("fad", "IQ"): 2.0, ("fad", "PD"): 3.0, ("fad", "ZS"): 5.0}, tests), tmp_path / "run")
    return tmp_path


def run(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(main, ["report", *arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


def test_it_prints_the_headline_the_files_and_what_was_left_out(folder: Path) -> None:
    code, out, err = run("run", "--out", "report", "--catalogue", "clipsonic")
    assert code == 0
    assert out.splitlines()[0] == "The ordering IQ ≥ PD > ZS holds on FAD."
    assert "report/README.md" in out.splitlines()
    assert "left out: no gap record: modality-gap table and figure left out" in err
    assert "clipsonic-eval report run --out report --catalogue clipsonic" in (folder / "report/README.md").read_text()


def test_json_is_the_whole_of_stdout(folder: Path) -> None:
    code, out, _ = run("run", "--out", "report", "--title", "Mine", "--catalogue", "clipsonic", "--json")
    tree = json.loads(out)
    assert code == 0
    assert "table.csv" in tree["files"]
    assert tree["headline"].startswith("The ordering")
    assert (folder / "report/README.md").read_text().startswith("# Mine\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nowhere", "--out", "r"), "nowhere: no such run"),
        (("run", "--out", "r", "--select", "guidance"), "expected TAG=VALUE"),
        (("run", "--out", "run/record.json"), "run/record.json: is a file, not a folder"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_what_the_user_can_mend_is_one_line_and_exit_code_2(arguments: tuple[str, ...], message: str) -> None:
    code, out, err = run(*arguments)
    assert code == 2
    assert out == ""
    assert err.startswith("error: ")
    assert message in err
    assert len(err.splitlines()) == 1


STUDY = """
from clipsonic_eval.analysis.catalogue import Catalogue, SystemStyle

STUDY = Catalogue(name="mine", systems=(SystemStyle("PD", "with a prior", "ours"),), groups=("ours", ""))
NUMBER = 3
"""


def test_a_catalogue_of_ones_own_is_a_name_in_a_file(folder: Path) -> None:
    (folder / "study.py").write_text(STUDY)
    code, _, _ = run("run", "--out", "report", "--catalogue", "study.py:STUDY")
    page = (folder / "report/README.md").read_text()
    assert code == 0
    assert "- PD: with a prior" in page
    assert "--catalogue study.py:STUDY" in page
    assert "paper" not in page


def test_without_a_catalogue_no_ordering_is_looked_for(folder: Path) -> None:
    code, out, _ = run("run", "--out", "report")
    assert code == 0
    assert out.splitlines()[0] == "report/README.md"
    assert "ordering" not in (folder / "report/README.md").read_text()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("clipsonik", "expected MODULE:NAME or FILE.py:NAME"),
        ("study.py:STUDIE", "'STUDIE'"),
        ("study.py:NUMBER", "is no Catalogue"),
        ("nowhere.py:STUDY", "nowhere.py: no such file"),
    ],
)
def test_a_catalogue_that_is_none_is_one_line_and_exit_code_2(folder: Path, name: str, message: str) -> None:
    (folder / "study.py").write_text(STUDY)
    code, _, err = run("run", "--out", "report", "--catalogue", name)
    assert code == 2
    assert message in err
    assert len(err.splitlines()) == 1
    assert not (folder / "report").exists()
