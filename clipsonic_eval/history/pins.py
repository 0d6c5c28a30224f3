"""Pins of a history: names of baselines, one small file each, so that pins of two branches merge like records."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Final

from clipsonic_eval.errors import UserError
from clipsonic_eval.files import read_json, write_json
from clipsonic_eval.types import Skip

PINS: Final = "pins"
LATEST: Final = "latest"  # stands for the newest record
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_HASH = re.compile(r"[0-9a-f]{4,}")


@dataclass(frozen=True, slots=True)
class Pin:
    """A named baseline.

    Attributes:
        name: of the pin.
        records: hashes; several are the training seeds of one recipe.
        pinned: when, in ISO 8601, UTC.
        replaced: hashes that the name stood for before; empty for a new name.
    """

    name: str
    records: tuple[str, ...]
    pinned: str
    replaced: tuple[str, ...] = ()


def write(folder: Path, name: str, hashes: Sequence[str]) -> Pin:
    """Let a name (see :func:`require_name`) stand for some records of the history in ``folder``."""
    path = folder / PINS / f"{name}.json"
    try:
        before = _read(path).records if path.exists() else ()
    except UserError:  # damaged: the new pin mends it
        before = ()
    records = tuple(dict.fromkeys(hashes))
    now = datetime.now(timezone.utc).isoformat(timespec="seconds")
    pin = Pin(name, records, now, before if before != records else ())
    write_json(path, {"name": name, "records": list(records), "pinned": now, "replaced": list(pin.replaced)})
    return pin


def require_name(name: str) -> None:
    """Raise unless a name may stand for a baseline.

    Raises:
        UserError: not a name of a file, or one that would be taken for a hash.
    """
    if not _NAME.fullmatch(name) or name == LATEST or _HASH.fullmatch(name):
        raise UserError(
            f"'{name}' is no name for a pin: take up to 64 letters, digits, dots and dashes, not '{LATEST}', and not "
            "only digits and a to f, which would be taken for a hash"
        )


def read_all(folder: Path) -> tuple[dict[str, Pin], list[Skip]]:
    """Return the pins of the history in ``folder`` by name, and those that cannot be read, with the reason."""
    pins, skipped = {}, []
    for path in sorted((folder / PINS).glob("[!.]*.json")):
        try:
            pins[path.stem] = _read(path)
        except UserError as error:
            skipped.append(Skip(path.stem, str(error)))
    return pins, skipped


def _read(path: Path) -> Pin:
    tree = read_json(path, fix="pin the name again")
    hashes = tree.get("records") if isinstance(tree, dict) else None
    if not isinstance(hashes, list) or not hashes or not all(isinstance(h, str) for h in hashes):
        raise UserError(f"{path}: names no records, so it was edited or damaged; pin the name again")
    return Pin(path.stem, tuple(hashes), str(tree.get("pinned", "")), tuple(map(str, tree.get("replaced") or ())))
