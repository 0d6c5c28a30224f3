"""Safe reading of ``.npy`` and ``.npz``: no pickles, no more memory than the file's own bytes justify.

A header may claim eight terabytes, and an ``.npz`` of three megabytes may unpack to three gigabytes. So a header is
checked against the bytes that are there before anything is allocated, only the requested arrays are unpacked, and an
array that unpacks to more than :data:`MAX_RATIO` times its bytes is refused above :data:`FREE_BYTES`.
"""

from __future__ import annotations

import math
import zipfile
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

import numpy as np
from numpy.lib import format as npy

from clipsonic_eval.arraytypes import AnyArray
from clipsonic_eval.errors import UserError
from clipsonic_eval.files import open_regular

FREE_BYTES: Final = 64 << 20  # of an unpacked array that are allowed whatever the ratio
MAX_RATIO: Final = 100  # unpacked over packed bytes; embeddings in float32 reach 1.1, silence and zeros 1000


@dataclass(frozen=True, slots=True)
class Header:
    """The header of an array file.

    Attributes:
        shape: of the array.
        dtype: of its entries, never objects.
        fortran: the first axis varies fastest.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    fortran: bool

    @property
    def nbytes(self) -> int:
        """Size of the entries in bytes."""
        return math.prod(self.shape) * self.dtype.itemsize


def read_npy(path: Path, error: type[UserError] = UserError, *, fix: str = "", mapped: bool = False) -> AnyArray:
    """Read an ``.npy``.

    Args:
        path: of the file.
        error: class of the exception.
        fix: what to do about a file that cannot be read, as the end of a sentence.
        mapped: map the file into memory, read-only, instead of reading it.

    Returns:
        The array, of the shape and type that its header states.

    Raises:
        UserError: (as ``error``) not a regular file, not an array, an array of objects, or the file holds more or fewer
            bytes than its header claims.
    """
    with _readable(path, error, fix), open_regular(path, error, fix=fix) as stream:
        header = _header(stream)
        begin = stream.tell()
        _fits(header, stream.seek(0, 2) - begin)
        if mapped and header.nbytes:
            order = "F" if header.fortran else "C"
            return np.memmap(path, header.dtype, "r", begin, header.shape, order)  # type: ignore[call-overload,no-any-return]
        stream.seek(begin)
        return _body(stream, header)


def npz_headers(path: Path, error: type[UserError] = UserError, *, fix: str = "") -> dict[str, Header]:
    """Return the headers of an ``.npz`` by name; no array is unpacked. Errors as in :func:`read_npz`."""
    with _archive(path, error, fix) as archive:
        found = {}
        for member in _members(archive).values():
            with archive.open(member) as stream:
                found[member.filename.removesuffix(".npy")] = _header(stream)
        return found


def read_npz(
    path: Path, names: Collection[str] | None = None, error: type[UserError] = UserError, *, fix: str = ""
) -> dict[str, AnyArray]:
    """Read arrays of an ``.npz``.

    Args:
        path: of the file.
        names: of the arrays to read; those that are not there are left out. None: all.
        error: class of the exception.
        fix: what to do about a file that cannot be read, as the end of a sentence.

    Returns:
        The arrays by name, each of the shape and type that its header states.

    Raises:
        UserError: (as ``error``) not a regular file, damaged (every member carries a checksum), an array of objects,
            one whose size is not that of its header, or one that unpacks to far more than its packed size.
    """
    with _archive(path, error, fix) as archive:
        found = {}
        for name, member in _members(archive).items():
            if names is not None and name not in names:
                continue
            if member.file_size > max(FREE_BYTES, MAX_RATIO * member.compress_size):
                raise ValueError(f"array '{name}' unpacks from {member.compress_size} to {member.file_size} bytes")
            with archive.open(member) as stream:
                header = _header(stream)
                _fits(header, member.file_size - stream.tell())
                found[name] = _body(stream, header)
                if stream.read(1):  # the end of a member is where its checksum is compared
                    raise ValueError(f"array '{name}' holds more than its header claims")
        return found


@contextmanager
def _archive(path: Path, error: type[UserError], fix: str) -> Iterator[zipfile.ZipFile]:
    with (
        _readable(path, error, fix),
        open_regular(path, error, fix=fix) as stream,
        zipfile.ZipFile(stream) as archive,
    ):
        yield archive


def _members(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    return {m.filename.removesuffix(".npy"): m for m in archive.infolist() if m.filename.endswith(".npy")}


@contextmanager
def _readable(path: Path, error: type[UserError], fix: str) -> Iterator[None]:
    try:
        yield
    except UserError:
        raise
    except (
        ValueError,
        OSError,
        EOFError,
        KeyError,
        RuntimeError,  # an encrypted archive; NotImplementedError: a strange compression
        SyntaxError,
        zipfile.BadZipFile,
        zlib.error,
        OverflowError,
        MemoryError,
    ) as problem:
        why = (str(problem).splitlines() or [type(problem).__name__])[0][:160]
        end = f"; {fix}" if fix else ""
        raise error(f"{path}: not readable as arrays without pickles ({why}){end}") from None


def _header(stream: IO[bytes]) -> Header:
    version = npy.read_magic(stream)
    reader = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}.get(version)
    if reader is None:
        raise ValueError(f"npy version {version[0]}.{version[1]} is not known")
    try:
        shape, fortran, dtype = reader(stream)
    except Exception as problem:  # the header is a text of Python, read by several parsers with errors of their own
        raise ValueError(f"its header is damaged: {type(problem).__name__}") from None
    if dtype.hasobject:
        raise ValueError("it holds objects, which only a pickle can")
    if any(n < 0 for n in shape):
        raise ValueError(f"an array of shape {shape}")
    return Header(tuple(int(n) for n in shape), dtype, bool(fortran))


def _fits(header: Header, there: int) -> None:
    if header.nbytes != there:
        raise ValueError(f"the header claims {header.nbytes} bytes, {there} are there")


def _body(stream: IO[bytes], header: Header) -> AnyArray:
    flat = bytearray(header.nbytes)
    view, filled = memoryview(flat), 0
    while filled < len(flat):
        part = stream.read(min(len(flat) - filled, 1 << 20))
        if not part:
            raise ValueError(f"the header claims {header.nbytes} bytes, {filled} are there")
        view[filled : filled + len(part)] = part
        filled += len(part)
    return np.ndarray(header.shape, header.dtype, flat, order="F" if header.fortran else "C")
