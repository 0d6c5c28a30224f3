"""The losses of both training tasks: what is drawn, what is predicted, and how processes share a batch."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from unit.clipsonic.fakes import FakeStore

from clipsonic.diffusion import Diffusion
from clipsonic.mel import MelConfig
from clipsonic.prior.data import Pairs, PairSource
from clipsonic.prior.network import PriorNetworkConfig, build_network, prior_scheduler, set_scale, standardised
from clipsonic.training.audio_setup import prepare
from clipsonic.training.audio_task import AudioTask
from clipsonic.training.config import AudioTrainingConfig, PriorOptimisation, PriorTrainingConfig, TrainConfig
from clipsonic.training.mel_source import MelSource, united
from clipsonic.training.prior_task import PriorTask
from clipsonic_eval.config import resolve
from clipsonic_eval.errors import ConfigError
from clipsonic_eval.types import EncoderCard

D = 16
ALL = slice(None)
SCALE = MelConfig(mean=(-6.0,), std=(3.0,))
CARD = EncoderCard("toy-clip", "ab" * 32, D, ("image", "text"), "size:64")


class Seen:
    """A network that keeps its inputs and answers with a constant."""

    def __init__(self, answer: float = 0.0) -> None:
        self.answer = answer
        self.inputs: list[tuple[torch.Tensor, ...]] = []

    def __call__(self, *inputs: torch.Tensor) -> torch.Tensor:
        self.inputs.append(inputs)
        return torch.full_like(inputs[0], self.answer)


def audio_task(**config: Any) -> AudioTask:
    settings = resolve(AudioTrainingConfig, {"clips": "x", "train": {"batch_size": 8, "steps": 4}, **config})
    store = FakeStore()
    assert store.image_embeddings is not None
    return AudioTask(settings, torch.nn.Linear(1, 1), MelSource(store, SCALE, cache_mb=64), store.image_embeddings)


def test_the_audio_loss_is_the_v_prediction_error_of_the_noisy_log_mels() -> None:
    task, network = audio_task(), Seen(0.25)
    loss = task.loss(network, 2, ALL)
    x_t, t, cond, drop = network.inputs[0]
    diffusion = Diffusion(task.config.diffusion)
    batch = task._batch(2)
    x0 = task.mels.scaled(batch)
    alpha, sigma = diffusion.alpha_bar[t].sqrt().view(-1, 1, 1), (1 - diffusion.alpha_bar[t]).sqrt().view(-1, 1, 1)
    eps = (x_t - alpha * x0) / sigma
    v = alpha * eps - sigma * x0
    assert loss.item() == pytest.approx(float(((0.25 - v) ** 2).mean()), rel=1e-3)
    assert abs(float(eps.mean())) < 0.05
    assert float(eps.std()) == pytest.approx(1.0, abs=0.05)
    assert drop.dtype == torch.bool
    assert cond.norm(dim=1).tolist() == pytest.approx([math.sqrt(D)] * 8, rel=1e-5)


def test_a_condition_is_a_frame_of_the_clip_itself() -> None:
    task, network = audio_task(), Seen()
    task.loss(network, 0, ALL)
    frames = torch.from_numpy(FakeStore().image_embeddings) * math.sqrt(D)
    for row, cond in zip(task._batch(0), network.inputs[0][2], strict=True):
        assert float((frames[row] - cond).abs().sum(dim=1).min()) < 1e-5


@pytest.mark.parametrize(("dropout", "share"), [(0.0, 0.0), (0.3, 0.3)])
def test_conditions_are_dropped_as_often_as_configured(dropout: float, share: float) -> None:
    task, network = audio_task(condition_dropout=dropout), Seen()
    for step in range(100):
        task.loss(network, step, ALL)
    dropped = torch.cat([inputs[3] for inputs in network.inputs]).double().mean()
    assert float(dropped) == pytest.approx(share, abs=0.06)  # 800 draws: three standard errors are 0.05


def test_the_validation_loss_is_the_same_every_time_and_drops_nothing() -> None:
    task, network = audio_task(condition_dropout=0.9), Seen()
    first, second = task.validation_loss(network), task.validation_loss(network)
    assert first == second
    assert not torch.cat([inputs[3] for inputs in network.inputs]).any()
    assert sum(len(inputs[0]) for inputs in network.inputs) == 2 * len(task.held_out)


def test_without_held_out_clips_there_is_no_validation_loss() -> None:
    assert audio_task(train={"validation": 0, "batch_size": 8}).validation_loss(Seen()) is None


def test_processes_share_a_batch_and_its_noise() -> None:
    whole, halves = Seen(), [Seen(), Seen()]
    audio_task().loss(whole, 3, ALL)
    for rank, network in enumerate(halves):
        audio_task().loss(network, 3, slice(rank, None, 2))
        for part, full in zip(network.inputs[0], whole.inputs[0], strict=True):
            assert torch.equal(part, full[rank::2])


def test_preparing_measures_scale_and_range_and_initialises_the_network() -> None:
    store = FakeStore()
    tree = {"clips": "x", "network": {"options": {"channels": [16], "embedding": 16, "groups": 4, "heads": 2}}}
    task, card = prepare(store, resolve(AudioTrainingConfig, tree), store.image_embeddings)  # type: ignore[arg-type]
    mels = task.mels(torch.arange(len(store)))
    scaled = task.mels.front_end.normalise(mels)
    assert scaled.mean(dim=(0, 2)).abs().max() < 1e-3
    assert card["n_clips"] == len(store)
    np.testing.assert_allclose(card["log_mel_range"]["low"], mels.amin(dim=(0, 2)), atol=1e-4)
    np.testing.assert_allclose(card["log_mel_range"]["high"], mels.amax(dim=(0, 2)), atol=1e-4)
    assert task.module.config["condition_dim"] == D


def test_ranges_unite_to_the_lower_and_the_higher_end_of_each_band() -> None:
    a, b = {"low": [-3.0, 0.0], "high": [1.0, 2.0]}, {"low": [-2.0, -1.0], "high": [0.0, 5.0]}
    assert united(a, b) == {"low": [-3.0, -1.0], "high": [1.0, 5.0]}


def test_clips_at_another_rate_and_unknown_devices_are_refused_before_any_work() -> None:
    from clipsonic.training.audio_setup import check_clips

    config = resolve(AudioTrainingConfig, {"clips": "x"})
    store = FakeStore()
    check_clips(store, config)
    with pytest.raises(ConfigError, match="device 'tpu9' is not known"):
        check_clips(store, dataclasses.replace(config, device="tpu9"))
    store.sample_rate = 8000
    with pytest.raises(ConfigError, match="the clips are at 8000 Hz"):
        check_clips(store, config)


def pairs(n: int = 40, k: int = 3) -> Pairs:
    rng = np.random.default_rng(0)
    text, image = rng.standard_normal((n, D)), rng.standard_normal((n, k, D)) + 1.0
    text, image = (x / np.linalg.norm(x, axis=-1, keepdims=True) for x in (text, image))
    names = tuple(map(str, range(n)))
    return Pairs(text.astype(np.float32), image.astype(np.float32), names, names, CARD, "c0ffee", "images")


def prior_task(dropout: float = 0.0, k: int = 3) -> PriorTask:
    config = PriorTrainingConfig(
        PairSource(images=Path("x")),
        network=PriorNetworkConfig(heads=2, head_dim=8, layers=1),
        condition_dropout=dropout,
        train=PriorOptimisation(batch_size=8, steps=4),
    )
    network = build_network(config.network, D, seed=0)
    set_scale(network, pairs(k=k).image)
    return PriorTask(config, network, pairs(k=k))


class SeenPrior:
    """A prior network that keeps its inputs and answers with a constant."""

    def __init__(self, answer: float = 0.0) -> None:
        self.answer = answer
        self.inputs: list[tuple[torch.Tensor, ...]] = []

    def __call__(self, x: torch.Tensor, t: torch.Tensor, pooled: torch.Tensor, **_: Any) -> SimpleNamespace:
        self.inputs.append((x, t, pooled))
        return SimpleNamespace(predicted_image_embedding=torch.full_like(x, self.answer))


def test_the_prior_loss_is_the_mean_square_of_the_clean_embeddings_error() -> None:
    task, network = prior_task(k=1), SeenPrior(0.5)
    loss = task.loss(network, 1, ALL)
    x_t, t, pooled = network.inputs[0]
    texts = torch.from_numpy(pairs(k=1).text) * math.sqrt(D)
    batch = [int((texts - row).abs().sum(dim=1).argmin()) for row in pooled]
    x0 = standardised(task.module, torch.from_numpy(pairs(k=1).image[batch, 0]))
    assert loss.item() == pytest.approx((0.5 - x0).square().mean().item(), rel=1e-5)
    bar = prior_scheduler().alphas_cumprod[t][:, None]
    eps = (x_t - bar.sqrt() * x0) / (1 - bar).sqrt()
    assert abs(eps.mean().item()) < 0.3  # of 128 draws: three standard errors
    assert eps.std().item() == pytest.approx(1.0, abs=0.2)


def test_the_noise_levels_of_a_prior_batch_are_stratified() -> None:
    task, network = prior_task(), SeenPrior()
    task.loss(network, 0, ALL)
    assert sorted((network.inputs[0][1] // 125).tolist()) == list(range(8))


def test_a_dropped_text_is_the_zero_vector() -> None:
    task, network = prior_task(dropout=0.5), SeenPrior()
    for step in range(50):
        task.loss(network, step, ALL)
    norms = torch.cat([pooled.norm(dim=1) for _, _, pooled in network.inputs])
    assert set(norms.round(decimals=3).tolist()) == {0.0, 4.0}
    assert float((norms == 0).double().mean()) == pytest.approx(0.5, abs=0.08)


def test_processes_share_a_prior_batch_and_its_noise() -> None:
    whole, halves = SeenPrior(), [SeenPrior(), SeenPrior()]
    prior_task().loss(whole, 3, ALL)
    for rank, network in enumerate(halves):
        prior_task().loss(network, 3, slice(rank, None, 2))
        for part, full in zip(network.inputs[0], whole.inputs[0], strict=True):
            assert torch.equal(part, full[rank::2])


def test_the_validation_loss_of_a_prior_repeats() -> None:
    task = prior_task(dropout=0.9)
    assert task.validation_loss(SeenPrior(0.1)) == task.validation_loss(SeenPrior(0.1))


def test_a_run_with_a_constant_rate_is_the_same_run_whatever_its_length() -> None:
    from clipsonic.training.config import settings_of

    def settings(steps: int, ratio: float) -> dict[str, Any]:
        train = TrainConfig(steps=steps, final_lr_ratio=ratio)
        return settings_of(AudioTrainingConfig(Path("x"), train=train))

    assert settings(10, 1.0) == settings(20, 1.0)
    assert settings(10, 0.0) != settings(20, 0.0)
