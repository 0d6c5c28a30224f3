"""The types that flow through the library: what they refuse, and how they show themselves."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipsonic_eval.errors import ShapeError
from clipsonic_eval.formats import decimals_of, with_interval
from clipsonic_eval.types import Embeddings, EncoderCard, Score, as_embeddings


def score(**more: object) -> Score:
    given = {
        "metric": "fad",
        "system": "PD",
        "value": 1.234,
        "ci": (1.1, 1.4),
        "ci_method": "bootstrap-clip-damped-2000",
        "n": 50,
        "n_rows": 50,
        "unit": "squared distance",
        "higher_is_better": False,
        "signature": "fad|num:1|n:50",
    }
    return Score(**{**given, **more})  # type: ignore[arg-type]


def test_a_score_is_a_number_with_its_interval() -> None:
    assert float(score()) == 1.234
    assert repr(score()) == "fad of PD: 1.23 [1.10, 1.40], n = 50"


def test_a_score_without_system_or_interval_shows_neither() -> None:
    assert repr(score(system="", ci=None)) == "fad: 1.234, n = 50"


def test_a_score_in_a_notebook_shows_what_changes_it() -> None:
    shown = score(system="<b>")._repr_html_()
    assert "fad ↓" in shown
    assert "fad|num:1|n:50" in shown
    assert "95% bootstrap-clip-damped-2000" in shown
    assert "&lt;b&gt;" in shown
    assert "50 clips, 80 rows" in score(n_rows=80)._repr_html_()


@pytest.mark.parametrize(
    ("value", "ci", "shown"),
    [
        (512.3, (400.0, 650.0), "512 [400, 650]"),
        (0.31234, (0.3011, 0.3243), "0.312 [0.301, 0.324]"),
        (-0.0123, (-0.02, 0.001), "-0.012 [-0.020, 0.001]"),
        (0.5, (0.5, 0.5), "0.5000 [0.5000, 0.5000]"),
        (0.0, None, "0.000"),
        (1e-9, None, "0.000000"),
        (123456.0, None, "123456"),
        (math.nan, (math.nan, math.nan), "nan [nan, nan]"),
        (1.0, (0.0, math.inf), "1.000 [0.000, inf]"),
    ],
)
def test_a_value_has_the_digits_that_its_interval_supports(
    value: float, ci: tuple[float, float] | None, shown: str
) -> None:
    assert with_interval(value, ci) == shown


@given(st.floats(1e-5, 1e6), st.floats(-1e3, 1e3))
def test_the_ends_of_an_interval_never_look_equal(width: float, low: float) -> None:
    shown = with_interval(low, (low, low + width))
    left, right = shown[shown.index("[") + 1 : -1].split(", ")
    assert left != right


@given(st.floats(allow_nan=True, allow_infinity=True))
def test_any_value_can_be_shown(value: float) -> None:
    assert 0 <= decimals_of(value, None) <= 6
    assert with_interval(value, None)


def test_an_array_becomes_embeddings_whose_rows_are_numbered_in_order() -> None:
    made = as_embeddings(np.arange(24.0).reshape(12, 2))
    assert made.keys == tuple(sorted(made.keys))
    assert len(set(made.keys)) == 12
    assert made.space == as_embeddings(np.zeros((3, 2))).space


@pytest.mark.parametrize("kind", [list, tuple, np.asarray, lambda x: np.asarray(x, np.float16)])
def test_anything_that_numpy_reads_as_rows_of_numbers_is_taken(kind: object) -> None:
    made = as_embeddings(kind([[1, 2], [3, 4]]))  # type: ignore[operator]
    assert made.vectors.dtype.kind == "f"
    assert made.vectors.tolist() == [[1, 2], [3, 4]]


def test_a_tensor_on_the_cpu_is_taken() -> None:
    torch = pytest.importorskip("torch")
    assert as_embeddings(torch.ones(3, 2)).vectors.shape == (3, 2)
    with pytest.raises(ShapeError, match=r"reference: .*requires grad.*detach"):
        as_embeddings(torch.ones(3, 2, requires_grad=True), "reference")


def test_embeddings_pass_unchanged() -> None:
    card = EncoderCard("mine", "0" * 64, 2, ("audio",), "")
    own = Embeddings(np.ones((1, 2)), ("a",), "audio", card)
    assert as_embeddings(own) is own


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (np.ones(8), r"system: needs an array of shape \(n, d\).*\(8,\); x\[None\] makes"),
        (np.ones((2, 3, 4)), r"one embedding per row, got \(2, 3, 4\)"),
        (np.ones((0, 4)), r"got \(0, 4\)"),
        (3.0, r"got \(\)"),
        ([], r"got \(0,\)"),
        ([[1.0], [1.0, 2.0]], "not readable as an array"),
        ([["a", "b"]], "real numbers"),
        (np.ones((2, 2), complex), "real numbers"),
        (np.array([[1.0, 2.0], [np.nan, 1.0], [np.inf, 0.0]]), "2 of 3 rows hold NaN or infinity, the first is row 1"),
    ],
)
def test_what_is_no_array_of_embeddings_is_refused_in_one_sentence(wrong: object, why: str) -> None:
    with pytest.raises(ShapeError, match=why) as refused:
        as_embeddings(wrong, "system")  # type: ignore[arg-type]
    assert "\n" not in str(refused.value)


def test_keys_must_be_as_many_as_rows() -> None:
    with pytest.raises(ShapeError, match="2 keys for 3 rows"):
        as_embeddings(np.ones((3, 2)), keys=["a", "b"])


def test_embeddings_show_how_many_clips_they_hold() -> None:
    made = as_embeddings(np.ones((4, 2)), keys=["a", "a", "b", "b"])
    assert repr(made) == "Embeddings(audio, 4 rows of 2 clips, d = 2, array)"
