"""Orders: what another process or machine must know to build one shard, as a file beside the shards.

A job of ten million videos lists and looks up its files once; who builds a shard reads the order of that shard alone.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

from clipsonic_eval import engines
from clipsonic_eval.clips._build import build_shards, load_image_encoder
from clipsonic_eval.clips._plan import Plan, PlannedShard
from clipsonic_eval.clips._shards import ShardFiles
from clipsonic_eval.clips.prepare_config import PrepareConfig
from clipsonic_eval.config import as_tree, resolve
from clipsonic_eval.datasets import Listing, SourceItem, TarMember
from clipsonic_eval.encoders import Encoder
from clipsonic_eval.errors import UserError
from clipsonic_eval.files import read_json, write_json
from clipsonic_eval.progress import SILENT, Progress
from clipsonic_eval.types import EncoderCard


def build_on_ray(out: Path, plan: Plan, shards: list[PlannedShard], progress: Progress, *, done: int) -> None:
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
    config = plan.config
    orders = (str(_write(out.absolute(), plan, shard)) for shard in shards)
    cpus = max(1, 1 if config.workers is None else config.workers)
    answers = engines.on_ray(build, orders, cpus=cpus, gpus=config.gpus_per_task)
    if not shards:
        return
    for order, _ in progress.track(answers, label="prepare (shards)", total=done + len(shards), done=done):
        Path(order).unlink(missing_ok=True)


def _write(out: Path, plan: Plan, shard: PlannedShard) -> Path:
    config = plan.config
    weights = None if config.encoder_weights is None else str(config.encoder_weights.absolute())
    there = {
        "device": "cuda" if config.gpus_per_task else "cpu",
        "workers": 1 if config.workers is None else config.workers,
        "encoder_weights": weights,
    }
    path = out / "orders" / f"{shard.number:05d}.json"
    order = {
        "root": str(plan.root.absolute()),
        "config": {**as_tree(config), **there},
        "encoder": as_tree(plan.card),
        "number": shard.number,
        "hash": shard.hash,
        "items": [[item.key, str(item.path.absolute()), *_rest(item)] for item in shard.items],
    }
    write_json(path, order)
    return path


def _rest(item: SourceItem) -> list[Any]:
    return [item.start_s, item.duration_s, item.prompt, item.label, item.split, item.video, item.member]


def _item(written: list[Any]) -> SourceItem:
    key, file, start_s, duration_s, prompt, label, split, video, member = written
    lies_in = TarMember(*member) if member else None
    return SourceItem(key, Path(file), start_s, duration_s, prompt, label, split, video=video, member=lies_in)


def build(order: str) -> dict[str, Any]:
    """Build the shard of an order, and return a few words about it.

    Args:
        order: the file.

    Raises:
        UserError: the image encoder has other weights on this machine than where the command was given.
    """
    path = Path(order)
    told = read_json(path)
    config = resolve(PrepareConfig, told["config"])
    card = None if told["encoder"] is None else resolve(EncoderCard, told["encoder"])
    items = tuple(_item(written) for written in told["items"])
    shard = PlannedShard(told["number"], items, told["hash"])
    files = ShardFiles(path.parent.parent, shard.number)
    there = files.verified()
    if there is None or there.get("hash") != shard.hash or there.get("limits"):
        encoder = _encoder(config)
        if encoder is not None and encoder.card != card:
            raise UserError(f"image encoder {config.image_encoder}: other weights here than where prepare was started")
        plan = Plan(Path(told["root"]), Listing(items), config, card, (shard,))
        build_shards(files.folder, plan, [shard], encoder, SILENT, done=0)
        there = files.read()
    return {"shard": shard.number, "clips": there["n_clips"] if there else 0}


@functools.lru_cache(1)
def _encoder(config: PrepareConfig) -> Encoder | None:
    """Return the encoder of the frames, kept for the next order that this process gets."""
    return load_image_encoder(config)
