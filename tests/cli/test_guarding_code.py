"""Sampled and evaluated again under other code: the gate says that nothing moved, or which stage did."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import fake_encoders
import pytest
from click.testing import CliRunner

from clipsonic_eval.cli import main
from clipsonic_eval.encoders import ENCODERS
from clipsonic_eval.media.audio import write_wav

N = 12
_SYSTEM = """
import os
import numpy as np
class Mine:
    name, sample_rate = "mine", 16000
    def card(self):
        return {"weights_sha256": "0" * 64}
    def generate(self, queries, seeds):
        gain = float(os.environ.get("GAIN", "0.5"))  # stands for a library that the card does not name
        return [gain * np.random.default_rng(s).standard_normal(4000).astype(np.float32) / 4 for s in seeds]
"""


@pytest.fixture(autouse=True)
def heard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> fake_encoders.FakeEncoder:
    """A system, a reference, and an encoder ``fa`` that a test may change."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    len(ENCODERS)  # scans the package before ours comes in
    encoder = fake_encoders.FakeEncoder()
    monkeypatch.setitem(ENCODERS._items, "fa", lambda weights=None, *, device="cpu": encoder)
    keys = [f"q{i:02d}" for i in range(N)]
    for i, key in enumerate(keys):
        write_wav(Path("real") / f"{key}.wav", fake_encoders.tone(300 * (i + 1), i, 0.01), fake_encoders.RATE)
    Path("q.csv").write_text("key,prompt\n" + "".join(f"{key},a tone\n" for key in keys))
    Path("mine.py").write_text(_SYSTEM)
    return encoder


def call(*words: str) -> Any:
    return CliRunner().invoke(main, words)


def made(name: str) -> str:
    """Sample and evaluate; return the run folder."""
    done = call("sample", "mine.py:Mine", "--queries", "q.csv", "--name", "mine", "--out", f"wavs-{name}")
    assert done.exit_code == 0, done.output
    words = ["--metric", "kad", "--set", "n_bootstrap=20", "--cache", f"cache-{name}", "--out", f"run-{name}"]
    done = call("evaluate", "--system", f"mine=wavs-{name}", "--reference", "real", "--encoder", "audio=fa", *words)
    assert done.exit_code == 0, done.output
    return f"run-{name}"


def judged(old: str, new: str) -> tuple[int, str]:
    done = call("compare", old, new, "--limit", "kad<+5%|+0.1", "--json")
    (verdict,) = json.loads(done.stdout)["verdicts"]
    assert verdict["question"] == "same weights"
    return done.exit_code, verdict["sentence"]


def test_the_same_code_gives_the_same_numbers() -> None:
    assert judged(made("a"), made("b")) == (0, "kad of 'mine' is equal to 1e-06 of its value")


def test_a_library_that_changes_the_audio_is_found_in_the_wavs(monkeypatch: pytest.MonkeyPatch) -> None:
    old = made("a")
    monkeypatch.setenv("GAIN", "0.4")
    code, said = judged(old, made("b"))
    assert code == 1
    assert "it is the system's sampling that moved" in said


def test_an_encoder_that_hears_otherwise_is_found_in_the_embeddings(heard: fake_encoders.FakeEncoder) -> None:
    old = made("a")
    heard._mix *= 1 + 1e-4 * (heard._mix > 0)
    code, said = judged(old, made("b"))
    assert code == 1
    assert "the wavs are equal and the embeddings (audio) differ, so it is the encoder that moved" in said
