"""Samplers: diffusers' schedulers driven so that an item's result depends on its own seed and nothing else.

Every item has a generator of its own, which gives its first noise and, for stochastic samplers, the noise of each step;
so neither the batch nor its order changes what an item becomes (to float rounding).

The schedulers are given the predicted clean data (``prediction_type="sample"``), so that guidance, the change from v
and clamping happen in one place, here, with float64 tables.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from clipsonic.diffusion import DiffusionConfig
from clipsonic_eval.errors import ConfigError, unknown_name
from clipsonic_eval.seeds import derive

DenoiseX0 = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def training_scheduler(config: DiffusionConfig) -> Any:
    """Return diffusers' ``DDPMScheduler`` of a training configuration; it is what a model's folder stores."""
    from diffusers import DDPMScheduler

    return DDPMScheduler(**_schedule(config), prediction_type="v_prediction", **_DDPM)


# The samplers' schedulers are constructed, not made by ``from_config``: that keeps of a configuration only what was
# not a default of its source, whatever it is overwritten with.
_DDPM: dict[str, Any] = {"variance_type": "fixed_small", "clip_sample": False}


def _schedule(config: DiffusionConfig) -> dict[str, Any]:
    return {"num_train_timesteps": config.steps, "beta_schedule": config.schedule}


def _ddpm(config: DiffusionConfig) -> Any:
    from diffusers import DDPMScheduler

    return DDPMScheduler(**_schedule(config), prediction_type="sample", timestep_spacing="trailing", **_DDPM)


def _ddim(config: DiffusionConfig) -> Any:
    from diffusers import DDIMScheduler

    return DDIMScheduler(
        **_schedule(config),
        prediction_type="sample",
        timestep_spacing="trailing",
        set_alpha_to_one=True,  # the last step ends at clean data, not at the noise of t = 0
        clip_sample=False,
    )


def _dpm_solver(config: DiffusionConfig) -> Any:
    from diffusers import DPMSolverMultistepScheduler

    return DPMSolverMultistepScheduler(
        **_schedule(config),
        prediction_type="sample",
        algorithm_type="dpmsolver++",
        solver_order=2,
        final_sigmas_type="zero",
    )


SAMPLERS: dict[str, Callable[[DiffusionConfig], Any]] = {"ddpm": _ddpm, "ddim": _ddim, "dpm-solver++": _dpm_solver}
_TAKES_GENERATOR = frozenset({"ddpm"})
# The second-order solver chooses its times itself: t = 0.995 T (i / steps)^1.4. Even spacing makes its last step from
# t = T / steps and loses the detail that is finer than the noise there: of data with deviation 0.1, 20 even steps keep
# 0.73, these 0.96 (0.3: 0.97 and 1.01). The start lies where half the log SNR is -5, beyond which nothing is known.
_TIME_POWER, _TIME_START = 1.4, 0.995


@dataclass(frozen=True, slots=True)
class SamplerSettings:
    """How to sample.

    Attributes:
        sampler: ``ddpm`` (ancestral, variance ``fixed_small``), ``ddim`` (eta 0), both with trailing times (the first
            is the last of training, pure noise), or ``dpm-solver++`` (2M, multistep, times of its own).
        steps: network evaluations per item (twice as many with guidance).
    """

    sampler: str = "dpm-solver++"
    steps: int = 20

    def __post_init__(self) -> None:
        if self.sampler not in SAMPLERS:
            raise unknown_name("sampler", self.sampler, SAMPLERS)
        if self.steps < 1:
            raise ConfigError(f"sampler steps must be at least 1, got {self.steps}")


def _set_times(scheduler: Any, settings: SamplerSettings) -> None:
    if settings.sampler != "dpm-solver++":
        scheduler.set_timesteps(settings.steps)
        return
    last = _TIME_START * scheduler.config.num_train_timesteps
    times = [round(last * (i / settings.steps) ** _TIME_POWER) for i in range(settings.steps, 0, -1)]
    scheduler.set_timesteps(timesteps=list(dict.fromkeys(times)))


def noise_generators(seeds: Sequence[int]) -> list[torch.Generator]:
    """Return one CPU generator per item, from its seed."""
    return [torch.Generator().manual_seed(derive(int(seed), "", "diffusion-noise")) for seed in seeds]


@torch.no_grad()
def sample(
    denoise: DenoiseX0,
    shape: tuple[int, ...],
    seeds: Sequence[int],
    settings: SamplerSettings,
    *,
    diffusion: DiffusionConfig,
    device: str | torch.device = "cpu",
) -> torch.Tensor:
    """Draw one item per seed.

    Args:
        denoise: (x_t (b, *shape), t (b,) int64) -> the predicted clean data.
        shape: of one item.
        seeds: one per item.
        settings: sampler and steps.
        diffusion: the schedule that the model was trained with.
        device: where ``denoise`` runs.

    Returns:
        (b, *shape) float32.
    """
    scheduler = SAMPLERS[settings.sampler](diffusion)
    most = scheduler.config.num_train_timesteps
    if settings.steps > most:
        raise ConfigError(f"sampler steps {settings.steps} exceed the {most} that the model was trained with")
    _set_times(scheduler, settings)
    generators = noise_generators(seeds)
    x = torch.stack([torch.randn(shape, generator=g) for g in generators]).to(device)
    extra = {"generator": generators} if settings.sampler in _TAKES_GENERATOR else {}
    for t in scheduler.timesteps:
        clean = denoise(x, t.to(device).long().expand(len(seeds)))
        x = scheduler.step(clean, t, x, **extra).prev_sample
    return x.float()
