"""Recognise a truncated RIFF file (wav, avi) by its header; libsndfile and FFmpeg silently play what is there."""

from __future__ import annotations

from pathlib import Path

_STREAMED = 0xFFFF0000  # sizes from here on, and 0, are written by programs that do not know the size


def missing_bytes(path: Path) -> int:
    """Return how many bytes the headers claim beyond the end of the file; 0 for other formats."""
    size = path.stat().st_size
    with path.open("rb") as stream:
        head = stream.read(12)
        if len(head) < 12 or head[:4] != b"RIFF":
            return 0
        if head[8:] != b"WAVE":
            return _beyond(8, head, size)
        # The outer size of a wav is often wrong; its data chunk counts.
        while len(chunk := stream.read(8)) == 8:
            if chunk[:4] == b"data":
                return _beyond(stream.tell(), chunk, size)
            length = int.from_bytes(chunk[4:], "little")
            stream.seek(length + length % 2, 1)
    return 0


def _beyond(begin: int, chunk: bytes, size: int) -> int:
    length = int.from_bytes(chunk[4:8], "little")
    return max(0, begin + length - size) if 0 < length < _STREAMED else 0
