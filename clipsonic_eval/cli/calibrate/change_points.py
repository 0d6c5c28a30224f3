"""``clipsonic-eval calibrate change-points``: are at most 5 % of change points false, and how soon is a step found?"""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import click

from clipsonic_eval.cli._options import json_option, out_option, overwrite_option, set_option


@click.command("change-points")
@click.option("--repeats", type=int, show_default="4000", help="Series without a change, per length and noise.")
@click.option("--seed", type=int, show_default="0", help="Seed of the simulation.")
@click.option("--penalties", is_flag=True, help="Tabulate the penalties anew and print them; writes nothing.")
@set_option("power_repeats=200")
@out_option("Output folder.", default="runs/simulations")
@overwrite_option
@json_option("the results")
def command(
    repeats: int | None, seed: int | None, penalties: bool, sets: tuple[str, ...], out: Path, overwrite: bool,
    as_json: bool,
) -> None:  # fmt: skip
    r"""Count change points in simulated series without a change, and steps found in series with one.

    Can be stopped at any point; run again to continue. Takes about ten minutes on one core.

    \b
    clipsonic-eval calibrate change-points --out runs/simulations
    clipsonic-eval calibrate change-points --penalties
    """
    from clipsonic_eval.config import apply_sets, as_tree, resolve
    from clipsonic_eval.harness.calibration import change_points
    from clipsonic_eval.outputs import make_folder
    from clipsonic_eval.progress import Bars
    from clipsonic_eval.reporting import simulations
    from clipsonic_eval.stats.change_points import PENALTIES

    if penalties:
        lengths = Bars().track(list(PENALTIES), label="penalties")
        found = {n: change_points.penalties(n, repeats=repeats or change_points.REPEATS) for n in lengths}
        lines = [f"    {n}: ({values:.2f}, {ranks:.2f})," for n, (values, ranks) in found.items()]
        click.echo(json.dumps(found) if as_json else "\n".join(lines))
        return
    given = {"repeats": repeats, "seed": seed}
    values = as_tree(change_points.ChangePointConfig()) | {k: v for k, v in given.items() if v is not None}
    config = resolve(change_points.ChangePointConfig, apply_sets(values, sets), where="calibrate change-points")
    make_folder(out)
    results = change_points.simulate(config, out / "change_points", progress=Bars(), overwrite=overwrite)
    parts = [
        "clipsonic-eval calibrate change-points",
        *(f"--{name} {value}" for name, value in given.items() if value is not None),
        *(f"--set {shlex.quote(s)}" for s in sets),
    ]
    rows = [change_points.as_row(rate) for rate in results]
    page = simulations.write(simulations.CHANGE_POINTS, rows, out, " ".join(parts))
    if as_json:
        click.echo(json.dumps(rows))
        return
    for rate in results:
        step = f"{rate.size:g} sd, {rate.after} points ago" if rate.after else rate.noise
        click.echo(
            f"{rate.what:5}  {rate.points:4} points  {step:24}  {rate.share:6.1%} [{rate.low:.1%}, {rate.high:.1%}]"
        )
    click.echo(f"\n{page}")
