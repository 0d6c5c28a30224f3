"""Tables and a picture of how intervals and tests did in simulation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from clipsonic_eval import __version__
from clipsonic_eval.files import write_csv, write_text
from clipsonic_eval.harness.calibration.cells import ALPHA, BAND, CalibrateConfig, Cell, as_row
from clipsonic_eval.metrics import METRICS
from clipsonic_eval.reporting.figures import style


def write(cells: Sequence[Cell], config: CalibrateConfig, out: Path, command: str) -> Path:
    """Write ``calibration.csv``, ``coverage.png`` and ``coverage.pdf``, and the page; return the page."""
    settings = {"seed": config.seed, "n_bootstrap": config.n_bootstrap, "version": __version__}
    rows = [{**as_row(c), "signature": METRICS[c.metric].card.signature, **settings} for c in cells]
    write_csv(out / "calibration.csv", list(rows[0]) if rows else ["metric"], rows)
    if cells:
        _draw(cells, out / "coverage")
    page = out / "README.md"
    write_text(page, _page(cells, config, command))
    return page


def _page(cells: Sequence[Cell], config: CalibrateConfig, command: str) -> str:
    lines = [
        "# Do the intervals and tests do what they say?",
        "",
        f"`{command}` (clipsonic-eval {__version__}, seed {config.seed}): {config.repeats} simulated evaluations for "
        f"each metric and n, {config.n_bootstrap} resamples and {config.n_permutations} permutations in each, through "
        "the functions that `evaluate` uses.",
        "",
        "Populations are small and simulated (harness/calibration/worlds.py): the table judges the statistics, not an "
        "encoder. Brackets are Wilson's 95 % intervals of the shares.",
        "",
        *_summary(cells),
        "",
        "![coverage by metric and n](coverage.png)",
        "",
        f"covered: share of the 95 % intervals that held the truth (set metrics: the estimate's expectation at that n; "
        f"means over clips: the population's mean). Within {BAND[0]:.0%} to {BAND[1]:.0%}: 'cannot tell' where so many "
        f"repeats leave it open. false alarms: tests at {ALPHA:.0%} that told two equal systems apart. family: "
        "evaluations of three equal systems in which any test stayed significant after Holm's correction. power: tests "
        f"that found the system with {config.worse:.0%} more noise.",
        "",
        "| metric | n | covered | within | below / above | false alarms | family | power |",
        "|---|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {c.metric} | {c.n} | {_rate(c.covered.share, c.covered.low, c.covered.high)} | {c.within} "
        f"| {c.below:.1%} / {c.above:.1%} | {_rate(c.alarms.share, c.alarms.low, c.alarms.high)} "
        f"| {_rate(c.family_alarms.share, c.family_alarms.low, c.family_alarms.high)} | {c.power.share:.0%} |"
        for c in cells
    ]
    return "\n".join(lines) + "\n"


def _rate(share: float, low: float, high: float) -> str:
    return f"{share:.1%} [{low:.1%}, {high:.1%}]"


def _summary(cells: Sequence[Cell]) -> list[str]:
    """Say what misses, by name."""
    off = [c for c in cells if c.within == "no"]
    open_ = [c for c in cells if c.within == "cannot tell"]
    loud = [c for c in cells if c.alarms.low > ALPHA]
    family = [c for c in cells if c.family_alarms.low > ALPHA]
    good = len(cells) - len(off) - len(open_)
    lines = [
        f"- {good} of {len(cells)} cells cover {BAND[0]:.0%} to {BAND[1]:.0%}, {len(open_)} may, {len(off)} do not."
    ]
    lines += [f"- {c.metric} at n = {c.n} covers {c.covered.share:.1%}." for c in off]
    if loud:
        told = ", ".join(f"{c.metric} at n = {c.n} ({c.alarms.share:.1%})" for c in loud)
        lines.append(f"- More false alarms than {ALPHA:.0%}: {told}.")
    else:
        lines.append(f"- No test raises more false alarms than its {ALPHA:.0%}, as far as so many repeats can tell.")
    if family:
        told = ", ".join(f"{c.metric} at n = {c.n} ({c.family_alarms.share:.1%})" for c in family)
        lines.append(f"- More families with a false alarm than {ALPHA:.0%} after Holm: {told}.")
    return lines


def _draw(cells: Sequence[Cell], stem: Path) -> None:
    metrics = list(dict.fromkeys(c.metric for c in cells))
    sizes = sorted({c.n for c in cells})
    with style.look():
        figure = style.figure(style.PAGE, 0.8 + 0.16 * len(metrics))
        coverage, alarms = figure.subplots(1, 2, sharey=True)
        for axis, band, line in ((coverage, BAND, 0.95), (alarms, (0.0, ALPHA), ALPHA)):
            axis.axvspan(*band, color=style.RULE, alpha=0.6, linewidth=0)
            axis.axvline(line, color=style.GREY, linewidth=0.6)
        for k, n in enumerate(sizes):
            own = [c for c in cells if c.n == n]
            places = [metrics.index(c.metric) + 0.22 * (k - (len(sizes) - 1) / 2) for c in own]
            for axis, rates in ((coverage, [c.covered for c in own]), (alarms, [c.alarms for c in own])):
                shares = [r.share for r in rates]
                # rounding may leave Wilson's end a hair inside a share of 0 or 1
                spread = [[max(0.0, r.share - r.low) for r in rates], [max(0.0, r.high - r.share) for r in rates]]
                axis.errorbar(shares, places, xerr=spread, fmt="o", markersize=2.5, linewidth=0.7, label=f"n = {n}")
        coverage.set_yticks(range(len(metrics)), metrics)
        coverage.set_ylim(len(metrics) - 0.4, -0.6)
        coverage.set_xlabel("share of 95 % intervals that hold the truth")
        alarms.set_xlabel(f"false alarms of the paired test at {ALPHA:.0%}")
        alarms.legend(loc="lower right")
        style.save(figure, stem)
