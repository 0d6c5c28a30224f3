"""Training of a vocoder: whose gradient reaches whom, that it learns, resumes and is read as any published BigVGAN."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from unit.clipsonic.fakes import FakeStore

from clipsonic.training import loop, vocoder
from clipsonic.training.vocoder_config import VocoderTrainingConfig
from clipsonic.training.vocoder_task import VocoderTask, check_segment
from clipsonic.vocoders import make_vocoder
from clipsonic.vocoders._discriminators import (
    Discriminators,
    adversarial_loss,
    discriminator_loss,
    feature_loss,
)
from clipsonic_eval.clips import ClipStore
from clipsonic_eval.config import resolve
from clipsonic_eval.errors import ConfigError, UserError

SMALL: dict[str, Any] = {
    "clips": "clips",
    "mel": {"n_mels": 16, "n_fft": 64, "hop": 16, "floor": 1e-3},
    "network": {"options": {
        "upsample_rates": [4, 4], "upsample_kernel_sizes": [8, 8], "upsample_initial_channel": 16, "resblock": "2",
        "resblock_kernel_sizes": [3], "resblock_dilation_sizes": [[1, 3]],
    }},
    "segment_frames": 24, "periods": [2, 3], "resolutions": [[64, 16, 48]], "discriminator_width": 0.03125,
    "train": {"steps": 6, "batch_size": 4, "learning_rate": 2e-3, "log_every": 2, "validate_every": 3, "validation": 4},
}  # fmt: skip
VOCOS: dict[str, Any] = {
    **SMALL, "network": {"name": "vocos", "options": {"dim": 16, "intermediate_dim": 32, "num_layers": 2}},
}  # fmt: skip
KINDS = pytest.mark.parametrize("config", [SMALL, VOCOS], ids=["bigvgan", "vocos"])


def with_options(**changes: Any) -> dict[str, Any]:
    return {"network": {"options": {**SMALL["network"]["options"], **changes}}}


class Tones(FakeStore):
    """Clips whose last quarter is silence."""

    folder = Path("clips")

    def __init__(self) -> None:
        super().__init__(n_samples=640)
        self.valid_s = np.full(len(self), 480 / 16000)
        self._audio[:, 480:] = 0.0


def settings(**changes: Any) -> VocoderTrainingConfig:
    return resolve(VocoderTrainingConfig, {**SMALL, **changes})


def task(**changes: Any) -> VocoderTask:
    store: Any = Tones()
    return VocoderTask(settings(**changes), store, torch.arange(len(store)))


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ClipStore, "open", lambda *_: Tones())


def gradients(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: p.grad.clone() for name, p in module.named_parameters() if p.grad is not None}


def test_generator_and_discriminators_get_the_gradients_of_their_own_losses() -> None:
    whole = task()
    whole.loss(whole.module, 0, slice(None)).backward()
    together = gradients(whole.module)

    apart = task()
    game = apart.module
    audio = apart._segments(apart.training_rows[loop_rows(apart)], segment_places(apart))
    log_mel = apart._front_end.log_mel(audio)
    generated = game.generator(log_mel)
    discriminator_loss(game.discriminators(audio), game.discriminators(generated.detach())).backward()
    expected = gradients(game.discriminators)
    game.zero_grad()
    judged, real = game.discriminators(generated), game.discriminators(audio)
    distance = (apart._front_end.log_mel(generated) - log_mel).abs().mean()
    (adversarial_loss(judged) + 2 * feature_loss(real, judged) + 45 * distance).backward()
    of_generator = gradients(game.generator)

    for name, value in expected.items():
        assert torch.allclose(together[f"discriminators.{name}"], value, rtol=1e-4, atol=1e-6), name
    for name, value in of_generator.items():
        assert torch.allclose(together[f"generator.{name}"], value, rtol=1e-4, atol=1e-6), name
    assert len(together) == len(expected) + len(of_generator)


def loop_rows(made: VocoderTask) -> torch.Tensor:
    from clipsonic.training.batches import batch_rows

    return batch_rows(len(made.training_rows), made.config.train.batch_size, 0, made.config.train.seed)


def segment_places(made: VocoderTask) -> torch.Tensor:
    from clipsonic.training.batches import step_generator

    train = made.config.train
    return torch.rand(train.batch_size, generator=step_generator(train.seed, 0, "segments", torch.device("cpu")))


def test_segments_lie_where_there_is_sound() -> None:
    made = task()
    rows = torch.arange(8)
    for where in (0.0, 0.5, 0.999):
        found = made._segments(rows, torch.full((8,), where))
        assert found.shape == (8, 24 * 16)
        assert float(found[:, -16:].abs().amax(dim=1).min()) > 0
    first, last = made._segments(rows, torch.zeros(8)), made._segments(rows, torch.full((8,), 0.999))
    assert torch.equal(first, torch.from_numpy(made._store.audio(rows.numpy())[:, :384]))
    assert torch.equal(last, torch.from_numpy(made._store.audio(rows.numpy())[:, 96:480]))


@pytest.mark.parametrize(
    ("config", "steps"), [(SMALL, 60), pytest.param(VOCOS, 150, marks=pytest.mark.slow)], ids=["bigvgan", "vocos"]
)
def test_training_brings_the_spectrograms_of_held_out_clips_nearer(
    config: dict[str, Any], steps: int, tmp_path: Path
) -> None:
    changes = {"train": {**config["train"], "steps": steps, "validate_every": steps, "ema": 0.9}}
    made = task(**{**config, **changes})
    with torch.no_grad():
        before = made.validation_loss(made.module)
    result = loop.run(made, made.config.train, tmp_path, identity="x")
    assert before is not None
    assert result["val_loss"] < 0.7 * before


@KINDS
@pytest.mark.usefixtures("opened")
def test_a_trained_vocoder_is_read_like_a_published_one(config: dict[str, Any], tmp_path: Path) -> None:
    name = config["network"].get("name", "bigvgan")
    out = vocoder.train(config, tmp_path / "vocoder")
    card = json.loads((out / "card.json").read_text())
    assert card["steps"] == 6
    assert card["clips"] == "c0ffee"
    assert not (out / "checkpoint").exists()
    made = make_vocoder(settings().mel, {"name": name, "folder": str(out)})
    sound = made(torch.full((2, 16, 30), -2.0), [0, 1])
    assert sound.shape == (2, 480)
    inner = make_vocoder(settings().mel, {"name": name, "folder": str(out / name)})
    assert torch.equal(inner(torch.full((2, 16, 30), -2.0), [0, 1]), sound)
    assert vocoder.train(config, out) == out  # finished: returns at once


@KINDS
@pytest.mark.usefixtures("opened")
def test_a_stopped_run_goes_on_to_the_same_weights(config: dict[str, Any], tmp_path: Path) -> None:
    def weights(out: Path) -> bytes:
        return next(out.glob("*/*.safetensors")).read_bytes()

    whole = vocoder.train(config, tmp_path / "whole")
    stopped = {**config, "train": {**config["train"], "checkpoint_every": 2, "max_minutes": 0.0}}
    with pytest.raises(UserError, match="the same command goes on"):
        vocoder.train(stopped, tmp_path / "parts")
    assert weights(vocoder.train(config, tmp_path / "parts")) == weights(whole)


@pytest.mark.usefixtures("opened")
def test_a_run_may_start_from_the_generator_of_another(tmp_path: Path) -> None:
    first = vocoder.train(SMALL, tmp_path / "first")
    tuned = {**SMALL, "init_from": str(first), "train": {**SMALL["train"], "learning_rate": 1e-12}}
    second = vocoder.train(tuned, tmp_path / "second")
    mel = settings().mel
    spectrogram = torch.full((1, 16, 30), -2.0)
    made = [make_vocoder(mel, {"name": "bigvgan", "folder": str(folder)}) for folder in (first, second)]
    assert torch.allclose(made[0](spectrogram, [0]), made[1](spectrogram, [0]), atol=1e-5)
    parent = json.loads((first / "card.json").read_text())["weights_sha256"]
    assert json.loads((second / "card.json").read_text())["init_from"] == {"weights_sha256": parent}
    wider = {**tuned, **with_options(upsample_initial_channel=32)}
    with pytest.raises(ConfigError, match="upsample_initial_channel"):
        vocoder.train(wider, tmp_path / "third")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (with_options(upsample_rates=[4], upsample_kernel_sizes=[8]), "multiply to 4, but there are 16 samples"),
        (with_options(upsample_kernel_sizes=[8, 7]), "by an even number"),
        (with_options(resblock_kernel_sizes=[3, 7]), "a row for each of resblock_kernel_sizes"),
        (with_options(upsample_initial_channel=3), "2 halvings leave none"),
        (with_options(hop_size=16), "hop_size follow from mel"),
        ({"network": {}}, "upsample_rates"),
        ({"network": {"name": "vocos", "options": {"num_layers": 0}}}, "at least 1"),
        ({"network": {"name": "vocos", "options": {"layers": 2}}}, "num_layers"),
        ({"segment_frames": 1}, "segment_frames 1 is too short"),
        ({"periods": [], "resolutions": []}, "at least one of periods and resolutions"),
        ({"train": {"optimizer": "muon"}}, "adamw"),
        ({"train": {"precision": "bf16"}}, "fp32"),
        ({"train": {"ema_lengths": [0.1]}}, "of audio models and priors"),
    ],
)
def test_settings_that_make_no_sense_are_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        settings(**changes)


def test_clips_shorter_than_a_segment_are_refused() -> None:
    store: Any = Tones()
    with pytest.raises(UserError, match="lower segment_frames to 40"):
        check_segment(settings(segment_frames=41), store)


def test_losses_are_those_of_their_formulas() -> None:
    torch.manual_seed(0)
    judges = Discriminators([2], [[64, 16, 48]], 0.03125)
    with torch.no_grad():
        real, generated = judges(torch.randn(3, 400)), judges(torch.randn(3, 400))
    scores: list[tuple[NDArray[np.float32], NDArray[np.float32]]] = [
        (r.scores.numpy(), g.scores.numpy()) for r, g in zip(real, generated, strict=True)
    ]
    assert float(discriminator_loss(real, generated)) == pytest.approx(
        sum(((1 - r) ** 2).mean() + (g**2).mean() for r, g in scores), rel=1e-5
    )
    assert float(adversarial_loss(generated)) == pytest.approx(sum(((1 - g) ** 2).mean() for _, g in scores), rel=1e-5)
    differences = [
        np.abs((a - b).numpy()).mean()
        for r, g in zip(real, generated, strict=True)
        for a, b in zip(r.features, g.features, strict=True)
    ]
    assert float(feature_loss(real, generated)) == pytest.approx(sum(differences), rel=1e-5)
