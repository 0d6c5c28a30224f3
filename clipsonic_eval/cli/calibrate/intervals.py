"""``clipsonic-eval calibrate intervals``: do 95 % intervals cover 95 %, and do tests raise 5 % false alarms?"""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import click

from clipsonic_eval.cli._options import json_option, out_option, overwrite_option, set_option


@click.command("intervals")
@click.option(
    "--metric", "metrics", multiple=True, metavar="NAME", show_default="all", help="Only this metric; repeatable."
)
@click.option(
    "--n", "sizes", multiple=True, type=int, show_default="50, 200, 1000", help="Clips per evaluation; repeatable."
)
@click.option("--repeats", type=int, show_default="400", help="Simulated evaluations per metric and n.")
@click.option("--seed", type=int, show_default="0", help="Seed of the simulation.")
@set_option("n_bootstrap=1000")
@out_option("Output folder.", default="runs/calibration")
@overwrite_option
@json_option("the results")
def command(
    metrics: tuple[str, ...],
    sizes: tuple[int, ...],
    repeats: int | None,
    seed: int | None,
    sets: tuple[str, ...],
    out: Path,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Measure coverage of the intervals, and false alarms and power of the tests, by simulation.

    Can be stopped at any point; run again to continue. All metrics at the default settings take one to two hours on
    one core.
    """
    from clipsonic_eval.config import apply_sets, as_tree, resolve
    from clipsonic_eval.harness.calibration.simulation import CalibrateConfig, as_row
    from clipsonic_eval.harness.calibration.table import calibrate
    from clipsonic_eval.progress import Bars
    from clipsonic_eval.reporting.calibration import write

    values = as_tree(CalibrateConfig())
    given = {"metrics": list(metrics), "n": list(sizes), "repeats": repeats, "seed": seed}
    values |= {key: value for key, value in given.items() if value not in (None, [])}
    config = resolve(CalibrateConfig, apply_sets(values, sets), where="calibrate intervals")
    results = calibrate(config, out, progress=Bars(), overwrite=overwrite)
    parts = [
        "clipsonic-eval calibrate intervals",
        *(f"--metric {name}" for name in metrics),
        *(f"--n {n}" for n in sizes),
        *([f"--repeats {repeats}"] if repeats is not None else []),
        *([f"--seed {seed}"] if seed is not None else []),
        *(f"--set {shlex.quote(s)}" for s in sets),
    ]
    rows = [as_row(found) for found in results]
    page = write(rows, as_tree(config), out, " ".join(parts))
    if as_json:
        click.echo(json.dumps(rows))
        return
    for found in results:
        click.echo(
            f"{found.metric:32} n {found.n:5}  covered {found.covered.share:6.1%} ({found.within})  "
            f"false alarms {found.alarms.share:5.1%}  power {found.power.share:4.0%}"
        )
    click.echo(f"\n{page}")
