"""Conditions of several frames and with noise: what a step sees, and what a model may be queried with."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from unit.clipsonic.fakes import FakeStore
from unit.clipsonic.test_tasks import ALL, Seen
from unit.clipsonic.test_training import TINY

from clipsonic.conditions import ConditionSpec, condition_array
from clipsonic.mel import MelConfig
from clipsonic.networks import NetworkConfig, build
from clipsonic.training.audio_setup import prepare
from clipsonic.training.audio_task import AudioTask
from clipsonic.training.config import AudioTrainingConfig
from clipsonic.training.mel_source import MelSource
from clipsonic_eval.config import resolve
from clipsonic_eval.errors import ConfigError

D = 16
ATTENDS = {
    "name": "unet2d-diffusers",
    "options": {"channels": [8, 16], "blocks": 1, "attention": 1, "head_dim": 8, "groups": 4,
                "conditioning": "cross-attention"},
}  # fmt: skip


def settings(condition: dict[str, Any], **more: Any) -> AudioTrainingConfig:
    tree = {"clips": "x", "network": {"options": TINY}, "train": {"batch_size": 8, "steps": 40}, **more}
    return resolve(AudioTrainingConfig, {**tree, "condition": condition})


def task(condition: dict[str, Any]) -> AudioTask:
    config, store = settings(condition), FakeStore()
    conditions, _ = condition_array(store, config.condition)  # type: ignore[arg-type]
    mels = MelSource(store, MelConfig(mean=(-6.0,), std=(3.0,)), cache_mb=64)  # type: ignore[arg-type]
    return AudioTask(config, torch.nn.Linear(1, 1), mels, conditions)


def seen(condition: dict[str, Any], step: int = 0, rows: slice = ALL) -> torch.Tensor:
    network = Seen()
    task(condition).loss(network, step, rows)
    return network.inputs[0][2]


def test_the_mean_of_the_frames_has_the_length_of_a_frame() -> None:
    store = FakeStore()
    vectors, card = condition_array(store, ConditionSpec(frames="mean"))  # type: ignore[arg-type]
    assert vectors.shape == (40, 1, D)
    assert (card["frames"], card["n_frames"]) == ("mean", 3)  # what a query is then made of
    assert store.image_embeddings is not None
    mean = store.image_embeddings.mean(axis=1)
    assert np.allclose(vectors[:, 0], mean / np.linalg.norm(mean, axis=1, keepdims=True), atol=1e-6)


def test_a_step_sees_from_one_to_all_frames_and_none_twice() -> None:
    numbers = set()
    for step in range(12):
        cond = seen({"frames": "several"}, step)
        assert cond.shape[0] == 8
        assert cond.shape[2] == D
        numbers.add(cond.shape[1])
        for item in cond:
            assert len(torch.unique(item, dim=0)) == len(item)
    assert numbers == {1, 2, 3}


def test_noise_keeps_the_length_and_turns_a_condition_by_the_configured_angle() -> None:
    plain = seen({})
    for sigma in (0.1, 0.5, 1.0):
        noisy = seen({"noise": sigma})
        assert torch.allclose(noisy.norm(dim=-1), torch.full((8,), math.sqrt(D)), atol=1e-5)
        cosine = torch.cosine_similarity(plain, noisy, dim=-1).mean()
        # c and z are nearly orthogonal and of one length: the tangent of the angle is σ
        assert float(cosine) == pytest.approx(1 / math.sqrt(1 + sigma**2), abs=0.1)
    assert torch.equal(seen({"noise": 0.0}), plain)


@pytest.mark.parametrize("condition", [{"frames": "several"}, {"noise": 0.5}, {"frames": "several", "noise": 0.5}])
def test_a_share_of_a_batch_sees_what_it_would_in_the_whole(condition: dict[str, Any]) -> None:
    whole = seen(condition, step=3)
    assert torch.equal(seen(condition, step=3, rows=slice(1, None, 2)), whole[1::2])


def test_a_network_that_attends_takes_any_number_of_frames_in_any_order() -> None:
    network = build(resolve(NetworkConfig, ATTENDS), n_mels=16, frames=16, condition_dim=D, seed=0).eval()
    generator = torch.Generator().manual_seed(0)
    for weight in network.parameters():  # a fresh network answers with zeros
        weight.data.add_(0.05 * torch.randn(weight.shape, generator=generator))
    x, t = torch.randn(2, 16, 16, generator=generator), torch.tensor([100, 800])
    cond = torch.randn(2, 3, D, generator=generator)
    with torch.no_grad():
        several = network(x, t, cond, None)
        assert torch.allclose(network(x, t, cond.flip(1), None), several, atol=1e-5)
        assert torch.allclose(network(x, t, cond[:, :1], None), network(x, t, cond[:, 0], None), atol=1e-6)
        assert not torch.allclose(network(x, t, cond[:, 0], None), several, atol=1e-4)
        dropped = network(x, t, cond, torch.tensor([True, True]))
        assert torch.allclose(dropped, network(x, t, cond[:, 0], torch.tensor([True, True])), atol=1e-5)


def test_several_frames_train_a_network_that_attends_and_no_other() -> None:
    store = FakeStore()
    config = settings({"frames": "several"}, network=ATTENDS)
    conditions, _ = condition_array(store, config.condition)  # type: ignore[arg-type]
    made, _ = prepare(store, config, conditions)  # type: ignore[arg-type]
    made.loss(made.module, 0, ALL).backward()  # type: ignore[no-untyped-call]
    assert any(p.grad is not None and float(p.grad.abs().sum()) > 0 for p in made.module.parameters())
    with pytest.raises(ConfigError, match="this network takes one vector"):
        prepare(store, settings({"frames": "several"}), conditions)  # type: ignore[arg-type]


def test_negative_noise_is_refused() -> None:
    with pytest.raises(ConfigError, match="noise must not be negative"):
        ConditionSpec(noise=-0.1)
