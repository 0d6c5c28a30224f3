"""MERT with small random weights against transformers' HuBERT, and with DeepNorm against its definition."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from unit.encoders import mert_folder
from unit.encoders.mert_folder import DIM, LAYERS

from clipsonic_eval.encoders import ENCODERS
from clipsonic_eval.encoders.mert.encoder import normalised
from clipsonic_eval.encoders.mert.network import Mert, MertSettings
from clipsonic_eval.encoders.mert.weights import MODELS, read_settings
from clipsonic_eval.errors import ConfigError, ShapeError, WeightsError
from clipsonic_eval.types import Clip

RATE = 24000
VARIANTS: dict[str, dict[str, Any]] = {
    "as published": {},
    "norm of layers": {"feat_extract_norm": "layer", "conv_bias": True},
    "norm first": {"do_stable_layer_norm": True, "feat_extract_norm": "layer"},
    "features as they are": {"feat_proj_layer_norm": False, "num_conv_pos_embeddings": 15},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return mert_folder.write(tmp_path_factory.mktemp("mert"))


def clip(key: str, seconds: float, rate: int = RATE, channels: int = 1) -> Clip:
    rng = np.random.default_rng(sum(map(ord, key)))
    t = np.arange(max(1, round(seconds * rate))) / rate
    wave = 0.2 * np.sin(2 * np.pi * 440 * t) + 0.1 * rng.standard_normal((channels, len(t))) + 0.05
    return Clip(key, wave.astype(np.float32), rate)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("layer", [0, 1, LAYERS])
def test_every_layer_is_that_of_hubert(tmp_path: Path, variant: str, layer: int) -> None:
    settings = VARIANTS[variant]
    net = mert_folder.hubert(**settings)
    sound = clip("a", 0.3)
    with torch.no_grad():
        theirs = net(torch.from_numpy(normalised(sound)), output_hidden_states=True)
    # with the norm first, the published code returns the last state after the last norm, transformers 5 before it
    wanted = theirs.last_hidden_state if layer == LAYERS else theirs.hidden_states[layer]
    ours = mert_folder.load(mert_folder.write(tmp_path, **settings), layer=layer, window_s=None, rows="frame")
    found = ours.audio([sound])
    np.testing.assert_allclose(found, wanted[0], atol=2e-5)
    assert found.std() > 0.1


def by_definition(net: Any, states: torch.Tensor, alpha: float, relax: float) -> torch.Tensor:
    """Layers as the published code states them: LN(alpha x + f(x)), and logits scaled down and up around their maximum.

    Shapes: (frames, d) -> (frames, d).
    """
    for layer in net.encoder.layers:
        heads = layer.attention.num_heads
        query, key, value = (
            project(states).unflatten(1, (heads, -1)).transpose(0, 1)
            for project in (layer.attention.q_proj, layer.attention.k_proj, layer.attention.v_proj)
        )
        logits = (query / query.shape[-1] ** 0.5) @ key.transpose(1, 2) / relax
        logits = (logits - logits.max(dim=-1, keepdim=True).values) * relax
        attended = (torch.softmax(logits, dim=-1) @ value).transpose(0, 1).flatten(1)
        states = layer.layer_norm(alpha * states + layer.attention.out_proj(attended))
        inner = F.gelu(layer.feed_forward.intermediate_dense(states))
        states = layer.final_layer_norm(alpha * states + layer.feed_forward.output_dense(inner))
    return states


def test_deepnorm_and_attention_relaxation_are_those_of_their_definition(tmp_path: Path) -> None:
    net, sound = mert_folder.hubert(), clip("a", 0.3)
    with torch.no_grad():
        entering = net(torch.from_numpy(normalised(sound)), output_hidden_states=True).hidden_states[0][0]
        wanted = by_definition(net, entering, alpha=(2 * LAYERS) ** 0.25, relax=32.0)
        plain = by_definition(net, entering, alpha=1.0, relax=32.0)
    options = {"window_s": None, "rows": "frame"}
    deep = mert_folder.load(mert_folder.write(tmp_path / "deep", deepnorm=True, attention_relax=32.0), **options)
    np.testing.assert_allclose(deep.audio([sound]), wanted, atol=2e-5)
    usual = mert_folder.load(mert_folder.write(tmp_path / "usual", attention_relax=32.0), **options)
    np.testing.assert_allclose(usual.audio([sound]), plain, atol=2e-5)
    assert (wanted - plain).abs().max() > 0.1


@pytest.mark.parametrize("channels", [1, 2])
def test_audio_is_normalised_as_transformers_does(channels: int) -> None:
    from transformers import Wav2Vec2FeatureExtractor

    sound = clip("a", 0.5, channels=channels)
    front = Wav2Vec2FeatureExtractor(sampling_rate=RATE, do_normalize=True)
    theirs = front(sound.mono(), sampling_rate=RATE, return_tensors="np").input_values
    np.testing.assert_allclose(normalised(sound), theirs, atol=1e-5)


def test_both_generations_of_files_give_the_same_network_and_card(tmp_path: Path, folder: Path) -> None:
    later = mert_folder.write(tmp_path, pickled=False)
    sounds = [clip("a", 0.3)]
    first, second = mert_folder.load(folder), mert_folder.load(later / "model.safetensors")
    np.testing.assert_array_equal(first.audio(sounds), second.audio(sounds))
    assert first.card == second.card
    assert first.card.licence == "CC-BY-NC-4.0"
    assert first.card.source == "https://huggingface.co/m-a-p/MERT-v1-95M"


@pytest.mark.parametrize(
    ("seconds", "rows", "expected"),
    [(0, "frame", 1), (0, "second", 1), (5, "second", 5), (5, "frame", 374), (600, "second", 600), (5.3, "second", 6)],
)
def test_one_sample_one_window_and_ten_minutes(folder: Path, seconds: float, rows: str, expected: int) -> None:
    encoder, sound = mert_folder.load(folder, rows=rows), clip("a", seconds)
    found = encoder.audio([sound])
    assert found.shape == (expected, DIM)
    assert np.isfinite(found).all()
    assert encoder.audio_rows([sound]) == ["a"] * expected


def test_windows_are_cut_after_the_clip_is_normalised(folder: Path) -> None:
    sound = clip("a", 10)
    wave = normalised(sound)
    whole = mert_folder.load(folder, window_s=None, rows="frame")
    halves = mert_folder.load(folder, rows="frame").audio([sound])
    net = whole._network
    with torch.no_grad():
        alone = [net(torch.from_numpy(wave[None, :, start : start + 5 * RATE]))[0] for start in (0, 5 * RATE)]
    np.testing.assert_allclose(halves, torch.cat(alone), atol=1e-5)
    assert len(whole.audio([sound])) == 749  # fadtk's frames of ten seconds
    assert len(halves) == 2 * 374


def test_silence_is_embedded(folder: Path) -> None:
    silent = Clip("a", np.zeros((2, RATE), np.float32), RATE)
    assert np.isfinite(mert_folder.load(folder).audio([silent])).all()


def test_code_in_the_folder_is_not_executed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder = mert_folder.write(tmp_path / "mert")
    (folder / "modeling_MERT.py").write_text("import pathlib\npathlib.Path('executed').touch()\n")
    mert_folder.load(folder)
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(WeightsError, match="not readable as tensors alone"):
        mert_folder.load(folder)
    assert not (tmp_path / "executed").exists()


class Bomb:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch executed",)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ({"model_type": "hubert"}, "config.json is not that of a MERT"),
        ({"feature_extractor_cqt": True}, "feature_extractor_cqt True cannot be read, only with False"),
        ({"sample_rate": 16000}, "sample_rate 16000 cannot be read, only with 24000"),
        ({"hidden_act": "relu"}, "hidden_act 'relu' cannot be read"),
        ({"num_attention_heads": None}, "config.json says num_attention_heads None"),
        ({"conv_dim": []}, r"config.json says conv_dim \[\]"),
        ({"conv_bias": 1}, "config.json says conv_bias 1"),
        ({"layer_norm_eps": "small"}, "config.json says layer_norm_eps 'small'"),
        ({"hidden_size": 48}, "a MERT of 48 dimensions and 3 layers, but m-a-p/MERT-v1-95M has 24 and 3"),
        ({"intermediate_size": 41}, "these are not the tensors of its config.json"),
        ({"num_conv_pos_embedding_groups": 5}, "config.json describes no network"),
    ],
)
def test_folders_that_are_refused(folder: Path, tmp_path: Path, written: dict[str, Any], said: str) -> None:
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    config = json.loads((folder / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, **written}))
    with pytest.raises(WeightsError, match=said):
        mert_folder.load(tmp_path)


def test_tensors_and_front_ends_that_are_refused(folder: Path, tmp_path: Path) -> None:
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    tensors = torch.load(folder / "pytorch_model.bin", weights_only=True)
    without = {name: value for name, value in tensors.items() if not name.endswith("weight_g")}
    for given, said in ((without, "weight_g.*missing or no pair"), ({**tensors, "more": torch.ones(1)}, "more")):
        torch.save(given, tmp_path / "pytorch_model.bin")
        with pytest.raises(WeightsError, match=said):
            mert_folder.load(tmp_path)
    (tmp_path / "preprocessor_config.json").write_text(json.dumps({"do_normalize": False, "sampling_rate": RATE}))
    with pytest.raises(WeightsError, match="must normalise audio at 24000 Hz"):
        mert_folder.load(tmp_path)


def test_what_is_not_there_and_options_that_are_refused(folder: Path, tmp_path: Path, monkeypatch: Any) -> None:
    with pytest.raises(WeightsError, match=r"config.json is missing; name its folder"):
        ENCODERS["mert-v1-95m"](tmp_path)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(WeightsError, match=r"m-a-p/MERT-v1-330M is not in the Hugging Face cache; get it with 'clip"):
        ENCODERS["mert-v1-330m"]()
    with pytest.raises(ConfigError, match="layer 4 must be from 0 to 3"):
        mert_folder.load(folder, layer=4)
    with pytest.raises(ConfigError, match=r"window_s 0.001 must be at least 0.0166667, one frame"):
        mert_folder.load(folder, window_s=0.001)
    with pytest.raises(ShapeError, match="'x': audio must hold"):
        mert_folder.load(folder).audio([Clip("x", np.zeros((1, 0), np.float32), RATE)])
    assert read_settings(folder).shortest == 400


@pytest.mark.parametrize(
    ("name", "heads", "inner", "millions"), [("mert-v1-95m", 12, 3072, 94), ("mert-v1-330m", 16, 4096, 315)]
)
def test_the_published_sizes_have_hubert_s_tensors(name: str, heads: int, inner: int, millions: int) -> None:
    from transformers import HubertConfig, HubertModel

    model = MODELS[name]
    sizes = {"hidden_size": model.dim, "num_hidden_layers": model.layers, "num_attention_heads": heads}
    sizes |= {"intermediate_size": inner, "num_conv_pos_embeddings": 128, "num_conv_pos_embedding_groups": 16}
    config = HubertConfig(**sizes, feat_proj_layer_norm=True, mask_time_prob=0.0)
    written = {key: getattr(config, key) for key in MertSettings._fields if key != "deepnorm"}
    settings = MertSettings(**written, deepnorm=False)
    with torch.device("meta"):
        ours, theirs = Mert(settings).state_dict(), mert_folder.published_tensors(HubertModel(config))
    wanted = {key: tuple(value.shape) for key, value in theirs.items() if "weight_g" not in key}
    wanted = {key.replace("weight_v", "weight"): shape for key, shape in wanted.items()}
    assert {key: tuple(value.shape) for key, value in ours.items()} == wanted
    assert sum(value.numel() for value in ours.values()) // 10**6 == millions
