"""Orders: what another process or machine must know to build one shard, as a file beside the shards.

A job of ten million videos lists and looks up its files once; who builds a shard reads the order of that shard alone.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from clipsonic_eval.clips._plan import Plan, PlannedShard
from clipsonic_eval.clips.prepare_config import PrepareConfig
from clipsonic_eval.config import as_tree, resolve
from clipsonic_eval.datasets import Listing, Member, SourceItem
from clipsonic_eval.files import read_json, write_json
from clipsonic_eval.types import EncoderCard


def write_order(out: Path, plan: Plan, shard: PlannedShard) -> Path:
    """Write the order of a shard and return its file.

    Args:
        out: folder of the clips.
        plan: of the whole folder.
        shard: one of its shards.
    """
    config = plan.config
    there = {
        "device": "cuda" if config.gpus_per_task else "cpu",
        "workers": 1 if config.workers is None else config.workers,
        "encoder_weights": None if config.encoder_weights is None else str(config.encoder_weights.absolute()),
    }
    path = out.absolute() / "orders" / f"{shard.number:05d}.json"
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
    lies_in = Member(*member) if member else None
    return SourceItem(key, Path(file), start_s, duration_s, prompt, label, split, video=video, member=lies_in)


def read_order(path: Path) -> Plan:
    """Return a plan of the order's shard alone.

    Raises:
        UserError: the file is missing or damaged.
    """
    told = read_json(path)
    items = tuple(_item(written) for written in told["items"])
    card = None if told["encoder"] is None else resolve(EncoderCard, told["encoder"])
    shard = PlannedShard(told["number"], items, told["hash"])
    return Plan(Path(told["root"]), Listing(items), resolve(PrepareConfig, told["config"]), card, (shard,))
