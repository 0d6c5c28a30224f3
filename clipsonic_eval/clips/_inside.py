"""Items that lie inside a tar or a Parquet table are decoded from a copy on the local disk, one at a time.

Neither is unpacked. What can only be read forward, a compressed tar or the rows of a table, stays open from one item to
the next: items come in the order of the listing, so each process reads it once.
"""

from __future__ import annotations

import bisect
import contextlib
import itertools
import lzma
import tempfile
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from clipsonic_eval.datasets import Member, SourceItem, compression, opened_tar
from clipsonic_eval.errors import MediaError
from clipsonic_eval.files import require_regular

_BLOCK = 1 << 20
_open: dict[Path, Any] = {}  # the file that the last item lay in


@contextlib.contextmanager
def extracted(item: SourceItem) -> Iterator[SourceItem]:
    """Yield the item as a file of its own, which is removed afterwards.

    Raises:
        MediaError: what it lies in cannot be read, or ends before the item does.
    """
    assert item.member is not None
    with tempfile.TemporaryDirectory(prefix="clipsonic-eval-") as folder:
        file = Path(folder, f"item{PurePosixPath(item.member.name).suffix}")
        with file.open("wb") as copy:
            for block in _blocks(item.path, item.member):
                copy.write(block)
        yield replace(item, path=file, member=None)


def close() -> None:
    """Close the file that the last item lay in."""
    while _open:
        _open.popitem()[1].close()


def _blocks(path: Path, member: Member) -> Iterator[bytes]:
    """Yield the bytes of a member.

    Raises:
        MediaError: see :func:`extracted`.
    """
    require_regular(path, MediaError)
    try:
        if member.column:
            yield _cell(path, member)
            return
        left = member.size
        with contextlib.ExitStack() as stack:
            tar = _kept(path) if compression(path) else stack.enter_context(opened_tar(path))
            tar.seek(member.place)
            while left and (block := tar.read(min(left, _BLOCK))):
                yield block
                left -= len(block)
    except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        close()
        if isinstance(error, OSError) and error.errno is not None:
            raise  # of this machine, not of the file
        raise MediaError(f"{path}: damaged where {member.name} lies ({error}); fetch it again") from None
    if left:
        raise MediaError(f"{path}: truncated, {left} bytes of {member.name} are missing; fetch it again")


def _cell(path: Path, member: Member) -> bytes:
    import pyarrow

    try:
        found: bytes = _kept(path, member.column).cell(member.place)
    except pyarrow.ArrowException as error:
        raise OSError(str(error).partition("\n")[0]) from None
    return found


def _kept(path: Path, column: str = "") -> Any:
    """Return the open file, opened now if the last item lay in another."""
    if path not in _open:
        close()
        _open[path] = _Cells(path, column) if column else opened_tar(path)
    return _open[path]


class _Cells:
    """The sounds of a column of a Parquet table; one row is in memory at a time."""

    def __init__(self, path: Path, column: str) -> None:
        import pyarrow.parquet

        self._path, self._column = path, column
        self._file = pyarrow.parquet.ParquetFile(path)
        groups = range(self._file.metadata.num_row_groups)
        self._ends = list(itertools.accumulate(self._file.metadata.row_group(group).num_rows for group in groups))
        self._rows: Iterator[Any] = iter(())
        self._next = self._end = 0  # the row that comes next, and the end of its group

    def cell(self, row: int) -> bytes:
        """Return the bytes of a row; cheap for rows in ascending order.

        Raises:
            MediaError: the table has no such row, or the row no bytes.
        """
        if not self._next <= row < self._end:
            group = bisect.bisect_right(self._ends, row)
            if group == len(self._ends):
                raise MediaError(f"{self._path}: has no row {row} any more; give the command again with --overwrite")
            self._next, self._end = (self._ends[group - 1] if group else 0), self._ends[group]
            self._rows = self._file.iter_batches(1, row_groups=[group], columns=[f"{self._column}.bytes"])
        for _ in range(row - self._next + 1):
            batch = next(self._rows)
        self._next = row + 1
        found: bytes | None = batch.column(0)[0].as_py()["bytes"]
        if found is None:
            raise MediaError(f"{self._path}: row {row} holds no bytes in its column {self._column}")
        return found

    def close(self) -> None:
        self._file.close()
