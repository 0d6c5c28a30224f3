"""Griffin-Lim vocoder, without training: a linear magnitude spectrogram that explains the mel, then consistent phases.

1. Magnitudes: the pseudo-inverse of the mel filter bank gives an initial estimate, multiplicative updates (Lee and
   Seung 2001) refine it to a non-negative least-squares fit.
2. Phases: *fast* Griffin-Lim (Perraudin, Balazs and Sondergaard 2013) with momentum 0.99 from random phases.

STFT and inverse use the framing of the front end (reflect padding, no centring), or every
``stride``-th frame of it, so that frames stay aligned.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import torch

from clipsonic.mel import MelConfig, filterbank
from clipsonic.vocoders import VOCODERS, check_request
from clipsonic.vocoders._stft import inverse_stft
from clipsonic_eval.errors import ConfigError
from clipsonic_eval.seeds import derive


@VOCODERS.register("griffin-lim")
class GriffinLim:
    """See the module; interface :class:`clipsonic.vocoders.Vocoder`.

    Args:
        mel: layout of the log-mels.
        iterations: of the phase retrieval.
        stride: phases are found for every so many frames of the mel. At 2, windows of the default layout still overlap
            by 69 %, and an iteration costs half.
        momentum: of fast Griffin-Lim; 0 is the plain algorithm.
        updates: multiplicative updates of the magnitudes.
        chunk: clips processed together; few, so that they stay in the processor's cache.
        device: of the transforms.

    Raises:
        ConfigError: a number is not whole or too small, or windows at this stride overlap by less than half.
    """

    def __init__(
        self,
        mel: MelConfig,
        *,
        iterations: int = 16,
        stride: int = 1,
        momentum: float = 0.99,
        updates: int = 8,
        chunk: int = 8,
        device: str | torch.device = "cpu",
    ) -> None:
        for name, number, least in (("iterations", iterations, 0), ("updates", updates, 0), ("chunk", chunk, 1)):
            if not isinstance(number, int) or number < least:
                raise ConfigError(f"griffin-lim: {name} must be a whole number of at least {least}, got {number!r}")
        if not 1 <= stride <= mel.n_fft // (2 * mel.hop):
            raise ConfigError(f"griffin-lim: stride must be 1 to {mel.n_fft // (2 * mel.hop)}, got {stride}")
        self.mel = replace(mel, mean=(), std=())
        self.iterations, self.momentum, self.updates, self.chunk = iterations, momentum, updates, chunk
        self.stride, self._hop = stride, stride * mel.hop
        self.device = torch.device(device)
        bank = torch.tensor(filterbank(self.mel))
        self._bank = bank.float().to(self.device)
        # singular values below 1e-2 of the largest only carry noise; the updates restore what is lost
        self._inverse = torch.linalg.pinv(bank, rtol=1e-2).float().to(self.device)
        self._window = torch.hann_window(mel.n_fft, periodic=True, device=self.device)

    def card(self) -> dict[str, Any]:
        """Return name and settings."""
        settings = {name: getattr(self, name) for name in ("iterations", "momentum", "updates", "chunk")}
        if self.stride != 1:
            settings["stride"] = self.stride
        return {"name": "griffin-lim", **settings, "mel": asdict(self.mel)}

    def __call__(self, log_mel: torch.Tensor, seeds: Sequence[int]) -> torch.Tensor:
        """Return waveforms (b, frames * hop) float32 of log-mels (b, n_mels, frames), nats, and b seeds.

        Raises:
            ShapeError: the log-mels are not (b, n_mels, frames) with b seeds.
        """
        check_request("griffin-lim", log_mel, seeds, self.mel.n_mels)
        if not len(seeds):
            return torch.zeros(0, self.mel.samples(log_mel.shape[2]))
        parts = []
        kept = self._kept(log_mel.shape[2])
        for start in range(0, len(seeds), self.chunk):
            stop = start + self.chunk
            magnitude = self.magnitude(log_mel[start:stop, :, kept].to(self.device, torch.float32))
            parts.append(self._waveform(magnitude, seeds[start:stop], log_mel.shape[2]).cpu())
        return torch.cat(parts)

    def magnitude(self, log_mel: torch.Tensor) -> torch.Tensor:
        """Return non-negative STFT magnitudes whose mel spectrogram is near the one given.

        Args:
            log_mel: (b, n_mels, frames) float32, nats.

        Returns:
            (b, frames, n_fft / 2 + 1) float32.
        """
        mel = log_mel.exp().transpose(1, 2)
        mel = (mel - self.mel.floor).clamp(min=0.0)  # the floor of the logarithm is not part of the signal
        magnitude = torch.matmul(mel, self._inverse.T).clamp(min=1e-9)  # S ← max(B⁺ M, 0)
        target = torch.matmul(mel, self._bank)  # Bᵀ M
        for _ in range(self.updates):  # S ← S ⊙ Bᵀ M / Bᵀ B S
            magnitude = magnitude * target / torch.matmul(torch.matmul(magnitude, self._bank.T), self._bank).add_(1e-12)
        return magnitude

    def _waveform(self, magnitude: torch.Tensor, seeds: Sequence[int], frames: int) -> torch.Tensor:
        """Return waveforms (b, frames * hop) of magnitudes (b, m, n_fft / 2 + 1), phases from random ones on."""
        angles = torch.stack(
            [
                torch.rand(magnitude.shape[1:], generator=torch.Generator().manual_seed(derive(int(s), "", "phase")))
                for s in seeds
            ]
        ).to(self.device)
        spectrum = torch.polar(magnitude, angles * (2 * torch.pi))  # c_0 = S e^(iφ), φ ~ Uniform[0, 2π)
        previous = torch.zeros_like(spectrum)
        momentum = self.momentum / (1 + self.momentum)
        for _ in range(self.iterations):
            # t_n = STFT(ISTFT(c_n)),  c_{n+1} = S ⊙ (t_n − m t_{n−1}) / |t_n − m t_{n−1}|,  m = α / (1 + α)
            rebuilt = self._stft(inverse_stft(spectrum, self._window, self._hop))
            direction = torch.sub(rebuilt, previous, alpha=momentum).sgn_()
            torch.view_as_real(direction).mul_(magnitude[..., None])
            previous, spectrum = rebuilt, direction
        padded = inverse_stft(spectrum, self._window, self._hop)
        return padded[:, self.mel.pad : self.mel.pad + self.mel.samples(frames)]

    def _kept(self, frames: int) -> torch.Tensor:
        """Return the frames that phases are found for, (m,) int64; the last is repeated until the end is covered."""
        after_first = self.mel.pad + self.mel.samples(frames) - self.mel.n_fft  # samples beyond the first frame
        m = max(-(-frames // self.stride), -(-after_first // self._hop) + 1)
        return (torch.arange(m) * self.stride).clamp(max=frames - 1)

    def _stft(self, padded: torch.Tensor) -> torch.Tensor:
        """Return spectra (b, m, n_fft / 2 + 1) complex64 of padded waveforms (b, (m - 1) * stride * hop + n_fft)."""
        return torch.fft.rfft(padded.unfold(1, self.mel.n_fft, self._hop) * self._window)
