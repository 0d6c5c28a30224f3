"""Variance-preserving diffusion with v-prediction: the schedule, the identities and the training loss.

``x_t = alpha_t x_0 + sigma_t eps`` with ``alpha_t = sqrt(alpha_bar_t)``, ``sigma_t = sqrt(1 - alpha_bar_t)``,
t = 0 .. T-1; the network predicts ``v = alpha_t eps - sigma_t x_0`` (Salimans and Ho 2022, section 4 and appendix D).
Tables are float64.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch

from clipsonic_eval.arraytypes import Float64
from clipsonic_eval.errors import ConfigError

Predictor = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


@dataclass(frozen=True, slots=True)
class DiffusionConfig:
    """How noise is added and how the loss is weighted.

    Attributes:
        steps: T, the number of noise levels.
        schedule: ``squaredcos_cap_v2`` is Nichol and Dhariwal's cosine schedule with beta capped at 0.999.
        weighting: ``uniform``: the mean squared error of v as it is (in terms of x_0, a weight of SNR + 1).
            ``min-snr``: v's error times ``min(SNR, gamma) / (SNR + 1)`` (Hang et al. 2023).
        min_snr_gamma: gamma of the latter.
        timesteps: how t is drawn in training: ``uniform``, or ``logit-normal`` (t / T = sigmoid of a standard normal:
            more of the middle, fewer of the ends). Either way stratified over the batch, which lowers the variance
            of the gradient and leaves each item's distribution as it is.
        clamp_x0: in sampling, keep the predicted clean log-mel in the range that the training data had.
    """

    steps: int = 1000
    schedule: Literal["squaredcos_cap_v2"] = "squaredcos_cap_v2"
    weighting: Literal["uniform", "min-snr"] = "uniform"
    min_snr_gamma: float = 5.0
    timesteps: Literal["uniform", "logit-normal"] = "uniform"
    clamp_x0: bool = True

    def __post_init__(self) -> None:
        if self.steps < 2 or self.min_snr_gamma <= 0:
            raise ConfigError("diffusion: steps must be at least 2 and min_snr_gamma above 0")


def cosine_alpha_bar(steps: int) -> Float64:
    """Return alpha_bar of the cosine schedule, (steps,) float64.

    ``beta_t = min(1 - f((t+1)/T) / f(t/T), 0.999)`` with ``f(u) = cos^2(pi/2 (u + 0.008) / 1.008)``, and
    ``alpha_bar_t`` the product of ``1 - beta`` up to and including t.

    Source: Nichol and Dhariwal, Improved Denoising Diffusion Probabilistic Models, 2021, section 3.2.
    """
    u = np.arange(steps + 1, dtype=np.float64) / steps
    f = np.cos((u + 0.008) / 1.008 * np.pi / 2) ** 2
    betas = np.minimum(1.0 - f[1:] / f[:-1], 0.999)
    table: Float64 = np.cumprod(1.0 - betas)
    return table


class Diffusion:
    """The tables of one schedule on one device."""

    def __init__(self, config: DiffusionConfig, device: str | torch.device = "cpu") -> None:
        self.config = config
        self.alpha_bar = torch.tensor(cosine_alpha_bar(config.steps), dtype=torch.float64, device=device)
        self._alpha = self.alpha_bar.sqrt()
        self._sigma = (1.0 - self.alpha_bar).sqrt()

    def _at(self, t: torch.Tensor, like: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        shape = (-1,) + (1,) * (like.ndim - 1)
        return self._alpha[t].to(like.dtype).view(shape), self._sigma[t].to(like.dtype).view(shape)

    def noised(self, x0: torch.Tensor, eps: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        """Return x_t for data and noise of one shape (b, ...) and integer t (b,)."""
        alpha, sigma = self._at(t, x0)
        return alpha * x0 + sigma * eps

    def velocity(self, x0: torch.Tensor, eps: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        """Return v, the network's target."""
        alpha, sigma = self._at(t, x0)
        return alpha * eps - sigma * x0

    def x0_from_v(self, x_t: torch.Tensor, v: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        """Return the clean data that x_t and v stand for: ``alpha x_t - sigma v``."""
        alpha, sigma = self._at(t, x_t)
        return alpha * x_t - sigma * v

    def eps_from_v(self, x_t: torch.Tensor, v: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        """Return the noise that x_t and v stand for: ``sigma x_t + alpha v``."""
        alpha, sigma = self._at(t, x_t)
        return sigma * x_t + alpha * v

    def weight(self, t: torch.Tensor) -> torch.Tensor:
        """Return the loss weight of each t, (b,) float64; see :class:`DiffusionConfig`."""
        if self.config.weighting == "uniform":
            return torch.ones_like(self.alpha_bar[t])
        snr = self.alpha_bar[t] / (1.0 - self.alpha_bar[t])
        return snr.clamp(max=self.config.min_snr_gamma) / (snr + 1.0)

    def draw_timesteps(self, n: int, generator: torch.Generator) -> torch.Tensor:
        """Return (n,) integer t, stratified: item i's quantile lies in the i-th n-th of [0, 1) after a common shift."""
        device = generator.device
        shift = torch.rand((), generator=generator, device=device, dtype=torch.float64)
        quantile = (torch.arange(n, device=device, dtype=torch.float64) / n + shift) % 1.0
        if self.config.timesteps == "logit-normal":
            quantile = torch.special.expit(torch.special.ndtri(quantile.clamp(1e-9, 1 - 1e-9)))
        return (quantile * self.config.steps).long().clamp(max=self.config.steps - 1)

    def loss(self, predict_v: Predictor, x0: torch.Tensor, eps: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        """Return the weighted mean squared error of v, one number.

        Args:
            predict_v: (x_t, t) -> v.
            x0: (b, ...) clean data at the network's scale.
            eps: standard normal, the same shape.
            t: (b,) integers.
        """
        error = predict_v(self.noised(x0, eps, t), t).float() - self.velocity(x0, eps, t)
        per_item = error.square().flatten(1).mean(dim=1)
        if self.config.weighting == "uniform":
            return per_item.mean()
        return (per_item * self.weight(t).to(per_item.dtype)).mean()


def guided(cond: torch.Tensor, uncond: torch.Tensor, w: float) -> torch.Tensor:
    """Return classifier-free guidance ``uncond + w (cond - uncond)``: w = 1 is no guidance, w = 0 no condition.

    Source: Ho and Salimans 2022, whose own weight is w - 1 here.
    """
    return uncond + w * (cond - uncond)
