"""Recipes are judged by their training seeds, costs by processes or by rounds of one record."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy import stats
from unit.gate.made import clip_score, clips, record, set_score

from clipsonic_eval.gate.check import check
from clipsonic_eval.gate.limits import from_texts
from clipsonic_eval.gate.verdicts import GateResult
from clipsonic_eval.records import RunRecord
from clipsonic_eval.types import Score


def recipe(side: str, means: list[float], metric: str = "clap_score") -> list[RunRecord]:
    """One record per training seed; all answer the same queries, so the clips' scatter is common."""
    make = clip_score if metric == "clap_score" else set_score
    return [
        record(make(clips() + mean), created=f"{side} {seed}", tags={"train_seed": f"{seed}"})
        for seed, mean in enumerate(means)
    ]


def judged(new: list[RunRecord], old: list[RunRecord], text: str, **more: object) -> GateResult:
    return check(new, old, from_texts([text]), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(("metric", "text"), [("clap_score", "clap_score>-0.05"), ("fad", "fad<+0.05")])
def test_the_error_term_of_a_recipe_is_that_of_its_seeds(metric: str, text: str) -> None:
    old, new = [0.0, 0.02, -0.02], [-0.2, -0.22, -0.18, -0.21]
    if metric == "fad":
        old, new = [10 + x for x in old], [10 - x for x in new]
    result = judged(recipe("b", new, metric), recipe("a", old, metric), text)
    (only,) = result.verdicts
    welch = stats.ttest_ind(new, old, equal_var=False, alternative="less" if metric == "clap_score" else "greater")
    assert (only.question, only.outcome) == ("recipe", "worse")
    assert only.evidence is not None
    assert only.evidence.unit == "training seeds"
    assert only.evidence.p_worse == pytest.approx(welch.pvalue)


def test_seeds_that_scatter_cannot_tell_what_the_clips_of_one_would() -> None:
    means = [0.0, 0.05, -0.05]
    result = judged(recipe("b", [m - 0.03 for m in means]), recipe("a", means), "clap_score>-0.02")
    (only,) = result.verdicts
    assert only.outcome == "cannot tell"
    assert only.needed is not None
    assert "training seeds" in only.sentence
    one = judged(recipe("b", [-0.03])[:1], recipe("a", [0.0])[:1], "clap_score>-0.02")
    assert one.verdicts[0].outcome == "worse"


def test_a_recipe_that_is_asked_for_takes_three_seeds_a_side() -> None:
    result = judged(recipe("b", [0.0, 0.1]), recipe("a", [0.0, 0.1]), "clap_score>-0.02", question="recipe")
    (only,) = result.verdicts
    assert (only.outcome, only.needed, only.evidence) == ("cannot tell", 3, None)
    assert "2 training seeds against 2 tell nothing about the recipe" in only.sentence
    assert "about these weights: clap_score of 'PD' is unchanged" in only.sentence
    assert result.exit_code() == 0
    assert result.exit_code(strict=True) == 4


# --- cost


def bench(
    created: str, latencies: dict[str, np.ndarray], machine: str = "1a2b", metric: str = "latency", q: float = 50
) -> RunRecord:
    """A bench record with the processes' raw durations, (processes, rounds), by system."""
    scores = []
    for system, raw in latencies.items():
        keyed = {f"p{i}/{j:06d}": float(x) for i, row in enumerate(raw) for j, x in enumerate(row)}
        signature = f"latency|num:1|machine:{machine}|batch:1|n:{raw.size}"
        made = Score("latency", system, float(np.median(raw)), None, "", raw.size, raw.size, "s", False, signature)
        scores.append(dataclasses.replace(made, per_clip=keyed))
        if metric != "latency":
            value = float(np.percentile(raw, q))
            scores.append(dataclasses.replace(made, metric=metric, value=value, signature=f"{metric}{signature[7:]}"))
    return record(*scores, kind="bench", created=created, systems={name: {"card_hash": "same"} for name in latencies})


def durations(seed: int, processes: int = 4, mean: float = 0.1, between: float = 0.001) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return mean + between * rng.standard_normal((processes, 1)) + 0.0005 * rng.standard_normal((processes, 50))


def test_processes_are_the_units_of_a_cost() -> None:
    a, b = durations(0), durations(1, mean=0.12)
    result = judged([bench("b", {"PD": b})], [bench("a", {"PD": a})], "latency<+5%")
    (only,) = result.verdicts
    welch = stats.ttest_ind(np.median(b, axis=1), np.median(a, axis=1), equal_var=False, alternative="greater")
    assert (only.question, only.outcome) == ("cost", "worse")
    assert only.evidence is not None
    assert (only.evidence.n, only.evidence.unit) == (4, "processes")
    assert only.evidence.p_worse == pytest.approx(welch.pvalue)


def test_a_percentile_is_taken_per_process_from_the_raw_durations() -> None:
    a, b = durations(0), durations(1, mean=0.2)
    sides = [bench(name, {"PD": raw}, metric="latency_p90", q=90) for name, raw in (("b", b), ("a", a))]
    (only,) = judged([sides[0]], [sides[1]], "latency_p90<+5%").verdicts
    assert only.evidence is not None
    assert only.evidence.harm == pytest.approx(
        np.percentile(b, 90, axis=1).mean() - np.percentile(a, 90, axis=1).mean()
    )


def test_two_processes_are_too_few() -> None:
    sides = [bench(name, {"PD": durations(i, processes=2)}) for i, name in enumerate("ba")]
    assert (
        "2 processes against 2, and it takes 3 a side"
        in judged(sides[:1], sides[1:], "latency<+5%").refusals[0].sentence
    )


def test_another_machine_is_refused() -> None:
    sides = [bench(name, {"PD": durations(i)}, machine=name * 4) for i, name in enumerate("ba")]
    result = judged(sides[:1], sides[1:], "latency<+5%")
    assert result.verdicts == ()
    assert "aaaa against bbbb" in result.refusals[0].sentence


def in_turns(old: np.ndarray, new: np.ndarray, *, interleave: bool = True) -> GateResult:
    """Judge two systems of one record."""
    both = dataclasses.replace(bench("a", {"old": old, "new": new}), config={"interleave": interleave})
    return check([both], [both], from_texts(["latency<+5%"]), systems={"old": "new"})


def test_systems_that_ran_in_turn_are_paired_by_process_so_that_what_both_share_cancels() -> None:
    shared = 0.01 * np.random.default_rng(3).standard_normal((4, 1))
    old, new = durations(0) + shared, durations(1, mean=0.11) + shared
    (only,) = in_turns(old, new).verdicts
    paired = stats.ttest_rel(np.median(new, axis=1), np.median(old, axis=1), alternative="greater")
    assert only.outcome == "worse"
    assert only.evidence is not None
    assert (only.evidence.n, only.evidence.unit) == (4, "pairs of processes")
    assert only.evidence.p_worse == pytest.approx(paired.pvalue)


def test_the_systems_of_a_record_that_ran_one_after_another_are_not_paired() -> None:
    (only,) = in_turns(durations(0), durations(1, mean=0.12), interleave=False).verdicts
    assert only.evidence is not None
    assert only.evidence.unit == "processes"
    assert "2 processes against 2" in in_turns(durations(0, 2), durations(1, 2), interleave=False).refusals[0].sentence


def test_fewer_pairs_of_processes_than_three_are_refused() -> None:
    (only,) = in_turns(durations(0, 2), durations(1, 2, mean=0.11)).refusals
    assert "takes at least 3 a side" in only.sentence


@pytest.mark.parametrize(("rate", "text", "power"), [("clips_per_s", ">-5%", -1), ("real_time_factor", "<+5%", 1)])
def test_a_rate_scatters_as_the_latency_that_it_follows_from(rate: str, text: str, power: int) -> None:
    sides = []
    for created, raw in (("b", durations(1, mean=0.12)), ("a", durations(0))):
        made = bench(created, {"PD": raw})
        (latency,) = made.scores
        value, signature = (10 * latency.value) ** power, latency.signature.replace("latency", rate)
        more = dataclasses.replace(
            latency, metric=rate, value=value, per_clip={}, higher_is_better=power < 0, signature=signature
        )
        sides.append(([dataclasses.replace(made, scores=(latency, more))], (10 * np.median(raw, axis=1)) ** power))
    (new, b), (old, a) = sides
    (only,) = judged(new, old, f"{rate}{text}").verdicts
    assert only.outcome == "worse"
    assert only.evidence is not None
    assert only.evidence.harm == pytest.approx(power * (b.mean() - a.mean()))


def test_a_quantity_without_values_of_its_processes_is_refused() -> None:
    sides = []
    for created in "ba":
        made = bench(created, {"PD": durations(0)}, metric="stage_vocoder")
        bare = tuple(dataclasses.replace(s, per_clip={}) if s.metric != "latency" else s for s in made.scores)
        sides.append([dataclasses.replace(made, scores=bare)])
    assert "no values of single processes" in judged(*sides, "stage_vocoder<+5%").refusals[0].sentence


def test_records_of_another_kind_have_no_cost() -> None:
    side = bench("a", {"PD": durations(0)})
    other = dataclasses.replace(side, provenance={"created": "b"})
    assert (
        "does not suit records of kind 'bench'"
        in judged([other], [side], "latency<+5%", question="recipe").refusals[0].sentence
    )
