"""Properties of resampling, preprocessing, wav files and display matrices, on random audio."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clipsonic_eval.arraytypes import Float32
from clipsonic_eval.errors import MediaError, ShapeError
from clipsonic_eval.media._riff import missing_bytes
from clipsonic_eval.media._upright import upright
from clipsonic_eval.media.audio import mono_at, read_audio, resample, write_wav
from clipsonic_eval.media.limits import MAX_PIXELS, MAX_SOUND_BYTES, check_pixels, check_sound
from clipsonic_eval.media.preprocessing import AudioPreprocessing
from clipsonic_eval.media.resamplers import RESAMPLERS
from clipsonic_eval.types import Clip

RATES = (8000, 16000, 22050, 44100, 48000)
seeds = st.integers(0, 2**31)
one_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=20)


def noise(seed: int, n: int, channels: int = 1) -> Float32:
    return (0.2 * np.random.default_rng(seed).standard_normal((channels, n))).clip(-1, 1).astype(np.float32)


def clip(seed: int, n: int = 1600, channels: int = 2, rate: int = 16000) -> Clip:
    return Clip("a", noise(seed, n, channels), rate)


@pytest.mark.parametrize("name", RESAMPLERS)
@pytest.mark.parametrize(("rate_in", "rate_out"), [(16000, 48000), (44100, 16000), (22050, 44100)])
def test_a_resampler_is_linear_and_keeps_channels_apart(name: str, rate_in: int, rate_out: int) -> None:
    a, b = noise(0, 2000, 2), noise(1, 2000, 2)
    resampled = RESAMPLERS[name]
    both = resampled(a + b, rate_in, rate_out)
    np.testing.assert_allclose(both, resampled(a, rate_in, rate_out) + resampled(b, rate_in, rate_out), atol=2e-6)
    np.testing.assert_allclose(resampled(a[1:], rate_in, rate_out)[0], resampled(a, rate_in, rate_out)[1], atol=1e-6)


@pytest.mark.parametrize("name", RESAMPLERS)
@settings(deadline=None, max_examples=15)
@given(n=st.integers(200, 3000), rate_in=st.sampled_from(RATES), rate_out=st.sampled_from(RATES))
def test_the_length_follows_the_rates(name: str, n: int, rate_in: int, rate_out: int) -> None:
    out = RESAMPLERS[name](noise(0, n), rate_in, rate_out)
    assert out.dtype == np.float32
    assert abs(out.shape[1] - n * rate_out / rate_in) <= 1
    if rate_in == rate_out:
        np.testing.assert_array_equal(out, noise(0, n))


@pytest.mark.parametrize("name", RESAMPLERS)
def test_a_constant_stays_a_constant_away_from_the_edges(name: str) -> None:
    constant = np.full((1, 4000), 0.5, np.float32)
    middle = RESAMPLERS[name](constant, 16000, 44100)[0, 3000:-3000]
    np.testing.assert_allclose(middle, 0.5, atol=2e-3)


@settings(deadline=None, max_examples=15)
@given(seed=seeds, rate=st.sampled_from(RATES))
def test_there_and_back_is_the_band_limited_sound(seed: int, rate: int) -> None:
    t = np.arange(8000) / 16000
    frequency = 200 + seed % 2000  # far below every Nyquist frequency
    tone = (0.5 * np.sin(2 * np.pi * frequency * t)).astype(np.float32)[None]
    back = resample(resample(tone, 16000, rate), rate, 16000)
    n = min(back.shape[1], tone.shape[1]) - 800
    np.testing.assert_allclose(back[0, 800:n], tone[0, 800:n], atol=2e-3)


@one_folder
@given(seed=seeds, n=st.integers(1, 500), channels=st.integers(1, 3), rate=st.sampled_from(RATES))
def test_a_wav_is_read_as_it_was_written(tmp_path: Path, seed: int, n: int, channels: int, rate: int) -> None:
    samples = 3 * noise(seed, n, channels)  # beyond full scale, too
    write_wav(tmp_path / "a.wav", samples, rate)
    found = read_audio(tmp_path / "a.wav")
    assert (found.key, found.sample_rate) == ("a", rate)
    np.testing.assert_array_equal(found.samples, samples)
    assert missing_bytes(tmp_path / "a.wav") == 0


@one_folder
@given(start=st.integers(0, 900), length=st.integers(1, 900))
def test_a_segment_is_a_slice(tmp_path: Path, start: int, length: int) -> None:
    samples = noise(0, 1000)
    if not (tmp_path / "a.wav").exists():
        write_wav(tmp_path / "a.wav", samples, 1000)
    found = read_audio(tmp_path / "a.wav", start_s=start / 1000, duration_s=length / 1000)
    np.testing.assert_array_equal(found.samples, samples[:, start : start + length])


@one_folder
@given(cut=st.integers(1, 1500))
def test_a_cut_wav_is_refused_and_never_shorter(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "a.wav"
    write_wav(path, noise(0, 500), 16000)
    path.write_bytes(path.read_bytes()[:-cut])
    with pytest.raises(MediaError, match=r"truncated|not readable as media"):
        read_audio(path)


@pytest.mark.parametrize("samples", [np.zeros((1, 2, 3), np.float32), np.zeros(5), np.zeros(5, np.int16)])
def test_only_float32_of_one_or_two_axes_becomes_a_wav(tmp_path: Path, samples: Any) -> None:
    with pytest.raises(ShapeError, match=r"a\.wav: samples must be float32"):
        write_wav(tmp_path / "a.wav", samples, 16000)
    assert not (tmp_path / "a.wav").exists()


@settings(deadline=None, max_examples=20)
@given(seed=seeds)
def test_mono_is_the_mean_before_or_after_resampling(seed: int) -> None:
    stereo = clip(seed)
    left, right = (resample(stereo.samples[i : i + 1], 16000, 22050)[0] for i in (0, 1))
    np.testing.assert_allclose(mono_at(stereo, 22050), (left + right) / 2, atol=1e-6)


@settings(deadline=None, max_examples=20)
@given(seed=seeds, gain=st.floats(0.01, 1.0))
def test_a_peak_level_ignores_the_gain(seed: int, gain: float) -> None:
    loud = clip(seed)
    quiet = Clip("a", (loud.samples * np.float32(gain)), loud.sample_rate)
    normalise = AudioPreprocessing(level="peak-1dB")
    np.testing.assert_allclose(normalise(loud).samples, normalise(quiet).samples, atol=1e-6)
    assert np.abs(normalise(quiet).samples).max() == pytest.approx(10 ** (-1 / 20), rel=1e-5)


@settings(deadline=None, max_examples=20)
@given(seed=seeds, offset=st.floats(-0.5, 0.5))
def test_removing_the_mean_ignores_an_offset(seed: int, offset: float) -> None:
    plain = clip(seed)
    shifted = Clip("a", plain.samples + np.float32(offset), plain.sample_rate)
    centred = AudioPreprocessing(level="dc-removed")
    np.testing.assert_allclose(centred(plain).samples, centred(shifted).samples, atol=1e-6)
    np.testing.assert_allclose(centred(plain).samples.mean(axis=1), 0, atol=1e-7)


@pytest.mark.parametrize("rule", ["round", "trunc"])
@settings(deadline=None, max_examples=20)
@given(seed=seeds)
def test_sixteen_bits_cost_one_step_and_cost_it_once(rule: Any, seed: int) -> None:
    once = AudioPreprocessing(int16=rule)(clip(seed))
    assert np.abs(once.samples - clip(seed).samples).max() <= 1.01 / 32767
    assert len(np.unique(once.samples)) <= 65536
    if rule == "round":
        np.testing.assert_array_equal(AudioPreprocessing(int16=rule)(once).samples, once.samples)


@settings(deadline=None, max_examples=30)
@given(seed=seeds, n=st.integers(1, 3000), at_least=st.floats(0.001, 0.2), at_most=st.floats(0.001, 0.2))
def test_lengths_are_padded_and_cut_at_the_end(seed: int, n: int, at_least: float, at_most: float) -> None:
    whole = clip(seed, n)
    found = AudioPreprocessing(at_least_s=at_least, at_most_s=at_most)(whole).samples
    kept = min(n, round(at_most * 16000))
    np.testing.assert_array_equal(found[:, :kept], whole.samples[:, :kept])
    assert found.shape[1] == max(kept, round(at_least * 16000))
    assert not found[:, kept:].any()


def test_each_setting_changes_the_signature_and_only_its_own_part() -> None:
    changes: dict[str, Any] = {
        "mono": "first",
        "rate": 8000,
        "level": "dc-removed",
        "int16": "round",
        "at_least_s": 1.0,
        "at_most_s": 2.5,
    }
    signatures = {
        AudioPreprocessing(**dict(chosen)).signature
        for k in range(len(changes) + 1)
        for chosen in itertools.combinations(changes.items(), k)
    }
    assert len(signatures) == 2 ** len(changes)


@pytest.mark.parametrize("quarters", range(4))
@pytest.mark.parametrize("mirrored", [False, True])
def test_a_display_matrix_turns_by_quarters_and_mirrors(quarters: int, mirrored: bool) -> None:
    image = np.random.default_rng(0).integers(0, 256, (3, 5, 3), dtype=np.uint8)
    cosine, sine = [(1, 0), (0, 1), (-1, 0), (0, -1)][quarters]
    a, b, c, d = float(cosine), float(sine), float(-sine), float(cosine)
    matrix = (-a, -b, c, d) if mirrored else (a, b, c, d)
    expected = np.rot90(image[:, ::-1] if mirrored else image, -quarters)
    np.testing.assert_array_equal(upright(image, matrix), expected)
    np.testing.assert_array_equal(upright(image, None), image)


def test_limits_are_stated_with_the_file_and_the_size(tmp_path: Path) -> None:
    check_pixels(8192, 8192, "a.png")
    check_sound(tmp_path, 1, MAX_SOUND_BYTES // 4, 16000)
    with pytest.raises(MediaError, match=f"a.png: an image of 8193 x 8192 pixels; at most {MAX_PIXELS}"):
        check_pixels(8193, 8192, "a.png")
    with pytest.raises(MediaError, match="of no size that could be read"):
        check_pixels(0, 8192, "a.png")
    with pytest.raises(MediaError, match=r"hours of sound in 2 channels, 2\.0 GiB at once"):
        check_sound(tmp_path, 2, MAX_SOUND_BYTES // 8 + 1, 16000)
