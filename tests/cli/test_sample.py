from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from clipsonic_eval.cli import main

SYSTEM = """
import numpy as np
from clipsonic_eval.errors import MediaError

class Mine:
    name = "mine"
    sample_rate = 8000
    def __init__(self, level=0.5):
        self.level = level
    def generate(self, queries, seeds):
        if any(q.prompt == "bad" for q in queries):
            raise MediaError("no picture in it")
        return [np.full(10, self.level, np.float32) for _ in queries]
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(SYSTEM)
    (tmp_path / "good.csv").write_text("key,prompt\na,bell\nb,rain\n")
    (tmp_path / "mixed.csv").write_text("key,prompt\na,bell\nb,bad\n")
    (tmp_path / "bad.csv").write_text("key,prompt\nb,bad\n")
    return tmp_path


def run(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(main, ["sample", *arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


def test_a_complete_job_exits_0_and_prints_its_folder(folder: Path) -> None:
    code, out, _ = run("mine.py:Mine", "--queries", "good.csv", "--out", "wavs", "--set", "level=0.25", "--name", "M")
    assert code == 0
    assert out.startswith("wavs: 2 of 2 queries by M")
    assert {p.name for p in (folder / "wavs").iterdir()} == {
        "a.wav",
        "b.wav",
        "samples.csv",
        "metadata.csv",
        "system.json",
        "run.json",
    }


def test_json_goes_to_stdout_alone_and_the_second_run_resumes(folder: Path) -> None:
    del folder
    arguments = ("mine.py:Mine", "--queries", "good.csv", "--out", "wavs", "--json")
    run(*arguments)
    code, out, _ = run(*arguments)
    assert code == 0
    tree = json.loads(out)
    assert (tree["folder"], tree["system"], tree["samples"], tree["resumed"]) == ("wavs", "mine", 2, 2)


def test_shares_say_how_many_are_missing_and_the_last_one_finishes(folder: Path) -> None:
    arguments = ("mine.py:Mine", "--queries", "good.csv", "--out", "wavs")
    code, out, _ = run(*arguments, "--shard", "2/2")
    assert code == 0
    assert "wavs: 1 of 1 queries by mine" in out
    assert "share 2/2 is done; 1 others are not there yet" in out
    code, out, _ = run(*arguments, "--shard", "1/2", "--json")
    assert (code, json.loads(out)["shares_waiting"]) == (0, 0)
    assert (folder / "wavs/samples.csv").read_text().count("\n") == 3


def test_torchrun_deals_the_queries_to_its_processes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    run("mine.py:Mine", "--queries", "good.csv", "--out", "wavs")
    assert [path.name for path in (folder / "wavs").glob("*.wav")] == ["b.wav"]


def test_skipped_queries_exit_3_and_are_named_on_stderr(folder: Path) -> None:
    code, _, err = run("mine.py:Mine", "--queries", "mixed.csv", "--out", "wavs")
    assert code == 3
    assert "skipped b: no picture in it" in err
    assert (folder / "wavs/a.wav").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("mine.py:Mine", "--queries", "bad.csv"), "no query could be answered; the first reason: no picture in it"),
        (("mine.py:Yours", "--queries", "good.csv"), "unknown system in mine.py 'Yours'"),
        (("mine.py:Mine", "--queries", "gone.csv"), "gone.csv: no such file"),
        (("mine.py:Mine", "--queries", "good.csv", "--set", "lvl=1"), "Did you mean 'level'"),
        (("mine.py:Mine", "--queries", "good.csv", "--batch-size", "0"), "batch size must be at least 1"),
        (("mine.py:Mine", "--queries", "good.csv", "--candidates", "4"), "need --rerank ENCODER"),
        (("mine.py:Mine", "--queries", "good.csv", "--rerank", "toy-clap"), "needs at least 2 candidates per query"),
    ],
)
def test_what_cannot_be_done_exits_2_with_one_line(folder: Path, arguments: tuple[str, ...], message: str) -> None:
    del folder
    code, _, err = run(*arguments, "--out", "wavs")
    assert code == 2
    assert message in err
    assert "Traceback" not in err
    assert sum(line.startswith("error:") for line in err.splitlines()) == 1


def test_several_prompts_of_a_key_are_refused_unless_the_first_is_asked_for(folder: Path) -> None:
    (folder / "several.csv").write_text("key,prompt\na,bell\na,chime\nb,rain\n")
    code, _, err = run("mine.py:Mine", "--queries", "several.csv", "--out", "wavs")
    assert code == 2
    assert "1 keys have several prompts" in err
    assert "--first-caption" in err
    code, out, _ = run("mine.py:Mine", "--queries", "several.csv", "--out", "wavs", "--first-caption")
    assert code == 0
    assert out.startswith("wavs: 2 of 2 queries")
    assert "a,a.wav,bell," in (folder / "wavs" / "samples.csv").read_text()


def test_rows_of_the_queries_that_cannot_be_used_are_skipped_with_exit_code_3(folder: Path) -> None:
    (folder / "odd.csv").write_text('key,prompt\na,"bell\nb,rain\nc,nan\n')
    code, out, err = run("mine.py:Mine", "--queries", "odd.csv", "--out", "wavs")
    assert code == 3
    assert out.startswith("wavs: 1 of 1 queries")
    assert "odd.csv line 2: a quote opens here and is never closed" in err
    assert "line 4 (key 'c'): has no prompt" in (folder / "wavs" / "skipped.csv").read_text()


def test_the_best_of_several_sounds_is_another_system_in_the_folder(folder: Path) -> None:
    words = ("mine.py:Mine", "--queries", "good.csv", "--out", "wavs", "--candidates", "2", "--rerank", "toy-clap")
    code, out, _ = run(*words)
    assert code == 0
    assert out.startswith("wavs: 2 of 2 queries by mine-best2")
    card = json.loads((folder / "wavs" / "system.json").read_text())
    assert card["rerank"]["candidates"] == 2
    assert card["rerank"]["encoder"].startswith("toy-clap+")
    code, _, err = run("mine.py:Mine", "--queries", "good.csv", "--out", "wavs")
    assert code == 2
    assert "rerank" in err
