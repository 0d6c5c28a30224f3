"""Optimiser state divided over processes: the steps of one process that keeps all of it, in less memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file
from torch import nn
from unit.clipsonic.fakes import FakeStore
from unit.clipsonic.test_processes import config, launched, losses, weights
from unit.clipsonic.test_training import KilledAt

from clipsonic.training.audio import train_on
from clipsonic.training.config import TrainConfig, identity
from clipsonic.training.optimizers import make_optimizers
from clipsonic.training.sharding import Shards, state_bytes
from clipsonic.training.weights import FlatWeights
from clipsonic_eval import threads
from clipsonic_eval.errors import ConfigError
from clipsonic_eval.files import read_json

ADAMW = TrainConfig(learning_rate=0.1, weight_decay=0.5, precision="fp32")


@given(n=st.integers(1, 5000), processes=st.integers(1, 9), divided=st.booleans())
def test_every_element_has_one_keeper_or_all_of_them(n: int, processes: int, divided: bool) -> None:
    shards = [Shards(processes, rank, divided) for rank in range(processes)]
    padded = shards[0].padded(n)
    rows = [row for one in shards for row in range(padded)[one.rows(padded)]]
    assert sorted(rows) == sorted([*range(padded)] * (1 if divided else processes))
    assert n <= padded < n + 32 * processes
    assert len({len(range(padded)[one.rows(padded)]) for one in shards}) == 1


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(20, 30), nn.GELU(), nn.Conv1d(1, 3, 5), nn.Flatten(), nn.Linear(3 * 26, 7))


def gradient(n: int, step: int) -> torch.Tensor:
    return torch.randn(n, generator=torch.Generator().manual_seed(step))


@pytest.mark.parametrize("processes", [2, 3, 8])
def test_parts_that_step_alone_make_the_steps_of_the_whole(processes: int) -> None:
    """With eight processes most have nothing of the biases, and the last has nothing but gaps."""
    whole, (optimizer,) = make_optimizers(network(), ADAMW)
    parts = [make_optimizers(network(), ADAMW, Shards(processes, rank, divided=True)) for rank in range(processes)]
    used = len(whole.values)
    assert all(len(part.values) >= used == len(whole.average) > len(part.average) for part, _ in parts)
    for step in range(3):
        whole.gradient.copy_(torch.where(whole.values != 0, gradient(used, step), 0.0))
        optimizer.step()
        whole.update_averages(0.9, step + 1)
        for part, (divided,) in parts:
            part.reduced.zero_()
            part.reduced[: len(part.kept(whole.gradient))] = part.kept(whole.gradient)
            divided.step()
            part.update_averages(0.9, step + 1)
    for name in ("own", "average"):
        together = torch.cat([getattr(part, name) for part, _ in parts])
        assert torch.allclose(together[:used], getattr(whole, name), rtol=1e-6, atol=0)
        assert not together[used:].any()


@pytest.mark.parametrize("processes", [1, 2, 5])
def test_what_the_processes_keep_of_a_piece_is_all_of_it_once(processes: int) -> None:
    found: list[torch.Tensor] = []
    for rank in range(processes):
        module = network()
        held = FlatWeights(module, list(module.parameters()), shards=Shards(processes, rank, divided=True))
        piece = held.piece(list(module.parameters())[2:4])
        all_of_it = torch.arange(64.0)  # two parameters, each padded to 32
        found.append(held.kept(all_of_it, piece))
        assert len(found[-1]) == len(piece)
        assert held.kept(torch.tensor(3.0), piece) == 3
    assert torch.cat(found).tolist() == list(range(64))


def held_bytes(precision: Any, lengths: tuple[float, ...], shards: Shards) -> int:
    """Return the bytes of all that a process holds for the weights, after a step, and of the gradients that came."""
    module = nn.Linear(400, 300, bias=False)
    settings = TrainConfig(precision=precision, ema_lengths=lengths)
    held, (optimizer,) = make_optimizers(module, settings, shards)
    held.profiles = type(held.profiles)(lengths, held.own)
    held.backward(held.call(torch.ones(2, 400)).float().sum())
    optimizer.step()
    kept = [held.values, held.gradient, held.average, held.profiles.averages]
    kept += [moment for state in optimizer.state.values() for moment in state.values()]
    kept += [] if held.called is module else [held.called.weight]
    storages = {tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes() for tensor in kept}
    return sum(storages.values()) + module.weight.numel() * held.called.weight.element_size()


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("processes", [1, 2, 8])
@pytest.mark.parametrize("lengths", [(), (0.05, 0.1)])
def test_the_stated_memory_is_that_of_the_tensors(precision: str, processes: int, lengths: tuple[float, ...]) -> None:
    held = held_bytes(precision, lengths, Shards(processes, 0, divided=True))
    assert held == pytest.approx(state_bytes(120_000, averages=1 + len(lengths), shards=processes), rel=3e-3)


@pytest.mark.parametrize("n", [1, 1000, 1_990_000, 1 << 22])
def test_the_norm_of_a_small_network_has_the_bits_of_one_sum(n: int) -> None:
    gradient = torch.randn(n, generator=torch.Generator().manual_seed(n))
    found = Shards().norm(gradient)
    assert found.dtype == torch.float32
    assert found == torch.linalg.vector_norm(gradient)


def test_the_norm_of_a_large_network_loses_nothing_to_the_length_of_its_sum() -> None:
    gradient = torch.randn(15_930_000, generator=torch.Generator().manual_seed(0))  # as many as vggsound_small has
    exact = torch.linalg.vector_norm(gradient, dtype=torch.float64).item()
    with threads.limited(networks=1):  # several would sum parts of the vector
        found = Shards().norm(gradient).item()
        one_sum = torch.linalg.vector_norm(gradient).item()
    assert found == pytest.approx(exact, rel=2e-4)
    assert one_sum != pytest.approx(exact, rel=5e-4)
    gradient[7] = float("inf")
    assert torch.isinf(Shards().norm(gradient))


def test_muon_is_refused_since_its_steps_take_whole_matrices() -> None:
    with pytest.raises(ConfigError, match=r"train\.shard optimizer: a step of Muon .*; use train\.optimizer adamw"):
        TrainConfig(shard="optimizer", optimizer="muon")


def test_dividing_does_not_change_what_a_run_is_and_alone_it_changes_nothing(tmp_path: Path) -> None:
    assert identity(config(shard="optimizer"), "data") == identity(config(), "data")
    plain = train_on(FakeStore(), config(), tmp_path / "plain")  # type: ignore[arg-type]
    divided = train_on(FakeStore(), config(shard="optimizer"), tmp_path / "divided")  # type: ignore[arg-type]
    a, b = weights(plain), weights(divided)
    assert all(torch.equal(a[name], b[name]) for name in a)


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
train("divided", shard="optimizer", **stored)
train("pieces", 3, shard="optimizer", **stored)
train("pieces", shard="optimizer", **stored)
for precision in ("fp32", "bf16", "fp16"):  # where nothing is clipped the norm has no influence, and its rounding none
    for name, shard in {"divided": "optimizer", "replicas": "none"}.items():
        settings = {"gradient_clip": 1e9, "precision": precision, "gradient_accumulation": 2}
        train(f"{precision}-{name}", shard=shard, **settings)
train("begun-by-two", 5, shard="optimizer", log_every=6)
train("begun-by-one", shard="optimizer", log_every=6)
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return models by two processes, by name; a run that one process began was ended by two."""
    folder = tmp_path_factory.mktemp("sharding")
    with pytest.raises(KeyboardInterrupt):
        train_on(FakeStore(), config(log_every=6), folder / "begun-by-one", progress=KilledAt(5))  # type: ignore[arg-type]
    launched(folder, GO, str(folder))
    return folder


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the model of one process."""
    settings = config(ema_lengths=[0.1, 0.2], ema_every=3)
    return train_on(FakeStore(), settings, tmp_path_factory.mktemp("alone"))  # type: ignore[arg-type]


@pytest.mark.slow
def test_two_processes_that_divide_the_state_reach_the_weights_of_one(trained: Path, alone: Path) -> None:
    assert losses(trained / "divided") == pytest.approx(losses(alone), rel=1e-4)
    a, b = weights(alone), weights(trained / "divided")
    assert all(torch.allclose(a[name], b[name], atol=2e-4) for name in a)
    cards = [read_json(folder / "card.json") for folder in (alone, trained / "divided")]
    assert cards[1]["val_loss"] == pytest.approx(cards[0]["val_loss"], rel=1e-3)
    for step in (3, 6):
        name = f"ema/step-{step:08d}.safetensors"
        a, b = load_file(alone / name), load_file(trained / "divided" / name)
        assert a.keys() == b.keys()
        assert all(torch.allclose(a[key], b[key], atol=2e-4) for key in a)


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_divided_or_not_two_processes_reach_the_same_bits(trained: Path, precision: str) -> None:
    divided, replicas = trained / f"{precision}-divided", trained / f"{precision}-replicas"
    assert losses(divided) == losses(replicas)
    a, b = weights(divided), weights(replicas)
    assert all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.slow
def test_a_divided_run_that_was_killed_goes_on_to_the_same_bits(trained: Path) -> None:
    assert losses(trained / "divided") == losses(trained / "pieces")
    a, b = weights(trained / "divided"), weights(trained / "pieces")
    assert all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.slow
def test_a_checkpoint_is_resumed_by_any_number_of_processes(trained: Path, alone: Path) -> None:
    train_on(FakeStore(), config(log_every=6), trained / "begun-by-two")  # type: ignore[arg-type]
    mean = sum(losses(alone)) / 6  # four of the steps were taken before
    for name in ("begun-by-two", "begun-by-one"):
        assert losses(trained / name) == pytest.approx([mean], rel=1e-4)
        a, b = weights(alone), weights(trained / name)
        assert all(torch.allclose(a[key], b[key], atol=2e-4) for key in a)
