"""The small run that guards the project: two committed models answer 96 prompts and are scored, by the commands.

``python tests/guard/small_run.py`` makes it again and pins it as the baseline ``main`` of ``tests/guard/history``; with
``--compare`` it prints by how much the numbers of this machine differ from the pinned ones.
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import click
from click.testing import CliRunner, Result

from clipsonic_eval.cli import EXIT_SKIPPED, main

HERE = Path(__file__).parent
HISTORY = "history"
_INPUTS = ("models", "prompts.csv", "reference.npz", "gate.yaml", HISTORY)
_SAMPLING = ("guidance=2", "steps=6", "precision=fp32", "device=cpu")
_CLIP = "encoder_weights=models/clip"  # that the two models were trained with
SYSTEMS = {
    "ZS": ("clipsonic.systems:ZeroShot", _CLIP, "model=models/video"),
    "PD": ("clipsonic.systems:PriorGuided", _CLIP, "model=models/video", "prior=models/prior", "prior_guidance=2.0"),
}
FOLDERS = {name: Path("wavs") / name for name in SYSTEMS}


@contextlib.contextmanager
def inputs_in(folder: Path) -> Iterator[None]:
    """Work in a folder that holds what the run needs, so that no path of this machine enters its record."""
    for name in _INPUTS:
        (folder / name).symlink_to(HERE / name)
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def call(*words: str | Path) -> Result:
    """Run a command of clipsonic-eval in this process: starting torch once is most of the time."""
    return CliRunner().invoke(main, [str(word) for word in words])


def done(*words: str | Path) -> None:
    """Run a command that must succeed; it may list clips that it skipped."""
    result = call(*words)
    if result.exit_code not in {0, EXIT_SKIPPED}:
        raise RuntimeError(f"{' '.join(map(str, words))}: exit code {result.exit_code}\n{result.output}")


def sample() -> None:
    """Let every system answer the prompts."""
    for name, (spec, *own) in SYSTEMS.items():
        sets = [word for setting in (*own, *_SAMPLING) for word in ("--set", setting)]
        done("sample", spec, *sets, "--queries", "prompts.csv", "--name", name, "--out", FOLDERS[name])


def evaluate(folders: Mapping[str, Path], out: str) -> None:
    """Score a folder of wavs for each system."""
    systems = [word for name, folder in folders.items() for word in ("--system", f"{name}={folder}")]
    inputs = ("--reference", "reference.npz", "--prompts", "prompts.csv", "--cache", "cache")
    done("evaluate", *inputs, *systems, "--set", "device=cpu", "--out", out)


def make() -> None:
    """Make the run: ``wavs`` and ``run`` in the working folder."""
    sample()
    evaluate(FOLDERS, "run")


def pin() -> None:
    """Make the run and pin it."""
    with tempfile.TemporaryDirectory() as folder, inputs_in(Path(folder)):
        make()
        click.echo(call("history", "pin", "main", "run", "--history", HISTORY).output, nl=False)


def compare() -> None:
    """Make the run and print by how much its numbers differ from the pinned ones, e.g. on another processor."""
    with tempfile.TemporaryDirectory() as folder, inputs_in(Path(folder)):
        make()
        words = ("history", "check", "run", "--history", HISTORY, "--gate", "gate.yaml", "--question", "same weights")
        click.echo(call(*words).output, nl=False)


if __name__ == "__main__":
    compare() if "--compare" in sys.argv[1:] else pin()
