"""``ce.compare``: two sides as a user names them, judged by limits or described without."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import overload

from clipsonic_eval.errors import UserError
from clipsonic_eval.gate.check import check
from clipsonic_eval.gate.differences import Differences, differences
from clipsonic_eval.gate.limits import Limits, as_limits, read
from clipsonic_eval.gate.sides import Side, read_side
from clipsonic_eval.gate.verdicts import GateResult, Question
from clipsonic_eval.history.store import History

_Texts = Limits | Mapping[str, str] | Sequence[str] | str


@overload
def compare(
    baseline: Side,
    candidate: Side,
    limits: None = ...,
    *,
    question: Question | None = ...,
    systems: Mapping[str, str] | None = ...,
    history: History | str | os.PathLike[str] | None = ...,
) -> Differences: ...
@overload
def compare(
    baseline: Side,
    candidate: Side,
    limits: _Texts | os.PathLike[str],
    *,
    question: Question | None = ...,
    systems: Mapping[str, str] | None = ...,
    history: History | str | os.PathLike[str] | None = ...,
) -> GateResult: ...
def compare(
    baseline: Side,
    candidate: Side,
    limits: _Texts | os.PathLike[str] | None = None,
    *,
    question: Question | None = None,
    systems: Mapping[str, str] | None = None,
    history: History | str | os.PathLike[str] | None = None,
) -> GateResult | Differences:
    """Compare two runs: is the candidate worse than the baseline by more than the limits allow?

    Args:
        baseline: a record, a run folder, or several of one recipe (training seeds); with ``history`` also a pin, the
            first digits of a hash, or ``latest``.
        candidate: the same.
        limits: e.g. ``"fad<+3%"``, several of these, texts by metric, or the path of a ``gate.yaml``; see
            :mod:`clipsonic_eval.gate.limits`. None: differences are described and not judged.
        question: ``same weights``, ``same queries``, ``recipe`` or ``cost``; None: the one that the records suggest.
        systems: name in the candidate by name in the baseline; None: equal names.
        history: a history, or its folder.

    Returns:
        With limits, a verdict for each (``result.to_frame()``, ``result.exit_code()``); without, the differences.

    Raises:
        UserError: a run is missing, a limit is not accepted, or, without limits, nothing can be compared.

    Example:
        >>> import clipsonic_eval as ce
        >>> clean = ce.evaluate({"mine": "wavs/PD"}, reference="real/", metrics=["kad"])
        >>> noisy = ce.evaluate({"mine": "wavs/ZS"}, reference="real/", metrics=["kad"])
        >>> result = ce.compare(clean, noisy, "kad<+0.1")
        >>> [(v.system, v.metric, v.question) for v in result.verdicts]
        [('mine', 'kad', 'same queries')]
        >>> ce.compare(clean, clean, "kad<+0.1").refusals[0].sentence
        'a record is compared with itself, so nothing would be found; name another run on one side'
    """
    store = history if history is None or isinstance(history, History) else History(history)
    if store is not None and not store.folder.is_dir():
        raise UserError(f"{store.folder}: no history here; `clipsonic-eval history add RUN` begins one")
    old, new = read_side(baseline, store), read_side(candidate, store)
    if limits is None:
        found: GateResult | Differences = differences(new[1], old[1], question=question, systems=systems)
    else:
        found = check(new[1], old[1], _accepted(limits), question=question, systems=systems)
    names = {"baseline": {"name": old[0], **found.baseline}, "candidate": {"name": new[0], **found.candidate}}
    return replace(found, **names)  # type: ignore[arg-type]


def _accepted(limits: _Texts | os.PathLike[str]) -> Limits:
    """Return limits; a text without < and > is no limit, so it names a file."""
    if isinstance(limits, os.PathLike):
        return read(Path(limits))
    return read(Path(limits)) if isinstance(limits, str) and not set("<>") & set(limits) else as_limits(limits)
