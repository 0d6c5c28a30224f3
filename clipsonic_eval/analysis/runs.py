"""Run records of a report: where they lie, and what each is called."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from clipsonic_eval import filenames, records
from clipsonic_eval.errors import UserError
from clipsonic_eval.history.store import record_files
from clipsonic_eval.records import RunRecord

BENCH = "bench"
POOLED = "pooled"  # kind of the records in which analysis writes numbers over training seeds


@dataclass(frozen=True, slots=True)
class Run:
    """One record and where it was read.

    Attributes:
        name: unique within the report.
        folder: may hold ``examples.npz`` and ``projection.npz`` next to the record; None for a record in memory.
        record: scores and comparisons.
    """

    name: str
    folder: Path | None
    record: RunRecord

    def tag(self, key: str) -> str:
        """Return a tag, "" where the record has none of that name."""
        return str(self.record.tags.get(key, ""))


def find(given: Iterable[str | os.PathLike[str] | RunRecord]) -> list[Run]:
    """Read run records; a folder that holds none itself is searched for run folders.

    Args:
        given: run folders, record files, folders that hold run folders, or records in memory.

    Raises:
        UserError: a path does not exist, holds no record, or a record cannot be read.
    """
    places: dict[object, Path | RunRecord] = {}
    for one in given:
        if isinstance(one, RunRecord):
            places[id(one)] = one
        else:
            places.update({file.resolve(): file for file in _record_files(Path(one))})
    if not places:
        raise UserError("no runs given; give one or more folders that `evaluate`, `gap` or `bench` wrote")
    names = _unique_names(list(places.values()))
    return [
        Run(name, None, one) if isinstance(one, RunRecord) else Run(name, one.parent, records.read(one))
        for name, one in zip(names, places.values(), strict=True)
    ]


def _record_files(path: Path) -> list[Path]:
    if not path.exists():
        raise UserError(f"{path}: no such run; give folders that `evaluate`, `gap` or `bench` wrote")
    found = record_files(str(path))
    if not found:
        raise UserError(
            f"{path}: no {filenames.RECORD} here or below; give folders that `evaluate`, `gap` or `bench` wrote"
        )
    return found


def _unique_names(places: Sequence[Path | RunRecord]) -> list[str]:
    """Return the folder's name of each record; parent folders and numbers tell equal ones apart."""

    def name(place: Path | RunRecord) -> str:
        if isinstance(place, RunRecord):
            return "-".join([place.kind, *(str(v).replace("/", "-") for v in place.tags.values())])
        return place.parent.name if place.name == filenames.RECORD else place.stem

    count = Counter(map(name, places))
    seen: Counter[str] = Counter()
    result = []
    for place in places:
        short = name(place)
        long = short if count[short] == 1 or isinstance(place, RunRecord) else f"{place.parent.parent.name}-{short}"
        seen[long] += 1
        result.append(long if seen[long] == 1 else f"{long}-{seen[long]}")
    return result
