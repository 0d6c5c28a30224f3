"""Properties of scenes, captions, frames and sounds of the toy world, on random streams."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clipsonic_eval import filenames
from clipsonic_eval.checks.evaluation import check_world
from clipsonic_eval.files import write_json
from clipsonic_eval.seeds import stream
from clipsonic_eval.toyworld import RATE, SAMPLES, SOURCES, Scene, caption, render_frames, render_sound, sample_scene
from clipsonic_eval.toyworld.captions import NOUNS, VERBS, size_words
from clipsonic_eval.toyworld.mark import world_of
from clipsonic_eval.toyworld.scene import COLOURS, DISTRACTORS, PLACES, STYLES, WEATHER
from clipsonic_eval.types import EncoderCard

keys = st.integers(0, 10**6).map(str)
domains = st.sampled_from(["web", "video"])


def scene(key: str, domain: Any = "video") -> Scene:
    return sample_scene(stream(0, key, "scene"), domain)


@settings(deadline=None)
@given(key=keys, domain=domains)
def test_a_scenes_attributes_come_from_their_lists(key: str, domain: Any) -> None:
    found = scene(key, domain)
    assert found.source in SOURCES
    assert found.label == SOURCES.index(found.source)
    assert 0 <= found.size <= 1
    assert found.count in (1, 2, 3)
    assert found.colour in COLOURS
    assert found.distractor_colour in COLOURS
    assert found.place in PLACES
    assert found.weather in WEATHER
    assert found.style in STYLES
    assert found.distractor is None or found.distractor in DISTRACTORS
    assert -1 <= found.x <= 1
    assert -1 <= found.y <= 1


@settings(deadline=None)
@given(key=keys, domain=domains, style=st.sampled_from(["full", "audio"]))
def test_a_caption_is_one_line_that_names_the_source(key: str, domain: Any, style: Any) -> None:
    found = scene(key, domain)
    text = caption(found, stream(0, key, "caption"), style=style)
    assert text == " ".join(text.split())
    assert any(word in text.split() for pair in NOUNS[found.source] for word in pair)
    assert " a a" not in f" {text}"
    assert not any(f" a {vowel}" in f" {text}" for vowel in "aeiou")


def test_every_source_has_words_of_its_own() -> None:
    assert set(NOUNS) == set(VERBS) == set(SOURCES)


@given(size=st.floats(0, 0.33) | st.floats(0.34, 0.66) | st.floats(0.67, 1))
def test_sizes_have_words_in_order(size: float) -> None:
    words = size_words(size)
    assert ("small" in words) == (size < 1 / 3)
    assert ("big" in words) == (size >= 2 / 3)


@settings(deadline=None, max_examples=25)
@given(key=keys)
def test_sounds_use_their_range_and_are_never_silent(key: str) -> None:
    wave = render_sound(scene(key), stream(0, key, "sound"))
    assert wave.shape == (SAMPLES,)
    assert wave.dtype == np.float32
    peak = float(np.abs(wave).max())
    assert 0.49 <= peak <= 0.91
    assert round(0.96 * RATE) == SAMPLES


@settings(deadline=None, max_examples=25)
@given(key=keys)
def test_a_sound_does_not_depend_on_what_is_only_seen(key: str) -> None:
    found = scene(key)
    other = dataclasses.replace(
        found, colour="pink", place="snow", weather="night", distractor="flag", x=0.5, rotation=0.3
    )
    a, b = (render_sound(one, stream(0, key, "sound")) for one in (found, other))
    np.testing.assert_array_equal(a, b)


@settings(deadline=None, max_examples=10)
@given(key=keys, domain=domains, n=st.integers(1, 3), size=st.sampled_from([32, 64]))
def test_frames_have_their_shape_and_show_something(key: str, domain: Any, n: int, size: int) -> None:
    frames = render_frames(scene(key, domain), stream(0, key, "frames"), n, size)
    assert frames.shape == (n, size, size, 3)
    assert frames.dtype == np.uint8
    assert frames.std() > 5


@pytest.mark.parametrize("place", [".", "videos", "videos/deep"])
def test_the_mark_of_a_world_is_seen_from_its_parts(tmp_path: Path, place: str) -> None:
    (tmp_path / place).mkdir(parents=True, exist_ok=True)
    assert world_of(tmp_path / place) == ""
    write_json(tmp_path / filenames.WORLD, {"config_hash": "0"})
    assert world_of(tmp_path / place) == "toy"


def test_prepared_clips_keep_the_mark_of_their_source(tmp_path: Path) -> None:
    write_json(tmp_path / filenames.CLIPS, {"world": "toy"})
    assert world_of(tmp_path) == "toy"
    write_json(tmp_path / filenames.CLIPS, {})
    assert world_of(tmp_path) == ""
    (tmp_path / filenames.CLIPS).write_text("no json")
    assert world_of(tmp_path) == ""


def test_an_encoder_of_the_toy_world_is_a_finding_elsewhere_alone(tmp_path: Path) -> None:
    toy = EncoderCard("toy-clip", "0" * 64, 2, ("image",), "", world="toy")
    real = EncoderCard("clip", "1" * 64, 2, ("image",), "")
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    for folder in (ours, theirs):
        folder.mkdir()
    write_json(ours / filenames.WORLD, {"config_hash": "0"})
    assert check_world([toy, real], [ours]) == []
    assert check_world([toy, real], [theirs, ours]) == []
    assert check_world([real], [theirs]) == []
    (finding,) = check_world([toy, real, toy], [theirs])
    assert (finding.severity, finding.check) == ("error", "world")
    assert finding.sentence.startswith("toy-clip: ")
