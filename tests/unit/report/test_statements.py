from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from unit.report.synthetic import GAPS, gap_record, on_fad, results_of, score, simple

from clipsonic_eval.analysis.catalogue import Catalogue, SystemStyle
from clipsonic_eval.analysis.results import Results
from clipsonic_eval.records import IDENTICAL
from clipsonic_eval.reporting.statements import caveats, comparisons, controls, gap, spread, wording
from clipsonic_eval.types import Finding

CLEAR, UNCLEAR = 0.0001, 0.6
LEVELS = {"IQ": 20.0, "PD": 30.0, "ZS": 40.0}


def test_foreign_systems_are_compared_with_each_other() -> None:
    lines = comparisons.read(results_of(on_fad({"mine": 3.0, "yours": 5.0}, {("mine", "yours"): CLEAR})))
    assert lines == ["mine against yours: mine is better than yours on FAD."]


CONTROLS = {"PD": 0.5, "real": 0.8, "shuffled": 0.2, "noise": 0.0}


def test_systems_are_placed_between_the_wrong_and_the_right_prompt() -> None:
    found = results_of(simple({("clap_score", s): v for s, v in CONTROLS.items()}))
    assert controls.read(found) == [
        "CLAP score: real audio reaches 0.800, with shuffled prompts 0.200. As a share of this range: PD 50 %."
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
    assert found.table.metric_names == ("fad",)


def two_seeds(differences: tuple[float, float], p: float = CLEAR) -> Results:
    return results_of(
        *(on_fad({"PD": 30.0 + d, "ZS": 30.0}, {("PD", "ZS"): p}, train_seed=str(i)) for i, d in enumerate(differences))
    )


def test_one_seed_is_said_to_be_one_seed() -> None:
    mine = Catalogue(systems=(SystemStyle("PD", group="ours"),), groups=("ours", ""))
    assert spread.seeds(results_of(on_fad(LEVELS, {}), catalogue=mine))[0].startswith("One training seed")
    assert spread.seeds(results_of(on_fad(LEVELS, {}))) == []  # nobody knows whether these were trained


def test_the_spread_over_seeds_and_their_agreement_are_said() -> None:
    lines = spread.seeds(two_seeds((-8.0, -10.0)))
    assert "standard deviation of up to 1.41 in FAD (PD)" in lines[0]
    assert lines[-1] == "Every significant difference has the same sign with every training seed."


def test_seeds_that_disagree_on_a_separated_difference_are_said() -> None:
    runs = []
    for seed, (difference, p) in enumerate(((-20.0, 1e-12), (1.0, 0.5))):
        runs.append(on_fad({"PD": 30.0 + difference, "ZS": 30.0}, {("PD", "ZS"): p}, train_seed=str(seed)))
    found = results_of(*runs)
    assert found.table.comparisons[0].significant
    assert "do not all agree on the sign of PD against ZS on FAD" in spread.seeds(found)[-1]
    assert wording.verdicts(found.table.comparisons) == ["PD is better than ZS on FAD (not with every training seed)"]


def guidance_of(values: Mapping[str, tuple[float, float]]) -> Results:
    table = on_fad({"PD": 30.0, "ZS": 40.0}, {}, split="test")
    table = replace(table, systems={"PD": {"guidance": 4.0}, "ZS": {"guidance": 2}})
    sweep = [on_fad({"PD": pd, "ZS": zs}, {}, split="val", guidance=w) for w, (pd, zs) in values.items()]
    return results_of(table, *sweep)


def test_a_choice_at_either_end_of_what_was_tried_is_said_but_no_guidance_is_no_edge() -> None:
    values = dict.fromkeys(("2", "4", "8"), (40.0, 41.0))
    lines = spread.guidance(guidance_of(values))
    assert lines[1] == "2 is the smallest scale that was tried, and ZS takes it: a better one may lie below."
    table = replace(on_fad({"PD": 30.0}, {}, split="test"), systems={"PD": {"guidance": 1.0}})
    sweep = [on_fad({"PD": 30.0}, {}, split="val", guidance=w) for w in ("1", "2")]
    assert not any("tried" in line for line in spread.guidance(results_of(table, *sweep)))


@pytest.mark.parametrize(("same", "said"), [(True, True), (False, False)])
def test_systems_of_one_network_at_different_scales_are_warned_of(same: bool, said: bool) -> None:
    found = guidance_of(dict.fromkeys(("2", "4", "8"), (40.0, 41.0)))
    cards = {
        name: {"guidance": scale, "model": {"weights_sha256": "abc" if same else name}}
        for name, scale in (("PD", 4.0), ("ZS", 2.0))
    }
    table = replace(on_fad({"PD": 30.0, "ZS": 40.0}, {}, split="test"), systems=cards)
    found = results_of(table, *(run.record for run in found.runs.guidance))
    lines = spread.guidance(found)
    assert lines[0] == "The table shows guidance scale 4 for PD, 2 for ZS."
    assert any(line.startswith("PD and ZS share a network, but not the guidance scale") for line in lines) == said


def test_the_gap_says_what_is_closed_raw_and_centred_beside_mean_shift() -> None:
    lines = gap.read(results_of(gap_record({})))
    assert "0.840 [0.820, 0.860] apart (n = 480)" in lines[0]
    assert lines[1] == (
        "Of that distance, PD closes 89 % (to 0.090), PD-best4 closes 89 % (to 0.090) "
        "and mean-shift closes 98 % (to 0.020)."
    )
    assert "from 0.330 for the text to 0.710 for PD" in lines[2]
    assert lines[3].endswith("(14 % of the centred gap closed [11, 17]): the prior does more than move the centroid.")
    assert "Mean-shift changes the centred cosine by its normalisation only" in lines[-1]


@pytest.mark.parametrize(
    ("centred", "words"), [(0.42, "is not shown to change anything"), (0.30, "lowers the agreement")]
)
def test_a_prior_that_only_moves_the_centroid_is_said_to(centred: float, words: str) -> None:
    lines = gap.read(results_of(gap_record({}, {**GAPS, "PD": (0.05, 0.66, centred)})))
    assert words in lines[3]


def test_a_prior_that_widens_the_gap_is_said_to() -> None:
    lines = gap.read(results_of(gap_record({}, {"text": (0.5, 0.3, 0.4), "PD": (0.7, 0.2, 0.3)})))
    assert "PD widens it to 0.700" in lines[1]


def test_the_limits_are_taken_from_the_records() -> None:
    real = replace(simple({}), scores=(score("fad", "PD", 1.0, signature="fad|enc:vggish+0|n:1"),))
    lines = caveats.read(results_of(replace(real, provenance={"uncommitted_changes": True, "commit": "a"})))
    assert lines[-1] == "Some runs were made with uncommitted changes in the code."


def test_tests_that_are_too_coarse_to_separate_anything_are_said() -> None:
    record = on_fad(LEVELS, {("PD", "ZS"): 0.02, ("IQ", "PD"): 0.02})
    coarse = tuple(replace(c, test="paired-bootstrap-damped-30") for c in record.comparisons)
    lines = caveats.read(results_of(replace(record, comparisons=coarse)))
    assert any("30 resamples no test can give p below 0.032, after correction over 2 rows 0.065" in s for s in lines)
    fine = tuple(replace(c, test="paired-bootstrap-damped-2000") for c in record.comparisons)
    assert not any("resamples" in s for s in caveats.read(results_of(replace(record, comparisons=fine))))


def test_differences_without_a_test_are_said_to_be_open() -> None:
    lines = caveats.read(results_of(simple({("fad", "a"): 1.0, ("fad", "b"): 2.0})))
    assert "No paired test was made for FAD: differences there may be chance." in lines


def test_equal_systems_are_called_equal() -> None:
    record = simple({("fad", "mine"): 3.0, ("fad", "yours"): 3.0}, {("fad", "mine", "yours"): (0.0, 1.0)})
    same = replace(record.comparisons[0], ci=(0.0, 0.0), test=IDENTICAL, effect_size=None)
    lines = comparisons.read(results_of(replace(record, comparisons=(same,))))
    assert lines == ["mine against yours: equal on FAD: their outputs are the same bytes."]


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
    assert "A: 'q2' is clipped; the same check found something in reference too." in lines


def test_long_lists_of_pairs_are_cut_and_the_rest_is_counted() -> None:
    levels = {f"s{i}": float(i) for i in range(15)}
    found = results_of(on_fad(levels, {("s0", f"s{i}"): CLEAR for i in range(1, 15)}))
    lines = comparisons.read(found)
    assert len(lines) == 13
    assert lines[-1] == "2 more pairs: see the table of comparisons."


def test_pairs_of_a_plan_are_left_to_its_own_questions() -> None:
    catalogue = Catalogue(
        systems=(SystemStyle("PD", group="ours"), SystemStyle("ZS", group="ours")),
        groups=("ours", ""),
        planned=(("PD", "ZS"),),
    )
    record = on_fad({"PD": 1.0, "ZS": 2.0, "mine": 3.0}, {("PD", "ZS"): CLEAR, ("PD", "mine"): CLEAR})
    lines = comparisons.read(results_of(record, catalogue=catalogue))
    assert [line.partition(":")[0] for line in lines] == ["PD against mine"]


def test_every_control_with_a_meaning_is_named_next_to_the_floor_of_a_distance() -> None:
    found = results_of(simple({("fad", "a"): 5.0, ("fad", "real"): 1.25, ("fad", "noise"): 80.0}))
    assert controls.read(found)[0] == (
        "FAD: real audio reaches 1.25, the floor of this metric at n = 480; white noise 80.00."
    )


def test_without_real_audio_nothing_is_said_of_a_floor() -> None:
    assert controls.read(results_of(simple({("fad", "a"): 5.0, ("fad", "noise"): 80.0}))) == []


def test_a_best_scale_is_not_named_across_different_n() -> None:
    table = on_fad({"a": 3.0}, {}, split="test")
    sweep = [
        replace(on_fad({"a": 3.0}, {}, split="val", guidance=w), scores=(score("fad", "a", v, n=n),))
        for w, v, n in (("1", 5.0, 100), ("2", 4.0, 200))
    ]
    assert not any("is best at" in line for line in spread.guidance(results_of(table, *sweep)))


def test_one_guidance_scale_says_nothing() -> None:
    found = results_of(on_fad({"a": 3.0}, {}, split="test"), on_fad({"a": 3.0}, {}, split="val", guidance="2"))
    assert spread.guidance(found) == []


def test_runs_of_several_commits_are_said() -> None:
    runs = [replace(simple({("fad", "a"): 1.0}, train_seed=str(i)), provenance={"commit": str(i)}) for i in range(2)]
    assert "The runs were made at 2 commits of the code." in caveats.read(results_of(*runs))


def test_metrics_that_depend_on_n_are_named() -> None:
    lines = caveats.read(results_of(simple({("fad", "a"): 1.0, ("inception_score", "a"): 2.0, ("kad", "a"): 1.0})))
    assert "Compare FAD and inception score at equal n only: their expectations depend on n." in lines
    assert "n = 480 test clips." in lines


def test_encoders_away_from_their_world_make_the_numbers_meaningless() -> None:
    record = simple({("fad", "a"): 1.0})
    away = {"evaluation": (Finding("world", "error", (), "toy encoders on other sounds"),)}
    assert caveats.read(results_of(replace(record, findings=away)))[0].startswith(
        "The encoders know one small synthetic world only"
    )


def test_a_gap_without_priors_says_how_wide_it_is_and_no_more() -> None:
    (line,) = gap.read(results_of(gap_record({}, {"text": (0.84, 0.3, 0.4)})))
    assert line.startswith("The centroids of the text and the image embeddings are 0.840 [0.820, 0.860] apart")


def test_without_a_gap_record_nothing_is_said_of_it() -> None:
    assert gap.read(results_of(simple({("fad", "a"): 1.0}))) == []
