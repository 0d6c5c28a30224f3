"""The plan of a preparation: which items make which shard, and the hash by which a finished shard is known again."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clipsonic_eval import filenames
from clipsonic_eval.clips._shards import ShardPlace
from clipsonic_eval.clips.config import PrepareConfig
from clipsonic_eval.datasets import Listing, SourceItem
from clipsonic_eval.errors import UserError
from clipsonic_eval.files import read_json, write_json
from clipsonic_eval.hashing import config_hash
from clipsonic_eval.types import EncoderCard

SCHEMA_VERSION = 2


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that decides what the folder will hold.

    Attributes:
        root: folder that paths are given from.
        listing: the items, in order.
        config: the settings.
        card: of the encoder of pictures, None for sound alone.
        hashes: one per shard.
    """

    root: Path
    listing: Listing
    config: PrepareConfig
    card: EncoderCard | None
    hashes: tuple[str, ...]

    @property
    def tree(self) -> dict[str, Any]:
        """What is compared when the command is given again, JSON-serialisable."""
        skipped = [dataclasses.astuple(s) for s in self.listing.skipped]
        return {
            "schema_version": SCHEMA_VERSION,
            "config": self.config.identity(),
            "encoder": card_tree(self.card),
            "n_items": len(self.listing.items),
            "shards": list(self.hashes),
            "listed_but_skipped": config_hash(skipped),
        }

    @property
    def identity(self) -> dict[str, Any]:
        """Return the same for a person: what the folder is claimed for."""
        items = f"{len(self.listing.items)}, {config_hash(list(self.hashes))}"
        return {**{k: v for k, v in self.tree.items() if k not in ("n_items", "shards")}, "items": items}

    def shard_items(self, shard: int) -> range:
        """Return the indices of a shard's items."""
        size = self.config.shard_size
        return range(shard * size, min((shard + 1) * size, len(self.listing.items)))

    def relative(self, path: Path) -> str:
        """Return a path as it is written down: from the root where it lies below it."""
        return _relative(path, self.root)


def make_plan(root: Path, listing: Listing, config: PrepareConfig, card: EncoderCard | None) -> Plan:
    """Deal the items to shards and hash settings, encoder, items and the sizes and times of their files."""
    common = {"schema_version": SCHEMA_VERSION, "config": config.identity(), "encoder": card_tree(card)}
    hashes = []
    for begin in range(0, len(listing.items), config.shard_size):
        part = listing.items[begin : begin + config.shard_size]
        hashes.append(config_hash({**common, "items": [_identity(item, root) for item in part]}))
    return Plan(root, listing, config, card, tuple(hashes))


def card_tree(card: EncoderCard | None) -> dict[str, Any] | None:
    """Return a card as JSON values."""
    return None if card is None else json.loads(json.dumps(dataclasses.asdict(card)))


def _identity(item: SourceItem, root: Path) -> list[Any]:
    try:
        state = item.path.stat()
        file = [state.st_size, state.st_mtime_ns]
    except OSError:  # the worker will say so
        file = [0, 0]
    rest = [item.start_s, item.duration_s, item.prompt, item.label, item.split]
    return [item.key, _relative(item.path, root), *file, *rest]


def _relative(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.as_posix()


def enter(out: Path, plan: Plan) -> None:
    """Write the plan into its folder.

    Clips that another plan finished are no longer whole: its ``clips.json`` goes away before anything else does.
    """
    if _read(out / filenames.PLAN) != plan.tree:
        (out / filenames.CLIPS).unlink(missing_ok=True)
        write_json(out / filenames.PLAN, plan.tree)


def _read(path: Path) -> Any:
    try:
        return read_json(path)
    except UserError:
        return None


def remove_leftovers(out: Path, n_shards: int) -> None:
    """Remove shards of an earlier, longer plan."""
    for path in (out / "shards").glob("*.json"):
        if path.stem.isdigit() and int(path.stem) >= n_shards:
            ShardPlace(out, int(path.stem)).remove()
