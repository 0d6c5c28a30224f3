"""EnCodec and DAC with small random weights against transformers' networks; windows, channels, files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from unit.encoders import codec_folder
from unit.encoders.codec_folder import DIMS

from clipsonic_eval.encoders import ENCODERS
from clipsonic_eval.encoders.codec.weights import MODELS
from clipsonic_eval.errors import ConfigError, ShapeError, WeightsError
from clipsonic_eval.types import Clip

FRAMES = {"encodec-24k": 75, "encodec-48k": 150, "dac-44k": 86}  # a second


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("codecs")
    return {name: codec_folder.write(root / name, name) for name in MODELS}


def clip(key: str, seconds: float, rate: int, channels: int = 1) -> Clip:
    rng = np.random.default_rng(sum(map(ord, key)))
    return Clip(key, (0.3 * rng.standard_normal((channels, max(1, round(seconds * rate))))).astype(np.float32), rate)


@pytest.mark.parametrize("name", MODELS)
def test_frames_are_the_latents_before_quantisation(folders: dict[str, Path], name: str) -> None:
    model = MODELS[name]
    sound = clip("a", 1, model.rate, model.channels)
    with torch.no_grad():
        wanted = codec_folder.network(name).encoder(torch.from_numpy(sound.samples)[None])[0].T
    found = codec_folder.load(name, folders[name], window_s=None, rows="frame").audio([sound])
    assert found.shape == (FRAMES[name], DIMS[name])
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    assert found.std() > 0.01


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("seconds", [0, 1, 2.3])
def test_one_sample_one_second_and_a_rest(folders: dict[str, Path], name: str, seconds: float) -> None:
    encoder, model = codec_folder.load(name, folders[name]), MODELS[name]
    sound = clip("a", seconds, model.rate, 3 - model.channels)
    found = encoder.audio([sound])
    rest = {0: 1, 1: 1, 2.3: 3 if name == "encodec-48k" else 2}[seconds]  # 48k: windows of a second
    assert found.shape == (rest, DIMS[name])
    assert np.isfinite(found).all()
    assert encoder.audio_rows([sound]) == ["a"] * rest


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_ten_minutes(folders: dict[str, Path], name: str) -> None:
    found = codec_folder.load(name, folders[name]).audio([clip("a", 600, MODELS[name].rate)])
    assert found.shape == (600, DIMS[name])
    assert np.isfinite(found).all()


def test_encodec_at_48_khz_hears_both_channels_and_doubles_one(folders: dict[str, Path]) -> None:
    encoder = codec_folder.load("encodec-48k", folders["encodec-48k"], rows="frame")
    both = clip("a", 1, 48000, 2)
    left = Clip("b", both.samples[:1], 48000)
    doubled = Clip("c", np.repeat(both.samples[:1], 2, axis=0), 48000)
    rows = [encoder.audio([given]) for given in (both, left, doubled)]
    np.testing.assert_array_equal(rows[1], rows[2])
    assert np.abs(rows[0] - rows[1]).max() > 1e-2


def test_windows_of_encodec_begin_anew(folders: dict[str, Path]) -> None:
    sound = clip("a", 3, 24000)
    cut = codec_folder.load("encodec-24k", folders["encodec-24k"], window_s=1.0, rows="frame")
    alone = [cut.audio([Clip("b", sound.samples[:, k * 24000 : (k + 1) * 24000], 24000)]) for k in range(3)]
    np.testing.assert_array_equal(cut.audio([sound]), np.concatenate(alone))


@pytest.mark.parametrize("name", MODELS)
def test_the_card_names_weights_windows_rows_and_licence(folders: dict[str, Path], name: str) -> None:
    first, second = codec_folder.load(name, folders[name]), codec_folder.load(name, folders[name], rows="frame")
    assert first.card != second.card
    assert first.card.weights_sha256 == second.card.weights_sha256
    assert first.card.licence == "MIT"
    assert first.card.source == MODELS[name].hub.url


def test_folders_of_other_networks_are_refused(folders: dict[str, Path], tmp_path: Path, monkeypatch: Any) -> None:
    with pytest.raises(
        WeightsError, match="a codec of 24000 Hz, 1 channels and 16 dimensions, but facebook/encodec_24"
    ):
        ENCODERS["encodec-24k"](folders["encodec-24k"])
    with pytest.raises(
        WeightsError, match="a codec of 24000 Hz, 1 channels and 16 dimensions, but facebook/encodec_48"
    ):
        codec_folder.load("encodec-48k", folders["encodec-24k"])
    with pytest.raises(WeightsError, match="of model type 'dac', needed is 'encodec'"):
        ENCODERS["encodec-24k"](folders["dac-44k"])
    for file in folders["dac-44k"].iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "encoder_hidden_size": 8, "hidden_size": 64}))
    with pytest.raises(WeightsError, match=r"not those of its config\.json|not readable as a DAC"):
        codec_folder.load("dac-44k", tmp_path)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(
        WeightsError,
        match="descript/dac_44khz is not in the Hugging Face cache; get it with 'clipsonic-eval weights desc",
    ):
        ENCODERS["dac-44k"]()


def test_options_and_sounds_that_are_refused(folders: dict[str, Path]) -> None:
    with pytest.raises(ConfigError, match="dac-44k: rows 'clip' must be frame or second"):
        codec_folder.load("dac-44k", folders["dac-44k"], rows="clip")
    for name in MODELS:
        with pytest.raises(ShapeError, match="'x': audio must hold"):
            codec_folder.load(name, folders[name]).audio([Clip("x", np.zeros((1, 0), np.float32), 24000)])
