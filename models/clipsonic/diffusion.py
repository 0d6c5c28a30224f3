"""Variance-preserving Gaussian diffusion: noise schedules, what the network predicts, training loss, guidance.

Notation, with ᾱ_t = Π_{s≤t} (1 − β_s), α_t = √ᾱ_t and σ_t = √(1 − ᾱ_t) for t = 0 … T−1::

    x_t = α_t x_0 + σ_t ε        noisy data, ε ~ N(0, I)
    v_t = α_t ε − σ_t x_0        what the network predicts, unless configured otherwise

Since α_t² + σ_t² = 1, (x_t, v_t) is a rotation of (x_0, ε), and each pair gives the other exactly. Tables are float64.

Flow matching (rectified flow) is one setting of this: its path (1 − u) x_0 + u ε, scaled to α_t² + σ_t² = 1, is the
schedule ``rectified-flow``, and its loss, the error of ε − x_0, is the error of v weighted by (α_t + σ_t)².

EDM's preconditioning is another: for data of unit deviation its network predicts −v (Karras et al. 2022, table 1, with
σ = σ_t / α_t), so that EDM's loss is the error of v, at its own distribution of noise levels.

Sources: Ho, Jain and Abbeel 2020 (DDPM); Nichol and Dhariwal 2021, section 3.2 (cosine schedule); Salimans and Ho 2022,
section 4 and appendix D (v-prediction); Hang et al. 2023 (min-SNR weighting); Liu, Gong and Liu 2023 (rectified flow);
Ho and Salimans 2022 (guidance); Karras, Aittala, Aila and Laine 2022 (EDM); Lin, Liu, Li and Yang 2024, algorithm 1
(zero terminal SNR).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch

from clipsonic_eval.arraytypes import Float64
from clipsonic_eval.errors import ConfigError

Predictor = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


@dataclass(frozen=True, slots=True)
class DiffusionConfig:
    """Noise schedule and loss weighting.

    Attributes:
        steps: T, the number of noise levels.
        schedule: ``squaredcos_cap_v2`` is the cosine schedule of Nichol and Dhariwal with β capped at 0.999,
            ``rectified-flow`` the straight path of flow matching.
        zero_terminal_snr: shift the schedule so that the highest noise level is noise alone.
        prediction: of the network: ``v``, the clean data ``x0``, or the noise ``eps``.
        weighting: ``uniform``: plain mean squared error of what the network predicts (of v, equal to weighting the
            error of x_0 by SNR + 1). The others weigh the same error whatever is predicted. ``min-snr``: the error of
            x_0 times min(SNR, γ). ``flow``: the error of ε − x_0. ``edm``: the error of x_0 times
            (σ² + σ_d²) / (σ σ_d)², where σ² is 1 / SNR. ``learned``: the error divided by its expected value at the
            noise level (EDM2), which training finds; audio models only.
        min_snr_gamma: γ of min-SNR weighting.
        sigma_data: σ_d of EDM's weighting; 1 is the plain error of v.
        timesteps: distribution of t in training: ``uniform``, ``logit-normal`` (t / T = sigmoid of a normal, more mass
            in the middle of the schedule), or ``log-normal`` (ln σ is normal, as in EDM: mean −1.2, deviation 1.2). All
            are stratified over the batch, which lowers the variance of the gradient and leaves the distribution of each
            item unchanged.
        timesteps_shift: mean of that normal; above 0 more mass at high noise.
        timesteps_scale: its deviation.
        timesteps_uniform: share of the items that are drawn uniformly all the same. Samples are told apart by class at
            the highest noise, where the logit-normal has almost no mass.
        clamp_x0: in sampling, clamp the predicted clean mel spectrogram to the range of the training data.
    """

    steps: int = 1000
    schedule: Literal["squaredcos_cap_v2", "rectified-flow"] = "squaredcos_cap_v2"
    zero_terminal_snr: bool = False
    prediction: Literal["v", "x0", "eps"] = "v"
    weighting: Literal["uniform", "min-snr", "flow", "edm", "learned"] = "uniform"
    min_snr_gamma: float = 5.0
    sigma_data: float = 0.5
    timesteps: Literal["uniform", "logit-normal", "log-normal"] = "uniform"
    timesteps_shift: float = 0.0
    timesteps_scale: float = 1.0
    timesteps_uniform: float = 0.0
    clamp_x0: bool = True

    def __post_init__(self) -> None:
        if self.steps < 2 or self.min_snr_gamma <= 0:
            raise ConfigError("diffusion: steps must be at least 2 and min_snr_gamma above 0")
        if not 0 <= self.timesteps_uniform <= 1:
            raise ConfigError("diffusion: timesteps_uniform must be in [0, 1]")
        if self.sigma_data <= 0 or self.timesteps_scale <= 0:
            raise ConfigError("diffusion: sigma_data and timesteps_scale must be above 0")
        if self.zero_terminal_snr and self.prediction == "eps":
            raise ConfigError("diffusion: at zero SNR the noise says nothing about the data; predict v or x0, not eps")
        if self.zero_terminal_snr and self.schedule == "rectified-flow":
            raise ConfigError("diffusion: zero_terminal_snr is for the cosine schedule; leave it out")


def cosine_alpha_bar(steps: int) -> Float64:
    """Return ᾱ_t of the cosine noise schedule.

    Args:
        steps: T, the number of noise levels.

    Returns:
        (steps,) float64, decreasing from about 1 (almost clean data) to about 0 (almost pure noise).

    Example:
        >>> cosine_alpha_bar(4).round(3).tolist()
        [0.847, 0.494, 0.144, 0.0]

    Source: Nichol and Dhariwal, Improved Denoising Diffusion Probabilistic Models, 2021, section 3.2, equation 17.
    """
    u = np.arange(steps + 1, dtype=np.float64) / steps
    f = np.cos((u + 0.008) / 1.008 * np.pi / 2) ** 2  # f(u) = cos²(π/2 · (u + s) / (1 + s)), s = 0.008
    betas = np.minimum(1.0 - f[1:] / f[:-1], 0.999)  # β_t = min(1 − f((t+1)/T) / f(t/T), 0.999)
    alpha_bar: Float64 = np.cumprod(1.0 - betas)  # ᾱ_t = Π_{s≤t} (1 − β_s)
    return alpha_bar


def rectified_alpha_bar(steps: int) -> Float64:
    """Return ᾱ_t of the straight path from data to noise, at u = (t + 1/2) / T.

    Args:
        steps: T, the number of noise levels.

    Returns:
        (steps,) float64, decreasing.

    Example:
        >>> rectified_alpha_bar(4).round(3).tolist()
        [0.98, 0.735, 0.265, 0.02]

    Source: Liu, Gong and Liu, Flow Straight and Fast, ICLR 2023, equation 1, scaled to unit variance.
    """
    u = (np.arange(steps, dtype=np.float64) + 0.5) / steps
    alpha_bar: Float64 = (1 - u) ** 2 / ((1 - u) ** 2 + u**2)  # ᾱ = (1 − u)² / ((1 − u)² + u²)
    return alpha_bar


def noise_schedule(config: DiffusionConfig) -> Float64:
    """Return ᾱ_t of a configuration, (T,) float64."""
    if config.schedule == "rectified-flow":
        return rectified_alpha_bar(config.steps)
    bar = cosine_alpha_bar(config.steps)
    return with_zero_terminal_snr(bar) if config.zero_terminal_snr else bar


def with_zero_terminal_snr(alpha_bar: Float64) -> Float64:
    """Return ᾱ_t (T,) shifted and scaled so that the last is 0 and the first stays.

    Example:
        >>> with_zero_terminal_snr(np.array([0.81, 0.36, 0.01])).round(3).tolist()
        [0.81, 0.316, 0.0]

    Source: Lin et al., Common Diffusion Noise Schedules and Sample Steps Are Flawed, WACV 2024, algorithm 1.
    """
    alpha = np.sqrt(alpha_bar)
    shifted: Float64 = (alpha - alpha[-1]) * alpha[0] / (alpha[0] - alpha[-1])  # α ← (α − α_T) α_1 / (α_1 − α_T)
    return shifted**2


class Diffusion:
    """The forward process and the training loss of one noise schedule on one device.

    Attributes:
        config: the schedule.
        alpha_bar: ᾱ_t, (T,) float64.

    Example:
        >>> diffusion = Diffusion(DiffusionConfig())
        >>> x0, eps, t = torch.ones(1, 2), torch.zeros(1, 2), torch.tensor([500])
        >>> x_t, v = diffusion.add_noise(x0, eps, t), diffusion.velocity(x0, eps, t)
        >>> torch.allclose(diffusion.x0_from_v(x_t, v, t), x0)
        True
    """

    def __init__(self, config: DiffusionConfig, device: str | torch.device = "cpu") -> None:
        self.config = config
        self.alpha_bar = torch.tensor(noise_schedule(config), dtype=torch.float64, device=device)
        self._alpha = self.alpha_bar.sqrt()  # α_t = √ᾱ_t
        self._sigma = (1.0 - self.alpha_bar).sqrt()  # σ_t = √(1 − ᾱ_t)
        self._numbers = list(zip(self._alpha.tolist(), self._sigma.tolist(), strict=True))

    def _alpha_sigma(self, t: torch.Tensor | int, like: torch.Tensor) -> tuple[Any, Any]:
        """Return α_t and σ_t, (b, 1, …) in the precision of ``like`` (b, …), for t (b,) int64; numbers for one t."""
        if isinstance(t, int):
            return self._numbers[t]
        shape = (-1,) + (1,) * (like.ndim - 1)
        return self._alpha[t].to(like.dtype).view(shape), self._sigma[t].to(like.dtype).view(shape)

    def add_noise(self, x0: torch.Tensor, eps: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        """Return noisy data x_t (b, …) from clean data and noise (b, …) at noise levels t (b,) int64."""
        alpha, sigma = self._alpha_sigma(t, x0)
        return alpha * x0 + sigma * eps  # x_t = α_t x_0 + σ_t ε

    def velocity(self, x0: torch.Tensor, eps: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        """Return v_t (b, …), the target of v-prediction, from clean data and noise (b, …) at t (b,) int64."""
        alpha, sigma = self._alpha_sigma(t, x0)
        return alpha * eps - sigma * x0  # v_t = α_t ε − σ_t x_0

    def x0_from_v(self, x_t: torch.Tensor, v: torch.Tensor, t: torch.Tensor | int) -> torch.Tensor:
        """Return the clean data x_0 (b, …) implied by noisy data and v (b, …) at t (b,) int64, or one t for all."""
        alpha, sigma = self._alpha_sigma(t, x_t)
        return alpha * x_t - sigma * v  # x_0 = α_t x_t − σ_t v_t

    def target(self, x0: torch.Tensor, eps: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        """Return what the network is to predict (b, …), from clean data and noise (b, …) at t (b,) int64."""
        if self.config.prediction == "v":
            return self.velocity(x0, eps, t)
        return x0 if self.config.prediction == "x0" else eps

    def clean(self, x_t: torch.Tensor, predicted: torch.Tensor, t: torch.Tensor | int) -> torch.Tensor:
        """Return x_0 (b, …) from noisy data and what the network predicts (b, …) at t (b,) int64, or one t for all."""
        if self.config.prediction == "v":
            return self.x0_from_v(x_t, predicted, t)
        if self.config.prediction == "x0":
            return predicted
        alpha, sigma = self._alpha_sigma(t, x_t)
        return (x_t - sigma * predicted) / alpha  # x_0 = (x_t − σ_t ε) / α_t

    def eps_from_v(self, x_t: torch.Tensor, v: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        """Return the noise ε (b, …) implied by noisy data and v (b, …) at t (b,) int64."""
        alpha, sigma = self._alpha_sigma(t, x_t)
        return sigma * x_t + alpha * v  # ε = σ_t x_t + α_t v_t

    def loss_weight(self, t: torch.Tensor) -> torch.Tensor:
        """Return the weight of the error of what is predicted at each noise level, (b,) float64 for t (b,) int64.

        That of ``learned`` is 1 here; see :mod:`clipsonic.training.loss_weighting`.
        """
        if self.config.weighting in {"uniform", "learned"}:
            return torch.ones_like(self.alpha_bar[t])
        # errors: x̂_0 − x_0 = −σ_t (v̂ − v_t), ε̂ − ε = α_t (v̂ − v_t)
        scale = {"v": torch.ones_like(self._alpha), "x0": self._sigma, "eps": self._alpha}[self.config.prediction]
        return self._weight_of_v(t) / scale[t] ** 2

    def _weight_of_v(self, t: torch.Tensor) -> torch.Tensor:
        alpha, sigma = self._alpha[t], self._sigma[t]
        if self.config.weighting == "flow":
            return (alpha + sigma) ** 2  # û − (ε − x_0) = (α_t + σ_t) (v̂ − v_t)
        if self.config.weighting == "edm":
            # σ_t² (σ² + σ_d²) / (σ σ_d)² with σ = σ_t / α_t
            return (sigma**2 + self.config.sigma_data**2 * alpha**2) / self.config.sigma_data**2
        snr = self.alpha_bar[t] / (1.0 - self.alpha_bar[t])  # SNR_t = α_t² / σ_t² = ᾱ_t / (1 − ᾱ_t)
        return snr.clamp(max=self.config.min_snr_gamma) / (snr + 1.0)  # w_t = min(SNR_t, γ) / (SNR_t + 1)

    def draw_timesteps(self, n: int, generator: torch.Generator) -> torch.Tensor:
        """Return n stratified noise levels, (n,) int64 in [0, T), on the device of the generator."""
        device = generator.device
        shift = torch.rand((), generator=generator, device=device, dtype=torch.float64)
        # u_i = (i / n + U) mod 1, U ~ Uniform[0, 1): one quantile in each n-th of the unit interval
        quantile = (torch.arange(n, device=device, dtype=torch.float64) / n + shift) % 1.0
        uniform = self.config.timesteps == "uniform"
        t = quantile * self.config.steps if uniform else self._mixture(quantile)  # t = ⌊T u⌋
        return t.long().clamp(max=self.config.steps - 1)

    def _mixture(self, u: torch.Tensor) -> torch.Tensor:
        """Return noise levels at quantiles u (n,) float64: uniform in the first share of u, by a normal beyond."""
        share, steps = self.config.timesteps_uniform, self.config.steps
        rest = ((u - share) / max(1 - share, 1e-9)).clamp(1e-9, 1 - 1e-9)
        normal = torch.special.ndtri(rest) * self.config.timesteps_scale + self.config.timesteps_shift  # s Φ⁻¹(u) + m
        if self.config.timesteps == "logit-normal":
            curved = steps * torch.special.expit(normal)
        else:
            curved = torch.searchsorted(torch.log(self._sigma / self._alpha), normal).double()  # ln (σ_t / α_t)
        return torch.where(u < share, steps * u / max(share, 1e-9), curved)

    def losses(self, predict: Predictor, x0: torch.Tensor, eps: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        """Return the weighted mean squared error of each item's prediction, (b,).

        Args:
            predict: the network, (x_t (b, …), t (b,)) -> v (b, …), or what else is predicted.
            x0: (b, …) clean data at the network's scale.
            eps: (b, …) standard normal noise.
            t: (b,) int64 noise levels.
        """
        error = predict(self.add_noise(x0, eps, t), t).float() - self.target(x0, eps, t)
        per_item = error.square().flatten(1).mean(dim=1)  # |v̂ − v|² / dim
        if self.config.weighting in {"uniform", "learned"}:
            return per_item
        return per_item * self.loss_weight(t).to(per_item.dtype)  # w_t |v̂ − v|² / dim


def guided(cond: torch.Tensor, uncond: torch.Tensor, w: float) -> torch.Tensor:
    """Return the prediction of classifier-free guidance.

    Args:
        cond: (b, …) prediction under the condition.
        uncond: (b, …) prediction under the null condition.
        w: guidance scale; 1 is no guidance, 0 ignores the condition.

    Example:
        >>> guided(torch.tensor([2.0]), torch.tensor([1.0]), 3.0)
        tensor([4.])

    Source: Ho and Salimans, Classifier-Free Diffusion Guidance, 2022, equation 6, whose own scale is w − 1 here.
    """
    return uncond + w * (cond - uncond)  # ŷ = y_∅ + w (y_c − y_∅)
