"""Videos and compressed audio as they are written: read back by soundfile and PyAV, and refused with the fix."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clipsonic_eval.errors import MediaError, ShapeError
from clipsonic_eval.media._riff import missing_bytes
from clipsonic_eval.media.audio import read_audio, write_wav
from clipsonic_eval.media.encode import write_audio, write_video
from clipsonic_eval.media.video import probe, read_frames

RATE = 16000
GREY = np.full((6, 32, 32, 3), 128, np.uint8)
TONE = (0.5 * np.sin(2 * np.pi * 500 * np.arange(RATE) / RATE)).astype(np.float32)
one_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=20)


def test_flac_holds_24_bits_of_every_channel(tmp_path: Path) -> None:
    stereo = np.stack([TONE, -0.25 * TONE])
    write_audio(tmp_path / "a.flac", stereo, RATE)
    found, rate = soundfile.read(tmp_path / "a.flac", dtype="float64")
    assert rate == RATE
    assert soundfile.info(tmp_path / "a.flac").subtype == "PCM_24"
    assert np.abs(found.T - stereo).max() <= 2.0**-23


@pytest.mark.parametrize(("asked", "written"), [(16000, 16000), (20000, 22050), (100, 8000), (192000, 96000)])
def test_a_rate_that_aac_does_not_take_becomes_the_next_one(tmp_path: Path, asked: int, written: int) -> None:
    write_audio(tmp_path / "a.m4a", TONE[:4000], asked)
    audio = probe(tmp_path / "a.m4a").audio
    assert audio is not None
    assert (audio.codec, audio.sample_rate, audio.channels) == ("aac", written, 1)
    assert audio.duration_s == pytest.approx(4000 / asked, abs=2e-3)


@pytest.mark.parametrize(
    ("name", "codecs", "container"),
    [
        ("a.mp4", ("h264", "aac"), "mp4"),
        ("a.mov", ("h264", "aac"), "mov"),
        ("a.mkv", ("h264", "aac"), "matroska"),
        ("a.webm", ("vp9", "opus"), "webm"),
        ("a.avi", ("mpeg4", "mp3float"), "avi"),
    ],
)
def test_the_suffix_chooses_container_and_codecs(
    tmp_path: Path, name: str, codecs: tuple[str, str], container: str
) -> None:
    write_video(tmp_path / name, GREY, 6, TONE, RATE)
    info = probe(tmp_path / name)
    assert container in info.container
    assert info.video is not None
    assert info.audio is not None
    assert (info.video.codec, info.audio.codec) == codecs
    assert (info.video.width, info.video.height, info.video.fps) == (32, 32, 6)


def test_codecs_may_be_named(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mkv", GREY, 6, TONE, RATE, codec="vp8", audio_codec="flac")
    info = probe(tmp_path / "a.mkv")
    assert info.video is not None
    assert info.audio is not None
    assert (info.video.codec, info.audio.codec) == ("vp8", "flac")
    np.testing.assert_allclose(read_audio(tmp_path / "a.mkv").samples[0], TONE, atol=2.0**-14)


def test_a_video_without_audio_says_so_when_its_audio_is_read(tmp_path: Path) -> None:
    write_video(tmp_path / "silent.mp4", GREY, 6)
    assert probe(tmp_path / "silent.mp4").audio is None
    with pytest.raises(MediaError, match=r"silent\.mp4: no audio track"):
        read_audio(tmp_path / "silent.mp4")


def test_audio_alone_has_no_frames(tmp_path: Path) -> None:
    write_audio(tmp_path / "a.m4a", TONE, RATE)
    with pytest.raises(MediaError, match=r"a\.m4a: no video track"):
        read_frames(tmp_path / "a.m4a", [0.0])
    assert read_frames(tmp_path / "gone.mp4", []) == []  # nothing is asked: nothing is opened


@pytest.mark.parametrize(("height", "width"), [(31, 32), (32, 33), (17, 19)])
def test_an_odd_last_row_or_column_is_repeated(tmp_path: Path, height: int, width: int) -> None:
    ramp = np.linspace(40, 200, width).astype(np.uint8)
    frames = np.broadcast_to(ramp[None, None, :, None], (3, height, width, 3)).copy()
    write_video(tmp_path / "a.mp4", frames, 5)
    (found,) = read_frames(tmp_path / "a.mp4", [0.0])
    assert found.shape == (height + height % 2, width + width % 2, 3)
    assert np.abs(found[:height, :width].astype(int) - frames[0]).max() < 25
    assert np.abs(found[:, -1].astype(int) - int(ramp[-1])).max() < 25


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "avi"])
def test_equal_frames_and_audio_make_equal_bytes(tmp_path: Path, suffix: str) -> None:
    first, second = (tmp_path / f"{name}.{suffix}" for name in "ab")
    for path in (first, second):
        write_video(path, GREY, 6, TONE, RATE)
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize(
    "frames",
    [GREY[0], GREY[..., :2], GREY[:0], GREY.astype(np.float32)],
    ids=["one-frame", "two-channels", "none", "floats"],
)
def test_frames_of_another_shape_or_type_are_refused(tmp_path: Path, frames: Any) -> None:
    with pytest.raises(ShapeError, match=r"a\.mp4: frames must be \(t, height, width, 3\) uint8 RGB, got "):
        write_video(tmp_path / "a.mp4", frames, 5)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "samples",
    [TONE.astype(np.float64), TONE[None, None], TONE[:0], np.zeros((9, 100), np.float32)],
    ids=["float64", "three-axes", "empty", "nine-channels"],
)
@pytest.mark.parametrize("name", ["a.flac", "a.ogg", "a.m4a", "a.webm"])
def test_samples_of_another_shape_or_type_are_refused(tmp_path: Path, name: str, samples: Any) -> None:
    with pytest.raises(ShapeError, match=rf"{name}: samples must be float32 \(n,\) or \(channels, n\), got "):
        write_audio(tmp_path / name, samples, RATE)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("rate", [None, 0, -1])
def test_samples_need_their_rate(tmp_path: Path, rate: int | None) -> None:
    with pytest.raises(ShapeError, match=rf"a\.mp4: samples need their rate in Hz, got {rate}"):
        write_video(tmp_path / "a.mp4", GREY, 5, TONE, rate)


def test_a_suffix_that_is_not_written_is_answered_with_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match=r"a\.gif: no container of that suffix is written; use one of \.mp4, \.mov"):
        write_video(tmp_path / "a.gif", GREY, 5)
    with pytest.raises(
        MediaError, match=r"a\.wav: audio is written to \.m4a, \.webm, \.ogg or \.flac \(wav: write_wav\)"
    ):
        write_audio(tmp_path / "a.wav", TONE, RATE)


def test_a_codec_that_does_not_exist_leaves_the_old_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"old")
    with pytest.raises(MediaError, match=r"a\.mp4: cannot be written with h266 .*; choose another codec"):
        write_video(path, GREY, 5, codec="h266")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_wav_is_the_one_that_soundfile_reads(tmp_path: Path) -> None:
    stereo = np.stack([TONE, 2 * TONE])  # above full scale: float wavs are not clipped
    write_wav(tmp_path / "a.wav", stereo, 22050)
    found, rate = soundfile.read(tmp_path / "a.wav", dtype="float32")
    assert rate == 22050
    np.testing.assert_array_equal(found.T, stereo)


def test_audio_whose_format_changes_on_the_way_is_refused(tmp_path: Path) -> None:
    """Two ADTS streams of different rates, one after the other: a player would change speed."""
    parts = []
    for rate in (16000, 32000):
        path = tmp_path / f"{rate}.aac"
        with av.open(str(path), "w", format="adts") as out:
            stream = out.add_stream("aac", rate=rate, layout="mono")
            frame = av.AudioFrame.from_ndarray(np.tile(TONE, 2)[None], format="fltp", layout="mono")
            frame.sample_rate, frame.pts = rate, 0
            out.mux(stream.encode(frame))
            out.mux(stream.encode(None))
        parts.append(path.read_bytes())
    (tmp_path / "both.aac").write_bytes(b"".join(parts))
    with pytest.raises(MediaError, match=r"both\.aac: rate or channels change at \d\.\d+ s; re-encode the file"):
        read_audio(tmp_path / "both.aac")


def riff(form: bytes, *chunks: tuple[bytes, int, bytes]) -> bytes:
    """A RIFF file of chunks (name, stated length, content); odd contents are padded as the format asks."""
    body = b"".join(name + struct.pack("<I", size) + data + b"\0" * (len(data) % 2) for name, size, data in chunks)
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + form + body


@one_folder
@given(notes=st.binary(max_size=9), n=st.integers(1, 50), cut=st.integers(0, 50))
def test_the_bytes_that_a_wav_lacks_are_counted_behind_any_other_chunk(
    tmp_path: Path, notes: bytes, n: int, cut: int
) -> None:
    whole = riff(b"WAVE", (b"LIST", len(notes), notes), (b"data", 2 * n, bytes(2 * n)))
    cut = min(cut, 2 * n)
    (tmp_path / "a.wav").write_bytes(whole[: len(whole) - cut])
    assert missing_bytes(tmp_path / "a.wav") == cut


@pytest.mark.parametrize("size", [0, 0xFFFF0000, 0xFFFFFFFF])
def test_sizes_that_a_stream_could_not_know_claim_nothing(tmp_path: Path, size: int) -> None:
    (tmp_path / "a.wav").write_bytes(riff(b"WAVE", (b"data", size, bytes(10))))
    assert missing_bytes(tmp_path / "a.wav") == 0


@pytest.mark.parametrize(
    ("content", "missing"),
    [
        (b"", 0),
        (b"RIFF\xff\0\0\0", 0),
        (b"OggS" + bytes(100), 0),
        (riff(b"WAVE", (b"fmt ", 4, bytes(4))), 0),
        (b"RIFF" + struct.pack("<I", 104) + b"AVI " + bytes(100), 0),
        (b"RIFF" + struct.pack("<I", 104) + b"AVI " + bytes(60), 40),
    ],
    ids=["empty", "header-cut", "ogg", "no-data", "avi", "avi-cut"],
)
def test_other_files_are_judged_by_their_outer_size_or_not_at_all(tmp_path: Path, content: bytes, missing: int) -> None:
    (tmp_path / "a").write_bytes(content)
    assert missing_bytes(tmp_path / "a") == missing
