"""Numbers as people read them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipsonic_eval import formats

finite = st.floats(-1e9, 1e9, allow_nan=False)


@given(value=finite, decimals=st.integers(0, 6))
def test_a_number_reads_back_to_its_decimals(value: float, decimals: int) -> None:
    text = formats.number(value, decimals)
    assert "-" not in text
    assert float(text.replace(formats.MINUS, "-")) == pytest.approx(value, abs=0.51 * 10**-decimals, rel=1e-12)


@given(value=finite, decimals=st.integers(0, 6))
def test_a_sign_stands_before_every_number_that_is_not_zero(value: float, decimals: int) -> None:
    text = formats.number(value, decimals, sign=True)
    rounded = float(formats.number(value, decimals).replace(formats.MINUS, "-"))
    assert text[0] == ("+" if rounded > 0 else formats.MINUS if rounded < 0 else "0")


@given(p=st.floats(0, 1))
def test_p_values_keep_two_digits_and_are_never_zero(p: float) -> None:
    text = formats.p_value(p)
    if p < 0.001:
        assert text == "< 0.001"
    else:
        assert float(text) == pytest.approx(p, rel=0.5, abs=0.005)
        assert float(text) > 0


@given(low=finite, width=st.floats(0, 1e6), decimals=st.integers(0, 4))
def test_an_interval_has_both_ends_in_the_same_decimals(low: float, width: float, decimals: int) -> None:
    text = formats.interval((low, low + width), decimals)
    assert text == f"[{formats.number(low, decimals)}, {formats.number(low + width, decimals)}]"


def test_no_interval_is_no_text() -> None:
    assert formats.interval(None, 2) == ""
    assert formats.with_interval(1.23456, None) == "1.235"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0, "0.0 s"), (119.9, "119.9 s"), (120.0, "2.0 min"), (7199.0, "120.0 min"), (7200.0, "2.00 h")],
)
def test_durations_change_their_unit(seconds: float, text: str) -> None:
    assert formats.duration(seconds) == text


@given(seconds=st.floats(0, 1e7))
def test_durations_read_back(seconds: float) -> None:
    number, unit = formats.duration(seconds).split(" ")
    scale = {"s": 1, "min": 60, "h": 3600}[unit]
    assert float(number) * scale == pytest.approx(seconds, abs=0.06 * scale)


def test_a_markdown_table_has_a_head_a_rule_and_rows() -> None:
    lines = formats.markdown_table(["a", "b"], [["1", "2"], ["3", "4"]]).splitlines()
    assert lines == ["| a | b |", "|---|---|", "| 1 | 2 |", "| 3 | 4 |"]


@given(rows=st.lists(st.tuples(st.text("abc", max_size=8), st.text("xyz", max_size=3)), min_size=1, max_size=6))
def test_columns_are_aligned(rows: list[tuple[str, str]]) -> None:
    lines = formats.aligned(rows).split("\n")
    assert len(lines) == len(rows)
    width = max(len(first) for first, _ in rows)
    for line, (first, second) in zip(lines, rows, strict=True):
        assert line == f"{first.ljust(width)}  {second}".rstrip()


def test_percent_rounds_and_keeps_the_sign() -> None:
    assert formats.percent(0.9549, 1) == "95.5 %"
    assert formats.percent(-0.5) == f"{formats.MINUS}50 %"
    assert math.isclose(float(formats.percent(0.123456, 4).split()[0]), 12.3456)
