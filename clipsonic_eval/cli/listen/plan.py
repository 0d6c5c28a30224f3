"""``clipsonic-eval listen plan``: a listening test before its first answer: its size, and all that it is fixed by."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from clipsonic_eval.cli._options import (
    PATH,
    config_option,
    json_option,
    merged,
    named,
    out_option,
    overwrite_option,
    set_option,
)


@click.command("plan")
@click.option("--system", "systems", multiple=True, metavar="NAME=FOLDER", help="Wavs of a system; repeatable.")
@click.option("--reference", type=PATH, metavar="FOLDER", show_default="none", help="The queries' real recordings.")
@click.option("--prompts", type=PATH, metavar="CSV", show_default="samples.csv of the systems", help="The queries.")
@click.option(
    "--protocol",
    "protocols",
    multiple=True,
    metavar="NAME",
    show_default="mos-fidelity, mos-relevance",
    help="mos-fidelity, mos-relevance, preference or mushra-like; repeatable.",
)
@click.option("--query", type=click.Choice(["text", "image"]), show_default="text", help="What is shown.")
@click.option("--clips", type=int, show_default="30", help="Trials of a listener per protocol, at most.")
@click.option("--listeners", type=int, show_default="20, or as many as are wanted", help="Number of listeners.")
@click.option("--half-width", type=float, metavar="X", help="Wanted of the interval of a mean opinion.")
@click.option("--difference", type=float, metavar="X", help="Between two systems that is to be found.")
@click.option(
    "--pilot", type=PATH, metavar="CSV", show_default="typical variances", help="Answers to learn the variances from."
)
@click.option("--pilot-plan", type=PATH, metavar="PLAN", help="Plan of these answers.")
@click.option("--seed", type=int, show_default="0", help="Seed of the lists.")
@config_option
@set_option("checks.trap=2")
@out_option("Folder of the plan: plan.json, and skipped.csv with the queries that were left out.")
@overwrite_option
@json_option("the plan's id, size and precision")
@click.pass_context
def command(
    ctx: click.Context, /, out: Path, file: Path | None, sets: tuple[str, ...], as_json: bool, overwrite: bool,
    **options: Any,
) -> None:  # fmt: skip
    r"""Fix a listening test before its first answer, and say what its size can tell.

    Only queries are used that every system answered. Ratings of fidelity and relevance are asked about the same sound,
    fidelity before the query is shown. Rules of exclusion are part of the plan.

    \b
    clipsonic-eval listen plan --system PD=wavs/PD --system ZS=wavs/ZS \
        --reference real/ --difference 0.3 --out plan
    """
    from clipsonic_eval.cli._skips import finish
    from clipsonic_eval.config import apply_sets, read_yaml, resolve
    from clipsonic_eval.listening import planning
    from clipsonic_eval.listening.make import ListeningConfig
    from clipsonic_eval.listening.pilot import pilot_variances
    from clipsonic_eval.progress import Bars

    wanted = {name: options.pop(name) for name in ("half_width", "difference")}
    pilot, pilot_plan = options.pop("pilot"), options.pop("pilot_plan")
    if pilot is not None:
        wanted["components"] = pilot_variances(pilot, pilot_plan)
    tree = merged(read_yaml(file) if file else {}, {**options, "systems": named(options["systems"], "--system")})
    config = resolve(ListeningConfig, apply_sets({"systems": {}, **tree}, sets), where="listen plan")
    found = planning.settle(config, **wanted, progress=Bars())
    path = planning.write(found, config, out, overwrite=overwrite)
    plan, precision = found.plan, found.precision
    if as_json:
        tree = {"plan": plan.id, "systems": len(plan.systems), "queries": len(plan.queries)}
        tree |= {"listeners": plan.listeners, "minutes": found.minutes, "precision": precision and precision._asdict()}
        click.echo(json.dumps(tree))
    else:
        hours = plan.listeners * found.minutes / 60
        click.echo(f"{path}: plan {plan.id}, {len(plan.systems)} systems, {len(plan.queries)} queries")
        if config.clips > len(plan.queries):
            click.echo(f"every listener meets all {len(plan.queries)} queries, fewer than --clips {config.clips}")
        click.echo(f"{plan.listeners} listeners of about {found.minutes:.0f} minutes, {hours:.1f} hours in all")
        if precision:
            half, answers = precision.half_width, precision.answers
            click.echo(f"a mean opinion will be known to about ±{half:.2f}, from {answers} answers")
        if precision and precision.difference is not None:
            click.echo(f"a difference of {precision.difference:.2f} between two systems is found with 80 % power")
        click.echo(
            f"next: clipsonic-eval listen build {out} --out study; `listen simulate` rehearses it first", err=True
        )
    finish(ctx, found.skipped)
