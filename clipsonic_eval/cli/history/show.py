"""``clipsonic-eval history show``: every metric over dates, commits, or a tag, with its change points."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import click

from clipsonic_eval.cli._look import venue_option
from clipsonic_eval.cli._options import PATH, history_option, json_option


@click.command("show")
@click.option("--metric", "metrics", multiple=True, metavar="NAME", help="Only this metric; repeatable.")
@click.option("--system", "systems", multiple=True, metavar="NAME", help="Only this system; repeatable.")
@click.option("--over", default="date", metavar="AXIS", help="date, commit, or the name of a tag such as step.")
@click.option("--baseline", metavar="PIN", help="Compare with this pin, or a record's hash.")
@click.option(
    "--newest", type=click.IntRange(min=1), metavar="N", show_default="20; all in JSON", help="Last points of a series."
)
@click.option("--out", type=PATH, help="Write figures, history.csv and a page into this folder.")
@venue_option
@history_option
@json_option("all points and change points")
@click.pass_context
def command(
    ctx: click.Context, /, metrics: tuple[str, ...], systems: tuple[str, ...], out: Path | None, folder: Path,
    as_json: bool, **options: Any,
) -> None:  # fmt: skip
    r"""Show every metric of every system over time, with intervals, change points and pins.

    Only values that compare share a line: another encoder, reference or machine begins a new one. A change point needs
    three points after it; the newest two are always too new to tell.

    \b
    clipsonic-eval history show --over commit --baseline released
    clipsonic-eval history show --metric fad --system PD --out report/history
    """
    from clipsonic_eval.cli._skips import finish
    from clipsonic_eval.history.series import levels, trends
    from clipsonic_eval.history.store import History
    from clipsonic_eval.outputs import claim
    from clipsonic_eval.progress import Bars
    from clipsonic_eval.reporting import history as reporting
    from clipsonic_eval.reporting.figures.venues import DEFAULT
    from clipsonic_eval.reporting.history_view import HistoryView

    over, baseline, venue, newest = (options[name] for name in ("over", "baseline", "venue", "newest"))
    history = History(folder, progress=Bars())
    entries = history.entries()
    found = trends(entries, over, metrics=metrics, systems=systems)
    known = levels(entries, history.find(baseline)) if baseline else {}
    view = HistoryView(found, history.pinned(), baseline or "", known)
    page = None
    if out is not None:
        given = [("--metric", m) for m in metrics] + [("--system", s) for s in systems]
        given += [(f"--{name}", options[name]) for name in ("over", "baseline", "venue") if options[name]]
        asked = " ".join(f"{name} {shlex.quote(value)}" for name, value in given)
        with claim(out, "history show", {}):
            page = reporting.write(view, out, f"clipsonic-eval history show {asked}", venue=venue or DEFAULT)
    if as_json:
        click.echo(json.dumps(reporting.tree(view, newest), ensure_ascii=False))
    else:
        click.echo(reporting.text(view, newest or 20) + (f"\n\n{page}" if page else ""))
    finish(ctx, entries.skipped)
