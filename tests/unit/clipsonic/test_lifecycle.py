"""Finished models that go on: more steps of the same run, and new runs from their weights."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from unit.clipsonic.fakes import IMAGE_SPACE, D, FakeStore

from clipsonic.model import MelDiffusion
from clipsonic.model_folder import WEIGHTS
from clipsonic.prior.data import Pairs, PairSource
from clipsonic.prior.model import DiffusionPrior
from clipsonic.prior.network import PriorNetworkConfig
from clipsonic.training import audio, prior
from clipsonic.training.config import AudioTrainingConfig, PriorOptimisation, PriorTrainingConfig
from clipsonic_eval.config import resolve
from clipsonic_eval.errors import ConfigError, UserError

TINY = {"channels": [16, 24], "embedding": 16, "groups": 4, "heads": 2}
TRAIN = {"batch_size": 8, "warmup": 3, "log_every": 2, "checkpoint_every": 3, "precision": "fp32"}
HARDLY = {"steps": 1, "learning_rate": 1e-30, "weight_decay": 0.0}  # a step that moves no float32 weight


def audio_config(init_from: Path | None = None, network: dict[str, Any] = TINY, **train: Any) -> AudioTrainingConfig:
    tree = {
        "clips": "unused",
        "network": {"options": network},
        "train": {**TRAIN, **train},
        "init_from": None if init_from is None else str(init_from),
    }
    return resolve(AudioTrainingConfig, tree)


def pairs(seed: int = 0, offset: float = 0.0) -> Pairs:
    rng = np.random.default_rng(seed)
    text, image = (rng.standard_normal((60, D)).astype(np.float32) for _ in range(2))
    image[:, 0] += offset
    text, image = (x / np.linalg.norm(x, axis=-1, keepdims=True) for x in (text, image))
    names = tuple(map(str, range(60)))
    return Pairs(text, image[:, None], names, names, IMAGE_SPACE, f"content{seed}", "fake")


def prior_config(init_from: Path | None = None, layers: int = 1, **train: Any) -> PriorTrainingConfig:
    network = PriorNetworkConfig(heads=2, head_dim=8, layers=layers)
    optimisation = resolve(PriorOptimisation, {**TRAIN, **train})
    return PriorTrainingConfig(PairSource(images=Path()), network=network, train=optimisation, init_from=init_from)


def train(kind: str, out: Path, *, init_from: Path | None = None, other_data: bool = False, **settings: Any) -> Path:
    if kind == "prior":
        data = pairs(1, 0.5) if other_data else pairs()
        return prior.train_on(data, prior_config(init_from, **settings), out)
    store = FakeStore(n=24)
    if other_data:
        store._audio *= 2
        store.content_hash = "other"
    return audio.train_on(store, audio_config(init_from, **settings), out)


def weights(kind: str, folder: Path) -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor] = load_file(folder / ("prior" if kind == "prior" else "network") / WEIGHTS)
    return found


def card(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "card.json").read_text())
    return found


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


@pytest.mark.parametrize("kind", ["audio", "prior"])
def test_five_steps_and_then_four_are_nine_to_the_bit_at_a_constant_rate(kind: str, tmp_path: Path) -> None:
    whole = train(kind, tmp_path / "whole", steps=9, final_lr_ratio=1)
    parts = train(kind, tmp_path / "parts", steps=5, final_lr_ratio=1)
    five = weights(kind, parts)
    assert train(kind, parts, steps=5, final_lr_ratio=1) == parts
    assert same(weights(kind, parts), five)
    train(kind, parts, steps=9, final_lr_ratio=1)
    assert same(weights(kind, parts), weights(kind, whole))
    assert card(parts)["identity"] == card(whole)["identity"]
    assert card(parts)["steps"] == 9
    with pytest.raises(UserError, match="holds a model of 9 steps, and 7 are asked for"):
        train(kind, parts, steps=7, final_lr_ratio=1)
    shutil.rmtree(parts / "checkpoint")
    with pytest.raises(UserError, match=r"9 steps, but no checkpoint/ to take more steps from; .*init_from="):
        train(kind, parts, steps=10, final_lr_ratio=1)
    assert same(weights(kind, parts), weights(kind, whole))


@pytest.mark.parametrize("kind", ["audio", "prior"])
def test_a_run_whose_rate_has_fallen_to_its_end_is_not_made_longer(kind: str, tmp_path: Path) -> None:
    out = train(kind, tmp_path / "m", steps=3)
    assert not (out / "checkpoint").exists()
    with pytest.raises(UserError, match=r"train.steps: 3 → 5, whose learning rate falls to its end .*init_from"):
        train(kind, out, steps=5)


def test_a_checkpoint_beyond_the_steps_is_refused(tmp_path: Path) -> None:
    train("audio", tmp_path / "m", steps=6, final_lr_ratio=1)
    for path in (tmp_path / "m").iterdir():  # as if killed between the last checkpoint and the model
        if path.name == "model_index.json":
            path.unlink()
    with pytest.raises(UserError, match=r"is at step 6, beyond train.steps = 4"):
        train("audio", tmp_path / "m", steps=4, final_lr_ratio=1)


@pytest.mark.parametrize("kind", ["audio", "prior"])
def test_a_run_from_a_finished_model_starts_at_its_weights_and_scale(kind: str, tmp_path: Path) -> None:
    parent = train(kind, tmp_path / "parent", steps=4)
    child = train(kind, tmp_path / "child", init_from=parent, other_data=True, **HARDLY)
    assert same(weights(kind, parent), weights(kind, child))
    told = card(child)["init_from"]
    assert told["weights_sha256"] == card(parent)["weights_sha256"]
    assert told["steps"] == 4
    assert card(child)["identity"] != card(parent)["identity"]
    assert "init_from" not in card(parent)
    if kind == "audio":
        mine, theirs = MelDiffusion.load(child), MelDiffusion.load(parent)
        assert mine.mel == theirs.mel
        assert max(mine.card["log_mel_range"]["high"]) > max(theirs.card["log_mel_range"]["high"])  # louder clips
        assert np.all(np.array(mine.card["log_mel_range"]["low"]) <= theirs.card["log_mel_range"]["low"])
    else:
        assert torch.equal(DiffusionPrior.load(child).network.clip_mean, DiffusionPrior.load(parent).network.clip_mean)


@pytest.mark.parametrize("kind", ["audio", "prior"])
def test_runs_from_different_parents_are_different_runs(kind: str, tmp_path: Path) -> None:
    parents = [train(kind, tmp_path / f"p{seed}", steps=2, seed=seed) for seed in (0, 1)]
    out = train(kind, tmp_path / "child", init_from=parents[0], steps=2)
    assert not same(weights(kind, out), weights(kind, parents[0]))
    with pytest.raises(UserError, match=r"other settings or inputs \(init_from: "):
        train(kind, out, init_from=parents[1], steps=2)
    with pytest.raises(UserError, match=r"init_from: [0-9a-f]{12}.* → not there"):
        train(kind, out, steps=2)


def test_weights_that_mean_something_else_are_refused_with_what_differs(tmp_path: Path) -> None:
    model = train("audio", tmp_path / "a", steps=1)
    wider = {**TINY, "channels": [16, 32]}
    with pytest.raises(ConfigError, match=r"do not fit this run \(.*network.channels: \[16, 24\] → \[16, 32\]\)"):
        train("audio", tmp_path / "b", init_from=model, network=wider, steps=1)
    other = dataclasses.replace(IMAGE_SPACE, weights_sha256="cd" * 32)
    store = FakeStore(n=24)
    store.image_space = other
    with pytest.raises(ConfigError, match=r"condition.weights_sha256: abab.* → cdcd"):
        audio.train_on(store, audio_config(model, steps=1), tmp_path / "b")
    first = train("prior", tmp_path / "p", steps=1)
    with pytest.raises(ConfigError, match=r"network.layers: 1 → 2"):
        train("prior", tmp_path / "b", init_from=first, layers=2, steps=1)
    with pytest.raises(UserError, match="holds a model of kind MelDiffusion, but DiffusionPrior is needed"):
        train("prior", tmp_path / "b", init_from=model, steps=1)
    with pytest.raises(UserError, match=r"no model_index.json here"):
        train("audio", tmp_path / "b", init_from=tmp_path / "absent", steps=1)
    assert not (tmp_path / "b").exists()


def test_offsets_of_frames_are_of_no_other_length(tmp_path: Path) -> None:
    small = {"name": "unet2d", "options": {"channels": [16, 24], "embedding": 16, "groups": 4, "blocks": 1}}

    def run(store: FakeStore, out: Path, init_from: Path | None = None) -> Path:
        tree = {"clips": "unused", "network": small, "train": {**TRAIN, "steps": 1}, "init_from": init_from}
        return audio.train_on(store, resolve(AudioTrainingConfig, tree), out)

    parent = run(FakeStore(n=24), tmp_path / "parent")
    with pytest.raises(
        ConfigError, match=r"has learnt offsets of its 32 frames and takes no other length; prepare clips of 0\.32 s"
    ):
        run(FakeStore(n=24, n_samples=10240), tmp_path / "longer", parent)
