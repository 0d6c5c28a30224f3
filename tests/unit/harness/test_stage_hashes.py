"""A record says what each stage made: wavs, embeddings; one that moves changes its own hash and none before it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from fake_encoders import encoders, tone

import clipsonic_eval as ce
from clipsonic_eval import records
from clipsonic_eval.harness.evaluate import EvaluateConfig, evaluate
from clipsonic_eval.media.audio import write_wav
from clipsonic_eval.records import RunRecord
from clipsonic_eval.types import Embeddings, EncoderCard

PITCHES = np.geomspace(300, 5000, 8)


@pytest.fixture
def world(tmp_path: Path) -> Path:
    for name, noise in (("reference", 0.01), ("a", 0.02), ("b", 0.02)):
        for i, pitch in enumerate(PITCHES):
            write_wav(tmp_path / name / f"q{i}.wav", tone(pitch, seed=i, noise=noise), 16000)
    rows = [f"q{i},tone {p},low\n" for i, p in enumerate(PITCHES)]
    (tmp_path / "prompts.csv").write_text("key,prompt,label\n" + "".join(rows))
    return tmp_path


def run(world: Path, mix: float = 1.0) -> RunRecord:
    heard = encoders()
    heard["audio"]._mix *= mix  # type: ignore[attr-defined]
    config = EvaluateConfig(
        systems={"a": world / "a", "b": world / "b"},
        reference=world / "reference",
        prompts=world / "prompts.csv",
        n_bootstrap=40,
        n_permutations=40,
        cache=world / f"cache-{mix}",
    )
    return evaluate(config, world / "run", encoders=heard, overwrite=True)


def test_every_set_has_a_hash_of_its_wavs_and_of_each_embedding(world: Path) -> None:
    hashes = run(world).hashes
    assert set(hashes) == {"a", "b", "reference", "prompts"}
    assert {"wavs", "embeddings/audio", "embeddings/audio_text"} <= set(hashes["a"])
    assert set(hashes["prompts"]) == {"embeddings/audio_text"}
    assert hashes["a"] == hashes["b"]  # equal files under equal keys
    assert hashes["a"]["wavs"] != hashes["reference"]["wavs"]


def test_the_hashes_are_the_same_from_the_cache_and_from_the_file(world: Path) -> None:
    first = run(world)
    assert run(world).hashes == first.hashes == records.read(world / "run").hashes


def test_another_wav_moves_the_hashes_of_its_system_alone(world: Path) -> None:
    before = run(world).hashes
    write_wav(world / "b" / "q3.wav", tone(440.0), 16000)
    after = run(world).hashes
    assert {name for name in before if before[name] != after[name]} == {"b"}
    assert all(before["b"][stage] != after["b"][stage] for stage in before["b"])


def test_another_encoder_moves_its_embeddings_and_leaves_the_wavs(world: Path) -> None:
    before, after = run(world).hashes, run(world, mix=1.001).hashes
    assert {stage for stage in before["a"] if before["a"][stage] != after["a"][stage]} == {"embeddings/audio"}


def test_embeddings_in_memory_are_hashed_too() -> None:
    vectors = np.random.default_rng(0).standard_normal((3, 20, 4))
    record = ce.evaluate({"a": vectors[0], "b": vectors[1]}, reference=vectors[2], metrics="fad")
    assert set(record.hashes) == {"a", "b", "reference"}
    assert record.hashes["a"] != record.hashes["b"]


def test_a_hash_of_embeddings_covers_keys_numbers_and_their_type() -> None:
    card = EncoderCard("e", "", 2, ("audio",), "")
    one = Embeddings(np.eye(2, dtype=np.float32), ("a", "b"), "audio", card)
    assert one.sha256 == Embeddings(np.asfortranarray(np.eye(2, dtype=np.float32)), ("a", "b"), "audio", card).sha256
    assert one.sha256 != Embeddings(one.vectors, ("a", "c"), "audio", card).sha256
    assert one.sha256 != Embeddings(np.nextafter(one.vectors, 2), ("a", "b"), "audio", card).sha256
    assert one.sha256 != Embeddings(one.vectors.astype(np.float64), ("a", "b"), "audio", card).sha256


def test_a_record_from_before_has_none(world: Path) -> None:
    run(world)
    file = world / "run" / "record.json"
    kept = {name: value for name, value in json.loads(file.read_text()).items() if name not in ("hashes", "sha256")}
    file.write_text(json.dumps(kept))
    assert records.read(world / "run").hashes == {}
