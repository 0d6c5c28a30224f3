"""Control systems: shuffled prompts, noise at the level of the reference, two halves of the reference."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from fake_encoders import FakeEncoder, tone
from hypothesis import given, settings
from hypothesis import strategies as st

from clipsonic_eval.errors import UserError
from clipsonic_eval.harness.audio_sets import reference_set
from clipsonic_eval.harness.controls import derangement, halves, with_shuffled_keys, write_noise
from clipsonic_eval.media.audio import read_audio, write_wav
from clipsonic_eval.types import Embeddings

KEYS = st.lists(st.text("abcdef", min_size=1, max_size=4), min_size=2, max_size=12, unique=True)


def embeddings(keys: list[str], rows: int = 1) -> Embeddings:
    of_row = tuple(key for key in keys for _ in range(rows))
    return Embeddings(np.arange(3 * len(of_row), dtype=float).reshape(-1, 3), of_row, "audio", FakeEncoder().card)


@given(KEYS, st.integers(0, 10))
@settings(max_examples=50, deadline=None)
def test_no_query_keeps_its_own_prompt_whatever_the_order_of_the_keys(keys: list[str], seed: int) -> None:
    dealt = derangement(keys, seed)
    assert sorted(dealt) == sorted(dealt.values()) == sorted(keys)
    assert all(key != other for key, other in dealt.items())
    assert derangement(keys[::-1], seed) == dealt


@given(KEYS, st.integers(0, 10))
@settings(max_examples=30, deadline=None)
def test_shuffled_audio_has_the_same_rows_and_keeps_the_rows_of_a_clip_together(keys: list[str], seed: int) -> None:
    real = embeddings(keys, rows=2)
    shuffled = with_shuffled_keys(real, seed)
    assert np.array_equal(shuffled.vectors, real.vectors)
    assert shuffled.keys[::2] == shuffled.keys[1::2]
    assert sorted(shuffled.keys) == sorted(real.keys)


def test_shuffling_needs_real_audio_of_two_queries() -> None:
    with pytest.raises(UserError, match="control 'shuffled' needs the queries' own audio; give --real FOLDER"):
        with_shuffled_keys(None, 0)
    with pytest.raises(UserError, match="at least two queries"):
        with_shuffled_keys(embeddings(["a"]), 0)


@given(st.integers(4, 15), st.integers(0, 10))
@settings(max_examples=30, deadline=None)
def test_halves_share_no_clip_and_together_are_the_reference(n: int, seed: int) -> None:
    reference = embeddings([f"k{i:02d}" for i in range(n)], rows=2)
    first, second = halves(reference, seed)
    assert not set(first.keys) & set(second.keys)
    assert sorted(first.keys + second.keys) == sorted(reference.keys)
    assert len(set(first.keys)) == n // 2


def test_fewer_than_four_clips_have_no_halves() -> None:
    with pytest.raises(UserError, match="at least 4 clips, got 3"):
        halves(embeddings(["a", "b", "c"]), 0)


@pytest.fixture
def reference(tmp_path: Path) -> Path:
    for i in range(5):
        write_wav(tmp_path / "reference" / f"r{i}.wav", 0.5 * tone(300 + 100 * i, seed=i), 16000)
    write_wav(tmp_path / "reference" / "silent.wav", np.zeros(900, np.float32), 16000)
    (tmp_path / "reference" / "broken.wav").write_text("no audio")
    return tmp_path / "reference"


def test_noise_has_level_length_and_rate_of_the_usable_reference_clips(reference: Path, tmp_path: Path) -> None:
    folder = write_noise(["a", "b"], reference_set(reference), tmp_path / "noise", 0)
    clips = [read_audio(folder / f"{key}.wav", key=key) for key in ("a", "b")]
    expected = np.sqrt(np.mean(np.square(0.5 * tone(300))))
    for clip in clips:
        assert clip.sample_rate == 16000
        assert clip.samples.shape == (1, 4000)
        assert np.sqrt(np.mean(clip.samples**2)) == pytest.approx(expected, rel=0.1)
    assert not np.array_equal(clips[0].samples, clips[1].samples)


def test_noise_that_is_there_is_kept_and_made_again_for_another_seed(reference: Path, tmp_path: Path) -> None:
    audio, folder = reference_set(reference), tmp_path / "noise"
    write_noise(["a"], audio, folder, 0)
    before = (folder / "a.wav").read_bytes()
    write_noise(["a", "b"], audio, folder, 0)
    assert (folder / "a.wav").read_bytes() == before
    write_noise(["a"], audio, folder, 1)
    assert (folder / "a.wav").read_bytes() != before


def test_a_reference_without_sound_gives_no_noise(tmp_path: Path) -> None:
    write_wav(tmp_path / "silent" / "a.wav", np.zeros(900, np.float32), 16000)
    with pytest.raises(UserError, match="noise takes its level from the reference, which has no clip with any sound"):
        write_noise(["a"], reference_set(tmp_path / "silent"), tmp_path / "noise", 0)
