from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from clipsonic.diffusion import (
    Diffusion,
    DiffusionConfig,
    cosine_alpha_bar,
    guided,
    noise_schedule,
    rectified_alpha_bar,
)
from clipsonic.samplers import training_scheduler
from clipsonic_eval.errors import ConfigError

T = torch.tensor([0, 1, 250, 500, 900, 999])


def _pair() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return tuple(torch.randn(6, 4, 5, generator=generator, dtype=torch.float64) for _ in range(2))  # type: ignore[return-value]


def test_alpha_bar_is_the_closed_form_until_the_cap() -> None:
    got = cosine_alpha_bar(1000)
    u = np.arange(1, 1001) / 1000
    f0 = math.cos(0.008 / 1.008 * math.pi / 2) ** 2
    closed = np.cos((u + 0.008) / 1.008 * math.pi / 2) ** 2 / f0
    assert np.allclose(got[:-1], closed[:-1], rtol=1e-9)
    assert got[-1] == pytest.approx(got[-2] * 0.001, rel=1e-12)  # beta is capped at 0.999
    assert (np.diff(got) < 0).all()


def test_alpha_bar_agrees_with_diffusers() -> None:
    theirs = training_scheduler(DiffusionConfig()).alphas_cumprod.double().numpy()
    assert np.allclose(cosine_alpha_bar(1000), theirs, rtol=2e-3, atol=2e-6)  # theirs is a float32 product


def test_v_x0_and_eps_say_the_same() -> None:
    x0, eps = _pair()
    diffusion = Diffusion(DiffusionConfig())
    x_t, v = diffusion.add_noise(x0, eps, T), diffusion.velocity(x0, eps, T)
    assert torch.allclose(diffusion.x0_from_v(x_t, v, T), x0, atol=1e-12)
    assert torch.allclose(diffusion.eps_from_v(x_t, v, T), eps, atol=1e-12)


def test_noising_keeps_unit_variance() -> None:
    diffusion = Diffusion(DiffusionConfig())
    ones, zeros = torch.ones(6, 1, dtype=torch.float64), torch.zeros(6, 1, dtype=torch.float64)
    alpha, sigma = diffusion.add_noise(ones, zeros, T), diffusion.add_noise(zeros, ones, T)
    assert torch.allclose(alpha**2 + sigma**2, ones)


def test_loss_is_zero_for_the_truth_and_the_mean_square_otherwise() -> None:
    x0, eps = (a.float() for a in _pair())
    diffusion = Diffusion(DiffusionConfig())
    truth = diffusion.velocity(x0, eps, T)
    assert float(diffusion.losses(lambda x, t: truth, x0, eps, T).sum()) == 0.0
    assert float(diffusion.losses(lambda x, t: truth + 0.5, x0, eps, T).mean()) == pytest.approx(0.25, rel=1e-5)


def test_min_snr_weights_are_the_formula() -> None:
    diffusion = Diffusion(DiffusionConfig(weighting="min-snr", min_snr_gamma=5.0))
    bar = cosine_alpha_bar(1000)[T.numpy()]
    snr = bar / (1 - bar)
    assert np.allclose(diffusion.loss_weight(T).numpy(), np.minimum(snr, 5.0) / (snr + 1))


def test_flow_matching_is_the_straight_path_and_the_error_of_its_direction() -> None:
    x0, eps = _pair()
    diffusion = Diffusion(DiffusionConfig(schedule="rectified-flow", weighting="flow"))
    u = (T + 0.5) / 1000
    straight = (1 - u)[:, None, None] * x0 + u[:, None, None] * eps
    scale = ((1 - u) ** 2 + u**2).sqrt()[:, None, None]
    x_t = diffusion.add_noise(x0, eps, T)
    assert torch.allclose(x_t * scale, straight, atol=1e-9)
    off = diffusion.velocity(x0, eps, T) + 0.3
    direction = diffusion.eps_from_v(x_t, off, T) - diffusion.x0_from_v(x_t, off, T)
    error = (direction - (eps - x0)).square().flatten(1).mean(dim=1)  # of what flow matching predicts
    assert torch.allclose(diffusion.loss_weight(T) * 0.09, error, rtol=1e-9)


def test_a_model_folder_states_the_straight_path_as_betas_of_diffusers() -> None:
    config = DiffusionConfig(schedule="rectified-flow", steps=200)
    theirs = training_scheduler(config).alphas_cumprod.double().numpy()
    assert np.allclose(noise_schedule(config), theirs, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("kind", ["uniform", "logit-normal"])
def test_timesteps_follow_their_distribution(kind: str) -> None:
    diffusion = Diffusion(DiffusionConfig(timesteps=kind))  # type: ignore[arg-type]
    generator = torch.Generator().manual_seed(0)
    t = torch.cat([diffusion.draw_timesteps(64, generator) for _ in range(400)]).double() + 0.5
    assert t.min() >= 0
    assert t.max() < 1000
    quantiles = torch.tensor([0.1, 0.25, 0.5, 0.75, 0.9], dtype=torch.float64)
    expected = quantiles if kind == "uniform" else torch.sigmoid(torch.special.ndtri(quantiles))
    assert torch.allclose(t.quantile(quantiles) / 1000, expected, atol=0.01)


def test_a_share_of_the_timesteps_is_uniform_and_the_rest_shifted_towards_noise() -> None:
    mixed = DiffusionConfig(timesteps="logit-normal", timesteps_shift=1.0, timesteps_uniform=0.25)
    generator = torch.Generator().manual_seed(0)
    t = torch.cat([Diffusion(mixed).draw_timesteps(64, generator) for _ in range(400)]).double() / 1000
    for level in (0.1, 0.3, 0.5, 0.7, 0.9, 0.99):
        below = 0.25 * level + 0.75 * norm.cdf(math.log(level / (1 - level)) - 1.0)  # P(t < level)
        assert float((t < level).double().mean()) == pytest.approx(below, abs=0.005)
    with pytest.raises(ConfigError, match=r"timesteps_uniform must be in \[0, 1\]"):
        DiffusionConfig(timesteps_uniform=1.5)


def test_each_item_of_a_batch_sees_every_timestep() -> None:
    diffusion = Diffusion(DiffusionConfig())
    generator = torch.Generator().manual_seed(0)
    first = torch.stack([diffusion.draw_timesteps(64, generator)[0] for _ in range(2000)]).double()
    assert float(first.mean()) == pytest.approx(499.5, abs=25)
    assert float(first.std()) == pytest.approx(1000 / math.sqrt(12), rel=0.05)


def test_guidance_of_one_is_the_condition_and_of_zero_is_none() -> None:
    cond, uncond = _pair()
    assert torch.allclose(guided(cond, uncond, 1.0), cond, atol=1e-12)
    assert torch.equal(guided(cond, uncond, 0.0), uncond)
    assert torch.allclose(guided(cond, uncond, 3.0), cond + 2.0 * (cond - uncond), atol=1e-12)


@given(t=st.integers(0, 999), x0=st.floats(-20, 20), eps=st.floats(-5, 5))
def test_noisy_data_and_v_are_a_rotation_of_clean_data_and_noise(t: int, x0: float, eps: float) -> None:
    diffusion = Diffusion(DiffusionConfig())
    level = torch.tensor([t])
    clean, noise = (torch.tensor([[value]], dtype=torch.float64) for value in (x0, eps))
    x_t, v = diffusion.add_noise(clean, noise, level), diffusion.velocity(clean, noise, level)
    assert float(x_t**2 + v**2) == pytest.approx(x0**2 + eps**2, rel=1e-9, abs=1e-9)
    assert float(diffusion.x0_from_v(x_t, v, level)) == pytest.approx(x0, abs=1e-9)
    assert float(diffusion.eps_from_v(x_t, v, level)) == pytest.approx(eps, abs=1e-9)


@given(steps=st.integers(2, 2000))
@pytest.mark.parametrize(("schedule", "last"), [(cosine_alpha_bar, 0.01), (rectified_alpha_bar, 0.11)])
def test_any_schedule_falls_from_almost_clean_to_almost_noise(
    schedule: Callable[[int], np.ndarray[Any, Any]], last: float, steps: int
) -> None:
    bar = schedule(steps)
    assert bar.shape == (steps,)
    assert (np.diff(bar) < 0).all()
    assert 0 < bar[-1] < last
    assert bar[0] < 1


def test_half_of_the_schedule_is_half_noise() -> None:
    """cos²(π/4) = 1/2: at the middle signal and noise are equally strong, but for the offset s = 0.008."""
    assert cosine_alpha_bar(1000)[499] == pytest.approx(0.5, abs=0.01)


def test_the_v_error_is_the_clean_datas_error_times_snr_plus_one() -> None:
    """|v̂ − v|² = |x̂_0 − x_0|² / σ² = (SNR + 1) |x̂_0 − x_0|² for one x_t."""
    x0, eps = _pair()
    diffusion = Diffusion(DiffusionConfig())
    x_t, v = diffusion.add_noise(x0, eps, T), diffusion.velocity(x0, eps, T)
    off = v + 0.3
    clean_error = (diffusion.x0_from_v(x_t, off, T) - x0).square().flatten(1).mean(dim=1)
    snr = diffusion.alpha_bar[T] / (1 - diffusion.alpha_bar[T])
    assert torch.allclose(clean_error * (snr + 1), torch.full((6,), 0.09, dtype=torch.float64), rtol=1e-9)


@given(t=st.integers(0, 999), gamma=st.floats(0.1, 50))
def test_min_snr_weights_lie_between_zero_and_one_and_touch_only_high_snr(t: int, gamma: float) -> None:
    level = torch.tensor([t])
    weight = float(Diffusion(DiffusionConfig(weighting="min-snr", min_snr_gamma=gamma)).loss_weight(level))
    bar = cosine_alpha_bar(1000)[t]
    assert 0 < weight <= 1
    if bar / (1 - bar) <= gamma:  # then the weight is SNR / (SNR + 1) = ᾱ
        assert weight == pytest.approx(bar, rel=1e-9)


def test_a_weighted_loss_is_the_weighted_mean_over_items() -> None:
    x0, eps = (a.float() for a in _pair())
    diffusion = Diffusion(DiffusionConfig(weighting="min-snr"))
    truth = diffusion.velocity(x0, eps, T)
    offsets = torch.arange(6.0).view(6, 1, 1)
    loss = diffusion.losses(lambda x, t: truth + offsets, x0, eps, T).mean()
    expected = float((diffusion.loss_weight(T) * torch.arange(6, dtype=torch.float64) ** 2).mean())
    assert float(loss) == pytest.approx(expected, rel=1e-5)


def test_timesteps_of_a_batch_are_one_in_each_part_of_the_schedule() -> None:
    t = Diffusion(DiffusionConfig()).draw_timesteps(20, torch.Generator().manual_seed(3))
    assert sorted((t // 50).tolist()) == list(range(20))


@pytest.mark.parametrize("values", [{"steps": 1}, {"min_snr_gamma": 0.0}])
def test_schedules_that_make_no_sense_are_refused(values: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="steps must be at least 2 and min_snr_gamma above 0"):
        DiffusionConfig(**values)  # type: ignore[arg-type]
