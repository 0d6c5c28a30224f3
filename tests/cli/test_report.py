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
    assert "left out: table and figure of the modality gap: no run of `gap`" in err
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
        ("clipsonik", "unknown catalogue 'clipsonik'. Did you mean 'clipsonic'? Known: clipsonic. One of your own is"),
        ("study.py:", "expected MODULE:NAME or FILE.py:NAME, e.g. study.py:STUDY"),
        ("study.py:STUDIE", "'STUDIE'"),
        ("study.py:NUMBER", "is no Catalogue"),
        ("nowhere.py:STUDY", "nowhere.py: no such file; give the path of a Python file that defines the catalogue"),
    ],
)
def test_a_catalogue_that_is_none_is_one_line_and_exit_code_2(folder: Path, name: str, message: str) -> None:
    (folder / "study.py").write_text(STUDY)
    code, _, err = run("run", "--out", "report", "--catalogue", name)
    assert code == 2
    assert message in err
    assert len(err.splitlines()) == 1
    assert not (folder / "report").exists()


def test_the_tables_of_a_paper_follow_their_options(folder: Path) -> None:
    (folder / "theirs.yaml").write_text(
        'published: [{source: "Them, 2024, Table 1", better: {FD: lower}, rows: {Theirs: {FD: 27.124}}}]'
    )
    options = ("--latex", "siunitx", "--system", "PD", "--system", "ZS", "--published", "theirs.yaml")
    code, _, _ = run("run", "--out", "report", *options)
    table = (folder / "report/table.tex").read_text()
    assert code == 0
    assert "S[table-format=" in table
    assert "\nPD & " in table
    assert "\nIQ & " not in table
    assert "27.124" in (folder / "report/published.tex").read_text()
    made_by = (folder / "report/README.md").read_text()
    assert "--latex siunitx --published theirs.yaml --system PD --system ZS" in made_by


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--metric", "fda"), "unknown metric of these runs 'fda'. Did you mean 'fad'?"),
        (("--system", "PC"), "unknown system of these runs 'PC'"),
        (("--spread", "seeds"), "the runs are of one training seed"),
        (("--ablation", "steps"), "no system was evaluated at two values of 'steps'"),
        (("--published", "nowhere.yaml"), "nowhere.yaml: no such file"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_tables_that_the_runs_do_not_allow_are_one_line_and_exit_code_2(options: tuple[str, ...], message: str) -> None:
    code, out, err = run("run", "--out", "report", *options)
    assert (code, out) == (2, "")
    assert message in err
    assert len(err.splitlines()) == 1


def test_a_hand_edited_record_is_one_line_and_exit_code_2(folder: Path) -> None:
    path = folder / "run/record.json"
    path.write_text(path.read_text().replace('"value": 3.0', '"value": 1.0'))
    code, _, err = run("run", "--out", "report")
    assert code == 2
    assert "run/record.json: its values do not match its sha256, so it was edited or damaged" in err
