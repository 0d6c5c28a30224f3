"""The mark of the toy world: it distinguishes its files, and clips prepared from them, from real data."""

from __future__ import annotations

from pathlib import Path

from clipsonic_eval import filenames
from clipsonic_eval.errors import UserError
from clipsonic_eval.files import read_json

NAME = "toy"  # as on the cards of the encoders that were trained on it
CHECK = "world"  # of the findings here
_ABOVE = 2  # folders above a part of a world, at most


def world_of(place: Path) -> str:
    """Return the name of the world that a folder, or a list in one, is from: ``toy``, or "" without a mark."""
    folder = place if place.is_dir() else place.parent
    prepared = _read(folder / filenames.CLIPS)
    if prepared is not None:
        return str(prepared.get("world", ""))
    above = [folder, *folder.absolute().parents[:_ABOVE]]
    written = any("config_hash" in (_read(one / filenames.WORLD) or {}) for one in above)
    return NAME if written else ""


def _read(path: Path) -> dict[str, object] | None:
    if not path.is_file():
        return None
    try:
        found = read_json(path)
    except (UserError, ValueError):
        return None
    return found if isinstance(found, dict) else None
