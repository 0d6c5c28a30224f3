"""What a clip costs in each stage of a large job, by regression over sets of several sizes, and what millions would.

``python tests/benchmarks/scale.py --out reports/scale --sizes 100,1000,10000`` writes ``scale.csv`` and ``README.md``.
Videos are those of the toy world, so decoding and embedding are cheaper than those of real ones; listing, planning,
resuming, joining, opening and reading are not.
"""

from __future__ import annotations

import csv
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np
from scipy.stats import t as student

from clipsonic_eval.clips import ClipStore, PrepareConfig, Source, prepare
from clipsonic_eval.clips._plan import make_plan
from clipsonic_eval.formats import markdown_table
from clipsonic_eval.harness.fill_cache import EmbedConfig, fill_cache
from clipsonic_eval.toyworld.write import WorldConfig, write_world

_CONFIG = PrepareConfig(duration_s=0.96, workers=0, shard_size=256)
_WIDE = (200_000, 10_000_000)
_UNITS = ("seconds", "cpu_s", "rss_mib", "read_mib", "written_mib")


class Cost(NamedTuple):
    """What one stage took in a process of its own, for ``n`` clips."""

    stage: str
    n: int
    seconds: float
    cpu_s: float
    rss_mib: float
    read_mib: float
    written_mib: float


class Slope(NamedTuple):
    """A cost as a line over the number of clips: per clip, half the width of its 95 % interval, and at the start."""

    per_clip: float
    half: float
    fixed: float

    def at(self, n: float) -> float:
        """Return the cost of ``n`` clips."""
        return max(0.0, self.fixed) + max(0.0, self.per_clip) * n


def fit(n: Sequence[float], y: Sequence[float]) -> Slope:
    """Fit y = a + b n by least squares of relative errors, with a Student interval of b on (points - 2) degrees.

    Args:
        n: (k,) numbers of clips, at least two of them different.
        y: (k,) costs.
    """
    x, values = np.asarray(n, np.float64), np.asarray(y, np.float64)
    weights = 1 / x  # the error of a cost grows with the cost
    design = np.stack([np.ones_like(x), x], axis=1) * weights[:, None]
    solution, *_ = np.linalg.lstsq(design, values * weights, rcond=None)
    free = len(x) - 2
    residual = values * weights - design @ solution
    if free == 0:
        return Slope(float(solution[1]), float("nan"), float(solution[0]))
    # Var(b) = s² [(XᵀX)⁻¹]₂₂ of the weighted design
    variance = float(residual @ residual) / free * np.linalg.inv(design.T @ design)[1, 1]
    half = float(student.ppf(0.975, free) * np.sqrt(variance))
    return Slope(float(solution[1]), half, float(solution[0]))


def _plan(top: Path) -> None:
    source = Source(top / "world/videos")
    make_plan(source.folder, source.items(), _CONFIG, None)


def _prepare(top: Path) -> None:
    prepare(top / "world/videos", top / "clips", _CONFIG)


def _open(top: Path) -> None:
    ClipStore.open(top / "clips")


def _read(top: Path) -> None:
    store = ClipStore.open(top / "clips")
    rows = np.random.default_rng(0).permutation(len(store))
    for begin in range(0, len(rows), 64):
        store.audio(rows[begin : begin + 64])


def _embed(top: Path) -> None:
    fill_cache(EmbedConfig((top / "clips",), ("toy-audio",), cache=top / "cache", workers=1))


STAGES: dict[str, Callable[[Path], None]] = {
    "list and plan": _plan,
    "prepare": _prepare,
    "prepare again (verify)": _prepare,
    "open": _open,
    "read in random order": _read,
    "embed": _embed,
    "embed again (cache)": _embed,
}


def measured(stage: str, top: Path, n: int) -> Cost:
    """Run a stage in a process of its own and return what it took."""
    words = [sys.executable, __file__, "--stage", stage, "--top", str(top), "--sizes", str(n), "--out", str(top)]
    done = subprocess.run(
        words, capture_output=True, text=True, check=False, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    if done.returncode:
        raise click.ClickException(f"{stage}: {done.stderr.strip().splitlines()[-1]}")
    return Cost(**json.loads(done.stdout.splitlines()[-1]))


def _run_stage(stage: str, top: Path, n: int) -> None:
    before, cpu, disk = time.perf_counter(), _cpu_s(), _disk()
    STAGES[stage](top)
    read, written = (after - b for after, b in zip(_disk(), disk, strict=True))
    peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) / 2**10
    cost = Cost(stage, n, time.perf_counter() - before, _cpu_s() - cpu, peak, read / 2**20, written / 2**20)
    click.echo(json.dumps(cost._asdict()))


def _cpu_s() -> float:
    found = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in found)


def _disk() -> tuple[int, int]:
    """Return bytes read and written by calls of this process, pages of mapped files left out."""
    text = Path("/proc/self/io").read_text(encoding="ascii")
    counts = dict(line.split(": ") for line in text.splitlines())
    return int(counts["rchar"]), int(counts["wchar"])


@click.command()
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder of scale.csv and README.md.")
@click.option("--sizes", default="100,1000,10000", show_default=True, help="Numbers of videos.")
@click.option("--repeats", default=3, show_default=True, help="Sets of each size but the largest.")
@click.option("--stage", hidden=True)
@click.option("--top", type=click.Path(path_type=Path), hidden=True)
def main(out: Path, sizes: str, repeats: int, stage: str | None, top: Path | None) -> None:
    """Measure, fit and write the page."""
    numbers = sorted(int(size) for size in sizes.split(","))
    if stage is not None and top is not None:
        _run_stage(stage, top, numbers[0])
        return
    costs: list[Cost] = []
    for n in numbers:
        for repeat in range(1 if n == numbers[-1] and n > 1000 else repeats):
            with tempfile.TemporaryDirectory() as folder:
                parts = dict.fromkeys(("pictures", "pairs", "val", "test", "reference", "val_reference"), 0)
                write_world(WorldConfig(videos=n, seed=repeat, **parts), Path(folder) / "world")
                costs += [measured(stage, Path(folder), n) for stage in STAGES]
            click.echo(f"{n} videos: {sum(cost.seconds for cost in costs[-len(STAGES) :]):.1f} s")
    out.mkdir(parents=True, exist_ok=True)
    with (out / "scale.csv").open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream, lineterminator="\n").writerows([Cost._fields, *costs])
    page = text(costs, f"python tests/benchmarks/scale.py --out {out} --sizes {sizes} --repeats {repeats}")
    (out / "README.md").write_text(page, encoding="utf-8")
    click.echo(page)


def slopes(costs: Sequence[Cost]) -> dict[tuple[str, str], Slope]:
    """Return the line of every cost of every stage."""
    found = {}
    for stage in STAGES:
        mine = [cost for cost in costs if cost.stage == stage]
        for unit in _UNITS:
            found[stage, unit] = fit([cost.n for cost in mine], [getattr(cost, unit) for cost in mine])
    return found


def text(costs: Sequence[Cost], command: str) -> str:
    """Return the page: slopes, what they come to at large sizes, the bottleneck, and a plan."""
    lines = slopes(costs)
    per_clip = [
        [stage, *(_with_half(lines[stage, unit], 1e3 if unit.endswith(("s", "seconds")) else 2**10) for unit in _UNITS)]
        for stage in STAGES
    ]
    head = ["stage", "ms", "CPU ms", "peak KiB", "KiB read", "KiB written"]
    sizes = sorted({cost.n for cost in costs})
    whole = [[stage, *(_large(lines, stage, n) for n in _WIDE)] for stage in STAGES]
    worst = max(STAGES, key=lambda stage: lines[stage, "cpu_s"].per_clip)
    largest = max(STAGES, key=lambda stage: lines[stage, "rss_mib"].per_clip)
    hours = lines[worst, "cpu_s"].at(_WIDE[-1]) / 3600
    memory = lines[largest, "rss_mib"].at(_WIDE[-1]) / 2**10
    large = f"{_WIDE[-1]:,} clips"
    return "\n".join(
        [
            "# What a large job costs\n",
            f"`{command}`\n",
            f"Sets of {', '.join(map(str, sizes))} videos of the toy world (0.96 s, 3 frames, toy-clip), one process",
            "and one thread for each stage. Slope per clip ± half of its 95 % interval (least squares of relative",
            "errors):\n",
            markdown_table(head, per_clip),
            "Extrapolated along the lines: processor hours, and the memory of the one process.\n",
            markdown_table(["stage", *(f"{n:,} clips" for n in _WIDE)], whole),
            f"The bottleneck in time is *{worst}*: {hours:.1f} processor hours at {large}, which shards deal out",
            f"(`--shard`, `--engine ray`): {hours / 64:.2f} h on 64 cores. The bottleneck in memory is *{largest}*:",
            f"{memory:.1f} GiB in one process at {large}. Real videos are dearer to decode and CLIP ViT-L/14 dearer to",
            "run than the toy world's: prepare a hundred of your own before planning.",
            "",
        ]
    )


def _with_half(slope: Slope, factor: float) -> str:
    return f"{slope.per_clip * factor:.3g} ± {slope.half * factor:.2g}"


def _large(lines: dict[tuple[str, str], Slope], stage: str, n: int) -> str:
    return f"{lines[stage, 'cpu_s'].at(n) / 3600:.2g} h, {lines[stage, 'rss_mib'].at(n) / 2**10:.2g} GiB"


if __name__ == "__main__":
    main()
