from __future__ import annotations

import numpy as np
import pytest

from clipsonic_eval.errors import ConfigError, UserError
from clipsonic_eval.media.preprocessing import AudioPreprocessing
from clipsonic_eval.media.resamplers import RESAMPLERS, resampler
from clipsonic_eval.types import Clip

RATE = 44100
T = np.arange(RATE) / RATE
LEFT = (0.4 * np.sin(2 * np.pi * 440 * T) + 0.1).astype(np.float32)
RIGHT = (0.2 * np.sin(2 * np.pi * 880 * T)).astype(np.float32)
CLIP = Clip("a", np.stack([LEFT, RIGHT]), RATE)


def test_by_default_nothing_is_done() -> None:
    assert AudioPreprocessing().signature == ""
    np.testing.assert_array_equal(AudioPreprocessing()(CLIP).samples, CLIP.samples)


def test_channels() -> None:
    np.testing.assert_array_equal(AudioPreprocessing(mono="first")(CLIP).samples, LEFT[None])
    np.testing.assert_allclose(AudioPreprocessing(mono="mean")(CLIP).samples[0], (LEFT + RIGHT) / 2, atol=1e-7)


def test_levels() -> None:
    loud = AudioPreprocessing(mono="first", level="peak-1dB")(CLIP).samples
    assert float(np.abs(loud).max()) == pytest.approx(10 ** (-0.05), rel=1e-6)
    assert abs(float(AudioPreprocessing(mono="first", level="dc-removed")(CLIP).samples.mean())) < 1e-7
    low = Clip("a", np.array([[0.02, -0.9, 0.05]], np.float32), RATE)
    np.testing.assert_allclose(AudioPreprocessing(level="positive-peak")(low).samples, [[0.2, -9.0, 0.5]], rtol=1e-6)
    high = Clip("a", np.array([[0.25, -0.9, 0.5]], np.float32), RATE)
    np.testing.assert_allclose(AudioPreprocessing(level="positive-peak")(high).samples, [[0.5, -1.8, 1.0]], rtol=1e-6)
    silent = Clip("a", np.zeros((1, 5), np.float32), RATE)
    assert not AudioPreprocessing(level="peak-1dB")(silent).samples.any()


def test_a_peak_that_is_set_before_resampling_moves_when_it_is_resampled() -> None:
    first = AudioPreprocessing(peak_db=-1.0, rate=16000)
    louder = 10 ** (-1 / 20) / np.abs(CLIP.samples).max()  # of both channels together
    wanted = resampler("soxr-hq")(CLIP.samples * np.float32(louder), RATE, 16000)
    np.testing.assert_allclose(first(CLIP).samples, wanted, atol=1e-6)
    assert np.abs(first(CLIP).samples).max() != pytest.approx(10 ** (-1 / 20), abs=1e-5)
    assert first.signature == "load:peak-1dB,soxr-hq@16000"
    assert AudioPreprocessing(level="peak-1dB", rate=16000).signature == "load:soxr-hq@16000,peak-1dB"
    silent = Clip("a", np.zeros((1, 5), np.float32), RATE)
    assert not first(silent).samples.any()


def test_the_way_through_16_bit() -> None:
    clip = Clip("a", np.array([[0.5, 1.4 / 32768, -1.6 / 32768, 1.5, -1.5]], np.float32), RATE)
    found = AudioPreprocessing(int16="round")(clip).samples * 32768
    np.testing.assert_allclose(found, [[16384, 1, -2, 32767, -32768]])
    found = AudioPreprocessing(int16="trunc")(clip).samples * 32767
    np.testing.assert_allclose(found, [[16383, 1, -1, 32767, -32767]], rtol=1e-6)


def test_lengths_at_the_new_rate() -> None:
    at = AudioPreprocessing(mono="first", rate=16000, at_most_s=0.5)(CLIP)
    assert (at.sample_rate, at.samples.shape) == (16000, (1, 8000))
    padded = AudioPreprocessing(mono="first", rate=16000, at_least_s=2.0)(CLIP)
    assert padded.samples.shape == (1, 32000)
    assert not padded.samples[0, 16000:].any()


@pytest.mark.parametrize("name", list(RESAMPLERS))
@pytest.mark.parametrize(("rate_in", "rate_out"), [(44100, 16000), (48000, 16000), (16000, 48000), (22050, 32000)])
def test_every_resampler_keeps_a_tone_its_level_and_its_place(name: str, rate_in: int, rate_out: int) -> None:
    tone = np.sin(2 * np.pi * 1000 * np.arange(rate_in) / rate_in).astype(np.float32)[None]
    found = resampler(name)(tone, rate_in, rate_out)[0]
    truth = np.sin(2 * np.pi * 1000 * np.arange(rate_out) / rate_out)
    assert len(found) == rate_out
    close = 5e-3 if name in ("torchaudio-hann", "resampy-0.2-kaiser-best") else 1e-3  # a short filter; a small table
    np.testing.assert_allclose(found[500:-500], truth[500:-500], atol=close)


def test_resamplers_differ_where_it_matters() -> None:
    """A short filter lets through what lies above the new limit; that is why its name stands in a signature."""
    tone = np.sin(2 * np.pi * 8300 * np.arange(48000) / 48000).astype(np.float32)[None]
    left = {name: float(np.abs(resampler(name)(tone, 48000, 16000)[0, 500:-500]).max()) for name in RESAMPLERS}
    assert left["soxr-hq"] < 1e-3
    assert left["torchaudio-kaiser-best"] < 1e-2
    assert left["torchaudio-hann"] > 0.2


def test_blocks_of_the_windowed_sinc_leave_no_seam() -> None:
    rng = np.random.default_rng(0)
    long = rng.standard_normal((1, 48000 * 4)).astype(np.float32)
    whole = resampler("torchaudio-hann")(long, 48000, 16000)
    part = resampler("torchaudio-hann")(long[:, : 48000 * 2], 48000, 16000)
    np.testing.assert_allclose(whole[0, : 32000 - 50], part[0, : 32000 - 50], atol=1e-6)


def test_what_was_done_stands_in_the_signature_and_mistakes_are_refused() -> None:
    loading = AudioPreprocessing(
        mono="first", rate=16000, resampler="torchaudio-hann", level="dc-removed", at_least_s=2
    )
    assert loading.signature == "load:mono-first,torchaudio-hann@16000,dc-removed,zeros-to-2s"
    with pytest.raises(UserError, match="Did you mean 'torchaudio-hann'"):
        AudioPreprocessing(resampler="torchaudio-han")
    with pytest.raises(ConfigError, match="rate"):
        AudioPreprocessing(rate=0)
