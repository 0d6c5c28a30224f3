"""Frames of a video at another rate, by FFmpeg's own filter."""

from __future__ import annotations

from pathlib import Path

import av


def means(path: Path, rate: str) -> list[float]:
    """Return the mean over the pixels of every frame that ``fps=rate`` gives."""
    found: list[float] = []
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        graph = av.filter.Graph()
        source, fps, sink = graph.add_buffer(template=stream), graph.add("fps", f"fps={rate}"), graph.add("buffersink")
        source.link_to(fps)
        fps.link_to(sink)
        graph.configure()
        for frame in [*container.decode(stream), None]:
            graph.push(frame)
            while True:
                try:
                    found.append(float(graph.pull().to_ndarray(format="rgb24").mean()))
                except (av.error.BlockingIOError, av.error.EOFError):
                    break
    return found
