"""A prior keeps its scale in the network as constants that the optimiser never sees; a resumed run must cope."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from clipsonic.training import checkpoint
from clipsonic.training.config import TrainConfig
from clipsonic.training.optimizers import make_optimizers
from clipsonic.training.weights import FlatWeights
from clipsonic_eval.config import resolve


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_a_checkpoint_with_constants_in_the_network_is_restored_exactly(tmp_path: Path, optimizer: str) -> None:
    config = resolve(TrainConfig, {"optimizer": optimizer, "precision": "bf16"})

    def make() -> tuple[FlatWeights, list[torch.optim.Optimizer]]:
        torch.manual_seed(0)
        net = torch.nn.Linear(2, 2)
        net.scale = torch.nn.Parameter(torch.ones(2), requires_grad=False)
        return make_optimizers(net, config)

    def step(weights: FlatWeights, optimizers: list[torch.optim.Optimizer]) -> None:
        weights.backward(weights.call(torch.ones(1, 2)).square().sum())
        for each in optimizers:
            each.step()
        weights.cast()
        weights.update_averages(0.5, 1)

    one = make()
    with torch.no_grad():
        one[0].module.scale.fill_(3.0)
    step(*one)
    state = checkpoint.Checkpoint(identity="x", step=1, seconds=0.0, log=[])
    checkpoint.write(tmp_path, state, *one, torch.zeros(1))
    other = make()
    found = checkpoint.read(tmp_path, "x")
    assert found is not None
    checkpoint.apply(found, *other, torch.zeros(1))
    for run in (one, other):
        step(*run)
    assert torch.equal(one[0].values, other[0].values)
    assert torch.equal(one[0].average, other[0].average)
    net, other_net = one[0].module, other[0].module
    assert all(torch.equal(a, b) for a, b in zip(net.parameters(), other_net.parameters(), strict=True))
