"""Where the wavs of a record's systems are, and whether they are those that the record was made from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from clipsonic_eval.errors import MediaError, UserError
from clipsonic_eval.harness.audio_sets import AudioItem, system_set
from clipsonic_eval.harness.embedder import hash_of_wavs
from clipsonic_eval.harness.queries import QuerySet, read_queries
from clipsonic_eval.records import RunRecord
from clipsonic_eval.systems.controls import NOISE, REAL, SHUFFLED
from clipsonic_eval.types import Query


@dataclass(frozen=True, slots=True)
class PageSources:
    """The sounds and texts that a page can show.

    Attributes:
        sounds: by system and key; decoded when they are needed.
        queries: by key; without those whose text no file gives.
        missing: a sentence for every system that has no sounds here.
        unchecked: systems whose record holds no hash of their wavs.
    """

    sounds: Mapping[str, Mapping[str, AudioItem]]
    queries: Mapping[str, Query] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    unchecked: tuple[str, ...] = ()


def find_sounds(
    records: Mapping[str, tuple[RunRecord, Path | None]], given: Mapping[str, Path], queries: Path | None
) -> PageSources:
    """Find the sounds of systems.

    A folder of a record is looked for as the record names it, from the working directory. A system whose wavs are not
    those that the record was made from is left out: a page that plays other sounds than were scored misleads.

    Args:
        records: of each system, and the folder that it was read from.
        given: folders by system, in place of those that the records name.
        queries: table of key, prompt and perhaps image; None: the one that the records name, if it is there.

    Raises:
        UserError: a folder is given for a system that has no record, or the given table cannot be read.
    """
    if unknown := sorted(given.keys() - records.keys()):
        raise UserError(
            f"--wavs {unknown[0]}=…: no record has a system of that name; the records have {', '.join(records)}"
        )
    sounds: dict[str, Mapping[str, AudioItem]] = {}
    texts: dict[str, Query] = {}
    missing: list[str] = []
    unchecked: list[str] = []
    for name, (record, folder) in records.items():
        if name == SHUFFLED:
            continue  # the sounds of `real` under other keys
        try:
            found = _of_system(name, record, folder, given.get(name))
        except UserError as error:
            missing.append(str(error))
            continue
        sounds[name] = found.sounds[name]
        texts.update({key: query for key, query in found.queries.items() if key not in texts})
        unchecked += found.unchecked
    table = _table(queries, [record for record, _ in records.values()])
    own = {query.key: query for query in table.queries} if table is not None else {}
    return PageSources(sounds, {**texts, **own}, tuple(missing), tuple(unchecked))


def _of_system(name: str, record: RunRecord, run: Path | None, given: Path | None) -> PageSources:
    """Return the sounds of one system.

    Raises:
        UserError: they are not here, or not those of the record.
    """
    folder = given or _folder(name, record, run)
    if folder is None:
        raise UserError(f"{name}: its record names no folder of wavs; give --wavs {name}=FOLDER")
    if not folder.is_dir():
        raise UserError(f"{name}: no wavs at {folder}; give --wavs {name}=FOLDER")
    scored = {key for s in record.scores if s.system == name for key in (*s.per_clip, *s.influence)}
    listed = system_set(name, folder, scored or None)
    items = {item.key: item for item in listed.items}
    if not items:
        raise UserError(f"{name}: no wav in {folder} has the key of a scored query; give --wavs {name}=FOLDER")
    expected = record.hashes.get(name, {}).get("wavs", "")
    if expected and expected != _digest(items):
        raise UserError(
            f"{name}: the wavs in {folder} are not those that were scored (their hash is not the record's); give "
            f"--wavs {name}=FOLDER, or evaluate again"
        )
    return PageSources({name: items}, listed.queries, (), () if expected else (name,))


def _digest(items: Mapping[str, AudioItem]) -> str:
    digests = {}
    for key, item in items.items():
        try:
            digests[key] = item.digest()
        except MediaError:
            continue  # the evaluation skipped it too, or the hash says that it did not
    return hash_of_wavs(digests)


def _folder(name: str, record: RunRecord, run: Path | None) -> Path | None:
    if name == NOISE:
        return None if run is None else run / "controls" / NOISE
    systems = record.config.get("systems") or {}
    found = record.config.get("real") if name == REAL else systems.get(name)
    return Path(str(found)) if found else None


def _table(given: Path | None, records: Sequence[RunRecord]) -> QuerySet | None:
    """Return the queries of the given table, else of the first table that the records name and that can be read."""
    if given is not None:
        return read_queries(given)
    named = dict.fromkeys(str(r.config["prompts"]) for r in records if r.config.get("prompts"))
    for path in map(Path, named):
        try:
            return read_queries(path)
        except UserError:
            continue
    return None
