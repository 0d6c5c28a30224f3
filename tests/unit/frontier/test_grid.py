from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipsonic_eval.bench.cases import Target
from clipsonic_eval.errors import ConfigError
from clipsonic_eval.frontier.grid import Point, points
from clipsonic_eval.harness.evaluation_config import EvaluateConfig


def targets(grid: dict[str, list[Any]], **settings: Any) -> list[Target]:
    varied = {key: tuple(values) for key, values in grid.items()}
    return [Target("m:A", "A", settings, varied), Target("m:B", "", {}, varied)]


def test_points_are_all_combinations_of_all_systems_with_their_settings() -> None:
    found = points(targets({"sampler": ["ddim", "ddpm"], "steps": [5, 10]}, model="x"))
    assert [p.system for p in found] == ["A"] * 4 + ["B"] * 4
    assert found[0].settings == {"model": "x", "sampler": "ddim", "steps": 5}
    assert found[-1] == Point("B", "m:B", {"sampler": "ddpm", "steps": 10}, {"sampler": "ddpm", "steps": 10})


def test_without_a_grid_every_system_is_a_point() -> None:
    first, second = points(targets({}))
    assert (first.label, first.tags) == ("A", {"system": "A"})
    assert second.label == "B"


def test_a_setting_of_one_value_is_set_but_not_named() -> None:
    point = points(targets({"steps": [5], "guidance": [2, 4]}))[0]
    assert point.settings == {"steps": 5, "guidance": 2}
    assert point.label == "A@guidance-2"


def test_labels_and_tags_name_the_settings() -> None:
    point = points(targets({"sampler": ["dpm-solver++", "x"], "guidance": [2.0, 3], "compile": [True, False]}))[0]
    assert point.label == "A@sampler-dpm-solver++@guidance-2@compile-true"
    assert point.tags == {"system": "A", "sampler": "dpm-solver++", "guidance": "2", "compile": "true"}


names = st.sampled_from(["steps", "guidance", "sampler"])
values = st.lists(st.one_of(st.integers(-9, 99), st.sampled_from(["a", "b", "c"])), min_size=1, max_size=4, unique=True)


@given(st.dictionaries(names, values, max_size=3))
def test_every_point_has_a_label_that_a_folder_and_a_record_take(grid: dict[str, list[Any]]) -> None:
    found = points(targets(grid))
    assert len(found) == 2 * len(list(itertools.product(*grid.values())))
    assert len({point.label for point in found}) == len(found)
    EvaluateConfig(systems={point.label: Path("x") for point in found})


@pytest.mark.parametrize(
    ("found", "message"),
    [
        ([], "no system to sweep"),
        (targets({"guidance": [2, 2.0]}), "two points of the grid would be called 'A@guidance-2'"),
        (targets({"template": ["a b", "a/b"]}), "two points of the grid would be called 'A@template-a-b'"),
    ],
)
def test_grids_that_cannot_be_measured_are_refused(found: list[Target], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        points(found)
