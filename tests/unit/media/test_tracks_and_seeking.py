"""Which track of a file counts, tracks that hold nothing, and frames far away in files with few key frames."""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.stream import Disposition
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from clipsonic_eval.errors import MediaError
from clipsonic_eval.media.audio import read_audio
from clipsonic_eval.media.encode import write_video
from clipsonic_eval.media.video import (
    centre_frame,
    opened_image,
    probe,
    query_image,
    read_frames,
    read_image,
    video_length_s,
)

RATE, FPS = 16000, 2
one_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=10)


def tone(hertz: float, seconds: float = 1.0) -> np.ndarray:
    return (8000 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * RATE)) / RATE)).astype(np.int16)


def add_audio(container: Any, samples: np.ndarray | None, **options: Any) -> tuple[Any, Any]:
    """Add a pcm track; its samples are returned as a frame, None for a track without any."""
    stream = container.add_stream("pcm_s16le", rate=RATE, layout="mono", **options)
    if samples is None:
        return stream, None
    frame = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
    frame.sample_rate = RATE
    return stream, frame


def numbered(k: int) -> np.ndarray:
    """A frame that shows its number: six stripes of 8 pixels, black or white as the bits of k, the lowest first."""
    return (
        np.repeat([255 * (k >> bit & 1) for bit in range(6)], 8)[None, :, None].repeat(16, 0).repeat(3, 2).astype("u1")
    )


def numbers(path: Path, times: list[float]) -> list[int]:
    """The numbers of the frames at these times."""
    stripes = [frame[8, 4::8, 0] > 128 for frame in read_frames(path, times)]
    return [sum(int(bit) << k for k, bit in enumerate(row)) for row in stripes]


def add_video(container: Any, n: int, gop: int) -> tuple[Any, list[Any]]:
    """Add a track of n numbered frames with a key frame at every ``gop``-th."""
    stream = container.add_stream("mpeg4", rate=FPS)
    stream.width, stream.height, stream.pix_fmt = 48, 16, "yuv420p"
    stream.codec_context.gop_size, stream.codec_context.max_b_frames = gop, 0
    frames = [av.VideoFrame.from_ndarray(numbered(k), format="rgb24") for k in range(n)]
    for k, frame in enumerate(frames):
        frame.pts, frame.time_base = k, Fraction(1, FPS)
    return stream, frames


def mux(container: Any, stream: Any, frames: list[Any]) -> None:
    for frame in [*frames, None]:
        container.mux(stream.encode(frame))


def numbered_video(path: Path, n: int, gop: int, start: int = 0) -> Path:
    with av.open(str(path), "w") as out:
        stream, frames = add_video(out, n, gop)
        for frame in frames:
            frame.pts += start
        mux(out, stream, frames)
    return path


def test_a_track_without_any_packet_is_empty(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.mkv"), "w") as out:
        video, frames = add_video(out, 4, 4)
        add_audio(out, None)
        mux(out, video, frames)
    assert len(read_frames(tmp_path / "a.mkv", [0.0])) == 1
    with pytest.raises(MediaError, match=r"a\.mkv: the audio track is empty"):
        read_audio(tmp_path / "a.mkv")


def test_a_video_track_without_any_frame_is_refused(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.mkv"), "w") as out:
        add_video(out, 0, 4)
        audio, frame = add_audio(out, tone(440))
        mux(out, audio, [frame])
    with pytest.raises(MediaError, match=r"a\.mkv: the video track holds no frame"):
        read_frames(tmp_path / "a.mkv", [0.5])
    np.testing.assert_array_equal(read_audio(tmp_path / "a.mkv").samples[0] * 32768, tone(440))


def test_cover_art_is_no_video(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.m4a"), "w", format="mp4") as out:
        audio = out.add_stream("aac", rate=RATE, layout="mono")
        cover = out.add_stream("mjpeg", rate=1)
        cover.width = cover.height = 32
        cover.pix_fmt = "yuvj420p"
        cover.disposition = Disposition.attached_pic
        picture = av.VideoFrame.from_ndarray(np.full((32, 32, 3), 99, np.uint8), format="rgb24")
        picture.pts = 0
        sound = av.AudioFrame.from_ndarray(tone(440)[None].astype(np.float32) / 32768, format="fltp", layout="mono")
        sound.sample_rate = RATE
        mux(out, cover, [picture.reformat(format="yuvj420p")])
        mux(out, audio, [sound])
    assert probe(tmp_path / "a.m4a").video is None
    assert probe(tmp_path / "a.m4a").audio is not None
    with pytest.raises(MediaError, match=r"a\.m4a: no video track"):
        centre_frame(tmp_path / "a.m4a")


@pytest.mark.parametrize("marked", [0, 1])
def test_of_two_audio_tracks_the_default_one_is_read(tmp_path: Path, marked: int) -> None:
    """A film with two languages: the track that its author marked."""
    with av.open(str(tmp_path / "a.mkv"), "w") as out:
        tracks = [add_audio(out, tone(hertz)) for hertz in (400, 900)]
        for k, (stream, _) in enumerate(tracks):
            stream.disposition = Disposition.default if k == marked else Disposition(0)
        for stream, frame in tracks:
            mux(out, stream, [frame])
    spectrum = np.abs(np.fft.rfft(read_audio(tmp_path / "a.mkv").samples[0]))
    assert int(spectrum.argmax()) == (400, 900)[marked]


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "avi", "ts"])
@one_folder
@given(gop=st.integers(1, 60), times=st.lists(st.floats(0, 29.9), min_size=1, max_size=5))
def test_far_frames_are_those_on_screen_whatever_the_key_frames(
    tmp_path: Path, suffix: str, gop: int, times: list[float]
) -> None:
    path = numbered_video(tmp_path / f"a.{suffix}", 60, gop)
    assert numbers(path, times) == [int(t * FPS + 1e-5) for t in times]


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts"])
def test_times_are_those_of_the_file_and_not_of_its_stamps(tmp_path: Path, suffix: str) -> None:
    """Cut and streamed files begin at any stamp; 0 s is their first frame."""
    path = numbered_video(tmp_path / f"a.{suffix}", 20, 5, start=100)
    assert numbers(path, [0.0, 2.5, 7.1, 50.0]) == [0, 5, 14, 19]


def test_equal_times_give_equal_frames_and_the_order_is_that_of_the_times(tmp_path: Path) -> None:
    path = numbered_video(tmp_path / "a.mp4", 20, 5)
    found = read_frames(path, [7.0, 1.0, 7.0])
    np.testing.assert_array_equal(found[0], found[2])
    assert numbers(path, [7.0, 1.0, 7.0]) == [14, 2, 14]


@pytest.mark.parametrize("mode", ["L", "P", "1", "CMYK", "RGB", "RGBA", "LA", "I;16"])
def test_an_image_of_any_mode_becomes_rgb(tmp_path: Path, mode: str) -> None:
    level = 255 if mode == "1" else 102  # one of the levels of the web palette
    image = (
        Image.fromarray(np.full((6, 9), level << 8, np.uint16))
        if mode == "I;16"
        else Image.new("RGB", (9, 6), (level,) * 3).convert(mode)
    )
    path = tmp_path / ("a.tif" if mode == "CMYK" else "a.png")
    image.save(path)
    found = read_image(path)
    assert (found.shape, found.dtype) == ((6, 9, 3), np.uint8)
    assert np.abs(found.astype(int) - level).max() <= 1


@given(opacity=st.integers(0, 255), level=st.integers(0, 255))
def test_transparency_lies_on_white_in_proportion(opacity: int, level: int) -> None:
    buffer = io.BytesIO()
    Image.new("RGBA", (2, 2), (level, level, level, opacity)).save(buffer, "PNG")
    path = Path("unused.png")
    with opened_image(io.BytesIO(buffer.getvalue()), str(path)) as image:
        assert image.mode == "RGBA"
        over = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    expected = 255 + (level - 255) * opacity / 255  # c α + 255 (1 − α)
    assert np.abs(np.asarray(over).astype(float) - expected).max() <= 1


def test_bytes_that_are_no_image_are_refused_under_the_name_they_are_given() -> None:
    with pytest.raises(MediaError, match=r"row 7: not readable as an image"), opened_image(io.BytesIO(b"x"), "row 7"):
        pass


@pytest.mark.parametrize("name", ["a.PNG", "a.Jpeg", "a.webp", "a.tiff"])
def test_a_query_is_an_image_by_its_suffix_in_any_case(tmp_path: Path, name: str) -> None:
    Image.new("RGB", (8, 8), (120, 120, 120)).save(tmp_path / name)
    assert np.abs(query_image(tmp_path / name).astype(int) - 120).max() <= 3


@pytest.mark.parametrize("start", [0, 7])
def test_a_video_that_states_no_length_is_as_long_as_its_packets_say(tmp_path: Path, start: int) -> None:
    """As recorders write: a matroska whose header is final before the first frame comes."""
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w", options={"live": "1"}) as out:
        stream, frames = add_video(out, 9, 4)
        for frame in frames:
            frame.pts += start
        mux(out, stream, frames)
    video = probe(path).video
    assert video is not None
    assert video.duration_s is None
    assert video_length_s(path) == pytest.approx(9 / FPS, abs=2e-3)
    np.testing.assert_array_equal(centre_frame(path), read_frames(path, [4.5 / FPS])[0])
    assert numbers(path, [4.5 / FPS]) == [4]


def test_a_video_without_times_has_no_middle(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.h264"), "w", format="h264") as out:
        stream = out.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = 48, 16, "yuv420p"
        mux(out, stream, [av.VideoFrame.from_ndarray(numbered(k), format="rgb24") for k in range(9)])
    with pytest.raises(MediaError, match=r"a\.h264: does not say when its frames are shown; write it anew"):
        centre_frame(tmp_path / "a.h264")


def test_a_query_that_is_a_video_is_its_middle_frame(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mp4", np.stack([np.full((32, 32, 3), 20 * k, np.uint8) for k in range(9)]), FPS)
    assert query_image(tmp_path / "a.mp4").mean() == pytest.approx(80, abs=4)
