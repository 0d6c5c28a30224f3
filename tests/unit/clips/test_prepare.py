from __future__ import annotations

import csv
import dataclasses
from pathlib import Path

import numpy as np
import pytest

from clipsonic_eval.clips import ClipStore, PrepareConfig, Source, prepare
from clipsonic_eval.errors import UserError
from clipsonic_eval.media.audio import read_audio, resample, write_wav
from clipsonic_eval.media.encode import write_video
from clipsonic_eval.media.video import centre_frame

RATE = 16000


def tone(hz: float, seconds: float = 1.0) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * hz * np.arange(int(RATE * seconds)) / RATE)).astype(np.float32)


def film(path: Path, hz: float = 440.0) -> None:
    frames = np.stack([np.full((64, 64, 3), 40 * k, np.uint8) for k in range(5)])
    write_video(path, frames, 5, tone(hz), RATE)


SETTINGS = PrepareConfig(duration_s=0.5, image_encoder="toy-clip", shard_size=2, workers=0)


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "webm", "mov", "avi"])
def test_the_tone_and_the_centre_picture_come_back_from_any_container(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    film(path, 1000.0)
    clip = read_audio(path)
    spectrum = np.abs(np.fft.rfft(clip.mono()))
    peak = np.argmax(spectrum) * clip.sample_rate / len(clip.mono())
    assert abs(peak - 1000.0) < 5
    assert abs(float(centre_frame(path).mean()) - 80) < 8


def test_resampling_keeps_a_tone_and_its_level() -> None:
    high = np.sin(2 * np.pi * 1000 * np.arange(48000) / 48000).astype(np.float32)[None]
    low = resample(high, 48000, RATE)[0]
    expected = np.sin(2 * np.pi * 1000 * np.arange(RATE) / RATE)
    np.testing.assert_allclose(low[500:-500], expected[500:-500], atol=1e-3)


def test_files_that_cannot_be_used_are_listed_and_the_rest_goes_on(tmp_path: Path) -> None:
    folder = tmp_path / "videos"
    folder.mkdir()
    film(folder / "good.mp4")
    (folder / "text.mp4").write_text("no video at all")
    (folder / "cut.mp4").write_bytes((folder / "good.mp4").read_bytes()[:1500])
    frames = np.zeros((5, 64, 64, 3), np.uint8)
    write_video(folder / "mute.mp4", frames, 5, None, RATE)
    write_video(folder / "silent.mp4", frames, 5, np.zeros(RATE, np.float32), RATE)
    done = prepare(Source(folder), tmp_path / "clips", SETTINGS)
    assert done.n_clips == 1
    assert {key for key, _, _ in done.skipped} == {"text", "cut", "mute", "silent"}
    assert all(reason for _, _, reason in done.skipped)


def test_a_stopped_preparation_ends_with_the_same_clips(tmp_path: Path) -> None:
    folder = tmp_path / "videos"
    folder.mkdir()
    for k in range(5):
        film(folder / f"v{k}.mp4", 300.0 + 100 * k)
    whole = prepare(Source(folder), tmp_path / "whole", SETTINGS)

    class Stop(Exception):  # noqa: N818
        pass

    class Stopping:
        def track(self, items, *, label, total=None, done=0):  # type: ignore[no-untyped-def]
            for number, item in enumerate(items):
                if number == 3:
                    raise Stop
                yield item

        def note(self, text: str) -> None:
            pass

    with pytest.raises(Stop):
        prepare(Source(folder), tmp_path / "parts", SETTINGS, progress=Stopping())  # type: ignore[arg-type]
    again = prepare(Source(folder), tmp_path / "parts", SETTINGS)
    assert again.content_hash == whole.content_hash
    store = ClipStore.open(tmp_path / "parts")
    assert store.keys == tuple(f"v{k}" for k in range(5))
    assert store.audio(np.arange(5)).shape == (5, RATE // 2)


def test_an_empty_folder_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=str(tmp_path)):
        prepare(Source(tmp_path), tmp_path / "clips", SETTINGS)


def test_what_is_in_another_unit_is_skipped_and_what_looks_wrong_is_said(tmp_path: Path) -> None:
    folder = tmp_path / "sounds"
    loud = np.clip(3 * tone(300), -1, 1).astype(np.float32)
    sounds = {
        "clipped": loud,
        "good": tone(440),
        "huge": np.float32(1e30) * tone(440),
        "integers": np.rint(32767 * tone(440)).astype(np.float32),
        "offset": tone(500) + np.float32(0.2),
        "silent": np.float32(1e-5) * tone(440),
    }
    for name, samples in sounds.items():
        write_wav(folder / f"{name}.wav", samples, RATE)
    write_wav(folder / "low.wav", tone(440)[::2].copy(), RATE // 2)
    (folder / "twin.wav").write_bytes((folder / "good.wav").read_bytes())
    done = prepare(Source(folder), tmp_path / "clips", dataclasses.replace(SETTINGS, image_encoder=None))
    skipped = {key: reason for key, _, reason in done.skipped}
    assert set(skipped) == {"huge", "integers", "silent"}
    assert "in another unit" in skipped["huge"]
    assert "divide its samples by 32768" in skipped["integers"]
    found = {f.check: f.keys for f in done.findings}
    assert found == {"clipping": ("clipped",), "dc": ("offset",), "rate": ("low",), "duplicates": ("twin",)}
    with (tmp_path / "clips" / "findings.csv").open(newline="") as stream:
        assert {(row["check"], row["key"]) for row in csv.DictReader(stream)} == {(c, k[0]) for c, k in found.items()}
    counts = {"clipping": 1, "dc": 1, "rate": 1, "duplicates": 1}
    assert ClipStore.open(tmp_path / "clips").info["findings"] == counts  # which `train` says
    again = prepare(Source(folder), tmp_path / "clips", dataclasses.replace(SETTINGS, image_encoder=None))
    assert again.findings == done.findings  # also where nothing is left to do
