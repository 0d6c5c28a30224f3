"""VGGish with equal random weights against torchvggish, input pipeline and resampler included."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from clipsonic_eval.encoders import ENCODERS
from clipsonic_eval.types import Clip


@pytest.fixture(scope="module")
def theirs() -> Any:
    from torchvggish.torchvggish import _vgg

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return _vgg(postprocess=False).eval()


@pytest.mark.parametrize("rate", [16000, 44100, 48000])
@pytest.mark.parametrize("channels", [1, 2])
def test_embeddings_agree(theirs: Any, tmp_path: Path, rate: int, channels: int) -> None:
    from torchvggish.vggish_input import waveform_to_examples

    rng = np.random.default_rng(rate + channels)
    samples = (0.3 * rng.standard_normal((channels, 3 * rate))).astype(np.float32)
    with torch.no_grad():
        examples = waveform_to_examples(samples.T.astype(np.float64), rate).float()
        wanted = theirs.embeddings(
            torch.transpose(torch.transpose(theirs.features(examples), 1, 3), 1, 2).contiguous().flatten(1)
        ).numpy()
    path = tmp_path / "weights.pth"
    torch.save(theirs.state_dict(), path)
    found = ENCODERS["vggish-exact"](path, layer="post-relu").audio([Clip("a", samples, rate)])
    assert found.shape == wanted.shape == (3, 128)
    assert np.abs(wanted).max() > 0
    np.testing.assert_allclose(found, wanted, atol=1e-5 * max(1.0, float(np.abs(wanted).max())))
