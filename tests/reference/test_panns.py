"""PANNs' front end against torchlibrosa, the network against panns_inference, both as published on PyPI.

Needs the packages of tests/reference/requirements.txt; skipped where they are missing.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import sys
import types
from typing import Any

import numpy as np
import pytest
import torch
from unit.encoders.published_panns import checkpoint

from clipsonic_eval.encoders import ENCODERS
from clipsonic_eval.encoders._logmel import LogMel
from clipsonic_eval.encoders.panns.frontend import AT_16K, AT_32K, published_matrices
from clipsonic_eval.encoders.panns.weights import FILES
from clipsonic_eval.types import Clip

stft = pytest.importorskip("torchlibrosa.stft")

FRONTS = pytest.mark.parametrize("front", [AT_32K, AT_16K], ids=["32k", "16k"])


@functools.cache
def published_models() -> Any:
    """The package's module of networks.

    The package itself is not imported: on import it fetches the list of labels with wget. An empty one takes its place
    for as long as the module is imported.
    """
    found = importlib.util.find_spec("panns_inference")
    if found is None or found.submodule_search_locations is None:
        pytest.skip("panns_inference is not installed")
    package = types.ModuleType("panns_inference")
    package.__path__ = list(found.submodule_search_locations)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "panns_inference", package)
        models = importlib.import_module("panns_inference.models")
    for name in [name for name in sys.modules if name.startswith("panns_inference.")]:
        del sys.modules[name]
    return models


def reference_network(front: LogMel) -> Any:
    """The published Cnn14 with random weights and statistics."""
    models = published_models()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = models.Cnn14(front.sample_rate, front.n_fft, front.hop, 64, front.fmin, front.fmax, 527).eval()
        for name, value in net.named_buffers():
            if name.endswith("running_mean"):
                value.normal_(-40 if name.startswith("bn0") else 0, 0.1)
            elif name.endswith("running_var"):
                value.uniform_(300, 500) if name.startswith("bn0") else value.uniform_(0.5, 1.5)
    return net


def noise(seconds: float, rate: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    n = round(seconds * rate)
    return (rng.standard_normal(n) * (0.05 + 0.2 * np.abs(np.sin(np.arange(n) / rate * 3)))).astype(np.float32)


@FRONTS
def test_log_mel_is_torchlibrosas(front: LogMel) -> None:
    spectrogram = stft.Spectrogram(n_fft=front.n_fft, hop_length=front.hop, win_length=front.n_fft)
    to_mel = stft.LogmelFilterBank(
        sr=front.sample_rate, n_fft=front.n_fft, n_mels=64, fmin=front.fmin, fmax=front.fmax, top_db=None
    )
    waves = torch.from_numpy(np.stack([noise(1, front.sample_rate), noise(1, front.sample_rate)[::-1]]))
    expected = to_mel(spectrogram(waves))[:, 0]
    assert (front(waves) - expected).abs().max() < 1e-4
    assert (torch.from_numpy(front.filters()) - to_mel.melW).abs().max() < 1e-8
    held = {"spectrogram_extractor." + k: v for k, v in spectrogram.state_dict().items()}
    held |= {"logmel_extractor." + k: v for k, v in to_mel.state_dict().items()}
    ours = published_matrices(front)
    assert set(held) == set(ours)
    assert max((held[name] - ours[name]).abs().max() for name in ours) < 1e-6


@FRONTS
def test_a_checkpoint_of_the_reference_gives_its_embedding_and_its_classes(front: LogMel, tmp_path) -> None:
    net = reference_network(front)
    torch.save(checkpoint(net.state_dict()), tmp_path / FILES[front])
    wave = noise(2, front.sample_rate)
    with torch.inference_mode():
        expected = net(torch.from_numpy(wave)[None])
    name = "panns-cnn14" if front is AT_32K else "panns-cnn14-16k"
    given = [Clip("a", wave[None], front.sample_rate)]
    features = ENCODERS[f"{name}-features"](tmp_path)
    assert features.card.dim == 2048
    scale = float(expected["embedding"].max())
    assert (expected["embedding"] > 0.01 * scale).sum() > 200  # the ReLU leaves something to compare
    assert np.abs(features.audio(given) - expected["embedding"].numpy()).max() < 1e-4 * scale
    classes = ENCODERS[name](tmp_path).audio(given)
    # the reference ends in sigmoids; the softmax of the same logits is what the classes are
    logits = torch.logit(expected["clipwise_output"].double())
    assert np.abs(classes - torch.log_softmax(logits, dim=1).numpy()).max() < 1e-3
