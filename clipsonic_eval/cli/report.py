"""``clipsonic-eval report``: tables, figures and words from run records."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from clipsonic_eval.cli import EXIT_SKIPPED
from clipsonic_eval.cli._look import catalogue_of, catalogue_option, venue_option
from clipsonic_eval.cli._options import PATH, json_option, out_option, overwrite_option
from clipsonic_eval.cli._page import page_config, page_options, page_words
from clipsonic_eval.cli._paper import paper_options, paper_table, paper_words
from clipsonic_eval.errors import ConfigError

if TYPE_CHECKING:
    from clipsonic_eval.reporting.build import ReportResult

_MAIN = ("page.html", "README.md", "table.md", "table.csv", "table.tex")


@click.command("report")
@click.argument("runs", nargs=-1, required=True, type=PATH)
@out_option("Output folder.")
@click.option("--title", default="Report", help="Title of the page.")
@click.option("--select", multiple=True, metavar="TAG=VALUE", help="Runs shown in the table, e.g. guidance=2.")
@catalogue_option
@venue_option
@click.option("--pgf", is_flag=True, help="Figures as PGF too, with letters in the font of the paper (needs pdflatex).")
@click.option(
    "--training", multiple=True, type=PATH, metavar="FOLDER", help="Models whose training curves are shown; repeatable."
)
@click.option(
    "--command", "made_by", show_default="this command", help="Command printed on the page as the one that makes it."
)
@click.option(
    "--records/--no-records",
    "keep_records",
    default=True,
    help="Keep small records from which the report can be remade.",
)
@paper_options
@page_options
@overwrite_option
@json_option()
def command(
    runs: tuple[Path, ...],
    out: Path,
    made_by: str | None,
    as_json: bool,
    **given: Any,
) -> None:
    r"""Make tables (md, csv, tex), figures (pdf, svg, png, csv) and a summary in words from run records.

    RUNS are run folders of `evaluate` or `gap`, or folders that contain such folders. Everything found is reported;
    what could not be made is listed. Tags (split, train_seed, guidance, clip_variant) distinguish the runs.

    \b
    clipsonic-eval report run/ --out report/
    clipsonic-eval report report/records --out again/   (from the kept records)
    clipsonic-eval report runs/ --out report/ --catalogue clipsonic --venue ieee
    clipsonic-eval report runs/ --out paper/ --latex siunitx --metric fad
    clipsonic-eval report run/ --out report/ --page   (to hear the systems too)
    """
    from clipsonic_eval.progress import Bars
    from clipsonic_eval.reporting.build import ReportOptions, build

    result = build(
        runs,
        out,
        catalogue=catalogue_of(given["catalogue"]),
        options=ReportOptions(
            title=given["title"],
            command=_this(runs, out, given) if made_by is None else made_by,
            keep_records=given["keep_records"],
            venue=given["venue"],
            page=page_config(given),
            paper=paper_table(given),
            training=given["training"],
            pgf=given["pgf"],
        ),
        select=dict(map(_tag, given["select"])),
        overwrite=given["overwrite"],
        progress=Bars(),
    )
    _print(result, as_json)
    if result.missing:
        click.get_current_context().exit(EXIT_SKIPPED)


def _print(result: ReportResult, as_json: bool) -> None:
    """Print what was made, and on stderr what is missing."""
    if as_json:
        tree = {
            "folder": str(result.out),
            "headline": result.headline,
            "files": list(result.files),
            "left_out": list(result.left_out),
            "skipped": dict(result.skipped),
            "missing": list(result.missing),
        }
        click.echo(json.dumps(tree))
    else:
        if result.headline:
            click.echo(result.headline)
        shown = [f for f in result.files if f in _MAIN or f.endswith(".png")]
        click.echo("\n".join(str(result.out / f) for f in shown))
        for line in result.left_out:
            click.echo(f"left out: {line}", err=True)
        for run, n in result.skipped.items():
            click.echo(f"run '{run}' had skipped {n}; its record lists them", err=True)
        for line in result.missing:
            click.echo(f"not on the page: {line}", err=True)


def _tag(item: str) -> tuple[str, str]:
    name, equals, value = item.partition("=")
    if not equals or not name or not value:
        raise ConfigError(f"--select {item}: expected TAG=VALUE, e.g. --select guidance=2")
    return name, value


def _this(runs: tuple[Path, ...], out: Path, given: dict[str, Any]) -> str:
    """Return the command line as a person would type it."""
    words = ["clipsonic-eval", "report", *map(str, runs), "--out", str(out)]
    words += ["--title", given["title"]] if given["title"] != "Report" else []
    words += [word for item in given["select"] for word in ("--select", item)]
    for name in ("venue", "catalogue"):
        words += [f"--{name}", given[name]] if given[name] else []
    words += ["--pgf"] if given["pgf"] else []
    words += [word for folder in given["training"] for word in ("--training", str(folder))]
    words += [*paper_words(given), *page_words(given)]
    return shlex.join(words)
