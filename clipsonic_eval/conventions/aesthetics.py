"""Audiobox Aesthetics, as its package prints it: resampled by torchaudio, not by soxr."""

from __future__ import annotations

from clipsonic_eval.conventions._base import CONVENTIONS, Convention
from clipsonic_eval.media.preprocessing import AudioPreprocessing

for _axis in ("content_enjoyment", "content_usefulness", "production_complexity", "production_quality"):
    CONVENTIONS.add(
        f"{_axis}/audiobox",
        Convention(
            f"{_axis}/audiobox",
            "Meta's package: mean of the channels, torchaudio's default resampler",
            _axis,
            "audiobox-aesthetics",
            preprocessing=AudioPreprocessing(mono="mean", rate=16000, resampler="torchaudio-hann"),
            source="facebookresearch/audiobox-aesthetics 2618e9d",
            not_reproduced="start_time and end_time of an entry; here a file is taken whole",
        ),
    )
