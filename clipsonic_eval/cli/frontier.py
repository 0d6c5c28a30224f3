"""``clipsonic-eval frontier``: quality against latency over a grid of settings."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from clipsonic_eval.cli import EXIT_SKIPPED
from clipsonic_eval.cli._frontier_records import kept, swept
from clipsonic_eval.cli._look import catalogue_of, catalogue_option, venue_option
from clipsonic_eval.cli._options import PATH, cache_option, json_option, out_option, overwrite_option

if TYPE_CHECKING:
    from clipsonic_eval.frontier.result import Frontier
    from clipsonic_eval.records import RunRecord
    from clipsonic_eval.types import Skip

REPORT = "report"


@click.command("frontier")
@click.argument("systems", nargs=-1, metavar="[NAME=]SYSTEM...")
@click.option(
    "--set",
    "sets",
    multiple=True,
    metavar="[NAME.]KEY=VALUE",
    help="Setting of all systems, or of the one of that name; repeatable.",
)
@click.option(
    "--grid",
    multiple=True,
    metavar="[NAME.]KEY=VALUE,...",
    help="Setting that varies, with its values, e.g. steps=5,10,20; repeatable.",
)
@click.option("--queries", type=PATH, help="Table with columns key, prompt and optionally label, image (or path).")
@click.option("--reference", type=PATH, help="Real audio to compare with, as of evaluate.")
@click.option(
    "--metric", "metrics", multiple=True, metavar="NAME", show_default="fad, clap_score", help="Quality; repeatable."
)
@click.option(
    "--encoder",
    "encoders",
    multiple=True,
    metavar="ROLE=NAME",
    show_default="as of evaluate",
    help="Encoder for the metrics of a role; repeatable.",
)
@click.option("--weights", multiple=True, metavar="ROLE=FILE", help="Weight file of a role; repeatable.")
@click.option("--processes", type=int, show_default="3", help="Fresh processes in which each point is timed.")
@click.option("--calls", type=int, show_default="20", help="Timed requests per process.")
@click.option("--batch-size", type=int, show_default="32", help="Queries sampled at once; latency is of one request.")
@click.option("--seed", type=int, show_default="0", help="Seed of samples and resamples.")
@cache_option
@click.option(
    "--records",
    "kept",
    multiple=True,
    type=PATH,
    help="Draw from these records instead of measuring; repeatable.",
)
@catalogue_option
@venue_option
@click.option("--title", default="Quality against latency", help="Title of the page.")
@click.option(
    "--command", "made_by", show_default="this command", help="Command printed on the page as the one that makes it."
)
@out_option("Output folder; the page is report/README.md.")
@overwrite_option
@json_option("the points")
@click.pass_context
def command(ctx: click.Context, /, out: Path, overwrite: bool, as_json: bool, title: str, **options: Any) -> None:
    r"""Sweep settings of systems: quality and latency of each point, and which are worth their time.

    Every point is sampled, evaluated and timed with the same weights and settings. Points are on the frontier where no
    other is as quick and as good; how sure that is, resamples of clips and durations say. Can be stopped at any point;
    run again to continue. Exit code 3: done, but points failed or queries were left out.

    \b
    clipsonic-eval frontier ZS=clipsonic.systems:ZeroShot --set model=video/ \
        --grid sampler=ddim,dpm-solver++ --grid steps=5,10,20,40 \
        --queries test.csv --reference real/ --out frontier/
    clipsonic-eval frontier --records frontier/report/records --out again/
    """
    from clipsonic_eval import atomic
    from clipsonic_eval.analysis.catalogue import Catalogue
    from clipsonic_eval.frontier.result import frontier, join
    from clipsonic_eval.reporting.frontier import PAGE, write

    look = {"catalogue": catalogue_of(options["catalogue"]) or Catalogue(), "venue": options["venue"]}
    given = kept if options["kept"] else swept
    records, failed, incomplete = given(options, out, overwrite)
    points, missing = join(records)
    known = {skip.key for skip in failed}
    failed = [*failed, *(skip for skip in missing if skip.key not in known)]
    metrics = options["metrics"] or _metrics(records)
    seed = options["seed"] or 0
    drawn = [frontier(points, metric, seed=seed) for metric in metrics]
    with atomic.replacing_folder(out / REPORT) as folder:
        command = options["made_by"] or _typed(ctx)
        write(drawn, records, folder, failed=failed, headline=title, command=command, **look)
    _show(drawn, failed, out / REPORT / PAGE, as_json=as_json)
    if failed or incomplete or any(one.left_out for one in drawn):
        ctx.exit(EXIT_SKIPPED)


def _metrics(records: Sequence[RunRecord]) -> list[str]:
    """Return the metrics of the evaluations, in their order."""
    return list(dict.fromkeys(m for r in records if r.kind == "evaluate" for m in r.metric_names))


def _show(drawn: Sequence[Frontier], failed: Sequence[Skip], page: Path, *, as_json: bool) -> None:
    from clipsonic_eval.formats import aligned, percent
    from clipsonic_eval.reporting.frontier_rows import as_tree, name, placed, quality, seconds
    from clipsonic_eval.reporting.headings import heading

    left_out = [*failed, *(skip for one in drawn for skip in one.left_out)]
    if as_json:
        tree = {"page": str(page), "points": [as_tree(row) for one in drawn for row in placed(one)]}
        tree["left_out"] = [{"point": skip.key, "reason": skip.reason} for skip in left_out]
        click.echo(json.dumps(tree))
        return
    for one in drawn:
        rows = [["latency (s)", heading(placed(one)[0].score), "on the frontier", "point"]]
        for row in placed(one):
            mark = "yes, " if row.on else "no, "
            rows.append([seconds(row), quality(row), mark + percent(row.share), name(row.point)])
        click.echo(aligned(rows) + "\n")
    click.echo(str(page))
    for skip in left_out:
        click.echo(f"left out {skip.key}: {skip.reason}", err=True)


def _typed(ctx: click.Context) -> str:
    """Return the command line as a person would type it."""
    words = ["clipsonic-eval", str(ctx.info_name)]
    for parameter in ctx.command.params:
        value = ctx.params[str(parameter.name)]
        if value in (None, (), parameter.get_default(ctx)) or isinstance(value, bool):
            continue
        values = [str(one) for one in (value if isinstance(value, tuple) else (value,))]
        option = isinstance(parameter, click.Option)
        words += [word for one in values for word in ((parameter.opts[-1], one) if option else (one,))]
    return shlex.join(words)
