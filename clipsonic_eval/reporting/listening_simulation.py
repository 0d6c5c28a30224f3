"""The page of the simulated listening tests: what each interval covers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from clipsonic_eval.files import write_csv, write_text
from clipsonic_eval.formats import markdown_table, number, percent
from clipsonic_eval.listening.simulation import DIFFERENCE, NAIVE, ONE, SEVERAL

CSV: Final = "coverage.csv"
PAGE: Final = "README.md"
_LEAST, _MOST = 0.93, 0.97  # what 95 % intervals should cover
_WORDS: Final = {
    ONE: "**One system**: every listener rates every query.",
    SEVERAL: "**Five systems**, the design of a plan: every listener rates every query once, a fifth of them of each "
    "system. The first intervals are of one of the systems, the last one is of the difference of two.",
}


def write(rows: Sequence[Mapping[str, Any]], settings: Mapping[str, Any], folder: Path, command: str) -> Path:
    """Write the table and the page.

    Args:
        rows: from :func:`clipsonic_eval.listening.simulation.simulate`.
        settings: of the simulation.
        folder: of the page.
        command: that made it.

    Returns:
        The page.
    """
    write_csv(folder / CSV, list(rows[0]), rows)
    sd = f"{settings['sd_listener']:g}, {settings['sd_query']:g} and {settings['sd_rest']:g}"
    mean = [row for row in rows if row["interval"] not in (NAIVE, DIFFERENCE)]
    naive = [row for row in rows if row["interval"] == NAIVE]
    parts = [
        "# Do the intervals of a listening test cover the truth?",
        f"`{command}`, {settings['repeats']} simulated tests a cell (differences {settings['difference_repeats']}), "
        f"seed {settings['seed']}. Standard deviations of listeners, queries and the rest {sd}; answers rounded to "
        "1 to 5. Every test draws listeners and queries anew. In brackets Wilson's 95 % interval of the share; ± is "
        "the mean half-width of the interval of the opinion.",
        f"The intervals over listeners and queries cover {_span(mean)}, {_outside(mean)}. The usual 1.96 sd/√n, which "
        f"takes every answer for an independent one, covers {_span(naive)}: its intervals are {_shortness(rows)} times "
        "too short.",
    ]
    for kind, words in _WORDS.items():
        own = [row for row in rows if row["design"] == kind]
        if own:
            parts += [words, _table(own)]
    parts.append(
        "Intervals of differences are wide on the safe side: here, listeners and queries do not differ in which system "
        "they favour, and the interval has to allow for it."
    )
    write_text(folder / PAGE, "\n\n".join(part.rstrip("\n") for part in parts) + "\n")
    return folder / PAGE


def _span(rows: Sequence[Mapping[str, Any]]) -> str:
    shares = [row["covered"] for row in rows]
    return f"{percent(min(shares), 1)} to {percent(max(shares), 1)}"


def _outside(rows: Sequence[Mapping[str, Any]]) -> str:
    out = [row for row in rows if not _LEAST <= row["covered"] <= _MOST]
    band = f"{percent(_LEAST)} to {percent(_MOST)}"
    return f"all within {band}" if not out else f"{len(out)} of {len(rows)} outside {band}"


def _shortness(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return how much wider the analytic interval is, as a span over the cells."""
    by_cell: dict[tuple[Any, ...], dict[str, float]] = {}
    for row in rows:
        cell = (row["design"], row["listeners"], row["queries"])
        by_cell.setdefault(cell, {})[row["interval"]] = row["half_width"]
    factors = [own["two-way analytic"] / own[NAIVE] for own in by_cell.values()]
    return f"{number(min(factors), 1)} to {number(max(factors), 1)}"


def _table(rows: Sequence[Mapping[str, Any]]) -> str:
    names = list(dict.fromkeys(row["interval"] for row in rows))
    cells: dict[tuple[int, int, int], dict[str, str]] = {}
    for row in rows:
        size = (row["listeners"], row["queries"], row["answers"])
        shown = (
            f"{100 * row['covered']:.1f} [{100 * row['low']:.1f}, {100 * row['high']:.1f}] ± {row['half_width']:.2f}"
        )
        cells.setdefault(size, {})[row["interval"]] = shown
    heads = ["listeners", "queries", "answers a system", *names]
    return markdown_table(heads, [[*map(str, size), *(own[name] for name in names)] for size, own in cells.items()])
