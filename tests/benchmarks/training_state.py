"""Memory of a training on two processes, with the optimiser's state divided over them or kept by each.

``python tests/benchmarks/training_state.py --out reports/scale/training_state.md`` writes the page.
"""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import click
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.ratios import Machine
from unit.clipsonic.fakes import IMAGE_SPACE, D

from clipsonic.prior.data import Pairs, PairSource
from clipsonic.prior.network import PriorNetworkConfig
from clipsonic.training.config import PriorOptimisation, PriorTrainingConfig
from clipsonic.training.prior import train_on
from clipsonic.training.sharding import state_bytes
from clipsonic_eval import filenames
from clipsonic_eval.formats import markdown_table

_PROCESSES, _STEPS, _AVERAGES = 2, 8, 3
_MIB = 2**20


def _pairs() -> Pairs:
    rng = np.random.default_rng(0)
    text, image = (rng.standard_normal((64, D)).astype(np.float32) for _ in range(2))
    text, image = (x / np.linalg.norm(x, axis=-1, keepdims=True) for x in (text, image))
    names = tuple(map(str, range(64)))
    return Pairs(text, image[:, None], names, names, IMAGE_SPACE, "content", "fake")


def _train(out: Path, layers: int, *, divided: bool) -> None:
    """Train a prior with many weights and few operations, as one process of torchrun; write what it took."""
    import torch

    from clipsonic.training import loop
    from clipsonic_eval.bench.memory import PeakMemory, _status

    train = {"steps": _STEPS, "batch_size": 8, "warmup": 1, "log_every": _STEPS, "checkpoint_every": _STEPS}
    train |= {
        "gradient_clip": 1e9,
        "shard_optimizer": divided,
        "ema_lengths": [0.05, 0.1],
        "ema_every": _STEPS,
        "validation": 0,
    }
    network = PriorNetworkConfig(heads=12, head_dim=64, layers=layers)
    settings = PriorTrainingConfig(PairSource(images=Path()), network=network, train=PriorOptimisation(**train))
    begun: list[Any] = []
    taken = loop._TrainingRun._take_step

    def watched(run: Any) -> None:
        held = run.weights
        if not begun:  # the network is there, and all that is kept for its weights but the moments
            begun.extend((PeakMemory(torch.device("cpu")), _status("VmRSS") or 0))
        taken(run)
        if run.step == _STEPS:
            vectors = (held.values, held.gradient, held.average, held.profiles.averages)
            before = sum(vector.nbytes for vector in vectors)
            found = {
                "parameters": sum(p.numel() for p in run.task.module.parameters() if p.requires_grad),
                "held": before + (_status("VmRSS") or 0) - begun[1],
                "peak": before + begun[0].read()["memory_host_above"],
            }
            (out.parent / f"{out.name}-{os.environ['RANK']}.json").write_text(json.dumps(found))

    loop._TrainingRun._take_step = watched  # type: ignore[method-assign, assignment]
    train_on(_pairs(), settings, out)


def _measured(folder: Path, layers: int, *, divided: bool) -> dict[str, Any]:
    out = folder / ("divided" if divided else "kept")
    words = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={_PROCESSES}", __file__]
    words += ["--out", str(out), "--layers", str(layers), "--work", "divided" if divided else "kept"]
    subprocess.run(words, check=True, capture_output=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    ranks = [json.loads((folder / f"{out.name}-{rank}.json").read_text()) for rank in range(_PROCESSES)]
    with (out / filenames.TRAIN_LOG).open(newline="") as stream:
        *_, row = csv.DictReader(stream)
    larger = {what: max(rank[what] for rank in ranks) for what in ranks[0]}
    return {**larger, "loss": row["loss"]}


def page(found: dict[bool, dict[str, Any]], command_line: str, machine: Machine) -> str:
    """Return the page as Markdown."""
    n = found[False]["parameters"]
    rows = []
    for divided, measured in found.items():
        peak = state_bytes(n, averages=_AVERAGES, shards=_PROCESSES if divided else 1)
        sizes = (measured["held"], peak - 4 * n, measured["peak"], peak)
        numbers = [f"{size / _MIB:.0f}" for size in sizes]
        rows.append(["divided" if divided else "kept by each", *numbers, measured["loss"]])
    head = ["optimiser's state", "held, MiB", "stated", "peak, MiB", "stated", "loss"]
    lines = [
        "# Memory of a training on two processes\n",
        f"`{command_line}`\n",
        f"{machine.sentence}\n",
        f"A prior of {n / 1e6:.1f} M weights in float32 with `train.ema` and two of `train.ema_lengths` takes {_STEPS}",
        "steps under torchrun, in two processes of one thread; the numbers are those of the larger one. Held: what it",
        "keeps for the weights from step to step. Peak: beside it the network's own gradients, activations, and what",
        "gloo takes for a moment to exchange vectors on processors, which is not counted in what is stated: by",
        "`clipsonic.training.sharding.state_bytes`, as `clipsonic-eval presets --processes 2` prints it. Nothing is",
        "clipped, so that both take the same steps to the bit.\n",
        markdown_table(head, rows),
        "",
    ]
    return "\n".join(lines)


@click.command()
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The page.")
@click.option("--layers", default=4, show_default=True, help="Of the prior; each has 7.1 M weights.")
@click.option("--work", type=click.Choice(["divided", "kept"]), hidden=True)
def main(out: Path, layers: int, work: str | None) -> None:
    """Measure and write the page."""
    if work is not None:
        _train(out, layers, divided=work == "divided")
        return
    machine = Machine.here()
    with tempfile.TemporaryDirectory() as folder:
        found = {divided: _measured(Path(folder), layers, divided=divided) for divided in (False, True)}
    text = page(found, f"python tests/benchmarks/training_state.py --out {out} --layers {layers}", machine)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(text, encoding="utf-8")
    click.echo(text)


if __name__ == "__main__":
    main()
