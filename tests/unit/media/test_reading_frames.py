from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from clipsonic_eval.errors import MediaError
from clipsonic_eval.media.audio import write_wav
from clipsonic_eval.media.encode import write_video
from clipsonic_eval.media.video import centre_frame, probe, query_image, read_frames, read_image

FPS = 5


def steps(n: int = 10, height: int = 48, width: int = 64) -> np.ndarray:
    """Return frames of which the k-th is grey of 20 k."""
    return np.stack([np.full((height, width, 3), 20 * k, np.uint8) for k in range(n)])


def corners(height: int = 48, width: int = 64) -> np.ndarray:
    """Return frames with red in the upper left, green in the upper right, blue in the lower left, white in the last."""
    frame = np.zeros((height, width, 3), np.uint8)
    frame[: height // 2, : width // 2, 0] = 255
    frame[: height // 2, width // 2 :, 1] = 255
    frame[height // 2 :, : width // 2, 2] = 255
    frame[height // 2 :, width // 2 :] = 255
    return np.stack([frame] * 3)


def seen(image: np.ndarray) -> str:
    """Return the colours of the four corners by their first letters, row by row."""
    height, width = image.shape[:2]
    named = {(1, 0, 0): "r", (0, 1, 0): "g", (0, 0, 1): "b", (1, 1, 1): "w"}
    points = [(y, x) for y in (height // 4, 3 * height // 4) for x in (width // 4, 3 * width // 4)]
    return "".join(named.get(tuple(int(v > 128) for v in image[p]), "?") for p in points)


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "webm", "mov", "avi"])
def test_the_frame_on_screen_at_a_time_in_any_order(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    write_video(path, steps(), FPS)
    times = [1.9, 0.0, 0.5, -1.0, 99.0, 1.0]
    levels = [float(p.mean()) / 20 for p in read_frames(path, times)]
    assert np.abs(np.array(levels) - [9, 0, 2, 0, 9, 5]).max() < 0.4
    assert read_frames(path, []) == []


def test_far_times_are_found_in_a_long_video(tmp_path: Path) -> None:
    long = np.stack([np.full((32, 32, 3), 2 * (k % 120), np.uint8) for k in range(120)])
    write_video(tmp_path / "a.mp4", long, 2)  # a minute
    found = [float(p.mean()) / 2 for p in read_frames(tmp_path / "a.mp4", [50.2, 1.2, 29.7])]
    assert np.abs(np.array(found) - [100, 2, 59]).max() < 1.5


# The display matrix of a QuickTime track header, 16.16 fixed point: a b, c d; what a phone held upright writes.
@pytest.mark.parametrize(
    ("matrix", "expected", "turned"),
    [
        ((1, 0, 0, 1), "rgbw", False),
        ((0, 1, -1, 0), "brwg", True),  # a quarter turn clockwise
        ((-1, 0, 0, -1), "wbgr", False),
        ((0, -1, 1, 0), "gwrb", True),
        ((-1, 0, 0, 1), "grwb", False),  # a front camera's mirror image
    ],
)
@pytest.mark.parametrize("suffix", ["mp4", "mov"])
def test_pictures_stand_upright_as_a_player_shows_them(
    tmp_path: Path, suffix: str, matrix: tuple[int, int, int, int], expected: str, *, turned: bool
) -> None:
    path = tmp_path / f"a.{suffix}"
    write_video(path, corners(), FPS)
    data = bytearray(path.read_bytes())
    place = data.index(b"tkhd") + 44  # type, version, times, id, duration, layer and volume lie before the matrix
    a, b, c, d = (v * 65536 for v in matrix)
    data[place : place + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(data)
    image = centre_frame(path)
    assert image.shape == ((64, 48, 3) if turned else (48, 64, 3))
    assert seen(image) == expected


def test_odd_sizes_and_other_pixel_formats(tmp_path: Path) -> None:
    odd = corners(47, 61)
    write_video(tmp_path / "odd.mp4", odd, FPS, pixel_format="yuv444p")
    image = centre_frame(tmp_path / "odd.mp4")
    assert image.shape == (47, 61, 3)
    assert seen(image) == "rgbw"
    write_video(tmp_path / "padded.mp4", odd, FPS)
    assert centre_frame(tmp_path / "padded.mp4").shape == (48, 62, 3)
    write_video(tmp_path / "ten.mp4", corners(), FPS, pixel_format="yuv420p10le")
    assert seen(centre_frame(tmp_path / "ten.mp4")) == "rgbw"
    write_video(tmp_path / "grey.mp4", steps(), FPS, pixel_format="gray")
    assert abs(float(centre_frame(tmp_path / "grey.mp4").mean()) - 100) < 4


def test_probe_says_what_a_file_says(tmp_path: Path) -> None:
    sound = np.zeros((2, 44100), np.float32)
    write_video(tmp_path / "a.mp4", steps(), FPS, sound, 44100)
    info = probe(tmp_path / "a.mp4")
    assert info.video is not None
    assert info.audio is not None
    assert (info.video.codec, info.video.width, info.video.height, info.video.fps) == ("h264", 64, 48, 5.0)
    assert (info.audio.codec, info.audio.sample_rate, info.audio.channels) == ("aac", 44100, 2)
    assert info.video.duration_s == pytest.approx(2.0, abs=0.01)
    assert info.audio.duration_s == pytest.approx(1.0, abs=0.05)
    write_video(tmp_path / "mute.webm", steps(), FPS)
    assert probe(tmp_path / "mute.webm").audio is None
    write_wav(tmp_path / "a.wav", np.zeros(16000, np.float32), 16000)
    assert probe(tmp_path / "a.wav").video is None
    with pytest.raises(MediaError, match=r"a\.wav: no video track"):
        centre_frame(tmp_path / "a.wav")


def test_pictures_are_turned_by_exif_and_laid_on_white(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # show it turned a quarter clockwise
    Image.fromarray(corners()[0]).save(tmp_path / "a.png", exif=exif)
    assert seen(read_image(tmp_path / "a.png")) == "brwg"
    clear = np.zeros((8, 8, 4), np.uint8)
    clear[:4, :, 3] = 255
    Image.fromarray(clear).save(tmp_path / "clear.png")
    image = query_image(tmp_path / "clear.png")
    assert image[:4].max() == 0
    assert image[4:].min() == 255
    deep = np.full((4, 4), 0x8000, np.uint16)
    Image.fromarray(deep).save(tmp_path / "deep.png")
    assert np.abs(read_image(tmp_path / "deep.png").astype(int) - 128).max() <= 1


def test_what_is_no_picture_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("no image")
    whole = Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3)).astype(np.uint8))
    whole.save(tmp_path / "cut.jpg")
    data = (tmp_path / "cut.jpg").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(data[: len(data) // 2])
    for name in ("text.png", "cut.jpg", "gone.png"):
        with pytest.raises(MediaError, match=name) as caught:
            read_image(tmp_path / name)
        assert "\n" not in str(caught.value)
