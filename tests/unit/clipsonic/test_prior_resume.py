"""A prior keeps its scale in the network as constants that the optimiser never sees; a resumed run must cope."""

from __future__ import annotations

from pathlib import Path

import torch

from clipsonic.training import checkpoint


def test_a_checkpoint_with_constants_in_the_network_is_restored_exactly(tmp_path: Path) -> None:
    def make() -> tuple[torch.nn.Module, torch.optim.Optimizer]:
        torch.manual_seed(0)
        net = torch.nn.Linear(2, 2)
        net.scale = torch.nn.Parameter(torch.ones(2), requires_grad=False)
        return net, torch.optim.AdamW([p for p in net.parameters() if p.requires_grad])

    def step(net: torch.nn.Module, optimiser: torch.optim.Optimizer) -> None:
        net(torch.ones(1, 2)).square().sum().backward()
        optimiser.step()
        optimiser.zero_grad()

    net, optimiser = make()
    step(net, optimiser)
    state = checkpoint.Checkpoint(identity="x", step=1, seconds=0.0, log=[])
    checkpoint.write(tmp_path, state, net, {}, [optimiser], torch.zeros(1))
    other, other_optimiser = make()
    found = checkpoint.read(tmp_path, "x")
    assert found is not None
    checkpoint.apply(found, other, {}, [other_optimiser], torch.zeros(1))
    step(net, optimiser)
    step(other, other_optimiser)
    assert all(torch.equal(a, b) for a, b in zip(net.parameters(), other.parameters(), strict=True))
