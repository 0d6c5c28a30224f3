"""``history add``, ``pin``, ``ls``, ``prune`` and ``export`` as a user types them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from unit.history.make_records import record

from clipsonic_eval import records
from clipsonic_eval.cli import main


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three runs, and a folder whose record was cut."""
    monkeypatch.chdir(tmp_path)
    for step in range(3):
        records.write(record(step), Path("runs") / f"step-{step}")
    Path("cut").mkdir()
    Path("cut/record.json").write_text('{"schema_version": 3, ')


def run(*words: str, code: int = 0) -> Result:
    done = CliRunner().invoke(main, ["history", *words])
    assert done.exit_code == code, done.output
    return done


def as_json(*words: str, code: int = 0) -> Any:
    done = run(*words, "--json", code=code)
    assert done.stdout.count("\n") == 1
    return json.loads(done.stdout)


def test_runs_are_added_pinned_and_listed() -> None:
    assert run("add", "runs").stdout.count("added") == 3
    assert run("add", "runs/step-*").stdout.count("was there already") == 3
    run("pin", "released", "runs/step-0")
    lines = run("ls").stdout.splitlines()
    assert lines[0].startswith("record")
    assert "released" in lines[1]
    assert "step=0" in lines[1]
    assert len(lines) == 4
    assert len(run("ls", "--newest", "1").stdout.splitlines()) == 2


def test_what_cannot_be_added_is_listed_and_the_rest_is_added() -> None:
    found = as_json("add", "cut", "nowhere", "runs", code=3)
    assert len(found["new"]) == 3
    assert [skip["path"] for skip in found["skipped"]] == ["nowhere", "cut/record.json"]
    assert "not readable as JSON" in run("add", "cut", "runs", code=3).stderr


def test_nothing_is_made_where_nothing_can_be_added() -> None:
    assert "not readable as JSON" in run("add", "cut", code=2).stderr
    assert not Path("history").exists()


def test_listing_names_edited_records_and_damaged_pins_and_goes_on() -> None:
    new = as_json("add", "runs")["new"]
    as_json("pin", "released", new[0])
    Path(f"history/records/{new[1]}.json").write_text("{}")
    Path("history/pins/released.json").write_text("[")
    done = run("ls", code=3)
    assert len(done.stdout.splitlines()) == 3
    assert f"{new[1]}.json: its content does not match its name" in done.stderr
    assert "released.json: not readable as JSON" in done.stderr


def test_every_command_prints_json() -> None:
    new = as_json("add", "runs")["new"]
    assert as_json("pin", "released", new[0][:8])["records"] == [new[0]]
    assert as_json("pin", "released", "latest")["replaced"] == [new[0]]
    rows = as_json("ls")
    assert [(row["hash"], row["pins"], row["clips"]) for row in rows] == [
        (new[0], [], True),
        (new[1], [], True),
        (new[2], ["released"], True),
    ]
    assert as_json("prune", "--keep", "0", "--dry-run")["records"] == new[:2]
    assert as_json("prune", "--keep", "0")["kept"] == 1
    assert [row["clips"] for row in as_json("ls")] == [False, False, True]
    assert as_json("export", "--csv", "a.csv", "--parquet", "a.parquet") == {"a.csv": 12, "a.parquet": 12}


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("add nowhere", "nowhere: no such run"),
        ("add runs --history runs/step-0/record.json", "is a file; name a folder"),
        ("add runs --history cut", "is no history, it holds record.json"),
        ("ls", "history: no history here; `clipsonic-eval history add RUN` begins one"),
        ("ls --history runs", "runs: no history here"),
        ("pin released", "Missing argument 'RUN…'"),
        ("pin released latest", "no history here"),
        ("pin released nowhere", "'nowhere': no such record in history"),
        ("pin dead runs/step-0", "'dead' is no name for a pin"),
        ("prune", "no history here"),
        ("prune --keep -1", "-1 is not in the range x>=0"),
        ("export", "nothing to write; name a file with --csv or --parquet"),
        ("export --csv a.csv", "no history here"),
    ],
)
def test_wrong_input_is_one_sentence(line: str, sentence: str) -> None:
    done = run(*line.split(), code=2)
    assert sentence in done.stderr
    assert done.stdout == ""
    assert not Path("history").exists()
