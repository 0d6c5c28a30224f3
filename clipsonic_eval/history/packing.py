"""Records made small: what repeats from record to record is stored once, under the hash of its content.

A record is mostly structure: names, units, signatures, cards. From one commit or checkpoint to the next only its
numbers, hashes and paths change. So each part of a record (``scores``, ``systems``, …) is split into a *skeleton*, the
part with :data:`HOLE` in place of every such value, and the list of these values in the order of the text. Skeletons
are shared; a record keeps the hashes of its skeletons and its own values. The split knows nothing of the schema of
records, so that it serves every kind and version of them.

Hashes are taken over canonical JSON, so that another formatting of a file (a hook, other line ends) is no damage.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

FORMAT: Final = 1  # of a packed record
HOLE: Final = "%"  # in a skeleton, in place of a value
_PLAIN: Final = ("kind", "tags", "schema_version")  # stay as they are
_WHOLE: Final = ("hashes",)  # of wavs and embeddings: equal from run to run while nothing moved, so shared as they are
_SMALL: Final = 120  # characters: a part this short is cheaper than the hash of its skeleton
_SAME: Final = 12  # characters: a string at least this long that comes again is written as [position of the first]
_OWN = re.compile(  # hashes, times, paths, numbers, cards of encoders
    r"[0-9a-f]{8,}|\d{4}-\d\d-\d\dT.*|[^|\s]*[/\\][^|\s]*|\d+(\.\d+)?|[^|\s]+\+[0-9a-f]{8}"
)

Tree = dict[str, Any]


def canonical(tree: Any) -> str:
    """Return the one JSON text of a tree: keys sorted, no blanks, floats with the digits that read back exactly.

    Raises:
        ValueError: a number is NaN or infinite.
    """
    return json.dumps(tree, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def content_hash(tree: Any) -> str:
    """Return the first 32 hex digits of the SHA-256 of the canonical JSON of a tree.

    Example:
        >>> content_hash({"a": 1, "b": 2}) == content_hash({"b": 2, "a": 1})
        True
    """
    return hashlib.sha256(canonical(tree).encode("utf-8", "surrogatepass")).hexdigest()[:32]


def pack(tree: Mapping[str, Any]) -> tuple[Tree, dict[str, Any]]:
    """Return a record without what it may share, and the skeletons that it names by their hash.

    A part is ``[hash of its skeleton, values]``, or ``{"plain": part}`` where that is no longer.

    Args:
        tree: of a record, of any version of the schema, without values per clip.
    """
    packed: Tree = {"format": FORMAT}
    common = {}
    for name, part in tree.items():
        if name in _PLAIN or len(canonical(part)) <= _SMALL:
            packed[name] = {"plain": part}
            continue
        values: list[Any] = []
        skeleton = part if name in _WHOLE and HOLE not in canonical(part) else _emptied(part, values)
        key = content_hash(skeleton)
        common[key] = skeleton
        packed[name] = [key, _without_repeats(values)]
    return packed, common


def unpack(packed: Mapping[str, Any], common: Callable[[str], Any]) -> Tree:
    """Return the record that was packed.

    Args:
        packed: from :func:`pack`.
        common: returns a skeleton by its hash.

    Raises:
        KeyError, ValueError, TypeError: not a packed record.

    Example:
        >>> packed, common = pack({"kind": "evaluate", "scores": [{"value": 0.25, "unit": "cosine"}] * 5})
        >>> packed["scores"][1]
        [0.25, 0.25, 0.25, 0.25, 0.25]
        >>> unpack(packed, common.get)["scores"][4]
        {'unit': 'cosine', 'value': 0.25}
    """
    tree = {}
    for name, part in packed.items():
        if name == "format":
            continue
        if isinstance(part, dict):
            tree[name] = part["plain"]
            continue
        key, own = part
        values = iter(_with_repeats(own))
        tree[name] = _filled(common(key), values)
        if next(values, None) is not None:
            raise ValueError(f"{name} has more values than places")
    return tree


def _emptied(tree: Any, values: list[Any]) -> Any:
    if isinstance(tree, Mapping):
        return {key: _emptied(value, values) for key, value in sorted(tree.items())}
    if isinstance(tree, list | tuple):
        return [_emptied(value, values) for value in tree]
    own = tree == HOLE or _OWN.fullmatch(tree) if isinstance(tree, str) else isinstance(tree, int | float)
    if not own or isinstance(tree, bool):
        return tree
    values.append(tree)
    return HOLE


def _filled(skeleton: Any, values: Iterator[Any]) -> Any:
    if isinstance(skeleton, dict):
        return {key: _filled(value, values) for key, value in sorted(skeleton.items())}
    if isinstance(skeleton, list):
        return [_filled(value, values) for value in skeleton]
    return _next(values) if skeleton == HOLE else skeleton


def _next(values: Iterator[Any]) -> Any:
    try:
        return next(values)
    except StopIteration:
        raise ValueError("fewer values than places") from None


def _without_repeats(values: list[Any]) -> list[Any]:
    """Write a long string that came before as ``[position]``."""
    first: dict[str, int] = {}
    return [
        [first[value]] if isinstance(value, str) and len(value) >= _SAME and first.setdefault(value, i) != i else value
        for i, value in enumerate(values)
    ]


def _with_repeats(values: list[Any]) -> list[Any]:
    return [values[value[0]] if isinstance(value, list) else value for value in values]
