"""Vocos: the sound of known magnitudes and phases, how far a frame reaches, folders that do not fit.

``tests/reference`` compares the whole network with the original package, ``test_vocoder_training.py`` trains one.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from clipsonic.mel import MelConfig
from clipsonic.vocoders import make_vocoder
from clipsonic.vocoders._vocos_network import Vocos, VocosConfig
from clipsonic_eval.errors import ConfigError, WeightsError

MEL = MelConfig(n_mels=16, hop=8, n_fft=32, sample_rate=800, fmax=400.0)
CONFIG = VocosConfig(
    num_mels=16, sampling_rate=800, hop_size=8, n_fft=32, fmax=400.0, dim=12, intermediate_dim=24, num_layers=2
)


def network() -> Vocos:
    torch.manual_seed(0)
    made = Vocos(CONFIG).eval().requires_grad_(requires_grad=False)
    for parameter in made.parameters():
        parameter.add_(0.1 * torch.randn_like(parameter))
    return made


def written(folder: Path) -> Vocos:
    folder.mkdir(parents=True, exist_ok=True)
    made = network()
    (folder / "config.json").write_text(json.dumps(asdict(CONFIG)))
    save_file(dict(made.state_dict()), folder / "model.safetensors")
    return made


def log_mels(n: int = 3, frames: int = 20) -> torch.Tensor:
    return -4 + 2 * torch.randn(n, 16, frames, generator=torch.Generator().manual_seed(1))


def test_known_magnitudes_and_phases_sound_as_their_windowed_sum_says() -> None:
    made, frames = network(), 9
    rng = np.random.default_rng(0)
    magnitude, phase = rng.uniform(0.1, 2.0, 17), rng.uniform(-3, 3, 17)
    magnitude[3] = 1000.0  # beyond the largest
    made.head.out.weight.zero_()
    made.head.out.bias.copy_(torch.from_numpy(np.concatenate([np.log(magnitude), phase])))
    window = np.sin(np.pi * np.arange(32) / 32) ** 2
    frame = np.fft.irfft(np.minimum(magnitude, 100.0) * np.exp(1j * phase)) * window
    total, squares = np.zeros(8 * (frames - 1) + 32), np.zeros(8 * (frames - 1) + 32)
    for m in range(frames):
        total[8 * m : 8 * m + 32] += frame
        squares[8 * m : 8 * m + 32] += window**2
    expected = (total / squares.clip(1e-4))[12 : 12 + 8 * frames]
    np.testing.assert_allclose(made(log_mels(1, frames))[0].numpy(), expected, atol=1e-4)


def test_a_frame_is_heard_as_far_as_its_convolutions_and_its_window_reach() -> None:
    made, mels = network(), log_mels(1, 60)
    changed = mels.clone()
    changed[:, :, 30] += 1
    heard = (made(mels) - made(changed))[0].abs() > 1e-7
    reach = 3 * (1 + CONFIG.num_layers)  # frames: three on each side for every convolution of seven
    first, last = int(heard.nonzero().min()), int(heard.nonzero().max())
    assert first >= (30 - reach) * 8 - 12
    assert last < (30 + reach) * 8 - 12 + 32
    assert last - first > 2 * reach * 8


def test_waveforms_of_a_folder_are_those_of_its_network(tmp_path: Path) -> None:
    made = written(tmp_path / "v")
    vocoder = make_vocoder(MEL, {"name": "vocos", "folder": str(tmp_path / "v"), "chunk": 2})
    mels = log_mels()
    sound = vocoder(mels, [0, 1, 2])
    assert sound.shape == (3, 160)
    assert torch.allclose(sound, made(mels), atol=1e-5)
    assert float(sound.std()) > 1e-3
    assert vocoder.card()["name"] == "vocos"
    assert vocoder(mels[:0], []).shape == (0, 160)


def test_folders_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    settings = {"name": "vocos", "folder": str(tmp_path)}
    written(tmp_path)
    with pytest.raises(ConfigError, match=r"--set mel\.sample_rate=800"):
        make_vocoder(MelConfig(), settings)
    (tmp_path / "config.json").write_text(json.dumps({**asdict(CONFIG), "dim": 16}))
    with pytest.raises(WeightsError, match="these are not Vocos's tensors"):
        make_vocoder(MEL, settings)
    (tmp_path / "config.json").write_text(json.dumps({**asdict(CONFIG), "dim": 0}))
    with pytest.raises(WeightsError, match="is no configuration of a Vocos"):
        make_vocoder(MEL, settings)
    (tmp_path / "model.safetensors").unlink()
    (tmp_path / "config.json").write_text(json.dumps(asdict(CONFIG)))
    with pytest.raises(WeightsError, match=r"model\.safetensors is missing; copy"):
        make_vocoder(MEL, settings)
