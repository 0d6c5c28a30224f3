"""DAC with equal random weights against the package dac, through fadtk's code, and the package's loudness.

The network has fewer channels at high rates than the published one, and its 1024 dimensions and 512 samples per frame.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import reference_packages
import torch

from clipsonic_eval.conventions import CONVENTIONS
from clipsonic_eval.encoders import ENCODERS
from clipsonic_eval.types import Clip

RATE = 44100
CHANNELS, RATIOS = 8, [2, 2, 2, 2, 2, 4, 4]


def _theirs() -> Any:
    from dac.model.dac import Encoder

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Encoder(CHANNELS, RATIOS, 1024).eval()


def _folder(encoder: Any, folder: Path) -> Path:
    """Write the package's encoder as transformers' published folder names it."""
    from transformers import DacConfig, DacModel

    config = DacConfig(
        encoder_hidden_size=CHANNELS, decoder_hidden_size=256, downsampling_ratios=RATIOS, sampling_rate=RATE,
        codebook_size=16, n_codebooks=1,
    )  # fmt: skip
    network = DacModel(config)
    theirs, ours = ([m for m in net.modules() if _is_layer(m)] for net in (encoder, network.encoder))
    for given, taken in zip(theirs, ours, strict=True):
        names = ("alpha",) if hasattr(given, "alpha") else ("weight", "bias")
        for name in names:
            getattr(taken, name).data.copy_(getattr(given, name).detach())
    network.save_pretrained(folder)
    return folder


def _is_layer(module: Any) -> bool:
    return isinstance(module, torch.nn.Conv1d) or hasattr(module, "alpha")


def _fadtk(encoder: Any, samples: np.ndarray) -> np.ndarray:
    """Run fadtk's DACModel on (1, n) -> (rows, 1024)."""
    import ast

    from audiotools import AudioSignal

    path = reference_packages.source("fadtk", "model_loader.py")
    (body,) = (
        node
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef) and node.name == "DACModel"
    )
    body.bases, body.body = [], [n for n in body.body if isinstance(n, ast.FunctionDef) and n.name == "_get_embedding"]
    namespace: dict[str, Any] = {"np": np, "torch": torch, "math": math}
    exec(compile(ast.fix_missing_locations(ast.Module([body], [])), str(path), "exec"), namespace)
    loader = namespace["DACModel"]()
    loader.model, loader.sr, loader.device = type("Model", (), {"encoder": encoder}), RATE, "cpu"
    with torch.no_grad():
        rows: np.ndarray = loader._get_embedding(AudioSignal(samples[None], RATE)).numpy()
    return rows


def _sound(seconds: float, level: float) -> np.ndarray:
    rng = np.random.default_rng(0)
    swell = 0.2 + np.abs(np.sin(np.arange(round(seconds * RATE)) / 9000))
    sound = (level * swell * rng.standard_normal(len(swell))).astype(np.float32)[None]
    return np.round(sound.clip(-1, 0.9999) * 32768).astype(np.float32) / 32768  # as a 16-bit wav holds it


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")  # the packages' own
@pytest.mark.parametrize(("seconds", "level"), [(6.2, 0.02), (1.3, 0.3), (0.3, 0.01)])
def test_rows_of_the_convention_are_those_of_fadtk(seconds: float, level: float, tmp_path: Path) -> None:
    encoder = _theirs()
    folder, samples = _folder(encoder, tmp_path), _sound(seconds, level)
    wanted = _fadtk(encoder, samples)
    convention = CONVENTIONS["fad/fadtk-dac-44khz"]
    clip = convention.preprocessing(Clip("a", samples, RATE))
    found = ENCODERS["dac-44k"](folder, **convention.options).audio([clip])
    assert found.shape == wanted.shape
    np.testing.assert_allclose(found, wanted, atol=1e-3 * float(np.abs(wanted).max()))
