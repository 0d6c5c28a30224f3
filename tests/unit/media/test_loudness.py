"""Loudness beside FFmpeg's meter and the levels that the standard states; gains and what they keep to."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from numpy.typing import NDArray

from clipsonic_eval.errors import MediaError, UserError
from clipsonic_eval.media.loudness import MAX_PEAK_DBTP, TARGET_LUFS, at_loudness, gain_db, loudness_lufs, true_peak_db

pytest.importorskip("pyloudnorm")

RATE = 48000


def sine(hertz: float, db: float, seconds: float = 3.0, rate: int = RATE, phase: float = 0.0) -> NDArray[np.float32]:
    t = np.arange(round(seconds * rate)) / rate
    return (10 ** (db / 20) * np.sin(2 * np.pi * hertz * t + phase)).astype(np.float32)[None]


def noise(seconds: float, rate: int = RATE, channels: int = 1, level: float = 0.1) -> NDArray[np.float32]:
    wave = np.random.default_rng(0).standard_normal((channels, round(seconds * rate)))
    return (level * wave).astype(np.float32)


def of_ffmpeg(samples: NDArray[np.float32], rate: int) -> float:
    """Integrated loudness by FFmpeg's filter ebur128."""
    import av

    graph = av.filter.Graph()
    layout = {1: "mono", 2: "stereo"}[len(samples)]
    source = graph.add_abuffer(sample_rate=rate, format="fltp", layout=layout)
    meter, sink = graph.add("ebur128", "metadata=1:framelog=quiet"), graph.add("abuffersink")
    source.link_to(meter)
    meter.link_to(sink)
    graph.configure()
    frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout=layout)
    frame.sample_rate, frame.pts = rate, 0
    graph.push(frame)
    graph.push(None)
    found = None
    while True:
        try:
            found = dict(graph.pull().metadata).get("lavfi.r128.I", found)
        except (av.error.EOFError, av.error.BlockingIOError):
            assert found is not None
            return float(found)


def test_a_sine_at_997_hz_reads_what_the_standard_states() -> None:
    # BS.1770-5, annex 1: 0 dBFS in one channel reads -3.01 LKFS; EBU Tech 3341 allows 0.1 LU
    assert loudness_lufs(sine(997, 0), RATE, "x") == pytest.approx(-3.01, abs=0.1)


def test_stereo_at_minus_23_dbfs_reads_minus_23_lufs() -> None:
    both = np.concatenate([sine(1000, -23)] * 2)  # EBU Tech 3341, case 1
    assert loudness_lufs(both, RATE, "x") == pytest.approx(-23, abs=0.1)


def test_quiet_parts_do_not_count_as_ebu_tech_3341_states() -> None:
    parts = [np.concatenate([sine(1000, db, seconds)] * 2) for db, seconds in [(-36, 10), (-23, 60), (-36, 10)]]
    assert loudness_lufs(np.concatenate(parts, axis=1), RATE, "x") == pytest.approx(-23, abs=0.1)  # case 3


@pytest.mark.parametrize(("rate", "channels"), [(44100, 1), (48000, 1), (48000, 2)])
def test_noise_reads_as_in_ffmpeg(rate: int, channels: int) -> None:
    wave = noise(4.0, rate, channels)
    wave[:, rate : 2 * rate] *= 0.01  # gated
    assert loudness_lufs(wave, rate, "x") == pytest.approx(of_ffmpeg(wave, rate), abs=0.1)


def test_a_gain_of_6_db_raises_the_loudness_by_6_lu() -> None:
    wave = noise(1.0, level=0.02)
    louder = (10 ** (6 / 20) * wave).astype(np.float32)
    assert loudness_lufs(louder, RATE, "x") - loudness_lufs(wave, RATE, "x") == pytest.approx(6, abs=1e-4)


def test_the_true_peak_lies_between_samples() -> None:
    wave = sine(RATE / 4, 0, phase=np.pi / 4)  # the samples reach 0.707, the sine 1
    assert np.abs(wave).max() == pytest.approx(np.sqrt(0.5), abs=1e-4)
    assert true_peak_db(wave, RATE) == pytest.approx(0, abs=0.2)


def test_the_gain_reaches_the_loudness_and_no_peak_passes_the_limit() -> None:
    wave = noise(1.0, level=0.3)
    wave[0, 100] = 1.0
    click = np.concatenate([wave * 0.002, np.zeros((1, RATE), np.float32)], axis=1)
    click[0, 50] = 0.5
    for one, reaches in [(wave, True), (click, False)]:
        gain = gain_db(loudness_lufs(one, RATE, "x"), true_peak_db(one, RATE))
        scaled = (10 ** (gain / 20) * one).astype(np.float32)
        assert true_peak_db(scaled, RATE) <= MAX_PEAK_DBTP + 1e-3
        assert (abs(loudness_lufs(scaled, RATE, "x") - TARGET_LUFS) < 0.01) == reaches


@pytest.mark.parametrize(
    ("wave", "why"),
    [
        (noise(0.39), "dog.wav: 0.39 s are too short"),
        (np.zeros((1, RATE), np.float32), "dog.wav: silent"),
        (noise(1.0, level=1e-5), "dog.wav: silent"),
    ],
    ids=["short", "silent", "nearly silent"],
)
def test_what_has_no_loudness_is_refused_by_name(wave: NDArray[np.float32], why: str) -> None:
    with pytest.raises(MediaError, match=why):
        loudness_lufs(wave, RATE, "dog.wav")


def test_the_sentence_names_the_extra_where_pyloudnorm_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyloudnorm", None)
    with pytest.raises(UserError, match=r"clipsonic-eval\[listening\]"):
        loudness_lufs(noise(1.0), RATE, "x")


@pytest.mark.parametrize("seconds", [0.001, 0.3, 0.45, 3.0, 3.07])
def test_a_sound_of_any_length_is_brought_to_a_loudness(seconds: float) -> None:
    rng = np.random.default_rng(0)
    wave = (0.01 * rng.standard_normal((1, max(1, round(44100 * seconds))))).astype(np.float32)
    once = at_loudness(wave, 44100, -30.0)
    assert once.shape == wave.shape
    np.testing.assert_allclose(at_loudness(7 * once, 44100, -30.0), once, rtol=1e-4)
    if seconds >= 3:
        assert loudness_lufs(once, 44100, "a") == pytest.approx(-30, abs=0.2)


def test_silence_stays_silent_and_loud_sounds_end_at_full_scale() -> None:
    assert not at_loudness(np.zeros((1, 44100), np.float32), 44100, -16.0).any()
    wave = np.zeros((1, 44100), np.float32)
    wave[0, ::5000] = 0.01
    assert np.abs(at_loudness(wave, 44100, -16.0)).max() == pytest.approx(1)
