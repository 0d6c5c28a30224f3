"""How a network is computed in training: precision, recomputed blocks, compilation; the same steps but for rounding."""

from __future__ import annotations

import copy
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from unit.clipsonic.fakes import D, FakeStore

from clipsonic.networks import NetworkConfig, build
from clipsonic.prior.network import PriorNetworkConfig, build_network
from clipsonic.training import execution
from clipsonic.training.audio import train_on
from clipsonic.training.config import AudioTrainingConfig, TrainConfig, identity
from clipsonic.training.execution import Execution, chosen, described, products
from clipsonic.training.weights import FlatWeights
from clipsonic_eval import bfloat16
from clipsonic_eval.config import resolve
from clipsonic_eval.errors import ConfigError
from clipsonic_eval.files import read_json

CPU, GPU = torch.device("cpu"), torch.device("cuda")
NETWORKS = {
    "unet1d": NetworkConfig("unet1d", {"channels": [16, 24], "groups": 4, "heads": 2, "blocks": 2, "dropout": 0.3}),
    "unet2d": NetworkConfig("unet2d", {"channels": [16, 16], "attention": 1, "head_dim": 8, "dropout": 0.3}),
    "class": NetworkConfig("unet2d-diffusers", {"channels": [16, 16], "groups": 4, "attention": 1, "head_dim": 8}),
    "cross-attention": NetworkConfig(
        "unet2d-diffusers",
        {"channels": [16, 16], "groups": 4, "attention": 1, "head_dim": 8, "conditioning": "cross-attention"},
    ),
}


def network(name: str) -> Any:
    module = build(NETWORKS[name], n_mels=16, frames=16, condition_dim=D, seed=0)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in module.parameters():  # where a block begins as the identity nothing would flow back
            weight.add_(0.05 * torch.randn(weight.shape, generator=generator))
    return module.train()


def one_pass(module: Any, how: Execution) -> tuple[torch.Tensor, torch.Tensor, int]:
    """Return output and gradient of one pass, and the bytes that it kept for the way back."""
    weights = FlatWeights(module, list(module.parameters()), how)
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(4, 16, 16, generator=generator)
    cond, drop = torch.randn(4, D, generator=generator), torch.tensor([True, False, False, False])
    kept: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    weights.called.train()
    torch.manual_seed(5)  # of the dropout
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        answer = weights.call(x, torch.tensor([3, 200, 500, 900]), cond, drop)
    own = {weight.untyped_storage().data_ptr() for weight in weights.called.parameters()}
    weights.backward(answer.float().square().mean())
    weights.reduce()
    return answer.detach(), weights.gradient.clone(), sum(size for at, size in kept.items() if at not in own)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("name", list(NETWORKS))
def test_recomputed_blocks_give_the_same_numbers_and_keep_less(name: str, precision: Any) -> None:
    torch.manual_seed(0)
    plain = one_pass(network(name), Execution(precision))
    again = one_pass(network(name), Execution(precision, recomputed=True))
    assert torch.equal(plain[0], again[0])
    assert torch.equal(plain[1], again[1])
    assert plain[1].abs().max() > 0
    assert again[2] < 0.6 * plain[2]


def test_the_blocks_of_a_prior_can_be_recomputed() -> None:
    prior = build_network(PriorNetworkConfig(heads=2, head_dim=8, layers=2), D, seed=0)
    assert len(list(execution.outermost_blocks(prior))) == 2


def test_a_network_without_blocks_says_so() -> None:
    module = nn.Linear(2, 2)
    with pytest.raises(ConfigError, match=r"train\.gradient_checkpointing: Linear has no blocks to recompute"):
        FlatWeights(module, [module.weight, module.bias], Execution(recomputed=True))


def test_after_training_a_network_is_its_plain_self_again() -> None:
    module = network("unet2d")
    FlatWeights(module, list(module.parameters()), Execution(recomputed=True)).finish()
    assert not any("forward" in part.__dict__ for part in module.modules())
    copy.deepcopy(module)


@pytest.mark.parametrize("name", ["unet1d", "unet2d"])
def test_a_pass_in_fp16_is_that_of_float32_to_its_precision(name: str) -> None:
    exact = one_pass(network(name).eval(), Execution("fp32"))
    torch.manual_seed(0)
    half = one_pass(network(name).eval(), Execution("fp16"))
    assert half[0].dtype == torch.float16
    assert torch.allclose(exact[0], half[0].float(), atol=0.02 * float(exact[0].abs().max()))
    assert (exact[1] - half[1]).norm() < 0.02 * exact[1].norm()


def test_group_normalisation_in_fp16_takes_activations_whose_squares_it_cannot_hold() -> None:
    from clipsonic.networks._group_norm import GroupNorm

    norm = GroupNorm(2, 8)
    x = (300 * torch.randn(2, 8, 16, 16, generator=torch.Generator().manual_seed(0))).to(torch.float16)
    x.requires_grad_()
    wanted_x = x.detach().float().requires_grad_()
    found, wanted = norm(x), nn.functional.group_norm(wanted_x, 2, norm.weight, norm.bias)
    assert torch.allclose(found.float(), wanted, atol=5e-3)
    upstream = torch.randn(wanted.shape, generator=torch.Generator().manual_seed(1))
    found.backward(100 * upstream.to(torch.float16))
    wanted.backward(100 * upstream)
    assert x.grad is not None
    assert wanted_x.grad is not None
    assert (x.grad.float() - wanted_x.grad).norm() < 0.01 * wanted_x.grad.norm()


@pytest.mark.parametrize(
    ("native", "device", "found"),
    [(True, CPU, "bf16"), (False, CPU, "fp32"), (True, GPU, "bf16"), (False, GPU, "fp16")],
)
def test_auto_is_the_best_precision_that_a_device_computes_itself(
    native: bool, device: torch.device, found: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bfloat16, "is_native", lambda device: native)
    assert chosen("auto", device) == found
    assert described("auto", device) == found
    assert described("fp32", device) == "fp32"
    assert described("bf16", device) == ("bf16" if native else "bf16 (emulated)")
    assert chosen("tf32", GPU) == "tf32"


def test_tf32_without_a_gpu_is_refused_before_any_work(tmp_path: Path) -> None:
    settings = resolve(AudioTrainingConfig, {"clips": "x", "device": "cpu", "train": {"precision": "tf32"}})
    with pytest.raises(ConfigError, match=r"train\.precision tf32 is computed by GPUs, and this training runs on cpu"):
        train_on(FakeStore(), settings, tmp_path / "m")  # type: ignore[arg-type]
    assert not (tmp_path / "m").exists()


def switches() -> tuple[bool, bool]:
    return torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32


def test_tf32_is_switched_for_the_network_alone_and_put_back() -> None:
    before = switches()
    with products("tf32", GPU):
        assert switches() == (True, True)
    with products("fp32", GPU):
        assert switches() == (False, False)
    assert switches() == before
    with pytest.raises(ZeroDivisionError), products("tf32", GPU):
        raise ZeroDivisionError
    with products("tf32", CPU):
        assert switches() == before
    assert switches() == before


def config(**train: Any) -> AudioTrainingConfig:
    options = {"channels": [16, 16], "embedding": 16, "groups": 4, "head_dim": 8}
    settings = {"steps": 4, "batch_size": 8, "warmup": 2, "checkpoint_every": 2, **train}
    return resolve(
        AudioTrainingConfig, {"clips": "x", "network": {"name": "unet2d", "options": options}, "train": settings}
    )


def test_recomputing_does_not_change_what_a_run_is_and_the_rest_does() -> None:
    assert identity(config(gradient_checkpointing=True), "data") == identity(config(), "data")
    for other in ({"precision": "fp16"}, {"compile": True}, {"channels_last": True}, {"gradient_accumulation": 2}):
        assert identity(config(**other), "data") != identity(config(), "data")


def test_a_run_in_fp16_has_the_loss_of_float32_and_says_its_precision(tmp_path: Path) -> None:
    cards = [
        read_json(train_on(FakeStore(), config(precision=name), tmp_path / name) / "card.json")  # type: ignore[arg-type]
        for name in ("fp32", "fp16")
    ]
    assert [card["precision"] for card in cards] == ["fp32", "fp16"]
    assert cards[1]["loss"] == pytest.approx(cards[0]["loss"], rel=0.01)
    assert cards[1]["val_loss"] == pytest.approx(cards[0]["val_loss"], rel=0.01)


def compiled_beside_plain(recomputed: bool) -> None:
    found = []
    for how in (Execution(), Execution(compiled=True, recomputed=recomputed)):
        small = NetworkConfig("unet1d", {"channels": [8], "groups": 2, "heads": 0, "embedding": 8})
        module = build(small, n_mels=8, frames=8, condition_dim=D, seed=0).train()
        nn.init.normal_(module.head.weight, generator=torch.Generator().manual_seed(0))
        weights = FlatWeights(module, list(module.parameters()), how)
        x, cond = torch.linspace(-1, 1, 128).view(2, 8, 8), torch.ones(2, D)
        weights.backward(weights.call(x, torch.tensor([3, 900]), cond, torch.tensor([True, False])).square().mean())
        found.append(weights.gradient)
    assert torch.allclose(found[0], found[1], rtol=1e-4, atol=1e-6)
    assert found[0].abs().max() > 0


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning:torch.*")
@pytest.mark.parametrize("recomputed", [False, True])
def test_a_network_is_traced_whole_for_compilation(recomputed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="aot_eager", fullgraph=True))
    compiled_beside_plain(recomputed)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning:torch.*")
def test_a_compiled_pass_is_a_plain_one_but_for_rounding() -> None:
    compiled_beside_plain(recomputed=False)


def test_images_with_their_channels_last_need_images(tmp_path: Path) -> None:
    settings = resolve(AudioTrainingConfig, {"clips": "x", "train": {"channels_last": True, "steps": 1}})
    with pytest.raises(ConfigError, match="UNet1D has no 2-D convolution"):
        train_on(FakeStore(), settings, tmp_path / "m")  # type: ignore[arg-type]
    assert TrainConfig().execution(CPU).dtype in (torch.float32, torch.bfloat16)
