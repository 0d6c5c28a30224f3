"""Files that claim, or unpack to, far more than they are: one sentence, bounded memory, and the rest goes on."""

from __future__ import annotations

import math
import resource
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from unit.media.hostile import RATE, holed, huge_video

from clipsonic_eval.clips import ClipStore, PrepareConfig, Source, prepare
from clipsonic_eval.errors import MediaError
from clipsonic_eval.media import limits
from clipsonic_eval.media.audio import read_audio, resample, write_wav
from clipsonic_eval.media.video import centre_frame, read_image


def peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def test_a_hole_of_ten_hours_is_refused_and_not_filled(tmp_path: Path) -> None:
    path = holed(tmp_path / "a.mkv", 36_000)
    assert path.stat().st_size < 100_000
    before = peak_mib()
    with pytest.raises(MediaError, match=r"a gap of 36000 s in the audio at 1.00 s, longer than 600 s"):
        read_audio(path)
    assert peak_mib() - before < 500  # filled it would be 2.3 GB
    assert read_audio(path, duration_s=0.75).duration_s == 0.75
    assert read_audio(path, start_s=36_001, duration_s=5).duration_s == pytest.approx(1.0, abs=0.01)


def test_a_hole_that_a_recorder_leaves_is_silence(tmp_path: Path) -> None:
    clip = read_audio(holed(tmp_path / "a.mkv", 20))
    assert clip.duration_s == pytest.approx(22, abs=0.01)
    assert np.abs(clip.samples[0, round(1.1 * RATE) : round(20.9 * RATE)]).max() == 0


def test_sound_that_is_missing_at_the_beginning_is_a_hole(tmp_path: Path) -> None:
    import av

    path = tmp_path / "late.mkv"
    with av.open(str(path), "w") as out:
        video, audio = out.add_stream("mpeg4", rate=1), out.add_stream("pcm_s16le", rate=RATE, layout="mono")
        video.width = video.height = 64
        out.mux([*video.encode(av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8))), *video.encode(None)])
        sound = av.AudioFrame.from_ndarray(np.ones((1, RATE), np.int16), format="s16", layout="mono")
        sound.sample_rate, sound.pts = RATE, 36_000 * RATE
        out.mux([*audio.encode(sound), *audio.encode(None)])
    with pytest.raises(MediaError, match=r"a gap of 36000 s in the audio at 0.00 s"):
        read_audio(path)


@pytest.mark.parametrize("suffix", ["flac", "wav", "mkv"])
def test_more_sound_than_is_decoded_at_once_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    monkeypatch.setattr(limits, "MAX_SOUND_BYTES", 4 * 3 * RATE)  # three seconds instead of hours
    path = tmp_path / f"a.{suffix}"
    if suffix == "mkv":
        holed(path, 2)
    else:
        soundfile.write(path, np.full(4 * RATE, 0.25, np.float32), RATE)
    with pytest.raises(MediaError, match=r"hours of sound in 1 channels.*cut it into parts"):
        read_audio(path)
    assert read_audio(path, start_s=0.5, duration_s=2).duration_s == 2


def test_a_flac_that_claims_days_costs_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "a.flac"
    soundfile.write(path, np.full(RATE, 0.25, np.float32), RATE)
    data = bytearray(path.read_bytes())
    samples = int.from_bytes(data[21:26], "big")  # the lower 36 bits count the samples
    assert samples & (2**36 - 1) == RATE
    data[21:26] = (samples | (2**34)).to_bytes(5, "big")
    path.write_bytes(data)
    with pytest.raises(MediaError, match="at most 2 GiB are decoded"):
        read_audio(path)


def test_a_rate_that_is_none_of_sound_does_not_fill_the_memory() -> None:
    with pytest.raises(MediaError, match="is the rate in the file right"):
        resample(np.zeros((1, 100_000), np.float32), 1, 16_000)


@pytest.mark.parametrize(("start", "length"), [(math.inf, 1.0), (math.nan, 1.0), (0.0, math.inf), (0.0, math.nan)])
def test_segments_have_finite_ends(tmp_path: Path, start: float, length: float) -> None:
    write_wav(tmp_path / "a.wav", np.full(RATE, 0.25, np.float32), RATE)
    with pytest.raises(MediaError, match="start >= 0 and duration > 0"):
        read_audio(tmp_path / "a.wav", start_s=start, duration_s=length)


def test_a_video_of_huge_frames_gives_its_sound_and_a_sentence(tmp_path: Path) -> None:
    path = huge_video(tmp_path / "a.avi")
    before = peak_mib()
    assert read_audio(path).duration_s == 1.0
    with pytest.raises(MediaError, match=r"at most 67108864 pixels are decoded"):
        centre_frame(path)
    assert peak_mib() - before < 300  # one frame in RGB is 732 MiB


def png(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    body = zlib.compress(bytes((width // 8 + 1) * 100), 1)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [8200, 9400, 16_000, 60_000])
def test_a_picture_of_too_many_pixels_is_not_decoded(tmp_path: Path, side: int) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(png(side, side))
    before = peak_mib()
    with pytest.raises(MediaError, match=r"a.png: an image of .*67108864 pixels.* make it smaller"):
        read_image(path)
    assert peak_mib() - before < 100


def test_preparing_goes_on_past_all_of_them(tmp_path: Path) -> None:
    from clipsonic_eval.media.encode import write_video

    folder = tmp_path / "in"
    folder.mkdir()
    tone = (0.3 * np.sin(np.arange(RATE) / 5)).astype(np.float32)
    write_video(folder / "good.mp4", np.zeros((5, 64, 64, 3), np.uint8), 5, tone, RATE)
    huge_video(folder / "huge.avi", 8200)
    holed(folder / "holed.mkv", 36_000)
    settings = PrepareConfig(duration_s=1.0, image_encoder="toy-clip", window="all", workers=0)
    done = prepare(Source(folder), tmp_path / "clips", settings)
    reasons = {key: reason for key, _, reason in done.skipped}
    assert set(reasons) == {"huge", "holed"}
    assert "67108864 pixels" in reasons["huge"]
    assert "a gap of 36000 s" in reasons["holed"]
    assert ClipStore.open(tmp_path / "clips").keys == ("good-w0000",)


@pytest.mark.parametrize("fault", [MemoryError(), RuntimeError("odd")])
def test_a_file_that_takes_more_memory_than_there_is_costs_only_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    from clipsonic_eval.clips import _decoding

    for name in ("a", "b"):
        write_wav(tmp_path / "in" / f"{name}.wav", np.full(RATE, 0.25, np.float32), RATE)
    real: Callable[..., object] = _decoding.read_audio

    def hungry(path: Path, **segment: object) -> object:
        if path.stem == "a":
            raise fault
        return real(path, **segment)

    monkeypatch.setattr(_decoding, "read_audio", hungry)
    settings = PrepareConfig(duration_s=1.0, image_encoder=None, workers=0)
    done = prepare(Source(tmp_path / "in"), tmp_path / "clips", settings)
    assert done.n_clips == 1
    ((key, _, reason),) = done.skipped
    assert key == "a"
    assert ("more memory than there is" if isinstance(fault, MemoryError) else "unexpected RuntimeError") in reason
