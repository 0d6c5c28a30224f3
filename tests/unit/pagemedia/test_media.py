from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from listen_study import RATE, tone
from PIL import Image

from clipsonic_eval.media.audio import mono_at, read_audio
from clipsonic_eval.media.video import probe
from clipsonic_eval.pagemedia import media
from clipsonic_eval.types import Clip


def clip(hz: float = 440.0, seconds: float = 1.0) -> Clip:
    return Clip("k", tone(hz, seconds)[None], RATE)


@pytest.mark.parametrize(("codec", "name"), [("aac", "aac"), ("opus", "opus")])
def test_a_sound_decodes_to_what_it_was(tmp_path: Path, codec: str, name: str) -> None:
    path = tmp_path / f"a{media.SUFFIXES[codec]}"
    path.write_bytes(media.sound(clip(), codec))
    audio = probe(path).audio
    assert audio is not None
    assert name in audio.codec
    back = mono_at(read_audio(path), RATE)  # Opus always decodes to 48 kHz
    assert 0.98 * RATE <= len(back) <= 1.02 * RATE
    inner = tone(440.0, 1.0)[RATE // 8 : -RATE // 8]
    match = np.correlate(back, inner, "valid").max() / np.sum(inner**2)  # Opus may come some milliseconds late
    assert match == pytest.approx(1.0, abs=0.02)


def test_a_sound_is_a_small_part_of_its_wav() -> None:
    assert len(media.sound(clip(seconds=4.0), "aac")) < 4 * RATE * 2 / 3


def test_a_spectrogram_has_low_notes_below() -> None:
    mel = media.levels(clip(hz=150.0))
    pixels = np.asarray(Image.open(io.BytesIO(media.spectrogram(mel, float(mel.max())))).convert("L"), float)
    assert pixels.shape == (64, mel.shape[1])
    assert pixels[48:].mean() > 3 * pixels[:32].mean()


def test_a_louder_sound_is_brighter_at_the_same_top() -> None:
    loud, soft = (media.levels(Clip("k", (gain * tone(440.0, 0.5))[None], RATE)) for gain in (1.0, 0.1))
    images = [media.spectrogram(mel, float(loud.max())) for mel in (loud, soft)]
    bright = [np.asarray(Image.open(io.BytesIO(image)).convert("L"), float).mean() for image in images]
    assert bright[0] > bright[1]


def test_silence_is_black() -> None:
    mel = media.levels(Clip("k", np.zeros((1, RATE), np.float32), RATE))
    pixels = np.asarray(Image.open(io.BytesIO(media.spectrogram(mel, 0.0))).convert("L"))
    assert pixels.max() < 20


def test_a_picture_keeps_its_shape_and_gets_small(tmp_path: Path) -> None:
    Image.fromarray(np.full((600, 900, 3), 90, np.uint8)).save(tmp_path / "a.png")
    assert Image.open(io.BytesIO(media.picture(tmp_path / "a.png"))).size == (160, 107)
