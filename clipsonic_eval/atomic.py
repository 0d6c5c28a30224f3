"""Writes that either happen or do not: a reader, or a resumed job, never sees half a file."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` (same suffix) that takes its place when the block ends well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.{uuid.uuid4().hex[:8]}{path.suffix}")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def replacing_folder(path: Path, kept: Path | None = None) -> Iterator[Path]:
    """Yield a temporary folder that takes the place of ``path`` when the block ends well.

    Args:
        path: the folder.
        kept: where the folder that stood there goes; None: it is removed. With it there is a whole folder in one of
            the two places at any moment.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{uuid.uuid4().hex[:8]}")
    temporary.mkdir()
    try:
        yield temporary
        if path.exists():
            old = path.with_name(f"{temporary.name}.old")
            if kept is not None and kept.exists():
                os.replace(kept, old)
            os.replace(path, old if kept is None else kept)
            os.replace(temporary, path)
            shutil.rmtree(old, ignore_errors=kept is not None)
        else:
            os.replace(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically (UTF-8)."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write JSON atomically, keys in the order given, two spaces, newline at the end."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
