"""A file that is opened once gives what it gives when it is opened for each reading."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from clipsonic_eval.errors import MediaError
from clipsonic_eval.media._open import held_open
from clipsonic_eval.media.audio import read_audio
from clipsonic_eval.media.video import probe, read_frames

RATE, FPS, SECONDS = 16000, 10, 8
TIMES = [0.0, 0.35, 0.9, 1.0, 2.55, 7.75, 7.95]

# How the file is written: suffix, video codec, frames between key frames, B frames, first time stamps of the video (in
# frames) and of the audio (in samples), and options of the container.
SHAPES: dict[str, tuple[str, str, int, int, int, int, dict[str, str]]] = {
    "plain": ("mp4", "libx264", 12, 0, 0, 0, {}),
    "B frames": ("mp4", "libx264", 12, 2, 0, 0, {}),
    "every frame a key frame": ("mp4", "mpeg4", 1, 0, 0, 0, {}),
    "one key frame": ("mov", "mpeg4", 250, 0, 0, 0, {}),
    "index first": ("mp4", "libx264", 12, 2, 0, 0, {"movflags": "faststart"}),
    "late video": ("mp4", "libx264", 12, 2, 5, 0, {}),
    "late audio": ("mp4", "libx264", 12, 0, 0, 4000, {}),
    "starts before zero": ("mp4", "libx264", 12, 2, -7, -9000, {"avoid_negative_ts": "disabled"}),
    "B frames before zero": ("mp4", "libx264", 4, 2, -7, 0, {"avoid_negative_ts": "disabled"}),
    "starts at ten seconds": ("mp4", "libx264", 12, 2, 100, 160000, {"avoid_negative_ts": "disabled"}),
    "fragmented": ("mp4", "libx264", 12, 0, 0, 0, {"movflags": "frag_keyframe+empty_moov"}),
    "fragmented after an index": ("mp4", "libx264", 12, 2, 0, 0, {"movflags": "frag_keyframe"}),
    "no mp4": ("mkv", "mpeg4", 12, 0, 0, 0, {}),
}


def written(folder: Path, shape: str) -> Path:
    """Write a file of some seconds whose frames are all different, and whose sound is noise."""
    suffix, codec, gop, between, first, begin, options = SHAPES[shape]
    path, random = folder / f"one.{suffix}", np.random.default_rng(1)
    with av.open(str(path), "w", options=options) as out:
        video, audio = out.add_stream(codec, rate=FPS), out.add_stream("aac", rate=RATE, layout="mono")
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        video.codec_context.gop_size, video.codec_context.max_b_frames = gop, between
        packets: list[tuple[float, int, Any]] = []
        for k in [*range(FPS * SECONDS), None]:
            frame = None
            if k is not None:
                frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 3 * k, np.uint8), format="rgb24")
                frame.pts, frame.time_base = first + k, Fraction(1, FPS)
            packets += [(float(p.dts * p.time_base), 0, p) for p in video.encode(frame)]
        noise = random.uniform(-0.5, 0.5, (1, RATE * SECONDS)).astype(np.float32)
        for at in [*range(0, noise.shape[1], 1024), None]:
            sound = None
            if at is not None:
                sound = av.AudioFrame.from_ndarray(noise[:, at : at + 1024], format="fltp", layout="mono")
                sound.sample_rate, sound.pts, sound.time_base = RATE, begin + at, Fraction(1, RATE)
            packets += [(float(p.dts * p.time_base), 1, p) for p in audio.encode(sound)]
        for _, _, packet in sorted(packets, key=lambda one: one[:2]):
            out.mux(packet)
    return path


@pytest.fixture
def opens(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    seen: list[str] = []
    real = av.open

    def counted(file: str, *mode: str, **options: Any) -> Any:
        seen.append(file)
        return real(file, *mode, **options)

    monkeypatch.setattr(av, "open", counted)
    return seen


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("segment", [(0.0, 1.0), (0.0, None), (3.3, 1.7)], ids=["first", "whole", "middle"])
def test_audio_and_frames_are_those_of_two_openings(
    shape: str, segment: tuple[float, float | None], tmp_path: Path, opens: list[str]
) -> None:
    path = written(tmp_path, shape)
    start_s, duration_s = segment
    headers, sound = probe(path), read_audio(path, start_s=start_s, duration_s=duration_s)
    frames = read_frames(path, TIMES)
    opens.clear()
    with held_open(path):
        assert probe(path) == headers
        assert np.array_equal(read_audio(path, start_s=start_s, duration_s=duration_s).samples, sound.samples)
        assert np.array_equal(read_frames(path, TIMES), frames)
    assert len(opens) == (2 if shape in ("fragmented", "no mp4") else 1) or shape == "fragmented after an index"
    opens.clear()
    with held_open(path):
        assert np.array_equal(read_frames(path, TIMES), frames)
        assert np.array_equal(read_audio(path, start_s=start_s, duration_s=duration_s).samples, sound.samples)
        assert np.array_equal(read_frames(path, TIMES[2:]), frames[2:])
    assert len(opens) >= 2  # a decoder that has worked is not used again


def test_other_files_are_opened_as_ever(tmp_path: Path, opens: list[str]) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    one, other = written(tmp_path / "a", "plain"), written(tmp_path / "b", "B frames")
    opens.clear()
    with held_open(one):
        probe(one), probe(other), probe(one), probe(other)
    probe(one)
    assert opens == [str(one), str(other), str(other), str(one)]


def test_a_file_that_fails_fails_alike(tmp_path: Path, opens: list[str]) -> None:
    path = tmp_path / "no.mp4"
    path.write_text("no video")
    for _ in range(2):
        with held_open(path), pytest.raises(MediaError, match="not readable as media"):
            read_audio(path)
    assert len(opens) == 2
    with held_open(tmp_path / "gone.mp4"), pytest.raises(MediaError, match="no such file"):
        read_frames(tmp_path / "gone.mp4", [0.0])
