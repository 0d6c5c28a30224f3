"""HiFi-GAN folders: the network of transformers with AudioLDM's layout and small random weights, read and refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from transformers import SpeechT5HifiGan, SpeechT5HifiGanConfig

from clipsonic.mel import MelConfig
from clipsonic.vocoders import make_vocoder
from clipsonic_eval.errors import ConfigError, ShapeError, UserError, WeightsError

AUDIOLDM = {"model_in_dim": 64, "sampling_rate": 16000, "normalize_before": False}  # as its vocoder's config.json
SMALL = {
    "upsample_initial_channel": 32,  # 1024 there
    "upsample_rates": [5, 4, 2, 2, 2],  # as there: 160 samples per frame
    "upsample_kernel_sizes": [16, 16, 8, 4, 4],  # as there
}


def written(folder: Path, **changes: object) -> SpeechT5HifiGan:
    torch.manual_seed(0)
    network = SpeechT5HifiGan(SpeechT5HifiGanConfig(**{**AUDIOLDM, **SMALL, **changes}))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(10)  # the initial weights give waveforms near zero
    network.save_pretrained(folder)
    return network.eval()


def log_mels(n: int = 3, frames: int = 12) -> torch.Tensor:
    return -4 + 2 * torch.randn(n, 64, frames, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("normalised", [False, True])
def test_waveforms_are_those_of_transformers(tmp_path: Path, normalised: bool) -> None:
    network = written(tmp_path / "v", normalize_before=normalised)
    vocoder = make_vocoder(MelConfig(), {"name": "hifi-gan", "folder": str(tmp_path / "v"), "chunk": 2})
    mels = log_mels()
    sound = vocoder(mels, [0, 1, 2])
    assert sound.shape == (3, 12 * 160)
    with torch.inference_mode():
        expected = network(mels.transpose(1, 2))[:, : 12 * 160]
    assert torch.allclose(sound, expected, atol=1e-5)
    assert float(expected.abs().max()) > 1e-4
    assert vocoder(mels[:0], []).shape == (0, 1920)


def test_the_card_holds_the_hash_of_the_weights(tmp_path: Path) -> None:
    written(tmp_path / "v")
    settings = {"name": "hifi-gan", "folder": str(tmp_path / "v")}
    card = make_vocoder(MelConfig(), settings).card()
    assert len(card["weights_sha256"]) == 64
    network = written(tmp_path / "v")
    with torch.no_grad():
        network.conv_post.bias += 1
    network.save_pretrained(tmp_path / "v")
    assert make_vocoder(MelConfig(), settings).card()["weights_sha256"] != card["weights_sha256"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_in_dim": 80}, "a vocoder for 80 mel bands, but the mel spectrograms have 64"),
        ({"sampling_rate": 22050}, "a vocoder for 22050 Hz"),
        ({"upsample_rates": [4, 4, 2, 2, 2]}, "a vocoder for 128 samples per frame"),
    ],
)
def test_a_vocoder_of_another_layout_is_refused(tmp_path: Path, changes: dict[str, object], message: str) -> None:
    written(tmp_path / "v", **changes)
    with pytest.raises(ConfigError, match=message):
        make_vocoder(MelConfig(), {"name": "hifi-gan", "folder": str(tmp_path / "v")})


def test_folders_that_are_no_vocoder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="unknown option of vocoder hifi-gan 'file'"):
        make_vocoder(MelConfig(), {"name": "hifi-gan", "file": "x"})
    with pytest.raises(ConfigError, match=r"vocoder bigvgan needs folder: set vocoder\.folder"):
        make_vocoder(MelConfig(), {"name": "bigvgan"})
    with pytest.raises(WeightsError, match=r"config\.json"):
        make_vocoder(MelConfig(), {"name": "hifi-gan", "folder": str(tmp_path)})
    written(tmp_path / "v")
    config = json.loads((tmp_path / "v" / "config.json").read_text())
    (tmp_path / "v" / "config.json").write_text(json.dumps({**config, "model_type": "hifigan"}))
    make_vocoder(MelConfig(), {"name": "hifi-gan", "folder": str(tmp_path / "v")})  # as the published folders say it
    (tmp_path / "v" / "config.json").write_text(json.dumps({**config, "model_type": "clip"}))
    with pytest.raises(WeightsError, match="of model type 'clip', needed is"):
        make_vocoder(MelConfig(), {"name": "hifi-gan", "folder": str(tmp_path / "v")})


def test_log_mels_of_another_shape_are_refused(tmp_path: Path) -> None:
    written(tmp_path / "v")
    vocoder = make_vocoder(MelConfig(), {"name": "hifi-gan", "folder": str(tmp_path / "v")})
    with pytest.raises(ShapeError, match="hifi-gan takes"):
        vocoder(torch.zeros(1, 32, 4), [0])


def test_without_a_folder_it_is_audioldms_from_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(
        WeightsError, match="is not in the Hugging Face cache; fetch it with 'hf download cvssp/audioldm"
    ):
        make_vocoder(MelConfig(), {"name": "hifi-gan"})
    written(tmp_path / "vocoder")
    monkeypatch.setattr(
        "clipsonic.vocoders.hifi_gan.hub_file",
        lambda _, name: tmp_path / name if (tmp_path / name).is_file() else None,
    )
    cached = make_vocoder(MelConfig(), {"name": "hifi-gan"})
    named = make_vocoder(MelConfig(), {"name": "hifi-gan", "folder": str(tmp_path / "vocoder")})
    assert cached.card() == named.card()
