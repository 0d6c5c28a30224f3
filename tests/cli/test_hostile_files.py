"""Pipes, devices, holes, bombs and nonsense among a user's files, as the commands meet them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import fake_encoders
import numpy as np
import pytest
from click.testing import CliRunner
from unit.media.hostile import holed

from clipsonic_eval import records
from clipsonic_eval.cli import main
from clipsonic_eval.encoders import ENCODERS
from clipsonic_eval.media.audio import write_wav


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    len(ENCODERS)  # scans the folder before ours comes in
    encoder = fake_encoders.FakeEncoder()
    monkeypatch.setitem(ENCODERS._items, "fa", lambda weights=None, *, device="cpu": encoder)
    for name, noise in (("real", 0.01), ("mine", 0.2)):
        for i, pitch in enumerate(np.geomspace(300, 5000, 6)):
            write_wav(tmp_path / name / f"q{i}.wav", fake_encoders.tone(pitch, seed=i, noise=noise), 16000)
        os.mkfifo(tmp_path / name / "pipe.wav")
        (tmp_path / name / "zero.wav").symlink_to("/dev/zero")
        holed(tmp_path / name / "hole.mkv", 36_000)
    return tmp_path


def run(*words: object) -> Any:
    return CliRunner().invoke(main, [str(word) for word in words])


def test_evaluate_lists_them_and_scores_the_rest(folders: Path) -> None:
    done = run(
        "evaluate", "--reference", folders / "real", "--system", f"mine={folders / 'mine'}", "--out", folders / "run",
        "--metric", "fad", "--encoder", "audio=fa", "--cache", folders / "cache",
        "--set", "n_bootstrap=20", "--set", "n_permutations=20",
    )  # fmt: skip
    assert done.exit_code == 3, done.output
    record = records.read(folders / "run")
    score = record.score("fad", "mine")
    assert score is not None
    assert score.n == 6
    for name in ("mine", "reference"):
        reasons = {skip.key: skip.reason for skip in record.skipped[name]}
        assert "a named pipe" in reasons["pipe"]
        assert "a device" in reasons["zero"]
        assert "a gap of 36000 s" in reasons["hole"]


def test_embed_lists_them_and_embeds_the_rest(folders: Path) -> None:
    done = run("embed", folders / "mine", "--encoder", "fa", "--cache", folders / "cache")
    assert done.exit_code == 3, done.output
    for words in ("a named pipe", "a device", "a gap of 36000 s"):
        assert words in done.stderr


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "is a folder where a file is needed"),
        ("trainer: clipsonic.training.audio:train\nclips: " + "[" * 20_000, "64 levels"),
        ("trainer: clipsonic.training.audio:train\nclips: c\ntrain: {learning_rate: .nan}", "finite number, got nan"),
        ("trainer: clipsonic.training.audio:train\nclips: c\ntrain: {max_minutes: .inf}", "finite number, got inf"),
        ("trainer: clipsonic.training.audio:train\nclips: c\ntrain: {steps: " + "9" * 400 + "}", "64 bits"),
        ("trainer: clipsonic.training.audio:train\nclips: c\nclips: d", "key 'clips' stands twice"),
    ],
)
def test_settings_that_cannot_be_meant_are_one_sentence(tmp_path: Path, text: str | None, words: str) -> None:
    path = tmp_path / "a.yaml"
    if text is None:
        path.mkdir()
    else:
        path.write_text(text)
    done = run("train", path, "--out", tmp_path / "model")
    assert done.exit_code == 2
    assert words in done.stderr
    assert "Traceback" not in done.output
    assert not (tmp_path / "model").exists()


def test_a_pipe_for_a_record_or_for_features_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    os.mkfifo(tmp_path / "run" / "record.json")
    done = run("report", tmp_path / "run", "--out", tmp_path / "report")
    assert done.exit_code == 2
    assert "a named pipe" in done.stderr
    os.mkfifo(tmp_path / "features.npz")
    done = run("gap", tmp_path / "features.npz", "--out", tmp_path / "gap")
    assert done.exit_code == 2
    assert "features.npz: neither prepared clips, nor a file of features" in done.stderr
