from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from unit.report.synthetic import GAPS, as_run, gap_record, score, simple

from clipsonic_eval.analysis.runs import sort
from clipsonic_eval.records import IDENTICAL, RunRecord
from clipsonic_eval.reporting.build import gather
from clipsonic_eval.reporting.results import Results
from clipsonic_eval.reporting.statements import (
    baselines,
    caveats,
    clip_variants,
    controls,
    gap,
    ordering,
    spread,
    wording,
)
from clipsonic_eval.types import Finding

CLEAR, UNCLEAR = 0.0001, 0.6
LEVELS = {"IQ": 20.0, "PD": 30.0, "ZS": 40.0}


def results_of(*runs: RunRecord) -> Results:
    return gather(sort([as_run(r, f"r{i}") for i, r in enumerate(runs)]))[0]


def on_fad(
    levels: Mapping[str, float], p_values: Mapping[tuple[str, str], float], metric: str = "fad", **tags: str
) -> RunRecord:
    tests = {(metric, a, b): (levels[a] - levels[b], p) for (a, b), p in p_values.items()}
    return simple({(metric, s): v for s, v in levels.items()}, tests, **tags)


def ordering_of(levels: Mapping[str, float], prior: float, picture: float) -> Results:
    return results_of(on_fad(levels, {("PD", "ZS"): prior, ("IQ", "PD"): picture}))


def test_the_ordering_holds_where_both_steps_are_separated() -> None:
    found = ordering_of(LEVELS, CLEAR, CLEAR)
    assert ordering.headline(found) == "The ordering IQ ≥ PD > ZS holds on FAD."
    (line,) = ordering.details(found)
    assert line.startswith(
        "On FAD, PD is better than ZS (+10.00 [9.00, 11.00], p < 0.001); on FAD, IQ is better than PD"
    )


def test_the_ordering_holds_in_its_weak_form_where_iq_and_pd_are_not_separated() -> None:
    found = ordering_of(LEVELS, CLEAR, UNCLEAR)
    assert ordering.headline(found) == "The ordering IQ ≥ PD > ZS holds on FAD."
    assert "weak form: IQ is not worse than PD" in ordering.details(found)[0]


def test_the_ordering_is_not_shown_where_pd_and_zs_are_not_separated() -> None:
    found = ordering_of(LEVELS, UNCLEAR, CLEAR)
    assert ordering.headline(found) == "The ordering IQ ≥ PD > ZS is not shown on FAD."
    assert "PD and ZS are not separated (+10.00" in ordering.details(found)[0]


@pytest.mark.parametrize(
    ("levels", "why"),
    [
        ({"IQ": 20.0, "PD": 50.0, "ZS": 40.0}, "ZS is better than PD on FAD."),
        ({"IQ": 35.0, "PD": 30.0, "ZS": 40.0}, "PD is better than ZS on FAD; PD is better than IQ on FAD."),
    ],
)
def test_the_ordering_does_not_hold_where_a_step_is_reversed(levels: dict[str, float], why: str) -> None:
    found = ordering_of(levels, CLEAR, CLEAR)
    assert ordering.headline(found) == f"The ordering IQ ≥ PD > ZS does not hold on FAD. {why}"


def test_the_headline_says_each_metric_its_own_outcome() -> None:
    asked = {("PD", "ZS"): CLEAR, ("IQ", "PD"): CLEAR}
    clap = on_fad({"IQ": 0.6, "PD": 0.4, "ZS": 0.5}, asked, "clap_score")
    accuracy = on_fad({"IQ": 0.6, "PD": 0.5, "ZS": 0.4}, dict.fromkeys(asked, UNCLEAR), "class_accuracy")
    found = results_of(on_fad(LEVELS, asked), clap, accuracy)
    assert ordering.headline(found) == (
        "The ordering IQ ≥ PD > ZS holds on FAD, is not shown on class accuracy and does not hold on CLAP score. "
        "PD is better than ZS on FAD; ZS is better than PD on CLAP score."
    )


def test_an_ordering_that_was_not_tested_is_said() -> None:
    found = results_of(on_fad({"PD": 30.0, "ZS": 40.0}, {("PD", "ZS"): CLEAR}))
    assert ordering.headline(found) == ""
    assert ordering.details(found) == ["The ordering IQ ≥ PD > ZS was not tested: no scores of IQ."]
    untested = results_of(simple({("fad", s): v for s, v in LEVELS.items()}))
    assert "On FAD the ordering was not tested" in ordering.details(untested)[0]


def test_a_p_value_that_holm_takes_away_does_not_separate() -> None:
    levels = {**LEVELS, "mean-shift": 35.0, "CLIP-TTA": 15.0}
    asked = [("PD", "ZS"), ("IQ", "PD"), ("PD", "mean-shift"), ("ZS", "CLIP-TTA")]
    found = results_of(on_fad(levels, dict.fromkeys(asked, 0.03)))
    assert ordering.headline(found) == "The ordering IQ ≥ PD > ZS is not shown on FAD."


def test_a_prior_that_is_not_better_than_mean_shift_is_said_to_show_nothing_more() -> None:
    levels = {"PD": 30.0, "mean-shift": 31.0}
    lines = baselines.mean_shift(results_of(on_fad(levels, {("PD", "mean-shift"): UNCLEAR})))
    assert "PD and mean-shift are not separated" in lines[0]
    assert "do not show that the prior does more than moving the centroid" in lines[1]
    clear = baselines.mean_shift(results_of(on_fad(levels, {("PD", "mean-shift"): CLEAR})))
    assert len(clear) == 1


def test_the_winner_is_named_first_with_a_positive_advantage() -> None:
    found = results_of(on_fad({"PD": 30.0, "CLIP-TTA": 19.0}, {("PD", "CLIP-TTA"): CLEAR}))
    (line,) = baselines.supervised(found)
    assert "CLIP-TTA is better than PD (+11.00 [10.00, 12.00], p < 0.001)" in line


def test_best_of_k_and_the_in_domain_prior_are_compared_with_one_draw() -> None:
    levels = {"PD": 30.0, "PD-best4": 28.0, "SD": 27.0}
    lines = baselines.best_of(results_of(on_fad(levels, {("PD-best4", "PD"): CLEAR, ("SD", "PD"): UNCLEAR})))
    assert "PD-best4 is better than PD" in lines[0]
    assert "SD and PD are not separated" in lines[1]


def test_foreign_systems_are_compared_with_each_other() -> None:
    lines = baselines.foreign(results_of(on_fad({"mine": 3.0, "yours": 5.0}, {("mine", "yours"): CLEAR})))
    assert lines == ["mine against yours: on FAD, mine is better than yours (+2.00 [1.00, 3.00], p < 0.001)."]


CONTROLS = {"PD": 0.5, "real": 0.8, "shuffled": 0.2, "noise": 0.0}


def test_systems_are_placed_between_the_wrong_and_the_right_prompt() -> None:
    found = results_of(simple({("clap_score", s): v for s, v in CONTROLS.items()}))
    assert controls.read(found) == [
        "CLAP score: real audio reaches 0.800, with shuffled prompts 0.200. "
        "On the way from the one to the other stand PD 50 %."
    ]


def test_a_system_that_fails_a_control_is_warned_of() -> None:
    found = results_of(simple({("clap_score", s): v for s, v in {**CONTROLS, "PD": 0.1}.items()}))
    assert "Warning: on CLAP score, PD is no better than real audio with the wrong prompt (0.200)." in controls.read(
        found
    )
    noisy = results_of(
        simple({("fad", "PD"): 300.0, ("fad", "noise"): 200.0, ("fad", "real"): 3.0, ("fad", "shuffled"): 3.0})
    )
    warnings = [line for line in controls.read(noisy) if line.startswith("Warning")]
    assert warnings == ["Warning: on FAD, PD is no better than noise (200.00)."]


def test_the_halves_of_the_reference_are_said_and_are_no_column() -> None:
    found = results_of(simple({("fad", "PD"): 30.0, ("fad_halves", "reference"): 4.2}))
    assert controls.read(found)[0].startswith("FAD between two random halves of the reference is 4.20")
    assert {m for m, _ in found.cells} == {"fad"}


def test_retrieval_that_beats_the_systems_is_said() -> None:
    found = results_of(simple({("fad", "PD"): 30.0, ("fad", "ZS"): 4.0, ("fad", "retrieval"): 5.0}))
    (line,) = controls.read(found)
    assert "better than PD; these are values without a test" in line


def two_seeds(differences: tuple[float, float], p: float = CLEAR) -> Results:
    return results_of(
        *(on_fad({"PD": 30.0 + d, "ZS": 30.0}, {("PD", "ZS"): p}, train_seed=str(i)) for i, d in enumerate(differences))
    )


def test_one_seed_is_said_to_be_one_seed() -> None:
    assert spread.seeds(results_of(on_fad(LEVELS, {})))[0].startswith("One training seed")


def test_the_spread_over_seeds_and_their_agreement_are_said() -> None:
    lines = spread.seeds(two_seeds((-8.0, -10.0)))
    assert "standard deviation of up to 1.41 (PD)" in lines[0]
    assert lines[-1] == "Every separated difference has the same sign with every training seed."


def test_seeds_that_disagree_on_a_separated_difference_are_said() -> None:
    runs = []
    for seed, (difference, p) in enumerate(((-20.0, 1e-12), (1.0, 0.5))):
        runs.append(on_fad({"PD": 30.0 + difference, "ZS": 30.0}, {("PD", "ZS"): p}, train_seed=str(seed)))
    found = results_of(*runs)
    assert found.pairs[0].separated
    assert "do not all agree on the sign of PD against ZS on FAD" in spread.seeds(found)[-1]
    assert wording.verdict(found.pairs[0]).endswith("1/2 seeds), though not with every training seed")


def guidance_of(values: Mapping[str, tuple[float, float]]) -> Results:
    table = on_fad({"PD": 30.0, "ZS": 40.0}, {}, split="test")
    table = replace(table, systems={"PD": {"guidance": 4.0}, "ZS": {"guidance": 2}})
    sweep = [on_fad({"PD": pd, "ZS": zs}, {}, split="val", guidance=w) for w, (pd, zs) in values.items()]
    return results_of(table, *sweep)


def test_the_best_scale_and_a_change_of_order_are_said() -> None:
    lines = spread.guidance(guidance_of({"1": (50.0, 45.0), "2": (40.0, 42.0), "4": (30.0, 44.0)}))
    assert lines[0] == "The table shows guidance scale 4 for PD and 2 for ZS."
    assert lines[1] == "4 is the largest scale that was tried, and PD takes it: a better one may lie above."
    assert lines[2] == "FAD on the validation split is best at guidance scale 4 for PD and 2 for ZS."
    assert "PD is ahead of ZS in FAD at 2 of 3 scales (2 and 4): the order depends" in lines[3]


def test_a_choice_at_either_end_of_what_was_tried_is_said_but_no_guidance_is_no_edge() -> None:
    values = dict.fromkeys(("2", "4", "8"), (40.0, 41.0))
    lines = spread.guidance(guidance_of(values))
    assert lines[1] == "2 is the smallest scale that was tried, and ZS takes it: a better one may lie below."
    table = replace(on_fad({"PD": 30.0}, {}, split="test"), systems={"PD": {"guidance": 1.0}})
    sweep = [on_fad({"PD": 30.0}, {}, split="val", guidance=w) for w in ("1", "2")]
    assert not any("tried" in line for line in spread.guidance(results_of(table, *sweep)))


def test_an_order_that_holds_at_every_scale_is_said() -> None:
    assert spread.guidance(guidance_of({"1": (30.0, 45.0), "2": (40.0, 42.0)}))[-1] == (
        "PD is ahead of ZS in FAD at all 2 scales."
    )
    assert spread.guidance(guidance_of({"1": (50.0, 45.0), "2": (43.0, 42.0)}))[-1].startswith("ZS is ahead of PD")


def sweep_of(gains: Mapping[float, tuple[float, float]]) -> Results:
    runs = []
    for width, (gain, p) in gains.items():
        name = f"gap{width}"
        runs.append(on_fad({"PD": 30.0 - gain, "ZS": 30.0}, {("PD", "ZS"): p}, clip_variant=name))
        runs.append(gap_record({"clip_variant": name}, {"text": (width, 0.3, 0.4)}))
    return results_of(*runs)


def test_the_sweep_says_where_the_prior_helps_and_where_it_does_not() -> None:
    found = sweep_of({0.4: (-5.0, CLEAR), 0.6: (1.0, UNCLEAR), 0.8: (6.0, CLEAR), 1.0: (9.0, CLEAR)})
    lines = clip_variants.read(found)
    assert lines[0].startswith("The sweep has 4 CLIP variants with centroid distances from 0.40 to 1.00")
    assert lines[1].startswith(
        "FAD: PD is better than ZS on 2 CLIP variants (gap 0.80 and 1.00), the two are not separated on 1 CLIP variant "
        "(gap 0.60) and ZS is better than PD on 1 CLIP variant (gap 0.40)."
    )
    assert "rank correlation of +1.00 (p = 0.083)" in lines[1]  # 2 of 4! orders
    assert "no proof of a cause" in lines[-1]


def test_rank_correlation_is_exact_for_few_points() -> None:
    from scipy.stats import spearmanr

    x, y = [1.0, 2.0, 3.0, 4.0, 5.0], [2.0, 1.0, 4.0, 3.0, 5.0]
    rho, p = clip_variants.rank_correlation(x, y)
    assert rho == pytest.approx(spearmanr(x, y).statistic)
    assert p == pytest.approx(16 / 120)  # tables of Spearman's rho: P(|rho| >= 0.8) for n = 5 is 0.133
    assert clip_variants.rank_correlation([1.0, 1.0], [1.0, 2.0]) == (0.0, 1.0)


def test_the_gap_says_what_is_closed_raw_and_centred_beside_mean_shift() -> None:
    lines = gap.read(results_of(gap_record({})))
    assert "0.840 [0.820, 0.860] apart (n = 480)" in lines[0]
    assert lines[1] == (
        "Of that distance, PD closes 89 % (to 0.090), PD-best4 closes 89 % (to 0.090) "
        "and mean-shift closes 98 % (to 0.020)."
    )
    assert "from 0.330 for the text to 0.710 for PD" in lines[2]
    assert lines[3].endswith("(14 % of the centred gap closed [11, 17]): the prior does more than move the centroid.")
    assert "Mean-shift leaves the centred cosine" in lines[-1]


@pytest.mark.parametrize(
    ("centred", "words"), [(0.42, "is not shown to change anything"), (0.30, "takes agreement away")]
)
def test_a_prior_that_only_moves_the_centroid_is_said_to(centred: float, words: str) -> None:
    lines = gap.read(results_of(gap_record({}, {**GAPS, "PD": (0.05, 0.66, centred)})))
    assert words in lines[3]


def test_a_prior_that_widens_the_gap_is_said_to() -> None:
    lines = gap.read(results_of(gap_record({}, {"text": (0.5, 0.3, 0.4), "PD": (0.7, 0.2, 0.3)})))
    assert "PD widens it to 0.700" in lines[1]


def test_the_limits_are_taken_from_the_records() -> None:
    toy = results_of(simple({("fad", "PD"): 1.0}))
    assert "small and synthetic" in caveats.read(toy)[0]
    real = replace(simple({}), scores=(score("fad", "PD", 1.0, signature="fad|enc:vggish+0|n:1"),))
    lines = caveats.read(results_of(replace(real, provenance={"uncommitted_changes": True, "commit": "a"})))
    assert not any("synthetic" in line for line in lines)
    assert lines[-1] == "Some runs were made with uncommitted changes in the code."


def test_tests_that_are_too_coarse_to_separate_anything_are_said() -> None:
    record = on_fad(LEVELS, {("PD", "ZS"): 0.02, ("IQ", "PD"): 0.02})
    coarse = tuple(replace(c, test="paired-bootstrap-damped-30") for c in record.comparisons)
    lines = caveats.read(results_of(replace(record, comparisons=coarse)))
    assert any("30 resamples no test can give p below 0.032, after correction over 2 rows 0.065" in s for s in lines)
    fine = tuple(replace(c, test="paired-bootstrap-damped-2000") for c in record.comparisons)
    assert not any("resamples" in s for s in caveats.read(results_of(replace(record, comparisons=fine))))


def test_the_best_of_any_k_is_compared() -> None:
    found = results_of(on_fad({"PD": 30.0, "PD-best16": 28.0}, {("PD-best16", "PD"): CLEAR}))
    assert "PD-best16 is better than PD" in baselines.best_of(found)[0]


def test_differences_without_a_test_are_said_to_be_open() -> None:
    lines = caveats.read(results_of(simple({("fad", "a"): 1.0, ("fad", "b"): 2.0})))
    assert "No paired test was made for FAD: differences there may be chance." in lines


def test_equal_systems_are_called_equal() -> None:
    record = simple({("fad", "mine"): 3.0, ("fad", "yours"): 3.0}, {("fad", "mine", "yours"): (0.0, 1.0)})
    same = replace(record.comparisons[0], ci=(0.0, 0.0), test=IDENTICAL, effect_size=None)
    lines = baselines.foreign(results_of(replace(record, comparisons=(same,))))
    assert lines == ["mine against yours: on FAD, mine and yours are equal: their outputs are the same bytes."]


def test_what_was_unanswered_or_left_out_is_quoted_and_other_checks_are_named() -> None:
    record = simple({("fad", "A"): 1.0, ("fad", "B"): 2.0})
    findings = {
        "A": (
            Finding("unanswered", "warning", ("q1",), "1 of 9 queries unanswered, the scores are over the others"),
            Finding("clipping", "warning", ("q2",), "'q2' is clipped"),
        ),
        "reference": (Finding("clipping", "warning", ("r2",), "'r2' is clipped"),),
        "evaluation": (Finding("left_out", "warning", (), "clap_score left out: nobody says the prompts"),),
    }
    lines = caveats.read(results_of(replace(record, findings=findings)))
    assert "A: 1 of 9 queries unanswered, the scores are over the others." in lines
    assert "evaluation: clap_score left out: nobody says the prompts." in lines
    assert "The check for clipping found something in A and reference; the records say what." in lines
