"""Vocos with equal random weights against the original package."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors.torch import save_file

from clipsonic.mel import MelConfig
from clipsonic.vocoders import make_vocoder
from clipsonic.vocoders._vocos_network import VocosConfig


def test_waveforms_are_those_of_the_package(tmp_path: Path) -> None:
    from vocos.heads import ISTFTHead
    from vocos.models import VocosBackbone

    mel, sizes = MelConfig(), {"dim": 48, "intermediate_dim": 96, "num_layers": 3}
    torch.manual_seed(0)
    backbone = VocosBackbone(input_channels=mel.n_mels, **sizes).eval()
    head = ISTFTHead(dim=sizes["dim"], n_fft=mel.n_fft, hop_length=mel.hop, padding="same").eval()
    with torch.no_grad():
        for parameter in (*backbone.parameters(), *head.parameters()):
            parameter.add_(0.05 * torch.randn_like(parameter))
    tensors = {f"backbone.{name}": value for name, value in backbone.state_dict().items()}
    tensors |= {f"head.{name}": value for name, value in head.state_dict().items() if not name.startswith("istft.")}
    layout = {"num_mels": 64, "sampling_rate": 16000, "hop_size": 160, "n_fft": 1024, "fmax": 8000.0}
    (tmp_path / "config.json").write_text(json.dumps(asdict(VocosConfig(**layout, **sizes))))
    save_file(tensors, tmp_path / "model.safetensors")
    ours = make_vocoder(mel, {"name": "vocos", "folder": str(tmp_path)})

    mels = -5 + 2 * torch.randn(2, 64, 30)
    with torch.inference_mode():
        expected = head(backbone(mels))
    found = ours(mels, [0, 1])
    assert found.shape == expected.shape == (2, 30 * 160)
    assert float(expected.std()) > 1e-3
    assert torch.allclose(found, expected, atol=2e-5)
