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


@pytest.mark.parametrize("layer", ["pre-relu", "post-relu"])
def test_the_package_as_backend_agrees(theirs: Any, tmp_path: Path, layer: str) -> None:
    torch.save(theirs.state_dict(), tmp_path / "weights.pth")
    rng = np.random.default_rng(0)
    clips = [
        Clip(k, (0.3 * rng.standard_normal((2, n))).astype(np.float32), 44100) for k, n in (("a", 99999), ("b", 9))
    ]
    own = ENCODERS["vggish-exact"](tmp_path / "weights.pth", layer=layer)
    package = ENCODERS["vggish-exact"](tmp_path / "weights.pth", layer=layer, backend="torchvggish")
    assert package.audio_rows(clips) == own.audio_rows(clips) == ["a", "a"]
    np.testing.assert_allclose(package.audio(clips), own.audio(clips), atol=1e-5)


def test_pca_is_the_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from torchvggish import torchvggish

    from clipsonic_eval.encoders.vggish.network import quantised_pca

    rng = np.random.default_rng(0)
    parameters = {"pca_eigen_vectors": rng.standard_normal((128, 128)), "pca_means": rng.standard_normal(128)}
    monkeypatch.setattr(torchvggish.hub, "load_state_dict_from_url", lambda _: parameters)
    embedded = torch.from_numpy(rng.standard_normal((5, 128))).float()
    wanted = torchvggish.Postprocessor().postprocess(embedded)
    ours = quantised_pca(embedded, *(torch.from_numpy(v).float() for v in parameters.values()))
    assert (ours - wanted).abs().max() <= 1
    assert (ours != wanted).float().mean() < 0.01
