"""Two processes beside one on ``prepare`` and ``sample``, and Ray beside this machine's own processes.

``python tests/benchmarks/processes.py --out reports/scale/processes.md`` writes the page. Processes load what they
need, wait for a signal, and are timed from it until the last one ends; commands on Ray are timed from start to end. Ray
takes part where it is installed.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.ratios import Machine
from unit.systems.tiny_systems import write_model

from clipsonic_eval.clips import PrepareConfig, prepare
from clipsonic_eval.formats import markdown_table
from clipsonic_eval.harness.sample import sample
from clipsonic_eval.harness.sample_shares import Share
from clipsonic_eval.systems import resolve
from clipsonic_eval.toyworld.write import WorldConfig, write_world
from clipsonic_eval.types import Query

_CONFIG = PrepareConfig(duration_s=0.96, workers=0, shard_size=10)
_STEPS, _QUERIES = 25, 256
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "CLIPSONIC_EVAL_THREADS": "1"}
Part = tuple[int, int]


class Timing(NamedTuple):
    """Seconds of one and of two processes, round by round."""

    what: str
    one: list[float]
    two: list[float]

    @property
    def ratio(self) -> float:
        """How many times faster two are, by the best rounds."""
        return min(self.one) / min(self.two)


def _prepare(top: Path, out: Path, part: Part) -> Callable[[], object]:
    first = out.with_name(f"{out.name}-first-{part[0]}")
    first.mkdir()
    shutil.copy(top / "world/videos/videos-000000.mp4", first)
    prepare(first, first.with_name(f"{first.name}-clips"), _CONFIG)  # what a first call alone takes
    return lambda: prepare(top / "world/videos", out, _CONFIG, part=part)


def _sample(top: Path, out: Path, part: Part) -> Callable[[], object]:
    system = resolve("clipsonic.systems:ZeroShot", {"model": str(top / "model"), "steps": _STEPS, "device": "cpu"})
    queries = [Query(f"q{i:04d}", f"a bell, number {i}") for i in range(_QUERIES)]
    sample(system, queries[:2], out.with_name(f"{out.name}-warm-{part[0]}"))
    return lambda: sample(system, Share(queries, part), out)


def _arithmetic(top: Path, out: Path, part: Part) -> Callable[[], object]:
    """Return matrix products that fit into a core's own cache: what they gain is all that the machine can give."""
    rounds, factor = 80_000 // part[1], np.eye(128, dtype=np.float32)

    def work() -> None:
        value = factor
        for _ in range(rounds):
            value = value @ factor

    return work


WORK = {"prepare": _prepare, "sample": _sample, "matrix products alone": _arithmetic}


def together(what: str, top: Path, out: Path, n: int) -> float:
    """Return the seconds that n processes take for a job, from a signal that all wait for."""
    words = [sys.executable, __file__, "--out", str(out), "--work", what, "--top", str(top)]
    environment = {**os.environ, **_ONE_THREAD}
    started = [
        subprocess.Popen(
            [*words, "--part", f"{i + 1}/{n}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        for i in range(n)
    ]
    for process in started:
        _expect(process, "ready")
    before = time.perf_counter()
    for process in started:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in started:
        _expect(process, "done")
    seconds = time.perf_counter() - before
    for process in started:
        process.communicate()
    return seconds


def _expect(process: subprocess.Popen[str], word: str) -> None:
    assert process.stdout is not None
    if process.stdout.readline().strip() != word:
        raise click.ClickException(f"a process ended before it was {word}")


def _serve(what: str, top: Path, out: Path, part: Part) -> None:
    work = WORK[what](top, out, part)
    click.echo("ready")
    sys.stdin.readline()
    work()
    click.echo("done")


def command(top: Path, out: Path, *words: str) -> float:
    """Return the seconds of ``prepare`` as a command, from start to end."""
    before = time.perf_counter()
    settings = ["--set", "duration_s=0.96", "--set", f"shard_size={_CONFIG.shard_size}"]
    subprocess.run(
        [sys.executable, "-m", "clipsonic_eval", "prepare", top / "world/videos", "--out", out, *settings, *words],
        check=True, capture_output=True, env={**os.environ, "RAY_worker_niceness": "0"},
    )  # fmt: skip
    return time.perf_counter() - before


def ray_start() -> float:
    """Return the seconds in which a cluster of this machine starts and ends, without any work."""
    before = time.perf_counter()
    source = "import os, ray; ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False); ray.shutdown()"
    subprocess.run([sys.executable, "-c", source], check=True, capture_output=True)
    return time.perf_counter() - before


@click.command()
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The page.")
@click.option("--videos", default=500, show_default=True, help="Videos of the toy world that are prepared.")
@click.option("--rounds", default=3, show_default=True, help="Of each measurement; the best counts.")
@click.option("--work", type=click.Choice(list(WORK)), hidden=True)
@click.option("--top", type=click.Path(path_type=Path), hidden=True)
@click.option("--part", hidden=True)
def main(out: Path, videos: int, rounds: int, work: str | None, top: Path | None, part: str | None) -> None:
    """Measure and write the page."""
    if work is not None and top is not None and part is not None:
        first, of = part.split("/")
        _serve(work, top, out, (int(first), int(of)))
        return
    machine = Machine.here()
    timings = {what: Timing(what, [], []) for what in WORK}
    local: list[float] = []
    on_ray: list[float] = []
    starts: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        parts = dict.fromkeys(("pictures", "pairs", "val", "test", "reference", "val_reference"), 0)
        write_world(WorldConfig(videos=videos, **parts), place / "world")
        write_model(place / "model", "image")
        for k in range(rounds):
            for what, timing in timings.items():
                timing.one.append(together(what, place, place / f"{what}-one-{k}", 1))
                timing.two.append(together(what, place, place / f"{what}-two-{k}", 2))
            local.append(command(place, place / f"local-{k}", "--workers", "2"))
            if importlib.util.find_spec("ray") is not None:
                starts.append(ray_start())
                on_ray.append(command(place, place / f"ray-{k}", "--engine", "ray", "--workers", "1"))
            click.echo(f"round {k + 1} of {rounds}")
    text = page(
        list(timings.values()), local, on_ray, starts, machine, f"{videos} videos", _command(out, videos, rounds)
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(text, encoding="utf-8")
    click.echo(text)


def _command(out: Path, videos: int, rounds: int) -> str:
    return f"python tests/benchmarks/processes.py --out {out} --videos {videos} --rounds {rounds}"


def page(
    timings: Sequence[Timing],
    local: Sequence[float],
    on_ray: Sequence[float],
    starts: Sequence[float],
    machine: Machine,
    videos: str,
    command_line: str,
) -> str:
    """Return the page as Markdown."""
    rows = [[t.what, _seconds(t.one), _seconds(t.two), f"{t.ratio:.2f}x"] for t in timings]
    lines = [
        "# Two processes beside one, and Ray beside this machine's processes\n",
        f"`{command_line}`\n",
        f"{machine.sentence}\n",
        f"`prepare` of {videos} of the toy world (0.96 s, toy-clip), `sample` of {_QUERIES} queries by an untrained",
        f"network in {_STEPS} steps; shares of one folder (`--shard`), one thread each, from the moment when all have",
        "loaded what they need until the last one has ended. The best round counts; all are shown, in seconds.",
        "Matrix products that fit into a core's cache, without anything of ours, say what a second core gives here.\n",
        markdown_table(["what", "one process", "two processes", "times faster"], rows),
    ]
    if on_ray:
        over = 100 * ((min(on_ray) - min(starts)) / min(local) - 1)
        lines += [
            f"`prepare` of the same videos as a command, from start to end: {_seconds(local)} s with `--workers 2`,",
            f"{_seconds(on_ray)} s with `--engine ray --workers 1` on two cores, of which Ray's own start and end take",
            f"{_seconds(starts)} s. Beyond these, Ray takes {over:+.0f} %.\n",
        ]
    return "\n".join(lines)


def _seconds(values: Sequence[float]) -> str:
    return f"**{min(values):.1f}** ({', '.join(f'{value:.1f}' for value in values)})"


if __name__ == "__main__":
    main()
