"""Answers of a listening test: one row each, checked against the plan when they are made and when they are read."""

from __future__ import annotations

import datetime
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from clipsonic_eval.errors import UserError
from clipsonic_eval.files import read_csv, write_csv
from clipsonic_eval.listening.plan import ListeningPlan
from clipsonic_eval.listening.protocols import PROTOCOLS
from clipsonic_eval.listening.trials import HEADPHONES, SIDE, SIDES, TONES, Trial
from clipsonic_eval.types import Skip

BETWEEN: Final = "|"  # systems of a pair in one cell, left first
_LONGEST_NOTE = 1000
_CHOICES: Final = {HEADPHONES: TONES, SIDE: SIDES}


class Answer(NamedTuple):
    """One answer.

    Attributes:
        plan: id of the plan.
        listener: random id of a person.
        number: of the listener, which decides his list; not two at a time share one, but a list that was given up may
            be given again.
        trial: number in the list.
        kind: of the trial.
        protocol: that asked; of the checks of headphones their kind.
        query: key of the query.
        systems: of the trial; of sliders the one that was rated.
        answer: on the protocol's scale.
        seconds: from the start of the trial, or from the answer before, to this answer.
        played: share of the sound that was heard before the answer, 0 to 1; of several sounds the least.
        time: of the answer, UTC, ISO 8601.
        note: the listener's reason, "" mostly.
    """

    plan: str
    listener: str
    number: int
    trial: int
    kind: str
    protocol: str
    query: str
    systems: tuple[str, ...]
    answer: str
    seconds: float
    played: float
    time: str
    note: str = ""

    @property
    def key(self) -> tuple[str, int, str, tuple[str, ...]]:
        """What no two answers may share: listener, trial, protocol, and the system on a slider."""
        return self.listener, self.trial, self.protocol, self.systems


COLUMNS: Final = Answer._fields
SIMULATED: Final = "simulated-"  # beginning of the ids of made-up listeners
Key = tuple[str, int, str, tuple[str, ...]]


def accept(
    plan: ListeningPlan,
    listener: str,
    number: int,
    trial: int,
    protocol: str,
    answer: str,
    *,
    slider: int = 0,
    **about: float | str,
) -> Answer:
    """Return an answer as a browser reports it, checked against the plan.

    Args:
        plan: of the test.
        listener: random id of the person.
        number: of the listener.
        trial: number in the list.
        protocol: that asked.
        answer: on its scale.
        slider: which one from the top, of a trial with several.
        **about: ``seconds``, ``played``, ``time`` (now, if there is none) and ``note``.

    Raises:
        UserError: the list has no such trial, it does not ask this, or the answer is not on the scale.
    """
    asked = _trial(plan, number, trial, protocol)
    systems = asked.systems
    if protocol in PROTOCOLS and PROTOCOLS[protocol].layout == "sliders":
        if not 0 <= slider < len(systems):
            raise UserError(
                f"trial {trial} of listener {number} has {len(systems)} sliders, and none has number {slider}"
            )
        systems = (systems[slider],)
    if not _on_scale(protocol, answer):
        raise UserError(f"'{answer[:40]}' is no answer to {protocol}; it takes {_scale(protocol)}")
    seconds, played = (_number(about.get(name, 0.0), name) for name in ("seconds", "played"))
    time = _utc(str(about.get("time") or "")) or datetime.datetime.now(datetime.timezone.utc).isoformat("T", "seconds")
    note = str(about.get("note", ""))[:_LONGEST_NOTE]
    return Answer(
        plan.id, listener, number, trial, asked.kind, protocol, asked.query, systems, answer, seconds,
        min(played, 1.0), time, note,
    )  # fmt: skip


def write(path: Path, answers: Iterable[Answer]) -> None:
    """Write answers as csv, atomically, sorted by listener and trial."""
    ordered = sorted(answers, key=lambda one: one.key)
    write_csv(path, COLUMNS, [{**one._asdict(), "systems": BETWEEN.join(one.systems)} for one in ordered])


def require_made_up(path: Path) -> None:
    """Refuse to replace a file that holds anything but answers of made-up listeners.

    Raises:
        UserError: it does.
    """
    if not path.exists():
        return
    rows = read_csv(path, fix="name another file with --out")
    if not all(row.get("listener", "").startswith(SIMULATED) for row in rows):
        raise UserError(f"{path}: is there already and was not simulated; name another file with --out")


def read(path: Path, plan: ListeningPlan) -> tuple[list[Answer], list[Skip]]:
    """Read answers and check each against the plan.

    Returns:
        (answers, rows that were left out and why): answers of another plan, those that its lists do not ask for, and
        second answers, of which the first by time stays.

    Raises:
        UserError: not a table of answers, or all are of another plan.
    """
    rows = read_csv(path, fix="`listen collect` writes it")
    if not rows or not set(COLUMNS) <= rows[0].keys():
        raise UserError(f"{path}: no answers here; a table with the columns {', '.join(COLUMNS)} is needed")
    others = {row["plan"] for row in rows} - {plan.id}
    if all(row["plan"] != plan.id for row in rows):
        raise UserError(
            f"{path}: answers of plan {', '.join(sorted(others)[:3])}, and the plan given is {plan.id}; give "
            "the plan.json that this test was run with"
        )
    found: dict[Key, Answer] = {}
    skipped = []
    parsed = []
    for line, row in enumerate(rows, start=2):
        try:
            parsed.append((line, _of_row(row, plan)))
        except UserError as error:
            skipped.append(Skip(f"line-{line}", f"{path.name} line {line}: {error}"))
    for line, answer in sorted(parsed, key=lambda one: one[1].time):
        earlier = found.setdefault(answer.key, answer)
        if earlier is not answer:
            same = "the same" if earlier.answer == answer.answer else f"'{earlier.answer}' before"
            skipped.append(Skip(f"line-{line}", f"{path.name} line {line}: a second answer to one question, {same}"))
    if not found:
        raise UserError(f"{path}: no row can be used; the first: {skipped[0].reason}")
    return [answer for _, answer in parsed if found[answer.key] is answer], skipped


def _of_row(row: Mapping[str, str], plan: ListeningPlan) -> Answer:
    if row["plan"] != plan.id:
        raise UserError(f"an answer of plan {row['plan'][:40]}, not of {plan.id}")
    number, trial = (_whole(row[name], name) for name in ("number", "trial"))
    asked = _trial(plan, number, trial, row["protocol"])
    systems = tuple(row["systems"].split(BETWEEN)) if row["systems"] else ()
    slider = asked.systems.index(systems[0]) if len(systems) == 1 and systems[0] in asked.systems else 0
    about = {name: row[name] for name in ("seconds", "played", "time", "note")}
    if not _utc(about["time"]):
        raise UserError(f"time '{about['time'][:40]}' is not ISO 8601")
    if not row["listener"]:
        raise UserError("no listener")
    answer = accept(plan, row["listener"], number, trial, row["protocol"], row["answer"], slider=slider, **about)
    expected = (asked.kind, asked.query, answer.systems)
    if (row["kind"], row["query"], systems) != expected:
        raise UserError(
            f"trial {trial} of listener {number} is {asked.kind} of '{asked.query}' with "
            f"{BETWEEN.join(asked.systems)}, and this row is {row['kind'][:20]} of '{row['query'][:40]}' with "
            f"{row['systems'][:80]}"
        )
    return answer


def _trial(plan: ListeningPlan, number: int, trial: int, protocol: str) -> Trial:
    trials = plan.trials(number) if number >= 0 else ()
    if not 0 <= trial < len(trials):
        raise UserError(f"listener {number} has {len(trials)} trials, and none has number {trial}")
    if protocol not in trials[trial].protocols:
        raise UserError(f"trial {trial} of listener {number} does not ask '{protocol[:40]}'")
    return trials[trial]


def _on_scale(protocol: str, answer: str) -> bool:
    return answer in _CHOICES[protocol] if protocol in _CHOICES else PROTOCOLS[protocol].accepts(answer)


def _scale(protocol: str) -> str:
    if protocol in _CHOICES:
        return ", ".join(_CHOICES[protocol])
    one = PROTOCOLS[protocol]
    return "whole numbers from 0 to 100" if one.layout == "sliders" else ", ".join(answer for answer, _ in one.scale)


def _whole(text: str, name: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise UserError(f"{name} '{text[:40]}' is no whole number")
    return int(text)


def _number(value: object, name: str) -> float:
    try:
        found = float(str(value))
    except ValueError:
        found = math.nan
    if not (math.isfinite(found) and found >= 0):
        raise UserError(f"{name} '{str(value)[:40]}' is no number from 0")
    return found


def _utc(text: str) -> str:
    """Return a time as ISO 8601 in UTC, "" if it is none."""
    try:
        found = datetime.datetime.fromisoformat(text)
    except ValueError:
        return ""
    zone = datetime.timezone.utc
    return (found.replace(tzinfo=zone) if found.tzinfo is None else found.astimezone(zone)).isoformat()
