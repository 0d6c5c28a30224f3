"""Long lists of what was skipped are cut on the screen and whole in a file; an interrupted job says how to go on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import fake_encoders
import numpy as np
import pytest
from click.testing import CliRunner, Result

from clipsonic_eval import records
from clipsonic_eval.cli import main
from clipsonic_eval.encoders import ENCODERS
from clipsonic_eval.media.audio import write_wav
from clipsonic_eval.records import RunRecord
from clipsonic_eval.types import Finding, Score, Skip

SCORE = Score("fad", "a", 1.0, (0.5, 1.5), "", 5, 5, "distance", higher_is_better=False, signature="fad|n:5")
SYSTEM = """
import numpy as np
class Some:
    name, sample_rate = "some", 8000
    def generate(self, queries, seeds):
        return [np.full(8, 0.5 if q.key == "q0" else np.nan, np.float32) for q in queries]
class Stopped:
    name, sample_rate = "stopped", 8000
    def generate(self, queries, seeds):
        raise KeyboardInterrupt
"""


@pytest.fixture(autouse=True)
def _in_own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    Path("mine.py").write_text(SYSTEM)
    Path("q.csv").write_text("key,prompt\n" + "".join(f"q{i},a bell\n" for i in range(9)))


@pytest.fixture
def encoder(monkeypatch: pytest.MonkeyPatch) -> fake_encoders.FakeEncoder:
    len(ENCODERS)  # scans the package before ours comes in
    made = fake_encoders.FakeEncoder()
    monkeypatch.setitem(ENCODERS._items, "fa", lambda weights=None, *, device="cpu": made)
    return made


def wavs(folder: str, good: int = 5, bad: int = 0, noise: float = 0.05) -> None:
    for i in range(good):
        write_wav(Path(folder) / f"q{i}.wav", fake_encoders.tone(300 * (i + 1), i, noise), fake_encoders.RATE)
    for i in range(bad):
        (Path(folder) / f"bad{i:02d}.wav").write_text("no audio")


def run(*words: str) -> Result:
    return CliRunner().invoke(main, words)


def evaluate(*more: str) -> Result:
    words = ["--system", "a=wavs", "--reference", "real", "--metric", "fad", "--encoder", "audio=fa", "--out", "run"]
    return run("evaluate", *words, "--set", "n_bootstrap=20", "--set", "n_permutations=20", *more)


@pytest.mark.usefixtures("encoder")
def test_evaluate_names_five_skipped_clips_of_a_set_and_counts_the_rest() -> None:
    wavs("wavs", bad=8)
    wavs("real")
    done = evaluate()
    assert done.exit_code == 3
    named = [line for line in done.stderr.splitlines() if line.startswith("skipped a: ")]
    assert [line.split(": ")[1] for line in named] == [*(f"bad{i:02d}" for i in range(5)), "3 more, see skipped.csv"]
    listed = Path("run/skipped.csv").read_text()
    assert all(f"bad{i:02d}" in listed for i in range(8))


def test_sample_names_five_skipped_queries_and_counts_the_rest() -> None:
    done = run("sample", "mine.py:Some", "--queries", "q.csv", "--out", "out")
    assert done.exit_code == 3
    assert done.stdout.startswith("out: 1 of 9 queries by some")
    named = [line for line in done.stderr.splitlines() if line.startswith("skipped ")]
    assert len(named) == 6
    assert named[-1] == f"skipped 3 more, see {Path('out/skipped.csv')}"


def test_prepare_names_twenty_skipped_files_and_counts_the_rest() -> None:
    wavs("wavs", bad=23)
    settings = ["image_encoder=null", "duration_s=0.2", "min_s=0.1", "sample_rate=16000"]
    words = [part for item in settings for part in ("--set", item)]
    done = run("prepare", "wavs", "--out", "clips", "--workers", "0", *words)
    assert done.exit_code == 3
    lines = [line for line in done.stderr.splitlines() if line.startswith(("skipped ", "… "))]
    assert len(lines) == 21
    assert lines[-1] == f"… and 3 more, see {Path('clips/skipped.csv')}"
    assert "5 clips" in done.stdout


def test_findings_are_shown_errors_first_and_the_rest_counted(capsys: pytest.CaptureFixture[str]) -> None:
    from clipsonic_eval.cli._scores import show

    findings = [Finding("peak", "warning", (f"q{i}",), f"'q{i}' is loud") for i in range(7)]
    findings.append(Finding("world", "error", (), "the numbers mean nothing"))
    skips = tuple(Skip(f"s{i}", "no audio") for i in range(6))
    show(RunRecord("evaluate", (SCORE,), findings={"a": tuple(findings)}, skipped={"a": skips}), as_json=False)
    said = capsys.readouterr()
    lines = said.err.splitlines()
    assert lines[0] == "error a: the numbers mean nothing"
    assert lines[5] == "a: 3 more, see findings.csv"
    assert lines[-1] == "skipped a: 1 more, see skipped.csv"
    assert "1.000 [0.500, 1.500]" in said.out


def test_a_report_says_which_run_had_skipped_items() -> None:
    skips = {"a": (Skip("q0", "no audio"), Skip("q1", "no audio"))}
    records.write(RunRecord("evaluate", (SCORE,), skipped=skips), Path("run"))
    done = run("report", "run", "--out", "report")
    assert done.exit_code == 0
    assert "run 'run' had skipped 2; its record lists them" in done.stderr.splitlines()


def test_an_interrupted_job_exits_130_and_the_same_command_goes_on() -> None:
    done = run("sample", "mine.py:Stopped", "--queries", "q.csv", "--out", "out")
    assert done.exit_code == 130
    assert done.stderr.splitlines()[-1] == "stopped; run the same command again to continue"
    assert done.stdout == ""


def test_an_interrupted_evaluation_embeds_no_clip_twice(encoder: Any) -> None:
    wavs("wavs")
    wavs("real", noise=0.01)
    encoder.fail_after = 7
    done = evaluate("--set", "batch_size=1", "--set", "workers=1")
    assert done.exit_code == 130
    assert not Path("run/record.json").exists()
    encoder.fail_after, encoder.heard = None, 0
    done = evaluate("--set", "batch_size=1", "--set", "workers=1")
    assert done.exit_code == 0, done.output
    assert encoder.heard == 10 - 7  # one clip a batch: the first seven are in the cache
    assert np.isfinite(records.read(Path("run")).scores[0].value)
