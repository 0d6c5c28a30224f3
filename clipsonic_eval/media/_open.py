"""Open a container with PyAV so that every failure is a :class:`MediaError` and nothing stays open."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from clipsonic_eval.errors import MediaError


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Any]:
    """Yield the container; FFmpeg's errors inside the block become MediaError.

    Raises:
        MediaError: no such file, not readable as media, or damaged.
    """
    import av

    if not path.is_file():
        raise MediaError(f"{path}: no such file")
    try:
        container = av.open(str(path), metadata_errors="replace")
    except (av.error.FFmpegError, ValueError) as error:
        raise MediaError(f"{path}: not readable as media ({_reason(error)})") from None
    with container:
        try:
            yield container
        except av.error.FFmpegError as error:
            raise MediaError(f"{path}: damaged or truncated ({_reason(error)}); fetch the file again") from None


def _reason(error: Exception) -> str:
    text = getattr(error, "strerror", None) or str(error)
    return str(text).lower()


def zero_time(container: Any) -> float:
    """Return the time stamp in seconds that counts as 0: the file's first one, but never before its own zero.

    Transport streams begin anywhere; Opus in webm begins a codec delay before zero, and that part is not played.
    """
    start = container.start_time
    return max(0.0, start / 1_000_000) if start is not None else 0.0
