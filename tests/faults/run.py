"""Kill prepare, train, sample and evaluate at random moments, start them again, and compare with an undisturbed run.

``python tests/faults/run.py --out reports/faults`` writes ``faults.csv`` and ``README.md`` there and prints them. A
kill is SIGKILL, of the main process alone, of its whole group, or of one of its children. Ray takes part where it is
installed.
"""

from __future__ import annotations

import contextlib
import csv
import importlib.util
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import click

sys.path.insert(0, str(Path(__file__).parent))

from cases import CASES
from jobs import EVALUATE, PREPARE, PREPARE_ON_RAY, SAMPLE, TRAIN, Job, make_inputs, start

_COLUMNS = ("fault", "kills", "runs", "equal", "what")


class Row(NamedTuple):
    """A row of the table: kills that met a living process, completed runs, and how many of these gave the same."""

    fault: str
    kills: int
    runs: int
    equal: int
    what: str


def kill_job(job: Job, inputs: Path, scratch: Path, kills: int, rng: random.Random) -> Row:
    """Disturb a command until it was killed so many times, a few times in each of several runs."""
    took, wanted = _undisturbed(job, inputs, scratch / "undisturbed")
    done = runs = equal = 0
    while done < kills:
        out = scratch / f"run-{runs}/out"
        out.parent.mkdir(parents=True)
        here = min(kills - done, rng.randint(1, 4))
        while here and _killed(job, inputs, out, rng.uniform(0.1, 1.0) * took, rng):
            here -= 1
            done += 1
        process = start(job, inputs, out)
        said = process.communicate()[1].strip()
        if process.returncode:
            words = f"a run did not end well after its kills: {said[-200:]}"
            return Row(f"kill {job.name}", done, runs + 1, equal, words)
        runs += 1
        equal += job.result(out) == wanted
        shutil.rmtree(out.parent)
    return Row(f"kill {job.name}", done, runs, equal, "")


def _undisturbed(job: Job, inputs: Path, scratch: Path) -> tuple[float, dict[str, str]]:
    scratch.mkdir(parents=True)
    began = time.monotonic()
    process = start(job, inputs, scratch / "out")
    said = process.communicate()[1]
    if process.returncode:
        raise click.ClickException(f"{job.name} without any fault ended with {process.returncode}: {said[-500:]}")
    return time.monotonic() - began, job.result(scratch / "out")


def _killed(job: Job, inputs: Path, out: Path, after_s: float, rng: random.Random) -> bool:
    """Start a command and kill it, or a part of it, after a while; False where it had ended by then."""
    process = start(job, inputs, out)
    time.sleep(after_s)
    whom = rng.choice(["main", "group", "child"])
    children = _children(process.pid)
    if process.poll() is not None:
        process.communicate()
        return False
    if whom == "child" and children:
        with contextlib.suppress(ProcessLookupError):
            os.kill(rng.choice(children), signal.SIGKILL)
        process.communicate()  # it goes on without that child, or says that the same command continues
        return True
    if whom == "group":
        os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.communicate()
    return True


def _children(pid: int) -> list[int]:
    """Return the processes below a process that have none below them."""
    parents: dict[int, int] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError, IndexError, ValueError):
                parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
    below, found = [pid], []
    while below:
        mine = [child for child, parent in parents.items() if parent in below]
        found += [child for child in mine if child not in parents.values()]
        below = mine
    return found


@click.command()
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder of faults.csv and README.md.")
@click.option("--kills", default=12, show_default=True, help="Kills of each command.")
@click.option("--seed", default=0, show_default=True, help="Of the moments and of whom is killed.")
@click.option("--only", multiple=True, help="Only the faults whose name holds this; repeatable.")
def main(out: Path, kills: int, seed: int, only: tuple[str, ...]) -> None:
    """Count what faults do to the commands."""
    jobs = [PREPARE, TRAIN, SAMPLE, EVALUATE]
    if importlib.util.find_spec("ray") is not None:
        jobs.insert(1, PREPARE_ON_RAY)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        top = Path(folder)
        make_inputs(top / "inputs")
        for number, job in enumerate(jobs):
            if not only or any(word in f"kill {job.name}" for word in only):
                rows.append(kill_job(job, top / "inputs", top / f"job-{number}", kills, random.Random(seed + number)))
                click.echo(_line(rows[-1]))
        for number, case in enumerate(CASES):
            if not only or any(word in case.__name__.replace("_", " ") for word in only):
                name, ok, text = case(top / "inputs", top / f"case-{number}")
                rows.append(Row(name, 0, int(ok is not None), int(bool(ok)), text.replace(folder, "…")))
                click.echo(_line(rows[-1]))
    chosen = "".join(f" --only '{word}'" for word in only)
    write(out, rows, f"python tests/faults/run.py --out {out} --kills {kills} --seed {seed}{chosen}")
    if any(row.equal < row.runs for row in rows):
        sys.exit(1)


def _line(row: Row) -> str:
    return f"{row.fault}: {row.kills} kills, {row.equal} of {row.runs} runs as they should be. {row.what}".rstrip()


def write(out: Path, rows: list[Row], command: str) -> None:
    """Write the table as a CSV file and as a page."""
    out.mkdir(parents=True, exist_ok=True)
    with (out / "faults.csv").open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream, lineterminator="\n").writerows([_COLUMNS, *rows])
    cells: list[tuple[Any, ...]] = [(r.fault, r.kills or "", f"{r.equal} of {r.runs}", r.what) for r in rows]
    total = sum(row.kills for row in rows)
    lines = [
        "# Faults\n",
        f"{total} kills (SIGKILL at random moments: of the main process, its group, or one of its children). A run is",
        "as it should be if the same command, given again, ends with the result of an undisturbed run: bytes of",
        "shards, weights and wavs, scores and tests of the record. The other rows are faults to be said or mended.\n",
        f"```bash\n{command}\n```\n",
        "| fault | kills | as it should be | what was said |",
        "|---|---|---|---|",
        *("| " + " | ".join(str(cell).replace("|", "\\|") for cell in row) + " |" for row in cells),
    ]
    (out / "README.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
