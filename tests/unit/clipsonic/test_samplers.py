from __future__ import annotations

import pytest
import torch

from clipsonic.diffusion import Diffusion, DiffusionConfig
from clipsonic.samplers import SamplerSettings, sample, training_scheduler
from clipsonic_eval.errors import UserError

DIFFUSION = DiffusionConfig()
TABLES = Diffusion(DIFFUSION)
SCHEDULER = dict(training_scheduler(DIFFUSION).config)
MU, S = 0.7, 0.3


def _posterior_mean(x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    """E[x0 | x_t] when x0 is normal with mean MU and deviation S: linear in x_t."""
    bar = TABLES.alpha_bar[t].to(x.dtype).view(-1, 1, 1)
    gain = bar.sqrt() * S**2 / (bar * S**2 + 1 - bar)
    return MU + gain * (x - bar.sqrt() * MU)


def _draw(sampler: str, steps: int, seeds: list[int], denoise=_posterior_mean) -> torch.Tensor:  # type: ignore[no-untyped-def]
    return sample(denoise, (4, 25), seeds, SamplerSettings(sampler, steps), scheduler_config=SCHEDULER)


@pytest.mark.parametrize(
    ("sampler", "steps", "tolerance"), [("dpm-solver++", 20, 0.02), ("ddim", 100, 0.03), ("ddpm", 200, 0.03)]
)
def test_samplers_recover_a_known_gaussian(sampler: str, steps: int, tolerance: float) -> None:
    drawn = _draw(sampler, steps, list(range(200)))
    # 20,000 independent numbers: the mean's standard error is 0.002, the deviation's 0.5 %
    assert float(drawn.mean()) == pytest.approx(MU, abs=0.01)
    assert float(drawn.std()) == pytest.approx(S, rel=tolerance + 0.01)  # the rest is the solver's own step error


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


def test_unknown_samplers_and_too_many_steps_are_named() -> None:
    with pytest.raises(UserError, match="Did you mean 'ddim'"):
        SamplerSettings("dim", 5)
    with pytest.raises(UserError, match="exceed the 1000"):
        _draw("ddim", 1001, [1])
