"""Log-mel spectrograms of every system for the same queries."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np

from clipsonic_eval.analysis import names
from clipsonic_eval.analysis.figure_data import MAX_QUERIES, Examples
from clipsonic_eval.reporting.figures import fonts, style

_HIDDEN = ("shuffled", "noise")  # real audio of another query, and a grey square: nothing to see
_RANGE = 7.0  # nepers below the loudest point that are shown: 61 dB
_COLOURS = 40  # steps of 1.5 dB: no visible difference, and half the size of the file


def rows(shown: Examples) -> list[str]:
    """Return the systems in the order of the rows: real audio first, then as in the table."""
    present = [s.name for s in names.ordered(shown.mels) if s.name not in _HIDDEN]
    return sorted(present, key=lambda s: s != "real")


def captions(shown: Examples) -> fonts.Texts:
    """Return the prompts above the columns as they can be drawn: the key where there is none, or no font for it."""
    columns = range(min(len(shown.keys), MAX_QUERIES))
    prompts = [shown.prompts[c] or shown.keys[c] for c in columns]
    return fonts.drawable(prompts, [shown.keys[c] for c in columns])


def draw(shown: Examples, stem: Path) -> str:
    """Draw the figure and return its caption.

    Args:
        shown: the pictures of at least one system.
        stem: path without suffix.
    """
    systems = rows(shown)
    columns = range(min(len(shown.keys), MAX_QUERIES))
    texts = captions(shown)
    titles = [_title(text) for text in texts.shown]
    with style.look(texts.families):
        colours = matplotlib.colormaps["magma"].resampled(_COLOURS)
        width = style.PAGE if len(columns) > 2 else style.COLUMN
        title_height = 0.13 * max(t.count("\n") + 1 for t in titles)
        figure = style.figure(width, 0.1 + title_height + 0.5 * len(systems))
        figure.set_layout_engine("constrained", h_pad=0.012, w_pad=0.04, hspace=0.02, wspace=0.0)
        axes = figure.subplots(len(systems), len(columns), squeeze=False)
        for c in columns:
            top = max(float(np.max(shown.mels[s][c])) for s in (["real"] if "real" in systems else systems))
            for r, system in enumerate(systems):
                axis = axes[r][c]
                axis.imshow(
                    shown.mels[system][c], origin="lower", aspect="auto", cmap=colours, vmin=top - _RANGE, vmax=top,
                    interpolation="auto", interpolation_stage="data",
                )  # fmt: skip
                axis.set(xticks=[], yticks=[])
                for spine in axis.spines.values():
                    spine.set_visible(False)
                if c == 0:
                    axis.set_ylabel(system, rotation=0, ha="right", va="center", labelpad=4)
            axes[0][c].set_title(titles[c], fontsize=7, pad=3)
        style.save(figure, stem)
    bands, frames = next(iter(shown.mels.values())).shape[1:]
    return (
        f"Log-mel spectrograms ({bands} bands upwards, {frames} frames to the right) of {len(columns)} queries, the "
        "same for every system; the queries were not selected by their result. The colours of a column span "
        f"{_RANGE * 20 / np.log(10):.0f} dB below the loudest point of "
        + ("the real clip." if "real" in systems else "its clips.")
    )


def _title(prompt: str) -> str:
    lines = fonts.wrapped(prompt, 26)
    return "\n".join(lines if len(lines) <= 3 else [*lines[:2], f"{lines[2]} …"])
