from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from clipsonic_eval.errors import MediaError, ShapeError
from clipsonic_eval.media.audio import mono_at, read_audio, resample, write_wav
from clipsonic_eval.media.encode import write_audio, write_video

FRAMES = np.full((10, 32, 32, 3), 128, np.uint8)


def chirp(rate: int, seconds: float = 2.0) -> np.ndarray:
    """Return a sweep from 200 Hz to 1.7 kHz: its correlation with itself has one sharp peak."""
    t = np.arange(round(rate * seconds)) / rate
    return (0.5 * np.sin(2 * np.pi * (200 * t + 750 / seconds * t**2))).astype(np.float32)


def lag(found: np.ndarray, truth: np.ndarray) -> int:
    """Return by how many samples ``found`` comes later than ``truth``."""
    n = len(found) + len(truth)
    product = np.fft.irfft(np.fft.rfft(found, n) * np.conj(np.fft.rfft(truth, n)), n)
    peak = int(np.argmax(product))
    return peak if peak < n // 2 else peak - n


def written(folder: Path, name: str, samples: np.ndarray, rate: int, **codecs: str) -> Path:
    path = folder / name
    if path.suffix in (".m4a", ".ogg", ".flac"):
        write_audio(path, samples, rate)
    elif path.suffix == ".wav":
        write_wav(path, samples, rate)
    else:
        write_video(path, FRAMES, 5, samples, rate, **codecs)
    return path


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.m4a", "a.mp4", "a.mov", "a.mkv", "a.webm"])
def test_the_first_sample_is_the_first_sample(tmp_path: Path, name: str) -> None:
    truth = chirp(48000)
    clip = read_audio(written(tmp_path, name, truth, 48000))
    assert clip.sample_rate == 48000
    assert abs(lag(clip.mono(), truth)) <= 1
    assert abs(clip.duration_s - 2.0) < 0.03


def test_mp3_in_avi_keeps_no_more_than_the_codec_delay_that_the_docstring_names(tmp_path: Path) -> None:
    truth = chirp(48000)
    late = lag(read_audio(written(tmp_path, "a.avi", truth, 48000)).mono(), truth) / 48000
    assert 0 <= late < 0.05


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.m4a", "a.mp4", "a.mov", "a.mkv", "a.webm", "a.avi"])
def test_a_segment_is_that_part_of_the_whole(tmp_path: Path, name: str) -> None:
    path = written(tmp_path, name, chirp(44100, 4.0) if name != "a.webm" else chirp(48000, 4.0), 44100)
    whole = read_audio(path).samples
    rate = read_audio(path).sample_rate
    for start, length in ((0.0, 0.5), (1.3337, 0.25), (2.75, 1.0)):
        part = read_audio(path, start_s=start, duration_s=length).samples
        first = round(start * rate)
        wanted = whole[:, first : first + round(length * rate)]
        assert part.shape == wanted.shape
        # lossy decoders need a little past to be themselves again: equal to their own noise, not to the bit
        tolerance = 0 if name in ("a.wav", "a.flac") else 2e-3
        np.testing.assert_allclose(part, wanted, atol=tolerance)


def test_a_segment_that_reaches_past_the_end_is_cut_there_and_one_beyond_it_is_an_error(tmp_path: Path) -> None:
    path = written(tmp_path, "a.wav", chirp(8000, 1.0), 8000)
    assert read_audio(path, start_s=0.75, duration_s=5.0).samples.shape == (1, 2000)
    with pytest.raises(MediaError, match=r"a\.wav: no sound at 1\.5 s"):
        read_audio(path, start_s=1.5, duration_s=1.0)
    with pytest.raises(MediaError, match="start >= 0"):
        read_audio(path, start_s=-1.0)


@pytest.mark.parametrize("rate", [8000, 11025, 22050, 44100, 96000, 192000])
@pytest.mark.parametrize("name", ["a.wav", "a.flac"])
def test_any_rate_becomes_the_same_tone_at_16_khz(tmp_path: Path, name: str, rate: int) -> None:
    t = np.arange(rate) / rate
    path = written(tmp_path, name, (0.5 * np.sin(2 * np.pi * 1000 * t)).astype(np.float32), rate)
    found = mono_at(read_audio(path), 16000)
    truth = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(16000) / 16000)
    assert found.shape == (16000,)
    np.testing.assert_allclose(found[400:-400], truth[400:-400], atol=1e-3)


def test_resampling_leaves_nothing_of_what_lies_above_the_new_limit() -> None:
    high = np.sin(2 * np.pi * 9500 * np.arange(48000) / 48000).astype(np.float32)[None]
    assert float(np.abs(resample(high, 48000, 16000)[0, 400:-400]).max()) < 1e-4


def test_mono_is_the_mean_of_the_channels_whatever_the_container(tmp_path: Path) -> None:
    tone = chirp(48000, 1.0)
    opposite = np.stack([tone, -tone])
    left = np.stack([tone, np.zeros_like(tone)])
    for name in ("a.wav", "a.flac", "a.mkv"):
        codecs = {"audio_codec": "pcm_s16le"} if name == "a.mkv" else {}
        clip = read_audio(written(tmp_path, name, opposite, 48000, **codecs))
        assert clip.samples.shape[0] == 2
        assert float(np.abs(clip.mono()).max()) < 1e-4
        half = read_audio(written(tmp_path, name, left, 48000, **codecs)).mono()
        np.testing.assert_allclose(half, tone / 2, atol=1e-4)


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
def test_full_scale_is_one_in_every_sample_format(tmp_path: Path, subtype: str) -> None:
    values = np.linspace(-1, 0.99, 1000)
    soundfile.write(tmp_path / "a.wav", values, 16000, subtype=subtype)
    step = {"PCM_U8": 1 / 128, "PCM_16": 1 / 32768}.get(subtype, 1e-6)
    np.testing.assert_allclose(read_audio(tmp_path / "a.wav").mono(), values, atol=1.01 * step)


@pytest.mark.parametrize("codec", ["pcm_u8", "pcm_s16le", "pcm_s32le", "pcm_f32le"])
def test_full_scale_is_one_through_ffmpeg_too(tmp_path: Path, codec: str) -> None:
    truth = chirp(16000, 1.0)
    clip = read_audio(written(tmp_path, "a.mkv", truth, 16000, audio_codec=codec))
    step = {"pcm_u8": 1 / 128, "pcm_s16le": 1 / 32768}.get(codec, 1e-6)
    np.testing.assert_allclose(clip.mono(), truth, atol=1.01 * step)


def test_a_float_wav_above_full_scale_is_not_clipped(tmp_path: Path) -> None:
    write_wav(tmp_path / "a.wav", np.array([0.0, 3.5, -2.0], np.float32), 16000)
    assert read_audio(tmp_path / "a.wav").mono().tolist() == [0.0, 3.5, -2.0]


@pytest.mark.parametrize("name", ["a.mp4", "a.webm", "a.mkv", "a.avi", "a.wav", "a.flac"])
def test_a_truncated_file_is_refused_by_name(tmp_path: Path, name: str) -> None:
    rng = np.random.default_rng(0)
    noise = (0.3 * rng.standard_normal(96000)).astype(np.float32)
    path = written(tmp_path, name, noise, 48000)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 3 // 5])
    with pytest.raises(MediaError, match=rf"{name}: .*(truncated|damaged)"):
        read_audio(path)


def test_what_is_no_sound_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("not a video")
    (tmp_path / "empty.wav").write_bytes(b"")
    soundfile.write(tmp_path / "nan.wav", np.array([0.0, np.nan]), 16000, subtype="FLOAT")
    soundfile.write(tmp_path / "none.wav", np.zeros(0), 16000)
    written(tmp_path, "wave.wav", chirp(16000), 16000).rename(tmp_path / "borrowed.mp4")
    for name, words in {
        "text.mp4": "not readable as media",
        "empty.wav": "the file is empty",
        "nan.wav": "not finite",
        "none.wav": "empty",
        "gone.mp4": "no such file",
    }.items():
        with pytest.raises(MediaError, match=words) as caught:
            read_audio(tmp_path / name)
        assert str(caught.value).startswith(str(tmp_path / name))
        assert "\n" not in str(caught.value)
    assert abs(read_audio(tmp_path / "borrowed.mp4").duration_s - 2.0) < 1e-6  # the content counts, not the suffix


def test_equal_sound_makes_equal_bytes_and_a_wrong_type_is_refused(tmp_path: Path) -> None:
    write_wav(tmp_path / "a.wav", chirp(16000), 16000)
    write_wav(tmp_path / "b.wav", chirp(16000), 16000)
    assert (tmp_path / "a.wav").read_bytes() == (tmp_path / "b.wav").read_bytes()
    with pytest.raises(ShapeError, match="float32"):
        write_wav(tmp_path / "c.wav", np.zeros(5), 16000)
