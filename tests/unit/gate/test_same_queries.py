"""One model against another on the same queries: three verdicts, both kinds of metrics, both directions."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from unit.gate.made import clip_score, clips, keys, record, set_score

from clipsonic_eval.gate.check import check
from clipsonic_eval.gate.limits import from_texts
from clipsonic_eval.gate.verdicts import GateResult, Verdict
from clipsonic_eval.records import RunRecord

LATER = "2026-02-02T00:00:00+00:00"


def judged(old: RunRecord, new: RunRecord, *texts: str) -> GateResult:
    return check([dataclasses.replace(new, provenance={"created": LATER})], [old], from_texts(texts))


def verdict(old: RunRecord, new: RunRecord, text: str) -> Verdict:
    result = judged(old, new, text)
    assert result.refusals == ()
    (only,) = result.verdicts
    assert only.question == "same queries"
    assert only.sentence
    return only


def noise(seed: int, spread: float = 0.02) -> np.ndarray:
    return spread * np.random.default_rng(seed).standard_normal(200)


def test_a_clap_score_that_fell_beyond_the_margin_is_worse() -> None:
    found = verdict(record(clip_score(clips())), record(clip_score(clips() - 0.05 + noise(1))), "clap_score>-0.02")
    assert found.outcome == "worse"
    assert found.p_holm is not None
    assert found.p_holm < 0.01
    assert found.evidence is not None
    assert found.evidence.harm == pytest.approx(0.05, abs=0.005)
    assert "0.02" in found.sentence


def test_a_clap_score_that_rose_is_not_worse() -> None:
    old, new = record(clip_score(clips())), record(clip_score(clips() + 0.05 + noise(1)))
    found = verdict(old, new, "clap_score>-0.01")
    assert found.outcome == "not worse"
    assert found.evidence is not None
    assert found.evidence.harm < 0


def test_a_noisy_change_near_the_margin_cannot_be_told_and_says_what_would_settle_it() -> None:
    found = verdict(record(clip_score(clips())), record(clip_score(clips(9))), "clap_score>-0.004")
    assert found.outcome == "cannot tell"
    assert found.needed is not None
    assert found.needed > 200
    assert found.detectable is not None
    assert found.detectable > 0.004
    assert str(found.needed) in found.sentence
    assert "power of 80 %" in found.sentence


def test_the_error_term_of_a_mean_is_the_paired_one() -> None:
    """Clips scatter by 0.1 and their differences by 0.02: the standard error is that of the differences."""
    change = noise(1)
    found = verdict(record(clip_score(clips())), record(clip_score(clips() + change)), "clap_score>-0.02")
    assert found.evidence is not None
    assert found.evidence.se == pytest.approx(change.std(ddof=1) / np.sqrt(200), rel=1e-6)
    assert found.evidence.p_worse == pytest.approx(
        stats.ttest_1samp(-change, 0, alternative="greater").pvalue, abs=0.03
    )


def test_fad_is_judged_by_its_influences_of_clips_and_reference() -> None:
    parts, rows = 10 + 3 * clips(1), clips(2, n=50)
    old = record(set_score(parts, rows))
    new = record(set_score(parts + 0.5 + noise(3, 0.2), 1.5 * rows))
    found = verdict(old, new, "fad<+1%")
    expected = (np.var(noise(3, 0.2)) / 200 + 0.25 * np.var(rows) / 50) ** 0.5
    assert found.evidence is not None
    assert found.evidence.se == pytest.approx(expected, rel=1e-6)
    assert found.margin == pytest.approx(0.01 * old["PD", "fad"].value)
    assert found.outcome == "worse"
    assert verdict(new, old, "fad<+1%").outcome == "not worse"


def test_a_clip_that_one_side_lacks_counts_in_that_sides_value_alone() -> None:
    parts = clips(1)
    old = record(set_score(parts, metric="kl"))
    new = record(set_score(parts[:-4], metric="kl", names=keys(196)))
    found = verdict(old, new, "kl<+0.1")
    assert found.evidence is not None
    a = old["PD", "kl"].influence
    b = new["PD", "kl"].influence
    assert found.evidence.se == pytest.approx(sum((b.get(k, 0) - a[k]) ** 2 for k in a) ** 0.5)


def test_a_system_under_another_name_is_compared_where_the_pair_is_named() -> None:
    old = record(clip_score(clips(), system="ZS"), clip_score(clips(4), system="PD"))
    limits = from_texts(["clap_score>-0.02"])
    result = check([old], [old], limits, systems={"ZS": "PD"})
    assert [v.system for v in result.verdicts] == ["ZS"]
    assert "of 'ZS' as 'PD'" in result.verdicts[0].sentence


def test_several_records_of_too_few_seeds_are_about_these_weights() -> None:
    sides = [
        [record(clip_score(clips(s) + shift), created=f"{shift}-{s}", tags={"train_seed": str(s)}) for s in (0, 1)]
        for shift in (0.0, -0.05)
    ]
    result = check(sides[1], sides[0], from_texts(["clap_score>-0.02"]))
    (only,) = result.verdicts
    assert (only.question, only.outcome) == ("same queries", "worse")
    assert only.evidence is not None
    assert only.evidence.unit == "clips"
    assert any("to tell about the recipe takes 3 seeds a side" in note for note in result.notes)


def test_holm_is_over_the_whole_call() -> None:
    old = record(clip_score(clips()), clip_score(clips(5), "kl"))
    new = record(clip_score(clips() - 0.004 + noise(1)), clip_score(clips(5) - 0.1, "kl"))
    alone = verdict(old, new, "clap_score>-0.001")
    both = judged(old, new, "clap_score>-0.001", "kl<+0.1").verdicts[0]
    assert alone.evidence == both.evidence
    assert both.p_holm is not None
    assert both.p_holm == pytest.approx(2 * both.evidence.p_worse)  # type: ignore[union-attr]


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10_000), st.floats(-0.1, 0.1), st.booleans())
def test_swapping_the_sides_flips_the_sign_of_the_harm(seed: int, shift: float, of_sets: bool) -> None:
    make = (lambda x: set_score(x, metric="kl")) if of_sets else (lambda x: clip_score(x, "kl"))
    old, new = record(make(clips(seed))), record(make(clips(seed + 1) + shift))
    there, back = verdict(old, new, "kl<+0.01"), verdict(new, old, "kl<+0.01")
    assert there.evidence is not None
    assert back.evidence is not None
    assert there.evidence.harm == pytest.approx(-back.evidence.harm)
    assert there.evidence.se == pytest.approx(back.evidence.se)
    assert not (there.outcome == "worse" and back.outcome != "not worse")


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.0, 0.2))
def test_an_unrelated_metric_changes_a_verdict_by_holm_alone(seed: int, harm: float) -> None:
    old = record(clip_score(clips()), clip_score(clips(5), "kl"))
    new = record(clip_score(clips(seed) - harm), clip_score(clips(seed + 1), "kl"))
    alone, both = judged(old, new, "clap_score>-0.03"), judged(old, new, "clap_score>-0.03", "kl<+0.03")
    one, other = alone.verdicts[0], both.verdicts[0]
    assert one.evidence == other.evidence
    assert one.outcome == other.outcome or (one.outcome, other.outcome) == ("worse", "cannot tell")


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.05, 0.3), st.sampled_from(["clap_score", "fad"]))
def test_a_copy_made_worse_is_found_at_enough_clips(seed: int, harm: float, metric: str) -> None:
    rng = np.random.default_rng(seed)
    values = clips(seed)
    if metric == "fad":
        old, new = set_score(10 + values), set_score(10 + values + harm + 0.1 * rng.standard_normal(200))
        assert verdict(record(old), record(new), "fad<+0.01").outcome == "worse"
    else:
        old, new = clip_score(values), clip_score(values - harm + 0.1 * rng.standard_normal(200))
        assert verdict(record(old), record(new), "clap_score>-0.01").outcome == "worse"


def test_equal_values_are_not_worse() -> None:
    old = record(clip_score(clips()), set_score(10 + clips()))
    assert [v.outcome for v in judged(old, old, "clap_score>-0.01", "fad<+1%").verdicts] == ["not worse", "not worse"]
