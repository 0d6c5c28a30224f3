"""PaSST with equal random weights against hear21passt, front end included."""

from __future__ import annotations

import contextlib
import io
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from clipsonic_eval.encoders import ENCODERS
from clipsonic_eval.types import Clip


@pytest.fixture(scope="module")
def theirs() -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patch:
        # it takes one function from timm, which fetches weights
        for name in ("timm", "timm.models", "timm.models._hub"):
            patch.setitem(sys.modules, name, types.ModuleType(name))
        sys.modules["timm.models._hub"].download_cached_file = None  # type: ignore[attr-defined]
        yield _network()


def _network() -> Any:
    from hear21passt.models.passt import get_model
    from hear21passt.models.preprocess import AugmentMelSTFT
    from hear21passt.wrapper import PasstBasicWrapper

    # as hear21passt.base makes it, without the download; it prints the network
    with contextlib.redirect_stdout(io.StringIO()), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        mel = AugmentMelSTFT(
            n_mels=128,
            sr=32000,
            win_length=800,
            hopsize=320,
            n_fft=1024,
            freqm=48,
            timem=192,
            htk=False,
            fmin=0.0,
            fmax=None,
            norm=1,
            fmin_aug_range=10,
            fmax_aug_range=2000,
        )
        net = get_model(arch="passt_s_swa_p16_128_ap476", pretrained=False)
        for value in net.parameters():
            value.data.add_(0.02 * torch.randn_like(value))
    return PasstBasicWrapper(mel=mel, net=net, mode="all").eval()


@pytest.mark.parametrize("seconds", [10.0, 4.0, 1.0])
def test_logits_and_features(theirs: Any, tmp_path: Path, seconds: float) -> None:
    torch.save(theirs.net.state_dict(), tmp_path / "weights.pt")
    rng = np.random.default_rng(0)
    n = round(32000 * seconds)
    wave = (0.3 * np.abs(np.sin(np.arange(n) / 9000)) * rng.standard_normal(n)).astype(np.float32)
    with torch.no_grad(), contextlib.redirect_stdout(io.StringIO()):
        wanted = theirs(torch.from_numpy(wave)[None])
        mel = theirs.mel(torch.from_numpy(wave)[None])
    from clipsonic_eval.encoders.passt.frontend import log_mel

    assert (log_mel(torch.from_numpy(wave)[None]) - mel).abs().max() < 1e-4
    given = [Clip("a", wave[None], 32000)]
    classes = ENCODERS["passt"](tmp_path / "weights.pt").audio(given)
    np.testing.assert_allclose(classes, torch.log_softmax(wanted[:, :527], dim=1), atol=1e-4)
    features = ENCODERS["passt-features"](tmp_path / "weights.pt").audio(given)
    np.testing.assert_allclose(features, wanted[:, 527:], atol=1e-4)
    assert wanted[:, 527:].std() > 0.1
