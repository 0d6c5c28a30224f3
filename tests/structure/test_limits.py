"""The code stays easy to read: limits on its sizes, names, imports and docstrings, and on the way of a wav."""

from __future__ import annotations

import functools
from typing import Any

import pytest
from structure import measure


@functools.cache
def measured() -> dict[str, Any]:
    return measure.measure()


def test_no_class_name_means_two_things() -> None:
    assert measured()["class names used twice"] == []


def test_every_public_function_of_arrays_states_shapes() -> None:
    _, functions, without = measured()["array functions without a shape in their docstring"]
    assert functions > 200
    assert without == []


@pytest.mark.parametrize(
    ("what", "limit"),
    [
        ("longest file", 400),
        ("modules of ours imported, maximum", 13),
        ("public classes", 350),
    ],
)
def test_sizes_stay_within_their_limits(what: str, limit: int) -> None:
    found = measured()[what]
    assert (found[0] if isinstance(found, tuple) else found) <= limit


def test_modules_import_in_no_circle_but_two() -> None:
    study = ["best", "catalogue", "comparisons", "results"]  # a catalogue's questions are about results, which have one
    metrics = ["", "._base", ".gap._pairs", ".scoring"]  # a statistic of pairs is a metric, whose values are estimates
    expected = [f"clipsonic_eval.analysis.{name}" for name in study] + ["clipsonic_eval.metric_cards"]
    assert measured()["modules that import in a circle"] == expected + [f"clipsonic_eval.metrics{n}" for n in metrics]


def test_circles_are_found() -> None:
    assert measure.circles({"a": {"b"}, "b": {"a"}, "c": {"a", "clipsonic_eval"}, "d": set()}) == ["a", "b"]
    assert measure.circles({"a": {"b"}, "b": {"c"}, "c": set(), "clipsonic_eval": {"a"}}) == []


def test_functions_stay_short() -> None:
    median, longest = measured()["lines per function, median and maximum"]
    assert median <= 6
    assert longest <= 45


def test_examples_and_tests_grow_with_the_code() -> None:
    assert measured()["doctest lines"] >= 400
    assert measured()["lines of tests per line of code"] >= 0.7


def test_a_wav_becomes_a_record_in_one_direction() -> None:
    ran, walk = measure.trace()
    assert measure.returns(walk) <= 8
    assert any(path.endswith("metrics/frechet.py") for path in ran)
