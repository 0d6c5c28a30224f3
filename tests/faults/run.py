"""Kill prepare, train, sample, embed and evaluate at random moments, start them again, compare with an undisturbed run.

``python tests/faults/run.py --out reports/faults`` writes ``faults.csv`` and ``README.md`` there and prints them. A
kill is SIGKILL, of the main process alone, of it and all processes below it, or of one child at work. Ray takes part
where it is installed. Rows that a stopped run of the same command left are kept; ``--only`` makes its rows anew.
"""

from __future__ import annotations

import csv
import importlib.util
import random
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import click

sys.path.insert(0, str(Path(__file__).parents[1]))

from faults.cases import CASES, Outcome
from faults.jobs import (
    EMBED,
    EVALUATE,
    PREPARE,
    PREPARE_ON_RAY,
    SAMPLE,
    SAMPLE_BY_TWO,
    TRAIN,
    TRAIN_BY_TWO,
    TRAIN_DIVIDED,
    make_inputs,
)
from faults.kills import Row, kill_job

from clipsonic_eval.formats import markdown_table
from clipsonic_eval.provenance import collect

# a new one at the end: moments and whom are drawn by place
_JOBS = (PREPARE, PREPARE_ON_RAY, TRAIN, TRAIN_BY_TWO, SAMPLE, SAMPLE_BY_TWO, EMBED, EVALUATE, TRAIN_DIVIDED)
_Fault = tuple[str, Callable[[Path], Row]]


def _faults(top: Path, kills: int, seed: int) -> Iterator[_Fault]:
    """Yield the name of each fault and what makes it, given a new folder."""
    for number, job in enumerate(_JOBS):
        if job is not PREPARE_ON_RAY or importlib.util.find_spec("ray") is not None:
            rng = random.Random(seed + number)
            yield f"kill {job.name}", lambda scratch, j=job, r=rng: kill_job(j, top, scratch, kills, r)
    for name, case in CASES.items():
        yield name, lambda scratch, n=name, c=case: _row(n, c(top, scratch))


def _row(name: str, outcome: Outcome) -> Row:
    return Row(name, 0, 0, "", int(outcome.ok is not None), int(bool(outcome.ok)), outcome.text)


@click.command()
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder of faults.csv and README.md.")
@click.option("--kills", default=12, show_default=True, help="Kills of each command.")
@click.option("--seed", default=0, show_default=True, help="Of the moments and of whom is killed.")
@click.option("--only", multiple=True, help="Make only the faults whose name holds this, again; repeatable.")
def main(out: Path, kills: int, seed: int, only: tuple[str, ...]) -> None:
    """Count what faults do to the commands."""
    out.mkdir(parents=True, exist_ok=True)
    command = f"python tests/faults/run.py --out {out} --kills {kills} --seed {seed}"
    rows, commit = _earlier(out, command), str(collect()["commit"])[:7]
    with tempfile.TemporaryDirectory() as folder:
        top = Path(folder)
        faults = list(_faults(top / "inputs", kills, seed))
        order = [f"kill {job.name}" for job in _JOBS] + list(CASES)
        rows = {name: rows[name] for name in order if name in rows}
        for number, (name, make) in enumerate(faults):
            if not any(word in name for word in only) if only else name in rows:
                continue
            if not (top / "inputs").exists():
                make_inputs(top / "inputs")
            row = make(top / f"fault-{number}")
            rows[name] = row._replace(what=row.what.replace(folder, "…"), commit=commit)
            write(out, [rows[name] for name in order if name in rows], command)
            click.echo(_line(rows[name]))
        write(out, [rows[name] for name in order if name in rows], command)
    if any(row.equal < row.runs for row in rows.values()):
        sys.exit(1)


def _line(row: Row) -> str:
    return f"{row.fault}: {row.kills} kills, {row.equal} of {row.runs} runs as they should be. {row.what}".rstrip()


def _earlier(out: Path, command: str) -> dict[str, Row]:
    """Return the rows that this very command has written, by fault."""
    page, table = out / "README.md", out / "faults.csv"
    if not (page.is_file() and table.is_file()) or f"\n{command}\n" not in page.read_text(encoding="utf-8"):
        return {}
    rows = list(csv.reader(table.read_text(encoding="utf-8").splitlines()))[1:]
    read = (Row(row[0], int(row[1]), int(row[2]), row[3], int(row[4]), int(row[5]), *row[6:]) for row in rows)
    return {row.fault: row for row in read}


def write(out: Path, rows: list[Row], command: str) -> None:
    """Write the table as a CSV file and as a page."""
    with (out / "faults.csv").open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream, lineterminator="\n").writerows([Row._fields, *rows])
    total, begun = sum(row.kills for row in rows), sum(row.begun for row in rows)
    cells = [
        (r.fault, str(r.kills or ""), str(r.begun or ""), r.whom, f"{r.equal} of {r.runs}", _cell(r.what), r.commit)
        for r in rows
    ]
    lines = [
        "# Faults\n",
        f"{total} kills (SIGKILL at random moments: of the main process, of it and all below it, or of one child at",
        f"work), {begun} of them after the command had begun to work in its output folder. A signal that met no living",
        "process does not count. After a kill of the main process the command is given again at once, whatever is left",
        "of the killed one. A run is as it should be if it ends with the result of an undisturbed run (bytes of",
        "shards, weights, wavs and vectors; scores and tests of the record), nothing ended with a traceback, and no",
        "process lives on. The other rows are faults to be said or mended.\n",
        "Processes that the commands start:\n",
        *(f"- `{job.name}`: {job.starts or 'none; what it reads, it reads by threads'}" for job in _JOBS),
        f"\n```bash\n{command}\n```\n",
        markdown_table(("fault", "kills", "claimed", "of whom", "as it should be", "what was said", "commit"), cells),
    ]
    if (out / "listening.md").is_file():
        lines.append("The server of the listening test: [listening](listening.md).\n")
    (out / "README.md").write_text("\n".join(lines), encoding="utf-8")


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())


if __name__ == "__main__":
    main()
