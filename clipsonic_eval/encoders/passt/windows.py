"""Windows of at most 10 s, the longest input of PaSST, by the rules of two toolkits."""

from __future__ import annotations

from typing import Final, Literal

import numpy as np

from clipsonic_eval.arraytypes import Float32
from clipsonic_eval.encoders.passt.frontend import HOP, RATE
from clipsonic_eval.encoders.passt.network import PATCH

Cut = Literal["segments", "overlapping"]

WINDOW: Final = 10 * RATE  # samples
SHORTEST: Final = (PATCH - 1) * HOP + 2  # samples of the shortest audio that has a patch
_KEPT: Final = round(0.15 * RATE)  # a last segment below it is dropped
_PADDED: Final = round(1.5 * RATE)  # an overlapping window above it is zero-padded
SIGNATURES: Final[dict[Cut, str]] = {
    "segments": "win:10/10,last-as-is,none-below-0.15",
    "overlapping": "win:10/5,zero-padded-above-1.5",
}


def windows(wave: Float32, cut: Cut) -> list[Float32]:
    """Cut a waveform into windows.

    Args:
        wave: (n,) at 32 kHz, n >= 1.
        cut: ``segments``: 10 s side by side, the last one as short as it is, dropped below 0.15 s (MusicGen's rule);
            ``overlapping``: 10 s every 5 s, the rest zero-padded above 1.5 s and as it is below (the rule of
            stable-audio-metrics).

    Returns:
        At least one window, (m,) each, m <= 320000; those too short for a patch (0.15 s) are zero-padded to one.
    """
    if cut == "segments":
        parts = [wave[start : start + WINDOW] for start in range(0, len(wave), WINDOW)]
        parts = [part for part in parts if len(part) >= _KEPT] or parts[:1]
    else:
        hop = WINDOW // 2
        parts = [wave[start : start + WINDOW] for start in range(0, max(hop, len(wave) - hop), hop)]
        parts = [np.pad(p, (0, WINDOW - len(p))) if _PADDED < len(p) < WINDOW else p for p in parts]
    return [np.pad(part, (0, max(0, SHORTEST - len(part)))) for part in parts]
