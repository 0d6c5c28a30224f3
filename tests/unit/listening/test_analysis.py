"""From answers to a record: values, intervals, comparisons, exclusions, relation to metrics."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from listening_plans import RATINGS, plan, simulated

from clipsonic_eval import records
from clipsonic_eval.analysis import parts, results, runs
from clipsonic_eval.analysis.catalogue import Catalogue
from clipsonic_eval.errors import UserError
from clipsonic_eval.files import read_csv
from clipsonic_eval.listening import analysis, opinions, run_folder
from clipsonic_eval.listening.analysis import ListeningResult
from clipsonic_eval.listening.answers import Answer
from clipsonic_eval.listening.exclusion import apply_rules, kept_listeners
from clipsonic_eval.listening.plan import ListeningPlan
from clipsonic_eval.listening.relation import relations
from clipsonic_eval.listening.trials import GOLD, HEADPHONES, RATED, REPEAT, TRAP, SessionPart
from clipsonic_eval.records import RunRecord
from clipsonic_eval.reporting import listening as page
from clipsonic_eval.reporting import tables
from clipsonic_eval.study.catalogue import CLIPSONIC
from clipsonic_eval.types import Score

PAIRS, SLIDERS = SessionPart(("preference",), 12), SessionPart(("mushra-like",), 6)
QUICK = {"n_boot": 200}


@pytest.fixture(scope="module")
def made() -> ListeningPlan:
    return plan(3, 24, RATINGS, PAIRS, SLIDERS)


@pytest.fixture(scope="module")
def answers(made: ListeningPlan) -> list[Answer]:
    return simulated(made, 12, seed=3)


@pytest.fixture(scope="module")
def result(made: ListeningPlan, answers: list[Answer]) -> ListeningResult:
    return analysis.analyse(made, answers, **QUICK)


def test_a_mean_opinion_is_the_mean_of_the_rated_answers(result: ListeningResult, answers: list[Answer]) -> None:
    own = [
        float(a.answer) for a in answers if a.kind == RATED and a.protocol == "mos-fidelity" and a.systems == ("S1",)
    ]
    score = result.record["S1", "mos-fidelity"]
    assert score.value == pytest.approx(np.mean(own))
    assert score.n_rows == len(own) == score.details["answers"]
    assert score.ci is not None
    assert score.ci[0] < score.value < score.ci[1]
    assert score.details["naive_high"] - score.details["naive_low"] < score.ci[1] - score.ci[0]


def test_the_better_system_is_better_by_every_protocol(result: ListeningResult) -> None:
    for metric in ("mos-fidelity", "mos-relevance", "preference", "mushra-like"):
        values = [result.record[name, metric].value for name in ("S1", "S0", "S2")]
        assert values == sorted(values, reverse=True)
        found = result.record.comparison(metric, "S1", "S2")
        assert found is not None
        assert found.p_holm < 0.05
        assert found.ci is not None
        assert found.ci[0] > 0


def test_controls_of_sliders_go_by_the_names_of_evaluations(result: ListeningResult) -> None:
    own = {score.system for score in result.record.scores if score.metric == "mushra-like"}
    assert own == {"S0", "S1", "S2", "real", "shuffled", "anchor-3.5kHz"}
    assert result.record["real", "mushra-like"].value > 90


def test_controls_are_controls_in_reports_and_are_not_compared(result: ListeningResult) -> None:
    for catalogue in (Catalogue(), CLIPSONIC):
        completed = catalogue.completed((*result.record.system_names, "reference", "anchor-shuffled"))
        controls = {style.name for style in completed.systems if completed.is_control(style.name)}
        assert controls == {"real", "shuffled", "anchor-3.5kHz", "noise", "reference", "anchor-shuffled"} & {
            style.name for style in completed.systems
        }
        assert {"S0", "S1", "S2"} == {style.name for style in completed.systems} - controls
    compared = [(c.a, c.b) for c in result.record.comparisons if c.metric == "mushra-like"]
    assert compared == [("S0", "S1"), ("S0", "S2"), ("S1", "S2")]


def test_systems_stand_in_the_order_of_the_plan_and_controls_after_them() -> None:
    made = dataclasses.replace(plan(3, 24, SLIDERS), systems=("S2", "S0", "S1"))
    found = opinions.ratings(made, simulated(made, 2), "mushra-like")
    assert found is not None
    assert found.names[:4] == ("S2", "S0", "S1", "real")
    assert found.tested == 3


def test_a_signature_names_test_protocol_and_rules_and_compares_only_within_them(result: ListeningResult) -> None:
    own, other = result.record["S0", "mos-fidelity"], result.everyone["S0", "mos-fidelity"]
    assert own.signature.startswith("mos-fidelity|num:1|query:text|scale:1-5|asked:query-hidden|test:")
    assert "|listeners:rules-" in own.signature
    assert "|listeners:all|" in other.signature
    assert own.details["all_listeners"] == other.value


def test_attentive_listeners_break_no_rule(made: ListeningPlan, answers: list[Answer]) -> None:
    checks = apply_rules(made, answers)
    assert {c.rule for c in checks if not c.kept} <= {"gold_right"}
    assert len(kept_listeners(checks)) >= 9


def spoiled(answers: list[Answer], rule: str) -> list[Answer]:
    """The same answers, but the first listener breaks a rule."""

    def change(a: Answer) -> Answer | None:
        if a.listener != "L000":
            return a
        wrong = {"1": "2", "2": "3", "3": "1"}
        match rule:
            case "headphones_right" if a.kind == HEADPHONES:
                return a._replace(answer=wrong[a.answer])
            case "side_right" if a.kind == "side":
                return a._replace(answer="left" if a.answer == "right" else "right")
            case "trap_right" if a.kind == TRAP and a.protocol != "preference":
                return a._replace(answer="1" if a.answer != "1" else "2")
            case "gold_right" if a.kind == GOLD and a.protocol != "preference":
                return a._replace(answer="3")
            case "repeat_distance" if a.kind == REPEAT and a.protocol.startswith("mos"):
                return a._replace(answer="1" if a.answer >= "3" else "5")
            case "too_fast" if a.kind == RATED:
                return a._replace(played=0.2)
            case "least_sd" if a.kind == RATED:
                return a._replace(answer="3" if a.protocol.startswith("mos") else "equal")
            case "least_answered":
                return a if a.trial < 10 else None
        return a

    return [changed for a in answers if (changed := change(a)) is not None]


RULES = (
    "headphones_right", "side_right", "trap_right", "gold_right", "repeat_distance", "too_fast", "least_sd",
    "least_answered",
)  # fmt: skip


@pytest.mark.parametrize("rule", RULES)
def test_a_listener_who_breaks_a_rule_is_recorded_and_excluded_and_stays_in_the_other_record(rule: str) -> None:
    made = plan(3, 24, RATINGS, PAIRS)
    answers = spoiled(simulated(made, 8, seed=3), rule)
    broken = [c for c in apply_rules(made, answers) if c.listener == "L000" and not c.kept]
    assert rule in {c.rule for c in broken}
    result = analysis.analyse(made, answers, **QUICK)
    assert result.record["S0", "mos-fidelity"].details["listeners"] <= 7
    assert result.everyone["S0", "mos-fidelity"].details["listeners"] == 8 - (rule == "least_answered")


def test_where_everyone_broke_a_rule_no_number_is_given(made: ListeningPlan, answers: list[Answer]) -> None:
    silent = [a._replace(played=0.0) for a in answers]
    with pytest.raises(UserError, match="every listener broke a rule of the plan"):
        analysis.analyse(made, silent, **QUICK)


def test_one_listener_is_a_sentence(made: ListeningPlan, answers: list[Answer]) -> None:
    own = [a for a in answers if a.listener == "L002"]
    with pytest.raises(UserError, match="needs two of each, got 1 listeners"):
        analysis.analyse(made, own, **QUICK)


def test_a_protocol_that_cannot_be_computed_leaves_the_others(made: ListeningPlan, answers: list[Answer]) -> None:
    one_sided = [
        a._replace(answer="left" if a.systems[0] == "S1" else "right")
        if a.protocol == "preference" and "S1" in a.systems
        else a
        for a in answers
    ]  # fmt: skip
    result = analysis.analyse(made, one_sided, **QUICK)
    assert "preference" not in result.record.metric_names
    assert "1 is 'S1'" in result.record.findings["listening"][0].sentence
    assert "mos-fidelity" in result.record.metric_names


def test_agreement_and_the_ordinal_model_stand_beside(result: ListeningResult) -> None:
    assert [row["metric"] for row in result.agreement] == ["mos-fidelity", "mos-relevance", "mushra-like"]
    assert all(0 < row["alpha"] < 1 for row in result.agreement)
    assert {row["metric"] for row in result.ordinal} == {"mos-fidelity", "mos-relevance"}
    best = next(row for row in result.ordinal if (row["a"], row["b"]) == ("S1", "S2"))
    assert best["log_odds"] > 0
    assert np.mean([row["with_others"] for row in result.listeners if row["with_others"] is not None]) > 0.2


def test_the_run_folder_reads_back_and_the_page_has_every_number(tmp_path: Path, result: ListeningResult) -> None:
    run_folder.write(result, tmp_path / "run")
    written = page.write(result, [], [], tmp_path / "run").read_text()
    read = records.read(tmp_path / "run")
    assert read.scores == result.record.scores
    assert records.read(tmp_path / "run" / "all_listeners")["S0", "mos-fidelity"].n_rows > 0
    assert len(read_csv(tmp_path / "run" / "rules.csv")) == len(result.checks)
    for score in result.record.scores:
        assert f"{score.value:.{1 if score.metric == 'mushra-like' else 2}f}".replace("-", "−") in written
    run_folder.write(result, tmp_path / "run")
    other = analysis.analyse(plan(3, 24), simulated(plan(3, 24), 8), **QUICK)
    with pytest.raises(UserError, match="holds a run of `listen analyse` with other settings"):
        run_folder.write(other, tmp_path / "run")


def test_the_same_answers_give_the_same_record_in_any_order(made: ListeningPlan, answers: list[Answer]) -> None:
    again = analysis.analyse(made, answers[::-1], **QUICK)
    first = analysis.analyse(made, answers, **QUICK)
    assert again.record.scores == first.record.scores
    assert again.record.comparisons == first.record.comparisons
    assert again.record.hashes == first.record.hashes


def test_a_report_shows_opinions_beside_metrics_with_the_tests_over_listeners(result: ListeningResult) -> None:
    fad = tuple(
        Score("fad", name, value, (value - 0.1, value + 0.1), "toy", 24, 24, "squared distance", False, "fad|n:24")
        for name, value in (("S0", 1.0), ("S1", 0.5), ("S2", 2.0))
    )
    found = results.analyse(parts.sort(runs.find([RunRecord("evaluate", fad), result.record])))
    table = tables.results(found.table, found.catalogue)
    shown = table.heads
    for caption in (table.caption, tables.comparisons(found.table.comparisons).caption):
        assert "of what listeners said over listeners too" in caption
    assert {"MOS fidelity ↑", "MOS relevance ↑", "Preference ↑", "MUSHRA-like ↑"} <= set(shown)
    pooled = found.table.comparison("mos-fidelity", "S0", "S1")
    own = result.record.comparison("mos-fidelity", "S0", "S1")
    assert pooled is not None
    assert own is not None
    assert (pooled.difference, pooled.ci, pooled.p_value, pooled.test) == (
        own.difference,
        own.ci,
        own.p_value,
        own.test,
    )


def measured(heard: RunRecord, sign: float, higher: bool) -> RunRecord:
    scores = [
        Score("toy", s.system, sign * s.value, None, "none", s.n, s.n, "", higher, "toy|n:1",
              per_clip={k: sign * v for k, v in s.per_clip.items()})
        for s in heard.scores
        if s.metric == "mos-fidelity"
    ]  # fmt: skip
    return RunRecord("evaluate", tuple(scores))


@pytest.mark.parametrize(("sign", "higher"), [(1.0, True), (-2.0, False)])
def test_a_metric_that_says_what_listeners_say_is_related_whatever_its_direction(sign: float, higher: bool) -> None:
    made = plan(5, 30, SessionPart(("mos-fidelity",), 15))
    heard = analysis.analyse(made, simulated(made, 10, effects=(2.0, 2.5, 3.0, 3.5, 4.0)), **QUICK).record
    by_system, by_clip = relations(heard, [measured(heard, sign, higher)], n_boot=100)
    assert (by_system.over, by_clip.over) == ("systems", "clips")
    for found in (by_system, by_clip):
        assert found.r == pytest.approx(1.0)
        assert found.rank == pytest.approx(1.0)
    assert by_system.n == 5


def test_a_control_does_not_make_a_metric_agree() -> None:
    made = plan(5, 30, SessionPart(("mos-fidelity",), 15))
    heard = analysis.analyse(made, simulated(made, 10, effects=(3.0, 3.0, 3.0, 3.0, 1.0)), **QUICK).record
    kept = relations(heard, [measured(heard, 1.0, True)], controls=["S4"], n_boot=100)
    assert [found.n for found in kept if found.over == "systems"] == [4]
    assert kept[1].n == sum(len(s.per_clip) for s in heard.scores if s.system != "S4")


def test_an_unrelated_metric_has_an_interval_around_zero() -> None:
    made = plan(5, 60, SessionPart(("mos-fidelity",), 30))
    heard = analysis.analyse(made, simulated(made, 20, effects=(2.0, 2.5, 3.0, 3.5, 4.0)), **QUICK).record
    rng = np.random.default_rng(0)
    scores = [
        Score("toy", s.system, float(rng.normal()), None, "none", s.n, s.n, "", True, "toy|n:1",
              per_clip={k: float(rng.normal()) for k in s.per_clip})
        for s in heard.scores
    ]  # fmt: skip
    _, by_clip = relations(heard, [RunRecord("evaluate", tuple(scores))], n_boot=500)
    assert by_clip.low < 0 < by_clip.high


def test_two_systems_are_too_few_for_a_relation_by_system(result: ListeningResult) -> None:
    found = relations(result.record, [measured(result.record, 1.0, True)], n_boot=50)
    assert {r.over for r in found} == {"clips"}
