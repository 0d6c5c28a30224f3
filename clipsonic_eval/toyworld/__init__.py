"""A procedural audio-visual world for small studies: twelve sound sources that are visible and audible.

Nothing is downloaded: images, sounds and captions are drawn from random streams and written as ordinary media files
(:mod:`clipsonic_eval.toyworld.write`), from which a study starts exactly as it would from real videos.
"""

from __future__ import annotations

from clipsonic_eval.toyworld.captions import caption
from clipsonic_eval.toyworld.frames import render_frames, render_image
from clipsonic_eval.toyworld.scene import SOURCES, Domain, Scene, sample_scene
from clipsonic_eval.toyworld.sounds import RATE, SAMPLES, render_sound

__all__ = [
    "RATE",
    "SAMPLES",
    "SOURCES",
    "Domain",
    "Scene",
    "caption",
    "render_frames",
    "render_image",
    "render_sound",
    "sample_scene",
]
