"""VGGish's front end: patches of 96 frames of a log-mel spectrogram with 64 bands.

16 kHz; frames of 400 samples (25 ms) every 160 (10 ms), periodic Hann window, Fourier transform of 512, magnitudes; 64
mel bands from 125 to 7500 Hz whose flanks are straight in mel; natural logarithm of the sum + 0.01. Frames that do not
fill a patch are dropped.

Source: the published front end (tensorflow/models, research/audioset/vggish: mel_features, vggish_params).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np

from clipsonic_eval.arraytypes import Float32, Float64, FloatArray
from clipsonic_eval.media.mel import mel_filter_bank

RATE: Final = 16000  # Hz
FRAMES, N_MELS = 96, 64  # of a patch
_WINDOW, _HOP, _FFT = 400, 160, 512  # samples
_FMIN, _FMAX, _OFFSET = 125.0, 7500.0, 0.01  # Hz, Hz, magnitude
SHORTEST = (FRAMES - 1) * _HOP + _WINDOW  # samples of one patch: 15,600


@lru_cache(maxsize=1)
def mel_filters() -> Float64:
    """Return the mel filter bank, (257, 64) float64."""
    bank = mel_filter_bank(RATE, _FFT, N_MELS, _FMIN, _FMAX, scale="kaldi", flanks="mel")
    bank[0] = 0.0  # the mean of the signal belongs to no band
    return bank


def patches(samples: FloatArray, hop_frames: int) -> Float32:
    """Return the log-mel patches of a mono signal.

    Args:
        samples: (n,) at 16 kHz, full scale 1; float64 for results equal to the published code's, float32 for speed.
        hop_frames: frames of 10 ms from patch to patch; 96: side by side.

    Returns:
        (patches, 96, 64) float32; none where n < 15,600.
    """
    if len(samples) < SHORTEST:
        return np.zeros((0, FRAMES, N_MELS), np.float32)
    window = (0.5 - 0.5 * np.cos(2 * np.pi / _WINDOW * np.arange(_WINDOW))).astype(samples.dtype)  # periodic Hann
    frames = np.lib.stride_tricks.sliding_window_view(samples, _WINDOW)[::_HOP] * window
    magnitude = np.abs(np.fft.rfft(frames, _FFT))  # |X|
    log_mel = np.log(magnitude @ mel_filters().astype(magnitude.dtype) + _OFFSET).astype(np.float32)  # ln(mel + 0.01)
    return np.ascontiguousarray(
        np.lib.stride_tricks.sliding_window_view(log_mel, FRAMES, axis=0)[::hop_frames].transpose(0, 2, 1)
    )
