from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.report.synthetic import as_run, score, simple

from clipsonic_eval.analysis.catalogue import Catalogue
from clipsonic_eval.analysis.per_query import (
    GROUPS,
    QueryValues,
    Ranking,
    choose,
    one_run_per_system,
    query_values,
    rank,
)
from clipsonic_eval.errors import UserError
from clipsonic_eval.records import RunRecord

KEYS = tuple(f"q{i:02d}" for i in range(40))
CLAP = QueryValues("clap_score", True, False, {"PD": {k: i / 40 for i, k in enumerate(KEYS)}})
RANKED = Ranking(KEYS[::-1], CLAP, ("PD",))


def test_the_worst_the_median_and_the_best_are_those_of_the_ranking() -> None:
    groups = choose(RANKED, 12)
    named = {group: [key for key, own in groups.items() if group in own] for group in GROUPS}
    assert sorted(named["worst"]) == ["q00", "q01", "q02"]
    assert sorted(named["best"]) == ["q37", "q38", "q39"]
    assert sorted(named["median"]) == ["q19", "q20", "q21"]
    assert len(named["random"]) == 3


def test_the_random_ones_are_drawn_from_all_and_do_not_depend_on_the_values() -> None:
    other = Ranking(KEYS, CLAP, ("PD",))
    drawn = [{k for k, own in choose(r, 12).items() if "random" in own} for r in (RANKED, other)]
    assert drawn[0] == drawn[1]
    seen = Counter(k for seed in range(400) for k, own in choose(RANKED, 12, seed).items() if "random" in own)
    assert set(seen) == set(KEYS)  # each with probability 3/40: 30 expected, 14.9 is 3 standard deviations below
    assert min(seen.values()) > 12


@given(st.integers(1, 60), st.integers(0, 80), st.integers(0, 5))
def test_no_more_are_shown_than_asked_for_and_all_where_all_are(n_keys: int, n: int, seed: int) -> None:
    keys = tuple(f"q{i}" for i in range(n_keys))
    groups = choose(Ranking(keys, CLAP, ("PD",)), n, seed)
    assert set(groups) <= set(keys)
    assert len(groups) == n_keys if n == 0 else len(groups) <= max(n, 4)
    assert all(set(own) <= set(GROUPS) for own in groups.values())


def test_without_values_of_queries_all_are_random() -> None:
    groups = choose(rank([], "", KEYS, Catalogue()), 8)
    assert len(groups) == 8
    assert set(groups.values()) == {("random",)}


def test_a_ranking_is_over_the_systems_that_are_no_controls() -> None:
    values = [CLAP._replace(by_system={**CLAP.by_system, "noise": {k: 1 - i / 40 for i, k in enumerate(KEYS)}})]
    catalogue = Catalogue().completed(["PD", "noise"])
    assert rank(values, "", KEYS, catalogue).keys == KEYS[::-1]
    assert rank(values, "", KEYS, catalogue).systems == ("PD",)
    assert rank(values, "clap_score:noise", KEYS, catalogue).keys == KEYS


def test_lower_is_better_where_the_metric_says_so() -> None:
    error = CLAP._replace(metric="size_error", higher_is_better=False)
    assert rank([error], "", KEYS, Catalogue()).keys == KEYS


@pytest.mark.parametrize(
    ("by", "message"),
    [
        ("clap_scor", "unknown metric with values of single queries 'clap_scor'. Did you mean 'clap_score'"),
        ("clap_score:pd", "unknown system with values of 'clap_score' 'pd'. Did you mean 'PD'"),
    ],
)
def test_an_unknown_metric_or_system_is_named_with_the_nearest(by: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        rank([CLAP], by, KEYS, Catalogue())


def test_queries_that_no_system_shares_cannot_be_ranked() -> None:
    apart = CLAP._replace(by_system={"PD": {"a": 1.0}, "ZS": {"b": 1.0}})
    with pytest.raises(UserError, match=r"no query has a value of clap_score for all of PD, ZS; rank by one"):
        rank([apart], "", ["a", "b"], Catalogue())


def test_the_first_training_seed_stands_for_a_system() -> None:
    runs = [as_run(simple({("fad", "PD"): 1.0}, train_seed=seed), f"seed-{seed}") for seed in ("10", "2")]
    assert one_run_per_system(runs)["PD"].name == "seed-2"


def test_the_reference_is_no_system() -> None:
    assert list(one_run_per_system([as_run(simple({("fad", "PD"): 1.0, ("fad_halves", "reference"): 1.0}))])) == ["PD"]


def test_influences_come_after_values() -> None:
    fad = score("fad", "PD", 2.0, influence={"a": 0.1})
    clap = score("clap_score", "PD", 0.5, per_clip={"a": 0.5})
    values = query_values({"PD": as_run(RunRecord("evaluate", (fad, clap)))})
    assert [(v.metric, v.is_influence) for v in values] == [("clap_score", False), ("fad", True)]
