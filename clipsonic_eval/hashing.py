"""Content hashes: of files, of folders of weights, and of resolved configurations."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from clipsonic_eval.errors import UserError
from clipsonic_eval.files import open_regular


def file_sha256(path: Path, error: type[UserError] = UserError) -> str:
    """Return the SHA-256 of a file's bytes in hex; about 2 GB/s on a processor with instructions for it.

    Raises:
        UserError: of the class asked for: no regular file (see :mod:`clipsonic_eval.files`), or not to be read.
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
    """Return the first 12 hex digits of the SHA-256 of a JSON-serialisable configuration (key order ignored)."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:12]
