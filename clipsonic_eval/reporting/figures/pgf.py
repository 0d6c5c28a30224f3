"""A figure as PGF, whose letters LaTeX sets in the font of the paper around it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, Final

import matplotlib
from matplotlib.backend_bases import GraphicsContextBase
from matplotlib.backends.backend_mixed import MixedModeRenderer
from matplotlib.backends.backend_pgf import LatexError, RendererPgf
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties

from clipsonic_eval.errors import UserError
from clipsonic_eval.reporting.latex.escape import escape

TEX: Final = "pdflatex"  # measures the letters
_RC: Final = {"pgf.texsystem": TEX, "pgf.rcfonts": False, "pgf.preamble": ""}
_DPI: Final = 220.0  # of pictures inside the figure


def check() -> None:
    """Look for what measures the letters.

    Raises:
        UserError: pdfLaTeX is not installed.
    """
    if shutil.which(TEX) is None:
        raise UserError(f"figures as PGF need {TEX}, which measures their letters; install TeX Live or leave out --pgf")


def save(made: Figure, path: Path) -> None:
    """Write a figure as PGF, and the pictures in it as PNG files beside.

    Args:
        made: laid out.
        path: of the file, in a folder that exists.

    Raises:
        UserError: pdfLaTeX is not installed, or cannot set a text of the figure.
    """
    check()
    made.set_dpi(_DPI)
    width, height = (float(size) for size in made.get_size_inches())
    with matplotlib.rc_context(_RC), path.open("w", encoding="utf-8") as file:
        file.write("% needs \\usepackage{pgf}\n\\begingroup\\makeatletter\n\\begin{pgfpicture}\n")
        file.write(rf"\pgfpathrectangle{{\pgfpointorigin}}{{\pgfqpoint{{{width:f}in}}{{{height:f}in}}}}" + "\n")
        file.write("\\pgfusepath{use as bounding box, clip}\n")
        try:
            made.draw(MixedModeRenderer(made, width, height, _DPI, _Renderer(made, file)))
        except LatexError as error:
            raise UserError(
                f"{path.name}: {TEX} cannot set a text of this figure ({str(error).splitlines()[0]}); is LaTeX's "
                "package pgf installed? Else leave out --pgf"
            ) from None
        file.write("\\end{pgfpicture}\n\\makeatother\\endgroup\n")


class _Renderer(RendererPgf):  # type: ignore[misc]  # matplotlib states no type
    """matplotlib's renderer for texts that are no LaTeX."""

    def draw_text(
        self, gc: GraphicsContextBase, x: float, y: float, s: str, prop: FontProperties, angle: float,
        ismath: Any = False, mtext: Any = None,
    ) -> None:  # fmt: skip
        super().draw_text(gc, x, y, escape(s), prop, angle, ismath, mtext)

    def get_text_width_height_descent(self, s: str, prop: FontProperties, ismath: Any) -> Any:
        return super().get_text_width_height_descent(escape(s), prop, ismath)
