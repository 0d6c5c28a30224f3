"""``clipsonic-eval calibrate listening``: do the intervals of a listening test cover the truth?"""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import click

from clipsonic_eval.cli._options import json_option, out_option, overwrite_option, set_option


@click.command("listening")
@click.option("--repeats", type=int, show_default="2000", help="Simulated tests per design and size.")
@click.option("--seed", type=int, show_default="0", help="Seed of the simulation.")
@set_option("difference_repeats=100")
@out_option("Output folder: README.md, coverage.csv, and cells/ to continue from.", default="runs/listening_simulation")
@overwrite_option
@json_option("the results")
def command(
    repeats: int | None, seed: int | None, sets: tuple[str, ...], out: Path, overwrite: bool, as_json: bool
) -> None:
    r"""Count how often intervals of mean opinions and of differences cover the truth, over listeners and queries.

    Can be stopped at any point; run again to continue. Takes some minutes on one core.

    \b
    clipsonic-eval calibrate listening --out runs/listening_simulation
    clipsonic-eval calibrate listening --repeats 200 --set "listeners=[10]"
    """
    from clipsonic_eval.config import apply_sets, as_tree, resolve
    from clipsonic_eval.listening.simulation import ListeningSimulationConfig, simulate
    from clipsonic_eval.outputs import make_folder
    from clipsonic_eval.progress import Bars
    from clipsonic_eval.reporting import listening_simulation

    given = {"repeats": repeats, "seed": seed}
    values = as_tree(ListeningSimulationConfig()) | {k: v for k, v in given.items() if v is not None}
    config = resolve(ListeningSimulationConfig, apply_sets(values, sets), where="calibrate listening")
    make_folder(out)
    rows = simulate(config, out / "cells", progress=Bars(), overwrite=overwrite)
    parts = [
        "clipsonic-eval calibrate listening",
        *(f"--{name} {value}" for name, value in given.items() if value is not None),
        *(f"--set {shlex.quote(s)}" for s in sets),
    ]
    page = listening_simulation.write(rows, as_tree(config), out, " ".join(parts))
    if as_json:
        click.echo(json.dumps(rows, ensure_ascii=False))
        return
    for row in rows:
        click.echo(
            f"{row['design']:16} {row['listeners']:3} × {row['queries']:3}  {row['interval']:18} {row['covered']:6.1%} "
            f"[{row['low']:.1%}, {row['high']:.1%}]"
        )
    click.echo(f"\n{page}")
