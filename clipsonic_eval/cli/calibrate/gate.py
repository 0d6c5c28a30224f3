"""``clipsonic-eval calibrate gate``: does the gate raise 5 % false alarms at most, and what does a limit take?"""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import click

from clipsonic_eval.cli._options import json_option, out_option, overwrite_option, set_option


@click.command("gate")
@click.option("--repeats", type=int, show_default="2000", help="Comparisons per scenario in which nothing changed.")
@click.option("--seed", type=int, show_default="0", help="Seed of the simulation.")
@set_option("influence_repeats=100")
@out_option("Output folder.", default="runs/simulations")
@overwrite_option
@json_option("the results")
def command(
    repeats: int | None, seed: int | None, sets: tuple[str, ...], out: Path, overwrite: bool, as_json: bool
) -> None:
    r"""Count false alarms and finds of the gate, the clips that a limit takes, and verdicts from influences.

    Can be stopped at any point; run again to continue. Takes about an hour on one core.

    \b
    clipsonic-eval calibrate gate --out runs/simulations
    clipsonic-eval calibrate gate --repeats 200 --set influence_repeats=50
    """
    from clipsonic_eval.config import apply_sets, as_tree, resolve
    from clipsonic_eval.gate.calibration.pieces import GateCalibrationConfig, simulate_gate
    from clipsonic_eval.outputs import make_folder
    from clipsonic_eval.progress import Bars
    from clipsonic_eval.reporting import gate_simulations, simulations

    given = {"repeats": repeats, "seed": seed}
    values = as_tree(GateCalibrationConfig()) | {k: v for k, v in given.items() if v is not None}
    config = resolve(GateCalibrationConfig, apply_sets(values, sets), where="calibrate gate")
    make_folder(out)
    found = simulate_gate(config, out / "gate", progress=Bars(), overwrite=overwrite)
    parts = [
        "clipsonic-eval calibrate gate",
        *(f"--{name} {value}" for name, value in given.items() if value is not None),
        *(f"--set {shlex.quote(s)}" for s in sets),
    ]
    gate_simulations.save_figure(found["verdicts"], found["power"], out)
    for name, rows in found.items():
        page = simulations.write(f"{name}.csv", rows, out, " ".join(parts))
    if as_json:
        click.echo(json.dumps(found))
        return
    for row in found["verdicts"]:
        if row["metric"] == "any":
            click.echo(
                f"{row['question']:14} {row['change']:18} {row['train_seeds']} × {row['n']:4}  "
                f"worse {row['worse']:6.1%} [{row['worse_low']:.1%}, {row['worse_high']:.1%}]"
            )
    click.echo(f"\n{page}")
