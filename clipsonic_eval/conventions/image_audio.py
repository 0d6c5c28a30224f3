"""Image–audio score and DeSync, as video-to-audio papers print them; they differ in the frames of a video."""

from __future__ import annotations

from typing import Final

from clipsonic_eval.conventions._base import CONVENTIONS, Convention
from clipsonic_eval.media.preprocessing import AudioPreprocessing

_AV_BENCHMARK: Final = "hkchengrex/av-benchmark 050a5cd"

CONVENTIONS.add(
    "ib/imagebind",
    Convention(
        "ib/imagebind",
        "Meta's code: first channel, torchaudio's default resampler; 5 windows of a video in 3 crops",
        "image_audio_score",
        "imagebind",
        preprocessing=AudioPreprocessing(mono="first", rate=16000, resampler="torchaudio-hann"),
        source="facebookresearch/ImageBind 53680b0",
        not_reproduced="where windows overlap, the mean of one is subtracted from the next one too; a window that "
        "begins between two frames begins with the next one there, here with the one on screen",
    ),
)
CONVENTIONS.add(
    "ib/av-benchmark",
    Convention(
        "ib/av-benchmark",
        "first channel, torchaudio's default resampler; a frame every 2 s of the first 8 s in 3 crops",
        "image_audio_score",
        "imagebind",
        options={"video": "av-benchmark"},
        preprocessing=AudioPreprocessing(mono="first", rate=16000, resampler="torchaudio-hann"),
        source=_AV_BENCHMARK,
        not_reproduced="where windows overlap, the mean of one is subtracted from the next one too; videos below 8 s "
        "are left out, here their last frame stands still; images are resized by torch's bicubic filter, here by PIL's",
    ),
)
CONVENTIONS.add(
    "desync/av-benchmark",
    Convention(
        "desync/av-benchmark",
        "mean of the channels, torchaudio's default resampler; the first and the last 4.8 s of the first 8 s",
        "desync",
        "synchformer",
        preprocessing=AudioPreprocessing(mono="mean", rate=16000, resampler="torchaudio-hann"),
        source=_AV_BENCHMARK,
        not_reproduced="sounds and videos below 8 s are left out or replaced by the next file, here they are compared "
        "as far as they go; images are resized by torch's bicubic filter, here by PIL's",
    ),
)
