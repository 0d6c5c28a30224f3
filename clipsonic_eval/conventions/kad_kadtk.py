"""What kadtk prints: its ruler is the spread of the evaluated set, so that two systems are measured with two rulers."""

from __future__ import annotations

from typing import Any

from clipsonic_eval.conventions._base import CONVENTIONS, Convention
from clipsonic_eval.conventions.fad_clap import FADTK_LOADING, FADTK_ROWS
from clipsonic_eval.media.preprocessing import AudioPreprocessing

_KEPT = (
    "kernels in float32, and distances of a folder that it has seen are used again whatever changed in it; releases "
    "whose ruler is the reference's spread are our metric kad times 100"
)


def _loading(rate: int) -> AudioPreprocessing:
    return AudioPreprocessing(mono="mean", rate=rate, resampler="torchaudio-kaiser-best", int16="round")


def _add(
    name: str,
    rows: str,
    encoder: str,
    loading: AudioPreprocessing,
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
        loading=loading,
        store="float16",
        source="YoonjinXD/kadtk 8bda71d",
        not_reproduced=_KEPT,
    )
    CONVENTIONS.add(name, convention)


# it has no default encoder; the one that fad/fadtk has goes by the bare name
_VGGISH = ("VGGish, a row for each 0.96 s", "vggish-exact", _loading(16000))
_add("kad/kadtk", *_VGGISH)
# kernels that its function takes and its command line does not
_add("kad/kadtk-iq", *_VGGISH, metric="kad_kadtk_iq", kernel="inverse quadratic")
_add("kad/kadtk-imq", *_VGGISH, metric="kad_kadtk_imq", kernel="inverse multiquadric")
for _kind in ("audio", "music"):
    _add(f"kad/kadtk-clap-{_kind}", "CLAP, a row every second", f"clap-laion-{_kind}", FADTK_LOADING, dict(FADTK_ROWS))
