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
from unit.clipsonic.test_vocoder_training import settings as vocoder

from clipsonic.training.audio import train_on
from clipsonic.training.config import TrainConfig, identity
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
            "norms": [float(a[1].double().norm()), b[0]],  # not that of one sum in float32
            "gradient": float((a[1] - b[1][: len(a[1])]).abs().max()) / size, "apart": apart,
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
    """Bounds: float32's rounding; in bf16 the mean gradient is rounded to 8 bits once more."""
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


GO = """
import contextlib, sys
from pathlib import Path
from unit.clipsonic.fakes import FakeStore
from unit.clipsonic.test_processes import config
from unit.clipsonic.test_training import KilledAt
from clipsonic.training.audio import train_on
from clipsonic_eval.progress import SILENT
out = Path(sys.argv[1])

def train(name, killed_at=0, **settings):
    progress = KilledAt(killed_at) if killed_at else SILENT
    with contextlib.suppress(KeyboardInterrupt):  # at the same step in both processes
        train_on(FakeStore(), config(**settings), out / name, progress=progress)

stored = {"ema_lengths": [0.1, 0.2], "ema_every": 3}
train("divided", shard="weights", **stored)
train("pieces", 3, shard="weights", **stored)
train("pieces", shard="weights", **stored)
for precision in ("fp32", "bf16", "fp16"):
    for shard in ("weights", "none"):
        train(f"{precision}-{shard}", shard=shard, precision=precision, gradient_accumulation=2)
train("begun-divided", 5, shard="weights", log_every=6)
train("begun-by-one", shard="weights", log_every=6)
train("begun-otherwise", 3, shard="optimizer", log_every=6)
train("begun-otherwise", shard="weights", log_every=6)
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return models by two processes, by name; a run that one process began was ended by two."""
    folder = tmp_path_factory.mktemp("divided")
    with pytest.raises(KeyboardInterrupt):
        train_on(FakeStore(), config(log_every=6), folder / "begun-by-one", progress=KilledAt(5))  # type: ignore[arg-type]
    launched(folder, GO, str(folder))
    return folder


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the model of one process."""
    settings = config(ema_lengths=[0.1, 0.2], ema_every=3)
    return train_on(FakeStore(), settings, tmp_path_factory.mktemp("alone"))  # type: ignore[arg-type]


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


@pytest.mark.slow
def test_two_processes_that_divide_the_weights_have_the_losses_and_files_of_one(trained: Path, alone: Path) -> None:
    assert losses(trained / "divided") == pytest.approx(losses(alone), rel=1e-4)
    cards = [read_json(folder / "card.json") for folder in (alone, trained / "divided")]
    assert [card["processes"] for card in cards] == [1, 2]
    assert cards[1]["val_loss"] == pytest.approx(cards[0]["val_loss"], rel=1e-3)
    assert files(trained / "divided") == files(alone)
    for name in [
        "network/diffusion_pytorch_model.safetensors",
        *(f"ema/step-0000000{step}.safetensors" for step in (3, 6)),
    ]:
        a, b = load_file(alone / name), load_file(trained / "divided" / name)
        assert a.keys() == b.keys()
        assert all(torch.allclose(a[key], b[key], atol=2e-4) for key in a)


@pytest.mark.slow
@pytest.mark.parametrize(("precision", "exact"), [("fp32", 1e-5), ("bf16", 1e-2), ("fp16", 2e-3)])
def test_divided_or_not_two_processes_have_the_same_losses_but_for_rounding(
    trained: Path, precision: str, exact: float
) -> None:
    """The gradient of what several blocks read is summed in another order, and at low precision rounded once more."""
    divided, whole = trained / f"{precision}-weights", trained / f"{precision}-none"
    assert losses(divided) == pytest.approx(losses(whole), rel=exact)


@pytest.mark.slow
def test_a_divided_run_that_was_killed_goes_on_to_the_same_bits(trained: Path) -> None:
    assert losses(trained / "divided") == losses(trained / "pieces")
    a, b = weights(trained / "divided"), weights(trained / "pieces")
    assert all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.slow
def test_a_checkpoint_is_resumed_divided_or_not_by_any_number_of_processes(trained: Path, alone: Path) -> None:
    train_on(FakeStore(), config(log_every=6), trained / "begun-divided")  # type: ignore[arg-type]
    mean = sum(losses(alone)) / 6  # some of the steps were taken before
    for name in ("begun-divided", "begun-by-one", "begun-otherwise"):
        assert losses(trained / name) == pytest.approx([mean], rel=1e-4)
        a, b = weights(alone), weights(trained / name)
        assert all(torch.allclose(a[key], b[key], atol=2e-4) for key in a)


def test_dividing_weights_does_not_change_what_a_run_is_and_alone_it_changes_nothing(tmp_path: Path) -> None:
    assert identity(config(shard="weights"), "data") == identity(config(), "data")
    plain = train_on(FakeStore(), config(), tmp_path / "plain")  # type: ignore[arg-type]
    divided = train_on(FakeStore(), config(shard="weights"), tmp_path / "divided")  # type: ignore[arg-type]
    a, b = weights(plain), weights(divided)
    assert all(torch.equal(a[name], b[name]) for name in a)


def test_what_weights_cannot_be_divided_with_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"train\.shard weights: a step of Muon .*; use train\.optimizer adamw"):
        TrainConfig(shard="weights", optimizer="muon")
    with pytest.raises(
        ConfigError, match=r"train\.shard weights: a generator is judged .*; use train\.shard optimizer"
    ):
        vocoder(train={"shard": "weights"})
