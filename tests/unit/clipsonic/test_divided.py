"""Weights divided over processes: the gradients, steps and files of processes that keep all of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from unit.clipsonic.fakes import FakeStore
from unit.clipsonic.test_processes import config, launched, losses, weights
from unit.clipsonic.test_training import KilledAt

from clipsonic.training.audio import train_on
from clipsonic.training.config import TrainConfig, identity
from clipsonic.training.vocoder_config import VocoderTrainingConfig
from clipsonic_eval.config import resolve
from clipsonic_eval.errors import ConfigError
from clipsonic_eval.files import read_json

# Three processes, so that rows of weights are dealt unevenly and some processes have none. Without divided weights each
# holds all, and gradients are summed by the loop's own collective.
PASSES = """
import copy, json, sys
from functools import partial
from pathlib import Path
import torch
from unit.clipsonic.test_execution import NETWORKS, D, network
from clipsonic.prior.network import PriorNetworkConfig, TextConditions, build_network, predict_x0
from clipsonic.training.divided import DividedWeights
from clipsonic.training.execution import Execution
from clipsonic.training.loss_weighting import WithExpectedLoss
from clipsonic.training.processes import joined
from clipsonic.training.sharding import Shards
from clipsonic.training.weights import FlatWeights

state = joined(torch.device("cpu"))
n, rank = state.num_processes, state.process_index
torch.compile = partial(torch.compile, backend="aot_eager")
found = {}

def loss(weights, turn):
    generator = torch.Generator().manual_seed(turn)
    x, t = torch.randn(2 * n, 16, 16, generator=generator), torch.arange(1, 1000, 1000 // (2 * n))[: 2 * n]
    cond = torch.randn(2 * n, D, generator=generator)
    mine = slice(rank, None, n)
    torch.manual_seed(5)  # of the dropout
    if isinstance(weights.module, WithExpectedLoss):
        predicted, log_loss = weights.call(x[mine], t[mine], cond[mine], t[mine] > 500)
        return predicted.float().square().mean() + log_loss.float().exp().mean()
    if hasattr(weights.module, "null_condition"):
        return weights.call(x[mine], t[mine], cond[mine], t[mine] > 500).float().square().mean()
    return predict_x0(weights.call, x[mine, 0], t[mine], TextConditions(cond[mine])).float().square().mean()

def one_step(weights):
    for turn in range(2):
        weights.backward(loss(weights, turn), add=turn > 0)
    norm = float(weights.reduce(2))
    gradient = weights.whole(weights.reduced)
    with torch.no_grad():
        weights.own -= 0.1 * weights.reduced
    weights.exchange()
    weights.update_averages(0.5, 1)
    with weights.averaged(), torch.no_grad():
        seen = loss(weights, 2)
    return norm, gradient.clone(), seen, loss(weights, 3).detach()

def case(name, module, how):
    one, other = copy.deepcopy(module).train(), module.train()
    used = lambda m: [p for p in m.parameters() if p.requires_grad]
    whole = FlatWeights(one, used(one), how, Shards(n, rank))
    parts = DividedWeights(other, used(other), how, Shards(n, rank, divided=True))
    whole.called.train(), parts.called.train()
    before = {key: value.clone() for key, value in parts.state()}
    a, b = one_step(whole), one_step(parts)
    assert all(torch.equal(before[key], value) for key, value in module_before.items())
    memory = max(p.untyped_storage().nbytes() for p in other.parameters() if p.requires_grad)
    with parts.lent() as lent, whole.lent() as theirs:
        names = dict(theirs.named_parameters())
        apart = max(float((p - names[key]).detach().abs().max()) for key, p in lent.named_parameters())
    if not rank:
        size = float(a[1].abs().max())
        found[name] = {
            "norms": [a[0], b[0]], "gradient": float((a[1] - b[1][: len(a[1])]).abs().max()) / size, "apart": apart,
            "averaged": [float(a[2]), float(b[2])], "after": [float(a[3]), float(b[3])], "memory": memory,
            "kept": len(parts.own) / len(whole.own),
        }

for name in [*NETWORKS, "prior", "learned"]:
    for how in (Execution(), Execution("bf16"), Execution(recomputed=True), Execution(compiled=True, recomputed=True)):
        if how.compiled and name != "unet1d":
            continue
        module = network(name) if name in NETWORKS else network("unet1d")
        if name == "prior":
            module = build_network(PriorNetworkConfig(heads=2, head_dim=8, layers=2), D, seed=0)
        if name == "learned":
            module = WithExpectedLoss(module, 1000)
        module_before = {key: value.detach().clone() for key, value in module.state_dict().items()}
        case(f"{name} {how.precision}" + how.recomputed * " recomputed" + how.compiled * " compiled", module, how)
if not rank:
    Path(sys.argv[1]).write_text(json.dumps(found))
"""
CASES = [
    f"{name} {how}"
    for name in ("unet1d", "unet2d", "class", "cross-attention", "prior", "learned")
    for how in ("fp32", "bf16", "fp32 recomputed")
] + ["unet1d fp32 recomputed compiled"]


@pytest.fixture(scope="module")
def passes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Return what three processes found, by network and execution."""
    folder = tmp_path_factory.mktemp("passes")
    launched(folder, PASSES, str(folder / "found.json"), processes=3)
    found: dict[str, dict[str, Any]] = json.loads((folder / "found.json").read_text())
    return found


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_divided_weights_have_the_gradient_and_take_the_step_of_whole_ones(
    passes: dict[str, dict[str, Any]], case: str
) -> None:
    """Bounds: float32's rounding; in bf16 the mean gradient is rounded to 8 bits once more, and so is the moved copy."""
    found, exact = passes[case], 2e-2 if "bf16" in case else 1e-5
    for name in ("norms", "averaged", "after"):
        assert found[name][1] == pytest.approx(found[name][0], rel=exact)
    assert found["gradient"] < exact
    assert found["apart"] < exact
    assert found["norms"][0] > 0.01


@pytest.mark.slow
def test_a_process_holds_its_rows_and_the_module_nothing_but_shapes(passes: dict[str, dict[str, Any]]) -> None:
    assert passes.keys() == set(CASES)
    assert all(found["memory"] == 4 for found in passes.values())
    assert all(found["kept"] < 0.5 for found in passes.values())  # a third, and gaps behind small weights
