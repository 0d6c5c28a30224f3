"""The design is balanced for every number of listeners, and nobody's list depends on who comes later."""

from __future__ import annotations

import collections
import itertools
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clipsonic_eval.errors import ShapeError
from clipsonic_eval.listening import design

SIZES = {
    "treatments": st.integers(1, 20),
    "queries": st.integers(4, 500),
    "listeners": st.integers(1, 200),
    "clips": st.integers(1, 60),
    "seed": st.integers(0, 2**32),
}


def spread(counts: Iterable[int]) -> int:
    found = list(counts)
    return max(found) - min(found)


@settings(max_examples=25, deadline=None)
@given(**SIZES)
def test_every_listener_hears_no_query_twice_and_all_systems_equally_often(
    treatments: int, queries: int, listeners: int, clips: int, seed: int
) -> None:
    blocks = design.n_blocks(queries, clips)
    for listener in {0, listeners // 2, listeners - 1}:
        heard = design.block(listener, treatments, queries, blocks, seed)
        assert 1 <= len(heard) <= clips
        assert len({query for query, _ in heard}) == len(heard)
        counts = collections.Counter(treatment for _, treatment in heard)
        assert spread(counts[t] for t in range(treatments)) <= 1


@settings(max_examples=15, deadline=None)
@given(**SIZES)
def test_for_any_number_of_listeners_queries_systems_and_systems_of_a_query_are_heard_equally_often(
    treatments: int, queries: int, listeners: int, clips: int, seed: int
) -> None:
    blocks = design.n_blocks(queries, clips)
    heard = [pair for i in range(listeners) for pair in design.block(i, treatments, queries, blocks, seed)]
    cells = collections.Counter(heard)
    by_query = collections.Counter(query for query, _ in heard)
    by_treatment = collections.Counter(treatment for _, treatment in heard)
    assert spread(by_query[q] for q in range(queries)) <= 1
    assert spread(by_treatment[t] for t in range(treatments)) <= 1
    assert spread(cells[pair] for pair in itertools.product(range(queries), range(treatments))) <= 1


@given(st.integers(1, 40), st.integers(1, 90))
def test_over_as_many_passes_as_treatments_every_kind_of_query_meets_each_treatment_once(
    treatments: int, queries: int
) -> None:
    for kind in range(queries):
        assert sorted(design.walk(kind, step, treatments, queries) for step in range(treatments)) == list(
            range(treatments)
        )


@pytest.mark.parametrize("n", range(2, 14))
def test_williams_squares_balance_places_and_first_order_carry_over(n: int) -> None:
    rows = [design.williams_row(n, row) for row in range(n if n % 2 == 0 else 2 * n)]
    places = [collections.Counter(row[place] for row in rows) for place in range(n)]
    after = collections.Counter(pair for row in rows for pair in itertools.pairwise(row))
    assert all(set(counts.values()) == {len(rows) // n} for counts in places)
    assert set(after.values()) == {len(rows) // n}
    assert len(after) == n * (n - 1)


@pytest.mark.parametrize(("treatments", "repeats"), [(2, 3), (3, 2), (4, 4), (5, 6), (13, 2)])
def test_lists_of_whole_rows_balance_places_over_listeners_and_no_system_follows_itself(
    treatments: int, repeats: int
) -> None:
    clips = treatments * repeats
    orders = []
    for listener in range(2 * treatments):
        heard = design.block(listener, treatments, 5 * clips, 5, seed=3)
        ordered = design.in_williams_order(heard, listener, treatments)
        assert sorted(ordered) == sorted(heard)
        orders.append([treatment for _, treatment in ordered])
    for place in range(clips):
        assert set(collections.Counter(order[place] for order in orders).values()) == {2}
    assert all(a != b for order in orders for a, b in itertools.pairwise(order))


@given(st.integers(1, 20), st.integers(1, 60), st.integers(0, 100))
def test_an_order_has_everything_that_a_listener_hears_once(treatments: int, queries: int, listener: int) -> None:
    heard = design.block(listener, treatments, queries, 1, seed=0)
    assert sorted(design.in_williams_order(heard, listener, treatments)) == sorted(heard)


@pytest.mark.parametrize("n", range(2, 21))
def test_ordered_pairs_hold_each_pair_once_a_side_and_sides_take_turns(n: int) -> None:
    pairs = design.ordered_pairs(n)
    assert sorted(pairs) == sorted(itertools.permutations(range(n), 2))
    half = pairs[: len(pairs) // 2]
    assert len({frozenset(pair) for pair in half}) == len(half)
    for system in range(n):
        sides = [1 if left == system else -1 for left, right in pairs if system in (left, right)]
        sums = [0, *itertools.accumulate(sides)]
        assert max(b - a for a, b in itertools.combinations(sums, 2)) <= 3


def test_sizes_that_make_no_design_are_refused() -> None:
    with pytest.raises(ShapeError, match="needs treatments, queries"):
        design.block(0, 3, 4, 5, seed=0)
