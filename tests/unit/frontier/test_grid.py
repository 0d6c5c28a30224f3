from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipsonic_eval.errors import ConfigError
from clipsonic_eval.frontier.grid import Point, points

A = {"A": {"system": "m:A", "model": "x"}}


def test_points_are_all_combinations_of_all_systems_with_their_settings() -> None:
    found = points({**A, "B": {"system": "m:B"}}, {"sampler": ["ddim", "ddpm"], "steps": [5, 10]})
    assert len(found) == 8
    assert [p.system for p in found] == ["A"] * 4 + ["B"] * 4
    assert found[0].settings == {"model": "x", "sampler": "ddim", "steps": 5}
    assert found[-1] == Point("B", "m:B", {"sampler": "ddpm", "steps": 10}, {"sampler": "ddpm", "steps": 10})


def test_a_value_of_the_grid_stands_before_the_same_setting_of_the_system() -> None:
    (point,) = points({"A": {"system": "m:A", "steps": 20}}, {"steps": [5]})
    assert point.settings == {"steps": 5}


def test_without_a_grid_every_system_is_a_point() -> None:
    (point,) = points(A, {})
    assert (point.label, point.tags) == ("A", {"system": "A"})


def test_labels_and_tags_name_the_settings() -> None:
    (point,) = points(A, {"sampler": ["dpm-solver++"], "guidance": [2.0], "compile": [True]})
    assert point.label == "A@sampler-dpm-solver++@guidance-2@compile-true"
    assert point.tags == {"system": "A", "sampler": "dpm-solver++", "guidance": "2", "compile": "true"}


names = st.sampled_from(["steps", "guidance", "sampler"])
values = st.lists(st.one_of(st.integers(-9, 99), st.sampled_from(["a", "b", "c"])), min_size=1, max_size=4, unique=True)


@given(st.dictionaries(names, values, max_size=3))
def test_every_point_has_a_label_of_its_own(grid: dict[str, list[Any]]) -> None:
    found = points({**A, "B": {"system": "m:B"}}, grid)
    assert len(found) == 2 * len(list(itertools.product(*grid.values())))
    assert len({point.label for point in found}) == len(found)


@pytest.mark.parametrize(
    ("systems", "grid", "message"),
    [
        ({}, {}, "no system to sweep"),
        ({"A": {}}, {}, "systems.A: needs `system`"),
        (A, {"steps": []}, "at least one value and none twice, got none"),
        (A, {"guidance": [2, 2.0]}, "none twice, got 2, 2"),
        (A, {"name": ["x"]}, "does not vary"),
        (A, {"template": ["a b", "a/b"]}, "two points of the grid would be called 'A@template-a-b'"),
    ],
)
def test_grids_that_cannot_be_measured_are_refused(systems: Any, grid: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        points(systems, grid)
