"""PaSST: log-probabilities of the AudioSet classes (``passt``), or the 768 features before them (``passt-features``).

The classifier of the KL divergence in MusicGen's evaluation and in stable-audio-metrics. The weights are a download of
your own: ``passt-s-f128-p16-s10-ap.476-swa.pt`` from https://github.com/kkoutini/PaSST/releases/tag/v0.0.1-audioset.
Without ``weights`` they are looked for in torch.hub's folder, where hear21passt keeps them. Agrees with hear21passt.

Option ``cut``: ``segments`` (10 s side by side) or ``overlapping`` (10 s every 5 s); one row per window.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from clipsonic_eval.encoders._base import ENCODERS, Encoder


def _register(name: str, *, classes: bool, description: str) -> None:
    @ENCODERS.register(name)
    def load(
        weights: Path | None = None, *, device: str = "cpu", cut: Literal["segments", "overlapping"] = "segments"
    ) -> Encoder:
        from clipsonic_eval.encoders.passt.encoder import load_passt

        return load_passt(name, weights, device, classes=classes, cut=cut)

    load.__doc__ = description


_register("passt", classes=True, description="PaSST: log-probabilities of the 527 AudioSet classes per window of 10 s.")
_register("passt-features", classes=False, description="PaSST: 768 features before the classes per window of 10 s.")
