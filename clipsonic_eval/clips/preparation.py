"""Videos in, a folder of clips out: sound at one rate and length, and the embeddings of a few frames.

The items are dealt to shards in the order of the listing. A shard is written atomically, with the hash of everything
that it depends on; a job that was killed anywhere is continued by the same command and ends with the same bytes.
Several machines may write into one folder (``part``); the one that finds every shard there finishes it.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from clipsonic_eval import outputs, threads
from clipsonic_eval.clips._findings import summary_of
from clipsonic_eval.clips._finish import finish, read_ledger
from clipsonic_eval.clips._plan import Plan, enter, make_plan
from clipsonic_eval.clips._pool import Decoders, choose_workers
from clipsonic_eval.clips._shards import Row, ShardPlace, ShardWriter
from clipsonic_eval.clips._work import Piece, Result, Task
from clipsonic_eval.clips.config import PrepareConfig
from clipsonic_eval.clips.source import Source
from clipsonic_eval.devices import resolve_device
from clipsonic_eval.encoders import ENCODERS, Encoder
from clipsonic_eval.errors import UserError
from clipsonic_eval.progress import SILENT, Progress
from clipsonic_eval.toyworld import mark
from clipsonic_eval.types import Finding, Skip


@dataclass(frozen=True, slots=True)
class Prepared:
    """What came of a preparation.

    Attributes:
        folder: the folder of clips.
        n_items: items that the source lists.
        skipped: (key, path, reason) of what was left out; of this machine's share while the folder is not finished.
        waiting: shards that are not there yet; 0 if the folder is finished.
        n_clips: clips in the folder; None while it is not finished.
        hours: of sound in it.
        content_hash: of the clips in it.
        findings: what looks wrong with the sound of the clips, one for each kind of fault.
    """

    folder: Path
    n_items: int
    skipped: tuple[tuple[str, str, str], ...]
    waiting: int
    n_clips: int | None = None
    hours: float | None = None
    content_hash: str | None = None
    findings: tuple[Finding, ...] = ()


def prepare(
    source: Source | Path,
    out: Path,
    config: PrepareConfig | None = None,
    *,
    part: tuple[int, int] = (1, 1),
    progress: Progress = SILENT,
    overwrite: bool = False,
) -> Prepared:
    """Prepare the clips of a source, or continue a preparation.

    Args:
        source: a folder, or what else :class:`Source` describes.
        out: folder of the clips; new, empty, or of an earlier call.
        config: settings.
        part: (i, n) makes every n-th shard from the i-th on, i in 1..n, for job arrays.
        progress: where progress goes.
        overwrite: make again what other settings or other files touch of an earlier preparation in ``out``.

    Raises:
        UserError: the source is empty or cannot be read, the encoder takes no pictures, or ``out`` holds other things.
    """
    config = config or PrepareConfig()
    source = source if isinstance(source, Source) else Source(source)
    if not 1 <= part[0] <= part[1]:
        raise UserError(f"part {part[0]}/{part[1]}: the first number counts from 1 to the second")
    listing = source.items()
    for note in listing.notes:
        progress.note(note)
    encoder = _load(config)
    plan = make_plan(source.folder, listing, config, encoder.card if encoder else None)
    with outputs.claim(out, "prepare", plan.identity, overwrite=overwrite, keep=True) as changed:
        if changed:
            progress.note(f"changed: {outputs.listing(changed)}; what this touches is made again")
        enter(out, plan)
        mine = range(part[0] - 1, len(plan.hashes), part[1])
        todo = [s for s in mine if not _is_done(out, plan, s, progress)]
        done = sum(len(plan.shard_items(s)) for s in mine if s not in set(todo))
        _make(out, plan, todo, encoder, progress, done=done)
        return _collect(out, plan, mine, progress)


def _load(config: PrepareConfig) -> Encoder | None:
    if config.image_encoder is None:
        return None
    device = str(resolve_device(config.device))
    encoder: Encoder = ENCODERS[config.image_encoder](config.encoder_weights, device=device)
    if "image" not in encoder.card.modalities:
        raise UserError(
            f"image_encoder {config.image_encoder}: takes {', '.join(encoder.card.modalities)}, no pictures"
        )
    return encoder


def _is_done(out: Path, plan: Plan, shard: int, progress: Progress) -> bool:
    """Tell whether a shard is there, of this plan, and whole to the byte; a damaged one is named."""
    place = ShardPlace(out, shard)
    found = place.read()
    if found is None or found.get("hash") != plan.hashes[shard]:
        return False
    if place.verified() is None:
        progress.note(f"{place.arrow}: damaged, its bytes do not fit their sha256; it is made again")
        return False
    return True


def _collect(out: Path, plan: Plan, mine: Sequence[int], progress: Progress) -> Prepared:
    """Finish the folder if every shard is there, and say what there is."""
    places = [ShardPlace(out, s) for s in range(len(plan.hashes))]
    whole = [s in mine or _is_done(out, plan, s, progress) for s in range(len(places))]
    sidecars = [found for p in places if whole[p.number] and (found := p.read()) is not None]
    n_items = len(plan.listing.items)
    if len(sidecars) < len(places):
        own = [found for s in mine if (found := places[s].read()) is not None]
        rows = [row for sidecar in own for row in sidecar["skipped"]]
        return Prepared(out, n_items, _triples(rows), len(places) - len(sidecars), findings=_findings(plan, own))
    summary = finish(out, plan, sidecars)
    rows = read_ledger(out)
    return Prepared(
        out,
        n_items,
        _triples(rows),
        0,
        summary["n_clips"],
        float(summary["hours"]),
        summary["content_hash"],
        _findings(plan, sidecars),
    )


def _findings(plan: Plan, sidecars: Sequence[dict[str, Any]]) -> tuple[Finding, ...]:
    cards = [plan.card] if plan.card is not None else []
    return (*mark.strangers(cards, [plan.root]), *summary_of(sidecars))


def _triples(rows: Sequence[Sequence[str]]) -> tuple[tuple[str, str, str], ...]:
    return tuple((key, path, reason) for key, path, reason in rows)


def _make(
    out: Path, plan: Plan, shards: Sequence[int], encoder: Encoder | None, progress: Progress, *, done: int
) -> None:
    """Make the shards that are not there."""
    if not shards:
        return
    indices = [i for s in shards for i in plan.shard_items(s)]
    tasks = (Task(i, plan.listing.items[i], plan.config) for i in indices)
    workers = choose_workers(plan.config.workers, len(indices))
    beside = threads.available() - workers if workers > 1 else threads.for_networks()
    with threads.limited(networks=max(1, beside)), Decoders(workers) as decoders:
        results = _counted(decoders.run(tasks), progress, total=done + len(indices), done=done)
        pending: Result | None = None
        for shard in shards:
            with ShardPlace(out, shard).writing(plan.config.n_samples, _image_shape(plan)) as writer:
                making = _Shard(plan, shard, encoder, writer)
                pending = making.fill(results, pending)
            ShardPlace(out, shard).prove(making.sidecar())


def _counted(results: Iterator[Result], progress: Progress, *, total: int, done: int) -> Iterator[Result]:
    """Pass the results on under a bar of items; a long item gives several results."""
    by_item = itertools.groupby(results, key=lambda result: result.index)
    for _, group in progress.track(by_item, label="prepare", total=total, done=done):
        yield from group


def _image_shape(plan: Plan) -> tuple[int, int] | None:
    return (plan.config.n_frames, plan.card.dim) if plan.card else None


class _Shard:
    """A shard in the making."""

    def __init__(self, plan: Plan, number: int, encoder: Encoder | None, writer: ShardWriter) -> None:
        self._plan = plan
        self._number = number
        self._encoder = encoder
        self._writer = writer
        self._waiting: list[tuple[int, Piece]] = []
        self._skipped: list[list[str]] = []
        self._findings: list[list[str]] = []
        self._sounds: dict[str, str] = {}
        self._n_clips = 0
        self._seconds = 0.0

    def fill(self, results: Iterator[Result], first: Result | None) -> Result | None:
        """Take results until one belongs to another shard, and return that one."""
        mine = self._plan.shard_items(self._number)
        result = first if first is not None else next(results, None)
        while result is not None and result.index in mine:
            self._skipped += [self._ledger_row(result.index, skip) for skip in result.skipped]
            for piece in result.pieces:
                self._waiting.append((result.index, piece))
                if len(self._waiting) == self._plan.config.batch_clips:
                    self._flush()
            result = next(results, None)
        self._flush()
        return result

    def _ledger_row(self, index: int, skip: Skip) -> list[str]:
        return [skip.key, self._plan.relative(self._plan.listing.items[index].path), skip.reason]

    def _flush(self) -> None:
        """Embed and write the clips that wait; batches begin anew with each shard, so its bytes never change."""
        pieces = [piece for _, piece in self._waiting]
        k = self._plan.config.n_frames
        images: list[Any] = [None] * len(pieces)
        if self._encoder is not None and pieces:
            vectors = np.asarray(self._encoder.image([p for piece in pieces for p in piece.pictures]), np.float32)
            images = list(vectors.reshape(len(pieces), k, -1))
        rows = []
        for (index, piece), image in zip(self._waiting, images, strict=True):
            item = self._plan.listing.items[index]
            texts = (piece.key, item.key, item.prompt, item.label, item.split)
            rows.append(Row(texts, piece.start_s, piece.valid_s, piece.audio, image))
            self._findings += [[piece.key, f.check, f.severity, f.sentence] for f in piece.findings]
            self._sounds[piece.key] = hashlib.sha256(piece.audio.tobytes()).hexdigest()[:16]
        self._writer.write(rows)
        self._n_clips += len(rows)
        self._seconds += sum(row.valid_s for row in rows)
        self._waiting.clear()

    def sidecar(self) -> dict[str, Any]:
        """Return what proves the shard."""
        return {
            "hash": self._plan.hashes[self._number],
            "n_clips": self._n_clips,
            "seconds": self._seconds,
            "skipped": self._skipped,
            "findings": self._findings,
            "sounds": self._sounds,
        }
