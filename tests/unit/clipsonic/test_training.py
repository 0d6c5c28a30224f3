from __future__ import annotations

import csv
import dataclasses
import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from unit.clipsonic.fakes import FakeStore

from clipsonic.mel import MelFrontEnd
from clipsonic.model import MelDiffusion
from clipsonic.model_folder import WEIGHTS
from clipsonic.training import loop
from clipsonic.training.audio import train_on
from clipsonic.training.audio_task import AudioTask, split_clips
from clipsonic.training.batches import batch_rows
from clipsonic.training.config import AudioTrainingConfig, TrainConfig, identity
from clipsonic.training.mel_source import MelSource
from clipsonic_eval.config import resolve
from clipsonic_eval.errors import ConfigError, UserError

TINY = {"channels": [16, 24], "embedding": 16, "groups": 4, "heads": 2}


def _config(**train: Any) -> AudioTrainingConfig:
    tree = {
        "clips": "unused",
        "network": {"options": TINY},
        "train": {"steps": 8, "batch_size": 8, "warmup": 2, "log_every": 3, "checkpoint_every": 3, **train},
    }
    return resolve(AudioTrainingConfig, tree)


class KilledAt:
    """A progress that stops the run before the given step, as a kill would."""

    def __init__(self, step: int) -> None:
        self.step = step

    def track(self, items: Iterable[Any], *, label: str, total: int | None = None, done: int = 0) -> Iterator[Any]:
        for item in items:
            if label == "audio model" and item == self.step:
                raise KeyboardInterrupt
            yield item

    def note(self, text: str) -> None:
        pass


def _log(folder: Path) -> list[tuple[str, ...]]:
    with (folder / "train_log.csv").open() as stream:
        kept = ("step", "loss", "val_loss", "lr")
        return [tuple(row[k] for k in kept) for row in csv.DictReader(stream)]


@pytest.mark.parametrize(("precision", "optimizer"), [("fp32", "adamw"), ("bf16", "adamw"), ("bf16", "muon")])
def test_a_killed_run_continues_to_the_same_weights_and_log(tmp_path: Path, precision: str, optimizer: str) -> None:
    config = _config(precision=precision, optimizer=optimizer)
    whole = train_on(FakeStore(), config, tmp_path / "whole")
    for step in (2, 5, 7):  # before the first checkpoint, between two, and after the second
        with pytest.raises(KeyboardInterrupt):
            train_on(FakeStore(), config, tmp_path / "pieces", progress=KilledAt(step))
    pieces = train_on(FakeStore(), config, tmp_path / "pieces")
    assert _log(whole) == _log(pieces)
    a, b = (load_file(p / "network" / WEIGHTS) for p in (whole, pieces))
    assert a.keys() == b.keys()
    assert all(torch.equal(a[k], b[k]) for k in a)


def test_a_finished_run_is_found_finished_and_another_one_is_refused(tmp_path: Path) -> None:
    config = _config(steps=2)
    out = train_on(FakeStore(), config, tmp_path / "m")
    before = (out / "network" / WEIGHTS).stat().st_mtime_ns
    assert train_on(FakeStore(), config, out) == out
    assert (out / "network" / WEIGHTS).stat().st_mtime_ns == before
    assert not (out / "checkpoint").exists()
    with pytest.raises(UserError, match=r"train.steps: 2 → 3"):
        train_on(FakeStore(), _config(steps=3), out)


def test_a_checkpoint_of_another_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        train_on(FakeStore(), _config(), tmp_path / "m", progress=KilledAt(4))
    with pytest.raises(UserError, match=r"train.seed: 0 → 1"):
        train_on(FakeStore(), _config(seed=1), tmp_path / "m")


@pytest.mark.parametrize("cache_mb", [64, 0])
@pytest.mark.parametrize("level", [1e30, np.nan])
def test_one_clip_in_another_unit_is_refused_by_name(tmp_path: Path, cache_mb: int, level: float) -> None:
    """One clip at 1e30 ruined a training (held-out loss 8.7) without a word."""
    store = FakeStore()
    store._audio[7] *= np.float32(level)
    with pytest.raises(UserError, match=r"clip 'clip7' peaks at .* times full scale, its samples are in another unit"):
        train_on(store, replace(_config(), mel_cache_mb=cache_mb), tmp_path / "model")


def test_checkpoints_hold_no_pickles(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        train_on(FakeStore(), _config(), tmp_path / "m", progress=KilledAt(4))
    files = {p.name for p in (tmp_path / "m").rglob("*") if p.is_file()}
    assert files == {"SHA256SUMS", "state.json", "state.safetensors", "train_log.csv", "config.json", "run.json"}


def test_a_time_limit_stops_at_a_checkpoint_and_the_run_goes_on(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="at step 1 of 8; the same command goes on"):
        train_on(FakeStore(), _config(max_minutes=0.0), tmp_path / "m")
    train_on(FakeStore(), _config(), tmp_path / "m")
    assert json.loads((tmp_path / "m" / "card.json").read_text())["steps"] == 8


def test_training_learns_the_pitch_of_a_tone_from_its_condition(tmp_path: Path) -> None:
    store = FakeStore(n=64, n_samples=2560)
    config = _config(steps=150, batch_size=32, learning_rate=4e-3, warmup=10, precision="fp32", log_every=50)
    config = dataclasses.replace(config, mel_scale="global")
    model = MelDiffusion.load(train_on(store, config, tmp_path / "m"))
    assert store.image_embeddings is not None
    mels = model.generate_mel(store.image_embeddings[:32, 0], list(range(32)), steps=10)
    got = mels.mean(dim=2).argmax(dim=1).double().numpy()
    truth = MelFrontEnd(config.mel).log_mel(torch.from_numpy(store.audio(np.arange(32))))
    wanted = truth.mean(dim=2).argmax(dim=1).double().numpy()
    assert np.corrcoef(got, wanted)[0, 1] > 0.7  # of 32 unrelated pairs, one set in 10,000 reaches 0.6


def test_the_log_mels_are_the_same_from_memory_and_on_the_fly() -> None:
    rows = torch.tensor([5, 0, 39])
    kept = MelSource(FakeStore(), _config().mel, cache_mb=100)(rows)
    made = MelSource(FakeStore(), _config().mel, cache_mb=0)(rows)
    assert torch.equal(kept, made)
    source = MelSource(FakeStore(), _config().mel, cache_mb=0)
    source.expect([rows, rows + 0])
    assert torch.equal(source(rows), made)
    assert torch.equal(source(rows.flip(0)), made.flip(0))


def test_a_bf16_run_is_the_same_to_the_bit_with_log_mels_from_memory_and_on_the_fly(tmp_path: Path) -> None:
    weights = []
    for megabytes in (0, 100):
        config = dataclasses.replace(_config(precision="bf16", steps=3), mel_cache_mb=megabytes)
        out = train_on(FakeStore(), config, tmp_path / str(megabytes))
        weights.append(load_file(out / "network" / WEIGHTS))
    assert all(torch.equal(weights[0][k], weights[1][k]) for k in weights[0])


def test_the_pace_counts_items_and_waiting_between_two_lines() -> None:
    assert loop.pace((10, 100.0, 3.0), (30, 104.0, 3.5), 64) == {"data_s": 0.5, "samples_per_s": 320.0}


class Watched:
    """A task that notes at which precision its network and everything around it are computed."""

    def __init__(self) -> None:
        self.module = torch.nn.Linear(4, 4)
        self.around: list[bool] = []
        self.inside: list[torch.dtype] = []
        self.waited, self.by_level = 0.0, None

    def begin(self, step: int, shares: object) -> None:
        pass

    def loss(self, network: loop.Network, step: int, rows: slice) -> torch.Tensor:
        self.around.append(torch.is_autocast_enabled("cpu"))
        found = network(torch.ones(2, 4))
        self.inside.append(found.dtype)
        return found.float().square().mean()

    def validation_loss(self, network: loop.Network) -> float | None:
        return float(self.loss(network, 0, slice(None)))


def test_low_precision_is_the_networks_alone(tmp_path: Path) -> None:
    task = Watched()
    loop.run(task, TrainConfig(steps=2, precision="bf16"), tmp_path, identity="watched")
    assert task.around == [False] * 3
    assert task.inside == [torch.bfloat16] * 3


def test_every_clip_is_seen_once_an_epoch_whatever_the_batch() -> None:
    for size in (4, 7, 23):
        seen = torch.cat([batch_rows(10, size, step, seed=3) for step in range(70)])[: 10 * (70 * size // 10)]
        for epoch in seen.view(-1, 10):
            assert epoch.sort().values.tolist() == list(range(10))


def test_the_learning_rate_warms_up_and_falls_to_its_end() -> None:
    config = TrainConfig(steps=100, warmup=10, learning_rate=1.0, final_lr_ratio=0.1)
    rates = [loop.learning_rate(config, s) for s in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert rates[9] == rates[10] == 1.0
    assert rates[55] == pytest.approx(0.55)
    assert rates[99] == pytest.approx(0.1, abs=1e-3)


def test_two_processes_see_the_halves_of_the_batch_that_one_sees() -> None:
    whole = torch.arange(8)
    halves = [whole[rank::2] for rank in (0, 1)]
    assert torch.cat(halves).sort().values.tolist() == whole.tolist()
    losses = []
    for shards in ((slice(None),), (slice(0, None, 2), slice(1, None, 2))):
        torch.manual_seed(0)
        task = _task()
        losses.append(np.mean([float(task.loss(task.module, 3, s).detach()) for s in shards]))
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def _task() -> AudioTask:
    from clipsonic.mel import MelConfig
    from clipsonic.networks import build

    config = _config()
    store = FakeStore()
    network = build(config.network, n_mels=64, frames=32, condition_dim=16, seed=0)
    mels = MelSource(store, MelConfig(mean=(-6.0,), std=(3.0,)), cache_mb=100)
    assert store.image_embeddings is not None
    return AudioTask(config, network, mels, store.image_embeddings)


def test_held_out_clips_are_no_training_clips_nor_of_their_videos() -> None:
    store = FakeStore(n=100)
    training, held = split_clips(store, _config())
    assert len(held) == 10
    assert sorted([*training.tolist(), *held.tolist()]) == list(range(100))
    assert not {store.sources[i] for i in training} & {store.sources[i] for i in held}


def test_pace_and_place_do_not_change_the_identity_but_the_rest_does() -> None:
    base = identity(_config(), "data")
    assert identity(_config(checkpoint_every=5, log_every=1), "data") == base
    assert identity(_config(), "other") != base
    assert identity(_config(learning_rate=1e-4), "data") != base


def test_a_text_condition_is_the_caption_through_the_text_tower(monkeypatch: pytest.MonkeyPatch) -> None:
    from unit.clipsonic.fakes import IMAGE_SPACE

    from clipsonic.conditions import ConditionSpec, condition_array
    from clipsonic_eval import encoders

    asked: list[list[str]] = []

    class Encoder:
        card = IMAGE_SPACE

        def text(self, texts: list[str]) -> np.ndarray[Any, Any]:
            asked.append(list(texts))
            return np.stack([np.eye(16)[int(t[-1])] * 3 for t in texts])

    monkeypatch.setattr(encoders.ENCODERS, "_scanned", True)
    monkeypatch.setitem(encoders.ENCODERS._items, "fake", lambda weights=None, device="cpu": Encoder())
    vectors, card = condition_array(FakeStore(n=8), ConditionSpec(kind="text", encoder="fake"))
    assert asked == [[f"a tone number {i}" for i in range(4)]]  # each caption once
    assert vectors.shape == (8, 1, 16)
    assert np.array_equal(vectors[5, 0], np.eye(16)[1])
    assert card["kind"] == "text"
    store = FakeStore(n=2)
    store.captions = (("a 3", "a 5", "a 7"), ("a 5", "a 9"))
    several, _ = condition_array(store, ConditionSpec(kind="text", encoder="fake"))
    assert asked[-1] == ["a 3", "a 5", "a 7", "a 9"]
    assert several.argmax(axis=2).tolist() == [[3, 5, 7], [5, 9, 5]]  # fewer captions are repeated
    with pytest.raises(UserError, match="8 of 8 clips have no caption"):
        condition_array(FakeStore(n=8, prompts=False), ConditionSpec(kind="text", encoder="fake"))


def test_conditions_that_do_not_fit_the_store_are_refused() -> None:
    from clipsonic.conditions import ConditionSpec, condition_array

    with pytest.raises(UserError, match="embedded by 'toy-clip', but the condition asks for 'other'"):
        condition_array(FakeStore(), ConditionSpec(encoder="other"))
    store = FakeStore()
    store.image_embeddings = None
    with pytest.raises(UserError, match="no frame embeddings"):
        condition_array(store, ConditionSpec())


def test_configuration_mistakes_are_named() -> None:
    for tree, message in [
        ({"clips": "x", "train": {"step": 5}}, "Did you mean 'steps'"),
        ({"clips": "x", "train": {"steps": 0}}, "at least 1"),
        ({"clips": "x", "condition_dropout": 1.0}, "condition_dropout"),
        ({}, "'clips' is required"),
    ]:
        with pytest.raises(ConfigError, match=message):
            resolve(AudioTrainingConfig, tree)
    store = FakeStore()
    store.sample_rate = 44100
    with pytest.raises(ConfigError, match="44100 Hz"):
        train_on(store, _config(), Path("unused"))


def test_a_model_trained_on_the_same_seed_loads_and_speaks(tmp_path: Path) -> None:
    out = train_on(FakeStore(), _config(steps=2), tmp_path / "m")
    model = MelDiffusion.load(out)
    audio = model.vocode(model.generate_mel(np.eye(16)[:2], [1, 2], steps=2), [1, 2])
    assert audio.shape == (2, 5120)
    assert model.card["clips"] == "c0ffee"
    assert model.card["condition"]["space"]["name"] == "toy-clip"
