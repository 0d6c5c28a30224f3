"""Samplers of the reverse diffusion process: DDPM, DDIM and DPM-Solver++(2M).

Every item has a random generator of its own, which gives its initial noise and, for stochastic samplers, the noise of
each step; so an item depends on its own seed only, neither on the batch nor on its order (to float rounding).

A step of each sampler is linear in x_t, in the clean data x̂_0 predicted at t and at the step before, and in fresh
noise. Its coefficients are computed beforehand in float64, so that a step costs the network and a few additions.
Guidance, the conversion from v and clamping happen in one place, in :mod:`clipsonic.model`.

Notation as in :mod:`clipsonic.diffusion`; a step goes from noise level t to s < t, the last one to clean data (α_s = 1,
σ_s = 0).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from clipsonic.diffusion import DiffusionConfig, noise_schedule
from clipsonic_eval.arraytypes import Float64
from clipsonic_eval.errors import ConfigError, unknown_name
from clipsonic_eval.seeds import derive
from clipsonic_eval.stages import stage

Denoiser = Callable[[torch.Tensor, int], torch.Tensor]
StepEnd = Callable[[int, int, torch.Tensor], torch.Tensor]  # (number of the step, its t, x_s) -> x_s to go on with


class _Step(NamedTuple):
    """One step: x_s = ``x`` x_t + ``clean`` x̂_0(t) + ``previous`` x̂_0(step before) + ``noise`` z, z ~ N(0, I)."""

    t: int
    x: float
    clean: float
    previous: float = 0.0
    noise: float = 0.0


def training_scheduler(config: DiffusionConfig) -> Any:
    """Return the ``DDPMScheduler`` of diffusers for a training schedule; a model folder stores its configuration."""
    from diffusers import DDPMScheduler

    betas: dict[str, Any] = {"beta_schedule": config.schedule}
    if config.schedule == "rectified-flow":  # which diffusers has no name for: β_t = 1 − ᾱ_t / ᾱ_{t−1}
        bar = noise_schedule(config)
        betas = {"trained_betas": (1.0 - bar / np.append(1.0, bar[:-1])).tolist()}
    return DDPMScheduler(
        num_train_timesteps=config.steps,
        **betas,
        rescale_betas_zero_snr=config.zero_terminal_snr,
        prediction_type={"v": "v_prediction", "x0": "sample", "eps": "epsilon"}[config.prediction],
        variance_type="fixed_small",
        clip_sample=False,
    )


def _ddpm(times: Sequence[int], bar: Float64) -> list[_Step]:
    """Return ancestral sampling (Ho et al. 2020, equations 6 and 7) with variance β̃."""
    steps = []
    for t, now, then in zip(times, bar[:-1], bar[1:], strict=True):
        # β = 1 − ᾱ_t / ᾱ_s,  β̃ = β (1 − ᾱ_s) / (1 − ᾱ_t)
        # x_s = √ᾱ_s β / (1 − ᾱ_t) x̂_0 + √(1 − β) (1 − ᾱ_s) / (1 − ᾱ_t) x_t + √β̃ z
        beta, remaining = 1.0 - now / then, (1.0 - then) / (1.0 - now)
        clean = math.sqrt(then) * beta / (1.0 - now)
        steps.append(_Step(t, math.sqrt(1.0 - beta) * remaining, clean, noise=math.sqrt(beta * remaining)))
    return steps


def _ddim(times: Sequence[int], bar: Float64) -> list[_Step]:
    """Return deterministic DDIM (Song et al. 2021, equation 12 with η = 0)."""
    alpha, sigma = np.sqrt(bar), np.sqrt(1.0 - bar)
    steps = []
    for i, t in enumerate(times):
        # x_s = α_s x̂_0 + σ_s ε̂,  ε̂ = (x_t − α_t x̂_0) / σ_t
        ratio = float(sigma[i + 1] / sigma[i])
        steps.append(_Step(t, ratio, float(alpha[i + 1] - ratio * alpha[i])))
    return steps


def _dpm_solver(times: Sequence[int], bar: Float64) -> list[_Step]:
    """Return DPM-Solver++(2M), the second-order multistep solver (Lu et al. 2022, algorithm 2)."""
    alpha, sigma = np.sqrt(bar), np.sqrt(1.0 - bar)
    log_snr = np.log(alpha[:-1] / sigma[:-1])  # λ = ln(α / σ)
    steps = []
    for i, t in enumerate(times[:-1]):
        # h = λ_s − λ_t,  r = h_previous / h
        # D = (1 + 1/(2r)) x̂_0(t) − 1/(2r) x̂_0(previous)      first step: D = x̂_0(t)
        # x_s = σ_s / σ_t x_t − α_s (e^(−h) − 1) D            last step: x_s = x̂_0(t)
        h = log_snr[i + 1] - log_snr[i]
        extrapolation = h / (2.0 * (log_snr[i] - log_snr[i - 1])) if i else 0.0
        direction = -alpha[i + 1] * math.expm1(-h)
        steps.append(
            _Step(
                t,
                float(sigma[i + 1] / sigma[i]),
                float((1.0 + extrapolation) * direction),
                previous=float(-extrapolation * direction),
            )
        )
    return [*steps, _Step(times[-1], 0.0, 1.0)]


SAMPLERS: dict[str, Callable[[Sequence[int], Float64], list[_Step]]] = {
    "ddpm": _ddpm,
    "ddim": _ddim,
    "dpm-solver++": _dpm_solver,
}
# DPM-Solver++ has timesteps of its own, spaced by a power p. Under the cosine schedule even spacing (p = 1) makes the
# last step start at t = T / steps and loses detail finer than the noise there: of data with deviation 0.1, 20 even
# steps keep 0.73, those of p = 1.4 keep 0.96 (of 0.3: 0.97 and 1.01). A straight path has half the noise there, and
# even steps keep 0.88 and 1.01. The first timestep is where half the log SNR is −5, beyond which x_t says nothing about
# x_0.
_TIME_POWER, _TIME_POWER_STRAIGHT, _TIME_START = 1.4, 1.0, 0.995


def check_sampler(sampler: str, steps: int, spacing: float | None = None) -> None:
    """Check the settings of a sampler.

    Args:
        sampler: ``ddpm`` (ancestral, variance ``fixed_small``) or ``ddim`` (η = 0), both with trailing timesteps (the
            first is T − 1, pure noise), or ``dpm-solver++`` (2M, multistep, with timesteps of its own).
        steps: network evaluations per item; guidance doubles them.
        spacing: power p of the timesteps t_i ~ (i / steps)^p of ``dpm-solver++``: the larger, the more of them lie at
            low noise. None: that of the schedule.

    Raises:
        UserError: no sampler has this name.
        ConfigError: there are fewer than 1 steps, or a spacing that the sampler does not take.
    """
    if sampler not in SAMPLERS:
        raise unknown_name("sampler", sampler, SAMPLERS)
    if steps < 1:
        raise ConfigError(f"sampler steps must be at least 1, got {steps}")
    if spacing is not None and (sampler != "dpm-solver++" or spacing <= 0):
        raise ConfigError(f"spacing must be above 0 and is dpm-solver++'s alone, got {spacing:g} for {sampler}")


def plan(sampler: str, steps: int, config: DiffusionConfig, spacing: float | None = None) -> list[_Step]:
    """Return the steps of a sampler, from the highest noise level to clean data.

    Raises:
        UserError: the sampler is unknown, or the number of steps is below 1 or above that of training.

    Example:
        >>> [step.t for step in plan("ddim", 4, DiffusionConfig())]
        [999, 749, 499, 249]
    """
    check_sampler(sampler, steps, spacing)
    total = config.steps
    if steps > total:
        raise ConfigError(f"sampler steps {steps} exceed the {total} that the model was trained with")
    if sampler == "dpm-solver++":
        power = spacing or (_TIME_POWER_STRAIGHT if config.schedule == "rectified-flow" else _TIME_POWER)
        # t_i = 0.995 T (i / steps)^p, at most T − 1: of short schedules 0.995 T rounds to T
        times = [min(total - 1, round(_TIME_START * total * (i / steps) ** power)) for i in range(steps, 0, -1)]
    else:
        times = [round(total * i / steps) - 1 for i in range(steps, 0, -1)]  # trailing: the first is T − 1
    times = list(dict.fromkeys(times))
    return SAMPLERS[sampler](times, np.append(noise_schedule(config)[times], 1.0))


def noise_generators(seeds: Sequence[int]) -> list[torch.Generator]:
    """Return one CPU random generator per item, from its seed."""
    return [torch.Generator().manual_seed(derive(int(seed), "", "diffusion-noise")) for seed in seeds]


@torch.no_grad()
def sample(  # noqa: PLR0913 -- settings by name
    denoise: Denoiser,
    shape: tuple[int, ...],
    seeds: Sequence[int],
    diffusion: DiffusionConfig,
    *,
    sampler: str = "dpm-solver++",
    steps: int = 20,
    spacing: float | None = None,
    device: str | torch.device = "cpu",
    step_end: StepEnd | None = None,
) -> torch.Tensor:
    """Draw one item per seed by reverse diffusion.

    Args:
        denoise: (x_t (b, *shape) float32, t) -> predicted clean data x̂_0 (b, *shape) float32, a new tensor.
        shape: of one item.
        seeds: b seeds, one per item.
        diffusion: the noise schedule that the model was trained with.
        sampler: a name in :data:`SAMPLERS`, see :func:`check_sampler`.
        steps: network evaluations per item.
        spacing: of the timesteps, see :func:`check_sampler`.
        device: where ``denoise`` runs.
        step_end: called after every step with its number, its t and x_s (b, *shape); returns the x_s to go on with.

    Returns:
        (b, *shape) float32.

    Raises:
        UserError: the sampler is unknown, or the number of steps is below 1 or above that of training.

    Example:
        >>> def denoise(x, t):  # knows that all data is 0.5
        ...     return torch.full_like(x, 0.5)
        >>> sample(denoise, (3,), [0, 1], DiffusionConfig(), steps=5)
        tensor([[0.5000, 0.5000, 0.5000],
                [0.5000, 0.5000, 0.5000]])
    """
    updates = plan(sampler, steps, diffusion, spacing)
    generators = noise_generators(seeds)

    def noise() -> torch.Tensor:
        return torch.stack([torch.randn(shape, generator=g) for g in generators]).to(device)

    x = noise()  # x_T ~ N(0, I)
    previous = x
    with stage("denoiser"):
        for number, update in enumerate(updates):
            with stage("step"):
                clean = denoise(x, update.t)
                x = torch.mul(x, update.x).add_(clean, alpha=update.clean)
                if update.previous:
                    x.add_(previous, alpha=update.previous)
                if update.noise:
                    x.add_(noise(), alpha=update.noise)
                previous = clean
            if step_end is not None:
                x = step_end(number, update.t, x)
    return x
