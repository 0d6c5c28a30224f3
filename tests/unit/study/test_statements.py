from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

import pytest
from unit.report.synthetic import gap_record, on_fad, results_of, score, simple

from clipsonic_eval.analysis.results import Results
from clipsonic_eval.reporting.statements import spread
from clipsonic_eval.study import statements
from clipsonic_eval.study.catalogue import CLIPSONIC

CLEAR, UNCLEAR = 0.0001, 0.6
LEVELS = {"IQ": 20.0, "PD": 30.0, "ZS": 40.0}
clipsonic = partial(results_of, catalogue=CLIPSONIC)


def guidance(results: Results) -> list[str]:
    return [*spread.guidance(results), *statements.guidance_order(results)]


def ordering_of(levels: Mapping[str, float], prior: float, picture: float) -> Results:
    return clipsonic(on_fad(levels, {("PD", "ZS"): prior, ("IQ", "PD"): picture}))


def test_the_ordering_holds_where_both_steps_are_separated() -> None:
    found = ordering_of(LEVELS, CLEAR, CLEAR)
    assert statements.headline(found) == "The ordering IQ ≥ PD > ZS holds on FAD."
    assert statements.ordering_details(found) == [
        "PD against ZS: PD is better than ZS on FAD.",
        "IQ against PD: IQ is better than PD on FAD.",
    ]


def test_the_ordering_holds_in_its_weak_form_where_iq_and_pd_are_not_separated() -> None:
    found = ordering_of(LEVELS, CLEAR, UNCLEAR)
    assert statements.headline(found) == "The ordering IQ ≥ PD > ZS holds on FAD."
    assert statements.ordering_details(found)[1:] == [
        "IQ against PD: no significant difference on FAD.",
        "On FAD the ordering holds in its weak form: IQ is not worse than PD, but not shown to be better.",
    ]


def test_the_ordering_is_not_shown_where_pd_and_zs_are_not_separated() -> None:
    found = ordering_of(LEVELS, UNCLEAR, CLEAR)
    assert statements.headline(found) == "The ordering IQ ≥ PD > ZS is not shown on FAD."
    assert statements.ordering_details(found)[0] == "PD against ZS: no significant difference on FAD."


@pytest.mark.parametrize(
    ("levels", "why"),
    [
        ({"IQ": 20.0, "PD": 50.0, "ZS": 40.0}, "ZS is better than PD on FAD."),
        ({"IQ": 35.0, "PD": 30.0, "ZS": 40.0}, "PD is better than ZS on FAD; PD is better than IQ on FAD."),
    ],
)
def test_the_ordering_does_not_hold_where_a_step_is_reversed(levels: dict[str, float], why: str) -> None:
    found = ordering_of(levels, CLEAR, CLEAR)
    assert statements.headline(found) == f"The ordering IQ ≥ PD > ZS does not hold on FAD. {why}"


def test_the_headline_says_each_metric_its_own_outcome() -> None:
    asked = {("PD", "ZS"): CLEAR, ("IQ", "PD"): CLEAR}
    clap = on_fad({"IQ": 0.6, "PD": 0.4, "ZS": 0.5}, asked, "clap_score")
    accuracy = on_fad({"IQ": 0.6, "PD": 0.5, "ZS": 0.4}, dict.fromkeys(asked, UNCLEAR), "class_accuracy")
    found = clipsonic(on_fad(LEVELS, asked), clap, accuracy)
    assert statements.headline(found) == (
        "The ordering IQ ≥ PD > ZS holds on FAD, is not shown on class accuracy and does not hold on CLAP score. "
        "PD is better than ZS on FAD; ZS is better than PD on CLAP score."
    )


def test_an_ordering_that_was_not_tested_is_said() -> None:
    found = clipsonic(on_fad({"PD": 30.0, "ZS": 40.0}, {("PD", "ZS"): CLEAR}))
    assert statements.headline(found) == ""
    assert statements.ordering_details(found) == ["The ordering IQ ≥ PD > ZS was not tested: no scores of IQ."]
    untested = clipsonic(simple({("fad", s): v for s, v in LEVELS.items()}))
    assert "On FAD the ordering was not tested" in statements.ordering_details(untested)[0]


def test_a_p_value_that_holm_takes_away_does_not_separate() -> None:
    levels = {**LEVELS, "mean-shift": 35.0, "CLIP-TTA": 15.0}
    asked = [("PD", "ZS"), ("IQ", "PD"), ("PD", "mean-shift"), ("ZS", "CLIP-TTA")]
    found = clipsonic(on_fad(levels, dict.fromkeys(asked, 0.03)))
    assert statements.headline(found) == "The ordering IQ ≥ PD > ZS is not shown on FAD."


def test_a_prior_that_is_not_better_than_mean_shift_is_said_to_show_nothing_more() -> None:
    levels = {"PD": 30.0, "mean-shift": 31.0}
    lines = statements.mean_shift(clipsonic(on_fad(levels, {("PD", "mean-shift"): UNCLEAR})))
    assert lines[0].endswith("by one vector: no significant difference on FAD.")
    assert "do not show that the prior does more than move the centroid" in lines[1]
    clear = statements.mean_shift(clipsonic(on_fad(levels, {("PD", "mean-shift"): CLEAR})))
    assert len(clear) == 1


def test_the_winner_is_named_first() -> None:
    found = clipsonic(on_fad({"PD": 30.0, "CLIP-TTA": 19.0}, {("PD", "CLIP-TTA"): CLEAR}))
    (line,) = statements.supervised(found)
    assert line == "PD against the supervised CLIP-TTA: CLIP-TTA is better than PD on FAD."


def test_best_of_k_and_the_in_domain_prior_are_compared_with_one_draw() -> None:
    levels = {"PD": 30.0, "PD-best4": 28.0, "SD": 27.0}
    lines = statements.best_of(clipsonic(on_fad(levels, {("PD-best4", "PD"): CLEAR, ("SD", "PD"): UNCLEAR})))
    assert "PD-best4 is better than PD" in lines[0]
    assert lines[1].endswith("no significant difference on FAD.")


def test_retrieval_that_beats_the_systems_is_said() -> None:
    found = clipsonic(simple({("fad", "PD"): 30.0, ("fad", "ZS"): 4.0, ("fad", "retrieval"): 5.0}))
    (line,) = statements.retrieval(found)
    assert line == (
        "Retrieval of the nearest training clip is better than PD on FAD (5.00). The differences were not tested."
    )


def guidance_of(values: Mapping[str, tuple[float, float]]) -> Results:
    table = on_fad({"PD": 30.0, "ZS": 40.0}, {}, split="test")
    table = replace(table, systems={"PD": {"guidance": 4.0}, "ZS": {"guidance": 2}})
    sweep = [on_fad({"PD": pd, "ZS": zs}, {}, split="val", guidance=w) for w, (pd, zs) in values.items()]
    return clipsonic(table, *sweep)


def test_the_best_scale_and_a_change_of_order_are_said() -> None:
    lines = guidance(guidance_of({"1": (50.0, 45.0), "2": (40.0, 42.0), "4": (30.0, 44.0)}))
    assert lines[0] == "The table shows guidance scale 4 for PD, 2 for ZS."
    assert lines[1] == "4 is the largest scale that was tried, and PD takes it: a better one may lie above."
    assert lines[2] == "FAD on the validation split is best at guidance scale 4 for PD; 2 for ZS."
    assert "PD is ahead of ZS in FAD at 2 of 3 scales (2 and 4): the order depends" in lines[3]


def test_an_order_that_holds_at_every_scale_is_said() -> None:
    assert guidance(guidance_of({"1": (30.0, 45.0), "2": (40.0, 42.0)}))[-1] == (
        "PD is ahead of ZS at all 2 scales in FAD."
    )
    assert guidance(guidance_of({"1": (50.0, 45.0), "2": (43.0, 42.0)}))[-1].startswith("ZS is ahead of PD")


def sweep_of(gains: Mapping[float, tuple[float, float]]) -> Results:
    runs = []
    for width, (gain, p) in gains.items():
        name = f"gap{width}"
        runs.append(on_fad({"PD": 30.0 - gain, "ZS": 30.0}, {("PD", "ZS"): p}, clip_variant=name))
        runs.append(gap_record({"clip_variant": name}, {"text": (width, 0.3, 0.4)}))
    return clipsonic(*runs)


def test_the_sweep_says_where_the_prior_helps_and_where_it_does_not() -> None:
    found = sweep_of({0.4: (-5.0, CLEAR), 0.6: (1.0, UNCLEAR), 0.8: (6.0, CLEAR), 1.0: (9.0, CLEAR)})
    lines = statements.clip_variants(found)
    assert lines[0].startswith("The sweep has 4 CLIP variants with centroid distances from 0.40 to 1.00")
    assert lines[1].startswith(
        "FAD: PD is better than ZS on 2 CLIP variants (gap 0.80 and 1.00), the two do not differ significantly on "
        "1 CLIP variant (gap 0.60) and ZS is better than PD on 1 CLIP variant (gap 0.40)."
    )
    assert "rank correlation of +1.00 (p = 0.083)" in lines[1]  # 2 of 4! orders
    assert "no proof of a cause" in lines[-1]


def test_rank_correlation_is_exact_for_few_points() -> None:
    from scipy.stats import spearmanr

    x, y = [1.0, 2.0, 3.0, 4.0, 5.0], [2.0, 1.0, 4.0, 3.0, 5.0]
    rho, p = statements.rank_correlation(x, y)
    assert rho == pytest.approx(spearmanr(x, y).statistic)
    assert p == pytest.approx(16 / 120)  # tables of Spearman's rho: P(|rho| >= 0.8) for n = 5 is 0.133
    assert statements.rank_correlation([1.0, 1.0], [1.0, 2.0]) == (0.0, 1.0)


def test_the_best_of_any_k_is_compared() -> None:
    found = clipsonic(on_fad({"PD": 30.0, "PD-best16": 28.0}, {("PD-best16", "PD"): CLEAR}))
    assert "PD-best16 is better than PD" in statements.best_of(found)[0]


def test_numbers_of_toy_encoders_are_said_to_hold_in_the_toy_world_only() -> None:
    toy = clipsonic(simple({("fad", "PD"): 1.0}))
    assert "small and synthetic" in statements.toy_world(toy)[0]
    real = replace(simple({}), scores=(score("fad", "PD", 1.0, signature="fad|enc:vggish+0|n:1"),))
    assert statements.toy_world(clipsonic(real)) == []
