"""Memory of a training on two processes, with weights or the optimiser's state divided over them or kept by each.

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
from clipsonic.training import network_cost
from clipsonic.training.config import PriorOptimisation, PriorTrainingConfig
from clipsonic.training.divided import DividedWeights
from clipsonic.training.prior import train_on
from clipsonic.training.sharding import state_bytes
from clipsonic_eval import filenames
from clipsonic_eval.formats import markdown_table

_PROCESSES, _STEPS, _AVERAGES = 2, 8, 3
_SHARDS = ("none", "optimizer", "weights")
_MIB = 2**20


def _pairs() -> Pairs:
    rng = np.random.default_rng(0)
    text, image = (rng.standard_normal((64, D)).astype(np.float32) for _ in range(2))
    text, image = (x / np.linalg.norm(x, axis=-1, keepdims=True) for x in (text, image))
    names = tuple(map(str, range(64)))
    return Pairs(text, image[:, None], names, names, IMAGE_SPACE, "content", "fake")


def _train(out: Path, layers: int, shard: str) -> None:
    """Train a prior with many weights and few operations, as one process of torchrun; write what it took."""
    import torch

    from clipsonic.training import loop
    from clipsonic_eval.bench.memory import PeakMemory, _status

    train = {"steps": _STEPS, "batch_size": 8, "warmup": 1, "log_every": _STEPS, "checkpoint_every": _STEPS}
    train |= {
        "gradient_clip": 1e9,
        "shard": shard,
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
            before = sum(vector.nbytes for vector in _vectors(held))
            network = run.task.module
            found = {
                "parameters": sum(p.numel() for p in network.parameters() if p.requires_grad),
                "gathered": network_cost._gathered(network),
                "held": before + (_status("VmRSS") or 0) - begun[1],
                "peak": before + begun[0].read()["memory_host_above"],
            }
            (out.parent / f"{out.name}-{os.environ['RANK']}.json").write_text(json.dumps(found))

    loop._TrainingRun._take_step = watched  # type: ignore[method-assign, assignment]
    train_on(_pairs(), settings, out)


def _vectors(held: Any) -> list[Any]:
    """Return what is kept for the weights from the start, once each."""
    if isinstance(held, DividedWeights):
        called = [parameter.to_local() for parameter in held._rows_called]
        return [*called, held.own, held.reduced, held.average, held.profiles.averages]
    return [held.values, held.gradient, held.average, held.profiles.averages]


def _measured(folder: Path, layers: int, shard: str) -> dict[str, Any]:
    out = folder / shard
    words = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={_PROCESSES}", __file__]
    words += ["--out", str(out), "--layers", str(layers), "--work", shard]
    # glibc otherwise keeps freed blocks of up to 32 MiB, and as many as came and went together
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MALLOC_MMAP_THRESHOLD_": "131072"}
    subprocess.run(words, check=True, capture_output=True, env=environment)
    ranks = [json.loads((folder / f"{out.name}-{rank}.json").read_text()) for rank in range(_PROCESSES)]
    with (out / filenames.TRAIN_LOG).open(newline="") as stream:
        *_, row = csv.DictReader(stream)
    larger = {what: max(rank[what] for rank in ranks) for what in ranks[0]}
    return {**larger, "loss": row["loss"]}


def page(found: dict[str, dict[str, Any]], command_line: str, machine: Machine) -> str:
    """Return the page as Markdown."""
    n = found["none"]["parameters"]
    rows = []
    for shard, measured in found.items():
        shards, gathered = 1 if shard == "none" else _PROCESSES, measured["gathered"] if shard == "weights" else None
        peak = state_bytes(n, averages=_AVERAGES, shards=shards, gathered=gathered)
        passing = 4 * n if gathered is None else 4 * n // shards + 8 * gathered
        sizes = (measured["held"], peak - passing, measured["peak"], peak)
        numbers = [f"{size / _MIB:.0f}" for size in sizes]
        rows.append([f"`{shard}`", *numbers, measured["loss"]])
    head = ["`train.shard`", "held, MiB", "stated", "peak, MiB", "stated", "loss"]
    lines = [
        "# Memory of a training on two processes\n",
        f"`{command_line}`\n",
        f"{machine.sentence}\n",
        f"A prior of {n / 1e6:.1f} M weights in float32 with `train.ema` and two of `train.ema_lengths` takes {_STEPS}",
        "steps under torchrun, in two processes of one thread; the numbers are those of the larger one. Held: what it",
        "keeps for the weights from step to step. Peak: beside it the network's own gradients, where weights are",
        "divided those that are whole at a time, activations, and what gloo takes for a moment to exchange vectors on",
        "processors; the last two are not counted in what is stated: by",
        "`clipsonic.training.sharding.state_bytes`, as `clipsonic-eval presets --processes 2` prints it. The C library",
        "is told to give freed blocks back (`MALLOC_MMAP_THRESHOLD_=131072`), or what came and went would count as",
        "held. Nothing is clipped, so that the first two take the same steps to the bit.\n",
        markdown_table(head, rows),
        "",
    ]
    return "\n".join(lines)


@click.command()
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The page.")
@click.option("--layers", default=4, show_default=True, help="Of the prior; each has 7.1 M weights.")
@click.option("--work", type=click.Choice(_SHARDS), hidden=True)
def main(out: Path, layers: int, work: str | None) -> None:
    """Measure and write the page."""
    if work is not None:
        _train(out, layers, work)
        return
    machine = Machine.here()
    with tempfile.TemporaryDirectory() as folder:
        found = {shard: _measured(Path(folder), layers, shard) for shard in _SHARDS}
    text = page(found, f"python tests/benchmarks/training_state.py --out {out} --layers {layers}", machine)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(text, encoding="utf-8")
    click.echo(text)


if __name__ == "__main__":
    main()
