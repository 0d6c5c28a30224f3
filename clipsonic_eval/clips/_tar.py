"""Items that lie in a tar are decoded from a copy on the local disk, one at a time; the tar is not unpacked."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath

from clipsonic_eval.datasets import SourceItem
from clipsonic_eval.errors import MediaError
from clipsonic_eval.files import open_regular

_BLOCK = 1 << 20


@contextlib.contextmanager
def extracted(item: SourceItem) -> Iterator[SourceItem]:
    """Yield the item as a file of its own, which is removed afterwards.

    Raises:
        MediaError: the tar cannot be read, or ends before the item does.
    """
    assert item.member is not None
    with tempfile.TemporaryDirectory(prefix="clipsonic-eval-") as folder:
        file = Path(folder, f"item{PurePosixPath(item.member.name).suffix}")
        with open_regular(item.path, MediaError) as tar, file.open("wb") as copy:
            tar.seek(item.member.offset)
            left = item.member.size
            while left and (block := tar.read(min(left, _BLOCK))):
                copy.write(block)
                left -= len(block)
        if left:
            raise MediaError(f"{item.path}: truncated, {left} bytes of {item.member.name} are missing; fetch it again")
        yield replace(item, path=file, member=None)
