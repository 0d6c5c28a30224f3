"""Open a container with PyAV, such that every failure is a :class:`MediaError` and nothing stays open."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Final, Literal

from clipsonic_eval.errors import MediaError
from clipsonic_eval.files import require_regular
from clipsonic_eval.media.limits import MAX_PIXELS, check_pixels

_STATE_DURATION = ("matroska", "asf", "flv")  # formats whose header holds the duration of the whole file


# What is read of a container; packets are those of all tracks, undecoded.
Reads = Literal["headers", "packets", "audio", "video"]
_BEFORE_ALL: Final = -(2**40)  # microseconds: before the first sample of any index


@contextlib.contextmanager
def opened(path: Path, reads: Reads) -> Iterator[Any]:
    """Yield the container at its beginning; FFmpeg's errors inside the block become MediaError.

    Args:
        path: the file.
        reads: what the block reads of it.

    Raises:
        MediaError: not a regular file, not readable as media, or damaged.
    """
    held = _HELD.get()
    with contextlib.nullcontext(held) if held is not None and held.path == path else _Held(path) as source:
        try:
            yield source.container(reads)
        except MemoryError:
            raise MemoryError(str(path)) from None
        except _ffmpeg_error() as error:
            raise MediaError(f"{path}: damaged or truncated ({_reason(error)}); fetch the file again") from None


@contextlib.contextmanager
def held_open(path: Path) -> Iterator[None]:
    """Open an mp4 once for the length of a block: headers, sound and then frames are read from the same container.

    Opening takes about a millisecond, a tenth of what a short clip takes in all. In another order, and where a
    container has no index that is exact to the sample or is fragmented, it is opened each time.
    """
    with _Held(path) as held:
        token = _HELD.set(held)
        try:
            yield
        finally:
            _HELD.reset(token)


class _Held:
    """A file whose container stays open; a context manager."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._container: Any = None
        self._read: set[Reads] = set()

    def __enter__(self) -> _Held:
        return self

    def __exit__(self, *exc: object) -> None:
        if self._container is not None:
            self._container.close()
            self._container = None

    def container(self, reads: Reads) -> Any:
        """Return the container at its beginning: the one that is open, or a new one if that cannot go back."""
        moved = self._read - {"headers"}
        # Frames come back whole. Sound does not: the samples that an encoder put in front are dropped by another rule
        # after a seek. And a decoder that has worked keeps a state.
        if moved and not (reads == "video" and moved == {"audio"} and _goes_back(self._container)):
            self.__exit__()
        if self._container is None:
            require_regular(self.path, MediaError)
            self._container, self._read = _open(self.path), set()
        self._read.add(reads)
        return self._container


_HELD: ContextVar[_Held | None] = ContextVar("held", default=None)


def _goes_back(container: Any) -> bool:
    """Go back to the beginning of a container, or return False."""
    if not (is_mov(container) and all(track.frames for track in container.streams)):
        return False
    with contextlib.suppress(_ffmpeg_error()):
        container.seek(_BEFORE_ALL)
        return True
    return False


def _open(path: Path) -> Any:
    import av

    try:
        # the option reaches the decoders with which FFmpeg probes: a huge image is not decoded even for its size
        return av.open(str(path), metadata_errors="replace", options={"max_pixels": str(MAX_PIXELS)})
    except MemoryError:  # one of FFmpeg's errors is one too
        raise MemoryError(str(path)) from None
    except (av.error.FFmpegError, OSError, ValueError) as error:
        if _head(path)[4:8] == b"ftyp":
            raise MediaError(f"{path}: truncated, the index of the mp4 is missing; fetch the file again") from None
        raise MediaError(f"{path}: not readable as media ({_reason(error)})") from None


def _ffmpeg_error() -> type[Exception]:
    import av

    found: type[Exception] = av.error.FFmpegError
    return found


def _head(path: Path) -> bytes:
    with path.open("rb") as stream:
        return stream.read(8)


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error).lower()


def audio_track(container: Any, path: Path) -> Any:
    """Return the audio track that FFmpeg would choose.

    Raises:
        MediaError: there is none, or no decoder for it.
    """
    track = container.streams.best("audio") if container.streams.audio else None
    if track is None or track.codec_context is None:
        raise MediaError(f"{path}: no audio track" + ("" if track is None else " that can be decoded"))
    return track


def video_track(container: Any, path: Path) -> Any:
    """Return the video track (cover art does not count).

    Raises:
        MediaError: there is none, no decoder for it, or its frames are too large.
    """
    from av.stream import Disposition

    tracks = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    if not tracks:
        raise MediaError(f"{path}: no video track")
    best = container.streams.best("video")
    track = best if best in tracks else tracks[0]
    if track.codec_context is None:
        raise MediaError(f"{path}: no video track that can be decoded")
    check_pixels(track.codec_context.width, track.codec_context.height, str(path))
    return track


def is_mov(container: Any) -> bool:
    """Return whether a container is of the mp4 family, whose index is exact to the sample."""
    return "mp4" in container.format.name.split(",")


def zero_time(container: Any) -> float:
    """Return the time stamp in seconds that counts as 0: the file's first one, but never before its own zero.

    Transport streams begin anywhere; Opus in webm begins a codec delay before zero, and that part is not played.
    """
    start = container.start_time
    return max(0.0, start / 1_000_000) if start is not None else 0.0


def stated_end_s(container: Any, track: Any) -> float | None:
    """Return where the file says that the track (mp4) or everything (mkv, ...) ends; None where it does not say."""
    if is_mov(container):
        if not track.duration:
            return None
        return float((track.duration + (track.start_time or 0)) * track.time_base)
    names = container.format.name.split(",")
    if container.duration is None or not any(name in _STATE_DURATION for name in names):
        return None
    return float(container.duration / 1_000_000)
