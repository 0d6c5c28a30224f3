"""The common look: bytes that depend on the records alone, small files, and settings that are given back."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure
from PIL import Image

from clipsonic_eval.reporting.figures import style


def drawn() -> Figure:
    figure = style.figure(style.COLUMN, 1.0)
    figure.subplots().plot([0, 1], [0, 1])
    return figure


def test_equal_figures_are_equal_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        with style.look():
            style.save(drawn(), tmp_path / name)
    for suffix in (".pdf", ".png"):
        assert (tmp_path / f"one{suffix}").read_bytes() == (tmp_path / f"two{suffix}").read_bytes()


def test_a_pdf_says_nothing_of_when_and_by_what_it_was_written(tmp_path: Path) -> None:
    with style.look():
        pdf, _ = style.save(drawn(), tmp_path / "figure")
    for word in (b"CreationDate", b"Producer", b"Creator", matplotlib.__version__.encode()):
        assert word not in pdf.read_bytes()


def test_settings_of_the_user_neither_enter_nor_are_lost(tmp_path: Path) -> None:
    with style.look():
        style.save(drawn(), tmp_path / "plain")
    with matplotlib.rc_context({"lines.linewidth": 9.0, "font.size": 30}):
        with style.look():
            style.save(drawn(), tmp_path / "loud")
        assert matplotlib.rcParams["lines.linewidth"] == 9.0
    assert (tmp_path / "plain.png").read_bytes() == (tmp_path / "loud.png").read_bytes()


def test_a_noisy_figure_is_made_coarser_until_it_is_small(tmp_path: Path) -> None:
    with style.look():
        figure = style.figure(style.PAGE, 4.0)
        figure.subplots().imshow(np.random.default_rng(0).random((400, 700)), cmap="viridis")
        _, png = style.save(figure, tmp_path / "noise")
    assert png.stat().st_size <= style.MAX_PNG_BYTES
    with Image.open(png) as image:
        assert image.mode == "P"
        assert image.width >= 500


def test_figures_share_no_state() -> None:
    import matplotlib.pyplot as plt

    before = plt.get_fignums()
    drawn()
    assert plt.get_fignums() == before


@given(st.floats(-1e6, 1e6, allow_subnormal=False), st.floats(0, 1e6, allow_subnormal=False))
def test_limits_hold_the_values_with_a_margin(low: float, width: float) -> None:
    lower, upper = style.limits(low, low + width)
    assert lower < upper
    assert lower <= low
    assert upper >= low + width


@pytest.mark.parametrize("value", [0.0, 3.0, -3.0])
def test_limits_of_equal_values_have_some_width(value: float) -> None:
    lower, upper = style.limits(value, value)
    assert lower < value < upper
