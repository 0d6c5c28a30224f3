"""Table and figure of how often intervals cover the truth and tests raise a false alarm, in simulation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from clipsonic_eval import __version__
from clipsonic_eval.analysis.catalogue import MARKERS, PALETTE
from clipsonic_eval.files import read_text, write_csv, write_text
from clipsonic_eval.formats import markdown_table, percent
from clipsonic_eval.metrics import METRICS
from clipsonic_eval.records import ALPHA
from clipsonic_eval.reporting.figures import style
from clipsonic_eval.reporting.figures.venues import DEFAULT

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TABLE: Final = "calibration.csv"
FIGURE: Final = "coverage"
_SHOWN: Final = f"![coverage by metric and n]({FIGURE}.png)"
_LINKS: Final = f"([PDF]({FIGURE}.pdf), [SVG]({FIGURE}.svg); drawn from `{TABLE}`)"
PAGE: Final = "README.md"
BAND = (0.93, 0.97)  # coverage of a 95 % interval that counts as right
Row = Mapping[str, Any]  # a metric at one n: shares of the repeats and their intervals, as `calibrate` computed them


def write(rows: Sequence[Row], settings: Mapping[str, Any], out: Path, command: str) -> Path:
    """Write ``calibration.csv``, ``coverage.png`` and ``.pdf``, and the page.

    Args:
        rows: one per metric and n.
        settings: of the simulation: seed, repeats, n_bootstrap, n_permutations, worse.
        out: the folder.
        command: that made it.

    Returns:
        The page.
    """
    own = {"seed": settings["seed"], "n_bootstrap": settings["n_bootstrap"], "version": __version__}
    shown = [{**row, "signature": METRICS[row["metric"]].card.signature, **own} for row in rows]
    write_csv(out / TABLE, list(shown[0]) if shown else ["metric"], shown)
    if rows:
        save_figure(rows, out)
    page = out / PAGE
    write_text(page, _page(rows, settings, command))
    return page


def _page(rows: Sequence[Row], settings: Mapping[str, Any], command: str) -> str:
    heads = ("metric", "n", "covered", "within", "below / above", "false alarms", "family", "power")
    lines = [
        "# Do the intervals and tests do what they say?",
        "",
        f"`{command}` (clipsonic-eval {__version__}, seed {settings['seed']}): {settings['repeats']} simulated "
        f"evaluations for each metric and n, {settings['n_bootstrap']} resamples and {settings['n_permutations']} "
        "permutations in each, through the functions that `evaluate` uses.",
        "",
        "Populations are small and simulated: the table judges the statistics, not an encoder. Brackets are Wilson's "
        "95 % intervals of the shares.",
        "",
        *_summary(rows),
        "",
        _SHOWN,
        "",
        _LINKS,
        "",
        f"covered: share of the 95 % intervals that held the truth (set metrics: the estimate's expectation at that n; "
        f"means over clips: the population's mean). Within {BAND[0]:.0%} to {BAND[1]:.0%}: 'cannot tell' where so many "
        f"repeats leave it open. false alarms: tests at {ALPHA:.0%} that told two equal systems apart. family: "
        "evaluations of three equal systems in which any test stayed significant after Holm's correction. power: tests "
        f"that found the system with {settings['worse']:.0%} more noise.",
        "",
        markdown_table(heads, [_cells(row) for row in rows]),
    ]
    return "\n".join(lines)


def _cells(row: Row) -> list[str]:
    return [
        row["metric"],
        str(row["n"]),
        _rate(row, "covered"),
        row["within_93_97"],
        f"{row['below']:.1%} / {row['above']:.1%}",
        _rate(row, "alarms"),
        _rate(row, "family_alarms"),
        f"{row['power']:.0%}",
    ]


def _rate(row: Row, name: str) -> str:
    return f"{row[name]:.1%} [{row[f'{name}_low']:.1%}, {row[f'{name}_high']:.1%}]"


def _summary(rows: Sequence[Row]) -> list[str]:
    """Name the metrics whose intervals or tests miss."""
    off = [row for row in rows if row["within_93_97"] == "no"]
    undecided = [row for row in rows if row["within_93_97"] == "cannot tell"]
    good = len(rows) - len(off) - len(undecided)
    lines = [
        f"- {good} of {len(rows)} cells cover {BAND[0]:.0%} to {BAND[1]:.0%}, {len(undecided)} may, {len(off)} do not."
    ]
    lines += [f"- {row['metric']} at n = {row['n']} covers {row['covered']:.1%}." for row in off]
    alarms, families = _too_many(rows, "alarms"), _too_many(rows, "family_alarms")
    if alarms:
        lines.append(f"- More false alarms than {ALPHA:.0%}: {alarms}.")
    else:
        lines.append(f"- No test raises more false alarms than its {ALPHA:.0%}, as far as so many repeats can tell.")
    if families:
        lines.append(f"- More families with a false alarm than {ALPHA:.0%} after Holm: {families}.")
    return lines


def _too_many(rows: Sequence[Row], name: str) -> str:
    """Return the metrics whose share of false alarms lies above the level of the test, interval and all."""
    return ", ".join(
        f"{row['metric']} at n = {row['n']} ({row[name]:.1%})" for row in rows if row[f"{name}_low"] > ALPHA
    )


def save_figure(rows: Sequence[Row], folder: Path, venue: str = DEFAULT) -> None:
    """Save the figure of coverage and false alarms, PDF, SVG and PNG.

    Args:
        rows: of the table; numbers may be text, as they stand in a CSV file.
        folder: exists.
        venue: whose page the figure fills.

    Raises:
        UserError: there is no such venue.
    """
    with style.look(venue=venue):
        style.save(draw(rows), folder / FIGURE)


def link_figure(page: Path) -> None:
    """Link the files of the figure below it on a page that does not; the rest stays as the simulation wrote it.

    Args:
        page: that :func:`write` wrote, perhaps an earlier one of it. Another one is left alone.
    """
    text = read_text(page)
    if _SHOWN in text and _LINKS not in text:
        write_text(page, text.replace(_SHOWN, f"{_SHOWN}\n\n{_LINKS}", 1))


def draw(rows: Sequence[Row]) -> Figure:
    """Return the figure: coverage and false alarms of every metric, a mark per n."""
    metrics = list(dict.fromkeys(row["metric"] for row in rows))
    sizes = sorted({int(row["n"]) for row in rows})
    figure = style.figure(2, 0.9 + 0.16 * len(metrics))
    axes = figure.subplots(1, 2, sharey=True)
    for axis, band, line in zip(axes, (BAND, (0.0, ALPHA)), (0.95, ALPHA), strict=True):
        axis.axvspan(*band, color=style.RULE, alpha=0.6, linewidth=0)
        axis.axvline(line, color=style.GREY, linewidth=0.6)
    for k, n in enumerate(sizes):
        own = [row for row in rows if int(row["n"]) == n]
        places = [metrics.index(row["metric"]) + 0.22 * (k - (len(sizes) - 1) / 2) for row in own]
        look = {"fmt": MARKERS[k % len(MARKERS)], "color": PALETTE[k % len(PALETTE)], "label": f"n = {n}"}
        for axis, name in zip(axes, ("covered", "alarms"), strict=True):
            shares, low, high = ([float(row[f"{name}{end}"]) for row in own] for end in ("", "_low", "_high"))
            # rounding may leave Wilson's end a hair inside a share of 0 or 1
            below = [max(0.0, share - end) for share, end in zip(shares, low, strict=True)]
            above = [max(0.0, end - share) for share, end in zip(shares, high, strict=True)]
            axis.errorbar(shares, places, xerr=[below, above], markersize=2.5, linewidth=0.7, **look)
    axes[0].set_yticks(range(len(metrics)), metrics)
    axes[0].set_ylim(len(metrics) - 0.4, -0.6)
    axes[0].set_xlabel("share of 95 % intervals that hold the truth")
    axes[1].set_xlabel(f"false alarms of the paired test at {percent(ALPHA)}")
    style.legend(figure, [axes[1]])
    return figure
