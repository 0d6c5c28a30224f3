"""Audiobox Aesthetics at its true size with random weights, against the package audiobox_aesthetics."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from clipsonic_eval.conventions import CONVENTIONS
from clipsonic_eval.encoders import ENCODERS
from clipsonic_eval.types import Clip

AXES = ("CE", "CU", "PC", "PQ")
SECONDS = (0.5, 10.0, 13.7)


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    from audiobox_aesthetics.infer import AesPredictor
    from audiobox_aesthetics.model.aes import AesMultiOutput, Normalize

    scale = {axis: {"mean": 5.0 + i, "std": 1.0 + 0.1 * i} for i, axis in enumerate(AXES)}
    with torch.random.fork_rng(devices=[]), contextlib.redirect_stdout(io.StringIO()):
        torch.manual_seed(0)
        model = AesMultiOutput(proj_num_layer=5, proj_ln=True, target_transform=scale)
        for value in model.parameters():
            value.data.add_(0.05 * torch.randn_like(value))
        folder = tmp_path_factory.mktemp("aesthetics")
        model.save_pretrained(folder)

    class Predictor(AesPredictor):
        """Theirs, with this network in place of a download."""

        def setup_model(self) -> None:
            self.device = torch.device("cpu")
            self.model = model.eval()
            self.target_transform = {axis: Normalize(**scale[axis]) for axis in AXES}

    return Predictor(checkpoint_pth=""), folder


def test_points_of_clips_of_several_windows(theirs: tuple[Any, Path]) -> None:
    predictor, folder = theirs
    rng = np.random.default_rng(0)
    waves = [(0.3 * rng.standard_normal(round(16000 * s))).astype(np.float32) for s in SECONDS]
    wanted = predictor.forward([{"path": torch.from_numpy(wave)[None], "sample_rate": 16000} for wave in waves])
    clips = [Clip(str(i), wave[None], 16000) for i, wave in enumerate(waves)]
    found = ENCODERS["audiobox-aesthetics"](folder).audio(clips)
    table = np.array([[row[axis] for axis in AXES] for row in wanted])
    np.testing.assert_allclose(found, table, atol=2e-4)
    assert table.std(axis=0).min() > 0.002  # of other sounds, other points


@pytest.mark.parametrize("rate", [44100, 48000])
def test_the_convention_gives_the_packages_points_of_stereo_at_other_rates(theirs: tuple[Any, Path], rate: int) -> None:
    predictor, folder = theirs
    rng = np.random.default_rng(1)
    wave = (0.3 * rng.standard_normal((2, 3 * rate))).astype(np.float32)
    (wanted,) = predictor.forward([{"path": torch.from_numpy(wave), "sample_rate": rate}])
    clip = Clip("a", wave, rate)
    convention = CONVENTIONS["production_quality/audiobox"]
    encoder = ENCODERS[convention.encoder](folder)
    (found,) = encoder.audio([convention.preprocessing(clip)])
    np.testing.assert_allclose(found, [wanted[axis] for axis in AXES], atol=5e-4)
    (by_soxr,) = encoder.audio([clip])
    assert np.abs(by_soxr - found).max() > 1e-3
