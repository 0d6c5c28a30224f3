"""``clipsonic-eval listen plan``: a listening test before its first answer: its size, and all that it is fixed by."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

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

if TYPE_CHECKING:
    from clipsonic_eval.listening.make import ListeningConfig
    from clipsonic_eval.listening.plan import ListeningPlan
    from clipsonic_eval.stats.crossed import VarianceComponents


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
@click.option("--listeners", type=int, show_default="20, or as many as are needed", help="Number of listeners.")
@click.option("--half-width", type=float, metavar="X", help="Wanted of the interval of a mean opinion.")
@click.option("--difference", type=float, metavar="X", help="Between two systems that is to be found.")
@click.option(
    "--pilot", type=PATH, metavar="CSV", show_default="typical variances", help="Answers to learn the variances from."
)
@click.option("--pilot-plan", type=PATH, metavar="PLAN", help="Plan of these answers.")
@click.option("--seed", type=int, show_default="0", help="Seed of the lists.")
@config_option
@set_option("checks.trap=2")
@out_option("Folder of the plan: plan.json, and the queries that were left out.")
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
    from clipsonic_eval import filenames, outputs
    from clipsonic_eval.cli._skips import finish
    from clipsonic_eval.config import apply_sets, as_tree, read_yaml, resolve
    from clipsonic_eval.listening import size
    from clipsonic_eval.listening.make import ListeningConfig, make
    from clipsonic_eval.progress import Bars

    wanted = {name: options.pop(name) for name in ("half_width", "difference")}
    components = _components(options.pop("pilot"), options.pop("pilot_plan"))
    asked = options["listeners"]
    tree = merged(read_yaml(file) if file else {}, {**options, "systems": named(options["systems"], "--system")})
    config = resolve(ListeningConfig, apply_sets({"systems": {}, **tree}, sets), where="listen plan")
    plan, skipped = make(config, progress=Bars())
    counts = len(plan.systems), len(plan.queries), config.clips
    if any(wanted.values()) and asked is None:
        needed = size.smallest(*counts, **wanted, components=components).listeners
        plan, skipped = make(_with_listeners(config, needed))
    with outputs.claim(out, "listen plan", as_tree(config) | {"listeners": plan.listeners, "plan": plan.id},
                       overwrite=overwrite):  # fmt: skip
        plan.write(out / filenames.PLAN)
    found = size.precision(*counts, plan.listeners, components) if _has_ratings(plan) else None
    minutes = size.minutes(plan, _seconds(plan.sounds[plan.systems[0]][plan.queries[0].key].path))
    if as_json:
        tree = {"plan": plan.id, "systems": counts[0], "queries": counts[1], "listeners": plan.listeners}
        click.echo(json.dumps({**tree, "minutes": minutes, "precision": found and found._asdict()}))
    else:
        hours = plan.listeners * minutes / 60
        click.echo(f"{out / filenames.PLAN}: plan {plan.id}, {counts[0]} systems, {counts[1]} queries")
        click.echo(f"{plan.listeners} listeners of about {minutes:.0f} minutes, {hours:.1f} hours in all")
        if found:
            click.echo(f"a mean opinion will be known to about ±{found.half_width:.2f}, from {found.answers} answers")
        if found and found.difference is not None:
            click.echo(f"a difference of {found.difference:.2f} between two systems is found with 80 % power")
    finish(ctx, skipped)


def _components(pilot: Path | None, plan: Path | None) -> VarianceComponents:
    """Return variances of listeners, clips and the rest: of a pilot, else typical ones."""
    from clipsonic_eval.errors import UserError
    from clipsonic_eval.listening import plan as plans
    from clipsonic_eval.listening import size
    from clipsonic_eval.listening.answers import read
    from clipsonic_eval.listening.opinions import pilot_components

    if pilot is None:
        return size.TYPICAL
    if plan is None:
        raise UserError("--pilot: give the plan of these answers with --pilot-plan")
    frozen = plans.read(plan)
    return pilot_components(frozen, read(pilot, frozen)[0])


def _has_ratings(plan: ListeningPlan) -> bool:
    return any(protocol.layout == "rating" for protocol in plan.protocols.values())


def _with_listeners(config: ListeningConfig, listeners: int) -> ListeningConfig:
    import dataclasses

    return dataclasses.replace(config, listeners=listeners)


def _seconds(path: Path) -> float:
    from clipsonic_eval.media.audio import read_audio

    return read_audio(path).duration_s
