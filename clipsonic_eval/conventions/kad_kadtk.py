"""KAD, as kadtk prints it: the bandwidth is the median distance of the evaluated set, another one for each system."""

from __future__ import annotations

from typing import Any

from clipsonic_eval.conventions._base import CONVENTIONS, Convention
from clipsonic_eval.conventions.fad_clap import FADTK_PREPROCESSING, FADTK_ROWS
from clipsonic_eval.conventions.fad_encodec import FADTK_ENCODEC, fadtk_encodec
from clipsonic_eval.conventions.fad_mert import FADTK_MERT
from clipsonic_eval.media.preprocessing import AudioPreprocessing

_KEPT = (
    "kernels in float32, and distances of a folder are reused even if its files have changed; releases whose bandwidth "
    "follows from the reference are our metric kad times 100"
)


def _at(rate: int) -> AudioPreprocessing:
    return AudioPreprocessing(mono="mean", rate=rate, resampler="torchaudio-kaiser-best", int16="round")


def _add(
    name: str,
    rows: str,
    encoder: str,
    preprocessing: AudioPreprocessing,
    options: dict[str, Any] | None = None,
    *,
    metric: str = "kad_kadtk",
    kernel: str = "Gaussian",
) -> None:
    title = f"100 times the MMD, {kernel} kernel, median distance of the evaluated set as bandwidth; {rows}, as float16"
    convention = Convention(
        name,
        title,
        metric,
        encoder,
        options=options or {},
        preprocessing=preprocessing,
        store="float16",
        source="YoonjinXD/kadtk 8bda71d",
        not_reproduced=_KEPT,
    )
    CONVENTIONS.add(name, convention)


# kadtk has no default encoder; that of fad/fadtk goes by the bare name
_VGGISH = ("VGGish, a row per 0.96 s", "vggish-exact", _at(16000))
_add("kad/kadtk", *_VGGISH)
# kernels of its Python function that its command line does not offer
_add("kad/kadtk-iq", *_VGGISH, metric="kad_kadtk_iq", kernel="inverse quadratic")
_add("kad/kadtk-imq", *_VGGISH, metric="kad_kadtk_imq", kernel="inverse multiquadric")
for _kind in ("audio", "music"):
    _add(
        f"kad/kadtk-clap-{_kind}",
        "CLAP, a row every second",
        f"clap-laion-{_kind}",
        FADTK_PREPROCESSING,
        dict(FADTK_ROWS),
    )
_add(
    "kad/kadtk-mert-v1-95m",
    "MERT's last layer, the mean of each second",
    "mert-v1-95m",
    FADTK_MERT,
    {"window_s": None, "rows": "second"},
)
for _suffix, (_encoder, _rate, _window_s) in FADTK_ENCODEC.items():
    _add(
        f"kad/kadtk-encodec-emb{_suffix}",
        f"EnCodec at {_rate // 1000} kHz, the mean of each second",
        _encoder,
        fadtk_encodec(_rate),
        {"window_s": _window_s, "rows": "second"},
    )
