"""Made-up listeners answer every question of a plan by given means, and records say that they are made up."""

from __future__ import annotations

import numpy as np
import pytest
from listening_plans import RATINGS, plan

from clipsonic_eval.errors import ConfigError, UserError
from clipsonic_eval.listening import analysis, opinions
from clipsonic_eval.listening.answers import Answer
from clipsonic_eval.listening.exclusion import apply_rules, kept_listeners
from clipsonic_eval.listening.plan import ListeningPlan
from clipsonic_eval.listening.protocols import PROTOCOLS
from clipsonic_eval.listening.rehearsal import rehearse
from clipsonic_eval.listening.trials import SessionPart
from clipsonic_eval.stats.crossed import VarianceComponents

MADE = plan(3, 24, RATINGS, SessionPart(("preference",), 12), SessionPart(("mushra-like",), 6))


def questions(made: ListeningPlan, number: int) -> int:
    sliders = {name for name, protocol in PROTOCOLS.items() if protocol.layout == "sliders"}
    return sum(len(t.systems) if name in sliders else 1 for t in made.trials(number) for name in t.protocols)


def values(found: list[Answer], system: str) -> list[float]:
    own = [a for a in found if a.kind == "rated" and a.protocol == "mos-fidelity" and a.systems == (system,)]
    return [float(a.answer) for a in own]


def test_every_question_of_every_listener_is_answered_once() -> None:
    found = rehearse(MADE, listeners=4)
    assert len({one.key for one in found}) == len(found) == sum(questions(MADE, number) for number in range(4))
    assert {one.listener for one in found} == {f"simulated-000{i}" for i in range(4)}


def test_the_number_of_listeners_is_that_of_the_plan() -> None:
    made = plan(2, 6, SessionPart(("mos-fidelity",), 4), listeners=3)
    assert {one.number for one in rehearse(made)} == {0, 1, 2}


def test_opinions_are_those_that_were_asked_for() -> None:
    made = plan(2, 60, SessionPart(("mos-fidelity",), 60))
    quiet = VarianceComponents(0.01, 0.01, 0.25)
    found = rehearse(made, {"S0": 3.5, "S1": 2.5}, listeners=40, components=quiet)
    assert np.mean(values(found, "S0")) == pytest.approx(3.5, abs=0.05)
    assert np.mean(values(found, "S1")) == pytest.approx(2.5, abs=0.05)


def test_variances_come_back() -> None:
    made = plan(2, 60, SessionPart(("mos-fidelity",), 60))
    found = opinions.ratings(
        made, rehearse(made, listeners=60, components=VarianceComponents(0.5, 0.2, 0.8)), "mos-fidelity"
    )
    assert found is not None
    spread = found.values.var()
    assert spread == pytest.approx(0.5 + 0.2 + 0.8 + 1 / 12, rel=0.2)  # and the variance of rounding


def test_earlier_listeners_answer_alike_whoever_comes_later() -> None:
    assert rehearse(MADE, listeners=5, seed=1)[: len(rehearse(MADE, listeners=2, seed=1))] == rehearse(
        MADE, listeners=2, seed=1
    )
    assert rehearse(MADE, listeners=2, seed=1) != rehearse(MADE, listeners=2, seed=2)


def test_attentive_listeners_are_kept_and_careless_ones_excluded() -> None:
    found = rehearse(MADE, listeners=10, careless=4)
    kept = kept_listeners(apply_rules(MADE, found))
    assert not kept & {f"simulated-000{i}" for i in range(4)}
    assert len(kept) == 6


def test_a_record_of_made_up_answers_says_so_and_compares_with_no_other() -> None:
    found = rehearse(MADE, {"S0": 3.5}, listeners=8)
    result = analysis.analyse(MADE, found, n_boot=100)
    for record in (result.record, result.everyone):
        (finding,) = [f for f in record.findings["listening"] if f.check == "simulated"]
        assert finding.severity == "error"
        assert "say nothing about the systems" in finding.sentence
        assert all("-simulated|" in score.signature for score in record.scores)


@pytest.mark.parametrize(
    ("settings", "error", "why"),
    [
        ({"means": {"S9": 3.0}}, UserError, "unknown system 'S9'"),
        ({"means": {"S0": 7.0}}, ConfigError, "give a number from 1 to 5"),
        ({"careless": 3, "listeners": 2}, ConfigError, "3 careless listeners of 2"),
        ({"listeners": 0}, ConfigError, "at least one listener"),
    ],
)
def test_what_cannot_be_made_up_is_refused(settings: dict[str, object], error: type[Exception], why: str) -> None:
    with pytest.raises(error, match=why):
        rehearse(MADE, **settings)  # type: ignore[arg-type]
