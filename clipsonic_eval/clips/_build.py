"""Builds shards: decoded clips come in, their frames are embedded, audio and embeddings are written."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from clipsonic_eval import heap, threads
from clipsonic_eval.clips._decoding import Decoded, DecodedClip, DecodeTask
from clipsonic_eval.clips._plan import Plan, PlannedShard, place_of
from clipsonic_eval.clips._pool import Decoders, choose_workers
from clipsonic_eval.clips._shards import ShardFiles, ShardWriter, StoredClip
from clipsonic_eval.clips.prepare_config import PrepareConfig
from clipsonic_eval.datasets import SourceItem
from clipsonic_eval.devices import resolve_device
from clipsonic_eval.encoders import Encoder, image_square, load_encoder
from clipsonic_eval.errors import UserError
from clipsonic_eval.progress import SILENT, Progress


def load_image_encoder(config: PrepareConfig) -> Encoder | None:
    """Load the encoder of the frames; None where none is configured.

    Raises:
        UserError: it takes no images, or its weights are missing.
    """
    if config.image_encoder is None:
        return None
    device = str(resolve_device(config.device))
    encoder = load_encoder(config.image_encoder, config.encoder_weights, device=device)
    if "image" not in encoder.card.modalities:
        raise UserError(f"image_encoder {config.image_encoder}: takes {', '.join(encoder.card.modalities)}, no images")
    return encoder


def build_shards(
    out: Path,
    plan: Plan,
    shards: Sequence[PlannedShard],
    encoder: Encoder | None,
    progress: Progress = SILENT,
    *,
    done: int = 0,
    decoders: Decoders | None = None,
) -> None:
    """Build some shards of a plan.

    Args:
        out: folder of the clips.
        plan: of the whole folder.
        shards: those to build.
        encoder: of the frames; None: audio alone.
        progress: where progress goes.
        done: items of this process's share whose shards are there already.
        decoders: that are running already; None: started for these shards, as many as pay.
    """
    if not shards:
        return
    heap.keep_freed()
    square = image_square(encoder) if encoder is not None else None
    tasks = [DecodeTask(shard.number, item, plan.config, 0, square) for shard in shards for item in shard.items]
    workers = choose_workers(plan.config.workers, len(tasks), len(plan.listing.items))
    for_encoder = threads.available() - workers if workers > 1 else threads.for_networks()
    started = contextlib.nullcontext(decoders) if decoders else Decoders(workers, plan.config.item_limit_gib)
    with threads.limited(networks=max(1, for_encoder)), started as running:
        decoded = _with_progress(running.run(tasks), progress, total=done + len(tasks), done=done)
        by_shard = itertools.groupby(decoded, key=lambda pair: pair[0].shard)  # every item gives a result
        for shard, (_, of_shard) in zip(shards, by_shard, strict=True):
            files = ShardFiles(out, shard.number)
            with files.writing(plan.config.n_samples, _embedding_shape(plan)) as writer:
                builder = _ShardBuilder(plan, encoder, writer)
                for task, result in of_shard:
                    builder.add(task.item, result)
                builder.flush()
            files.commit({"hash": shard.hash, **builder.summary()})


def _with_progress(
    decoded: Iterator[tuple[DecodeTask, Decoded]], progress: Progress, *, total: int, done: int
) -> Iterator[tuple[DecodeTask, Decoded]]:
    """Pass results on under a progress bar of items; a long item gives several results."""
    by_item = itertools.groupby(decoded, key=lambda pair: pair[0].item.key)
    for _, group in progress.track(by_item, label="prepare", total=total, done=done):
        yield from group


def _embedding_shape(plan: Plan) -> tuple[int, int] | None:
    return (plan.config.n_frames, plan.card.dim) if plan.card else None


class _ShardBuilder:
    """Collects the clips of one shard, and embeds and writes them in batches."""

    def __init__(self, plan: Plan, encoder: Encoder | None, writer: ShardWriter) -> None:
        self._plan = plan
        self._encoder = encoder
        self._writer = writer
        self._waiting: list[tuple[SourceItem, DecodedClip]] = []
        self._skipped: list[list[str]] = []
        self._findings: list[list[str]] = []
        self._sounds: dict[str, str] = {}
        self._videos: dict[str, list[str | None]] = {}
        self._over_limit: list[str] = []
        self._n_clips = 0
        self._seconds = 0.0

    def add(self, item: SourceItem, decoded: Decoded) -> None:
        """Take the clips of an item, or of a part of it."""
        path = place_of(item, self._plan.root)
        self._skipped += [[skip.key, path, skip.reason] for skip in decoded.skipped]
        self._over_limit += [item.key] if decoded.over_limit else []
        for clip in decoded.clips:
            self._waiting.append((item, clip))
            if len(self._waiting) == self._plan.config.batch_clips:
                self.flush()

    def flush(self) -> None:
        """Embed and write the clips that wait; batches begin anew with each shard, so its bytes never change."""
        stored = []
        for (item, clip), image in zip(self._waiting, self._embedded(), strict=True):
            texts = (clip.key, item.key, item.prompt, item.label, item.split)
            stored.append(StoredClip(texts, clip.start_s, clip.valid_s, clip.audio, image))
            self._findings += [[clip.key, f.check, f.severity, f.sentence] for f in clip.findings]
            self._videos[clip.key] = [item.video or f"./{place_of(item, self._plan.root)}", item.split]
            self._sounds[clip.key] = hashlib.sha256(clip.audio.tobytes()).hexdigest()[:16]
        self._writer.write(stored)
        self._n_clips += len(stored)
        self._seconds += sum(clip.valid_s for clip in stored)
        self._waiting.clear()

    def _embedded(self) -> list[Any]:
        """Return the embeddings of each waiting clip's frames, (k, d) float32, or None for audio alone."""
        if self._encoder is None or not self._waiting:
            return [None] * len(self._waiting)
        frames = [frame for _, clip in self._waiting for frame in clip.frames]
        vectors = np.asarray(self._encoder.image(frames), np.float32)
        return list(vectors.reshape(len(self._waiting), self._plan.config.n_frames, -1))

    def summary(self) -> dict[str, Any]:
        """Return what the shard's sidecar says of its clips, JSON-serialisable."""
        return {
            "n_clips": self._n_clips,
            "seconds": self._seconds,
            "skipped": self._skipped,
            "findings": self._findings,
            "sounds": self._sounds,
            "videos": self._videos,
            "over_limit": self._over_limit,
            "limits": self._plan.config.limits if self._over_limit else [],
        }
