"""BigVGAN with equal random weights against the original package, from its own files, and its mel spectrogram too."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from clipsonic.mel import MelConfig, MelFrontEnd
from clipsonic.vocoders import make_vocoder

# as published, but for the channels (512 and 1536 there)
VERSION_1 = {
    "resblock": "1", "upsample_rates": [4, 4, 2, 2, 2, 2], "upsample_kernel_sizes": [8, 8, 4, 4, 4, 4],
    "upsample_initial_channel": 128, "resblock_kernel_sizes": [3, 7, 11],
    "resblock_dilation_sizes": [[1, 3, 5], [1, 3, 5], [1, 3, 5]], "activation": "snakebeta", "snake_logscale": True,
    "num_mels": 100, "n_fft": 1024, "hop_size": 256, "win_size": 1024, "sampling_rate": 24000, "fmin": 0,
    "fmax": 12000,
}  # fmt: skip
VERSION_2 = {
    **VERSION_1, "upsample_rates": [8, 4, 2, 2, 2, 2], "upsample_kernel_sizes": [16, 8, 4, 4, 4, 4], "num_mels": 128,
    "n_fft": 2048, "hop_size": 512, "win_size": 2048, "sampling_rate": 44100, "fmax": None,
    "use_tanh_at_final": False, "use_bias_at_final": False,
}  # fmt: skip
SMALLEST = {**VERSION_1, "resblock": "2", "activation": "snake", "snake_logscale": False}


def layout(config: dict[str, Any]) -> MelConfig:
    fmax = config["fmax"] or config["sampling_rate"] / 2
    return MelConfig(config["sampling_rate"], config["n_fft"], config["hop_size"], config["num_mels"], 0.0, fmax)


@pytest.mark.parametrize("config", [VERSION_1, VERSION_2, SMALLEST], ids=["version 1", "version 2", "blocks of type 2"])
def test_waveforms_are_those_of_the_package(config: dict[str, Any], tmp_path: Path) -> None:
    from bigvgan.bigvgan import BigVGAN
    from bigvgan.env import AttrDict

    torch.manual_seed(0)
    theirs = BigVGAN(AttrDict(config)).eval()
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.add_(0.03 * torch.randn_like(parameter))
    (tmp_path / "config.json").write_text(json.dumps(config))
    torch.save({"generator": theirs.state_dict()}, tmp_path / "bigvgan_generator.pt")
    ours = make_vocoder(layout(config), {"name": "bigvgan", "folder": str(tmp_path)})
    mels = -5 + 2 * torch.randn(2, config["num_mels"], 12)
    with torch.inference_mode():
        expected = theirs(mels)[:, 0]
    found = ours(mels, [0, 1])
    assert found.shape == expected.shape == (2, 12 * config["hop_size"])
    assert float(expected.std()) > 1e-3
    assert torch.allclose(found, expected, atol=2e-5)


@pytest.mark.parametrize("config", [VERSION_1, VERSION_2], ids=["version 1", "version 2"])
def test_log_mels_are_those_of_the_package(config: dict[str, Any]) -> None:
    from bigvgan.meldataset import mel_spectrogram

    mel = layout(config)
    sound = 0.3 * torch.randn(1, 40 * mel.hop, generator=torch.Generator().manual_seed(0))
    expected = mel_spectrogram(
        sound, mel.n_fft, mel.n_mels, mel.sample_rate, mel.hop, mel.n_fft, 0, config["fmax"], center=False
    )
    assert torch.allclose(MelFrontEnd(mel).log_mel(sound), expected, atol=2e-4)


def test_discriminators_judge_as_those_of_the_package() -> None:
    pytest.importorskip("torchaudio")  # which the package's discriminators import
    from bigvgan import discriminators as theirs
    from bigvgan import loss
    from bigvgan.env import AttrDict
    from torch.nn.utils import remove_weight_norm

    from clipsonic.vocoders._discriminators import (
        Discriminators,
        adversarial_loss,
        discriminator_loss,
        feature_loss,
    )

    resolutions = [[1024, 120, 600], [2048, 240, 1200], [512, 50, 240]]
    settings = {"discriminator_channel_mult": 0.125, "use_spectral_norm": False, "mpd_reshapes": [2, 3, 5, 7, 11]}
    torch.manual_seed(0)
    judges = [
        theirs.MultiPeriodDiscriminator(AttrDict(settings)),
        theirs.MultiResolutionDiscriminator(AttrDict({**settings, "resolutions": resolutions})),
    ]
    for module in [m for judge in judges for m in judge.modules() if hasattr(m, "weight_g")]:
        remove_weight_norm(module)
    ours = Discriminators(settings["mpd_reshapes"], resolutions, 0.125)
    state = {f"mpd.{k.removeprefix('discriminators.')}": v for k, v in judges[0].state_dict().items()}
    state |= {f"mrd.{k.removeprefix('discriminators.')}": v for k, v in judges[1].state_dict().items()}
    ours.load_state_dict(state)

    real, generated = 0.3 * torch.randn(2, 8000), 0.3 * torch.randn(2, 8000)
    with torch.inference_mode():
        expected = [judge(real[:, None], generated[:, None]) for judge in judges]
        found = ours(real), ours(generated)
    scores = [[s for e in expected for s in e[side]] for side in (0, 1)]
    features = [[f for e in expected for f in e[side]] for side in (2, 3)]
    for side in (0, 1):
        for judged, score, maps in zip(found[side], scores[side], features[side], strict=True):
            assert torch.allclose(judged.scores, score, atol=1e-5)
            assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(judged.features, maps, strict=True))
    assert float(discriminator_loss(*found)) == pytest.approx(float(loss.discriminator_loss(*scores)[0]), rel=1e-5)
    assert float(adversarial_loss(found[1])) == pytest.approx(float(loss.generator_loss(scores[1])[0]), rel=1e-5)
    assert 2 * float(feature_loss(*found)) == pytest.approx(float(loss.feature_loss(*features)), rel=1e-5)
