"""What kadtk prints: its ruler is the spread of the evaluated set, so that two systems are measured with two rulers."""

from __future__ import annotations

from typing import Any

from clipsonic_eval.conventions import CONVENTIONS, Convention
from clipsonic_eval.conventions.fad_clap import FADTK_LOADING, FADTK_ROWS
from clipsonic_eval.media.loading import Loading

_KEPT = (
    "kernels in float32, and distances of a folder that it has seen are used again whatever changed in it; releases "
    "whose ruler is the reference's spread are our metric kad times 100"
)


def _loading(rate: int) -> Loading:
    return Loading(mono="mean", rate=rate, resampler="torchaudio-kaiser-best", int16="round")


def _add(name: str, rows: str, encoder: str, loading: Loading, options: dict[str, Any] | None = None) -> None:
    title = f"100 times the MMD, median distance of the evaluated set as bandwidth; {rows}, kept as float16"
    convention = Convention(
        name,
        title,
        "kad_kadtk",
        encoder,
        options=options or {},
        loading=loading,
        store="float16",
        source="YoonjinXD/kadtk 8bda71d",
        not_reproduced=_KEPT,
    )
    CONVENTIONS.add(name, convention)


# it has no default encoder; the one that fad/fadtk has goes by the bare name
_add("kad/kadtk", "VGGish, a row for each 0.96 s", "vggish-exact", _loading(16000))
for _kind in ("audio", "music"):
    _add(f"kad/kadtk-clap-{_kind}", "CLAP, a row every second", f"clap-laion-{_kind}", FADTK_LOADING, dict(FADTK_ROWS))
