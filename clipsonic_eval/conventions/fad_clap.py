"""What toolkits print under FAD with CLAP: rows that overlap by nine seconds (fadtk), or one row for each clip."""

from __future__ import annotations

from clipsonic_eval.conventions._base import CONVENTIONS, Convention
from clipsonic_eval.media.preprocessing import AudioPreprocessing

FADTK_LOADING = AudioPreprocessing(mono="mean", rate=48000, resampler="torchaudio-kaiser-best", int16="round")
FADTK_ROWS = {"truncation": "windows", "hop_s": 1.0, "tail": "zeros", "rows": "window"}

for _kind in ("audio", "music"):
    CONVENTIONS.add(
        f"fad/fadtk-clap-{_kind}",
        Convention(
            f"fad/fadtk-clap-{_kind}",
            "a row every second, each of 10 s, zeros beyond the end, 16-bit wavs, embeddings kept as float16",
            "fad",
            f"clap-laion-{_kind}",
            options=FADTK_ROWS,
            loading=FADTK_LOADING,
            store="float16",
            source="microsoft/fadtk ec74b1f",
            not_reproduced="statistics of a folder that it has seen are used again whatever changed in it",
        ),
    )

for _kind in ("audio", "music", "music-speech"):
    CONVENTIONS.add(
        f"fad/frechet-audio-distance-clap-{_kind}",
        Convention(
            f"fad/frechet-audio-distance-clap-{_kind}",
            "resampy, mean of the channels, samples as they are, one row for each clip",
            "fad",
            f"clap-laion-{_kind}",
            options={"int16": False},
            loading=AudioPreprocessing(mono="mean", rate=48000, resampler="resampy-kaiser-best"),
            source="gudgud96/frechet-audio-distance 55971f6",
            not_reproduced="sounds above 10 s are cropped at random there, anew in every run; here their windows are "
            "averaged. Files after the first unreadable one are silently missing from its mean; here the rest goes on",
        ),
    )
