"""Log-mel spectrograms of every system for the same queries."""

from __future__ import annotations

from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from clipsonic_eval.analysis.catalogue import NOISE, REAL, SHUFFLED, Catalogue
from clipsonic_eval.analysis.figure_data import MAX_QUERIES, Examples
from clipsonic_eval.reporting.figures import fonts, style

_HIDDEN = (SHUFFLED, NOISE)  # real audio of another query, and a grey square: nothing to see
_RANGE = 7.0  # nepers below the loudest point that are shown: 61 dB
_COLOURS = 40  # steps of 1.5 dB: no visible difference, and half the size of the file


def rows(shown: Examples, catalogue: Catalogue) -> list[str]:
    """Return the systems in the order of the rows: real audio first, then as in the table."""
    listed = [s.name for s in catalogue.ordered(shown.mels)]
    present = [name for name in (*listed, *shown.mels) if name not in _HIDDEN]
    return sorted(dict.fromkeys(present), key=lambda name: name != REAL)


def captions(shown: Examples) -> fonts.Texts:
    """Return the prompts above the columns as they can be drawn: the key where there is none, or no font for it."""
    columns = range(min(len(shown.keys), MAX_QUERIES))
    prompts = [shown.prompts[c] or shown.keys[c] for c in columns]
    return fonts.drawable(prompts, [shown.keys[c] for c in columns])


def draw(shown: Examples, catalogue: Catalogue) -> tuple[Figure, str]:
    """Return the figure, a row per system and a column per query, and its caption.

    Args:
        shown: spectrograms of at least one system.
        catalogue: order of the rows.
    """
    systems = rows(shown, catalogue)
    columns = range(min(len(shown.keys), MAX_QUERIES))
    titles = [_title(text) for text in captions(shown).shown]
    width = style.PAGE if len(columns) > 2 else style.COLUMN
    title_height = 0.13 * max(t.count("\n") + 1 for t in titles)
    figure = style.figure(width, 0.1 + title_height + 0.5 * len(systems))
    figure.set_layout_engine("constrained", h_pad=0.012, w_pad=0.04, hspace=0.02, wspace=0.0)
    axes = figure.subplots(len(systems), len(columns), squeeze=False)
    for c in columns:
        top = max(float(np.max(shown.mels[s][c])) for s in ([REAL] if REAL in systems else systems))
        for r, system in enumerate(systems):
            _image(axes[r][c], shown.mels[system][c], top)
        axes[0][c].set_title(titles[c], fontsize=7, pad=3)
    for r, system in enumerate(systems):
        axes[r][0].set_ylabel(system, rotation=0, ha="right", va="center", labelpad=4)
    bands, frames = next(iter(shown.mels.values())).shape[1:]
    return figure, (
        f"Log-mel spectrograms ({bands} bands upwards, {frames} frames to the right) of {len(columns)} queries, the "
        "same for every system; the queries were not selected by their result. The colours of a column span "
        f"{_RANGE * 20 / np.log(10):.0f} dB below the loudest point of "
        + ("the real clip." if REAL in systems else "its clips.")
    )


def _image(axis: Any, mel: Any, top: float) -> None:
    """Draw one log-mel spectrogram, (bands, frames), with colours that end at ``top`` nepers."""
    axis.imshow(
        mel, origin="lower", aspect="auto", cmap=matplotlib.colormaps["magma"].resampled(_COLOURS), vmin=top - _RANGE,
        vmax=top, interpolation="auto", interpolation_stage="data",
    )  # fmt: skip
    axis.set(xticks=[], yticks=[])
    for spine in axis.spines.values():
        spine.set_visible(False)


def _title(prompt: str) -> str:
    lines = fonts.wrapped(prompt, 26)
    return "\n".join(lines if len(lines) <= 3 else [*lines[:2], f"{lines[2]} …"])
