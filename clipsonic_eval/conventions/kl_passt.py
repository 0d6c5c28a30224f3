"""KL divergence with PaSST, as MusicGen and stable-audio-metrics print it: with opposite order of the arguments."""

from __future__ import annotations

from clipsonic_eval.conventions._base import CONVENTIONS, Convention
from clipsonic_eval.media.preprocessing import AudioPreprocessing

CONVENTIONS.add(
    "kl/musicgen",
    Convention(
        "kl/musicgen",
        "KL(real || generated), softmax of PaSST's logits on segments of 10 s",
        "kl",
        "passt",
        options={"cut": "segments"},
        source="facebookresearch/audiocraft 896ec7c",
        not_reproduced="its mean is over segments, ours over clips of averaged segments (the same up to 10 s); "
        "it resamples with julius, here with soxr; 1e-6 inside the logarithm of the second argument",
    ),
)
CONVENTIONS.add(
    "kl/stable-audio",
    Convention(
        "kl/stable-audio",
        "KL(generated || real), softmax after averaging PaSST's logits over windows of 10 s every 5 s",
        "kl_reverse_mean_logits",
        "passt",
        options={"cut": "overlapping"},
        preprocessing=AudioPreprocessing(mono="mean", rate=32000, resampler="soxr-hq", level="peak-1dB"),
        source="Stability-AI/stable-audio-metrics fd55536",
        not_reproduced="1e-6 inside the logarithm of the second argument",
    ),
)
