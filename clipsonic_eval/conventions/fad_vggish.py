"""FAD with VGGish, as toolkits print it. All take the features before the last ReLU, and every patch of every clip."""

from __future__ import annotations

from clipsonic_eval.conventions._base import CONVENTIONS, Convention
from clipsonic_eval.media.preprocessing import AudioPreprocessing

_SUBSTITUTES = "an unreadable file is replaced by the next one in its list; here it is skipped and listed"

for _convention in (
    Convention(
        "fad/clipsonic-eval",
        "ours: soxr, mean of the channels, 0.96 s patches side by side, short clips zero-padded",
        "fad",
        "vggish",
        source="this project",
    ),
    Convention(
        "fad/frechet-audio-distance",
        "resampy, mean of the channels, 0.96 s patches side by side, no row for clips below 0.975 s",
        "fad",
        "vggish-exact",
        source="gudgud96/frechet-audio-distance 55971f6",
        not_reproduced="files after the first unreadable one are silently left out of its mean; here they count",
    ),
    Convention(
        "fad/fadtk",
        "torchaudio's kaiser window of width 64, 16-bit wavs, at least 1 s, embeddings stored as float16",
        "fad",
        "vggish-exact",
        preprocessing=AudioPreprocessing(
            mono="mean", rate=16000, resampler="torchaudio-kaiser-best", int16="round", at_least_s=1.0
        ),
        store="float16",
        source="microsoft/fadtk ec74b1f",
        not_reproduced="statistics of a folder are reused even if its files have changed",
    ),
    Convention(
        "fad/audioldm-eval",
        "first channel, torchaudio's default resampler, mean subtracted, zero-padded to 2 s",
        "fad",
        "vggish-exact",
        preprocessing=AudioPreprocessing(
            mono="first", rate=16000, resampler="torchaudio-hann", level="dc-removed", at_least_s=2.0
        ),
        source="haoheliu/audioldm_eval 8dc07ee",
        not_reproduced=f"it returns -1 where its matrix square root fails; {_SUBSTITUTES}",
    ),
    Convention(
        "fad/google",
        "samples divided by their positive peak (at least 0.1), a patch every 0.5 s",
        "fad",
        "vggish-exact",
        options={"hop_s": 0.5},
        preprocessing=AudioPreprocessing(mono="mean", rate=16000, level="positive-peak"),
        source="google-research/frechet_audio_distance (K. Kilgour et al. 2019)",
        not_reproduced="it takes mono 16-bit wavs of 16 kHz only, cuts windows of 1 s (a last patch between 0.975 and "
        "1 s is dropped there and kept here), and some of its copies read after the ReLU (option layer=post-relu)",
    ),
):
    CONVENTIONS.add(_convention.name, _convention)
