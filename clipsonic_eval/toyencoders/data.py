"""Training data of the toy encoders: rendered in memory, from streams that no study's world uses.

Keys are ``<domain>-<number>`` under purposes that begin with ``instrument``; :mod:`clipsonic_eval.toyworld.write`
uses other purposes. Pictures pass through JPEG and an occasional change of scale, so that the towers know what
compressed web pictures and decoded video frames look like.
"""

from __future__ import annotations

import concurrent.futures
import io
import multiprocessing
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from PIL import Image

from clipsonic_eval import threads, toyworld
from clipsonic_eval.arraytypes import Float32, UInt8
from clipsonic_eval.encoders.toy.frontend import log_mel, square
from clipsonic_eval.progress import SILENT, Progress
from clipsonic_eval.seeds import stream

_CHUNK: Final = 500


@dataclass(frozen=True)
class Pictures:
    """Pictures with their scenes and captions.

    Attributes:
        pixels: (n, 48, 48, 3) uint8, degraded by JPEG.
        captions: per picture, several captions of it.
        scenes: what is in them.
    """

    pixels: UInt8
    captions: tuple[tuple[str, ...], ...]
    scenes: tuple[toyworld.Scene, ...]


@dataclass(frozen=True)
class Sounds:
    """Sounds with their scenes and captions.

    Attributes:
        waves: (n, 15360) float32 at 16 kHz.
        captions: per sound, several captions of it (half of them name visual details, as the prompts of a study do).
        scenes: what is in them.
    """

    waves: Float32
    captions: tuple[tuple[str, ...], ...]
    scenes: tuple[toyworld.Scene, ...]

    def mels(self) -> Float32:
        """Return the log-mels, (n, 1, 64, 96)."""
        return log_mel(self.waves)


def _degrade(picture: UInt8, rng: np.random.Generator) -> UInt8:
    """Compress and decompress; every third picture also loses resolution first."""
    image = Image.fromarray(picture)
    if rng.random() < 0.33:
        side = int(rng.integers(36, 64))
        image = image.resize((side, side), Image.Resampling.BILINEAR).resize(image.size, Image.Resampling.BILINEAR)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=int(rng.integers(30, 95)))
    return np.asarray(Image.open(buffer).convert("RGB"))


def _pictures(job: tuple[int, str, str, int, int, int]) -> Pictures:
    seed, purpose, domain, start, stop, n_captions = job
    pixels, captions, scenes = [], [], []
    for k in range(start, stop):
        rng = stream(seed, f"{domain}-{k}", purpose)
        scene = toyworld.sample_scene(rng, domain)  # type: ignore[arg-type]
        pixels.append(square(_degrade(toyworld.render_picture(scene, rng), rng)))
        captions.append(tuple(toyworld.caption(scene, rng) for _ in range(n_captions)))
        scenes.append(scene)
    return Pictures(np.stack(pixels), tuple(captions), tuple(scenes))


def _sounds(job: tuple[int, str, str, int, int, int]) -> Sounds:
    seed, purpose, domain, start, stop, n_captions = job
    waves, captions, scenes = [], [], []
    for k in range(start, stop):
        rng = stream(seed, f"{domain}-{k}", purpose)
        scene = toyworld.sample_scene(rng, domain)  # type: ignore[arg-type]
        waves.append(toyworld.render_sound(scene, rng))
        styles = ("audio", "full") * (-(-n_captions // 2))
        captions.append(tuple(toyworld.caption(scene, rng, style=s) for s in styles[:n_captions]))  # type: ignore[arg-type]
        scenes.append(scene)
    return Sounds(np.stack(waves), tuple(captions), tuple(scenes))


def _jobs(n: int, seed: int, purpose: str, domain: str, captions: int) -> list[tuple[int, str, str, int, int, int]]:
    return [(seed, purpose, domain, k, min(n, k + _CHUNK), captions) for k in range(0, n, _CHUNK)]


def _pool(workers: int) -> concurrent.futures.ProcessPoolExecutor:
    return concurrent.futures.ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), threads.keep_one)


def pictures(
    n: int,
    *,
    seed: int,
    purpose: str = "instrument-pictures",
    domain: toyworld.Domain = "web",
    captions: int = 4,
    workers: int = 2,
    progress: Progress = SILENT,
) -> Pictures:
    """Render n pictures with captions; the result depends on the seed, the purpose and the domain only."""
    jobs = _jobs(n, seed, purpose, domain, captions)
    parts: Sequence[Pictures]
    if workers < 2 or len(jobs) < 2:
        parts = [_pictures(j) for j in progress.track(jobs, label=f"render {domain} pictures")]
    else:
        with _pool(workers) as pool:
            done = pool.map(_pictures, jobs)
            parts = list(progress.track(done, label=f"render {domain} pictures", total=len(jobs)))
    return Pictures(
        np.concatenate([p.pixels for p in parts]),
        tuple(c for p in parts for c in p.captions),
        tuple(s for p in parts for s in p.scenes),
    )


def sounds(
    n: int,
    *,
    seed: int,
    purpose: str = "instrument-sounds",
    domain: toyworld.Domain = "web",
    captions: int = 4,
    workers: int = 2,
    progress: Progress = SILENT,
) -> Sounds:
    """Render n sounds with captions; the result depends on the seed, the purpose and the domain only."""
    jobs = _jobs(n, seed, purpose, domain, captions)
    parts: Sequence[Sounds]
    if workers < 2 or len(jobs) < 2:
        parts = [_sounds(j) for j in progress.track(jobs, label=f"render {domain} sounds")]
    else:
        with _pool(workers) as pool:
            done = pool.map(_sounds, jobs)
            parts = list(progress.track(done, label=f"render {domain} sounds", total=len(jobs)))
    return Sounds(
        np.concatenate([p.waves for p in parts]),
        tuple(c for p in parts for c in p.captions),
        tuple(s for p in parts for s in p.scenes),
    )
