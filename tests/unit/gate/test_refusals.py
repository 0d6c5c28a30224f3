"""What the gate refuses: each by name, with a sentence, and never green because nothing ran."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from unit.gate.made import clip_score, clips, keys, moved, record, set_score

from clipsonic_eval.gate.check import check
from clipsonic_eval.gate.limits import Limits, from_texts
from clipsonic_eval.gate.verdicts import EXIT_REFUSED, GateResult
from clipsonic_eval.records import RunRecord
from clipsonic_eval.types import Score

OLD = record(clip_score(clips()), set_score(10 + clips(1)))


def with_score(run: RunRecord, metric: str, **changes: Any) -> RunRecord:
    scores = [dataclasses.replace(s, **changes) if s.metric == metric else s for s in run.scores]
    return moved(run, scores=tuple(scores))


def refused(
    new: RunRecord | Sequence[RunRecord], *texts: str, old: RunRecord | Sequence[RunRecord] = OLD, **more: Any
) -> str:
    """Return the sentence of the only refusal of a call that must not pass."""
    result = judged(new, *texts, old=old, **more)
    assert result.verdicts == ()
    assert result.exit_code() == EXIT_REFUSED
    (only,) = result.refusals
    return only.sentence


def judged(
    new: RunRecord | Sequence[RunRecord], *texts: str, old: RunRecord | Sequence[RunRecord] = OLD, **more: Any
) -> GateResult:
    sides = [[side] if isinstance(side, RunRecord) else side for side in (new, old)]
    return check(*sides, from_texts(texts), **more)


def test_no_records() -> None:
    assert "the candidate has no records, so nothing was compared" in refused([], "fad<+3%")
    assert "the baseline has no records" in refused(OLD, "fad<+3%", old=[])


def test_records_without_scores() -> None:
    assert "the candidate has no scores" in refused(moved(OLD, scores=()), "fad<+3%")


def test_a_record_compared_with_itself() -> None:
    assert "compared with itself" in refused(OLD, "fad<+3%")


def test_a_record_compared_with_itself_after_it_lost_its_values_per_clip() -> None:
    bare = tuple(dataclasses.replace(s, per_clip={}, influence={}, reference_influence={}) for s in OLD.scores)
    assert "compared with itself" in refused(dataclasses.replace(OLD, scores=bare), "fad<+3%")


def test_one_seed_that_stands_on_both_sides() -> None:
    seeds = [moved(OLD, tags={"train_seed": str(s)}, provenance={"created": f"day {s}"}) for s in range(3)]
    assert "compared with itself" in refused([seeds[2]], "fad<+3%", old=seeds)


def test_a_metric_that_neither_side_has() -> None:
    assert "unknown metric 'fda'. Did you mean 'fad'?" in refused(moved(OLD), "fda<+3%")


def test_a_system_that_neither_side_has() -> None:
    assert "unknown system 'pd'. Did you mean 'PD'?" in refused(moved(OLD), "pd:fad<+3%")


def test_a_metric_that_vanished() -> None:
    new = moved(OLD, scores=OLD.scores[:1])
    assert "fad of 'PD' has vanished: the baseline has it" in refused(new, "fad<+3%")


def test_a_metric_that_vanished_stops_a_call_whose_other_limits_pass() -> None:
    result = judged(moved(OLD, scores=OLD.scores[:1]), "fad<+3%", "clap_score>-0.01")
    assert [v.outcome for v in result.verdicts] == ["not worse"]
    assert result.exit_code() == EXIT_REFUSED


def test_a_system_that_vanished() -> None:
    old = record(*OLD.scores, clip_score(clips(2), system="ZS"))
    result = judged(moved(OLD), "clap_score>-0.01", old=old)
    assert [r.sentence for r in result.refusals] == [
        "system 'ZS' has vanished: the baseline has it and the candidate has not; evaluate it"
    ]
    assert result.exit_code() == EXIT_REFUSED


def test_a_system_that_vanished_and_no_limit_is_for_is_left_alone() -> None:
    old = record(*OLD.scores, clip_score(clips(2), system="ZS"))
    assert judged(moved(OLD), "fad<+3%", old=old).exit_code() == 0
    assert judged(moved(OLD), "PD:clap_score>-0.01", old=old).exit_code() == 0


def test_a_metric_that_only_the_candidate_has() -> None:
    new = moved(OLD, scores=(*OLD.scores, clip_score(clips(3), "kl")))
    assert "the baseline has none; pin a newer baseline" in refused(new, "PD:kl<+1")
    assert "no compared system of the baseline has kl" in refused(new, "kl<+1")


def test_no_system_in_common() -> None:
    new = moved(OLD, scores=tuple(dataclasses.replace(s, system="PD-2") for s in OLD.scores))
    assert "no system in common: the baseline has PD, the candidate PD-2; name a pair" in refused(new, "fad<+3%")


def test_an_unknown_name_in_a_pair_of_systems() -> None:
    assert "unknown system of the baseline 'XX'" in refused(moved(OLD), "fad<+3%", systems={"XX": "PD"})
    assert "unknown system of the candidate 'XX'" in refused(moved(OLD), "fad<+3%", systems={"PD": "XX"})


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_value_that_is_no_number(value: float) -> None:
    assert f"its value is {value}" in refused(with_score(OLD, "fad", value=value), "fad<+3%")


def test_another_convention() -> None:
    other = OLD["PD", "fad"].signature.replace("cov:n-1", "cov:n")
    said = refused(with_score(OLD, "fad", signature=other), "fad<+3%")
    assert "the two sides do not compare (divisor of the covariance: n-1 against n)" in said


def test_another_reference_or_other_queries() -> None:
    other = OLD["PD", "clap_score"].signature.replace("queries:1f2e3d4c", "queries:00000000")
    said = refused(with_score(OLD, "clap_score", signature=other), "clap_score>-0.01")
    assert "queries with their prompts and labels: 1f2e3d4c against 00000000" in said


def test_another_release_alone_compares() -> None:
    other = OLD["PD", "fad"].signature.replace("v:0.1.0", "v:0.2.0")
    assert judged(with_score(OLD, "fad", signature=other), "fad<+3%").exit_code() == 0


def test_another_n_under_fad() -> None:
    fewer = set_score(10 + clips(1)[:198], names=keys(198))
    said = refused(moved(OLD, scores=(fewer,)), "fad<+3%")
    assert "n is 198 and 200, and its expectation depends on n" in said


def test_fewer_common_keys_than_95_percent() -> None:
    fewer = clip_score(clips()[:180], names=keys(200)[20:])
    said = refused(moved(OLD, scores=(fewer,)), "clap_score>-0.01")
    assert "180 of 200 queries (90 %) were answered by both sides, and the least is 95 %" in said


def test_the_least_share_of_common_keys_can_be_set() -> None:
    fewer = clip_score(clips()[:180], names=keys(200)[:180])
    limits = Limits(from_texts(["clap_score>-0.01"]).limits, min_common=0.9)
    assert check([moved(OLD, scores=(fewer,))], [OLD], limits).exit_code() == 0


def test_no_common_keys() -> None:
    other = clip_score(clips(), names=[f"other{i}" for i in range(200)])
    assert "no query in common" in refused(moved(OLD, scores=(other,)), "clap_score>-0.01")


@pytest.mark.parametrize("text", ["fad<+3%", "clap_score>-0.01"])
def test_a_record_without_values_per_clip(text: str) -> None:
    bare = tuple(dataclasses.replace(s, per_clip={}, influence={}, reference_influence={}) for s in OLD.scores)
    assert "no values per clip, so nothing can be paired" in refused(moved(OLD, scores=bare), text)


@pytest.mark.parametrize(("text", "why"), [("clap_score<+1%", "higher is better"), ("fad>-1%", "lower is better")])
def test_a_limit_in_the_wrong_direction(text: str, why: str) -> None:
    assert why in refused(moved(OLD), text)


@pytest.mark.parametrize("ci", [(-0.001, 0.2), None])
def test_a_share_of_a_value_near_zero(ci: tuple[float, float] | None) -> None:
    value = 0.1 if ci else 0.0
    old = with_score(OLD, "clap_score", value=value, ci=ci)
    said = refused(OLD, "clap_score>-5%", old=old)
    assert "a share of it means nothing; give the limit in the metric's unit" in said
    assert judged(OLD, "clap_score>-0.01", old=old).verdicts


def test_too_few_clips_for_a_test() -> None:
    old = record(clip_score(clips(n=3)))
    assert "clap_score of 'PD': " in refused(moved(old), "clap_score>-0.01", old=old)


def test_records_of_two_kinds_and_pooled_ones() -> None:
    assert "records of kinds evaluate and gap do not compare" in refused(moved(OLD, kind="gap"), "fad<+3%")
    pooled = dataclasses.replace(OLD, kind="pooled")
    assert "give the run folders that they were pooled from" in refused(moved(pooled), "fad<+3%", old=pooled)


def test_several_records_without_training_seeds_or_with_one_twice() -> None:
    day = [moved(OLD, provenance={"created": str(i)}) for i in range(3)]
    assert "2 without the tag train_seed" in refused(day[:2], "fad<+3%")
    twice = [moved(one, tags={"train_seed": "7"}, provenance=one.provenance) for one in day[:2]]
    twice = [dataclasses.replace(one, provenance=d.provenance) for one, d in zip(twice, day, strict=False)]
    assert "training seed 7 stands in several records" in refused(twice, "fad<+3%")


def test_a_question_that_does_not_suit_the_records() -> None:
    assert "question 'cost' does not suit records of kind 'evaluate'" in refused(moved(OLD), "fad<+3%", question="cost")


def test_controls_are_compared_where_a_limit_names_them() -> None:
    real = clip_score(clips(6), system="real")
    old, new = record(*OLD.scores, real), moved(record(*OLD.scores, real))
    assert [v.system for v in judged(new, "clap_score>-0.01", old=old).verdicts] == ["PD"]
    assert [v.system for v in judged(new, "real:clap_score>-0.01", old=old).verdicts] == ["real"]


def test_a_renamed_system_takes_its_own_limit_by_either_name_and_no_second_one() -> None:
    new = moved(OLD, scores=tuple(dataclasses.replace(s, system="PD-2") for s in OLD.scores))
    for own in ("PD:fad<+5%", "PD-2:fad<+5%"):
        result = judged(new, "fad<+3%", own, systems={"PD": "PD-2"})
        assert [v.limit for v in result.verdicts] == [own]


def test_what_is_new_in_the_candidate_is_noted() -> None:
    new = moved(OLD, scores=(*OLD.scores, clip_score(clips(3), system="SD")))
    result = judged(new, "clap_score>-0.01")
    assert "new in the candidate and not compared: SD" in result.notes
    assert result.exit_code() == 0


@pytest.mark.parametrize("make", [lambda s: dataclasses.replace(s, value=-s.value), lambda s: s])
def test_the_result_names_records_commit_and_limits(make: Callable[[Score], Score]) -> None:
    new = moved(OLD, scores=tuple(map(make, OLD.scores)), provenance={"commit": "b" * 40})
    result = judged(new, "fad<+3%")
    assert result.baseline["commit"] == "a" * 40
    assert result.candidate["commit"] == "b" * 40
    assert len(result.baseline["records"]) == 1
    assert result.baseline["records"] != result.candidate["records"]
    assert len(result.limits_sha256) == 64
