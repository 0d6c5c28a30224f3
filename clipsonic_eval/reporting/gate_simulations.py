"""Parts of the page of simulations that are about verdicts: false alarms, power, influences beside resamples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clipsonic_eval.analysis.catalogue import MARKERS, PALETTE
from clipsonic_eval.formats import markdown_table, percent
from clipsonic_eval.reporting.figures import style
from clipsonic_eval.reporting.figures.venues import DEFAULT
from clipsonic_eval.reporting.headings import title
from clipsonic_eval.stats.bootstrap import wilson_interval

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Table = Sequence[Mapping[str, Any]]
LEVEL = 0.05
FIGURE = "verdicts"
_UNCHANGED = "none"


def verdicts(rows: Table) -> str:
    """Return the part on verdicts: whole comparisons, then each metric."""
    whole = [row for row in rows if row["metric"] == "any"]
    false = [row for row in whole if row["change"] == _UNCHANGED]
    over = [_scenario(row) for row in false if float(row["worse_low"]) > LEVEL]
    told = (
        f"More false alarms than {LEVEL:.0%}: {'; '.join(over)}."
        if over
        else f"In none of the questions more false alarms than {LEVEL:.0%}, as far as so many repeats can tell."
    )
    heads = ["question", "true change", "n", "seeds a side", "repeats", "any worse", "all not worse", "refused"]
    cells = [
        [*_keys(row), row["repeats"], _interval(row, "worse"), _share(row["not_worse"]), _share(row["refused"])]
        for row in whole
    ]
    own = [row for row in rows if row["metric"] != "any" and row["question"] != "same weights"]
    metrics = [
        [
            *_keys(row),
            f"`{row['limit']}`",
            *(_share(row[name]) for name in ("worse", "not_worse", "cannot_tell", "refused")),
            *(_share(row[name]) for name in ("upper_covers", "lower_covers")),
        ]
        for row in own
    ]
    heads_of_metrics = ["question", "true change", "n", "seeds a side", "limit", "worse", "not worse", "cannot tell"]
    heads_of_metrics += ["refused", "upper limit holds", "lower limit holds"]
    parts = [
        "## Verdicts",
        f"`{rows[0]['command']}`. {told}",
        f"![false alarms and what a limit takes]({FIGURE}.png)",
        f"([PDF]({FIGURE}.pdf), [SVG]({FIGURE}.svg); drawn from `verdicts.csv` and `power.csv`)",
        "**Whole comparisons**: two systems by four metrics, limits as below, every verdict through the gate itself on "
        "simulated records. Where the true change is none, *any worse* is the share of false alarms, in brackets "
        "Wilson's 95 % interval. Same weights: the other code takes the clips in another order, or its embeddings are "
        "off by 1e-4 of themselves. Same queries: more noise is 25 %. Recipe: trainings of one recipe differ in noise "
        "by 15 %, and more noise is 50 %. Refused: the influences of FAD did not show the spread of its resamples, of "
        "which these scores have 500; with the 2000 of `evaluate` fewer are refused, see below.",
        markdown_table(heads, cells),
        "**Verdicts by limit**, shares of the verdicts. *Limit holds*: the one-sided 95 % limits of the harm that lie "
        "on the right side of the true harm (0 where nothing changed, otherwise its mean over all simulations). Where "
        "the true harm is the margin, *not worse* is wrong as often as the upper limit does not hold.",
        _short(own),
        markdown_table(heads_of_metrics, metrics),
    ]
    return "\n\n".join(part.rstrip("\n") for part in parts)


def _short(rows: Table) -> str:
    """Return in a sentence which upper limits hold less often than they say, beyond the noise of the simulation."""
    found = [
        f"`{row['limit']}` in {_share(row['upper_covers'])} ({row['question']}, {row['change']}, "
        f"{row['train_seeds']} × {row['n']})"
        for row in rows
        if wilson_interval(float(row["upper_covers"]), int(row["repeats"]))[1] < 1 - LEVEL
    ]
    if not found:
        return "No upper limit holds less often than in 95 %, as far as so many repeats can tell."
    return f"Upper limits that hold less often than in 95 %, so that *not worse* is too easy there: {'; '.join(found)}."


def power(rows: Table) -> str:
    """Return the part on how many clips and seeds a limit takes."""
    heads = ["metric", "limit", "question", "takes", "so many: no change is not worse", "twice the limit is worse"]
    heads += ["480 clips, or 3 seeds, find it", "1000 clips, or 5 seeds, find it"]
    cells = [
        [
            row["metric"],
            row["margin"],
            row["question"],
            f"{row['needed']} {row['unit']}",
            *(_share(row[name]) for name in ("not_worse", "worse_at_twice", "found_with_few", "found_with_many")),
        ]
        for row in rows
    ]
    sources = dict.fromkeys((row["metric"], row["question"], row["spread"], row["source"]) for row in rows)
    parts = [
        "## What a limit takes",
        f"`{rows[0]['command']}`. With so many clips (paired by query) or training seeds on each side, a system that "
        "did not change is called not worse in 80 % of comparisons, and a change of the limit's size is told from none "
        "in 80 %. Columns 5 and 6: the same, and a change of twice the limit called worse, in "
        f"{rows[0]['repeats']} simulated comparisons. *Find it*: probability that one test tells a change of the "
        "limit's size from none.",
        markdown_table(heads, cells),
        "Spreads (standard deviation of the paired difference per clip, for FAD its standard error times √n; or "
        "between training seeds): "
        + "; ".join(
            f"{metric}, {question}: {float(spread):.3g} ({source})" for metric, question, spread, source in sources
        )
        + ". They are those of a toy world: measure your own from two of your systems.",
    ]
    return "\n\n".join(part.rstrip("\n") for part in parts)


def influence(rows: Table) -> str:
    """Return the part on influences beside resamples."""
    heads = ["n", "dimensions", "noise", "limit", "repeats", "refused", "same verdict", "opposite"]
    heads += ["resamples agree with themselves", "predicted / stored width", "worse / not worse / cannot tell"]
    cells = [
        [
            row["n"],
            row["dimensions"],
            f"{row['noise_baseline']} → {row['noise_candidate']}",
            f"{100 * float(row['margin']):g} %",
            row["repeats"],
            _share(row["refused"]),
            _interval(row, "same") if row["same"] != "" else "–",
            row["opposite"],
            _share(row["resamples_same"]),
            f"{float(row['spread']):.2f}",
            " / ".join(_share(row[f"share_{name}"]) for name in ("worse", "not_worse", "cannot_tell")),
        ]
        for row in rows
    ]
    parts = [
        "## Influences beside resamples",
        f"`{rows[0]['command']}`. The verdict on FAD from one stored number per clip, and from 2000 resamples of both "
        "systems and the reference. *Same verdict*: of the comparisons that were not refused. *Resamples agree with "
        "themselves*: two sets of resamples of the same clips, on every fifth comparison; the noise of the "
        "resampling alone. *Opposite*: worse by one and not worse by the other. Refused: fewer clips than "
        "dimensions, or a predicted width more than 10 % from the stored one.",
        _total(rows),
        markdown_table(heads, cells),
    ]
    return "\n\n".join(part.rstrip("\n") for part in parts)


def _total(rows: Table) -> str:
    """Return in a sentence how often influences and resamples agree over all cases."""
    taken = [(round(int(row["repeats"]) * (1 - float(row["refused"]))), row) for row in rows if row["same"] != ""]
    n = sum(count for count, _ in taken)
    if not n:
        return "All comparisons were refused."
    same = sum(count * float(row["same"]) for count, row in taken) / n
    again = sum(count * float(row["resamples_same"]) for count, row in taken) / n
    return (
        f"Of all {n} comparisons that were not refused, {_share(same)} got the same verdict from influences and "
        f"resamples; two sets of resamples agree in {_share(again)}."
    )


def _keys(row: Mapping[str, Any]) -> list[str]:
    return [str(row[name]) for name in ("question", "change", "n", "train_seeds")]


def _scenario(row: Mapping[str, Any]) -> str:
    return f"{row['question']}, n = {row['n']} ({_interval(row, 'worse')})"


def _share(value: Any) -> str:
    return "–" if value in ("", None) else f"{100 * float(value):.1f} %"


def _interval(row: Mapping[str, Any], name: str) -> str:
    low, high = (100 * float(row[f"{name}_{end}"]) for end in ("low", "high"))
    return f"{_share(row[name])} [{low:.1f}, {high:.1f}]"


def save_figure(verdict_rows: Table, power_rows: Table, folder: Path, venue: str = DEFAULT) -> None:
    """Save the figure of false alarms and of what limits take, PDF, SVG and PNG.

    Raises:
        UserError: there is no such venue.
    """
    with style.look(venue=venue):
        style.save(draw(verdict_rows, power_rows), folder / FIGURE)


def draw(verdict_rows: Table, power_rows: Table) -> Figure:
    """Return the figure: shares of comparisons called worse, and clips that a limit takes."""
    whole = [row for row in verdict_rows if row["metric"] == "any"]
    clips = [row for row in power_rows if row["question"] == "same queries"]
    figure = style.figure(2, 1.1 + 0.16 * max(len(whole), len(clips)))
    alarms, takes = figure.subplots(1, 2)
    _alarms(alarms, whole)
    takes.plot([float(row["needed"]) for row in clips], range(len(clips)), "D", color=PALETTE[2], markersize=3)
    takes.set_yticks(range(len(clips)), [f"{title(row['metric'])}, {row['margin']}" for row in clips])
    takes.set_xscale("log")
    style.round_ticks(takes.xaxis)
    takes.set_xlabel("clips that a limit takes")
    for axis in (alarms, takes):
        axis.invert_yaxis()
        axis.grid(axis="x")
    style.legend(figure, [alarms])
    return figure


def _alarms(axis: Any, whole: Table) -> None:
    """Draw a row for each question and size: the share called worse, and Wilson's interval."""
    names = [f"{row['question']}: {_size(row)}" for row in whole]
    for i, (label, changed) in enumerate((("nothing changed", False), ("changed for the worse", True))):
        rows = [(y, row) for y, row in enumerate(whole) if (row["change"] != _UNCHANGED) == changed]
        shares = [float(row["worse"]) for _, row in rows]
        below = [max(0.0, share - float(row["worse_low"])) for share, (_, row) in zip(shares, rows, strict=True)]
        above = [max(0.0, float(row["worse_high"]) - share) for share, (_, row) in zip(shares, rows, strict=True)]
        axis.errorbar(
            shares, [y for y, _ in rows], xerr=[below, above], fmt=MARKERS[i], color=PALETTE[i], label=label,
            markersize=3, linewidth=0.7,
        )  # fmt: skip
    axis.axvline(LEVEL, color=style.GREY, linewidth=0.8, linestyle=":", label=percent(LEVEL), zorder=0)
    axis.set_yticks(range(len(whole)), names)
    axis.set_xlim(*style.limits(0.0, 1.0, 0.04))
    axis.set_xlabel("share of comparisons called worse")


def _size(row: Mapping[str, Any]) -> str:
    seeds = int(row["train_seeds"])
    return f"{row['n']} clips" + (f", {seeds} seeds" if seeds > 1 else "")
