"""``clipsonic-eval listen simulate``: answers of made-up listeners, to rehearse a test before anybody has listened."""

from __future__ import annotations

import json
from pathlib import Path

import click

from clipsonic_eval.cli._options import PATH, json_option, named


@click.command("simulate")
@click.argument("plan", type=PATH)
@click.option("--mean", "means", multiple=True, metavar="NAME=X", help="Mean opinion of a system, 1 to 5; repeatable.")
@click.option("--listeners", type=int, show_default="those of the plan", help="Number of listeners.")
@click.option("--careless", type=int, default=0, help="How many of them answer at random.")
@click.option("--seed", type=int, default=0, help="Seed of the answers.")
@click.option("--out", type=PATH, required=True, help="Table to write.")
@json_option("what was made up")
def command(
    plan: Path, means: tuple[str, ...], listeners: int | None, careless: int, seed: int, out: Path, as_json: bool
) -> None:
    r"""Make up answers to PLAN, to see what its analysis will say before anybody has listened.

    Attentive listeners answer by the means given, 3 for other systems, with the variances that `listen plan` takes
    for typical. Records of such answers say that they are simulated, and no other answers are replaced.

    \b
    clipsonic-eval listen simulate plan --mean PD=3.4 --mean ZS=2.8 --careless 2 \
        --out rehearsal.csv
    clipsonic-eval listen analyse rehearsal.csv --plan plan --out runs/rehearsal
    """
    from clipsonic_eval.listening import answers
    from clipsonic_eval.listening.plan import read
    from clipsonic_eval.listening.rehearsal import rehearse

    frozen = read(plan)
    answers.require_made_up(out)
    given = {name: _mean(name, text) for name, text in named(means, "--mean").items()}
    found = rehearse(frozen, given, listeners=listeners, careless=careless, seed=seed)
    answers.write(out, found)
    n = len({one.listener for one in found})
    if as_json:
        click.echo(json.dumps({"file": str(out), "plan": frozen.id, "answers": len(found), "listeners": n}))
        return
    click.echo(f"{out}: {len(found)} answers of {n} simulated listeners")
    click.echo(f"next: clipsonic-eval listen analyse {out} --plan {plan} --out runs/rehearsal", err=True)


def _mean(name: str, text: str) -> float:
    from clipsonic_eval.errors import ConfigError

    try:
        return float(text)
    except ValueError:
        raise ConfigError(f"--mean {name}={text}: '{text}' is no number; give one from 1 to 5") from None
