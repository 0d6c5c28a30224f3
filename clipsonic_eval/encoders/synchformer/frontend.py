"""Synchformer's front ends: log-mel spectrograms of segments of a sound, pixels of segments of a video."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from clipsonic_eval.arraytypes import Float32, Float64, UInt8
from clipsonic_eval.media.mel import mel_filter_bank
from clipsonic_eval.media.squares import Square

RATE: Final = 16000  # Hz
FPS: Final = 25  # frames of a video per second
COMPARED: Final = 14  # segments at a time
SQUARE: Final = Square(224, "floor", "half-even")
SAMPLES: Final = 10240  # of a segment, 0.64 s
IMAGES: Final = 16  # of a segment, 0.64 s
SHORTEST_S: Final = (SAMPLES + (COMPARED - 1) * SAMPLES // 2) / RATE  # 4.8
SOUND_SIGNATURE: Final = "mel:128-htk,0-8000Hz,hop160,win400,fft1024,log+1e-6,pad-66"
VIDEO_SIGNATURE: Final = "video:25fps,short-side-224-bicubic-pil,centre-224,half-scale"
_FRAMES: Final = 66  # of a segment's spectrogram; 0.64 s have 65, the rest is zero
_FFT, _WINDOW, _HOP, _MELS = 1024, 400, 160, 128
_BEFORE: Final = 1e-4  # seconds
_MEAN, _STD = -4.2677393, 4.5689974  # of log-mels


def segments(seconds: float) -> int:
    """Return how many segments there are in so many seconds, at least the 14 that are compared at a time."""
    fit = (round(seconds * RATE) - SAMPLES) // (SAMPLES // 2) + 1
    return max(COMPARED, fit)


def frame_times(seconds: float) -> list[float]:
    """Return the times in seconds of the frames of all segments, those that FFmpeg's filter ``fps=25`` takes."""
    count = IMAGES + (segments(seconds) - 1) * IMAGES // 2
    return [(k + 0.5) / FPS - _BEFORE for k in range(count)]  # the last frame that is nearer to k than to k + 1


@lru_cache(maxsize=1)
def mel_filters() -> Float64:
    """Return the mel filter bank, (513, 128) float64; as torchaudio's default."""
    return mel_filter_bank(RATE, _FFT, _MELS, 0.0, RATE / 2, scale="htk")


def spectrograms(wave: Float32, seconds: float) -> Tensor:
    """Return the normalised log-mels of a sound's segments.

    Args:
        wave: (n,) at 16 kHz, n >= 1.
        seconds: the most that is used.

    Returns:
        (segments, 128, 66) float32.
    """
    count = segments(min(seconds, len(wave) / RATE))
    length = SAMPLES + (count - 1) * SAMPLES // 2
    used = torch.from_numpy(wave[:length].astype(np.float32))
    parts = F.pad(used, (0, length - len(used))).unfold(0, SAMPLES, SAMPLES // 2)  # (segments, 10240)
    window = torch.hann_window(_WINDOW)
    spectrum = torch.view_as_real(
        torch.stft(parts, _FFT, _HOP, _WINDOW, window=window, pad_mode="reflect", return_complex=True)
    )
    power = spectrum.square().sum(dim=-1)  # |X|²
    mel = torch.from_numpy(mel_filters()).float().T @ power
    log = F.pad((mel + 1e-6).log(), (0, _FRAMES - mel.shape[-1]))
    return (log - _MEAN) / (2 * _STD)


def pixels(frames: Sequence[UInt8]) -> Tensor:
    """Return a video's frames as segments.

    Args:
        frames: (height, width, 3) uint8, at :func:`frame_times`.

    Returns:
        (segments, 3, 16, 224, 224) float32 in [-1, 1].
    """
    images = torch.from_numpy(np.stack([SQUARE.cut(frame) for frame in frames])).permute(3, 0, 1, 2)  # (3, t, 224, 224)
    scaled = (images.float() / 255 - 0.5) / 0.5
    return scaled.unfold(1, IMAGES, IMAGES // 2).permute(1, 0, 4, 2, 3)
