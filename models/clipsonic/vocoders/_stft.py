"""The inverse of the short-time Fourier transform in the framing of the mel front end: no centring."""

from __future__ import annotations

import torch


def inverse_stft(spectrum: torch.Tensor, window: torch.Tensor, hop: int) -> torch.Tensor:
    """Return the waveforms whose windowed frames are nearest to those of spectra, by least-squares overlap-add.

    Args:
        spectrum: (b, m, n_fft / 2 + 1) complex64.
        window: (n_fft,), of the frames and of their sum.
        hop: samples between frames.

    Returns:
        (b, (m - 1) * hop + n_fft).

    Source: Griffin and Lim 1984, equation 6.
    """
    # x[n] = Σ_m w[n − m hop] y_m[n − m hop] / Σ_m w²[n − m hop]
    frames = torch.fft.irfft(spectrum, n=len(window)) * window
    squares = (window**2).expand(1, spectrum.shape[1], -1)
    # only the edge of a window covers the first and last samples; they lie in the padding, cut off later
    return overlap_add(frames, hop) * (1.0 / overlap_add(squares, hop).clamp(min=1e-4))


def overlap_add(frames: torch.Tensor, hop: int) -> torch.Tensor:
    """Return the sum of overlapping frames.

    Args:
        frames: (b, n, width), starting every ``hop`` samples.
        hop: samples.

    Returns:
        (b, (n - 1) * hop + width).

    Example:
        >>> overlap_add(torch.ones(1, 3, 4), hop=2)
        tensor([[1., 1., 2., 2., 2., 2., 1., 1.]])
    """
    b, n, width = frames.shape
    blocks = -(-width // hop)  # of hop samples in a frame, the last perhaps shorter
    total = frames.new_zeros(b, n + blocks - 1, hop)
    for block in range(blocks):
        part = frames[:, :, block * hop : (block + 1) * hop]
        total[:, block : block + n, : part.shape[2]] += part
    return total.view(b, -1)[:, : (n - 1) * hop + width]
