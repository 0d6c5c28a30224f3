"""What a clip costs in each stage of a large job, by regression over sets of several sizes, and what millions would.

``python tests/benchmarks/scale.py --out reports/scale --sizes 100,1000,10000`` writes ``scale.csv`` and ``README.md``.
Videos are those of the toy world, so decoding and embedding are cheaper than those of real ones; listing, planning,
resuming, joining, opening and reading are not. Sets that an earlier run has measured in the folder are kept.
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
from collections.abc import Callable
from pathlib import Path

import click
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.scale_page import Cost, page

from clipsonic_eval import filenames
from clipsonic_eval.clips import ClipStore, PrepareConfig, Source, prepare
from clipsonic_eval.clips._plan import make_plan
from clipsonic_eval.harness.fill_cache import EmbedConfig, fill_cache
from clipsonic_eval.toyworld.write import WorldConfig, write_world

_CONFIG = PrepareConfig(duration_s=0.96, workers=0, shard_size=256)
_LOOK_S = 0.005  # between two looks at the memory of a stage


def _plan(top: Path) -> None:
    source = Source(top / "world/videos")
    make_plan(source.folder, source.items(), _CONFIG, None)


def _prepare(top: Path) -> None:
    prepare(top / "world/videos", top / "clips", _CONFIG)


def _join(top: Path) -> None:
    (top / "clips" / filenames.CLIPS).unlink()
    _prepare(top)


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
    "verify (prepare again)": _prepare,
    "verify and join": _join,
    "open": _open,
    "read in random order": _read,
    "embed": _embed,
    "embed again (cache)": _embed,
}


def measured(stage: str, top: Path, n: int) -> Cost:
    """Run a stage in a process of its own and return what it took."""
    words = [sys.executable, __file__, "--stage", stage, "--top", str(top), "--sizes", str(n), "--out", str(top)]
    process = subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    peak = 0.0
    while process.poll() is None:
        peak = max(peak, private_mib(process.pid))
        time.sleep(_LOOK_S)
    said, wrong = process.communicate()
    if process.returncode:
        raise click.ClickException(f"{stage}: {wrong.strip().splitlines()[-1]}")
    kept = sum(path.stat().st_size for name in ("clips", "cache") for path in (top / name).rglob("*.*"))
    return Cost(stage, n, **json.loads(said.splitlines()[-1]), private_mib=peak, kept_mib=kept / 2**20)


def private_mib(pid: int) -> float:
    """Return the memory of a process that no file backs: pages of mapped files can be given up at any time."""
    try:
        for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
            if line.startswith("RssAnon:"):
                return int(line.split()[1]) / 2**10
    except OSError:
        pass
    return 0.0


def _run_stage(stage: str, top: Path) -> None:
    before, cpu, disk = time.perf_counter(), _cpu_s(), _disk()
    STAGES[stage](top)
    seconds = time.perf_counter() - before
    read, written = (after - b for after, b in zip(_disk(), disk, strict=True))
    cost = {"seconds": seconds, "cpu_s": _cpu_s() - cpu, "read_mib": read / 2**20, "written_mib": written / 2**20}
    click.echo(json.dumps(cost))


def _cpu_s() -> float:
    found = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in found)


def _disk() -> tuple[int, int]:
    """Return bytes read and written by calls of this process, pages of mapped files left out."""
    text = Path("/proc/self/io").read_text(encoding="ascii")
    counts = dict(line.split(": ") for line in text.splitlines())
    return int(counts["rchar"]), int(counts["wchar"])


def _earlier(table: Path, sizes: list[int]) -> list[Cost]:
    """Return the costs of sets of these sizes that were measured already."""
    if not table.is_file():
        return []
    rows = list(csv.reader(table.read_text(encoding="utf-8").splitlines()))[1:]
    costs = [Cost(row[0], int(row[1]), *map(float, row[2:])) for row in rows]
    return [cost for cost in costs if cost.n in sizes]


@click.command()
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder of scale.csv and README.md.")
@click.option("--sizes", default="100,1000,10000", show_default=True, help="Numbers of videos.")
@click.option("--repeats", default=3, show_default=True, help="Sets of each size but those above 1000.")
@click.option("--stage", hidden=True)
@click.option("--top", type=click.Path(path_type=Path), hidden=True)
def main(out: Path, sizes: str, repeats: int, stage: str | None, top: Path | None) -> None:
    """Measure, fit and write the page."""
    if stage is not None and top is not None:
        _run_stage(stage, top)
        return
    command = f"python tests/benchmarks/scale.py --out {out} --sizes {sizes} --repeats {repeats}"
    out.mkdir(parents=True, exist_ok=True)
    numbers = sorted(int(size) for size in sizes.split(","))
    costs = _earlier(out / "scale.csv", numbers)
    for n in numbers:
        there = sum(cost.n == n for cost in costs) // len(STAGES)
        for repeat in range(there, 1 if n > 1000 else repeats):
            costs += _set(n, repeat)
            click.echo(f"{n} videos: {sum(cost.seconds for cost in costs[-len(STAGES) :]):.1f} s")
            with (out / "scale.csv").open("w", newline="", encoding="utf-8") as stream:
                csv.writer(stream, lineterminator="\n").writerows([Cost._fields, *costs])
            (out / "README.md").write_text(page(costs, command), encoding="utf-8")
    (out / "README.md").write_text(page(costs, command), encoding="utf-8")
    click.echo((out / "README.md").read_text(encoding="utf-8"))


def _set(n: int, seed: int) -> list[Cost]:
    """Make a world of some videos and take it through all stages."""
    with tempfile.TemporaryDirectory() as folder:
        parts = dict.fromkeys(("pictures", "pairs", "val", "test", "reference", "val_reference"), 0)
        write_world(WorldConfig(videos=n, seed=seed, **parts), Path(folder) / "world")
        return [measured(stage, Path(folder), n) for stage in STAGES]


if __name__ == "__main__":
    main()
