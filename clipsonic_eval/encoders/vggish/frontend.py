"""Patches of log-mel as VGGish was trained on: 96 frames of 64 bands.

16 kHz; windows of 400 samples (25 ms) every 160 (10 ms), periodic Hann, transform of 512, magnitudes; 64 HTK mel bands
of 125-7500 Hz whose triangles are straight on the mel scale; natural logarithm of the sum + 0.01. Frames that do not
fill a patch are dropped.

Source: the published front end (tensorflow/models, research/audioset/vggish: mel_features, vggish_params).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from clipsonic_eval.arraytypes import Float32, Float64, FloatArray

RATE = 16000
FRAMES, BANDS = 96, 64
_WINDOW, _HOP, _FFT = 400, 160, 512
_LOW_HZ, _HIGH_HZ, _OFFSET = 125.0, 7500.0, 0.01
SHORTEST = (FRAMES - 1) * _HOP + _WINDOW  # samples of one patch: 15,600


def _mel(hz: Float64) -> Float64:
    """HTK's mel scale."""
    return np.asarray(1127.0 * np.log(1.0 + hz / 700.0))


@lru_cache(maxsize=1)
def mel_matrix() -> Float64:
    """Return the (257, 64) weights from magnitudes to bands."""
    low, high = _mel(np.array([_LOW_HZ, _HIGH_HZ])).tolist()
    edges = np.linspace(low, high, BANDS + 2)
    bins = _mel(np.linspace(0.0, RATE / 2, _FFT // 2 + 1))[:, None]
    rise = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    fall = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    matrix = np.maximum(0.0, np.minimum(rise, fall))
    matrix[0] = 0.0  # the mean of the signal belongs to no band
    return matrix


def patches(samples: FloatArray, hop_frames: int) -> Float32:
    """Return (patches, 96, 64) log-mels of a mono signal at 16 kHz, a patch every ``hop_frames`` frames.

    Args:
        samples: (n,), float64 for results equal to the published code's, float32 for speed.
        hop_frames: 96 for patches side by side.
    """
    if len(samples) < SHORTEST:
        return np.zeros((0, FRAMES, BANDS), np.float32)
    window = (0.5 - 0.5 * np.cos(2 * np.pi / _WINDOW * np.arange(_WINDOW))).astype(samples.dtype)
    frames = np.lib.stride_tricks.sliding_window_view(samples, _WINDOW)[::_HOP] * window
    magnitude = np.abs(np.fft.rfft(frames, _FFT))
    log_mel = np.log(magnitude @ mel_matrix().astype(magnitude.dtype) + _OFFSET).astype(np.float32)
    return np.ascontiguousarray(
        np.lib.stride_tricks.sliding_window_view(log_mel, FRAMES, axis=0)[::hop_frames].transpose(0, 2, 1)
    )
