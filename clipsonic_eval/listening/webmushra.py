"""Results in the columns of webMUSHRA: tests that it ran, read for the analysis here, and answers of ours, written.

Its ``mushra.csv`` has a row per slider; its ``lss.csv`` (Likert, single stimulus) a row per sound with a column per
scale. A page of its configuration is a query, a stimulus on it a system. Its pairs ask which sound is the reference, so
they are neither read nor written.

Source: M. Schoeffler et al., webMUSHRA: a comprehensive framework for web-based listening tests, 2018
(``service/write.php``); ITU-R Recommendation BS.1534-3, 2015, 4.1.2 (who is excluded).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from clipsonic_eval.errors import UserError
from clipsonic_eval.files import read_csv, write_csv
from clipsonic_eval.listening.answers import Answer, Key, accept
from clipsonic_eval.listening.plan import CHECKS, ListeningPlan
from clipsonic_eval.listening.protocols import LOW_PASSED, LOW_PASSED_7, PROTOCOLS, REFERENCE, protocol_named
from clipsonic_eval.listening.trials import RATED, SessionPart, Trial
from clipsonic_eval.types import Query, Skip

TEST, SESSION, PAGE = "session_test_id", "session_uuid", "trial_id"
SLIDERS_FILE, RATINGS_FILE = "mushra.csv", "lss.csv"
_SLIDERS: Final = ("rating_stimulus", "rating_score", "rating_time", "rating_comment")
_STIMULUS, _TIME, _RATING = "stimuli", "rating_time", "stimuli_rating"
_ANCHORS: Final = {"anchor35": LOW_PASSED, "anchor70": LOW_PASSED_7}
_CONTROLS: Final = (REFERENCE, *_ANCHORS.values())
# BS.1534-3: out is who rates the hidden reference below 90 in more than 15 % of the trials
_RULES: Final = {"gold_right": 0.85, "least_answered": 0.5}
_NO_TIME: Final = "1970-01-01T00:00:00+00:00"  # it keeps none
Row = Mapping[str, str]


class _Rating(NamedTuple):
    line: int
    listener: str
    query: str
    system: str
    protocol: str
    answer: str
    milliseconds: str
    note: str


def is_table(path: Path) -> bool:
    """Return whether a table has webMUSHRA's columns."""
    rows = read_csv(path, fix="give a table of answers")
    return bool(rows) and {TEST, PAGE} <= rows[0].keys()


def read(path: Path, protocols: Sequence[str] = ()) -> tuple[ListeningPlan, list[Answer], list[Skip]]:
    """Read ``mushra.csv`` or ``lss.csv``.

    Args:
        path: of the table.
        protocols: what the scales of ``lss.csv`` asked, in the order of its columns.

    Returns:
        (plan as far as it can be told, answers, rows that were left out and why).

    Raises:
        UserError: neither of the two tables, several tests in one, scales and protocols that do not match, listeners
            that cannot be told apart, or no row that can be used.
    """
    rows = read_csv(path, fix="give mushra.csv or lss.csv of webMUSHRA")
    tests = sorted({row.get(TEST) or "" for row in rows})
    if len(tests) != 1:
        raise UserError(f"{path}: results of {len(tests)} tests ({', '.join(tests[:3])}); give those of one")
    ratings = _ratings(path, rows, protocols)
    plan = _plan(f"webMUSHRA:{tests[0]}", ratings)
    skipped: list[Skip] = []
    answers: list[Answer] = []
    numbers = {name: number for number, name in enumerate(dict.fromkeys(one.listener for one in ratings))}
    pages = {trial.query: trial for trial in plan.trials(0)}
    found: set[Key] = set()
    for one in ratings:
        where = f"{path.name} line {one.line}"
        try:
            answer = _answer(plan, one, numbers[one.listener], pages[one.query])
            if answer.key in found:
                raise UserError("a second rating of one sound by one listener; the first stands")
        except UserError as error:
            skipped.append(Skip(f"line-{one.line}", f"{where}: {error}"))
            continue
        found.add(answer.key)
        answers.append(answer)
    if not answers:
        raise UserError(f"{path}: no row can be used; the first: {skipped[0].reason}")
    return plan, answers, skipped


def _ratings(path: Path, rows: Sequence[Row], protocols: Sequence[str]) -> list[_Rating]:
    """Return the rows of either table alike, one per answer."""
    heads = list(rows[0])
    scales = [name for name in heads if name.startswith(_RATING)]
    if {PAGE, *_SLIDERS[:2]} <= set(heads):
        asked = {_SLIDERS[1]: "mushra-like"}
        stimulus, note = _SLIDERS[0], _SLIDERS[3]
    elif {PAGE, _STIMULUS} <= set(heads) and scales:
        if len(protocols) != len(scales) or any(protocol_named(name).layout != "rating" for name in protocols):
            raise UserError(
                f"{path}: its {len(scales)} scales ({', '.join(scales)}) do not say what they asked; give --protocol "
                "mos-fidelity or mos-relevance for each, in this order"
            )
        asked, stimulus, note = dict(zip(scales, protocols, strict=True)), _STIMULUS, ""
    else:
        raise UserError(f"{path}: not mushra.csv or lss.csv of webMUSHRA, whose columns begin with {TEST}")
    who = [SESSION] if SESSION in heads else heads[heads.index(TEST) + 1 : heads.index(PAGE)]
    if not who:
        raise UserError(
            f"{path}: no column tells the listeners apart, since webMUSHRA writes no session here; add one between "
            f"{TEST} and {PAGE}"
        )
    return [
        _Rating(line, _listener(row, who), row[PAGE], _ANCHORS.get(row[stimulus], row[stimulus]), protocol,
                row[column].strip(), row.get(_TIME) or "0", row.get(note) or "")
        for line, row in enumerate(rows, start=2)
        for column, protocol in asked.items()
        if row[column].strip() != "NA"
    ]  # fmt: skip


def _listener(row: Row, who: Sequence[str]) -> str:
    """Return a listener's id: a hash, since names and addresses may stand there."""
    return hashlib.sha256("\0".join(row[name] or "" for name in who).encode()).hexdigest()[:12]


def _plan(test: str, ratings: Sequence[_Rating]) -> ListeningPlan:
    """Return a plan in which every listener is asked about every sound of the table."""
    protocols = tuple(dict.fromkeys(one.protocol for one in ratings))
    by_page: dict[str, list[str]] = {}
    for one in ratings:
        if one.system not in by_page.setdefault(one.query, []):
            by_page[one.query].append(one.system)
    sliders = any(PROTOCOLS[name].layout == "sliders" for name in protocols)
    heard = [
        (query, systems)
        for query, own in by_page.items()
        for systems in ([tuple(own)] if sliders else [(one,) for one in own])
    ]
    trials = tuple(Trial(i, 0, RATED, protocols, query, systems) for i, (query, systems) in enumerate(heard))
    systems = dict.fromkeys(one.system for one in ratings if one.system not in _CONTROLS)
    listeners = len({one.listener for one in ratings})
    return ListeningPlan(
        query="text",
        parts=(SessionPart(protocols, len(trials)),),
        systems=tuple(systems),
        queries=tuple(Query(query, "") for query in by_page),
        sounds={},
        listeners=listeners,
        checks=dict.fromkeys(CHECKS, 0),
        rules=_RULES,
        run_by=test,
        lists=(trials,) * listeners,
    )


def _answer(plan: ListeningPlan, one: _Rating, number: int, page: Trial) -> Answer:
    """Return a rating as an answer.

    Raises:
        UserError: it is not on the scale.
    """
    trial = page
    if len(page.systems) == 1:
        trial = next(t for t in plan.trials(number) if (t.query, t.systems) == (one.query, (one.system,)))
    try:
        seconds = float(one.milliseconds) / 1000
    except ValueError:
        raise UserError(f"time '{one.milliseconds[:40]}' is no number") from None
    return accept(
        plan, one.listener, number, trial.number, one.protocol, one.answer, slider=trial.systems.index(one.system),
        seconds=seconds, played=1.0, time=_NO_TIME, note=one.note,
    )  # fmt: skip


def write(plan: ListeningPlan, answers: Iterable[Answer], folder: Path) -> list[Path]:
    """Write the rated answers as ``mushra.csv`` and ``lss.csv``, as far as there are such; return their paths.

    Args:
        plan: of the test.
        answers: of all listeners.
        folder: of the tables.
    """
    rated = [one for one in sorted(answers, key=lambda one: one.key) if one.kind == RATED]
    names = {system: name for name, system in _ANCHORS.items()}
    sliders = [
        (plan.id, one.listener, one.query, names.get(one.systems[0], one.systems[0]), one.answer,
         round(1000 * one.seconds), one.note)
        for one in rated
        if PROTOCOLS[one.protocol].layout == "sliders"
    ]  # fmt: skip
    scales = [name for name, protocol in plan.protocols.items() if protocol.layout == "rating"]
    heads = [_RATING] if len(scales) == 1 else [f"{_RATING}{i + 1}" for i in range(len(scales))]
    by_sound: dict[tuple[str, str, str], dict[str, Answer]] = {}
    for one in rated:
        if one.protocol in scales:
            by_sound.setdefault((one.listener, one.query, one.systems[0]), {})[one.protocol] = one
    single = [
        (plan.id, who, query, *(own[name].answer if name in own else "NA" for name in scales), system,
         round(1000 * sum(one.seconds for one in own.values())))
        for (who, query, system), own in by_sound.items()
    ]  # fmt: skip
    tables: list[tuple[str, Sequence[str], Sequence[Sequence[object]]]] = [
        (SLIDERS_FILE, (TEST, SESSION, PAGE, *_SLIDERS), sliders),
        (RATINGS_FILE, (TEST, "listener", PAGE, *heads, _STIMULUS, _TIME), single),
    ]
    written = []
    for name, columns, rows in tables:
        if rows:
            write_csv(folder / name, columns, rows)
            written.append(folder / name)
    return written
