"""FAD with EnCodec and DAC, as toolkits print it: every frame of the latents before quantisation is a row."""

from __future__ import annotations

from typing import Any, Final

from clipsonic_eval.conventions._base import CONVENTIONS, Convention
from clipsonic_eval.media.preprocessing import AudioPreprocessing

# "" stands for 24 kHz in the tool's names; the model at 48 kHz cuts its input into seconds, the other takes it whole
FADTK_ENCODEC: Final = {"": ("encodec-24k", 24000, None), "-48k": ("encodec-48k", 48000, 1.0)}


def fadtk_encodec(rate: int) -> AudioPreprocessing:
    """Return what fadtk and kadtk do to audio before EnCodec; the rate in Hz."""
    return AudioPreprocessing(
        mono="mean", rate=rate, resampler="torchaudio-kaiser-best", int16="round", at_most_s=180.0
    )


for _suffix, (_encoder, _rate, _window_s) in FADTK_ENCODEC.items():
    _options: dict[str, Any] = {"window_s": _window_s, "rows": "frame"}
    CONVENTIONS.add(
        f"fad/fadtk-encodec-emb{_suffix}",
        Convention(
            f"fad/fadtk-encodec-emb{_suffix}",
            f"{_rate // 1000} kHz, mono, up to 3 min, 16-bit wavs, embeddings stored as float16",
            "fad",
            _encoder,
            options=_options,
            preprocessing=fadtk_encodec(_rate),
            store="float16",
            source="microsoft/fadtk ec74b1f",
            not_reproduced="statistics of a folder are reused even if its files have changed",
        ),
    )

for _encoder, _rate, _mono in (("encodec-24k", 24000, "mean"), ("encodec-48k", 48000, "encoder")):
    _khz = f"{_rate // 1000}k"
    CONVENTIONS.add(
        f"fad/frechet-audio-distance-encodec-{_khz}",
        Convention(
            f"fad/frechet-audio-distance-encodec-{_khz}",
            f"{_rate // 1000} kHz, resampy, the whole clip at once{', both channels' if _mono == 'encoder' else ''}",
            "fad",
            _encoder,
            options={"window_s": None, "rows": "frame"},
            preprocessing=AudioPreprocessing(
                mono="mean" if _mono == "mean" else "encoder", rate=_rate, resampler="resampy-kaiser-best"
            ),
            source="gudgud96/frechet-audio-distance 55971f6",
            not_reproduced="files after the first unreadable one are silently left out of its mean; here they count"
            + ("" if _mono == "mean" else ". Stereo files of another rate are resampled across the channels there"),
        ),
    )

CONVENTIONS.add(
    "fad/fadtk-dac-44khz",
    Convention(
        "fad/fadtk-dac-44khz",
        "44.1 kHz, mono, -16 LUFS, windows of 5 s that overlap by half, 16-bit wavs, embeddings stored as float16",
        "fad",
        "dac-44k",
        options={"window_s": 5.0, "rows": "frame", "overlap": True},
        preprocessing=AudioPreprocessing(
            mono="mean", rate=44100, resampler="torchaudio-kaiser-best", int16="round", lufs=-16.0
        ),
        store="float16",
        source="microsoft/fadtk ec74b1f",
        not_reproduced="statistics of a folder are reused even if its files have changed; its weights are those of the "
        "package dac, here their conversion for transformers",
    ),
)
