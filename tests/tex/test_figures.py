"""Figures as PGF are set in the font of the paper, fill its width, and show every word."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tex.conftest import Typeset
from tex.test_tables import fits
from unit.report.synthetic import Made as Study
from unit.report.synthetic import evaluation, results_of, score

from clipsonic_eval.records import RunRecord
from clipsonic_eval.reporting.drawing import draw_all

HOSTILE = ["50 % of a_b & c", "{x}#~^\\d", "Dvořák ± −1"]


def floating(path: Path) -> str:
    """The figure across the page."""
    return "\\begin{figure*}\n" + path.read_text(encoding="utf-8") + "\\end{figure*}\n"


@pytest.mark.parametrize("layout", ["ieee", "neurips"])
def test_a_figure_is_input_at_the_width_of_the_venue(layout: str, typeset: Typeset, tmp_path: Path) -> None:
    draw_all(results_of(evaluation(Study(n=30))), tmp_path, layout, pgf=True)
    made = typeset(layout, [floating(tmp_path / "figures/metrics.pgf")])
    fits(made)
    for word in ("PD-best4", "mean-shift", "FAD", "CLAP score", "Class accuracy"):
        assert word in made.text
    assert "DejaVu" not in made.fonts
    assert "Type 3" not in made.fonts


def test_names_that_latex_stumbles_over_are_set_as_they_stand(typeset: Typeset, tmp_path: Path) -> None:
    scores = tuple(score("fad", name, 1.0 + i) for i, name in enumerate(HOSTILE))
    draw_all(results_of(RunRecord("evaluate", scores)), tmp_path, "ieee", pgf=True)
    made = typeset("ieee", [floating(tmp_path / "figures/metrics.pgf")])
    fits(made)
    for word in ("50 % of a", "b & c", "{x}#", "± -1"):
        assert word in made.text


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
def test_the_same_records_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        draw_all(results_of(evaluation(Study(n=30))), tmp_path / name, pgf=True)
    assert (tmp_path / "a/figures/metrics.pgf").read_bytes() == (tmp_path / "b/figures/metrics.pgf").read_bytes()
