"""What the network predicts, how errors are weighted, and which noise levels are drawn: against EDM and diffusers."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pytest
import torch
from diffusers.schedulers.scheduling_ddpm import rescale_zero_terminal_snr
from scipy.stats import norm

from clipsonic.diffusion import Diffusion, DiffusionConfig, cosine_alpha_bar, guided, noise_schedule
from clipsonic.samplers import SAMPLERS, sample, training_scheduler
from clipsonic_eval.errors import ConfigError

T = torch.tensor([3, 100, 500, 900, 990])
Prediction = Literal["v", "x0", "eps"]
PREDICTIONS: tuple[Prediction, ...] = ("v", "x0", "eps")


def _pair() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    x0, eps = (torch.randn(5, 4, 6, generator=generator, dtype=torch.float64) for _ in range(2))
    return x0, eps


@pytest.mark.parametrize("prediction", PREDICTIONS)
def test_the_clean_data_follow_from_what_is_predicted_as_in_diffusers(prediction: Prediction) -> None:
    x0, eps = _pair()
    diffusion = Diffusion(DiffusionConfig(prediction=prediction))
    x_t = diffusion.add_noise(x0, eps, T)
    target = diffusion.target(x0, eps, T)
    assert torch.allclose(diffusion.clean(x_t, target, T), x0, atol=1e-9)
    scheduler = training_scheduler(diffusion.config)
    scheduler.alphas_cumprod = diffusion.alpha_bar  # theirs is float32
    wrong = target + 0.1
    for row, t in enumerate(T.tolist()):
        theirs = scheduler.step(wrong[row], t, x_t[row], generator=torch.Generator().manual_seed(0))
        assert torch.allclose(diffusion.clean(x_t[row], wrong[row], t), theirs.pred_original_sample, atol=1e-6)


@pytest.mark.parametrize("prediction", PREDICTIONS)
def test_guidance_is_the_same_whatever_is_predicted(prediction: Prediction) -> None:
    x0, eps = _pair()
    diffusion = Diffusion(DiffusionConfig(prediction=prediction))
    x_t = diffusion.add_noise(x0, eps, T)
    cond, uncond = (diffusion.target(x0 + shift, (x_t - diffusion._alpha_sigma(T, x0)[0] * (x0 + shift))
                    / diffusion._alpha_sigma(T, x0)[1], T) for shift in (0.1, -0.2))  # fmt: skip
    clean = diffusion.clean(x_t, guided(cond, uncond, 3.0), T)
    assert torch.allclose(clean, guided(x0 + 0.1, x0 - 0.2, 3.0), atol=1e-8)


@pytest.mark.parametrize("prediction", PREDICTIONS)
@pytest.mark.parametrize("weighting", ["min-snr", "flow", "edm"])
def test_a_weighting_is_the_same_loss_of_the_same_clean_data_whatever_is_predicted(
    prediction: Prediction, weighting: Any
) -> None:
    x0, eps = _pair()
    diffusion = Diffusion(DiffusionConfig(prediction=prediction, weighting=weighting, sigma_data=0.7))
    alpha, sigma = diffusion._alpha_sigma(T, x0)
    guess = x0 + 0.1  # a wrong answer, put as v, as x_0 or as noise
    answers = {"x0": guess}
    x_t = diffusion.add_noise(x0, eps, T)
    answers["eps"] = (x_t - alpha * guess) / sigma
    answers["v"] = (alpha * x_t - guess) / sigma
    snr = (alpha / sigma).flatten() ** 2
    ratio = (sigma / alpha).flatten()  # EDM's σ
    of_clean = {
        "min-snr": snr.clamp(max=5.0),
        "flow": ((alpha + sigma) / sigma).flatten() ** 2,
        "edm": (ratio**2 + 0.7**2) / (ratio * 0.7) ** 2,  # Karras et al. 2022, table 1: λ(σ)
    }[weighting]
    losses = diffusion.losses(lambda x, t: answers[prediction].float(), x0.float(), eps.float(), T)
    assert losses.tolist() == pytest.approx((of_clean * 0.01).tolist(), rel=2e-2)


@pytest.mark.parametrize("prediction", PREDICTIONS)
def test_the_uniform_loss_is_the_plain_error_of_what_is_predicted(prediction: Prediction) -> None:
    x0, eps = (part.float() for part in _pair())
    diffusion = Diffusion(DiffusionConfig(prediction=prediction))
    target = diffusion.target(x0, eps, T)
    assert diffusion.losses(lambda x, t: target + 0.5, x0, eps, T).tolist() == pytest.approx([0.25] * 5, rel=1e-5)


def test_edm_of_unit_data_is_the_plain_error_of_v() -> None:
    weights = Diffusion(DiffusionConfig(weighting="edm", sigma_data=1.0)).loss_weight(torch.arange(1000))
    assert torch.allclose(weights, torch.ones_like(weights), atol=1e-12)


@pytest.mark.parametrize("uniform", [0.0, 0.5])
def test_log_normal_noise_levels_have_edms_distribution(uniform: float) -> None:
    config = DiffusionConfig(
        timesteps="log-normal", timesteps_shift=-1.2, timesteps_scale=1.2, timesteps_uniform=uniform
    )
    diffusion = Diffusion(config)
    t = diffusion.draw_timesteps(200_000, torch.Generator().manual_seed(0)).numpy()
    bar = cosine_alpha_bar(1000)
    ratio = 0.5 * np.log((1 - bar) / bar)  # ln σ
    for level in (200, 400, 600, 800):
        expected = (1 - uniform) * norm.cdf((ratio[level] + 1.2) / 1.2) + uniform * (level + 1) / 1000
        assert (t <= level).mean() == pytest.approx(expected, abs=0.005)


def test_zero_terminal_snr_is_that_of_diffusers() -> None:
    config = DiffusionConfig(zero_terminal_snr=True)
    bar = noise_schedule(config)
    assert bar[-1] == 0.0
    assert bar[0] == pytest.approx(cosine_alpha_bar(1000)[0], rel=1e-12)
    plain = cosine_alpha_bar(1000)
    betas = torch.from_numpy(1 - plain / np.append(1.0, plain[:-1]))
    theirs = np.cumprod(1 - rescale_zero_terminal_snr(betas).numpy())
    assert np.allclose(bar, theirs, atol=1e-9)
    read = training_scheduler(config).alphas_cumprod.double().numpy()
    assert np.allclose(bar, read, rtol=2e-3, atol=2e-6)


@pytest.mark.parametrize("sampler", sorted(SAMPLERS))
@pytest.mark.parametrize("prediction", ["v", "x0"])
def test_every_sampler_starts_from_noise_alone(sampler: str, prediction: Prediction) -> None:
    config = DiffusionConfig(zero_terminal_snr=True, prediction=prediction)
    diffusion = Diffusion(config)

    def denoise(x: torch.Tensor, t: int) -> torch.Tensor:  # of data that are all 0.5
        alpha, sigma = diffusion._numbers[t]
        answer = torch.full_like(x, 0.5) if prediction == "x0" else (alpha * x - 0.5) / sigma
        return diffusion.clean(x, answer, t)

    drawn = sample(denoise, (8,), [0, 1], config, sampler=sampler, steps=10)
    assert torch.allclose(drawn, torch.full_like(drawn, 0.5), atol=1e-3)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"zero_terminal_snr": True, "prediction": "eps"}, "predict v or x0, not eps"),
        ({"zero_terminal_snr": True, "schedule": "rectified-flow"}, "for the cosine schedule"),
        ({"sigma_data": 0.0}, "sigma_data and timesteps_scale must be above 0"),
    ],
)
def test_what_does_not_go_together_is_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        DiffusionConfig(**values)
