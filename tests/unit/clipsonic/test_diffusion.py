from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from clipsonic.diffusion import Diffusion, DiffusionConfig, cosine_alpha_bar, guided
from clipsonic.samplers import training_scheduler

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
    assert float(diffusion.loss(lambda x, t: truth, x0, eps, T)) == 0.0
    assert float(diffusion.loss(lambda x, t: truth + 0.5, x0, eps, T)) == pytest.approx(0.25, rel=1e-5)


def test_min_snr_weights_are_the_formula() -> None:
    diffusion = Diffusion(DiffusionConfig(weighting="min-snr", min_snr_gamma=5.0))
    bar = cosine_alpha_bar(1000)[T.numpy()]
    snr = bar / (1 - bar)
    assert np.allclose(diffusion.loss_weight(T).numpy(), np.minimum(snr, 5.0) / (snr + 1))


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
