"""BigVGAN folders: closed forms of filters and activations, files with and without weight normalisation, refusals.

``tests/reference`` compares the whole network with the original package.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.signal
import torch
from safetensors.torch import save_file
from torch import nn

from clipsonic.mel import MelConfig
from clipsonic.vocoders import make_vocoder
from clipsonic.vocoders._bigvgan_network import (
    BigVGAN,
    BigVGANConfig,
    _Down,
    _Snake,
    _Up,
    low_pass,
    without_weight_norm,
)
from clipsonic.vocoders._generators import read_config
from clipsonic_eval.errors import ConfigError, ShapeError, WeightsError

MEL = MelConfig(n_mels=16, hop=8, n_fft=32, sample_rate=800, fmax=400.0)
CONFIG: dict[str, Any] = {
    "num_mels": 16, "sampling_rate": 800, "hop_size": 8, "n_fft": 32, "win_size": 32, "fmin": 0, "fmax": None,
    "upsample_rates": [4, 2], "upsample_kernel_sizes": [8, 4], "upsample_initial_channel": 16, "resblock": "1",
    "resblock_kernel_sizes": [3, 7], "resblock_dilation_sizes": [[1, 3], [1, 5]], "activation": "snakebeta",
    "snake_logscale": True, "use_tanh_at_final": False, "use_bias_at_final": False, "learning_rate": 1e-4,
}  # fmt: skip


def written(folder: Path, **changes: Any) -> BigVGAN:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps({**CONFIG, **changes}))
    torch.manual_seed(0)
    network = BigVGAN(read_config("bigvgan", folder)).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    torch.save({"generator": network.state_dict(), "steps": 3}, folder / "bigvgan_generator.pt")
    return network


def log_mels(n: int = 3, frames: int = 20) -> torch.Tensor:
    return -4 + 2 * torch.randn(n, 16, frames, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("changes", [{}, {"resblock": "2", "activation": "snake", "use_tanh_at_final": True}])
def test_waveforms_of_a_folder_are_those_of_its_network(tmp_path: Path, changes: dict[str, Any]) -> None:
    network = written(tmp_path / "v", **changes)
    vocoder = make_vocoder(MEL, {"name": "bigvgan", "folder": str(tmp_path / "v"), "chunk": 2})
    mels = log_mels()
    sound = vocoder(mels, [0, 1, 2])
    assert sound.shape == (3, 160)
    with torch.inference_mode():
        assert torch.allclose(sound, network(mels), atol=1e-6)
    assert 1e-3 < float(sound.abs().max()) <= 1
    assert vocoder(mels[:0], []).shape == (0, 160)


def test_weight_normalisation_is_folded_in(tmp_path: Path) -> None:
    network = written(tmp_path / "v")
    expected = make_vocoder(MEL, {"name": "bigvgan", "folder": str(tmp_path / "v")})(log_mels(), [0, 1, 2])
    split: dict[str, torch.Tensor] = {}
    for name, value in network.state_dict().items():
        if value.ndim == 3 and name.endswith("weight"):
            norm = value.flatten(1).norm(dim=1).view(-1, 1, 1)
            split |= {f"{name}_g": norm, f"{name}_v": value * 3}  # its length says nothing
        else:
            split[name] = value
    (tmp_path / "v" / "bigvgan_generator.pt").unlink()
    save_file({k: v.contiguous() for k, v in split.items()}, tmp_path / "v" / "bigvgan_generator.safetensors")
    found = make_vocoder(MEL, {"name": "bigvgan", "folder": str(tmp_path / "v")})(log_mels(), [0, 1, 2])
    assert torch.allclose(found, expected, atol=1e-5)


def test_folding_is_that_of_torch() -> None:
    for layer in (nn.Conv1d(3, 5, 7), nn.ConvTranspose1d(4, 2, 6)):
        weight = layer.weight.detach().clone()
        g, v = weight.flatten(1).norm(dim=1).view(-1, 1, 1) * 2, weight
        folded = without_weight_norm({"weight_g": g, "weight_v": v, "bias": layer.bias.detach()})
        nn.utils.parametrizations.weight_norm(layer)
        layer.parametrizations.weight.original0.data, layer.parametrizations.weight.original1.data = g, v
        assert torch.allclose(folded["weight"], layer.weight, atol=1e-6)
        assert list(folded) == ["bias", "weight"]


def test_the_filter_is_a_windowed_sinc() -> None:
    n = np.arange(12) - 5.5
    attenuation = 2.285 * 5 * math.pi * 4 * 0.3 + 7.95
    window = np.kaiser(12, scipy.signal.kaiser_beta(attenuation))
    expected = window * np.sinc(0.5 * n)
    assert np.allclose(low_pass(0.25, 0.3, 12).numpy().ravel(), expected / expected.sum(), atol=1e-6)


@pytest.mark.parametrize(("attenuation", "half_width"), [(15.0, 0.05), (40.0, 0.22), (70.0, 0.43)])
def test_the_window_follows_kaisers_formula_at_any_attenuation(attenuation: float, half_width: float) -> None:
    reached = 2.285 * 5 * math.pi * 4 * half_width + 7.95
    assert abs(reached - attenuation) < 8
    n = np.arange(12) - 5.5
    expected = np.kaiser(12, scipy.signal.kaiser_beta(reached)) * np.sinc(0.5 * n)
    assert np.allclose(low_pass(0.25, half_width, 12).numpy().ravel(), expected / expected.sum(), atol=1e-5)


def test_a_slow_tone_passes_both_rates_and_constants_stay() -> None:
    t = torch.arange(200) / 200
    tone = torch.sin(2 * math.pi * 5 * t)[None, None]
    up = _Up()(tone)
    assert up.shape == (1, 1, 400)
    fine = torch.sin(2 * math.pi * 5 * (torch.arange(400) / 400 - 0.25 / 200))
    assert float((up[0, 0] - fine)[20:-20].abs().max()) < 0.01  # half a fine sample early
    assert float((_Down()(up) - tone)[..., 10:-10].abs().max()) < 0.02
    constant = torch.full((1, 2, 30), 0.7)
    assert torch.allclose(_Down()(_Up()(constant)), constant, atol=0.01)


@pytest.mark.parametrize("kind", ["snake", "snakebeta"])
@pytest.mark.parametrize("logarithms", [True, False])
def test_snake_is_its_formula(kind: str, logarithms: bool) -> None:
    config = BigVGANConfig(**{**_only(CONFIG), "activation": kind, "snake_logscale": logarithms})
    act = _Snake(2, config)
    with torch.no_grad():
        act.alpha.copy_(torch.tensor([0.3, 1.2]))
        if act.beta is not None:
            act.beta.copy_(torch.tensor([0.5, 2.0]))
    x = torch.tensor([[[0.4], [-0.9]]])
    alpha = np.array([0.3, 1.2])
    beta = alpha if kind == "snake" else np.array([0.5, 2.0])
    if logarithms:
        alpha, beta = np.exp(alpha), np.exp(beta)
    value = np.array([0.4, -0.9])
    expected = value + np.sin(alpha * value) ** 2 / beta
    assert np.allclose(act(x).detach().numpy().ravel(), expected, atol=1e-6)


def _only(tree: dict[str, Any]) -> dict[str, Any]:
    names = BigVGANConfig.__slots__
    return {k: tuple(map(tuple, v)) if k == "resblock_dilation_sizes" else v for k, v in tree.items() if k in names}


def test_a_vocoder_of_another_layout_says_how_to_train_for_it(tmp_path: Path) -> None:
    written(tmp_path / "v")
    with pytest.raises(ConfigError, match=r"--set mel\.sample_rate=800 .* --set mel\.n_mels=16 .* --set mel\.fmax=400"):
        make_vocoder(MelConfig(), {"name": "bigvgan", "folder": str(tmp_path / "v")})


def test_folders_that_are_no_bigvgan_are_refused(tmp_path: Path) -> None:
    settings = {"name": "bigvgan", "folder": str(tmp_path)}
    with pytest.raises(WeightsError, match=r"config\.json"):
        make_vocoder(MEL, settings)
    (tmp_path / "config.json").write_text(json.dumps({**CONFIG, "num_mels": "many"}))
    with pytest.raises(WeightsError, match=r"is no configuration of a BigVGAN \(config\.num_mels: expected int"):
        make_vocoder(MEL, settings)
    (tmp_path / "config.json").write_text("[1]")
    with pytest.raises(WeightsError, match="is no configuration of a BigVGAN"):
        make_vocoder(MEL, settings)
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    with pytest.raises(WeightsError, match=r"bigvgan_generator\.safetensors or bigvgan_generator\.pt is missing"):
        make_vocoder(MEL, settings)
    written(tmp_path, resblock="2")
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    with pytest.raises(WeightsError, match="these are not BigVGAN's tensors"):
        make_vocoder(MEL, settings)
    written(tmp_path)
    with pytest.raises(ShapeError, match="bigvgan takes"):
        make_vocoder(MEL, settings)(torch.zeros(1, 3, 4), [0])
