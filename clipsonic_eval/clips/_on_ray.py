"""Shards as tasks of Ray: a task gets the name of an order, writes the shard, and answers with a few words."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from clipsonic_eval import engines
from clipsonic_eval.clips._build import build_shards, load_image_encoder
from clipsonic_eval.clips._orders import read_order, write_order
from clipsonic_eval.clips._plan import Plan, PlannedShard
from clipsonic_eval.clips._pool import Decoders
from clipsonic_eval.clips._shards import ShardFiles
from clipsonic_eval.clips.prepare_config import PrepareConfig
from clipsonic_eval.encoders import Encoder
from clipsonic_eval.errors import UserError
from clipsonic_eval.progress import Progress


def build_on_ray(out: Path, plan: Plan, shards: Sequence[PlannedShard], progress: Progress, *, done: int) -> None:
    """Build some shards of a plan as tasks of Ray, one for each.

    Args:
        out: folder of the clips, on a disk that all nodes see at the same path, as are the source and the weights.
        plan: of the whole folder.
        shards: those to build.
        progress: where progress goes, in shards.
        done: shards that are there already.

    Raises:
        UserError: see :func:`clipsonic_eval.engines.on_ray`.
    """
    if not shards:
        return
    orders = (str(write_order(out, plan, shard)) for shard in shards)  # written as they are asked for
    cpus = max(1, plan.config.workers or 1)
    answers = engines.on_ray(build, orders, cpus=cpus, gpus=plan.config.gpus_per_task)
    for order, _ in progress.track(answers, label="prepare (shards)", total=done + len(shards), done=done):
        Path(order).unlink(missing_ok=True)


def build(order: str) -> dict[str, Any]:
    """Build the shard of an order, and return a few words about it.

    Args:
        order: the file, in a folder beside the shards.

    Raises:
        UserError: the image encoder has other weights on this machine than where the command was given.
    """
    plan = read_order(Path(order))
    (shard,), config = plan.shards, plan.config
    files = ShardFiles(Path(order).parent.parent, shard.number)
    there = files.verified()  # Ray may run a task twice
    if there is None or there.get("hash") != shard.hash or there.get("limits"):
        encoder = _encoder(config)
        if encoder is not None and encoder.card != plan.card:
            raise UserError(f"image encoder {config.image_encoder}: other weights here than where prepare was started")
        decoders = _decoders(config.workers or 0, config.item_limit_gib)
        build_shards(files.folder, plan, [shard], encoder, decoders=decoders)
        there = files.read()
    return {"shard": shard.number, "clips": there["n_clips"] if there else 0}


@functools.lru_cache(1)
def _encoder(config: PrepareConfig) -> Encoder | None:
    """Return the encoder of the frames, kept for the next order that this process gets."""
    return load_image_encoder(config)


@functools.lru_cache(1)
def _decoders(workers: int, limit_gib: float) -> Decoders:
    """Return the decoders of this process, which end with it."""
    return Decoders(workers, limit_gib).__enter__()
