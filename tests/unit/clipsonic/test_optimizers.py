"""The optimisers: what decays, what Muon takes, and its orthogonalised step against singular value decompositions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from clipsonic.training.config import TrainConfig
from clipsonic.training.optimizers import make_optimizers, orthogonalised

MUON = TrainConfig(optimizer="muon", learning_rate=0.1, weight_decay=0.0, precision="fp32")


def kernel(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def convolutional() -> nn.Sequential:
    grouped = nn.Conv2d(4, 4, 3, groups=4)
    return nn.Sequential(nn.Conv2d(2, 4, 3), nn.GroupNorm(1, 4), grouped, nn.ConvTranspose2d(4, 2, 2), nn.Linear(3, 3))


def shapes(optimizer: torch.optim.Optimizer) -> list[tuple[int, ...]]:
    return [tuple(p.shape) for group in optimizer.param_groups for p in group["params"]]


def decomposed(kernel: torch.Tensor) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    return np.linalg.svd(kernel.flatten(1).double().numpy(), full_matrices=False)


def test_weight_decay_is_for_matrices_and_kernels_alone() -> None:
    module = nn.Sequential(nn.Conv1d(2, 3, 3), nn.GroupNorm(1, 3), nn.Linear(3, 3))
    weights, (adamw,) = make_optimizers(module, TrainConfig(weight_decay=0.5, learning_rate=0.1, precision="fp32"))
    before = [p.detach().clone() for p in module.parameters()]
    weights.gradient.zero_()
    adamw.step()
    for parameter, old in zip(module.parameters(), before, strict=True):
        assert torch.allclose(parameter, old * (0.95 if parameter.ndim >= 2 else 1.0))


def test_muon_takes_what_mixes_channels_and_adamw_all_else() -> None:
    module = convolutional()
    _, (muon, adamw) = make_optimizers(module, MUON)
    assert shapes(muon) == [(4, 2, 3, 3), (4, 2, 2, 2), (3, 3)]
    muons = {id(p) for p in muon.param_groups[0]["params"]}
    assert {id(p) for p in (module[0].weight, module[3].weight, module[4].weight)} == muons
    decayed, plain = (group["params"][0] for group in adamw.param_groups)
    assert int((decayed != 0).sum()) == 4 * 9
    assert int((plain != 0).sum()) <= 4 + 4 + 4 + 4 + 2 + 3


@pytest.mark.parametrize("shape", [(6, 20), (20, 6), (8, 8), (12, 4, 3, 3), (40, 2, 3)])
@pytest.mark.parametrize(("dtype", "aside"), [(torch.float32, 1e-4), (torch.bfloat16, 0.03)])
def test_the_update_keeps_the_singular_vectors_and_evens_out_the_singular_values(
    shape: tuple[int, ...], dtype: torch.dtype, aside: float
) -> None:
    given = kernel(*shape)
    (update,) = orthogonalised([given], dtype)
    u, s, vt = decomposed(given)
    rotated = u.T @ update.flatten(1).double().numpy() @ vt.T / max(len(u), vt.shape[1]) ** 0.5
    assert np.abs(rotated - np.diag(np.diag(rotated))).max() < aside
    reached = s > 0.05 * s.max()
    assert np.all((np.diag(rotated)[reached] > 0.6) & (np.diag(rotated)[reached] < 1.25))


def test_the_update_has_a_root_mean_square_near_one_whatever_the_shape() -> None:
    for shape in ((16, 16, 3, 3), (64, 8), (8, 64)):
        (update,) = orthogonalised([kernel(*shape)])
        assert update.square().mean().sqrt().item() == pytest.approx(0.9, abs=0.15)


def test_an_update_depends_neither_on_scale_nor_on_kernels_beside_it() -> None:
    kernels = [kernel(6, 20, seed=1), kernel(6, 20, seed=2), kernel(20, 6, seed=3)]
    together = orthogonalised(kernels)
    for one, update in zip(kernels, together, strict=True):
        (alone,) = orthogonalised([one * 1e-3])
        assert torch.allclose(alone, update, atol=1e-4)


def test_a_gradient_of_zero_moves_nothing() -> None:
    (update,) = orthogonalised([torch.zeros(3, 4)])
    assert torch.equal(update, torch.zeros(3, 4))


def test_two_steps_are_those_of_the_formula() -> None:
    layer = nn.Linear(20, 6, bias=False)
    config = TrainConfig(optimizer="muon", learning_rate=0.1, weight_decay=0.5, precision="fp32")
    _, (muon,) = make_optimizers(layer, config)
    weight, momentum = layer.weight.detach().clone(), torch.zeros(6, 20)
    for step in range(2):
        gradient = kernel(6, 20, seed=step)
        assert layer.weight.grad is not None
        layer.weight.grad.copy_(gradient)
        muon.step()
        momentum = 0.95 * momentum + 0.05 * gradient
        (update,) = orthogonalised([0.05 * gradient + 0.95 * momentum])
        weight = weight * (1 - 0.1 * 0.5) - 0.1 * 0.2 * update
    assert torch.allclose(layer.weight, weight, atol=1e-6)


def test_a_step_lowers_a_linear_loss_nearly_as_much_as_any_step_of_that_spectral_norm() -> None:
    """Over |O| <= 1 the largest <G, O> is the nuclear norm of G, the sum of its singular values."""
    given = kernel(12, 40)
    (update,) = orthogonalised([given])
    nuclear = decomposed(given)[1].sum()
    assert 0.68 < float((given * update).sum()) / 40**0.5 / nuclear < 1.14
