"""Log-mel spectrograms of every system for the same queries."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from clipsonic_eval.analysis.catalogue import NOISE, REAL, SHUFFLED, Catalogue
from clipsonic_eval.analysis.figure_data import MAX_QUERIES, Examples
from clipsonic_eval.arraytypes import Float32
from clipsonic_eval.reporting import markup
from clipsonic_eval.reporting.figures import fonts, style

RANGE_DB = 60.0  # below the loudest point that are shown
_HIDDEN = (SHUFFLED, NOISE)  # real audio of another query, and a grey square: nothing to see
_COLOURS = 40  # steps of 1.5 dB: no visible difference, and half the size of the file
_LETTERS = 15  # of a title in an inch of a column, less the space for the names of the rows
MARKED = 0.4  # inches of a row in which the marks of frequencies have room
_MARKED_HZ = (250, 1000, 4000)


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
    across = 2 if len(columns) > 2 else 1
    titles = [_title(text, int(_LETTERS * style.width(across) / len(columns))) for text in captions(shown).shown]
    title_height = 0.13 * max(t.count("\n") + 1 for t in titles)
    height = style.height(0.1 + title_height + 0.55 * len(systems))
    hz = shown.hz if height - title_height > MARKED * len(systems) else ()
    figure = style.figure(across, height)
    figure.set_layout_engine("constrained", h_pad=0.012, w_pad=0.04, hspace=0.02, wspace=0.0)
    axes = figure.subplots(len(systems), len(columns), squeeze=False)
    for c in columns:
        top = loudest(shown, systems, c)
        for r, system in enumerate(systems):
            image = show(axes[r][c], in_db(shown.mels[system][c], top), hz if c == 0 else ())
        axes[0][c].set_title(titles[c], fontsize=style.SMALL, pad=3)
    for r, system in enumerate(systems):
        axes[r][0].set_ylabel(system, rotation=0, ha="right", va="center", labelpad=4)
    colour_bar(figure, image, ax=list(axes[:, -1]), fraction=0.06, aspect=40, pad=0.03)
    return figure, (
        f"Log-mel spectrograms ({size(shown)}) of {len(columns)} queries, the same for every system; the queries were "
        f"not selected by their result. {of_colours(REAL in systems)}"
    )


def to_csv(shown: Examples, catalogue: Catalogue) -> str:
    """Return what is drawn as CSV: a row per system and query; the arrays are those of ``examples.npz``."""
    return listing(shown, rows(shown, catalogue), range(min(len(shown.keys), MAX_QUERIES)))


def listing(shown: Examples, systems: Sequence[str], queries: Iterable[int]) -> str:
    """Return systems and queries as CSV, with the loudest point of each spectrogram in dB of its magnitude."""
    labels = shown.labels or ("",) * len(shown.keys)
    found = [
        (system, shown.keys[q], shown.prompts[q], labels[q], 20 / np.log(10) * float(np.max(shown.mels[system][q])))
        for q in queries
        for system in systems
    ]
    return markup.plain_csv(("system", "query", "prompt", "class", "loudest_db"), found)


def loudest(shown: Examples, systems: Sequence[str], query: int) -> float:
    """Return the loudest point of a query's real clip, in nepers; of all its clips where there is no real one."""
    return max(float(np.max(shown.mels[s][query])) for s in ([REAL] if REAL in systems else systems))


def in_db(mel: Float32, top: float) -> Float32:
    """Return log magnitudes in nepers, any shape, as dB above ``top`` nepers."""
    result: Float32 = (20 / np.log(10) * (mel - top)).astype(np.float32)  # 20 log10(e^(x − top))
    return result


def show(axis: Any, levels: Float32, hz: Sequence[float]) -> Any:
    """Draw one spectrogram, (bands, frames) dB, and mark frequencies at its left where the bands' centres are given."""
    colours = matplotlib.colormaps["magma"].resampled(_COLOURS)
    image = axis.imshow(
        levels, origin="lower", aspect="auto", cmap=colours, vmin=-RANGE_DB, vmax=0.0, interpolation="auto",
        interpolation_stage="data",
    )  # fmt: skip
    marked = [f for f in _MARKED_HZ if hz and hz[0] <= f <= hz[-1]]
    places: Any = np.interp(marked, hz, np.arange(len(hz))) if marked else []
    axis.set_yticks(places, [f"{f / 1000:g}k" if f >= 1000 else f"{f}" for f in marked])
    axis.tick_params(axis="y", pad=1, size=1.5)
    axis.set_xticks([])
    for spine in axis.spines.values():
        spine.set_visible(False)
    return image


def colour_bar(figure: Figure, image: Any, **place: Any) -> None:
    """Draw the scale of the colours; ``place`` as matplotlib's ``Figure.colorbar`` takes it."""
    bar = figure.colorbar(image, ticks=np.arange(-RANGE_DB, 1, 20), **place)
    bar.outline.set_visible(False)
    bar.ax.tick_params(size=1.5, pad=1)
    bar.set_label("dB", fontsize=style.SMALL, labelpad=1)


def size(shown: Examples) -> str:
    """Return bands and frames of the spectrograms for a caption."""
    bands, frames = next(iter(shown.mels.values())).shape[1:]
    upwards = f", {shown.hz[0]:.0f} to {shown.hz[-1]:.0f} Hz" if shown.hz else ""
    right = f" of {1000 * shown.hop_s:g} ms" if shown.hop_s else ""
    return f"{bands} mel bands upwards{upwards}; {frames} frames{right} to the right"


def of_colours(real: bool) -> str:
    """Return the sentence that explains the colours."""
    clip = "the real clip of the same query" if real else "the query's clips"
    return f"Colours: {RANGE_DB:.0f} dB below the loudest point of {clip}."


def _title(prompt: str, most: int) -> str:
    lines = fonts.wrapped(prompt, most)
    return "\n".join(lines if len(lines) <= 3 else [*lines[:2], f"{lines[2]} …"])
