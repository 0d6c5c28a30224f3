"""KAD, as kadtk prints it: the bandwidth is the median distance of the evaluated set, another one for each system."""

from __future__ import annotations

from typing import Any

from clipsonic_eval.conventions._base import CONVENTIONS, Convention
from clipsonic_eval.conventions.fad_clap import FADTK_PREPROCESSING, FADTK_ROWS
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
