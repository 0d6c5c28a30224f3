"""The page of simulations of the gate: a part per CSV file in its folder, so that each can be made alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from clipsonic_eval.errors import UserError
from clipsonic_eval.files import read_csv, write_csv, write_text
from clipsonic_eval.formats import markdown_table
from clipsonic_eval.reporting import calibration, gate_simulations

Table = Sequence[Mapping[str, Any]]
PAGE: Final = "README.md"
CHANGE_POINTS: Final = "change_points.csv"


def write(name: str, rows: Table, folder: Path, command: str) -> Path:
    """Write one table and, from all tables in the folder, the page.

    Args:
        name: of the CSV file, a key of :data:`PARTS`.
        rows: of the table.
        folder: of the page.
        command: that made the rows; a column of the table.

    Returns:
        The page.
    """
    shown = [{**row, "command": command} for row in rows]
    write_csv(folder / name, list(shown[0]), shown)
    return _write_page(folder)


def _write_page(folder: Path) -> Path:
    parts = [part(read_csv(folder / found)) for found, part in PARTS.items() if (folder / found).exists()]
    page = folder / PAGE
    write_text(page, "\n\n".join(["# Does the gate do what it says?", *parts]) + "\n")
    return page


def change_points(rows: Table) -> str:
    """Return the part on change points: false ones in series without a change, and how soon steps are found."""
    false, drifting, found = ([row for row in rows if row["what"] == what] for what in ("false", "drifting", "found"))
    sizes = sorted({float(row["size"]) for row in found})
    worst = max(false, key=lambda row: float(row["share"]))
    delays = [
        [str(n), str(after), *(_rate(found, points=n, after=after, size=size) for size in sizes)]
        for n in _distinct(found, "points")
        for after in _distinct([row for row in found if int(row["points"]) == n], "after")
    ]
    lines = [
        "## Change points",
        f"`{rows[0]['command']}`. Shares of simulated series in percent, in brackets Wilson's 95 % interval "
        "(`change_points.csv`).",
        "**Series without a change in which a change point was found** (at most 5 %), by number of points and "
        f"distribution of the noise; {worst['repeats']} series a cell. The largest: {_shown(worst)} ({worst['noise']}, "
        f"{worst['points']} points).",
        _by_noise(false),
        "**The same where noise is correlated** from point to point (a machine that drifts). The fit takes noise to be "
        "independent, so its change points are not to be trusted here.",
        _by_noise(drifting),
        "**Series with one step in which it was found**, within two points of its place, by the number of points since "
        "the step and its size in standard deviations; normal noise. The newest two points are always too new to tell.",
        markdown_table(["points", "since the step", *(f"{size:g} sd" for size in sizes)], delays),
    ]
    shown = lines if drifting else lines[:4] + lines[6:]
    return "\n\n".join(line.rstrip("\n") for line in shown)


def _by_noise(rows: Table) -> str:
    noises = list(dict.fromkeys(row["noise"] for row in rows))
    cells = [[str(n), *(_rate(rows, points=n, noise=noise) for noise in noises)] for n in _distinct(rows, "points")]
    return markdown_table(["points", *noises], cells)


PARTS: Final[Mapping[str, Callable[[Table], str]]] = {
    "verdicts.csv": gate_simulations.verdicts,
    "power.csv": gate_simulations.power,
    "influence.csv": gate_simulations.influence,
    CHANGE_POINTS: change_points,
}


def _distinct(rows: Table, name: str) -> list[int]:
    return sorted({int(row[name]) for row in rows})


def _rate(rows: Table, **wanted: object) -> str:
    """Return the share of the one row with these values, "–" where there is none."""
    for row in rows:
        if all(type(value)(row[name]) == value for name, value in wanted.items()):  # type: ignore[call-arg]
            return _shown(row)
    return "–"


def _shown(row: Mapping[str, Any]) -> str:
    return f"{100 * float(row['share']):.1f} [{100 * float(row['low']):.1f}, {100 * float(row['high']):.1f}]"


def redraw(folder: Path, venue: str) -> list[Path]:
    """Draw the figures of a folder of simulations anew from its tables, and link them; return the PDF files.

    Args:
        folder: that `calibrate intervals` or `calibrate gate` wrote.
        venue: whose columns the figures fill.

    Raises:
        UserError: the folder has no table that is drawn, or there is no such venue.
    """
    made = []
    if (folder / calibration.TABLE).exists():
        calibration.save_figure(read_csv(folder / calibration.TABLE), folder, venue)
        if (folder / calibration.PAGE).exists():
            calibration.link_figure(folder / calibration.PAGE)
        made.append(folder / f"{calibration.FIGURE}.pdf")
    if (folder / "verdicts.csv").exists() and (folder / "power.csv").exists():
        verdicts, power = (read_csv(folder / name) for name in ("verdicts.csv", "power.csv"))
        gate_simulations.save_figure(verdicts, power, folder, venue)
        _write_page(folder)
        made.append(folder / f"{gate_simulations.FIGURE}.pdf")
    if not made:
        raise UserError(
            f"{folder}: has neither {calibration.TABLE} nor verdicts.csv and power.csv; give a folder that `calibrate "
            "intervals` or `calibrate gate` wrote"
        )
    return made
