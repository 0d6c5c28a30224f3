from __future__ import annotations

from typing import Any

import pytest
import torch

from clipsonic.diffusion import Diffusion, DiffusionConfig
from clipsonic.samplers import check_sampler, noise_generators, plan, sample
from clipsonic_eval.errors import ConfigError, UserError

DIFFUSION = DiffusionConfig()
TABLES = Diffusion(DIFFUSION)
MU, S = 0.7, 0.3


def _posterior_mean(x: torch.Tensor, t: int) -> torch.Tensor:
    """E[x0 | x_t] when x0 is normal with mean MU and deviation S: linear in x_t."""
    bar = TABLES.alpha_bar[t].to(x.dtype)
    gain = bar.sqrt() * S**2 / (bar * S**2 + 1 - bar)
    return MU + gain * (x - bar.sqrt() * MU)


def _draw(sampler: str, steps: int, seeds: list[int], denoise=_posterior_mean) -> torch.Tensor:  # type: ignore[no-untyped-def]
    return sample(denoise, (4, 25), seeds, DIFFUSION, sampler=sampler, steps=steps)


@pytest.mark.parametrize(
    ("sampler", "steps", "tolerance"), [("dpm-solver++", 20, 0.02), ("ddim", 100, 0.03), ("ddpm", 200, 0.03)]
)
def test_samplers_recover_a_known_gaussian(sampler: str, steps: int, tolerance: float) -> None:
    drawn = _draw(sampler, steps, list(range(200)))
    # 20,000 independent numbers: the mean's standard error is 0.002, the deviation's 0.5 %
    assert float(drawn.mean()) == pytest.approx(MU, abs=0.01)
    assert float(drawn.std()) == pytest.approx(S, rel=tolerance + 0.01)  # the rest is the solver's own step error


def _theirs(sampler: str, steps: int) -> Any:
    """Diffusers' scheduler for a network that predicts v, its times set, with nothing of ours in it."""
    import diffusers

    schedule = {"beta_schedule": "squaredcos_cap_v2", "prediction_type": "v_prediction"}
    if sampler == "dpm-solver++":
        solver = diffusers.DPMSolverMultistepScheduler(**schedule, algorithm_type="dpmsolver++")
        times = [round(995 * (i / steps) ** 1.4) for i in range(steps, 0, -1)]
        solver.set_timesteps(timesteps=sorted(set(times), reverse=True))
        return solver
    kind = diffusers.DDPMScheduler if sampler == "ddpm" else diffusers.DDIMScheduler
    scheduler = kind(**schedule, timestep_spacing="trailing", clip_sample=False)
    scheduler.alphas_cumprod = torch.cumprod(1 - scheduler.betas.double(), dim=0)  # in float32 off by 7e-4 at 333 steps
    scheduler.set_timesteps(steps)
    return scheduler


# The number of steps of DDIM divides T: otherwise diffusers' step ends at s = t - T // steps and not at the level where
# the next step begins.
@pytest.mark.parametrize(
    ("sampler", "steps"),
    [(name, steps) for name in ("dpm-solver++", "ddpm") for steps in (1, 2, 15, 20, 50, 333)]
    + [("ddim", steps) for steps in (1, 2, 20, 50, 250)],
)
def test_a_sampler_is_diffusers_own_loop_with_a_network_that_predicts_v(sampler: str, steps: int) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        inner, time = torch.nn.Linear(25, 32), torch.nn.Linear(1, 32)
        outer = torch.nn.Linear(32, 25)

    @torch.no_grad()
    def velocity(x: torch.Tensor, t: int) -> torch.Tensor:
        return outer(torch.tanh(inner(x) + time(torch.tensor([t / 1000]))))

    def clean(x: torch.Tensor, t: int) -> torch.Tensor:
        return TABLES.x0_from_v(x, velocity(x, t), t)

    seeds = [3, 4]
    scheduler, generators = _theirs(sampler, steps), noise_generators(seeds)
    assert float(scheduler.timesteps[0]) == (995 if sampler == "dpm-solver++" else 999)
    x = torch.stack([torch.randn((4, 25), generator=g) for g in generators])
    noise = {"generator": generators} if sampler == "ddpm" else {}
    for t in scheduler.timesteps:
        x = scheduler.step(velocity(x, int(t)), t, x, **noise).prev_sample
    assert (_draw(sampler, steps, seeds, clean) - x).abs().max() < 1e-5


@pytest.mark.parametrize("sampler", ["ddim", "ddpm"])
def test_times_trail_so_that_sampling_begins_at_pure_noise(sampler: str) -> None:
    assert [step.t for step in plan(sampler, 20, DIFFUSION)] == list(range(999, 0, -50))


@pytest.mark.parametrize("sampler", ["dpm-solver++", "ddim", "ddpm"])
@pytest.mark.parametrize("steps", [1, 15, 40])
def test_coefficients_carry_clean_data_from_level_to_level(sampler: str, steps: int) -> None:
    """Of data that is x_0 for certain, x_t = α_t x_0 goes to x_s = α_s x_0, where deterministic also σ_t ε to σ_s ε."""
    made = plan(sampler, steps, DIFFUSION)
    bar = [*TABLES.alpha_bar[[step.t for step in made]].tolist(), 1.0]
    for now, then, step in zip(bar[:-1], bar[1:], made, strict=True):
        assert now**0.5 * step.x + step.clean + step.previous == pytest.approx(then**0.5, abs=1e-12)
        # the noise that is left, and the fresh noise: variances add up to σ_s²
        assert (1 - now) * step.x**2 + step.noise**2 == pytest.approx(1 - then, abs=1e-12)


@pytest.mark.parametrize("sampler", ["dpm-solver++", "ddim", "ddpm"])
def test_an_item_depends_on_its_seed_only(sampler: str) -> None:
    together = _draw(sampler, 10, [5, 6, 7, 8])
    apart = torch.cat([_draw(sampler, 10, [seed]) for seed in (8, 5)])
    assert torch.allclose(together[[3, 0]], apart, atol=1e-5)
    assert not torch.allclose(together[0], together[1], atol=0.1)


def test_a_constant_prediction_is_where_every_sampler_ends() -> None:
    for sampler in ("dpm-solver++", "ddim", "ddpm"):
        drawn = _draw(sampler, 12, [1, 2], lambda x, t: torch.full_like(x, 0.25))
        assert torch.allclose(drawn, torch.full_like(drawn, 0.25), atol=1e-2), sampler


def test_sampling_leaves_the_global_generator_alone() -> None:
    before = torch.random.get_rng_state()
    _draw("ddpm", 5, [1])
    assert torch.equal(before, torch.random.get_rng_state())


@pytest.mark.parametrize("total", [2, 50, 100, 1000])
def test_the_first_timestep_lies_within_short_schedules_too(total: int) -> None:
    times = [step.t for step in plan("dpm-solver++", min(total, 20), DiffusionConfig(steps=total))]
    assert times[-1] >= 0
    assert times[0] <= total - 1
    assert times == sorted(set(times), reverse=True)


def test_unknown_samplers_and_too_many_steps_are_named() -> None:
    with pytest.raises(UserError, match="Did you mean 'ddim'"):
        check_sampler("dim", 5)
    with pytest.raises(ConfigError, match="spacing must be above 0 and is dpm-solver"):
        check_sampler("ddim", 5, 0.5)
    with pytest.raises(ConfigError, match="got 0 for dpm-solver"):
        check_sampler("dpm-solver++", 5, 0.0)
    with pytest.raises(UserError, match="exceed the 1000"):
        _draw("ddim", 1001, [1])
