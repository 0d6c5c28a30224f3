"""clipsonic-eval: train, sample and evaluate text-to-audio systems.

    import clipsonic_eval as ce

    ce.fad(real, fake)                                # arrays (n, d), Embeddings, or folders with encoder="vggish"
    ce.clap_score("wavs/", prompts="test.csv", encoder="clap-laion-audio")
    run = ce.evaluate({"PD": "wavs/PD", "ZS": "wavs/ZS"}, reference="real/", metrics=["fad", "kad"])
    run.table()

Every registered metric is a function of this package (:func:`list_metrics`). Importing it is cheap: each name is loaded
when it is first used, and torch only when an encoder or a model runs.
"""

from __future__ import annotations

import difflib
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clipsonic_eval._signatures import (
        clap_score,
        class_accuracy,
        count_accuracy,
        coverage,
        density,
        diversity,
        fad,
        fad_inf,
        fad_per_clip,
        inception_score,
        kad,
        kid,
        kl,
        kl_reverse,
        precision,
        recall,
        size_error,
    )
    from clipsonic_eval.api import embed, evaluate, explain, modality_gap, report
    from clipsonic_eval.encoders import ENCODERS
    from clipsonic_eval.errors import UserError
    from clipsonic_eval.gate.compare import compare
    from clipsonic_eval.history.store import History
    from clipsonic_eval.lookups import list_conventions, list_encoders, list_metrics, load
    from clipsonic_eval.metrics import METRICS
    from clipsonic_eval.records import RunRecord
    from clipsonic_eval.types import Clip, Embeddings, Query, Score

__version__ = "0.1.0"

__all__ = [
    "ENCODERS",
    "METRICS",
    "Clip",
    "Embeddings",
    "History",
    "Query",
    "RunRecord",
    "Score",
    "UserError",
    "clap_score",
    "class_accuracy",
    "compare",
    "count_accuracy",
    "coverage",
    "density",
    "diversity",
    "embed",
    "evaluate",
    "explain",
    "fad",
    "fad_inf",
    "fad_per_clip",
    "inception_score",
    "kad",
    "kid",
    "kl",
    "kl_reverse",
    "list_conventions",
    "list_encoders",
    "list_metrics",
    "load",
    "modality_gap",
    "precision",
    "recall",
    "report",
    "size_error",
]

_HOMES = {
    "api": "embed evaluate explain modality_gap report",
    "lookups": "list_conventions list_encoders list_metrics load",
    "encoders": "ENCODERS",
    "errors": "UserError",
    "gate.compare": "compare",
    "history.store": "History",
    "metrics": "METRICS",
    "records": "RunRecord",
    "types": "Clip Embeddings Query Score",
}
_HOME = {name: module for module, names in _HOMES.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    """Load a name of the API, a metric's function or a submodule when it is first used (PEP 562)."""
    value = _find(name)
    globals()[name] = value
    return value


def _find(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    if name in _HOME:
        return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    if find_spec(f"{__name__}.{name}"):
        return import_module(f"{__name__}.{name}")
    metrics = import_module(f"{__name__}.metrics").METRICS
    if name in metrics:
        return import_module(f"{__name__}.metric_functions").metric_function(name)
    near = difflib.get_close_matches(name, __dir__(), n=1)
    hint = f"; did you mean '{near[0]}'?" if near else ""
    raise AttributeError(f"clipsonic_eval has no '{name}'{hint}")


def __dir__() -> list[str]:
    metrics = import_module(f"{__name__}.metrics").METRICS
    return sorted({*__all__, *metrics, "__version__"})
