"""``clipsonic-eval bench``: what systems, encoders and metrics cost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from clipsonic_eval.cli import EXIT_SKIPPED
from clipsonic_eval.cli._options import PATH, json_option, out_option, overwrite_option, set_option

if TYPE_CHECKING:
    from clipsonic_eval.bench.cases import BenchConfig
    from clipsonic_eval.records import RunRecord

_DEFAULT_PROCESSES, _AGAINST_PROCESSES = 3, 5


@click.command("bench")
@click.argument("targets", nargs=-1, required=True, metavar="TARGET...")
@set_option("steps=20 or, for one target, PD.steps=20")
@click.option(
    "--grid",
    multiple=True,
    metavar="KEY=VALUE,VALUE,…",
    help="Measure at every value, e.g. steps=10,20; several options are combined.",
)
@click.option(
    "--against",
    metavar="TARGET",
    help="Compare with this one: both take turns, and the ratio has an interval.",
)
@click.option(
    "--queries", type=PATH, show_default="everyday sounds", help="Table with columns key, prompt and optionally image."
)
@click.option(
    "--processes",
    type=click.IntRange(min=1),
    show_default=f"{_DEFAULT_PROCESSES}, or {_AGAINST_PROCESSES} with --against",
    help="Fresh processes per case.",
)
@click.option("--calls", default=30, type=click.IntRange(min=1), help="Timed requests per process.")
@click.option(
    "--seconds", default=60.0, type=click.FloatRange(min=0, min_open=True), help="Stop timing a process then."
)
@click.option("--rounds", default=10, type=click.IntRange(min=1), help="Blocks of turns per process, in a comparison.")
@click.option("--seed", default=0, help="Of the requests.")
@out_option("Output folder; continued if it holds a part of the same bench.")
@click.option("--pytest-benchmark", "export", type=PATH, help="Also write the JSON that pytest-benchmark compares.")
@overwrite_option
@json_option("the record")
@click.pass_context
def command(
    ctx: click.Context,
    /,
    out: Path,
    export: Path | None,
    overwrite: bool,
    as_json: bool,
    **asked: Any,
) -> None:
    r"""Measure latency by stage, throughput, memory and energy, from the request to the finished wav.

    TARGET is a system as `sample` takes it, or the name of an encoder or a metric; NAME=TARGET gives it a name.
    Settings of every system may vary, and so may batch and length; those of metrics are n, d and n_boot.

    \b
    clipsonic-eval bench ZS=clipsonic.systems:ZeroShot --set model=models/video \
        --grid steps=10,20,50 --grid batch=1,8 --out runs/bench
    """
    from clipsonic_eval.bench.run import bench
    from clipsonic_eval.progress import Bars

    record = bench(_config(**asked), out, overwrite=overwrite, progress=Bars())
    if export is not None:
        from clipsonic_eval.bench.export import write_pytest_benchmark

        write_pytest_benchmark(record, export)
    if as_json:
        from clipsonic_eval.config import as_tree

        click.echo(json.dumps(as_tree(record), ensure_ascii=False))
    else:
        _show(record)
    if record.skipped:
        ctx.exit(EXIT_SKIPPED)


def _config(
    *,
    targets: tuple[str, ...],
    sets: tuple[str, ...],
    grid: tuple[str, ...],
    against: str | None,
    processes: int | None,
    **settings: Any,
) -> BenchConfig:
    from clipsonic_eval.bench.cases import BenchConfig, named_targets
    from clipsonic_eval.harness.queries import read_queries

    if settings["queries"] is not None:
        read_queries(settings["queries"])  # one sentence now, instead of one from every process
    return BenchConfig(
        targets=named_targets(targets if against is None else (*targets, against), sets, grid),
        processes=processes or (_DEFAULT_PROCESSES if against is None else _AGAINST_PROCESSES),
        interleave=against is not None,
        **settings,
    )


def _show(record: RunRecord) -> None:
    """Print tables to stdout, and to stderr what could not be measured and what a reader must know."""
    from clipsonic_eval.bench import tables
    from clipsonic_eval.formats import aligned

    for rows in (tables.costs(record), tables.stages(record)):
        if rows:
            click.echo(aligned(rows) + "\n")
    for line in (*tables.conventions(record), *tables.ratios(record)):
        click.echo(line)
    for label, skips in record.skipped.items():
        click.echo(f"{label}: not measured: {skips[0].reason}", err=True)
    for label, findings in record.findings.items():
        for finding in findings:
            click.echo(f"{finding.severity} {label}: {finding.sentence}", err=True)
