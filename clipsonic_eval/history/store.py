"""The history of a project: run records in a folder that merges by union.

```text
history/
  records/<hash>.json     a record: its own numbers, hashes and names, and the hashes of what it shares with others
  common/<hash>.json      what records share, see :mod:`clipsonic_eval.history.packing`
  clips/<hash>.parquet    values per clip, float32
  pins/<name>.json        a baseline: its name and the records that it stands for
  .cache/                 an index of all scores; may be deleted at any time
```

Files are named by the hash of their content and never rewritten (pins aside), so that two branches, or two jobs, that
each add records merge without conflict, and adding a record twice changes nothing. A record's file is written last:
where it stands, everything that it names stood before it.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from clipsonic_eval import atomic, filenames, records
from clipsonic_eval.errors import UserError, listed
from clipsonic_eval.history import export, index, pins
from clipsonic_eval.history.entries import Entries, Entry
from clipsonic_eval.history.objects import CLIPS, COMMON, RECORDS, Objects
from clipsonic_eval.history.pins import LATEST, Pin
from clipsonic_eval.history.prune import KEEP, Pruned, prune
from clipsonic_eval.progress import SILENT, Progress
from clipsonic_eval.records import RunRecord
from clipsonic_eval.types import Skip

__all__ = ["Added", "Entry", "History"]

if TYPE_CHECKING:
    from pandas import DataFrame

StrPath = str | os.PathLike[str]
SHORT = 12  # digits of a hash that are shown


@dataclass(frozen=True, slots=True)
class Added:
    """What :meth:`History.add` did.

    Attributes:
        hashes: of the records given, in their order, each once.
        new: those that the history did not hold before.
        skipped: paths that could not be added, and why.
    """

    hashes: tuple[str, ...]
    new: tuple[str, ...]
    skipped: tuple[Skip, ...] = ()


class History:
    """The history in a folder.

    Example:
        >>> import clipsonic_eval as ce
        >>> run = ce.evaluate({"PD": "wavs/PD"}, reference="real/", metrics="fad")
        >>> history = History("history")
        >>> history.add(run).new == history.add(run).hashes
        True
        >>> history.pin("released", "latest").name
        'released'
        >>> float(history.read("released")["PD", "fad"]) == float(run["PD", "fad"])
        True
        >>> [entry.kind for entry in history.entries()]
        ['evaluate']
    """

    def __init__(self, folder: StrPath, *, progress: Progress = SILENT) -> None:
        self.folder = Path(folder)
        self._progress = progress
        self._objects = Objects(self.folder)

    def __repr__(self) -> str:
        return f"History('{self.folder}')"

    def add(self, runs: StrPath | RunRecord | Iterable[StrPath | RunRecord]) -> Added:
        """Add records; those that are there already are left as they are.

        Args:
            runs: run folders, record files, folders that hold run folders, glob patterns, or records in memory.

        Raises:
            UserError: none of them can be added, or the folder holds something that is no history.
        """
        given = [runs] if isinstance(runs, str | os.PathLike | RunRecord) else list(runs)
        if not given:
            raise UserError("no runs given; give one or more folders that `evaluate`, `gap` or `bench` wrote")
        self._prepare()
        places, skipped = _places(given)
        known: dict[str, bool] = {}
        for place in self._progress.track(places, label="adding records"):
            try:
                key, is_new = self._write(place)
            except UserError as error:
                skipped.append(Skip(str(place), str(error)))
            else:
                known.setdefault(key, is_new)
        if not known:
            raise UserError("; ".join(skip.reason for skip in skipped))
        return Added(tuple(known), tuple(key for key, is_new in known.items() if is_new), tuple(skipped))

    def _prepare(self) -> None:
        """Refuse a folder of other things, and remove what killed processes left."""
        if self.folder.exists() and not self.folder.is_dir():
            raise UserError(f"{self.folder}: is a file; name a folder for the history")
        parts = {RECORDS, COMMON, CLIPS, pins.PINS}
        held = sorted(p.name for p in self.folder.glob("[!.]*")) if self.folder.exists() else []
        if RECORDS not in held and (others := [name for name in held if name not in parts]):
            raise UserError(f"{self.folder}: is no history, it holds {listed(others)}; name another folder")
        for name in parts.intersection(held):
            atomic.remove_leftovers(self.folder / name)

    def _write(self, place: Path | RunRecord) -> tuple[str, bool]:
        if isinstance(place, RunRecord):
            return self._objects.write(records.as_summary(place), place)
        return self._objects.write(records.read_tree(place), records.read(place))

    def entries(self) -> Entries:
        """Return what the history shows of each record, the oldest first; damaged ones are in ``skipped``.

        Raises:
            UserError: there is no history, or it is empty.
        """
        if not (self.folder / RECORDS).is_dir():
            raise UserError(f"{self.folder}: no history here; `clipsonic-eval history add RUN` begins one")
        found = index.refreshed(self._objects, self._progress)
        if not found and not found.skipped:
            raise UserError(f"{self.folder}: the history is empty; add runs with `clipsonic-eval history add RUN`")
        return found

    def read(self, ref: str) -> RunRecord:
        """Return the one record of a hash (or its first digits), of a pin, or ``latest``.

        Raises:
            UserError: no or several such records, or it is damaged.
        """
        hashes = self.find(ref)
        if len(hashes) > 1:
            raise UserError(
                f"'{ref}' stands for {len(hashes)} records; name one: {listed([h[:SHORT] for h in hashes])}"
            )
        return self._objects.read(hashes[0])

    def resolve(self, ref: str) -> tuple[RunRecord, ...]:
        """Return the records of a hash (or its first digits), of a pin, or ``latest``.

        Raises:
            UserError: no such record, several hashes with these digits, or one is damaged.
        """
        return tuple(map(self._objects.read, self.find(ref)))

    def find(self, ref: str) -> tuple[str, ...]:
        """Return the hashes that a reference stands for, without reading the records.

        Raises:
            UserError: none, or several hashes with these digits.
        """
        if ref == LATEST:
            found = self.entries()
            if not found:
                raise UserError(f"{self.folder}: no record can be read; {found.skipped[0].reason}")
            return (found[-1].hash,)
        known, damaged = pins.read_all(self.folder)
        if ref in known:
            return known[ref].records
        for skip in damaged:
            if skip.key == ref:
                raise UserError(skip.reason)
        hashes = self._hashes(ref)
        if not hashes:
            named = f"its pins are {', '.join(known)}" if known else "it has no pins"
            raise UserError(f"'{ref}': no such record in {self.folder}; {named}, and `history ls` lists its records")
        if len(hashes) > 1:
            shown = listed([h[:SHORT] for h in hashes])
            raise UserError(f"'{ref}' begins the hashes of {len(hashes)} records ({shown}); give more digits")
        return (hashes[0],)

    def _hashes(self, digits: str) -> list[str]:
        if len(digits) < 4 or not set(digits) <= set("0123456789abcdef"):
            return []
        return sorted(path.stem for path in (self.folder / RECORDS).glob(f"{digits}*.json"))

    def pin(self, name: str, runs: str | Sequence[str]) -> Pin:
        """Let a name stand for a baseline: one record, or the training seeds of one recipe.

        Args:
            name: letters, digits, dots and dashes; a name in use then stands for the new records.
            runs: hashes, other pins, ``latest``, or paths of runs, which are added.

        Raises:
            UserError: not a name, no such record, or a run cannot be added.
        """
        pins.require_name(name)
        hashes: list[str] = []
        for ref in [runs] if isinstance(runs, str) else runs:
            hashes += self._added_or_found(ref)
        if not hashes:
            raise UserError(f"{name}: no records given to pin; name hashes, `{LATEST}`, or run folders")
        for key in hashes:
            self._objects.read(key)
        return pins.write(self.folder, name, hashes)

    def _added_or_found(self, ref: str) -> tuple[str, ...]:
        try:
            return self.find(ref)
        except UserError:
            if not Path(ref).exists():
                raise
        added = self.add(ref)
        if added.skipped:
            raise UserError(added.skipped[0].reason)
        return added.hashes

    def pins(self) -> Mapping[str, Pin]:
        """Return the pins by name; damaged ones are left out."""
        return pins.read_all(self.folder)[0]

    def pinned(self) -> dict[str, tuple[str, ...]]:
        """Return the names of the pins of each pinned record."""
        names: dict[str, tuple[str, ...]] = {}
        for pin in self.pins().values():
            names.update({key: (*names.get(key, ()), pin.name) for key in pin.records})
        return names

    def kept_clips(self) -> set[str]:
        """Return the hashes of the values per clip that are here, see :attr:`Entry.clips`."""
        return {path.stem for path in (self.folder / CLIPS).glob("[!.]*.parquet")}

    def prune(self, keep: int = KEEP, *, dry_run: bool = False) -> Pruned:
        """Remove values per clip, except of the pinned and the newest records; scores stay for ever.

        Args:
            keep: number of newest records that keep their values.
            dry_run: only say what would be removed.

        Raises:
            UserError: there is no history, or a pin cannot be read, so that its records might lose their values.
        """
        named, damaged = pins.read_all(self.folder)
        if damaged:
            raise UserError(f"{damaged[0].reason}; until then nothing is removed")
        pinned = {key for pin in named.values() for key in pin.records}
        return prune(self.folder / CLIPS, self.entries(), pinned, keep=keep, dry_run=dry_run)

    def to_frame(self) -> DataFrame:
        """Return one row per score of every record, the oldest first.

        See :func:`clipsonic_eval.history.export.table` for the columns.
        """
        return export.frame(self.entries())


def _places(given: Sequence[StrPath | RunRecord]) -> tuple[list[Path | RunRecord], list[Skip]]:
    """Return the record files and records that were given, each file once, and what holds none."""
    places: dict[object, Path | RunRecord] = {}
    skipped = []
    for one in given:
        if isinstance(one, RunRecord):
            places[id(one)] = one
            continue
        found = record_files(str(one))
        if not found:
            what = f"no {filenames.RECORD} here or below" if Path(one).exists() else "no such run"
            skipped.append(Skip(str(one), f"{one}: {what}; give folders that `evaluate`, `gap` or `bench` wrote"))
        places.update((file.resolve(), file) for file in found)
    return list(places.values()), skipped


def record_files(given: str) -> list[Path]:
    """Return the record files of a run folder, a record file, a folder that holds run folders, or a glob pattern."""
    return [file for path in _expanded(given) for file in _record_files(path)]


def _expanded(text: str) -> list[Path]:
    """Return a path, or what a glob pattern stands for."""
    if Path(text).exists() or not glob.has_magic(text):
        return [Path(text)]
    return sorted(map(Path, glob.glob(text, recursive=True)))  # noqa: PTH207 (an absolute pattern is no Path.glob)


def _record_files(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
    elif (path / filenames.RECORD).exists():
        yield path / filenames.RECORD
    elif path.is_dir():
        found = sorted(path.rglob(filenames.RECORD))
        runs = {
            file.parent for file in found
        }  # what lies below a run is a part of it: a listening test without exclusions
        yield from (file for file in found if runs.isdisjoint(file.parent.parents))
