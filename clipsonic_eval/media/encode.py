"""Write videos and compressed audio with PyAV, atomically.

Equal input gives equal bytes (but for .ogg, whose stream carries a random serial number).

The file's suffix chooses the container and the default codecs: ``.mp4``/``.mov``/``.mkv`` H.264 + AAC, ``.webm``
VP9 + Opus, ``.avi`` MPEG-4 + MP3, ``.m4a`` AAC, ``.ogg`` Vorbis, ``.flac`` FLAC; ``.webm`` without a picture Opus.
"""

from __future__ import annotations

import fractions
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from clipsonic_eval.arraytypes import Float32, UInt8
from clipsonic_eval.atomic import replacing
from clipsonic_eval.errors import MediaError, ShapeError

if TYPE_CHECKING:
    import av

_CODECS = {
    ".mp4": ("h264", "aac"),
    ".mov": ("h264", "aac"),
    ".mkv": ("h264", "aac"),
    ".webm": ("vp9", "opus"),
    ".avi": ("mpeg4", "mp3"),
}
_SOUND_ONLY = {".m4a": ("ipod", "aac"), ".webm": ("webm", "libopus")}  # container and encoder
_ENCODERS = {"h264": "libx264", "vp9": "libvpx-vp9", "vp8": "libvpx", "opus": "libopus", "mp3": "libmp3lame"}
_VIDEO_OPTIONS: dict[str, dict[str, str]] = {
    "libx264": {"preset": "ultrafast", "crf": "18"},
    "libvpx-vp9": {"deadline": "realtime", "cpu-used": "8", "crf": "20", "b": "0"},
    "libvpx": {"deadline": "realtime", "cpu-used": "8", "crf": "10", "b": "1M"},
    "mpeg4": {"qscale": "3", "flags": "+qscale"},
}
# The default AAC coder replaces noise-like bands by other noise; the fast one keeps the waveform (measured on a noise
# burst of 16 kHz at 64 kb/s: 21 dB against 17 dB signal to error) and takes half the time.
_AUDIO_OPTIONS = {"aac": {"aac_coder": "fast"}}
_RATES = {  # Hz that an audio encoder takes, where it does not take all
    "libopus": (8000, 12000, 16000, 24000, 48000),
    "libmp3lame": (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000),
    "aac": (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000),
}


def write_video(  # one argument for each thing that a file holds; a config would hide which belong together
    path: Path,
    frames: UInt8,
    fps: float,
    samples: Float32 | None = None,
    rate: int | None = None,
    *,
    codec: str | None = None,
    audio_codec: str | None = None,
    pixel_format: str = "yuv420p",
) -> None:
    """Write a video, with or without an audio track.

    Video and audio both start at 0 s; neither is stretched to the length of the other. Subsampled
    chroma needs even sizes: an odd last row or column is repeated once, so a reader gets one more.

    Args:
        path: ends in .mp4, .mov, .mkv, .webm or .avi.
        frames: (t, height, width, 3) uint8 RGB, t >= 1.
        fps: frames per second.
        samples: (n,) or (channels, n) float32 in [-1, 1].
        rate: of the samples in Hz. A rate that the codec does not take is resampled to the next one above.
        codec: ``h264``, ``vp9``, ``vp8``, ``mpeg4`` or an encoder's name in FFmpeg; by default the container's.
        audio_codec: ``aac``, ``opus``, ``mp3``, ``flac``, ``pcm_s16le``, ...; by default the container's.
        pixel_format: FFmpeg's name, e.g. ``gray`` or ``yuv420p10le``.

    Raises:
        ShapeError: frames or samples have another shape or type.
        MediaError: the suffix, or a codec in this container, is not known.
    """
    import av

    if frames.ndim != 4 or frames.shape[3] != 3 or frames.dtype != np.uint8 or len(frames) == 0:
        raise ShapeError(f"{path}: frames must be (t, height, width, 3) uint8 RGB, got {frames.dtype} {frames.shape}")
    if path.suffix.lower() not in _CODECS:
        raise MediaError(f"{path}: no container of that suffix is written; use one of {', '.join(_CODECS)}")
    defaults = _CODECS[path.suffix.lower()]
    video_name = _encoder(codec or defaults[0])
    sound = None if samples is None else _Sound(path, samples, rate, _encoder(audio_codec or defaults[1]))
    with replacing(path) as temporary:
        try:
            with av.open(str(temporary), "w", container_options=_muxer_options(path)) as container:
                video = _video_stream(container, video_name, frames, fps, pixel_format)
                audio = sound.stream(container) if sound else None
                for frame in _even(frames, pixel_format):
                    picture = av.VideoFrame.from_ndarray(frame, format="rgb24")
                    container.mux(video.encode(picture.reformat(format=pixel_format, threads=1)))
                container.mux(video.encode(None))
                if sound:
                    sound.encode(container, audio)
        except (av.error.FFmpegError, ValueError) as error:
            raise MediaError(f"{path}: cannot be written with {video_name} ({error}); choose another codec") from error


def write_audio(path: Path, samples: Float32, rate: int) -> None:
    """Write compressed audio: .m4a (AAC), .webm (Opus), .ogg (Vorbis) or .flac (24 bit).

    Args:
        path: its suffix chooses the format.
        samples: (n,) or (channels, n) float32 in [-1, 1].
        rate: Hz. AAC takes up to 96 kHz and Opus 48 kHz; a rate that they do not take is resampled to the next one.

    Raises:
        MediaError: another suffix.
        ShapeError: the samples have another shape or type.
    """
    suffix = path.suffix.lower()
    if suffix in (".ogg", ".flac"):
        import soundfile

        data = _channels(path, samples)
        with replacing(path) as temporary:
            soundfile.write(temporary, data.T, rate, subtype="PCM_24" if suffix == ".flac" else None)
        return
    if suffix not in _SOUND_ONLY:
        raise MediaError(f"{path}: audio is written to .m4a, .webm, .ogg or .flac (wav: write_wav)")
    import av

    container, encoder = _SOUND_ONLY[suffix]
    sound = _Sound(path, samples, rate, encoder)
    options = _muxer_options(path)
    with replacing(path) as temporary, av.open(str(temporary), "w", format=container, container_options=options) as out:
        sound.encode(out, sound.stream(out))


def _muxer_options(path: Path) -> dict[str, str]:
    options = {"fflags": "+bitexact"}
    if path.suffix.lower() == ".avi":  # else the delay of mp3 is rounded up to a whole video frame
        options["avoid_negative_ts"] = "disabled"
    return options


def _encoder(codec: str) -> str:
    return _ENCODERS.get(codec, codec)


def _channels(path: Path, samples: Float32) -> Float32:
    if (
        samples.ndim not in (1, 2)
        or samples.dtype != np.float32
        or samples.size == 0
        or len(np.atleast_2d(samples)) > 8
    ):
        raise ShapeError(f"{path}: samples must be float32 (n,) or (channels, n), got {samples.dtype} {samples.shape}")
    return np.atleast_2d(samples)


def _video_stream(
    container: av.container.OutputContainer, name: str, frames: UInt8, fps: float, pixel_format: str
) -> Any:
    rate = fractions.Fraction(fps).limit_denominator(1001)
    stream = container.add_stream(name, rate=rate, options=_VIDEO_OPTIONS.get(name, {}))
    height, width = next(_even(frames[:1], pixel_format)).shape[:2]
    stream.width, stream.height, stream.pix_fmt = width, height, pixel_format
    if pixel_format.startswith("gray"):
        stream.codec_context.color_range = 2  # grey levels use the full range, and the file must say so
    if width * height <= 256 * 256:
        stream.codec_context.thread_count = 1  # starting threads costs more than encoding a tiny frame
    return stream


def _even(frames: UInt8, pixel_format: str) -> Any:
    """Yield contiguous frames (height, width, 3), padded to even sizes where the chroma is subsampled."""
    odd = [side % 2 if "420" in pixel_format else 0 for side in frames.shape[1:3]]
    for frame in frames:
        padded = np.pad(frame, ((0, odd[0]), (0, odd[1]), (0, 0)), mode="edge") if any(odd) else frame
        yield np.ascontiguousarray(padded)


class _Sound:
    """An audio track to be encoded into a container."""

    def __init__(self, path: Path, samples: Float32, rate: int | None, encoder: str) -> None:
        from clipsonic_eval.media.audio import resample

        if not rate or rate < 1:
            raise ShapeError(f"{path}: samples need their rate in Hz, got {rate}")
        accepted: Sequence[int] = _RATES.get(encoder, (rate,))
        self.rate = min((r for r in accepted if r >= rate), default=max(accepted))
        self.samples = resample(_channels(path, samples), rate, self.rate)
        self.encoder = encoder

    def stream(self, container: Any) -> Any:
        channels = len(self.samples)
        layout = {1: "mono", 2: "stereo", 6: "5.1"}.get(channels, f"{channels} channels")
        options = _AUDIO_OPTIONS.get(self.encoder, {})
        stream = container.add_stream(self.encoder, rate=self.rate, layout=layout, options=options)
        if self.encoder in ("aac", "libopus", "libmp3lame"):
            stream.bit_rate = channels * min(128_000, 4 * self.rate)
        return stream

    def encode(self, container: Any, stream: Any) -> None:
        import av

        layout, wanted = stream.codec_context.layout.name, stream.codec_context.format.name
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(self.samples), format="fltp", layout=layout)
        frame.sample_rate, frame.pts = self.rate, 0
        resampler = av.AudioResampler(format=wanted, layout=layout, rate=self.rate)  # type of sample only
        for piece in [*resampler.resample(frame), *resampler.resample(None)]:
            container.mux(stream.encode(piece))
        container.mux(stream.encode(None))
