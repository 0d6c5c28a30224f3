"""FAD with CLAP, as toolkits print it: rows that overlap by nine seconds (fadtk), or one row per clip."""

from __future__ import annotations

from clipsonic_eval.conventions._base import CONVENTIONS, Convention
from clipsonic_eval.media.preprocessing import AudioPreprocessing

FADTK_PREPROCESSING = AudioPreprocessing(mono="mean", rate=48000, resampler="torchaudio-kaiser-best", int16="round")
FADTK_ROWS = {"truncation": "windows", "hop_s": 1.0, "tail": "zeros", "rows": "window"}

for _kind in ("audio", "music"):
    CONVENTIONS.add(
        f"fad/fadtk-clap-{_kind}",
        Convention(
            f"fad/fadtk-clap-{_kind}",
            "a 10 s window every second, zero-padded, 16-bit wavs, embeddings stored as float16",
            "fad",
            f"clap-laion-{_kind}",
            options=FADTK_ROWS,
            preprocessing=FADTK_PREPROCESSING,
            store="float16",
            source="microsoft/fadtk ec74b1f",
            not_reproduced="statistics of a folder are reused even if its files have changed",
        ),
    )

for _kind in ("audio", "music", "music-speech"):
    CONVENTIONS.add(
        f"fad/frechet-audio-distance-clap-{_kind}",
        Convention(
            f"fad/frechet-audio-distance-clap-{_kind}",
            "resampy, mean of the channels, no quantisation, one row per clip",
            "fad",
            f"clap-laion-{_kind}",
            options={"int16": False},
            preprocessing=AudioPreprocessing(mono="mean", rate=48000, resampler="resampy-kaiser-best"),
            source="gudgud96/frechet-audio-distance 55971f6",
            not_reproduced="audio above 10 s is cropped at random, anew in every run; here its windows are averaged. "
            "Files after the first unreadable one are silently left out of its mean; here they count",
        ),
    )
