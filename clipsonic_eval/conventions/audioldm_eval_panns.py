"""KL, FD and IS of audioldm_eval with its Cnn14 backbone (its default, MERT, has no classes)."""

from __future__ import annotations

from clipsonic_eval.conventions._base import CONVENTIONS, Convention
from clipsonic_eval.media.preprocessing import AudioPreprocessing

_SOURCE = "haoheliu/audioldm_eval 8dc07ee"
# the first channel only; torchaudio's default resampler; the mean of the samples subtracted; zeros up to 32,000 samples
_PREPROCESSING = AudioPreprocessing(
    mono="first", rate=16000, resampler="torchaudio-hann", level="dc-removed", at_least_s=2.0
)
_SUBSTITUTES = "an unreadable file is replaced by the next one in its list; here it is skipped and listed"

CONVENTIONS.add(
    "kl/audioldm-eval",
    Convention(
        "kl/audioldm-eval",
        "KL(real || generated), softmax of Cnn14's logits at 16 kHz",
        "kl",
        "panns-cnn14-16k",
        preprocessing=_PREPROCESSING,
        source=_SOURCE,
        not_reproduced=f"1e-6 inside the logarithm of the second argument; {_SUBSTITUTES}",
    ),
)
CONVENTIONS.add(
    "fad/audioldm-eval-fd",
    Convention(
        "fad/audioldm-eval-fd",
        "printed as FD: Fréchet distance of Cnn14's 2048 features at 16 kHz, one row per clip",
        "fad",
        "panns-cnn14-16k-features",
        preprocessing=_PREPROCESSING,
        source=_SOURCE,
        not_reproduced=f"1e-6 on the diagonals where its matrix square root fails; {_SUBSTITUTES}",
    ),
)
CONVENTIONS.add(
    "is/audioldm-eval",
    Convention(
        "is/audioldm-eval",
        "inception score of Cnn14's classes at 16 kHz, mean of ten splits",
        "inception_score_10_splits",
        "panns-cnn14-16k",
        preprocessing=_PREPROCESSING,
        source=_SOURCE,
        not_reproduced=_SUBSTITUTES,
    ),
)
