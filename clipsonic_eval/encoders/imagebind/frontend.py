"""ImageBind's front ends: log-mel spectrograms of windows of a sound, pixels of images, crops of pairs of frames."""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from typing import Final, Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from clipsonic_eval.arraytypes import Float32, Float64, UInt8
from clipsonic_eval.media.mel import mel_filter_bank
from clipsonic_eval.media.squares import Square

RATE: Final = 16000  # Hz
WINDOW_S: Final = 2  # of sounds and videos
SOUND_WINDOWS: Final = 3
VIDEO_WINDOWS: Final = 5
Frames = Literal["imagebind", "av-benchmark"]  # of a video
PAIRS: Final[dict[Frames, int]] = {"imagebind": VIDEO_WINDOWS, "av-benchmark": 3}  # of frames
CROPS: Final = 3
SIDE: Final = 224  # pixels
SQUARE: Final = Square(SIDE, "floor", "half-even")
N_MELS: Final = 128
FRAMES: Final = 204  # of a spectrogram; 2 s have 198, the rest is zero
_FRAME, _HOP, _FFT = 400, 160, 512  # samples
_EMPHASIS: Final = 0.97
_BEFORE: Final = 1e-4  # seconds
_FLOOR: Final = float(np.finfo(np.float32).eps)
_MEAN, _STD = -4.268, 9.138  # of log-mels
_COLOURS: Final = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))  # mean, deviation
SOUND_SIGNATURE: Final = (
    "win:3x2,spread-over-the-clip|mel:128-kaldi,20-8000Hz,hop160,win400,fft512,emphasis0.97,log-floor-eps,pad-204"
)
IMAGE_SIGNATURE: Final = "image:short-side-224-bicubic-pil,centre-224,clip-colours"
VIDEO_SIGNATURES: Final[dict[Frames, str]] = {
    "imagebind": "video:5x2s,first-and-last-frame,short-side-224-bilinear,3-crops",
    "av-benchmark": "video:4-frames-of-8s,neighbours,short-side-224-bicubic-pil,3-crops",
}


def window_starts(n: int) -> list[int]:
    """Return where the windows of a sound of n samples begin, as pytorchvideo's sampler and Python's rounding say."""
    latest = Fraction(max(n / RATE - WINDOW_S, 0.0))
    return [int(latest / (SOUND_WINDOWS - 1) * k * RATE) for k in range(SOUND_WINDOWS)]


def frame_times(duration_s: float, rule: Frames = "imagebind") -> list[float]:
    """Return the times in seconds at which a video of this length is read.

    Args:
        duration_s: of the video.
        rule: ``imagebind``: first and last frame of 5 windows of 2 s; ``av-benchmark``: the four frames that FFmpeg's
            filter ``fps=0.5`` takes of 8 s, the last ones before 1, 3, 5 and 7 s.
    """
    if rule == "av-benchmark":
        return [1 - 1e-3, 3 - 1e-3, 5 - 1e-3, 7 - 1e-3]
    latest = max(duration_s - WINDOW_S, 0.0) / (VIDEO_WINDOWS - 1)
    # pytorchvideo takes the frames of [start, end): the last one begins before the end
    times = [(k * latest, min(k * latest + WINDOW_S, duration_s) - _BEFORE) for k in range(VIDEO_WINDOWS)]
    return [time for window in times for time in window]


@lru_cache(maxsize=1)
def mel_filters() -> Float64:
    """Return Kaldi's mel filter bank, (257, 128) float64."""
    bank = mel_filter_bank(RATE, _FFT, N_MELS, 20.0, RATE / 2, scale="kaldi", flanks="mel")
    bank[-1] = 0  # Kaldi leaves out the bin at half the sample rate
    return bank


def spectrograms(wave: Float32) -> Tensor:
    """Return the normalised log-mels of a sound's windows.

    Args:
        wave: (n,) at 16 kHz, n >= 1.

    Returns:
        (3, 1, 128, 204) float32; a window below 25 ms is filled up with zeros to one frame.
    """
    size = WINDOW_S * RATE
    found = []
    for start in window_starts(len(wave)):
        window = torch.from_numpy(wave[start : start + size].astype(np.float32))
        frames = F.pad(window, (0, max(0, _FRAME - len(window)))).unfold(0, _FRAME, _HOP)
        frames = frames - frames.mean(dim=1, keepdim=True)
        before = torch.cat([frames[:, :1], frames[:, :-1]], dim=1)
        emphasised = frames - _EMPHASIS * before  # y[t] = x[t] − 0.97 x[t−1], within a frame
        spectrum = torch.view_as_real(torch.fft.rfft(emphasised * torch.hann_window(_FRAME, periodic=False), _FFT))
        power = spectrum.square().sum(dim=-1)  # |X|²
        mel = (power @ torch.from_numpy(mel_filters()).float()).clamp(min=_FLOOR).log()
        found.append(F.pad(mel.T, (0, FRAMES - len(mel)))[None])
    return (torch.stack(found) - _MEAN) / _STD


def pixels(image: UInt8) -> Tensor:
    """Return an RGB image (height, width, 3) as (1, 3, 224, 224) normalised: short side 224, centre crop."""
    return _normalised(torch.from_numpy(SQUARE.cut(image).copy())[None])


def clips(frames: list[UInt8], rule: Frames = "imagebind") -> Tensor:
    """Return the crops of a video's pairs of frames.

    Args:
        frames: (height, width, 3) uint8, at the times of :func:`frame_times`.
        rule: ``imagebind``: a pair for each window, resized by torch's bilinear filter; ``av-benchmark``: each frame
            with the next one, resized by Pillow's bicubic filter.

    Returns:
        (pairs · 3, 3, 2, 224, 224) float32, crops from left to right or from top to bottom.
    """
    if rule == "av-benchmark":
        x = _normalised(torch.from_numpy(np.stack([np.array(SQUARE.resized(frame)) for frame in frames])))
        pairs = torch.stack([x[:-1], x[1:]], dim=1)
    else:
        x = _normalised(torch.from_numpy(np.stack(frames)))  # (2 windows, 3, height, width)
        height, width = x.shape[-2:]
        size = (int(height / width * SIDE), SIDE) if width < height else (SIDE, int(width / height * SIDE))
        x = F.interpolate(x, size=size, mode="bilinear", align_corners=False)
        pairs = x.unflatten(0, (-1, 2))
    pairs = pairs.transpose(1, 2)  # (pairs, 3, 2, height, width)
    height, width = pairs.shape[-2:]
    spare = max(height, width) - SIDE
    offsets = (0, -(-spare // 2), spare)
    parts = [pairs.narrow(3 if height > width else 4, offset, SIDE) for offset in offsets]
    return torch.stack(parts, dim=1).flatten(0, 1)


def _normalised(images: Tensor) -> Tensor:
    """Return uint8 images (n, height, width, 3) as normalised (n, 3, height, width) float32."""
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in _COLOURS)
    return (images.permute(0, 3, 1, 2).float() / 255 - mean) / std
