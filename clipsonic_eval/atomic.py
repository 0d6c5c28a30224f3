"""Atomic writes: a reader, or a resumed job, never sees half a file.

Temporary files carry in their names which process of which machine writes them, so that those of killed processes can
be recognised and removed.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import platform
import re
import shutil
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

_TEMPORARY = re.compile(r"\.(?P<name>.+)\.(?P<machine>[0-9a-f]{8})-(?P<pid>\d+)\.[0-9a-f]{8}(?P<suffix>\.\w+)?")
_OLD = ".old"
_ABANDONED_S = 24 * 3600.0  # of another machine, whose processes cannot be asked


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path next to ``path`` (same suffix) that replaces it when the block succeeds.

    Raises:
        OSError: raised in the block; the file's name is added where the error has none.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{_mark(path.stem)}{path.suffix}")
    try:
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        if error.filename is None:
            error.strerror = error.strerror or str(error)  # with a file name, str() shows this alone
            error.filename = str(path)
        raise
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def replacing_folder(path: Path, kept: Path | None = None) -> Iterator[Path]:
    """Yield a temporary folder that replaces ``path`` when the block succeeds.

    Args:
        path: the folder.
        kept: where the previous folder is moved; None: it is removed. With it, one of the two places holds a complete
            folder at any moment.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(_mark(path.name))
    temporary.mkdir()
    try:
        yield temporary
        if path.exists():
            old = path.with_name(f"{_mark((kept or path).name)}{_OLD}")
            if kept is not None and kept.exists():
                os.replace(kept, old)
            os.replace(path, old if kept is None else kept)
            os.replace(temporary, path)
            shutil.rmtree(old, ignore_errors=kept is not None)
        else:
            os.replace(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _mark(name: str) -> str:
    return f".{name}.{_machine()}-{os.getpid()}.{uuid.uuid4().hex[:8]}"


@functools.cache
def _machine() -> str:
    """Return 8 hex digits for this machine and its process namespace (a container has its own)."""
    try:
        namespace = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        namespace = ""
    return hashlib.sha256(f"{platform.node()} {namespace}".encode()).hexdigest()[:8]


def remove_leftovers(folder: Path) -> None:
    """Remove the temporary files of killed processes in a folder, below it, and next to it for the folder itself.

    A folder that had been moved aside when its process was killed, before the new one replaced it, is put back.
    """
    found = [p for p in folder.rglob(".*") if _TEMPORARY.fullmatch(p.name)]
    found += [p for p in folder.absolute().parent.glob(f".{folder.absolute().name}.*") if _TEMPORARY.fullmatch(p.name)]
    for path in found:
        match = _TEMPORARY.fullmatch(path.name)
        assert match is not None
        if not path.exists() or not _is_abandoned(path, match["machine"], int(match["pid"])):
            continue
        target = path.with_name(match["name"])
        if match["suffix"] == _OLD and path.is_dir() and (not target.exists() or _is_empty(target)):
            with contextlib.suppress(OSError):
                os.replace(path, target)
        elif path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _is_empty(folder: Path) -> bool:
    return folder.is_dir() and not any(folder.iterdir())


def _is_abandoned(path: Path, machine: str, pid: int) -> bool:
    if machine != _machine():
        try:
            return time.time() - path.stat().st_mtime > _ABANDONED_S
        except OSError:
            return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        return False
    return False
