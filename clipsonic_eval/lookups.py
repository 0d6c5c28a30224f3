"""Names that the other functions take, and records of earlier runs."""

from __future__ import annotations

from pathlib import Path

from clipsonic_eval import records
from clipsonic_eval._arguments import StrPath
from clipsonic_eval.encoders import ENCODERS
from clipsonic_eval.metrics import METRICS
from clipsonic_eval.records import RunRecord


def load(path: StrPath) -> RunRecord:
    """Read the record of a run, of this or any older schema version.

    Args:
        path: a folder that ``evaluate`` or ``gap`` wrote, or its ``record.json``.

    Raises:
        UserError: there is no record, or it is damaged or of a newer release.

    Example:
        >>> import clipsonic_eval as ce
        >>> run = ce.evaluate("wavs/PD", reference="real/", metrics="fad", out="runs/eval")
        >>> ce.load("runs/eval")["PD", "fad"] == run["PD", "fad"]
        True
    """
    return records.read(Path(path))


def list_metrics() -> list[str]:
    """Return the names of all metrics; each is a function of this package.

    Example:
        >>> import clipsonic_eval as ce
        >>> {"fad", "kid", "clap_score"} <= set(ce.list_metrics())
        True
        >>> ce.METRICS["fad"].card.unit
        'squared distance'
    """
    return list(METRICS)


def list_encoders() -> list[str]:
    """Return the names of all encoders.

    Example:
        >>> import clipsonic_eval as ce
        >>> {"vggish", "toy-audio"} <= set(ce.list_encoders())
        True
    """
    return list(ENCODERS)


def list_conventions() -> list[str]:
    """Return the names of all conventions: what other toolkits compute under a metric's name.

    Example:
        >>> import clipsonic_eval as ce
        >>> "fad/fadtk" in ce.list_conventions()
        True
    """
    from clipsonic_eval.conventions import CONVENTIONS

    return list(CONVENTIONS)
