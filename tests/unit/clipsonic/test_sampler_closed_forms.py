"""Samplers on data whose optimal denoiser is known: x_0 ~ N(MU, S²), where every solver has a closed form to meet."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from clipsonic.diffusion import Diffusion, DiffusionConfig, cosine_alpha_bar
from clipsonic.samplers import SAMPLERS, noise_generators, plan, sample

CONFIG = DiffusionConfig()
BAR = cosine_alpha_bar(CONFIG.steps)
TABLES = Diffusion(CONFIG)
MU, S = 0.7, 0.3
SEEDS = list(range(20))
SHAPE = (8, 8)


def posterior_mean(x: torch.Tensor, t: int) -> torch.Tensor:
    """E[x_0 | x_t] = μ + α S² / (α² S² + σ²) (x_t − α μ)."""
    bar = TABLES.alpha_bar[t].to(x.dtype)
    return MU + bar.sqrt() * S**2 / (bar * S**2 + 1 - bar) * (x - bar.sqrt() * MU)


def first_noise() -> torch.Tensor:
    return torch.stack([torch.randn(SHAPE, generator=g) for g in noise_generators(SEEDS)])


def drawn(sampler: str, steps: int) -> torch.Tensor:
    return sample(posterior_mean, SHAPE, SEEDS, CONFIG, sampler=sampler, steps=steps)


def flow_end(x: torch.Tensor, t: int) -> torch.Tensor:
    """Where the probability-flow ODE of Gaussian data takes x_t: the same quantile of N(μ, S²)."""
    alpha, sigma = math.sqrt(BAR[t]), math.sqrt(1 - BAR[t])
    return MU + S * (x - alpha * MU) / math.sqrt(alpha**2 * S**2 + sigma**2)


@pytest.mark.parametrize(
    ("sampler", "steps", "start", "bound"), [("ddim", 1000, 999, 0.01), ("dpm-solver++", 60, 995, 0.02)]
)
def test_a_deterministic_sampler_follows_the_probability_flow(
    sampler: str, steps: int, start: int, bound: float
) -> None:
    assert float((drawn(sampler, steps) - flow_end(first_noise(), start)).abs().max()) < bound


@pytest.mark.parametrize("sampler", ["ddim", "dpm-solver++"])
def test_the_straight_path_ends_at_the_data_too(sampler: str) -> None:
    config = DiffusionConfig(schedule="rectified-flow")
    tables = Diffusion(config)

    def mean(x: torch.Tensor, t: int) -> torch.Tensor:
        bar = tables.alpha_bar[t].to(x.dtype)
        return MU + bar.sqrt() * S**2 / (bar * S**2 + 1 - bar) * (x - bar.sqrt() * MU)

    found = sample(mean, SHAPE, SEEDS, config, sampler=sampler, steps=100)
    first = first_noise()
    assert float((found - (MU + S * first)).abs().max()) < 0.1  # the same quantiles of N(μ, S²)


@pytest.mark.parametrize(("schedule", "kept"), [("squaredcos_cap_v2", 0.956), ("rectified-flow", 0.880)])
def test_dpm_solver_keeps_detail_finer_than_the_noise_of_its_last_step(schedule: Any, kept: float) -> None:
    config, deviation = DiffusionConfig(schedule=schedule), 0.1
    tables = Diffusion(config)

    def mean(x: torch.Tensor, t: int) -> torch.Tensor:  # E[x_0 | x_t] for x_0 ~ N(0, 0.1²)
        bar = tables.alpha_bar[t].to(x.dtype)
        return bar.sqrt() * deviation**2 / (bar * deviation**2 + 1 - bar) * x

    found = sample(mean, SHAPE, SEEDS, config, steps=20)
    assert float((found / first_noise()).mean()) == pytest.approx(kept * deviation, rel=2e-3)


@pytest.mark.parametrize(
    ("spacing", "times"), [(1.0, [995, 746, 498, 249]), (2.0, [995, 560, 249, 62]), (0.5, [995, 862, 704, 498])]
)
def test_timesteps_are_spaced_by_a_power(spacing: float, times: list[int]) -> None:
    assert [step.t for step in plan("dpm-solver++", 4, CONFIG, spacing)] == times  # 995 (i / 4)^p


@pytest.mark.parametrize(("sampler", "start", "gain"), [("ddim", 999, 1.6), ("dpm-solver++", 995, 3.5)])
def test_twice_the_steps_halve_the_error_of_a_first_order_solver_and_quarter_that_of_a_second_order_one(
    sampler: str, start: int, gain: float
) -> None:
    few, many = (float((drawn(sampler, n) - flow_end(first_noise(), start)).abs().mean()) for n in (5, 10))
    assert few > gain * many


@pytest.mark.parametrize("sampler", sorted(SAMPLERS))
def test_one_step_is_the_predicted_clean_data(sampler: str) -> None:
    start = 995 if sampler == "dpm-solver++" else 999
    x = first_noise()
    wanted = posterior_mean(x, start)
    assert torch.allclose(drawn(sampler, 1), wanted, atol=1e-5)


def test_a_ddim_step_is_its_formula() -> None:
    x, times = first_noise().double().numpy(), [999, 749, 499, 249]
    for t, s in zip(times, [*times[1:], None], strict=True):
        clean = posterior_mean(torch.from_numpy(x), t).numpy()
        eps = (x - math.sqrt(BAR[t]) * clean) / math.sqrt(1 - BAR[t])
        bar = 1.0 if s is None else BAR[s]
        x = math.sqrt(bar) * clean + math.sqrt(1 - bar) * eps
    assert np.abs(drawn("ddim", 4).numpy() - x).max() < 1e-4


def test_dpm_solver_2m_is_its_formula() -> None:
    steps = 5
    times = [round(995 * (i / steps) ** 1.4) for i in range(steps, 0, -1)]
    alpha, sigma = np.sqrt(BAR[times]), np.sqrt(1 - BAR[times])
    log_snr = np.log(alpha / sigma)
    x, previous = first_noise().double().numpy(), np.zeros(0)
    for i, t in enumerate(times):
        clean = posterior_mean(torch.from_numpy(x), t).numpy()
        if i == steps - 1:  # lower order at the end: σ = 0
            x = clean
            break
        h = log_snr[i + 1] - log_snr[i]
        direction = clean
        if i:
            r = (log_snr[i] - log_snr[i - 1]) / h
            direction = (1 + 1 / (2 * r)) * clean - 1 / (2 * r) * previous
        x = sigma[i + 1] / sigma[i] * x - alpha[i + 1] * (math.exp(-h) - 1) * direction
        previous = clean
    assert np.abs(drawn("dpm-solver++", steps).numpy() - x).max() < 1e-4


def test_a_ddpm_step_has_the_mean_and_variance_of_its_formula() -> None:
    """From one x_t, many draws of x_s: the second evaluation shows what the first step has made."""
    t, s, n = 999, 499, 4000
    assert [step.t for step in plan("ddpm", 2, CONFIG)] == [t, s]
    seen = []

    def clean(x: torch.Tensor, t: int) -> torch.Tensor:
        seen.append((t, x.double()))
        return torch.full_like(x, 0.25)

    sample(clean, (1,), range(n), CONFIG, sampler="ddpm", steps=2)
    (_, first), (_, second) = seen
    beta = 1 - BAR[t] / BAR[s]
    mean = math.sqrt(BAR[s]) * beta / (1 - BAR[t]) * 0.25 + math.sqrt(1 - beta) * (1 - BAR[s]) / (1 - BAR[t]) * first
    deviation = math.sqrt(beta * (1 - BAR[s]) / (1 - BAR[t]))
    fresh = (second - mean) / deviation
    assert float(fresh.mean()) == pytest.approx(0, abs=4 / math.sqrt(n))
    assert float(fresh.std()) == pytest.approx(1, rel=4 / math.sqrt(2 * n))
