"""Content hashes: of files, of folders of weights, and of resolved configurations."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from clipsonic_eval.errors import UserError
from clipsonic_eval.files import open_regular, read_text

SUMS: Final = "SHA256SUMS"
_LINE = re.compile(r"([0-9a-f]{64})  (.+)")


def file_sha256(path: Path, error: type[UserError] = UserError) -> str:
    """Return the SHA-256 of a file's bytes in hex.

    Raises:
        UserError: (as ``error``) not a regular file (see :mod:`clipsonic_eval.files`), or not readable.
    """
    with open_regular(path, error, empty=True) as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def folder_sha256(folder: Path, pattern: str = "*") -> str:
    """Return one hash over the files of a folder (sorted relative names and contents)."""
    digest = hashlib.sha256()
    for path in sorted(p for p in folder.rglob(pattern) if p.is_file()):
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0")
        digest.update(file_sha256(path).encode())
    return digest.hexdigest()


def config_hash(value: Any) -> str:
    """Return the first 12 hex digits of the SHA-256 of a JSON-serialisable configuration (key order ignored).

    Example:
        >>> config_hash({"a": 1, "b": 2}) == config_hash({"b": 2, "a": 1})
        True
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def write_sums(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """Write the SHA-256 of some files of a folder to its ``SHA256SUMS``, in the format of ``sha256sum -c``.

    Args:
        folder: the folder, not yet in use.
        names: of the files, relative.

    Returns:
        The hashes by name.
    """
    sums = {name: file_sha256(folder / name) for name in names}
    (folder / SUMS).write_text("".join(f"{digest}  {name}\n" for name, digest in sums.items()), encoding="utf-8")
    return sums


def check_sums(folder: Path, names: Iterable[str], error: type[UserError], *, fix: str) -> dict[str, str]:
    """Check files against the folder's ``SHA256SUMS``.

    Args:
        folder: written with :func:`write_sums`.
        names: of the files that must be listed there, relative.
        error: class of the exception.
        fix: what to do about a damaged folder, as the end of a sentence.

    Returns:
        The hashes by name.

    Raises:
        UserError: (as ``error``) a file is missing, not listed, or has other bytes.
    """
    lines = read_text(folder / SUMS, error, fix=fix).splitlines()
    parsed = [_LINE.fullmatch(line) for line in lines]
    listed = {found.group(2): found.group(1) for found in parsed if found}
    sums = {}
    for name in names:
        if name not in listed:
            raise error(f"{folder / SUMS}: does not list {name}; {fix}")
        sums[name] = file_sha256(folder / name, error)
        if sums[name] != listed[name]:
            raise error(
                f"{folder / name}: its SHA-256 is {sums[name][:12]}…, but {SUMS} names {listed[name][:12]}…; the file "
                f"is damaged or was changed, {fix}"
            )
    return sums


def seal(tree: Mapping[str, Any]) -> dict[str, Any]:
    """Return a JSON tree with an additional key ``sha256``, which :func:`unsealed` checks against the rest.

    Example:
        >>> unsealed(seal({"n": 1}))
        {'n': 1}
    """
    return {**tree, "sha256": _tree_sha256(tree)}


def unsealed(tree: Any) -> dict[str, Any]:
    """Return the tree that was sealed, without the hash.

    Raises:
        ValueError: not a mapping with a hash, or its values have changed since.
    """
    if not isinstance(tree, dict) or not isinstance(tree.get("sha256"), str):
        raise ValueError("its key sha256 is missing")
    rest = {key: value for key, value in tree.items() if key != "sha256"}
    if _tree_sha256(rest) != tree["sha256"]:
        raise ValueError("its values do not match its sha256")
    return rest


def _tree_sha256(tree: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(tree, sort_keys=True, allow_nan=False).encode()).hexdigest()
