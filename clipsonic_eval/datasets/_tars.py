"""Tars, plain or compressed, as streams of the plain bytes."""

from __future__ import annotations

import bz2
import gzip
import lzma
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, Final

_SUFFIXES: Final = {
    "": (".tar",),
    "gz": (".tar.gz", ".tgz"),
    "bz2": (".tar.bz2", ".tbz2"),
    "xz": (".tar.xz", ".txz"),
}
_OPENERS: Final[dict[str, Callable[..., Any]]] = {"gz": gzip.open, "bz2": bz2.open, "xz": lzma.open}
SUFFIXES: Final = tuple(suffix for suffixes in _SUFFIXES.values() for suffix in suffixes)


def compression(path: Path) -> str:
    """Return how a tar is compressed, by its name: "" for not at all, ``gz``, ``bz2`` or ``xz``.

    Example:
        >>> compression(Path("a.tar")), compression(Path("a.TGZ"))
        ('', 'gz')
    """
    name = path.name.lower()
    return next((kind for kind, suffixes in _SUFFIXES.items() if name.endswith(suffixes)), "")


def opened_tar(path: Path) -> IO[bytes]:
    """Open a tar as a stream of its plain bytes; seeking back in a compressed one reads it again from the beginning."""
    stream: IO[bytes] = _OPENERS.get(compression(path), open)(path, "rb")
    return stream
