"""Measure cases: each in fresh processes, one after the other, resumed case by case.

Every measurement is a file ``cases/<name>-p<process>.json``, so that an interrupted bench continues where it stopped.
Cases take turns (all cases in a first process each, then all in a second one), so that a machine that gets slower does
so for all of them. A case that fails costs its own row and nothing else.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from clipsonic_eval import outputs, provenance, records
from clipsonic_eval.bench.cases import BenchConfig, Case, cases
from clipsonic_eval.bench.interleave import take_turns
from clipsonic_eval.bench.process import WorkerError, started
from clipsonic_eval.bench.records import Measured, record_of
from clipsonic_eval.config import as_tree, portable
from clipsonic_eval.errors import UserError
from clipsonic_eval.files import read_json, write_json
from clipsonic_eval.hashing import config_hash
from clipsonic_eval.progress import SILENT, Progress
from clipsonic_eval.records import Comparison, RunRecord

_FOLDER = "cases"


def bench(config: BenchConfig, out: Path, *, overwrite: bool = False, progress: Progress = SILENT) -> RunRecord:
    """Measure what systems, encoders and metrics cost, and write ``out/record.json``.

    Args:
        config: what is measured.
        out: the folder; resumed if it holds measurements of the same bench on the same machine.
        overwrite: replace an earlier bench of other settings in the folder; cases that both have are kept.
        progress: shows a bar over the measurements.

    Raises:
        UserError: the folder holds something else, or no case could be measured.
    """
    with outputs.claim(out, "bench", _identity(config), overwrite=overwrite, keep=True):
        began = time.monotonic()
        comparisons: list[Comparison] = []
        if config.interleave:
            both = config_hash([_digest(case, config) for case in cases(config)])
            measured, comparison = take_turns(config, out / _FOLDER / both, progress)
            comparisons = [comparison]
        else:
            measured = _measured(config, out / _FOLDER, progress)
        if not any(one.processes for one in measured):
            raise UserError(f"{out}: nothing could be measured; the first reason: {measured[0].failure}")
        record = record_of(
            config,
            measured,
            seconds=time.monotonic() - began,
            provenance=provenance.collect(),
            comparisons=comparisons,
        )
        records.write(record, out)
    return record


def _identity(config: BenchConfig) -> dict[str, Any]:
    """Return everything that decides the numbers: settings, and the files they name."""
    named = [config.queries, *(value for target in config.targets for value in target.settings.values())]
    return {**portable(as_tree(config)), "files": _states(named)}


def _states(values: Iterable[Any]) -> dict[str, str | None]:
    """Return a text that changes with each file or folder among some values, by name."""
    found = {}
    for value in values:
        with contextlib.suppress(OSError):  # a prompt template is no path
            if isinstance(value, str | Path) and Path(value).exists():
                found[portable(str(value))] = outputs.state_of(Path(value))
    return found


def _measured(config: BenchConfig, folder: Path, progress: Progress) -> list[Measured]:
    found = {i: Measured(case) for i, case in enumerate(cases(config))}
    tasks = [(process, one) for process in range(config.processes) for one in found.values()]
    for process, one in progress.track(tasks, label="bench", total=len(tasks)):
        if one.failure:
            continue  # what failed in one process fails in the next
        path = folder / f"{_digest(one.case, config)}-p{process}.json"
        try:
            one.processes[process] = _resumed(path) or _new(path, one.case, config, process)
        except WorkerError as error:
            one.failure = str(error)
            label = one.case.label(one.case.target.name or one.case.target.spec)
            progress.note(f"{label}: {one.failure.removeprefix(f'{label}: ')}")
    return list(found.values())


def _digest(case: Case, config: BenchConfig) -> str:
    """Return a name that changes with everything that decides the numbers of a case."""
    told = case.request(config, 0)
    return config_hash([told, _states([told["queries"], *told["settings"].values()])])


def _resumed(path: Path) -> dict[str, Any] | None:
    found = read_json(path, fix="remove it and run the same command again") if path.exists() else None
    return found if isinstance(found, dict) else None


def _new(path: Path, case: Case, config: BenchConfig, process: int) -> dict[str, Any]:
    result = measure_in_a_process(case.request(config, process))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, result)
    return result


def measure_in_a_process(request: Mapping[str, Any]) -> dict[str, Any]:
    """Return the measurement of one case in one fresh process.

    Args:
        request: see :meth:`~clipsonic_eval.bench.cases.Case.request`.

    Raises:
        WorkerError: it could not be measured.
    """
    with started() as worker:
        return {**worker.load(request), **worker.ask("measure")}
