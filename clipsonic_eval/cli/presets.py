"""``clipsonic-eval presets``: the configurations of trainings that come with the packages, and what they cost."""

from __future__ import annotations

import json
from typing import Any

import click

from clipsonic_eval.cli._options import json_option


@click.command("presets")
@click.argument("names", metavar="[PRESET]...", nargs=-1)
@click.option("--duration-s", default=4.0, help="Length of the clips, seconds.")
@click.option("--processes", type=click.IntRange(1), default=1, show_default=True, help="Of torchrun, for the memory.")
@json_option()
def command(names: tuple[str, ...], duration_s: float, processes: int, as_json: bool) -> None:
    r"""List the configurations that `train` knows by name, with weights and operations of their networks.

    PRESET may also be a YAML file of your own. Operations are counted by torch's FlopCounterMode: a multiplication
    and an addition are two. State: what each process holds in training for weights, gradients, optimiser and averages;
    activations come on top.

    \b
    clipsonic-eval presets
    clipsonic-eval train vggsound --set clips=clips/train --out models/vggsound
    """
    from pathlib import Path

    from clipsonic_eval.locate import locate
    from clipsonic_eval.presets import presets, read_training

    cost = locate("clipsonic.training.network_cost:network_cost")
    counted = locate("clipsonic.training.network_cost:COUNTED", fits=lambda _: True)
    trees = {name: read_training(Path(name)) for name in names or sorted(presets())}
    others = [name for name, tree in trees.items() if not names and tree.get("trainer") not in counted]
    found = {
        name: {**cost(tree, duration_s=duration_s, processes=processes)._asdict(), **_run(tree)}
        for name, tree in trees.items()
        if name not in others
    }
    click.echo(json.dumps({**found, **dict.fromkeys(others)}) if as_json else _table(found))
    if others and not as_json:
        click.echo(f"not counted: {', '.join(others)}")


def _run(tree: dict[str, Any]) -> dict[str, Any]:
    train = tree.get("train", {})
    return {key: train.get(key) for key in ("batch_size", "steps")}


def _table(found: dict[str, dict[str, Any]]) -> str:
    head = (
        "preset",
        "network",
        "weights, M",
        "forward, GFLOP",
        "training item, GFLOP",
        "batch",
        "steps",
        "run, EFLOP",
        "state, GB",
    )
    rows = [
        (
            name,
            cost["network"],
            f"{cost['parameters'] / 1e6:.2f}",
            _rounded(cost["forward"] / 1e9),
            _rounded(cost["training"] / 1e9),
            str(cost["batch_size"] or ""),
            str(cost["steps"] or ""),
            _rounded(cost["run"] / 1e18),
            _rounded(cost["state_bytes"] / 1e9),
        )
        for name, cost in found.items()
    ]
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    lines = [
        "  ".join(
            cell.ljust(w) if i < 2 else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True))
        )
        for row in (head, *rows)
    ]
    return "\n".join(line.rstrip() for line in lines)


def _rounded(value: float) -> str:
    """Return three significant digits without an exponent."""
    import numpy as np

    return np.format_float_positional(value, precision=3, fractional=False, trim="-")
