from __future__ import annotations

import pytest
from unit.report.gate.gate_results import EMPTY, FULL, REFUSAL, clap, evidence, result, verdict

from clipsonic_eval.gate.verdicts import GateResult
from clipsonic_eval.reporting.gate import rows


def test_the_interval_of_a_change_is_in_the_direction_of_the_value_not_of_the_harm() -> None:
    assert rows.change(verdict()) == "+0.50 [0.20, 0.80]"
    assert rows.change(clap()) == "−0.020 [−0.035, −0.005]"


def test_a_small_change_is_shown_with_the_digits_that_show_it() -> None:
    moved = verdict(candidate=23.400034, evidence=None)
    assert rows.values(moved) == "23.40000000 → 23.40003400"
    assert rows.change(moved) == "+0.00003400"
    assert rows.change(verdict(candidate=23.4, evidence=None)) == "0.00"


def test_numbers_that_are_not_numbers_are_shown() -> None:
    broken = verdict(candidate=float("nan"), evidence=evidence(float("nan"), float("-inf"), float("inf")))
    assert rows.values(broken) == "23.400 → nan"
    assert rows.change(broken) == "+nan [−inf, inf]"


def test_the_worse_come_first_and_the_rest_keeps_its_order() -> None:
    names = [(v.system, v.outcome) for v in rows.ordered(FULL)]
    assert names == [("PD", "worse"), ("PD", "cannot tell"), ("ZS", "not worse")]


def test_each_question_is_named_once_with_its_error_term() -> None:
    assert rows.questions(FULL) == [rows.QUESTIONS["same queries"]]
    both = rows.questions(result(verdict(), verdict(question="recipe"), verdict()))
    assert both == [rows.QUESTIONS["same queries"], rows.QUESTIONS["recipe"]]


@pytest.mark.parametrize(
    ("found", "line"),
    [
        (EMPTY, "Gate: cannot be compared (nothing was compared)"),
        (FULL, "Gate: worse (1 worse, 1 cannot tell, 1 not worse, 1 refused)"),
        (result(verdict()), "Gate: not worse (1 not worse)"),
        (result(verdict(), clap()), "Gate: cannot tell (1 cannot tell, 1 not worse)"),
        (result(verdict(), refusals=(REFUSAL,)), "Gate: cannot be compared (1 not worse, 1 refused)"),
    ],
)
def test_the_outcome_is_what_the_exit_code_says(found: GateResult, line: str) -> None:
    assert rows.outcome(found) == line


def test_intervals_and_tests_are_explained_only_where_there_are_any() -> None:
    assert "one-sided 95 %" in rows.caption(FULL)
    equal = result(verdict(question="same weights", evidence=None))
    assert rows.caption(equal) == "Change: candidate minus baseline."


def test_a_limit_is_named_with_its_metric_once() -> None:
    assert rows.subject(verdict()) == "PD fad<+3%"
    assert rows.subject(verdict(limit="<+3%")) == "PD fad <+3%"
    assert rows.subject(verdict(limit="PD:fad<+3%")) == "PD fad<+3%"
    assert rows.subject(verdict(limit="", system="")) == "fad"


def test_a_note_on_the_question_does_not_name_it_as_one_again() -> None:
    found = result(verdict(), notes=("question: same queries, as asked for", "ZS is new\nand was not compared"))
    assert rows.notes(found) == ["same queries, as asked for", r"ZS is new\nand was not compared"]


def test_a_side_without_a_name_or_records_still_reads() -> None:
    assert rows.side({}) == "unnamed"
    assert rows.side({"name": "runs/\x1beval", "commit": None}) == r"runs/\x1beval"
