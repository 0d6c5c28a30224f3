"""Training data of the toy encoders: images and sounds rendered in memory, from random streams that no study uses.

Keys are ``<domain>-<number>`` under purposes that begin with ``instrument``; :mod:`clipsonic_eval.toyworld.write` uses
other purposes. Images pass through JPEG and an occasional loss of resolution, so that the towers know compressed web
images and decoded video frames.
"""

from __future__ import annotations

import concurrent.futures
import io
import multiprocessing
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np
from PIL import Image

from clipsonic_eval import toyworld
from clipsonic_eval.arraytypes import AnyArray, UInt8
from clipsonic_eval.encoders.toy.frontend import SQUARE
from clipsonic_eval.encoders.toy.tokenizer import Vocabulary
from clipsonic_eval.engines import begin_worker
from clipsonic_eval.progress import SILENT, Progress
from clipsonic_eval.seeds import stream

_CHUNK: Final = 500  # items per job


@dataclass(frozen=True)
class RenderedPairs:
    """Rendered images or sounds with their captions and scenes.

    Attributes:
        inputs: images (n, 48, 48, 3) uint8, degraded by JPEG; or sounds (n, 15360) float32 at 16 kHz.
        captions: several per item; of a sound's, every second one names visual details, as the prompts of a study do.
        scenes: what was rendered.
    """

    inputs: AnyArray
    captions: tuple[tuple[str, ...], ...]
    scenes: tuple[toyworld.Scene, ...]

    @property
    def labels(self) -> AnyArray:
        """Number of the sound source, (n,) integers."""
        return np.array([scene.label for scene in self.scenes])

    @property
    def sizes(self) -> AnyArray:
        """Drawn size of the objects, (n,) float64."""
        return np.array([scene.size for scene in self.scenes])

    @property
    def counts(self) -> AnyArray:
        """Number of objects, (n,) integers from 1 to 3."""
        return np.array([scene.count for scene in self.scenes])

    def vocabulary(self) -> Vocabulary:
        """Return the vocabulary of all captions."""
        return Vocabulary.of(caption for captions in self.captions for caption in captions)

    def column(self, k: int) -> list[str]:
        """Return the k-th caption of every item."""
        return [captions[k] for captions in self.captions]


def images(
    n: int,
    *,
    seed: int,
    purpose: str = "instrument-pictures",
    domain: toyworld.Domain = "web",
    captions: int = 4,
    workers: int = 2,
    progress: Progress = SILENT,
) -> RenderedPairs:
    """Render images with captions; an item depends on the seed, the purpose, the domain and its number only.

    Args:
        n: number of images.
        seed: of the streams.
        purpose: of the streams.
        domain: of the scenes.
        captions: per image.
        workers: processes.
        progress: counts the jobs.
    """
    job = partial(_render, _image_and_captions, seed, purpose, domain, captions)
    return _collected(job, n, workers, progress, f"render {domain} images")


def sounds(
    n: int,
    *,
    seed: int,
    purpose: str = "instrument-sounds",
    domain: toyworld.Domain = "web",
    captions: int = 4,
    workers: int = 2,
    progress: Progress = SILENT,
) -> RenderedPairs:
    """Render sounds with captions; arguments and independence as of :func:`images`."""
    job = partial(_render, _sound_and_captions, seed, purpose, domain, captions)
    return _collected(job, n, workers, progress, f"render {domain} sounds")


def _image_and_captions(
    scene: toyworld.Scene, rng: np.random.Generator, captions: int
) -> tuple[AnyArray, tuple[str, ...]]:
    image = SQUARE.cut(_degraded(toyworld.render_image(scene, rng), rng))
    return image, tuple(toyworld.caption(scene, rng) for _ in range(captions))


def _sound_and_captions(
    scene: toyworld.Scene, rng: np.random.Generator, captions: int
) -> tuple[AnyArray, tuple[str, ...]]:
    wave = toyworld.render_sound(scene, rng)
    return wave, tuple(toyworld.caption(scene, rng, style="full" if k % 2 else "audio") for k in range(captions))


def _degraded(image: UInt8, rng: np.random.Generator) -> UInt8:
    """Compress and decompress an image; every third one also loses resolution first."""
    pil = Image.fromarray(image)
    if rng.random() < 0.33:
        side = int(rng.integers(36, 64))
        small = pil.resize((side, side), Image.Resampling.BILINEAR)
        pil = small.resize(pil.size, Image.Resampling.BILINEAR)
    buffer = io.BytesIO()
    pil.save(buffer, "JPEG", quality=int(rng.integers(30, 95)))
    return np.asarray(Image.open(buffer).convert("RGB"))


def _render(
    item: Callable[[toyworld.Scene, np.random.Generator, int], tuple[AnyArray, tuple[str, ...]]],
    seed: int,
    purpose: str,
    domain: toyworld.Domain,
    captions: int,
    numbers: range,
) -> RenderedPairs:
    """Render the items with some numbers, each from a stream of its own."""
    found: list[Any] = []
    for k in numbers:
        rng = stream(seed, f"{domain}-{k}", purpose)
        scene = toyworld.sample_scene(rng, domain)
        found.append((*item(scene, rng, captions), scene))
    arrays, texts, scenes = zip(*found, strict=True)
    return RenderedPairs(np.stack(arrays), texts, scenes)


def _collected(
    job: Callable[[range], RenderedPairs], n: int, workers: int, progress: Progress, label: str
) -> RenderedPairs:
    """Run a job over n numbers, in processes where that pays."""
    chunks = [range(k, min(n, k + _CHUNK)) for k in range(0, n, _CHUNK)]
    parts: Sequence[RenderedPairs]
    if workers < 2 or len(chunks) < 2:
        parts = [job(chunk) for chunk in progress.track(chunks, label=label)]
    else:
        spawned = multiprocessing.get_context("spawn")
        with concurrent.futures.ProcessPoolExecutor(workers, spawned, begin_worker) as pool:
            parts = list(progress.track(pool.map(job, chunks), label=label, total=len(chunks)))
    return RenderedPairs(
        np.concatenate([part.inputs for part in parts]),
        tuple(captions for part in parts for captions in part.captions),
        tuple(scene for part in parts for scene in part.scenes),
    )
