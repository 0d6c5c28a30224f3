"""Answers are checked against the plan when they come and when they are read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from listening_plans import RATINGS, plan

from clipsonic_eval.errors import UserError
from clipsonic_eval.files import read_csv, write_csv
from clipsonic_eval.listening import answers
from clipsonic_eval.listening.plan import ListeningPlan
from clipsonic_eval.listening.protocols import PROTOCOLS
from clipsonic_eval.listening.trials import RATED, SessionPart

TIME = "2026-01-02T03:04:05+00:00"


def session(made: ListeningPlan, listener: str, number: int) -> list[answers.Answer]:
    found = []
    for trial in made.trials(number):
        for protocol in trial.protocols:
            layout = PROTOCOLS[protocol].layout if protocol in PROTOCOLS else "check"
            choice = {"check": trial.expected, "rating": "3", "pair": "equal", "sliders": "50"}[layout]
            for slider in range(len(trial.systems) if layout == "sliders" else 1):
                found.append(
                    answers.accept(
                        made, listener, number, trial.number, protocol, choice, slider=slider, seconds=2.0, played=1.0,
                        time=TIME,
                    )
                )  # fmt: skip
    return found


def everything() -> ListeningPlan:
    return plan(3, 12, RATINGS, SessionPart(("preference",), 6), SessionPart(("mushra-like",), 3))


def test_answers_read_back_as_they_were_written(tmp_path: Path) -> None:
    made = everything()
    given = [*session(made, "anna", 0), *session(made, "ben", 1)]
    answers.write(tmp_path / "answers.csv", given)
    found, skipped = answers.read(tmp_path / "answers.csv", made)
    assert skipped == []
    assert sorted(found) == sorted(given)


def test_answers_of_another_plan_are_refused(tmp_path: Path) -> None:
    answers.write(tmp_path / "a.csv", session(plan(seed=1), "anna", 0))
    with pytest.raises(UserError, match=rf"answers of plan {plan(seed=1).id}, and the plan given is {plan().id}"):
        answers.read(tmp_path / "a.csv", plan())


def test_a_few_foreign_rows_are_left_out_by_line(tmp_path: Path) -> None:
    own, foreign = session(plan(), "anna", 0), session(plan(seed=1), "zoe", 0)[:2]
    answers.write(tmp_path / "a.csv", [*own, *foreign])
    found, skipped = answers.read(tmp_path / "a.csv", plan())
    assert len(found) == len(own)
    assert all("an answer of plan" in skip.reason for skip in skipped)
    assert len(skipped) == 2


@pytest.mark.parametrize(
    ("column", "value", "why"),
    [
        ("answer", "6", "is no answer to"),
        ("answer", "", "is no answer to"),
        ("trial", "999", "none has number 999"),
        ("trial", "-1", "no whole number"),
        ("number", "1e3", "no whole number"),
        ("protocol", "preference", "does not ask 'preference'"),
        ("query", "q999", "this row is rated of 'q999'"),
        ("systems", "S9", "with S9"),
        ("kind", "gold", "this row is gold"),
        ("seconds", "nan", "no number from 0"),
        ("played", "-1", "no number from 0"),
        ("time", "yesterday", "is not ISO 8601"),
        ("listener", "", "no listener"),
    ],
)
def test_a_row_that_the_plan_does_not_ask_for_is_left_out_with_the_reason(
    tmp_path: Path, column: str, value: str, why: str
) -> None:
    made = plan()
    path = tmp_path / "a.csv"
    answers.write(path, session(made, "anna", 0))
    rows = read_csv(path)
    index = next(i for i, row in enumerate(rows) if row["kind"] == RATED)
    rows[index][column] = value
    write_csv(path, answers.COLUMNS, rows)
    found, skipped = answers.read(path, made)
    assert len(found) == len(rows) - 1
    assert skipped[0].reason.startswith(f"a.csv line {index + 2}: ")
    assert why in skipped[0].reason


def test_of_two_answers_to_one_question_the_first_by_time_stays(tmp_path: Path) -> None:
    made = plan()
    given = session(made, "anna", 0)
    rated = next(one for one in given if one.kind == RATED)
    second = rated._replace(answer="5", time="2026-01-02T03:05:00+00:00")
    answers.write(tmp_path / "a.csv", [second, *given])
    found, skipped = answers.read(tmp_path / "a.csv", made)
    assert rated in found
    assert second not in found
    assert ["a second answer to one question, '3' before" in skip.reason for skip in skipped] == [True]


@pytest.mark.parametrize("text", ["", "key,prompt\na,b\n", "plan,listener\n"])
def test_what_is_no_table_of_answers_is_refused_in_a_sentence(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(text)
    with pytest.raises(UserError, match=r"a\.csv"):
        answers.read(path, plan())


@pytest.mark.parametrize(
    "given",
    [{"trial": 10_000}, {"number": -1}, {"protocol": "mushra-like"}, {"answer": "0"}, {"seconds": "inf"}],
)
def test_what_a_browser_may_not_report_is_refused(given: dict[str, Any]) -> None:
    made = plan()
    trial = next(t for t in made.trials(0) if t.kind == RATED)
    values = {"number": 0, "trial": trial.number, "protocol": "mos-fidelity", "answer": "3", **given}
    with pytest.raises(UserError):
        answers.accept(made, "anna", **values)
