"""Sample: a system and queries in, a folder of wavs out.

``<out>/<key>.wav`` (mono, 32-bit float), ``samples.csv``, ``system.json`` (the system's card), and ``skipped.csv`` if
queries were left out. A job that was killed goes on where it was, with the same result: every query has a seed of its
own, ``seeds.derive(seed, key, "sample")``.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from clipsonic_eval import filenames, hashing, outputs, seeds, threads
from clipsonic_eval.arraytypes import Float32
from clipsonic_eval.errors import MediaError, UserError
from clipsonic_eval.files import read_csv, write_csv, write_json
from clipsonic_eval.harness.queries import check_keys
from clipsonic_eval.media.audio import write_wav
from clipsonic_eval.progress import SILENT, Progress
from clipsonic_eval.systems import System
from clipsonic_eval.types import Query, Skip

_COLUMNS = ("key", "file", "prompt", "label", "seed", "sha256", "query")
_WRITE_EVERY_S = 5.0


@dataclass(frozen=True, slots=True)
class SampleSettings:
    """How a job runs.

    Attributes:
        seed: of the job; every query derives its own.
        batch_size: queries handed to the system at once; the sounds do not depend on it.
        overwrite: replace the samples of another system, setting or seed in the folder, instead of refusing.
        name: what tables call the system; None: its own name.
    """

    seed: int = 0
    batch_size: int = 32
    overwrite: bool = False
    name: str | None = None


@dataclass(frozen=True, slots=True)
class SampleResult:
    """What a job came to.

    Attributes:
        out: the folder.
        name: of the system.
        n: queries of this job that have a wav now.
        resumed: of these, the ones that an earlier run had made.
        skipped: the others, with the reason.
        seconds: spent.
    """

    out: Path
    name: str
    n: int
    resumed: int
    skipped: tuple[Skip, ...]
    seconds: float


def sample(
    system: System,
    queries: Sequence[Query],
    out: Path,
    settings: SampleSettings | None = None,
    *,
    unread: Sequence[Skip] = (),
    progress: Progress = SILENT,
) -> SampleResult:
    """Let a system answer queries, and write what it says.

    Args:
        system: see :mod:`clipsonic_eval.systems`.
        queries: with unique keys.
        out: the folder; made if missing, continued if it holds samples of the same system, settings and seed.
        settings: how.
        unread: rows of the queries' table that could not be used; they join the list of skipped ones.
        progress: told of every query.

    Raises:
        UserError: the folder holds samples of something else, keys are not unique, or the system breaks its contract.
    """
    settings = settings or SampleSettings()
    if settings.batch_size < 1:
        raise UserError(f"batch size must be at least 1, got {settings.batch_size}")
    started = time.monotonic()
    check_keys(queries)
    card = card_of(system, settings)
    identity = {key: value for key, value in card.items() if key != "name"}
    with outputs.claim(out, "sample", identity, overwrite=settings.overwrite):
        job = _Job(system, out, settings, card, skipped=list(unread))
        todo = [query for query in queries if not job.has(query)]
        resumed = len(queries) - len(todo)
        number = threads.for_networks() if todo else 1
        try:
            # a system of somebody else's may be made of NumPy alone, so its linear algebra gets as many
            with threads.limited(matrices=number, networks=number):
                for _ in progress.track(job.work(todo), label=job.name, total=len(queries), done=resumed):
                    job.write_table(every_s=_WRITE_EVERY_S)
        finally:
            job.write_table()
        job.write_skipped()
    n = len(queries) - (len(job.skipped) - len(unread))
    return SampleResult(out, job.name, n, resumed, tuple(job.skipped), time.monotonic() - started)


@dataclass(slots=True)
class _Job:
    """One folder being filled."""

    system: System
    out: Path
    settings: SampleSettings
    card: Mapping[str, Any]
    rows: dict[str, dict[str, str]] = field(default_factory=dict)
    skipped: list[Skip] = field(default_factory=list)
    written: float = 0.0

    def __post_init__(self) -> None:
        self.rows = _read_rows(self.out / filenames.SAMPLES)
        write_json(self.out / filenames.SYSTEM, self.card)
        self.written = time.monotonic()

    @property
    def name(self) -> str:
        return self.settings.name or self.system.name

    def has(self, query: Query) -> bool:
        """Return whether an earlier run made this very sound, and it is still there unchanged."""
        row = self.rows.get(query.key)
        if row is None or row["seed"] != str(self.seed_of(query)) or row["query"] != _fingerprint(query):
            return False
        path = self.out / row["file"]
        return path.is_file() and hashing.file_sha256(path) == row["sha256"]

    def seed_of(self, query: Query) -> int:
        return seeds.derive(self.settings.seed, query.key, "sample")

    def work(self, queries: Sequence[Query]) -> Iterator[str]:
        """Answer queries batch by batch; yield each key when it is dealt with."""
        for start in range(0, len(queries), self.settings.batch_size):
            batch = queries[start : start + self.settings.batch_size]
            for query, samples in self._answers(batch):
                if isinstance(samples, Skip):
                    self._forget(samples)
                else:
                    self._write(query, samples)
                yield query.key

    def _answers(self, batch: Sequence[Query]) -> Iterator[tuple[Query, Float32 | Skip]]:
        try:
            sounds = self._generate(batch)
        except UserError as error:
            if len(batch) == 1:
                yield batch[0], Skip(batch[0].key, str(error))
                return
            for query in batch:  # one query spoils its batch; find it
                yield from self._answers([query])
            return
        for query, sound in zip(batch, sounds, strict=True):
            yield query, _checked(query, sound)

    def _generate(self, batch: Sequence[Query]) -> list[Any]:
        sounds = list(self.system.generate(batch, [self.seed_of(query) for query in batch]))
        if len(sounds) != len(batch):
            raise UserError(
                f"system '{self.name}' gave {len(sounds)} sounds for {len(batch)} queries; "
                "generate(queries, seeds) must return one for each"
            )
        return sounds

    def _write(self, query: Query, samples: Float32) -> None:
        path = self.out / f"{query.key}.wav"
        write_wav(path, samples, self.system.sample_rate)
        self.rows[query.key] = {
            "key": query.key,
            "file": path.name,
            "prompt": query.prompt,
            "label": query.label or "",
            "seed": str(self.seed_of(query)),
            "sha256": hashing.file_sha256(path),
            "query": _fingerprint(query),
        }

    def _forget(self, skip: Skip) -> None:
        self.skipped.append(skip)
        stale = self.rows.pop(skip.key, None)
        if stale is not None:  # of another prompt or picture: not an answer to this query
            (self.out / stale["file"]).unlink(missing_ok=True)

    def write_table(self, *, every_s: float = 0.0) -> None:
        """Write ``samples.csv``, but not again within ``every_s`` seconds."""
        if time.monotonic() - self.written >= every_s:
            write_csv(self.out / filenames.SAMPLES, _COLUMNS, [self.rows[key] for key in sorted(self.rows)])
            self.written = time.monotonic()

    def write_skipped(self) -> None:
        """Write ``skipped.csv``, or remove an old one."""
        path = self.out / filenames.SKIPPED
        path.unlink(missing_ok=True)
        if self.skipped:
            write_csv(path, ("key", "reason"), [(s.key, s.reason) for s in self.skipped])


def card_of(system: System, settings: SampleSettings) -> dict[str, Any]:
    """Return what ``system.json`` holds: the system's card with name, rate, seed and a hash of all but the name.

    Raises:
        UserError: the card is not JSON-serialisable.
    """
    own = {k: v for k, v in dict(system.card()).items() if k != "name"}
    body = {"sample_rate": int(system.sample_rate), "seed": settings.seed, **own}
    try:
        body = json.loads(json.dumps(body, allow_nan=False))  # as it will be read again
        digest = hashing.config_hash(body)
    except (TypeError, ValueError) as error:
        raise UserError(f"card() of system '{system.name}' must hold JSON values only ({error})") from None
    return {"name": settings.name or system.name, **body, "card_hash": digest}


def _fingerprint(query: Query) -> str:
    """Return 12 hex digits that change with the prompt or with the bytes of the picture."""
    picture = ""
    if query.image is not None and query.image.is_file():
        picture = hashing.file_sha256(query.image)
    return hashing.config_hash([query.prompt, picture])


def _checked(query: Query, sound: Any) -> Float32 | Skip:
    """Return the sound as (n,) float32, or why it cannot be one."""
    array = np.asarray(sound)
    if array.ndim != 1 or array.size == 0 or not np.issubdtype(array.dtype, np.floating):
        return Skip(query.key, f"the system gave {array.dtype} {array.shape} instead of floating-point samples (n,)")
    if not np.isfinite(array).all():
        return Skip(query.key, f"the system gave {int((~np.isfinite(array)).sum())} samples that are not finite")
    return array.astype(np.float32, copy=False)


def _read_rows(path: Path) -> dict[str, dict[str, str]]:
    if not path.exists():
        return {}
    rows = read_csv(path, MediaError, fix="remove the folder and sample again")
    return {row["key"]: {c: row[c] for c in _COLUMNS} for row in rows if row.keys() >= set(_COLUMNS)}
