"""Front ends restated frame by frame in plain NumPy, and their rules for length and level."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers.audio_utils import mel_filter_bank

from clipsonic_eval.encoders._logmel import LogMel
from clipsonic_eval.encoders.passt import frontend as passt
from clipsonic_eval.encoders.toy import frontend as toy
from clipsonic_eval.encoders.vggish import frontend as vggish
from clipsonic_eval.errors import ShapeError


def noise(n: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return 0.2 * rng.standard_normal(n) * (1.2 + np.sin(np.arange(n) / 500))


def spectra(wave: np.ndarray, window: np.ndarray, hop: int, n_fft: int) -> np.ndarray:
    """Magnitudes of frames that lie inside the signal, (frames, n_fft / 2 + 1), one after the other."""
    starts = range(0, len(wave) - len(window) + 1, hop)
    return np.stack([np.abs(np.fft.rfft(wave[s : s + len(window)] * window, n_fft)) for s in starts])


def hann(n: int, *, periodic: bool) -> np.ndarray:
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n) / (n if periodic else n - 1))


def test_vggish_patches_are_the_published_formula() -> None:
    wave = noise(31000)
    bank = mel_filter_bank(257, 64, 125, 7500, 16000, mel_scale="kaldi", triangularize_in_mel_space=True)
    bank[0] = 0
    frames = np.log(spectra(wave, hann(400, periodic=True), 160, 512) @ bank + 0.01)
    found = vggish.patches(wave, 96)
    assert found.shape == (2, 96, 64)
    np.testing.assert_allclose(found, frames[:192].reshape(2, 96, 64), atol=1e-5)
    half = vggish.patches(wave, 48)
    np.testing.assert_array_equal(half[::2], found)
    np.testing.assert_allclose(half[1], frames[48:144], atol=1e-5)


def test_vggish_in_float32_differs_by_rounding_only() -> None:
    wave = noise(16000)
    single = vggish.patches(wave.astype(np.float32), 96)
    assert 0 < np.abs(single - vggish.patches(wave, 96)).max() < 1e-4


def test_passts_log_mel_is_kaldis_of_the_emphasised_signal() -> None:
    wave = noise(16000)
    emphasised = wave[1:] - 0.97 * wave[:-1]
    padded = np.pad(emphasised, 512, mode="reflect")
    window = np.pad(hann(800, periodic=False), 112)  # centred in the transform
    power = spectra(padded, window, 320, 1024) ** 2
    bank = mel_filter_bank(513, 128, 0, 15000, 32000, mel_scale="kaldi", triangularize_in_mel_space=True)
    bank[-1] = 0
    expected = (np.log(power @ bank + 1e-5) + 4.5) / 5
    found = passt.log_mel(torch.from_numpy(wave)[None])[0].numpy().T
    assert found.shape == expected.shape == (50, 128)
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("scale", ["slaney", "htk"])
def test_decibels_of_clap_and_panns_are_those_of_a_plain_transform(scale: str) -> None:
    wave = noise(9600)
    front = LogMel(48000, 1024, 480, 50, 14000, scale)  # type: ignore[arg-type]
    power = spectra(np.pad(wave, 512, mode="reflect"), hann(1024, periodic=True), 480, 1024) ** 2
    norm = "slaney" if scale == "slaney" else None
    bank = mel_filter_bank(513, 64, 50, 14000, 48000, mel_scale=scale, norm=norm)
    found = front(torch.from_numpy(wave)[None])[0].numpy()
    np.testing.assert_allclose(found, 10 * np.log10(np.maximum(power @ bank, 1e-10)), atol=1e-4)


def test_the_name_of_a_log_mel_states_all_its_settings() -> None:
    assert str(LogMel(48000, 1024, 480, 50, 14000)) == "64-slaney,50-14000Hz,hop480,win1024,power,db-floor-100"
    fronts = {
        str(LogMel(*sizes))
        for sizes in [(48000, 1024, 480, 50, 14000), (48000, 512, 480, 50, 14000), (48000, 1024, 320, 50, 14000)]
    }
    assert len(fronts) == 3


def test_the_toy_log_mel_is_standardised_magnitude() -> None:
    wave = noise(toy.WINDOW).astype(np.float32)
    padded = np.pad(wave.astype(np.float64), (256, 96))
    magnitude = spectra(padded, hann(512, periodic=True), 160, 512)
    bank = mel_filter_bank(257, 64, 50, 8000, 16000, mel_scale="htk", norm=None)
    expected = (np.log(np.maximum(magnitude @ (bank / bank.sum(axis=0)) / 128, 1e-5)) + 5) / 3
    found = toy.log_mel(wave[None])[0, 0].T
    assert found.shape == (96, 64)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    np.testing.assert_allclose(toy.log_mel(np.zeros((1, toy.WINDOW), np.float32)), (np.log(1e-5) + 5) / 3, rtol=1e-6)


@given(st.integers(1, 80000))
@settings(max_examples=40)
def test_toy_windows_cover_all_audio_and_end_with_it(n: int) -> None:
    wave = np.arange(1, n + 1, dtype=np.float32)
    found = toy.windows(wave)
    assert found.shape == (-(-n // toy.WINDOW), toy.WINDOW)
    assert set(found[found > 0].astype(int)) == set(range(1, n + 1))
    assert found[-1].max() == n
    with pytest.raises(ShapeError, match="at least one sample"):
        toy.windows(wave[:0])


@given(st.integers(1, 100), st.integers(1, 100))
@settings(max_examples=30)
def test_squares_are_the_centre_of_any_image(height: int, width: int) -> None:
    image = np.full((height, width, 3), 7, np.uint8)
    found = toy.squares([image])[0]
    assert found.shape == (48, 48, 3)
    assert (found == 7).all()


def test_image_tensors_lie_between_minus_two_and_two() -> None:
    pixels = np.zeros((2, 48, 48, 3), np.uint8)
    pixels[1] = 255
    pixels[1, 3, 5, 2] = 0
    found = toy.image_tensor(pixels)
    assert found.shape == (2, 3, 48, 48)
    assert (float(found.min()), float(found.max())) == (-2, 2)
    assert float(found[1, 2, 3, 5]) == -2
    assert toy.squares([]).shape == (0, 48, 48, 3)
