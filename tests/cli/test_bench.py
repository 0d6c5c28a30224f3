"""``bench`` as it is called: tables, record, resuming, failures of single cases, and what cannot be measured."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from clipsonic_eval import records
from clipsonic_eval.cli import main

SYSTEM = """
import numpy as np, time
from pathlib import Path
from clipsonic_eval.errors import ConfigError, MediaError
from clipsonic_eval.stages import stage
class Mine:
    name, sample_rate = "mine", 8000
    def __init__(self, steps=2, broken=False):
        if steps > 100:
            raise ConfigError("steps must be at most 100")
        self.steps, self.broken = steps, broken
    def generate(self, queries, seeds):
        with Path("calls.txt").open("a") as file:
            file.write(f"{len(queries)}\\n")
        if queries[0].image is None and self.broken:
            raise MediaError("has no image")
        with stage("denoiser"):
            for _ in range(self.steps):
                with stage("step"):
                    time.sleep(0.001)
        return [np.zeros(800, np.float32) for _ in queries]
"""
FEW = ["--processes", "1", "--calls", "6"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text(SYSTEM)
    return tmp_path


def run(*words: str, code: int = 0) -> tuple[str, str]:
    done = CliRunner().invoke(main, ["bench", *words])
    assert done.exit_code == code, done.output
    return done.stdout, done.stderr


@pytest.mark.usefixtures("folder")
def test_a_grid_with_a_point_that_fails_measures_the_others_and_exits_3() -> None:
    out, err = run("mine.py:Mine", "--grid", "steps=1,999,4", *FEW, "--out", "out", code=3)
    assert [line.split()[:2] for line in out.splitlines() if line.startswith("mine")][:2] == [
        ["mine", "steps=1"],
        ["mine", "steps=4"],
    ]
    assert "mine steps=999: not measured: mine.py:Mine: steps must be at most 100" in err
    record = records.read(Path("out"))
    assert record.kind == "bench"
    fast, slow = record["mine steps=1", "latency"], record["mine steps=4", "latency"]
    assert fast.value < slow.value
    assert slow.value > 0.004
    assert len(slow.per_clip) == 6
    assert record["mine steps=4", "stage_denoiser_step"].details["per_request"] == 4


def test_an_interrupted_bench_continues_with_the_cases_that_are_missing(folder: Path) -> None:
    words = ["mine.py:Mine", "--grid", "steps=1,2", *FEW, "--out", "out"]
    run(*words)
    before = records.read(folder / "out")
    kept = sorted((folder / "out" / "cases").iterdir())
    assert len(kept) == 2
    kept[0].unlink()
    stays = kept[1].read_bytes()
    Path("calls.txt").unlink()
    run(*words)
    after = records.read(folder / "out")
    assert Path("calls.txt").exists()
    assert kept[1].read_bytes() == stays
    assert before.system_names == after.system_names
    Path("calls.txt").unlink()
    run(*words)
    assert not Path("calls.txt").exists()  # a finished one is only read


def test_another_bench_in_the_folder_is_refused(folder: Path) -> None:
    run("mine.py:Mine", *FEW, "--out", "out")
    _, err = run("mine.py:Mine", "--set", "steps=3", *FEW, "--out", "out", code=2)
    assert "with other settings or inputs" in err
    assert (folder / "out" / "record.json").exists()
    run("mine.py:Mine", "--set", "steps=3", *FEW, "--out", "out", "--overwrite")


def test_a_grid_that_grows_keeps_the_cases_that_it_had(folder: Path) -> None:
    run("M=mine.py:Mine", "--grid", "steps=1,2", *FEW, "--out", "out")
    before = {path.name: path.read_bytes() for path in (folder / "out" / "cases").iterdir()}
    run("M=mine.py:Mine", "--grid", "steps=1,2,3", *FEW, "--out", "out", "--overwrite")
    after = {path.name: path.read_bytes() for path in (folder / "out" / "cases").iterdir()}
    assert before.items() <= after.items()
    assert len(after) == 3
    assert records.read(folder / "out").system_names == ("M steps=1", "M steps=2", "M steps=3")
    run("M=mine.py:Mine", "--grid", "steps=1,2,3", "--processes", "1", "--calls", "7", "--out", "out", "--overwrite")
    assert {score.n for score in records.read(folder / "out").scores if score.metric == "latency"} == {7}


@pytest.mark.usefixtures("folder")
def test_json_is_the_record_and_the_export_stands_beside_it() -> None:
    out, _ = run("M=mine.py:Mine", "fad", "--set", "fad.n=50", *FEW, "--out", "out", "--json",
                 "--pytest-benchmark", "b.json")  # fmt: skip
    tree = json.loads(out)
    assert tree["kind"] == "bench"
    assert {score["system"] for score in tree["scores"]} == {"M", "fad"}
    assert [b["name"] for b in json.loads(Path("b.json").read_text())["benchmarks"]] == ["M", "fad"]


@pytest.mark.usefixtures("folder")
def test_one_against_another_tells_their_ratio() -> None:
    words = ["A=mine.py:Mine", "--set", "A.steps=9", "--against", "B=mine.py:Mine", "--set", "B.steps=3"]
    out, _ = run(*words, "--processes", "3", "--rounds", "1", "--out", "out")
    (sentence,) = (line for line in out.splitlines() if "times as long as" in line)
    ratio = float(sentence.split("takes ")[1].split(" ")[0])
    assert 2 < ratio < 4
    (comparison,) = records.read(Path("out")).comparisons
    assert (comparison.a, comparison.b, comparison.n) == ("A", "B", 3)


def test_where_nothing_can_be_measured_the_reason_is_told_and_no_record_is_left(folder: Path) -> None:
    _, err = run("mine.py:Mine", "--set", "broken=true", *FEW, "--out", "out", code=2)
    assert "nothing could be measured; the first reason: has no image" in err
    assert not (folder / "out" / "record.json").exists()


@pytest.mark.usefixtures("folder")
def test_queries_of_a_table_are_asked() -> None:
    Path("q.csv").write_text("key,prompt\na,bell\nb,rain\n")
    run("mine.py:Mine", "--set", "batch=2", "--queries", "q.csv", *FEW, "--out", "out")
    assert set(Path("calls.txt").read_text().split()) == {"2"}
    finding = records.read(Path("out")).findings["mine"]
    assert any("prompts came again after 2" in found.sentence for found in finding)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["nowhere"], "'nowhere': neither a folder of wavs nor MODULE:CLASS nor FILE.py:CLASS"),
        (["mine.py:Mine", "--set", "stepps=3"], "unknown key 'stepps'. Did you mean 'steps'?"),
        (["mine.py:Mine", "--set", "batch=0"], "batch=0: expected a whole number of at least 1"),
        (["mine.py:Mines"], "Did you mean 'Mine'?"),
    ],
)
def test_targets_that_no_process_can_load_are_told_and_nothing_is_written(
    folder: Path, words: list[str], reason: str
) -> None:
    _, err = run(*words, *FEW, "--out", "out", code=2)
    assert err.splitlines()[-1].startswith("error: out: nothing could be measured; the first reason: ")
    assert "mine.py:Mine: mine.py:Mine: " not in err
    assert reason in err.splitlines()[-1]
    assert not (folder / "out").exists()
