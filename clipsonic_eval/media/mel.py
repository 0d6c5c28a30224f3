"""Mel scales and mel filter banks: the one place for all log-mel spectrograms of the project.

Three scales are in use, and toolkits differ in which (f in Hz):

- ``slaney``: m = 3 f / 200 below 1 kHz, m = 15 + 27 ln(f / 1000) / ln 6.4 above. M. Slaney, Auditory Toolbox, Interval
  Research technical report 1998-010; librosa's default.
- ``htk``: m = 2595 log10(1 + f / 700). S. Young et al., The HTK Book; torchaudio's default.
- ``kaldi``: m = 1127 ln(1 + f / 700), 2595 / ln 10 rounded. D. Povey et al., The Kaldi Speech Recognition Toolkit, ASRU
  2011; also the front end of VGGish.

A bank has ``n_mels`` overlapping triangles whose corners are equally spaced in mel. Their flanks are straight in hertz
(librosa, torchaudio), or in mel (Kaldi, VGGish).
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from clipsonic_eval.arraytypes import Float64
from clipsonic_eval.errors import ConfigError

MelScale = Literal["slaney", "htk", "kaldi"]
_SLANEY_BREAK_HZ, _SLANEY_BREAK_MEL = 1000.0, 15.0
_SLANEY_STEP = np.log(6.4) / 27.0  # ln(Hz) per mel above the break


def hz_to_mel(hz: npt.ArrayLike, scale: MelScale) -> Float64:
    """Return frequencies on a mel scale.

    Args:
        hz: any shape, Hz, not negative.
        scale: see the module.

    Returns:
        Same shape, float64, mel.

    Examples:
        >>> hz_to_mel([0, 1000, 6400], "slaney")
        array([ 0., 15., 42.])
        >>> float(hz_to_mel(1000, "htk").round(2)), float(hz_to_mel(1000, "kaldi").round(2))
        (999.99, 999.99)
    """
    f = np.asarray(hz, np.float64)
    if scale == "htk":
        return np.asarray(2595.0 * np.log10(1.0 + f / 700.0))  # m = 2595 log10(1 + f/700)
    if scale == "kaldi":
        return np.asarray(1127.0 * np.log(1.0 + f / 700.0))  # m = 1127 ln(1 + f/700)
    linear = f / (200.0 / 3.0)  # m = 3 f / 200
    # m = 15 + 27 ln(f/1000) / ln 6.4
    above = _SLANEY_BREAK_MEL + np.log(np.maximum(f, 1e-10) / _SLANEY_BREAK_HZ) / _SLANEY_STEP
    return np.where(f < _SLANEY_BREAK_HZ, linear, above)


def mel_to_hz(mel: npt.ArrayLike, scale: MelScale) -> Float64:
    """Return the frequencies of points on a mel scale, the inverse of :func:`hz_to_mel`.

    Args:
        mel: any shape, mel, not negative.
        scale: see the module.

    Returns:
        Same shape, float64, Hz.

    Examples:
        >>> mel_to_hz([15, 42], "slaney").round(6)
        array([1000., 6400.])
    """
    m = np.asarray(mel, np.float64)
    if scale == "htk":
        return np.asarray(700.0 * (10.0 ** (m / 2595.0) - 1.0))  # f = 700 (10^(m/2595) − 1)
    if scale == "kaldi":
        return np.asarray(700.0 * np.expm1(m / 1127.0))  # f = 700 (e^(m/1127) − 1)
    linear = m * (200.0 / 3.0)  # f = 200 m / 3
    above = _SLANEY_BREAK_HZ * np.exp((m - _SLANEY_BREAK_MEL) * _SLANEY_STEP)  # f = 1000 · 6.4^((m − 15)/27)
    return np.where(m < _SLANEY_BREAK_MEL, linear, above)


def mel_filter_bank(
    sample_rate: int,
    n_fft: int,
    n_mels: int,
    fmin: float,
    fmax: float,
    *,
    scale: MelScale,
    flanks: Literal["hz", "mel"] = "hz",
    unit_area: bool = False,
) -> Float64:
    """Return triangular weights from the bins of a spectrum to mel bands.

    Args:
        sample_rate: Hz.
        n_fft: samples of the Fourier transform.
        n_mels: bands.
        fmin: lower corner of the lowest band, Hz.
        fmax: upper corner of the highest band, Hz.
        scale: on which the corners are equally spaced.
        flanks: on which axis the flanks are straight.
        unit_area: triangles of area 1 in Hz (Slaney's normalisation) instead of height 1.

    Returns:
        (n_fft / 2 + 1, n_mels) float64, not negative. A narrow low band may fall between two bins and be all zeros.

    Raises:
        ConfigError: the corners are not 0 <= fmin < fmax <= sample_rate / 2.

    Examples:
        >>> bank = mel_filter_bank(16000, 8, 2, 0, 8000, scale="htk")
        >>> bank.shape
        (5, 2)
        >>> bank.round(2)
        array([[0.  , 0.  ],
               [0.49, 0.51],
               [0.  , 0.81],
               [0.  , 0.4 ],
               [0.  , 0.  ]])
    """
    if not 0 <= fmin < fmax <= sample_rate / 2:
        raise ConfigError(f"mel: 0 <= fmin < fmax <= sample_rate / 2, got {fmin:g} and {fmax:g} Hz at {sample_rate} Hz")
    low_mel, high_mel = hz_to_mel([fmin, fmax], scale)
    corners = np.linspace(low_mel, high_mel, n_mels + 2)  # mel
    bins = np.arange(n_fft // 2 + 1) * sample_rate / n_fft  # Hz
    if flanks == "hz":
        corners = mel_to_hz(corners, scale)
    else:
        bins = hz_to_mel(bins, scale)
    low, peak, high = corners[:-2], corners[1:-1], corners[2:]
    rising = (bins[:, None] - low) / (peak - low)
    falling = (high - bins[:, None]) / (high - peak)
    bank: Float64 = np.maximum(0.0, np.minimum(rising, falling))
    return bank * (2.0 / (high - low)) if unit_area else bank  # a triangle of height 1 has area (high − low) / 2
