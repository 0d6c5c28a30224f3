"""Which items make which shard: once dealt, an item keeps its place, so that files added later leave full shards alone.

``members.json`` beside the plan holds the keys in the order in which they were first dealt, and the hash of the
settings for which they were. New items follow in the order of the listing; the place of one that is gone stays empty.
Where none is left, all is dealt anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from clipsonic_eval import filenames
from clipsonic_eval.datasets import SourceItem
from clipsonic_eval.errors import UserError
from clipsonic_eval.files import read_json


def deal(
    items: Sequence[SourceItem], size: int, settings: str, out: Path | None
) -> tuple[list[tuple[SourceItem, ...]], dict[str, Any]]:
    """Deal items to shards.

    Args:
        items: as the source lists them.
        size: items per shard.
        settings: hash of what makes all clips of a folder anew.
        out: folder of the clips, perhaps with the order of an earlier call.

    Returns:
        (the items of each shard that has any, what ``members.json`` shall hold).
    """
    earlier = _read(out, settings)
    by_key = {item.key: item for item in items}
    known = any(key in by_key for key in earlier)
    if not known or len(by_key) < len(items):  # a key that is there twice is refused when the shards are joined
        places: list[SourceItem | None] = [*items]
        keys = [item.key for item in items]
    else:
        places = [by_key.pop(key, None) for key in earlier]
        places += by_key.values()
        keys = [*earlier, *by_key]
    dealt = (tuple(filter(None, places[begin : begin + size])) for begin in range(0, len(places), size))
    return [shard for shard in dealt if shard], {"settings": settings, "keys": keys}


def _read(out: Path | None, settings: str) -> list[str]:
    """Return the keys of an earlier call with these settings; none where the file is missing or damaged."""
    if out is None:
        return []
    try:
        found = read_json(out / filenames.MEMBERS)
        keys = found["keys"] if found["settings"] == settings else []
    except (UserError, KeyError, TypeError):
        return []
    return keys if isinstance(keys, list) and all(isinstance(key, str) for key in keys) else []
