"""The counts of `presets` against counts of our own, from the shapes that every layer sees."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from torch import nn

from clipsonic.networks import NetworkConfig, build
from clipsonic.training.network_cost import network_cost
from clipsonic_eval.cli import main
from clipsonic_eval.errors import ConfigError
from clipsonic_eval.presets import read_training

OPTIONS = {"patch": 2, "channels": [8, 16], "attention": 0, "head_dim": 8, "embedding": 16, "groups": 4}
SMALL = {"trainer": "clipsonic.training.audio:train", "clips": "c", "network": {"name": "unet2d", "options": OPTIONS}}


def _count_by_hooks(network: nn.Module, frames: int) -> int:
    total = 0

    def count(layer: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        nonlocal total
        weight: Any = layer.weight
        # every output value of a convolution, and every input value of a transposed one, meets all its kernels
        values = inputs[0].numel() if isinstance(layer, nn.ConvTranspose2d) else output.numel()
        total += 2 * values * weight[0].numel()

    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            layer.register_forward_hook(count)
    network(torch.zeros(1, 64, frames), torch.zeros(1, dtype=torch.long), torch.zeros(1, 128))
    return total


def test_operations_are_those_of_every_layer_and_of_the_attention() -> None:
    frames, positions, width = 96, 16 * 24, 16  # 64 x 96, patches of 2, halved once
    network = build(NetworkConfig("unet2d", OPTIONS), n_mels=64, frames=frames, condition_dim=128, seed=0)
    cost = network_cost(SMALL, duration_s=0.96)
    attention = 2 * 2 * positions**2 * width  # q kᵀ and its product with v
    assert cost.forward == _count_by_hooks(network, frames) + attention
    assert cost.parameters == sum(weight.numel() for weight in network.parameters())


def test_a_training_item_costs_about_three_evaluations() -> None:
    cost = network_cost({**SMALL, "train": {"steps": 10, "batch_size": 4}}, duration_s=0.96)
    assert 2.5 < cost.training / cost.forward < 3.5
    assert cost.run == 40 * cost.training


def test_the_vggsound_preset_has_the_size_that_a_later_paper_states() -> None:
    assert network_cost(read_training(Path("vggsound"))).parameters / 1e6 == pytest.approx(142.58, abs=0.1)


def test_a_prior_is_counted_token_by_token() -> None:
    tree = {"trainer": "clipsonic.training.prior:train", "data": {"images": "i"}, "encoder": "toy-clip"}
    alone = network_cost({**tree, "network": {"layers": 1, "text_tokens": 0}})
    twice = network_cost({**tree, "network": {"layers": 2, "text_tokens": 0}})
    width, tokens = 4 * 32, 4  # text, time, image, and the query of the prediction
    # queries, keys, values, output, and the two layers of 4 times the width; q kᵀ and its product with v
    block = 2 * tokens * (4 * width**2 + 2 * 4 * width**2) + 2 * 2 * tokens**2 * width
    assert twice.forward - alone.forward == block
    assert alone.network == "prior"


def test_the_command_prints_a_table_or_json(tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text("extends: toy_video\ntrain: {steps: 7}\n")
    words = ["presets", "toy_video", str(own)]
    text = CliRunner().invoke(main, words)
    assert text.exit_code == 0, text.output
    assert len(text.stdout.splitlines()) == 3
    found = json.loads(CliRunner().invoke(main, [*words, "--json"]).stdout)
    assert found[str(own)]["steps"] == 7
    assert found[str(own)]["forward"] == found["toy_video"]["forward"]


def test_the_memory_of_the_weights_follows_from_optimiser_averages_and_processes() -> None:
    def state(processes: int = 1, **train: Any) -> float:
        cost = network_cost({**SMALL, "train": train}, duration_s=0.96, processes=processes)
        return cost.state_bytes / cost.parameters

    assert state() == 24
    assert state(ema_lengths=[0.05, 0.1]) == 32
    assert state(8) == 24  # every process keeps all of it
    assert state(8, shard="optimizer") == pytest.approx(12 + 12 / 8)
    assert state(1, shard="weights") == 24  # alone, nothing is divided
    whole = 31_852 - (1472 + 2200 + 1120 + 5248)  # all but the four smaller of six blocks
    assert state(8, shard="weights") == pytest.approx(28 / 8 + 8 * whole / 31_852)
    assert 20 < state(optimizer="muon") < 21  # nearly all weights have one moment in place of two
    done = CliRunner().invoke(main, ["presets", "vggsound_eight_gpus", "--processes", "8"])
    assert done.stdout.splitlines()[0].split("  ")[-1] == "state, GB"
    assert done.stdout.splitlines()[1].split()[-1] == "1.93"


def test_trainings_with_other_networks_beside_are_not_counted() -> None:
    with pytest.raises(ConfigError, match="audio models and priors"):
        network_cost(read_training(Path("vocoder")))


def test_other_trainers_and_lengths_are_one_sentence() -> None:
    with pytest.raises(ConfigError, match="no other"):
        network_cost({"trainer": "mine:train"})
    with pytest.raises(ConfigError, match="frames cannot be patched"):
        network_cost(SMALL, duration_s=0.97)
