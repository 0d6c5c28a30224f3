"""Open a container with PyAV, such that every failure is a :class:`MediaError` and nothing stays open."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from clipsonic_eval.errors import MediaError
from clipsonic_eval.files import require_regular
from clipsonic_eval.media.limits import MAX_PIXELS, check_pixels

_STATE_DURATION = ("matroska", "asf", "flv")  # formats whose header holds the duration of the whole file


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Any]:
    """Yield the container; FFmpeg's errors inside the block become MediaError.

    Raises:
        MediaError: not a regular file, not readable as media, or damaged.
    """
    import av

    require_regular(path, MediaError)
    try:
        # the option reaches the decoders with which FFmpeg probes: a huge image is not decoded even for its size
        container = av.open(str(path), metadata_errors="replace", options={"max_pixels": str(MAX_PIXELS)})
    except MemoryError:  # one of FFmpeg's errors is one too
        raise MemoryError(str(path)) from None
    except (av.error.FFmpegError, OSError, ValueError) as error:
        if _head(path)[4:8] == b"ftyp":
            raise MediaError(f"{path}: truncated, the index of the mp4 is missing; fetch the file again") from None
        raise MediaError(f"{path}: not readable as media ({_reason(error)})") from None
    with container:
        try:
            yield container
        except MemoryError:
            raise MemoryError(str(path)) from None
        except av.error.FFmpegError as error:
            raise MediaError(f"{path}: damaged or truncated ({_reason(error)}); fetch the file again") from None


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
