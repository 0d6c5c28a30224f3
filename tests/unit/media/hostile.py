"""Small files that claim, or unpack to, far more than they are."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

RATE = 16000


def holed(path: Path, hole_s: float, *, before_s: float = 1.0) -> Path:
    """Write a second of noise, a gap of ``hole_s`` between two packets, and another second."""
    noise = np.random.default_rng(0).integers(-8000, 8000, (1, RATE), dtype=np.int16)
    with av.open(str(path), "w") as out:
        stream = out.add_stream("pcm_s16le", rate=RATE, layout="mono")
        for begin in (before_s - 1, before_s + hole_s):
            frame = av.AudioFrame.from_ndarray(noise, format="s16", layout="mono")
            frame.sample_rate, frame.time_base = RATE, Fraction(1, RATE)
            frame.pts = round(begin * RATE)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def huge_video(path: Path, side: int = 16000) -> Path:
    """Write one black frame of ``side`` x ``side`` in one bit per pixel, and a second of noise."""
    noise = np.random.default_rng(0).integers(-8000, 8000, (1, RATE), dtype=np.int16)
    with av.open(str(path), "w") as out:
        video = out.add_stream("png", rate=1)
        video.width = video.height = side
        video.pix_fmt = "monob"
        audio = out.add_stream("pcm_s16le", rate=RATE, layout="mono")
        black = av.VideoFrame(side, side, "monob")
        black.planes[0].update(bytes(black.planes[0].buffer_size))
        out.mux([*video.encode(black), *video.encode(None)])
        sound = av.AudioFrame.from_ndarray(noise, format="s16", layout="mono")
        sound.sample_rate = RATE
        out.mux([*audio.encode(sound), *audio.encode(None)])
    return path
