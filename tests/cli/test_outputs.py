"""Every command claims its output before it works: by one rule, with one sentence."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from clipsonic_eval import atomic, records
from clipsonic_eval.cli import main
from clipsonic_eval.media.audio import write_wav
from clipsonic_eval.records import RunRecord
from clipsonic_eval.types import Score

MINE = """
import numpy as np
class Mine:
    name, sample_rate = "mine", 8000
    def __init__(self, level=0.5):
        self.level = level
    def generate(self, queries, seeds):
        return [np.full(8, self.level, np.float32) for _ in queries]
"""
RECIPE = "{base: {clips: nowhere}, variants: {base: {}}, queries: queries.csv, reference: wavs}"
SCORE = Score("fad", "mine", 1.0, None, "", 5, 5, "distance", higher_is_better=False, signature="fad|n:5")
FROM_TO = ["--from", "fad/clipsonic-eval", "--to", "fad/fadtk"]

COMMANDS = {
    "prepare": ["prepare", "wavs", "--set", "image_encoder=null", "--out"],
    "train": ["train", "train.yaml", "--out"],
    "sample": ["sample", "mine.py:Mine", "--queries", "queries.csv", "--out"],
    "evaluate": ["evaluate", "--system", "a=wavs", "--reference", "wavs", "--out"],
    "explain": ["explain", "--system", "a=wavs", "--reference", "wavs", *FROM_TO, "--out"],
    "gap": ["gap", "features.npz", "--space", "mine", "--out"],
    "report": ["report", "run", "--out"],
    "calibrate": ["calibrate", "intervals", "--metric", "class_accuracy", "--n", "20", "--repeats", "2", "--out"],
    "toy-encoders": ["toy-encoders", "train", "--only", "toy-audio", "--out"],
    "bench": ["bench", "mine.py:Mine", "--processes", "1", "--calls", "1", "--out"],
    "frontier": ["frontier", "mine.py:Mine", "--queries", "queries.csv", "--reference", "wavs", "--out"],
    "recipe": ["recipe", "recipe.yaml", "--out"],
    "demo": ["demo", "--fast", "--out"],
    "sweep": ["sweep", "--only", "narrow", "--out"],
    "embed": ["embed", "wavs", "--encoder", "toy-audio", "--cache"],
}
RULED = [name for name in COMMANDS if name != "embed"]  # a cache is shared: whatever lies there stays


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for k in range(3):
        write_wav(Path(f"wavs/{k}.wav"), np.linspace(-0.5, 0.5, 16000, dtype=np.float32), 16000)
    Path("mine.py").write_text(MINE)
    Path("queries.csv").write_text("key,prompt\na,bell\nb,rain\n")
    Path("train.yaml").write_text("trainer: clipsonic.training.audio:train\nclips: nowhere\n")
    Path("recipe.yaml").write_text(RECIPE)
    points = np.random.default_rng(0).normal(size=(40, 4)).astype(np.float32)
    np.savez("features.npz", image=points, text=points[::-1], keys=[str(k) for k in range(40)])
    records.write(RunRecord("evaluate", (SCORE,)), Path("run"))
    return tmp_path


def refused(name: str, out: str, *more: str) -> str:
    result = CliRunner().invoke(main, [*COMMANDS[name], out, *more])
    assert result.exit_code == 2, result.output
    lines = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1
    assert "Traceback" not in result.output
    return lines[0]


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("out", ["occupied", "occupied/below"])
@pytest.mark.usefixtures("folder")
def test_a_file_in_the_place_of_the_folder(name: str, out: str) -> None:
    Path("occupied").write_text("mine")
    assert "occupied: is a file, not a folder" in refused(name, out)
    assert Path("occupied").read_text() == "mine"


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.usefixtures("folder")
def test_a_folder_that_takes_no_files(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))

    monkeypatch.setattr(atomic, "replacing", refuse)
    assert "cannot be written into (Read-only file system)" in refused(name, "out")


@pytest.mark.parametrize("name", [n for n in RULED if n not in {"train", "recipe"}])  # no clips; no --overwrite
@pytest.mark.parametrize("more", [(), ("--overwrite",)], ids=["plain", "overwrite"])
@pytest.mark.usefixtures("folder")
def test_a_folder_of_other_things(name: str, more: tuple[str, ...]) -> None:
    Path("other").mkdir()
    Path("other/thesis.txt").write_text("precious")
    assert "other: holds other things (thesis.txt)" in refused(name, "other", *more)
    assert [p.name for p in Path("other").iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("prepare", ["--set", "duration_s=2"], "config.duration_s: 4.0 → 2.0"),
        ("sample", ["--set", "level=0.25"], "settings.level: not there → 0.25"),
        ("sample", ["--seed", "1"], "seed: 0 → 1"),
        ("evaluate", ["--seed", "1"], "seed: 0 → 1"),
        ("evaluate", ["--set", "encoders.audio_text=null"], "encoders.audio_text: toy-clap → null"),
        ("gap", ["--set", "mean_shift=false"], "mean_shift: true → false"),
        ("report", ["--title", "Other"], "title: Report → Other"),
        ("calibrate", ["--seed", "1"], "seed: 0 → 1"),
        ("bench", ["--calls", "2"], "calls: 1 → 2"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_the_same_command_again_is_answered_and_another_one_refused_until_told(
    name: str, change: list[str], said: str
) -> None:
    few = {"evaluate": ["n_bootstrap=20", "metrics=[fad]"], "gap": ["n_bootstrap=20"]}
    few["calibrate"] = ["n_bootstrap=20", "n_permutations=20", "truth_repeats=2"]
    quick = [part for item in few.get(name, []) for part in ("--set", item)]

    def code(*more: str) -> int:
        return CliRunner().invoke(main, [*COMMANDS[name], "out", *quick, *more]).exit_code

    assert code() == 0
    assert code() == 0
    assert said in refused(name, "out", *quick, *change)
    assert code() == 0
    assert code(*change, "--overwrite") == 0
    assert code(*change) == 0


@pytest.mark.usefixtures("folder")
def test_an_evaluation_of_other_files_is_another_one() -> None:
    asked = [*COMMANDS["evaluate"], "out", "--set", "n_bootstrap=20", "--set", "metrics=[fad]"]
    assert CliRunner().invoke(main, asked).exit_code == 0
    write_wav(Path("wavs/3.wav"), np.full(16000, 0.1, np.float32), 16000)
    result = CliRunner().invoke(main, asked)
    assert result.exit_code == 2
    assert "inputs.reference: 3 files, " in result.stderr
    assert " → 4 files, " in result.stderr


@pytest.mark.usefixtures("folder")
def test_a_disk_that_fills_up_ends_in_a_sentence_and_the_same_command_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    from clipsonic_eval.harness import sample_folder

    written: list[Path] = []

    def filling(path: Path, samples: np.ndarray, rate: int) -> None:
        if written:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        written.append(path)
        write_wav(path, samples, rate)

    with monkeypatch.context() as full:
        full.setattr(sample_folder, "write_wav", filling)
        assert "out/b.wav: the disk is full" in refused("sample", "out")
    result = CliRunner().invoke(main, [*COMMANDS["sample"], "out", "--json"])
    assert result.exit_code == 0
    assert '"samples": 2, "resumed": 1' in result.stdout


@pytest.mark.usefixtures("folder")
def test_every_skip_and_warning_is_told_once() -> None:
    Path("wavs/broken.wav").write_text("no sound")
    asked = ["evaluate", "--system", "a=wavs", "--reference", "wavs", "--out", "out", "--set", "n_bootstrap=20"]
    result = CliRunner().invoke(main, asked)
    assert result.exit_code == 3
    told = [line for line in result.stderr.splitlines() if "broken" in line or " rows for " in line]
    assert sorted(line.split(":")[0] for line in told) == [
        "skipped a",
        "skipped reference",
        "warning a",
        "warning reference",
    ]
    record = records.read(Path("out"))
    assert [skip.key for skip in record.skipped["a"]] == ["broken"]
    assert not any(score.skipped for score in record.scores)


@pytest.mark.usefixtures("folder")
def test_a_query_that_was_skipped_is_told_once() -> None:
    Path("mine.py").write_text(
        MINE.replace("np.float32)", "np.float32) if q.key == 'a' else np.zeros(0)").replace("_ in", "q in")
    )
    result = CliRunner().invoke(main, [*COMMANDS["sample"], "out"])
    assert result.exit_code == 3
    assert [line.split(":")[0] for line in result.stderr.splitlines() if "instead of" in line] == ["skipped b"]
