"""What MusicGen and stable-audio-metrics print under KL: one classifier, and the arguments the other way round."""

from __future__ import annotations

from clipsonic_eval.conventions._base import CONVENTIONS, Convention
from clipsonic_eval.media.preprocessing import AudioPreprocessing

CONVENTIONS.add(
    "kl/musicgen",
    Convention(
        "kl/musicgen",
        "KL(real || generated), softmax of PaSST's logits on 10 s side by side",
        "kl",
        "passt",
        options={"cut": "segments"},
        source="facebookresearch/audiocraft 896ec7c",
        not_reproduced="its mean is over segments, here a clip's segments are averaged first (the same up to 10 s); "
        "julius resamples there, soxr here; 1e-6 inside the logarithm of the second argument",
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
        loading=AudioPreprocessing(mono="mean", rate=32000, resampler="soxr-hq", level="peak-1dB"),
        source="Stability-AI/stable-audio-metrics fd55536",
        not_reproduced="1e-6 inside the logarithm of the second argument",
    ),
)
