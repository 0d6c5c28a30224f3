"""Weights as vectors: the module sees the same values, gradients and steps, the average is the textbook's."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from clipsonic.training.execution import Execution
from clipsonic.training.weights import FlatWeights


def network() -> nn.Sequential:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(1, 3, 3), nn.GELU(), nn.ConvTranspose2d(3, 5, 2), nn.Flatten(), nn.Linear(20, 2))
    return module.to(memory_format=torch.channels_last)


def loss(weights: FlatWeights) -> torch.Tensor:
    found: torch.Tensor = weights.call(torch.linspace(-1, 1, 9).view(1, 1, 3, 3)).float().square().sum()
    return found


def one_weight(value: float, *, low: bool = False) -> tuple[nn.Linear, FlatWeights]:
    module = nn.Linear(1, 1, bias=False)
    nn.init.constant_(module.weight, value)
    return module, FlatWeights(module, [module.weight], Execution("bf16" if low else "fp32"))


def test_values_and_gradients_of_the_parameters_are_those_of_the_module_alone() -> None:
    module, plain = network(), network()
    weights = FlatWeights(module, list(module.parameters()))
    weights.backward(loss(weights))
    norm = weights.reduce()
    plain(torch.linspace(-1, 1, 9).view(1, 1, 3, 3)).square().sum().backward()
    for ours, theirs in zip(module.parameters(), plain.parameters(), strict=True):
        assert torch.equal(ours, theirs)
        assert ours.stride() == theirs.stride()
        assert ours.grad is not None
        assert theirs.grad is not None
        assert torch.allclose(ours.grad, theirs.grad, atol=1e-6)
    assert torch.allclose(norm, torch.nn.utils.get_total_norm([p.grad for p in plain.parameters()]))  # type: ignore[misc]


def test_in_bfloat16_the_gradient_is_that_of_a_network_cast_to_it() -> None:
    module = network()
    half = copy.deepcopy(module).bfloat16()
    weights = FlatWeights(module, list(module.parameters()), Execution("bf16"))
    weights.backward(loss(weights))
    half(torch.linspace(-1, 1, 9).view(1, 1, 3, 3).bfloat16()).float().square().sum().backward()
    for ours, theirs in zip(module.parameters(), half.parameters(), strict=True):
        assert ours.dtype == torch.float32
        assert ours.grad is not None
        assert theirs.grad is not None
        assert torch.equal(ours.grad, theirs.grad.float())


def test_gradients_of_a_step_do_not_add_to_those_of_the_last() -> None:
    module, weights = one_weight(2.0)
    for _ in range(2):
        weights.backward(weights.call(torch.ones(1, 1)).sum())
        norm = weights.reduce()
    assert norm == 1.0
    assert module.weight.grad == 1.0


@pytest.mark.parametrize("low", [False, True])
def test_added_gradients_become_their_mean_in_float32(low: bool) -> None:
    module, weights = one_weight(2.0, low=low)
    for turn, factor in enumerate((1.0, 1 / 512, 3.0)):
        weights.backward(weights.call(torch.ones(1, 1)).float().sum() * factor, add=turn > 0)
    norm = weights.reduce(3)
    assert norm == pytest.approx((4 + 1 / 512) / 3, rel=1e-6)  # 1 + 1/512 is 1 in bfloat16
    assert module.weight.grad == norm


def test_a_parameter_that_a_loss_does_not_reach_has_a_gradient_of_zero() -> None:
    module = nn.Sequential(nn.Linear(1, 1), nn.Linear(1, 1))
    weights = FlatWeights(module, list(module.parameters()))
    weights.backward(weights.call(torch.ones(1, 1)).sum())
    weights.backward(module[0](torch.ones(1, 1)).sum())
    assert module[1].weight.grad == 0.0
    assert module[0].weight.grad == 1.0


def test_pieces_are_the_parameters_and_nothing_between_them() -> None:
    module = network()
    parameters = list(module.parameters())
    weights = FlatWeights(module, parameters)
    pieces = [weights.piece(parameters[:3]), weights.piece(parameters[3:])]
    assert sum(map(len, pieces)) == len(weights.values)
    weights.backward(loss(weights))
    with torch.no_grad():
        for piece in pieces:
            assert piece.grad is not None
            piece.sub_(piece.grad, alpha=0.5)
    used = sum(p.numel() for p in parameters)
    assert int((weights.values != 0).sum()) <= used < len(weights.values)
    plain = network()
    plain(torch.linspace(-1, 1, 9).view(1, 1, 3, 3)).square().sum().backward()
    for ours, theirs in zip(parameters, plain.parameters(), strict=True):
        assert torch.allclose(ours, theirs - 0.5 * theirs.grad, atol=1e-6)  # type: ignore[operator]


def test_the_average_is_the_exponentially_weighted_sum_of_the_weights() -> None:
    module, weights = one_weight(2.0)
    expected = 2.0
    for step, (value, decay) in enumerate(((5.0, 0.1), (-1.0, 0.5), (4.0, 0.9)), start=1):
        nn.init.constant_(module.weight, value)
        weights.update_averages(decay, step)
        expected = decay * expected + (1 - decay) * value
    assert weights.average[0].item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("low", [False, True])
def test_the_average_is_lent_to_the_network_and_taken_back(low: bool) -> None:
    module, weights = one_weight(2.0, low=low)
    nn.init.constant_(module.weight, 5.0)
    weights.cast()
    weights.called.train()
    with weights.averaged() as lent:
        assert weights.call(torch.ones(1, 1)).item() == 2.0
        assert not lent.training
    assert weights.call(torch.ones(1, 1)).item() == 5.0
    assert lent.training


def test_at_the_end_the_module_holds_the_average_in_memory_of_its_own() -> None:
    module, weights = one_weight(2.0)
    nn.init.constant_(module.weight, 5.0)
    weights.finish()
    weights.values.zero_()
    assert module.weight.item() == 2.0
    assert module.weight.grad is None
    assert not module.training


def test_the_parts_of_a_row_of_a_matrix_are_those_of_that_row() -> None:
    """Further averages lie in one matrix."""
    module = network()
    weights = FlatWeights(module, list(module.parameters()))
    rows = torch.stack([weights.values, 2 * weights.values])
    for name, parameter in module.named_parameters():
        assert torch.equal(weights.named(rows[1])[name], 2 * parameter)
