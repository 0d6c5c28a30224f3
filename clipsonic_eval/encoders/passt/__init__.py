"""``passt``: PaSST's log-probabilities of AudioSet's classes; ``passt-features``: the 768 values before them.

The classifier of MusicGen's and stable-audio-metrics' KL. The weights are the user's download:
``passt-s-f128-p16-s10-ap.476-swa.pt`` of https://github.com/kkoutini/PaSST/releases/tag/v0.0.1-audioset; hear21passt
keeps them where torch.hub does, and they are found there. Agrees with hear21passt (tox -e reference).

Option ``cut``: ``segments`` (10 s side by side) or ``overlapping`` (10 s every 5 s); one row for each.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from clipsonic_eval.encoders._base import ENCODERS

if TYPE_CHECKING:
    from clipsonic_eval.encoders.passt.encoder import PasstEncoder


@ENCODERS.register("passt")
def load(weights: Path | None = None, *, device: str = "cpu", **options: Any) -> PasstEncoder:
    """PaSST: log-probabilities of the 527 AudioSet classes, a row per window of 10 s."""
    from clipsonic_eval.encoders.passt.encoder import load_passt

    return load_passt("passt", weights, device, classes=True, **options)


@ENCODERS.register("passt-features")
def load_features(weights: Path | None = None, *, device: str = "cpu", **options: Any) -> PasstEncoder:
    """PaSST: 768 features of the layer before the classes, a row per window of 10 s."""
    from clipsonic_eval.encoders.passt.encoder import load_passt

    return load_passt("passt-features", weights, device, classes=False, **options)
