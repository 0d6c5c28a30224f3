from __future__ import annotations

import numpy as np
import pytest
import torch

from clipsonic.mel import MelConfig, MelFrontEnd, filterbank, measured
from clipsonic_eval.config import resolve
from clipsonic_eval.errors import ConfigError, ShapeError

CONFIG = MelConfig()


def test_filterbank_agrees_with_transformers() -> None:
    from transformers.audio_utils import mel_filter_bank

    reference = mel_filter_bank(
        num_frequency_bins=513,
        num_mel_filters=64,
        min_frequency=0.0,
        max_frequency=8000.0,
        sampling_rate=16000,
        norm="slaney",
        mel_scale="slaney",
    )
    assert np.abs(filterbank(CONFIG) - reference.T).max() < 1e-12


def test_every_filter_has_unit_area() -> None:
    # a triangle of height 2 / width has area 1; on a fine grid the sum times the bin's width comes to it
    fine = filterbank(MelConfig(n_fft=65536, hop=160))
    assert np.allclose(fine.sum(axis=1) * 16000 / 65536, 1.0, rtol=1e-4)


@pytest.mark.parametrize(("samples", "frames"), [(15360, 96), (64000, 400), (160000, 1000)])
def test_frames_are_samples_over_hop(samples: int, frames: int) -> None:
    assert MelFrontEnd(CONFIG).log_mel(torch.zeros(1, samples)).shape == (1, 64, frames)
    assert CONFIG.frames(samples) == frames
    assert CONFIG.samples(frames) == samples


def test_log_mel_is_the_definition_written_out() -> None:
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, 4000)
    padded = np.pad(x[: 25 * 160], 432, mode="reflect")
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(1024) / 1024)
    spectra = np.stack([np.abs(np.fft.rfft(padded[i * 160 : i * 160 + 1024] * window)) for i in range(25)])
    expected = np.log(np.maximum(spectra @ filterbank(CONFIG).T, 1e-5)).T
    got = MelFrontEnd(CONFIG).log_mel(torch.tensor(x[None], dtype=torch.float32))[0].numpy()
    assert np.abs(got - expected).max() < 1e-4


def test_log_mels_are_float32_to_the_bit_under_a_callers_autocast() -> None:
    sound = 0.1 * torch.randn(3, 5120, generator=torch.Generator().manual_seed(0))
    plain = MelFrontEnd(CONFIG).log_mel(sound)
    with torch.autocast("cpu", torch.bfloat16):
        coarse = MelFrontEnd(CONFIG).log_mel(sound)
    assert coarse.dtype == torch.float32
    assert torch.equal(coarse, plain)


def test_silence_lies_at_the_floor() -> None:
    got = MelFrontEnd(CONFIG).log_mel(torch.zeros(1, 1600))
    assert torch.allclose(got, torch.full_like(got, float(np.log(1e-5))))


def test_a_tone_peaks_in_the_band_around_it() -> None:
    tone = torch.sin(2 * torch.pi * 1000 * torch.arange(16000) / 16000)[None]
    band = int(MelFrontEnd(CONFIG).log_mel(tone)[0, :, 50].argmax())
    bank = filterbank(CONFIG)
    assert bank[band, 64] > 0  # bin 64 is 1000 Hz
    assert bank[band, 64] == bank[:, 64].max()


@pytest.mark.parametrize("per_band", [True, False])
def test_scaled_training_data_has_zero_mean_and_unit_deviation_and_comes_back(per_band: bool) -> None:
    generator = torch.Generator().manual_seed(0)
    log_mels = torch.randn(50, 64, 20, generator=generator) * 2 - 4 + torch.linspace(-1, 1, 64)[:, None]
    front_end = MelFrontEnd(measured(CONFIG, log_mels, per_band=per_band))
    scaled = front_end.normalise(log_mels)
    axes = (0, 2) if per_band else (0, 1, 2)
    assert scaled.mean(axes).abs().max() < 1e-4
    assert (scaled.std(axes) - 1).abs().max() < 1e-3
    assert (front_end.denormalise(scaled) - log_mels.clamp(min=float(np.log(1e-5)))).abs().max() < 1e-4


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ShapeError, match="more than 432 samples"):
        MelFrontEnd(CONFIG).log_mel(torch.zeros(1, 100))
    with pytest.raises(ConfigError, match="fmin < fmax"):
        resolve(MelConfig, {"fmax": 9000})
    with pytest.raises(ConfigError, match="Did you mean 'n_mels'"):
        resolve(MelConfig, {"n_mel": 80})
    with pytest.raises(ConfigError, match="mean and std are not set"):
        MelFrontEnd(CONFIG).normalise(torch.zeros(1, 64, 3))
    with pytest.raises(ShapeError, match="all silent"):
        measured(CONFIG, torch.full((2, 64, 3), -11.5))


def test_a_sinusoid_has_the_magnitude_of_its_closed_form() -> None:
    """In a periodic Hann window a cosine of amplitude A at bin k has |X_k| = A N / 4 and |X_{k±1}| = A N / 8."""
    amplitude, k, n = 0.3, 100, CONFIG.n_fft
    tone = amplitude * torch.cos(2 * torch.pi * k / n * torch.arange(32_000, dtype=torch.float64))
    got = MelFrontEnd(CONFIG).log_mel(tone[None].float())[0, :, 100].exp().double().numpy()
    bank = filterbank(CONFIG)
    expected = amplitude * n / 4 * (bank[:, k] + bank[:, k - 1] / 2 + bank[:, k + 1] / 2)
    loud = expected > 1e-3
    assert loud.any()
    np.testing.assert_allclose(got[loud], expected[loud], rtol=1e-3)


@pytest.mark.parametrize("gain", [0.1, 3.0])
def test_a_gain_adds_its_logarithm_above_the_floor(gain: float) -> None:
    sound = 0.2 * torch.randn(1, 16000, generator=torch.Generator().manual_seed(0))
    front_end = MelFrontEnd(CONFIG)
    shift = front_end.log_mel(gain * sound) - front_end.log_mel(sound)
    assert torch.allclose(shift, torch.full_like(shift, float(np.log(gain))), atol=1e-4)


def test_a_shift_by_a_hop_shifts_the_log_mel_by_a_frame() -> None:
    sound = torch.randn(1, 16000, generator=torch.Generator().manual_seed(0))
    front_end = MelFrontEnd(CONFIG)
    whole, later = front_end.log_mel(sound), front_end.log_mel(sound[:, CONFIG.hop :])
    inner = slice(4, -4)  # away from the reflected ends
    assert torch.allclose(whole[:, :, 1:][:, :, inner], later[:, :, inner], atol=1e-4)


def test_slaneys_scale_is_linear_below_and_logarithmic_above_one_kilohertz() -> None:
    bank = filterbank(CONFIG)
    bins = np.arange(513) * 16000 / 1024
    centres = bins[bank.argmax(axis=1)]
    low, high = centres[centres < 900], centres[centres > 1200]
    assert np.abs(np.diff(low) - np.diff(low).mean()).max() <= 16  # to the width of a bin, 15.6 Hz
    ratios = high[1:] / high[:-1]
    assert ratios.std() < 0.015


def test_a_silent_band_is_not_blown_up() -> None:
    log_mels = torch.randn(20, 64, 30, generator=torch.Generator().manual_seed(0))
    log_mels[:, 5] = -11.5
    std = measured(CONFIG, log_mels).std
    assert std[5] == pytest.approx(0.1 * float(log_mels.double().std()), abs=1e-5)
    assert std[6] == pytest.approx(float(log_mels[:, 6].double().std()), abs=1e-5)
