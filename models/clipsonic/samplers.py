"""Samplers of the reverse diffusion process: DDPM, DDIM and DPM-Solver++(2M), by the schedulers of diffusers.

Every item has a random generator of its own, which gives its initial noise and, for stochastic samplers, the noise of
each step; so an item depends on its own seed only, neither on the batch nor on its order (to float rounding).

The schedulers receive the predicted clean data x̂_0 (``prediction_type="sample"``), so that guidance, the conversion
from v and clamping happen in one place, in :mod:`clipsonic.model`, with float64 tables.

Notation as in :mod:`clipsonic.diffusion`; a step goes from noise level t to s < t, and ε̂ = (x_t − α_t x̂_0) / σ_t.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from clipsonic.diffusion import DiffusionConfig
from clipsonic_eval.errors import ConfigError, unknown_name
from clipsonic_eval.seeds import derive
from clipsonic_eval.stages import stage

Denoiser = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]

# The schedulers of the samplers are constructed, not made by ``from_config``: that would drop every override of a key
# that was at its default in the source configuration.
_DDPM: dict[str, Any] = {"variance_type": "fixed_small", "clip_sample": False}


def training_scheduler(config: DiffusionConfig) -> Any:
    """Return the ``DDPMScheduler`` of diffusers for a training schedule; a model folder stores its configuration."""
    from diffusers import DDPMScheduler

    return DDPMScheduler(**_schedule(config), prediction_type="v_prediction", **_DDPM)


def _schedule(config: DiffusionConfig) -> dict[str, Any]:
    return {"num_train_timesteps": config.steps, "beta_schedule": config.schedule}


def _ddpm(config: DiffusionConfig) -> Any:
    """Return ancestral sampling (Ho et al. 2020, equations 6 and 7)."""
    from diffusers import DDPMScheduler

    # β = 1 − ᾱ_t / ᾱ_s,  β̃ = β (1 − ᾱ_s) / (1 − ᾱ_t),  z ~ N(0, I)
    # x_s = √ᾱ_s β / (1 − ᾱ_t) x̂_0 + √(1 − β) (1 − ᾱ_s) / (1 − ᾱ_t) x_t + √β̃ z
    return DDPMScheduler(**_schedule(config), prediction_type="sample", timestep_spacing="trailing", **_DDPM)


def _ddim(config: DiffusionConfig) -> Any:
    """Return deterministic DDIM (Song et al. 2021, equation 12 with η = 0)."""
    from diffusers import DDIMScheduler

    # x_s = α_s x̂_0 + σ_s ε̂
    return DDIMScheduler(
        **_schedule(config),
        prediction_type="sample",
        timestep_spacing="trailing",
        set_alpha_to_one=True,  # the last step ends at clean data (α = 1, σ = 0), not at the noise of t = 0
        clip_sample=False,
    )


def _dpm_solver(config: DiffusionConfig) -> Any:
    """Return DPM-Solver++(2M), the second-order multistep solver (Lu et al. 2022, algorithm 2)."""
    from diffusers import DPMSolverMultistepScheduler

    # λ = ln(α / σ),  h = λ_s − λ_t,  r = h_previous / h
    # D = (1 + 1/(2r)) x̂_0(t) − 1/(2r) x̂_0(previous)      first step: D = x̂_0(t)
    # x_s = σ_s / σ_t x_t − α_s (e^(−h) − 1) D            last step: x_s = D
    return DPMSolverMultistepScheduler(
        **_schedule(config),
        prediction_type="sample",
        algorithm_type="dpmsolver++",
        solver_order=2,
        final_sigmas_type="zero",
    )


SAMPLERS: dict[str, Callable[[DiffusionConfig], Any]] = {"ddpm": _ddpm, "ddim": _ddim, "dpm-solver++": _dpm_solver}
_STOCHASTIC = frozenset({"ddpm"})
# DPM-Solver++ has timesteps of its own. Even spacing makes the last step start at t = T / steps and loses detail finer
# than the noise there: of data with deviation 0.1, 20 even steps keep 0.73, these 0.96 (of 0.3: 0.97 and 1.01). The
# first timestep is where half the log SNR is −5, beyond which x_t says nothing about x_0.
_TIME_POWER, _TIME_START = 1.4, 0.995


def check_sampler(sampler: str, steps: int) -> None:
    """Check the settings of a sampler.

    Args:
        sampler: ``ddpm`` (ancestral, variance ``fixed_small``) or ``ddim`` (η = 0), both with trailing timesteps (the
            first is T − 1, pure noise), or ``dpm-solver++`` (2M, multistep, with timesteps of its own).
        steps: network evaluations per item; guidance doubles them.

    Raises:
        UserError: no sampler has this name.
        ConfigError: there are fewer than 1 steps.
    """
    if sampler not in SAMPLERS:
        raise unknown_name("sampler", sampler, SAMPLERS)
    if steps < 1:
        raise ConfigError(f"sampler steps must be at least 1, got {steps}")


def _scheduler(sampler: str, steps: int, config: DiffusionConfig) -> Any:
    """Return the scheduler of a sampler, with its timesteps set."""
    check_sampler(sampler, steps)
    if steps > config.steps:
        raise ConfigError(f"sampler steps {steps} exceed the {config.steps} that the model was trained with")
    scheduler = SAMPLERS[sampler](config)
    if sampler != "dpm-solver++":
        scheduler.set_timesteps(steps)
        return scheduler
    start = _TIME_START * config.steps
    times = [round(start * (i / steps) ** _TIME_POWER) for i in range(steps, 0, -1)]  # t_i = 0.995 T (i / steps)^1.4
    scheduler.set_timesteps(timesteps=list(dict.fromkeys(times)))
    return scheduler


def noise_generators(seeds: Sequence[int]) -> list[torch.Generator]:
    """Return one CPU random generator per item, from its seed."""
    return [torch.Generator().manual_seed(derive(int(seed), "", "diffusion-noise")) for seed in seeds]


@torch.no_grad()
def sample(
    denoise: Denoiser,
    shape: tuple[int, ...],
    seeds: Sequence[int],
    diffusion: DiffusionConfig,
    *,
    sampler: str = "dpm-solver++",
    steps: int = 20,
    device: str | torch.device = "cpu",
) -> torch.Tensor:
    """Draw one item per seed by reverse diffusion.

    Args:
        denoise: (x_t (b, *shape) float32, t (b,) int64) -> predicted clean data x̂_0 (b, *shape).
        shape: of one item.
        seeds: b seeds, one per item.
        diffusion: the noise schedule that the model was trained with.
        sampler: a name in :data:`SAMPLERS`, see :func:`check_sampler`.
        steps: network evaluations per item.
        device: where ``denoise`` runs.

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
    scheduler = _scheduler(sampler, steps, diffusion)
    generators = noise_generators(seeds)
    x = torch.stack([torch.randn(shape, generator=g) for g in generators]).to(device)  # x_T ~ N(0, I)
    noise = {"generator": generators} if sampler in _STOCHASTIC else {}
    with stage("denoiser"):
        for t in scheduler.timesteps:
            with stage("step"):
                clean = denoise(x, t.to(device).long().expand(len(seeds)))
                x = scheduler.step(clean, t, x, **noise).prev_sample
    return x.float()
