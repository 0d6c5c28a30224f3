"""Metrics that compare a clip with an attribute of its query: how many, and how big."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipsonic_eval.errors import ShapeError, UserError
from clipsonic_eval.metrics import METRICS, attributes, class_accuracy, count_accuracy, size_error
from clipsonic_eval.types import Embeddings, EncoderCard

COUNTS = EncoderCard("counts", "f" * 64, 3, ("audio",), "", labels=("1", "2", "3"))


def counted(*rows: list[float], keys: str) -> Embeddings:
    return Embeddings(np.log(np.array(rows)), tuple(keys), "audio", COUNTS)


def test_the_columns_that_metrics_compare_with_are_count_and_size() -> None:
    assert attributes() == ("count", "size")
    assert {METRICS[name].card.attribute for name in ("count_accuracy", "size_error")} == {"count", "size"}


def test_a_count_is_right_where_the_most_probable_one_is_that_of_the_query() -> None:
    heard = counted([0.7, 0.2, 0.1], [0.2, 0.5, 0.3], [0.1, 0.3, 0.6], keys="abc")
    score = count_accuracy(heard, labels={"a": "1", "b": "3", "c": "3"})
    assert score.per_clip == {"a": 1.0, "b": 0.0, "c": 1.0}
    assert (score.value, score.n, score.ci_method) == (pytest.approx(2 / 3), 3, "wilson")


def test_a_count_that_the_classifier_does_not_know_is_an_error() -> None:
    with pytest.raises(UserError, match=r"label of 'a' for encoder counts: '4'. Known: 1, 2, 3"):
        count_accuracy(counted([0.7, 0.2, 0.1], keys="a"), labels={"a": "4"})


def test_counts_and_classes_are_scored_alike() -> None:
    logs = np.log(np.random.default_rng(0).dirichlet(np.ones(4), 50))
    labels = np.random.default_rng(1).integers(0, 4, 50).tolist()
    assert count_accuracy(logs, labels=labels).per_clip == class_accuracy(logs, labels=labels).per_clip


def test_the_size_error_is_the_mean_distance_of_the_clips_mean_estimate() -> None:
    heard = Embeddings(np.array([[0.1], [0.3], [0.9], [0.4]]), ("a", "a", "b", "c"), "audio", COUNTS)
    score = size_error(heard, labels={"a": "0.5", "b": "0.6"})  # c has no size
    assert score.per_clip == {"a": pytest.approx(0.3), "b": pytest.approx(0.3)}
    assert (score.n, score.n_rows, score.higher_is_better) == (2, 3, False)


def test_normal_errors_have_the_size_error_of_the_closed_form() -> None:
    rng = np.random.default_rng(0)
    sizes, sigma = rng.random(20_000), 0.1
    heard = sizes + sigma * rng.standard_normal(len(sizes))
    score = size_error(heard[:, None], labels=sizes.tolist(), n_boot=100)
    assert score.value == pytest.approx(sigma * np.sqrt(2 / np.pi), rel=0.02)  # E |N(0, σ²)| = σ √(2/π)
    assert score.ci is not None
    assert score.ci[0] < sigma * np.sqrt(2 / np.pi) < score.ci[1]


def test_the_constant_answer_has_a_quarter_of_the_span() -> None:
    sizes = (np.arange(1000) + 0.5) / 1000
    constant = np.full((1000, 1), 0.5)
    assert size_error(constant, labels=sizes.tolist(), n_boot=0).value == pytest.approx(0.25)


@given(st.lists(st.floats(0, 1), min_size=2, max_size=8), st.floats(0.01, 1))
def test_an_offset_of_right_estimates_is_the_size_error(sizes: list[float], offset: float) -> None:
    heard = np.array(sizes)[:, None] + offset
    assert size_error(heard, labels=sizes, n_boot=0).value == pytest.approx(offset)


@pytest.mark.parametrize("size", ["big", "nan", "inf"])
def test_a_size_that_is_no_number_is_an_error(size: str) -> None:
    heard = Embeddings(np.array([[0.1]]), ("a",), "audio", COUNTS)
    with pytest.raises(UserError, match=rf"size of 'a' is '{size}'; it must be a number from 0 \(small\) to 1 \(big\)"):
        size_error(heard, labels={"a": size})


def test_embeddings_of_many_dimensions_are_no_estimate_of_a_size() -> None:
    with pytest.raises(ShapeError, match="needs one number per row, and encoder 'array' gives 4"):
        size_error(np.zeros((3, 4)), labels=[0.1, 0.2, 0.3])
