"""Audiobox Aesthetics at a small size: the network against transformers' WavLM, windows, files that are refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from unit.encoders import aesthetics_folder

from clipsonic_eval.encoders import ENCODERS
from clipsonic_eval.encoders.aesthetics.network import Aesthetics, Sizes
from clipsonic_eval.errors import ShapeError, UserError, WeightsError
from clipsonic_eval.metrics import METRICS, content_usefulness
from clipsonic_eval.types import Clip, as_embeddings

RATE = 16000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return aesthetics_folder.write(tmp_path_factory.mktemp("aesthetics"))


@pytest.fixture(scope="module")
def encoder(folder: Path) -> Any:
    return ENCODERS["audiobox-aesthetics"](folder)


def clip(key: str, samples: int, channels: int = 1, rate: int = RATE) -> Clip:
    rng = np.random.default_rng(sum(map(ord, key)))
    return Clip(key, (0.3 * rng.standard_normal((channels, samples))).astype(np.float32), rate)


@pytest.mark.parametrize("samples", [1, 320, 321, 50000, 159999, 160000])
def test_a_window_has_the_points_that_the_network_of_transformers_gives(
    encoder: Any, folder: Path, samples: int
) -> None:
    one = clip("a", samples)
    wanted = aesthetics_folder.points(folder, one.samples[0])
    np.testing.assert_allclose(encoder.audio([one])[0], wanted, atol=2e-5)
    assert np.abs(wanted - [5, 6, 7, 8]).max() > 0.01  # and is not the means of the axes alone


@pytest.mark.parametrize(("norm", "dropout"), [(False, False), (True, True)])
def test_heads_of_other_settings_are_read(tmp_path: Path, norm: bool, dropout: bool) -> None:
    folder = aesthetics_folder.write(tmp_path, norm=norm, dropout=dropout)
    one = clip("a", 20000)
    found = ENCODERS["audiobox-aesthetics"](folder).audio([one])[0]
    np.testing.assert_allclose(found, aesthetics_folder.points(folder, one.samples[0]), atol=2e-5)


def test_windows_of_a_long_clip_count_by_the_samples_that_they_hold(encoder: Any) -> None:
    long = clip("long", 25 * RATE)
    parts = [Clip("x", long.samples[:, start : start + 10 * RATE], RATE) for start in range(0, 25 * RATE, 10 * RATE)]
    points = encoder.audio(parts).astype(np.float64)
    np.testing.assert_allclose(encoder.audio([long])[0], np.average(points, axis=0, weights=[10, 10, 5]), rtol=1e-6)
    assert encoder.audio_rows([long]) == ["long"]


def test_stereo_at_another_rate_is_its_mean_and_batches_change_nothing(encoder: Any) -> None:
    stereo = clip("s", 3 * 44100, 2, 44100)
    mono = Clip("m", stereo.mono()[None], 44100)
    both = encoder.audio([stereo, mono, clip("o", 700)])
    np.testing.assert_array_equal(both[0], both[1])
    np.testing.assert_array_equal(encoder.audio([clip("o", 700)])[0], both[2])
    assert encoder.audio([]).shape == (0, 4)


@pytest.mark.slow
def test_ten_minutes_are_sixty_windows(encoder: Any) -> None:
    assert np.isfinite(encoder.audio([clip("long", 600 * RATE)])).all()


def test_the_published_sizes_are_those_of_wavlm_base() -> None:
    from transformers import WavLMConfig, WavLMModel

    with torch.device("meta"):
        own, theirs = Aesthetics(Sizes()).wavlm_model, WavLMModel(WavLMConfig())
    assert sum(p.numel() for p in own.parameters()) == sum(p.numel() for p in theirs.parameters()) == 94_381_936


def test_its_card_names_the_licence_and_the_scale(encoder: Any, tmp_path: Path) -> None:
    scale = {axis: {"mean": 0.0, "std": 1.0} for axis in aesthetics_folder.AXES}
    other = ENCODERS["audiobox-aesthetics"](aesthetics_folder.write(tmp_path, target_transform=scale))
    assert encoder.card.licence == "CC BY 4.0"
    assert other.card.weights_sha256 == encoder.card.weights_sha256
    assert other.card.preprocessing != encoder.card.preprocessing


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"target_transform": None}, "target_transform must have mean and std of the axes CE, CU, PC, PQ"),
        ({"target_transform": {"CE": {"mean": 1, "std": 1}}}, "target_transform must have"),
        ({"output_dim": 2}, "output_dim is 2, and only 1 is known"),
        ({"proj_act_fn": "relu"}, "proj_act_fn is 'relu', and only 'gelu'"),
        ({"proj_num_layer": 5}, r"not the tensors of Audiobox Aesthetics \(proj_layer"),
    ],
)
def test_settings_of_another_network_are_one_sentence(tmp_path: Path, settings: dict[str, Any], said: str) -> None:
    with pytest.raises(WeightsError, match=said):
        ENCODERS["audiobox-aesthetics"](aesthetics_folder.write(tmp_path, **settings))


def test_files_that_are_missing_or_damaged_are_one_sentence(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "empty"))
    monkeypatch.setattr("clipsonic_eval.encoders.aesthetics.weights.hub_folder", lambda repository: None)
    with pytest.raises(WeightsError, match=r"'clipsonic-eval weights facebook/audiobox-aesthetics --fetch'"):
        ENCODERS["audiobox-aesthetics"]()
    with pytest.raises(WeightsError, match=r"config\.json is missing; fetch"):
        ENCODERS["audiobox-aesthetics"](tmp_path)
    broken = tmp_path / "broken"
    shutil.copytree(folder, broken)
    tensors = load_file(broken / "model.safetensors")
    del tensors["wavlm_model.post_extract_proj.weight"]
    save_file(tensors, broken / "model.safetensors")
    with pytest.raises(WeightsError, match="these are not the tensors"):
        ENCODERS["audiobox-aesthetics"](broken)
    (broken / "model.safetensors").write_bytes(b"nothing")
    with pytest.raises(WeightsError, match="not readable as tensors"):
        ENCODERS["audiobox-aesthetics"](broken / "model.safetensors")
    shutil.copy(folder / "model.safetensors", broken)
    (broken / "config.json").write_text(json.dumps([1]))
    with pytest.raises(WeightsError, match="target_transform must have"):
        ENCODERS["audiobox-aesthetics"](broken)


def test_what_it_does_not_take_is_refused(encoder: Any) -> None:
    with pytest.raises(ShapeError, match="'x': audio must hold"):
        encoder.audio([Clip("x", np.zeros((1, 0), np.float32), RATE)])
    with pytest.raises(UserError, match="does not take text"):
        encoder.text(["a"])


def test_each_axis_is_a_metric_of_its_own_column(encoder: Any) -> None:
    clips = [clip("a", 4000), clip("b", 5000)]
    rows = encoder.audio(clips)
    embedded = as_embeddings(rows, keys=("a", "b"))
    for axis, name in enumerate(("content_enjoyment", "content_usefulness", "production_complexity")):
        metric = METRICS[name]
        assert metric.function is not None
        assert metric.function(embedded, n_boot=0).value == pytest.approx(float(rows[:, axis].mean()))
    assert content_usefulness(embedded).per_clip["b"] == pytest.approx(float(rows[1, 1]))
    with pytest.raises(ShapeError, match="needs four numbers per row"):
        content_usefulness(np.zeros((3, 5)))
