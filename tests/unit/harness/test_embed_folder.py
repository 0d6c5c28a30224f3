"""A folder of audio becomes embeddings in one call, and an evaluation writes nothing where no folder is named."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from fake_encoders import FakeClasses, FakeEncoder, encoders, tone

from clipsonic_eval.errors import UserError
from clipsonic_eval.harness.embed_folder import embed_folder, embed_prompts
from clipsonic_eval.harness.evaluate import EvaluateConfig, evaluate
from clipsonic_eval.harness.resolve import load_encoder
from clipsonic_eval.media.audio import write_wav
from clipsonic_eval.types import Skip


@pytest.fixture
def wavs(tmp_path: Path) -> Path:
    for i in range(5):
        write_wav(tmp_path / "wavs" / f"q{i}.wav", tone(300 + 200 * i, seed=i), 16000)
    return tmp_path / "wavs"


def test_a_folder_becomes_one_row_per_clip_sorted_by_key(wavs: Path, tmp_path: Path) -> None:
    encoder = FakeEncoder()
    found = embed_folder(wavs, encoder, cache=tmp_path / "cache")
    assert found.keys == ("q0", "q1", "q2", "q3", "q4")
    assert found.vectors.dtype == np.float32
    assert found.space == encoder.card
    again = embed_folder(str(wavs), encoder, cache=str(tmp_path / "cache"))
    assert np.array_equal(again.vectors, found.vectors)
    assert encoder.heard == 5  # the second call found everything in the cache


def test_an_encoder_with_windows_gives_several_rows_per_clip(wavs: Path, tmp_path: Path) -> None:
    assert embed_folder(wavs, FakeClasses(), cache=tmp_path / "cache").keys[:3] == ("q0", "q0", "q1")


def test_clips_that_cannot_be_embedded_are_returned_or_warned_of(wavs: Path, tmp_path: Path) -> None:
    (wavs / "q2.wav").write_text("no audio")
    skipped: list[Skip] = []
    found = embed_folder(wavs, FakeEncoder(), cache=tmp_path / "cache", skipped=skipped)
    assert found.keys == ("q0", "q1", "q3", "q4")
    assert [skip.key for skip in skipped] == ["q2"]
    with pytest.warns(UserWarning, match="wavs: 1 clips skipped, the first: q2: "):
        embed_folder(wavs, FakeEncoder(), cache=tmp_path / "cache")


def test_keys_select_the_clips_of_the_queries(wavs: Path, tmp_path: Path) -> None:
    skipped: list[Skip] = []
    found = embed_folder(wavs, FakeEncoder(), keys=["q1", "q9"], cache=tmp_path / "cache", skipped=skipped)
    assert found.keys == ("q1",)
    assert {skip.key: skip.reason.partition(":")[0] for skip in skipped}["q9"] == "missing"


def test_the_keys_of_a_system_are_those_of_its_samples_csv(wavs: Path, tmp_path: Path) -> None:
    with (wavs / "samples.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows(
            [["key", "file", "prompt"], *([f"k{i}", f"q{i}.wav", "tone 300"] for i in range(5))]
        )
    assert embed_folder(wavs, FakeEncoder(), cache=tmp_path / "cache").keys == ("k0", "k1", "k2", "k3", "k4")


def test_folders_and_encoders_that_are_not_there_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nowhere: no such folder"):
        embed_folder(tmp_path / "nowhere", FakeEncoder(), cache=tmp_path / "cache")
    with pytest.raises(UserError, match="unknown encoder 'vgish'"):
        load_encoder("vgish")


def test_prompts_become_a_row_per_caption(tmp_path: Path) -> None:
    encoder = FakeEncoder()
    given = embed_prompts({"b": "tone 500", "a": "tone 300"}, encoder)
    assert given.keys == ("a", "b")
    (tmp_path / "p.csv").write_text("key,prompt\nb,tone 500\na,tone 300\na,tone 310\n")
    read = embed_prompts(tmp_path / "p.csv", encoder)
    assert read.keys == ("a", "a", "b")
    assert np.array_equal(read.vectors[[0, 2]], given.vectors)
    with pytest.raises(UserError, match="no prompts"):
        embed_prompts({}, encoder)


def test_an_evaluation_without_a_folder_gives_the_same_record_and_writes_nothing(
    wavs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "empty"
    place.mkdir()
    monkeypatch.chdir(place)
    config = EvaluateConfig(
        systems={"A": str(wavs)},  # type: ignore[dict-item]
        reference=str(wavs),  # type: ignore[arg-type]
        metrics=["fad", "kad"],  # type: ignore[arg-type]
        controls=["noise"],  # type: ignore[arg-type]
        cache=str(tmp_path / "cache"),  # type: ignore[arg-type]
        n_bootstrap=20,
        n_permutations=20,
    )
    assert config.reference == wavs
    assert config.metrics == ("fad", "kad")
    silent = evaluate(config, None, encoders=encoders())
    written = evaluate(config, tmp_path / "run", encoders=encoders())
    assert silent.scores == written.scores
    assert silent.comparisons == written.comparisons
    assert silent.findings == written.findings
    assert {score.system for score in silent.scores} == {"A", "noise"}
    assert list(place.iterdir()) == []
