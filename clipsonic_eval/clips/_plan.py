"""The plan of a preparation: which items make which shard, and the hash by which a finished shard is recognised."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clipsonic_eval import filenames, threads
from clipsonic_eval.clips._members import deal
from clipsonic_eval.clips._shards import ShardFiles
from clipsonic_eval.clips.prepare_config import PrepareConfig
from clipsonic_eval.config import as_tree
from clipsonic_eval.datasets import Listing, SourceItem
from clipsonic_eval.errors import UserError, listed
from clipsonic_eval.files import read_json, write_json
from clipsonic_eval.hashing import config_hash
from clipsonic_eval.progress import Progress
from clipsonic_eval.types import EncoderCard

SCHEMA_VERSION = 3


@dataclass(frozen=True, slots=True)
class PlannedShard:
    """One shard: its number, its items, and the hash of everything that decides its bytes."""

    number: int
    items: tuple[SourceItem, ...]
    hash: str


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that decides what the folder will hold.

    Attributes:
        root: folder that paths are relative to.
        listing: the items, in order.
        config: the settings.
        card: of the image encoder, None for audio alone.
        shards: in order.
        members: the contents of ``members.json``: the order in which items were dealt.
    """

    root: Path
    listing: Listing
    config: PrepareConfig
    card: EncoderCard | None
    shards: tuple[PlannedShard, ...]
    members: dict[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def tree(self) -> dict[str, Any]:
        """What is compared when the command is given again, JSON-serialisable."""
        skipped = [dataclasses.astuple(s) for s in self.listing.skipped]
        return {
            "schema_version": SCHEMA_VERSION,
            "config": self.config.identity(),
            "encoder": as_tree(self.card),
            "n_items": len(self.listing.items),
            "shards": [shard.hash for shard in self.shards],
            "listed_but_skipped": config_hash(skipped),
        }

    @property
    def identity(self) -> dict[str, Any]:
        """The same for a person: what the folder is claimed for."""
        items = f"{len(self.listing.items)}, {config_hash([shard.hash for shard in self.shards])}"
        return {**{k: v for k, v in self.tree.items() if k not in ("n_items", "shards")}, "items": items}


def make_plan(
    root: Path, listing: Listing, config: PrepareConfig, card: EncoderCard | None, out: Path | None = None
) -> Plan:
    """Deal the items to shards and hash settings, encoder, items and the sizes and times of their files.

    Args:
        root: folder that paths are relative to.
        listing: the items.
        config: the settings.
        card: of the image encoder, None for audio alone.
        out: folder of the clips: an item keeps the place that an earlier plan gave it there.
    """
    common = {"schema_version": SCHEMA_VERSION, "config": config.identity(), "encoder": as_tree(card)}
    dealt, members = deal(listing.items, config.shard_size, config_hash(common), out)
    shards = []
    for number, items in enumerate(dealt):
        digest = config_hash({**common, "items": [_identity(item, root) for item in items]})
        shards.append(PlannedShard(number, items, digest))
    return Plan(root, listing, config, card, tuple(shards), members)


def _identity(item: SourceItem, root: Path) -> list[Any]:
    try:
        state = item.path.stat()
        file = [state.st_size, state.st_mtime_ns]
    except OSError:  # decoding it says so
        file = [0, 0]
    rest = [item.start_s, item.duration_s, item.prompt, item.label, item.split]
    more = {"captions": item.captions, "video": item.video, "member": item.member}
    return [item.key, relative_path(item.path, root), *file, *rest, {k: v for k, v in more.items() if v}]


def relative_path(path: Path, root: Path) -> str:
    """Return a path as it is written down: relative to the root where it lies below it."""
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.as_posix()


def place_of(item: SourceItem, root: Path) -> str:
    """Return where an item lies: its file, relative to the root, and its name in it where that is a tar."""
    file = relative_path(item.path, root)
    return file if item.member is None else f"{file}/{item.member.name}"


def claim_output(out: Path, plan: Plan) -> None:
    """Write the plan into its folder.

    Clips that another plan finished are no longer complete: their ``clips.json``, and what describes it, is removed
    before anything else.
    """
    if _read(out / filenames.PLAN) != plan.tree:
        (out / filenames.CLIPS).unlink(missing_ok=True)
        (out / filenames.CROISSANT).unlink(missing_ok=True)
        write_json(out / filenames.MEMBERS, plan.members)
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
            ShardFiles(out, int(path.stem)).remove()


def missing_shards(out: Path, plan: Plan, shards: Iterable[PlannedShard], progress: Progress) -> list[PlannedShard]:
    """Return the shards that must be built; several are hashed at a time."""
    given = list(shards)
    with ThreadPoolExecutor(threads.cores()) as pool:
        done = pool.map(lambda shard: _is_done(out, shard, progress, plan.config.limits), given)
        return [shard for shard, there in zip(given, done, strict=True) if not there]


def _is_done(out: Path, shard: PlannedShard, progress: Progress, limits: list[float]) -> bool:
    """Return whether a shard is there, of this plan, and intact to the byte; a damaged one is reported.

    Items that were over a limit are tried again if a limit is higher now.
    """
    files = ShardFiles(out, shard.number)
    found = files.read()
    if found is None or found.get("hash") != shard.hash:
        return False
    if any(now > then for now, then in zip(limits, found.get("limits", []), strict=False)):
        progress.note(f"{files.arrow}: made again, a limit that {listed(found['over_limit'])} went over is higher now")
        return False
    if files.verified() is None:
        progress.note(f"{files.arrow}: damaged, its bytes do not match their sha256; it is made again")
        return False
    return True
