"""Documents in the layouts of venues, set by LaTeX; skipped where the engine or poppler is not installed."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple, Protocol

import pytest

# The classes of ICASSP and NeurIPS are not part of TeX Live: their text widths, column gaps and fonts stand here.
LAYOUTS: Final = {
    "article": r"\documentclass{article}",
    "ieee": r"\documentclass[conference]{IEEEtran}",
    "icassp": r"\documentclass[twocolumn]{article}\usepackage{mathptmx}\usepackage"
    r"[textwidth=178mm,textheight=229mm,columnsep=6mm]{geometry}",
    "neurips": r"\documentclass{article}\usepackage[T1]{fontenc}\usepackage{times}\usepackage"
    r"[textwidth=5.5in,textheight=9in]{geometry}\renewcommand{\footnotesize}{\fontsize{9}{10}\selectfont}",
}
PACKAGES: Final = r"\usepackage{booktabs,threeparttable,siunitx,pgf}"


class Typeset(Protocol):
    """Sets the contents of files, one after the other, in a layout."""

    def __call__(self, layout: str, contents: Sequence[str], engine: str = "pdflatex") -> Made: ...


class Made(NamedTuple):
    """A document.

    Attributes:
        text: as poppler reads it, with one kind of minus sign.
        errors: of TeX, with the line that follows.
        overfull: boxes that are too wide, in points.
        fonts: as poppler lists them.
        complaints: floats that are too large, and references that are not resolved.
    """

    text: str
    errors: list[str]
    overfull: list[float]
    fonts: str
    complaints: list[str]


@pytest.fixture
def typeset(tmp_path: Path) -> Typeset:
    """Return a function that sets the contents of files, one after the other, in a layout."""

    def run(layout: str, contents: Sequence[str], engine: str = "pdflatex") -> Made:
        for tool in (engine, "pdftotext"):
            if shutil.which(tool) is None:
                pytest.skip(f"{tool} is not installed (Debian: texlive-latex-extra texlive-science texlive-publishers, "
                            "texlive-fonts-recommended, texlive-xetex, poppler-utils)")  # fmt: skip
        body = "\n\\clearpage\n".join(contents)
        document = f"{LAYOUTS[layout]}\n{PACKAGES}\n\\begin{{document}}\nText.\n{body}\n\\end{{document}}\n"
        (tmp_path / "paper.tex").write_text(document, encoding="utf-8")
        command = [engine, "-interaction=nonstopmode", "paper.tex"]
        subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=120, check=False)
        log = (tmp_path / "paper.log").read_text(encoding="utf-8", errors="replace")
        read = ["pdftotext", "-layout", "paper.pdf", "-"]
        shown = subprocess.run(read, cwd=tmp_path, capture_output=True, timeout=60, check=False)
        text = shown.stdout.decode("utf-8", errors="replace")
        fonts = subprocess.run(["pdffonts", "paper.pdf"], cwd=tmp_path, capture_output=True, timeout=60, check=False)
        return Made(
            re.sub("[−–]", "-", text),
            re.findall(r"^!.*\n.*", log, re.MULTILINE),
            [float(width) for width in re.findall(r"Overfull \\hbox \(([\d.]+)pt", log)],
            fonts.stdout.decode(),
            re.findall(r"Float too large.*|Reference .* undefined", log),
        )

    return run
