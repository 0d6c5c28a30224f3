"""FAD with MERT, as fadtk prints it: every frame of the whole clip is a row; one name per layer, as there."""

from __future__ import annotations

from typing import Final

from clipsonic_eval.conventions._base import CONVENTIONS, Convention
from clipsonic_eval.media.preprocessing import AudioPreprocessing

FADTK_MERT: Final = AudioPreprocessing(
    mono="mean", rate=24000, resampler="torchaudio-kaiser-best", int16="round", at_most_s=360.0
)
_LAYERS: Final = 12  # of MERT-v1-95M; the last has no number in the tool's name

for _layer in range(1, _LAYERS + 1):
    _name = "fad/fadtk-mert-v1-95m" + (f"-{_layer}" if _layer < _LAYERS else "")
    CONVENTIONS.add(
        _name,
        Convention(
            _name,
            f"layer {_layer}, a row per frame of the whole clip up to 6 min, 16-bit wavs, stored as float16",
            "fad",
            "mert-v1-95m",
            options={"layer": _layer, "window_s": None, "rows": "frame"},
            preprocessing=FADTK_MERT,
            store="float16",
            source="microsoft/fadtk ec74b1f",
            not_reproduced="statistics of a folder are reused even if its files have changed",
        ),
    )
