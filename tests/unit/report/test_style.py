"""The common look: bytes that depend on the records alone, small files, and settings that are given back."""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure
from PIL import Image

from clipsonic_eval.errors import UserError
from clipsonic_eval.reporting.figures import style
from clipsonic_eval.reporting.figures.venues import DEFAULT, VENUES


def drawn() -> Figure:
    figure = style.figure(1, 1.0)
    figure.subplots().plot([0, 1], [0, 1])
    return figure


def test_equal_figures_are_equal_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        with style.look():
            style.save(drawn(), tmp_path / name)
    for suffix in (".pdf", ".svg", ".png"):
        assert (tmp_path / f"one{suffix}").read_bytes() == (tmp_path / f"two{suffix}").read_bytes()


def test_a_pdf_says_nothing_of_when_and_by_what_it_was_written(tmp_path: Path) -> None:
    with style.look():
        pdf, svg, _ = style.save(drawn(), tmp_path / "figure")
    for word in (b"CreationDate", b"Producer", b"Creator", matplotlib.__version__.encode()):
        assert word not in pdf.read_bytes()
    for word in (b"<dc:date>", b"<dc:creator>", matplotlib.__version__.encode()):
        assert word not in svg.read_bytes()


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
        figure = style.figure(2, 4.0)
        figure.subplots().imshow(np.random.default_rng(0).random((400, 700)), cmap="viridis")
        _, _, png = style.save(figure, tmp_path / "noise")
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


# widths as the documentation of the venues' classes gives them, in inches
PRINTED = {
    "ieee": (3.5, 7.16),
    "icassp": (3.39, 7.0),
    "waspaa": (3.39, 7.0),
    "interspeech": (3.15, 6.69),
    "ismir": (3.23, 6.77),
    "acm": (3.33, 7.0),
    "neurips": (5.5, 5.5),
    "slides": (5.51, 5.51),
}


@pytest.mark.parametrize("venue", VENUES)
def test_a_figure_is_as_wide_as_the_columns_of_its_venue(venue: str, tmp_path: Path) -> None:
    with style.look(venue=venue):
        widths = style.figure(1, 1.0).get_figwidth(), style.figure(2, 1.0).get_figwidth()
        pdf, _, _ = style.save(drawn(), tmp_path / "figure")
    np.testing.assert_allclose(widths, PRINTED[venue], atol=0.025)
    (box,) = re.findall(rb"/MediaBox \[ 0 0 ([0-9.]+) ", pdf.read_bytes())
    assert float(box) == pytest.approx(72 * widths[0], abs=0.01)  # a PDF point is a 72nd of an inch


def test_an_unknown_venue_is_one_sentence_with_those_there_are() -> None:
    with pytest.raises(UserError, match=r"unknown venue 'icasp'. Did you mean 'icassp'\?"), style.look(venue="icasp"):
        pass


def test_the_venue_is_forgotten_after_the_block() -> None:
    with style.look(venue="neurips"), contextlib.suppress(RuntimeError), style.look(venue="slides"):
        raise RuntimeError
    assert style.width(1) == VENUES[DEFAULT].column


def test_letters_are_embedded_as_truetype(tmp_path: Path) -> None:
    with style.look():
        figure = drawn()
        figure.axes[0].set_title("FAD ↓ −1.0 PD–ZS é")
        figure.axes[0].set_xscale("log")
        pdf, _, _ = style.save(figure, tmp_path / "figure")
    assert b"/Type3" not in pdf.read_bytes()
    assert b"/FontFile2" in pdf.read_bytes()


@pytest.mark.skipif(shutil.which("pdffonts") is None, reason="poppler's pdffonts is not installed")
def test_pdffonts_finds_embedded_truetype_alone(tmp_path: Path) -> None:
    with style.look():
        pdf, _, _ = style.save(drawn(), tmp_path / "figure")
    listed = subprocess.run(["pdffonts", pdf], capture_output=True, text=True, check=True).stdout.splitlines()[2:]
    assert listed
    for line in listed:
        assert "TrueType" in line
        assert line.split()[-5] == "yes"  # embedded


def test_a_name_with_a_dot_keeps_it(tmp_path: Path) -> None:
    with style.look():
        pdf, _, _ = style.save(drawn(), tmp_path / "history-0.5")
    assert pdf.name == "history-0.5.pdf"


def test_letters_are_as_wide_at_every_resolution() -> None:
    """Layout is made once, at another resolution than that of the files."""
    widths = []
    with style.look():
        made = style.figure(1, 1.0)
        text = made.text(0.1, 0.5, "PD-guided2 of 480", fontsize=style.SMALL)
        for dpi in (72, 100, 150, 220):
            made.set_dpi(dpi)
            made.draw_without_rendering()
            widths.append(text.get_window_extent().width / dpi)
    assert max(widths) < 1.01 * min(widths)


def test_the_name_of_an_axis_is_broken_where_its_panel_is_narrow() -> None:
    assert style.wrapped("Class accuracy ↑", 1.3) == "Class accuracy ↑"
    assert style.wrapped("Class accuracy ↑", 0.9) == "Class\naccuracy ↑"
