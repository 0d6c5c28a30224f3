"""The contact sheet: two queries of every class, real audio above what systems generated for the same queries."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from clipsonic_eval.analysis.catalogue import REAL, Catalogue
from clipsonic_eval.analysis.figure_data import Examples, in_contact_sheet
from clipsonic_eval.reporting.figures import spectrograms, style

PNG_BYTES = 600_000  # some seventy spectrograms in which lines a few pixels apart are to be seen
_MOST_COLUMNS = 2  # queries of a class
_ACROSS = 3  # classes side by side
_ROW, _TITLE = 0.62, 0.24  # inches: height of a spectrogram, and of the name of a class
_LEAST_ROW = 0.25  # inches, where the page has no more
_LEFT, _RIGHT, _BETWEEN, _FOOT = 0.55, 0.05, 0.12, 0.36  # inches
_LINE = 2  # white frames between two spectrograms


def classes(shown: Examples) -> dict[str, list[int]]:
    """Return the positions of the queries by class, at most two each, classes in the order of their names."""
    found: dict[str, list[int]] = {label: [] for label in sorted(filter(None, shown.labels))}
    for i, label in enumerate(shown.labels):
        if label and len(found[label]) < _MOST_COLUMNS:
            found[label].append(i)
    return found


def draw(shown: Examples, catalogue: Catalogue) -> tuple[Figure, str]:
    """Return the figure and its caption.

    Args:
        shown: spectrograms of queries with class labels.
        catalogue: which systems are shown.
    """
    named, by_class = in_contact_sheet(shown, catalogue), classes(shown)
    across, row = _grid(len(by_class), len(named))
    block = _TITLE + len(named) * row
    width, height = style.width(2), -(-len(by_class) // across) * block + _FOOT
    figure = style.figure(2, height)
    figure.set_layout_engine("none")
    each = (width - _LEFT - _RIGHT - (across - 1) * _BETWEEN) / across
    for i, (label, queries) in enumerate(by_class.items()):
        column, top = i % across, height - (i // across) * block
        for r, system in enumerate(named):
            left, bottom = _LEFT + column * (each + _BETWEEN), top - _TITLE - (r + 1) * row
            axis = figure.add_axes((left / width, (bottom + 0.03) / height, each / width, (row - 0.03) / height))
            image = spectrograms.show(
                axis,
                _side_by_side(shown, named, system, queries),
                () if column or row < spectrograms.MARKED else shown.hz,
            )
            if r == 0:
                axis.set_title(label, fontsize=8, pad=2)
            if column == 0:
                axis.set_ylabel(system, rotation=0, ha="right", va="center", labelpad=2)
    bar = figure.add_axes((_LEFT / width, 0.24 / height, each / width, 0.07 / height))
    spectrograms.colour_bar(figure, image, cax=bar, orientation="horizontal")
    return figure, _caption(shown, named, by_class)


def _grid(classes: int, systems: int) -> tuple[int, float]:
    """Return how many classes stand side by side and the height of a row in inches, so that all fit the page."""
    for across in range(min(_ACROSS, classes), classes + 1):
        room = style.height(math.inf) - _FOOT
        row = (room / -(-classes // across) - _TITLE) / systems
        if row >= _LEAST_ROW:
            break
    return across, max(_LEAST_ROW, min(_ROW, row))


def to_csv(shown: Examples, catalogue: Catalogue) -> str:
    """Return what is drawn as CSV: a row per system and query; the arrays are those of ``examples.npz``."""
    queries = [query for several in classes(shown).values() for query in several]
    return spectrograms.listing(shown, in_contact_sheet(shown, catalogue), queries)


def _side_by_side(shown: Examples, named: list[str], system: str, queries: list[int]) -> Any:
    """Return a system's spectrograms of the queries in one array, (bands, columns) dB, with white between them."""
    parts = [spectrograms.in_db(shown.mels[system][q], spectrograms.loudest(shown, named, q)) for q in queries]
    parts += [np.full_like(parts[0], np.nan)] * (_MOST_COLUMNS - len(parts))
    line = np.full((len(parts[0]), _LINE), np.nan, np.float32)
    return np.concatenate([piece for part in parts for piece in (line, part)][1:], axis=1)


def _caption(shown: Examples, named: list[str], by_class: dict[str, list[int]]) -> str:
    counts = sorted({len(queries) for queries in by_class.values()})
    each = " or ".join(map(str, counts)) + (" query" if counts == [1] else " queries")
    return (
        f"Log-mel spectrograms ({spectrograms.size(shown)}) of {each} of each of {len(by_class)} classes, drawn at "
        f"random: {', above '.join(named)}. {spectrograms.of_colours(REAL in named)}"
    )
