"""How numbers and comparisons become words."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipsonic_eval.records import IDENTICAL, Comparison, RunRecord
from clipsonic_eval.reporting.statements.wording import about, listed, p_text, plural, sentence, verdicts
from clipsonic_eval.reporting.tables import seed_list, span

WINS = Comparison("fad", "PD", "ZS", -2.5, (-3.5, -1.5), 0.0004, 0.002, 480, "paired", False)


@pytest.mark.parametrize(("items", "text"), [(["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")])
def test_lists_end_with_and(items: list[str], text: str) -> None:
    assert listed(items) == text


@given(st.lists(st.text("abc", min_size=1, max_size=3), min_size=1, max_size=9))
def test_every_item_of_a_list_is_named_once(items: list[str]) -> None:
    assert listed(items).replace(" and ", ", ").split(", ") == items


@pytest.mark.parametrize(("n", "text"), [(1, "1 seed"), (2, "2 seeds"), (0, "0 seeds")])
def test_nouns_follow_their_count(n: int, text: str) -> None:
    assert plural(n, "seed") == text


def test_irregular_nouns_bring_their_plural() -> None:
    assert plural(2, "query", "queries") == "2 queries"


@pytest.mark.parametrize(("p", "text"), [(0.0123, "p = 0.012"), (0.5, "p = 0.50"), (1e-9, "p < 0.001")])
def test_small_p_values_are_bounded(p: float, text: str) -> None:
    assert p_text(p) == text


def test_a_sentence_begins_with_a_capital_and_ends_with_a_stop() -> None:
    assert sentence(["on FAD, a wins", "on KID, b wins"]) == "On FAD, a wins; on KID, b wins."


def test_the_better_system_is_named_first_whichever_way_the_pair_is_written() -> None:
    assert verdicts([WINS]) == ["PD is better than ZS on FAD"]  # a lower distance is better
    assert verdicts([WINS.reversed()]) == ["PD is better than ZS on FAD"]


def test_metrics_with_one_verdict_share_a_clause() -> None:
    other, unclear = replace(WINS, metric="kad"), replace(WINS, metric="kl", p_holm=0.06)
    turned = replace(WINS, metric="clap_score", higher_is_better=True)
    assert verdicts([WINS, unclear, other, turned]) == [
        "PD is better than ZS on FAD and KAD",
        "ZS is better than PD on CLAP score",
        "no significant difference on KL",
    ]


def test_a_seed_that_disagrees_is_said() -> None:
    several = replace(WINS, by_seed={"0": -3.0, "1": -2.0, "2": 0.5})
    assert verdicts([several]) == ["PD is better than ZS on FAD (not with every training seed)"]


def test_equal_outputs_are_called_equal() -> None:
    assert verdicts([replace(WINS, test=IDENTICAL)]) == ["equal on FAD: their outputs are the same bytes"]


def test_a_pair_is_told_of_on_every_metric_in_one_sentence() -> None:
    record = RunRecord("pooled", (), (WINS, replace(WINS, metric="kad"), replace(WINS, b="IQ")))
    assert about(record, "PD", "ZS", "PD against ZS:") == ["PD against ZS: PD is better than ZS on FAD and KAD."]
    assert about(record, "ZS", "PD", "turned round:") == []


@given(st.lists(st.integers(1, 10_000), min_size=1))
def test_numbers_of_clips_are_one_number_or_their_range(counts: list[int]) -> None:
    ends = [int(part) for part in span(counts).split("–")]
    assert (ends[0], ends[-1]) == (min(counts), max(counts))
    assert len(ends) == (1 if len(set(counts)) == 1 else 2)


@given(st.dictionaries(st.sampled_from(["0", "1", "17"]), st.floats(-1e6, 1e6)))
def test_values_by_seed_read_back_to_ten_digits(by_seed: dict[str, float]) -> None:
    parts = dict(part.split("=") for part in seed_list(by_seed).split(";") if part)
    assert {seed: float(value) for seed, value in parts.items()} == pytest.approx(by_seed, rel=1e-9)


def test_a_single_value_without_a_seed_stands_alone() -> None:
    assert seed_list({"": 23.5}) == "23.5"
