from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from clipsonic.networks import NETWORKS, NetworkConfig, build, resolved_options, timestep_features, with_null
from clipsonic.networks._group_norm import GroupNorm
from clipsonic.networks.unet1d import _fold, _unfold
from clipsonic_eval.errors import ConfigError

SIZES = {"n_mels": 16, "frames": 16, "condition_dim": 8}


def test_timestep_features_are_cosines_and_sines_of_geometric_frequencies() -> None:
    got = timestep_features(torch.tensor([0, 7, 999]), 8)
    for row, t in zip(got, (0, 7, 999), strict=True):
        angles = [t * 10_000 ** (-i / 4) for i in range(4)]
        expected = [math.cos(a) for a in angles] + [math.sin(a) for a in angles]
        assert row.tolist() == pytest.approx(expected, abs=1e-4)


def test_dropped_rows_get_the_null_condition() -> None:
    cond, null = torch.ones(3, 2), torch.tensor([5.0, 6.0])
    got = with_null(cond, null, torch.tensor([False, True, False]))
    assert got.tolist() == [[1.0, 1.0], [5.0, 6.0], [1.0, 1.0]]
    assert torch.equal(with_null(cond, null, None), cond)


def test_the_null_has_a_gradient_in_every_step() -> None:
    null = torch.nn.Parameter(torch.zeros(2))
    with_null(torch.ones(3, 2), null, None).sum().backward()
    assert null.grad is not None


def test_patches_put_neighbouring_frames_into_channels_and_back() -> None:
    x = torch.arange(2 * 3 * 8, dtype=torch.float32).view(2, 3, 8)
    folded = _fold(x, 2)
    assert folded.shape == (2, 6, 4)
    assert torch.equal(folded[:, :3], x[:, :, 0::2])
    assert torch.equal(folded[:, 3:], x[:, :, 1::2])
    assert torch.equal(_unfold(folded, 2), x)


def test_a_fresh_network_predicts_one_constant_whatever_it_is_given() -> None:
    options = {"channels": (8, 8), "embedding": 8, "groups": 4, "heads": 2}
    network = build(NetworkConfig("unet1d", options), **SIZES, seed=0)
    generator = torch.Generator().manual_seed(0)
    x, cond = torch.randn(2, 16, 16, generator=generator), torch.randn(2, 8, generator=generator)
    v = network(x, torch.tensor([1, 900]), cond)
    assert torch.equal(v[0], v[1])


def test_options_are_the_defaults_with_the_configured_ones_on_top() -> None:
    assert resolved_options(NetworkConfig("unet1d", {"channels": (32,)})) == {
        "patch": 2,
        "channels": [32],
        "blocks": 1,
        "embedding": 256,
        "groups": 8,
        "heads": 4,
        "dropout": 0.0,
    }


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_sizes_that_the_data_decide_are_no_options(name: str) -> None:
    with pytest.raises(ConfigError, match=rf"network.options \({name}\): unknown key 'frames'"):
        resolved_options(NetworkConfig(name, {"frames": 32}))


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("unet1d", {"patch": 0}, "patch and blocks must be at least 1"),
        ("unet1d", {"channels": (8, 20)}, "must be multiples of groups 8"),
        ("unet1d", {"channels": (8, 8), "heads": 3}, "multiple of heads 3"),
        ("unet1d", {"channels": "wide"}, "expected a list, got 'wide'"),
        ("unet2d", {"patch": 0}, "patch, blocks, head_dim and all channels must be at least 1"),
        ("unet2d", {"channels": ()}, "network.options"),
        ("unet2d", {"channels": (8, 8), "attention": 3}, "attention must be between 0 and 2 levels"),
        ("unet2d", {"channels": (8, 72), "head_dim": 14}, "must be multiples of head_dim 14"),
        ("unet2d", {"channels": (8, 20)}, "must be multiples of groups 8"),
        ("unet2d", {"patch": 8}, "cannot be patched by 8 and halved 2 times"),
        ("unet2d-diffusers", {"channels": (8,)}, "must be multiples of groups 32"),
        ("unet2d-diffusers", {"channels": (32, 32), "attention": 3}, "attention must be between 0 and 2 levels"),
        ("unet2d-diffusers", {"conditioning": "film"}, "is not one of 'class', 'cross-attention'"),
    ],
)
def test_options_that_make_no_network_are_named(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build(NetworkConfig(name, options), **SIZES, seed=0)


def test_the_quick_group_norm_is_that_of_pytorch_forwards_and_backwards() -> None:
    generator = torch.Generator().manual_seed(0)
    norm = GroupNorm(4, 16)
    with torch.no_grad():
        norm.weight.normal_(1, 0.3, generator=generator)
        norm.bias.normal_(0, 0.3, generator=generator)
    x = (3 + 2 * torch.randn(3, 16, 4, 6, generator=generator)).requires_grad_()
    scale, shift = (torch.randn(3, 16, generator=generator, requires_grad=True) for _ in range(2))
    upstream = torch.randn(x.shape, generator=generator)
    got = norm(x.to(memory_format=torch.channels_last), scale, shift)
    plain = torch.nn.functional.group_norm(x, 4, norm.weight, norm.bias, 1e-5)
    expected = plain * (1 + scale[:, :, None, None]) + shift[:, :, None, None]
    torch.testing.assert_close(got, expected, rtol=1e-5, atol=2e-6)
    leaves = (x, scale, shift, norm.weight, norm.bias)
    for a, b in zip(
        torch.autograd.grad(got, leaves, upstream), torch.autograd.grad(expected, leaves, upstream), strict=True
    ):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("order", [torch.channels_last, torch.contiguous_format])
def test_the_quick_group_norm_leaves_what_it_is_given_as_it_was(dtype: torch.dtype, order: torch.memory_format) -> None:
    generator = torch.Generator().manual_seed(0)
    x, gradient = (torch.randn(2, 8, 4, 6, generator=generator).to(dtype) for _ in range(2))
    x, gradient = x.to(memory_format=torch.channels_last).requires_grad_(), gradient.to(memory_format=order)
    before = [tensor.detach().clone() for tensor in (x, gradient)]
    norm = GroupNorm(4, 8).to(dtype)
    found = norm(x)
    kept = found.detach().clone()
    found.backward(gradient)
    norm(x.detach() * 3)
    for tensor, was in zip((x, gradient, found), (*before, kept), strict=True):
        assert torch.equal(tensor, was)


def test_a_trained_network_sees_its_conditions_with_zero_mean_and_unit_deviation() -> None:
    network = build(NetworkConfig("unet2d", {"channels": (8, 8), "embedding": 8}), **SIZES, seed=0)
    cond = 5 + 3 * torch.randn(200, 8, generator=torch.Generator().manual_seed(0))
    network.standardise_conditions(cond)
    seen = (cond - network.condition_mean) / network.condition_std
    torch.testing.assert_close(seen.mean(dim=0), torch.zeros(8), atol=1e-5, rtol=0)
    torch.testing.assert_close(seen.std(dim=0), torch.ones(8), atol=1e-5, rtol=0)
