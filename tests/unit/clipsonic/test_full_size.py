"""The networks of the presets at their full size, with random weights, from a training step to a score."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from transformers import SpeechT5HifiGan, SpeechT5HifiGanConfig
from unit.clipsonic.fakes import FakeStore

import clipsonic_eval as ce
from clipsonic.model import MelDiffusion
from clipsonic.prior.data import Pairs
from clipsonic.prior.model import DiffusionPrior
from clipsonic.training import audio, prior, prior_task
from clipsonic.training.config import AudioTrainingConfig, PriorTrainingConfig
from clipsonic_eval.config import apply_sets, resolve
from clipsonic_eval.encoders.vggish.network import Vggish
from clipsonic_eval.files import read_csv
from clipsonic_eval.media.audio import write_wav
from clipsonic_eval.presets import read_training
from clipsonic_eval.types import EncoderCard

VIT_L_14 = EncoderCard("clip-vit-l-14", "ab" * 32, 768, ("image", "text"), "size:224")
ONE_STEP = ["train.steps=1", "train.batch_size=2", "train.validation=0", "train.gradient_accumulation=2"]

pytestmark = pytest.mark.slow


def preset(name: str, config: type, *sets: str) -> Any:
    tree = apply_sets(read_training(Path(name)), [*ONE_STEP, *sets])
    return resolve(config, {key: value for key, value in tree.items() if key not in ("trainer", "out")})


def hifi_gan(folder: Path) -> Path:
    """Write AudioLDM's vocoder with random weights, as transformers writes it."""
    sizes = {"upsample_rates": [5, 4, 2, 2, 2], "upsample_kernel_sizes": [16, 16, 8, 4, 4]}
    torch.manual_seed(0)
    own = SpeechT5HifiGanConfig(model_in_dim=64, sampling_rate=16000, upsample_initial_channel=1024, **sizes)
    SpeechT5HifiGan(own).save_pretrained(folder)
    return folder


def vggish(path: Path) -> Path:
    torch.manual_seed(0)
    save_file(Vggish().state_dict(), path)
    return path


@pytest.mark.filterwarnings("ignore::UserWarning")  # what a vocoder of random weights makes is nearly silent
def test_vggsound_takes_a_step_is_saved_loaded_sampled_vocoded_and_scored(tmp_path: Path) -> None:
    store: Any = FakeStore(n=2, n_samples=4 * 16000, space=VIT_L_14)
    config = preset("vggsound", AudioTrainingConfig, "split=null", "train.gradient_checkpointing=true")
    out = audio.train_on(store, config, tmp_path / "model")
    (row,) = read_csv(out / "train_log.csv")
    assert 0.5 < float(row["loss"]) < 2  # the head begins at zero, and v has unit variance
    model = MelDiffusion.load(out, vocoder={"name": "hifi-gan", "folder": str(hifi_gan(tmp_path / "vocoder"))})
    assert sum(weight.numel() for weight in model.network.parameters()) == pytest.approx(142.6e6, rel=1e-3)
    mels = model.generate_mel(store.image_embeddings[:, 0], [0, 1], steps=2, guidance=1.0)
    assert mels.shape == (2, 64, 400)
    for row_number, wav in enumerate(model.vocode(mels, [0, 1])):
        assert wav.shape == (64000,)
        for folder, samples in (("mine", wav), ("real", store.audio(np.array([row_number]))[0])):
            (tmp_path / folder).mkdir(exist_ok=True)
            write_wav(tmp_path / folder / f"{row_number}.wav", samples, 16000)
    weights = {"audio": vggish(tmp_path / "vggish.safetensors")}
    run = ce.evaluate(
        {"IQ": tmp_path / "mine"},
        reference=tmp_path / "real",
        metrics=["fad"],
        encoders={"audio": "vggish"},
        weights=weights,
        compare=False,
        n_bootstrap=20,
    )
    assert np.isfinite(run["IQ", "fad"].value)


def test_a_prior_takes_a_step_is_saved_loaded_and_sampled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = preset("prior_vit_l_14_small", PriorTrainingConfig)
    tokens = config.network.text_tokens
    rng = np.random.default_rng(0)

    def hidden(texts: list[str]) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        states = rng.standard_normal((len(texts), tokens, 768)).astype(np.float32)
        return states, np.ones((len(texts), tokens), np.bool_)

    monkeypatch.setattr(prior_task, "_tokens_of", lambda config: hidden if tokens else None)
    text, image = rng.standard_normal((4, 768)), rng.standard_normal((4, 1, 768)) + 1.0
    text, image = (x / np.linalg.norm(x, axis=-1, keepdims=True) for x in (text, image))
    names = tuple("abcd")
    pairs = Pairs(text.astype(np.float32), image.astype(np.float32), names, names, VIT_L_14, "c0ffee", "images")
    out = prior.train_on(pairs, config, tmp_path / "prior")
    (row,) = read_csv(out / "train_log.csv")
    assert 0.5 < float(row["loss"]) < 4  # x_0 at the standardised scale has unit variance
    model = DiffusionPrior.load(out)
    assert sum(weight.numel() for weight in model.network.parameters()) == pytest.approx(88.7e6, rel=1e-2)
    states = hidden(list("ab")) if tokens else None
    drawn = model.sample(text[:2].astype(np.float32), [0, 1], steps=2, tokens=states)
    assert np.linalg.norm(drawn, axis=1) == pytest.approx([1.0, 1.0], abs=1e-5)
