"""CLAP score, as toolkits print it. They differ in the checkpoint, which alone can reverse the order of systems."""

from __future__ import annotations

from clipsonic_eval.conventions._base import CONVENTIONS, Convention
from clipsonic_eval.media.preprocessing import AudioPreprocessing

CONVENTIONS.add(
    "clap/clipsonic-eval",
    Convention(
        "clap/clipsonic-eval",
        "ours: 630k-audioset-best, soxr, mean of the channels, windows averaged above 10 s",
        "clap_score",
        "clap-laion-audio",
        source="this project",
    ),
)
CONVENTIONS.add(
    "clap/stable-audio",
    Convention(
        "clap/stable-audio",
        "630k-audioset-fusion-best, peak at -1 dB, librosa's resampler",
        "clap_score",
        "clap-laion-fusion",
        preprocessing=AudioPreprocessing(mono="mean", rate=48000, resampler="soxr-hq", level="peak-1dB"),
        source="Stability-AI/stable-audio-metrics fd55536",
        not_reproduced="above 10 s the fused windows are drawn at random, anew in every run; here they are the "
        "middles of the thirds",
    ),
)
CONVENTIONS.add(
    "clap/av-benchmark",
    Convention(
        "clap/av-benchmark",
        "music_speech_audioset_epoch_15, mean subtracted, torchaudio's default resampler",
        "clap_score",
        "clap-laion-music-speech",
        preprocessing=AudioPreprocessing(mono="mean", rate=48000, resampler="torchaudio-hann", level="dc-removed"),
        source="hkchengrex/av-benchmark 050a5cd",
        not_reproduced="audio above 10 s is cropped at random, here its windows are averaged; an unreadable file is "
        "replaced by the next one in its list, here it is skipped and listed",
    ),
)
