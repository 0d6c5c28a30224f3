"""Sampling of the prior with networks whose answer is known."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from clipsonic.prior.model import DiffusionPrior
from clipsonic.prior.network import TextConditions, prior_scheduler
from clipsonic_eval.errors import ShapeError

D = 8
Answer = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]


class Known(nn.Module):
    """A prior network that answers x̂_0 by a function of (x_t, t, text)."""

    def __init__(self, answer: Answer, mean: float = 0.0, std: float = 1.0) -> None:
        super().__init__()
        self.clip_mean, self.clip_std = torch.full((1, D), mean), torch.full((1, D), std)
        self.config = {"embedding_dim": D, "num_embeddings": 0}
        self.answer = answer
        self.calls = 0

    def forward(self, x: torch.Tensor, t: torch.Tensor, pooled: torch.Tensor, **_: Any) -> SimpleNamespace:
        self.calls += 1
        return SimpleNamespace(predicted_image_embedding=self.answer(x, t, pooled))

    def post_process_latents(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.clip_std + self.clip_mean


def texts(n: int) -> NDArray[np.float32]:
    return np.random.default_rng(1).standard_normal((n, D)).astype(np.float32)


def unit(vectors: NDArray[Any]) -> NDArray[Any]:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def test_a_constant_prediction_is_the_draw_once_its_scale_is_undone() -> None:
    prior = DiffusionPrior(Known(lambda x, t, text: text, mean=0.5, std=2.0), {})
    text = texts(5)
    expected = unit(2.0 * unit(text) * np.sqrt(D) + 0.5)
    np.testing.assert_allclose(prior.sample(text, range(5), guidance=1.0), expected, atol=1e-5)


def test_guidance_extrapolates_from_the_null_prediction() -> None:
    """The null text is the zero vector: x̂_0 = ŷ_∅ + w (ŷ_c − ŷ_∅) with ŷ_∅ = 1 and ŷ_c = 1 + text."""
    network = Known(lambda x, t, text: 1.0 + text)
    text = 0.3 * unit(texts(4))
    drawn = DiffusionPrior(network, {}).sample(text, range(4), guidance=1.3)
    np.testing.assert_allclose(drawn, unit(1.0 + 1.3 * unit(text) * np.sqrt(D)), atol=1e-5)


def test_guidance_of_one_costs_one_call_per_step_and_any_other_two() -> None:
    calls = []
    for guidance in (1.0, 2.0):
        network = Known(lambda x, t, text: text)
        DiffusionPrior(network, {}).sample(texts(3), range(3), steps=6, guidance=guidance)
        calls.append(network.calls)
    assert calls == [6, 12]


def test_the_ancestral_sampler_draws_from_a_known_gaussian() -> None:
    """With the optimal denoiser of N(μ, s²), draws before normalisation have this mean and nearly this deviation."""
    mean, deviation = 0.6, 0.4
    bars = prior_scheduler().alphas_cumprod.double()

    def posterior_mean(x: torch.Tensor, t: torch.Tensor, text: torch.Tensor) -> torch.Tensor:
        bar = bars[t].to(x.dtype)
        gain = bar.sqrt() * deviation**2 / (bar * deviation**2 + 1 - bar)
        return mean + gain * (x - bar.sqrt() * mean)

    prior = DiffusionPrior(Known(posterior_mean), {})
    conditions = TextConditions(torch.zeros(500, D))
    drawn = prior._draw(conditions, range(500), steps=100, guidance=1.0)
    assert float(drawn.mean()) == pytest.approx(mean, abs=0.03)  # 4,000 numbers: the standard error is 0.006
    assert float(drawn.std()) == pytest.approx(deviation, rel=0.07)


def test_candidates_of_a_smaller_k_are_among_those_of_a_larger_one() -> None:
    prior = DiffusionPrior(Known(lambda x, t, text: torch.tanh(x)), {})
    text = texts(6)
    best = {k: prior.sample(text, range(6), steps=4, candidates=k, guidance=1.0) for k in (1, 2, 3, 5)}
    cosines = np.array([(best[k] * unit(text)).sum(axis=1) for k in (1, 2, 3, 5)])
    assert (np.diff(cosines, axis=0) >= -1e-6).all()
    kept = [np.isclose(best[a], best[b], atol=1e-6).all(axis=1) for a, b in ((1, 2), (2, 3), (3, 5))]
    assert all(
        (same | (later > earlier)).all() for same, earlier, later in zip(kept, cosines, cosines[1:], strict=False)
    )


def test_the_identity_of_a_draw_names_weights_data_and_sampling() -> None:
    prior = DiffusionPrior(Known(lambda x, t, text: text), {"weights_sha256": "ab", "data": {"kind": "images"}})
    assert prior.identity(steps=3, guidance=1.0, candidates=2) == {
        "weights_sha256": "ab",
        "data": {"kind": "images"},
        "steps": 3,
        "guidance": 1.0,
        "candidates": 2,
    }


def test_dropped_texts_are_zero_and_their_tokens_are_masked_in() -> None:
    conditions = TextConditions(torch.ones(3, D), torch.ones(3, 2, D), torch.tensor([[True, False]] * 3))
    dropped = conditions.dropped(torch.tensor([False, True, False]))
    assert dropped.pooled.sum(dim=1).tolist() == [D, 0, D]
    assert dropped.tokens is not None
    assert dropped.mask is not None
    assert dropped.tokens.sum(dim=(1, 2)).tolist() == [2 * D, 0, 2 * D]
    assert dropped.mask.tolist() == [[True, False], [True, True], [True, False]]
    assert dropped.rows(slice(1, 3)).pooled.shape == (2, D)


@pytest.mark.parametrize("tokens", [(np.zeros((2, 4, D)), np.ones((2, 4), bool))])
def test_hidden_states_for_a_network_that_takes_none_are_refused(tokens: tuple[Any, Any]) -> None:
    with pytest.raises(ShapeError, match="takes no hidden states per text, got 4"):
        DiffusionPrior(Known(lambda x, t, text: text), {}).sample(texts(2), (0, 1), tokens=tokens)
