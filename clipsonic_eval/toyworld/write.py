"""Write the toy world as ordinary files: real .mp4 and .m4a, Parquet shards of images, csv tables.

Layout (three disjoint parts and held-out sets, no scene occurs twice):

- ``videos/*.mp4``: the unlabelled training videos, H.264 + AAC. Next to them ``video_labels.csv`` in VGGSound's layout
  (``id,start,label,split``) and ``video_captions.csv`` (``key,caption``); **only the supervised prior (SD) may read
  those two**.
- ``pictures/shard-*.parquet``: image-caption pairs of the web domain without any audio (columns ``key,image,caption``;
  JPEG bytes), the training data of the pretrained prior (PD).
- ``pairs/*.m4a`` with ``pairs.csv`` (``key,path,prompt,label``): audio-caption pairs for the supervised baselines.
- ``val``, ``test``, ``reference``: held-out videos, each folder with a csv ``key,path,prompt,label``.

Every item is drawn from a stream of its own, so that a world is the same on every machine, in any order; a file that
is there is not written again.
"""

from __future__ import annotations

import concurrent.futures
import io
import multiprocessing
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from clipsonic_eval import filenames, threads
from clipsonic_eval.atomic import replacing
from clipsonic_eval.config import as_tree
from clipsonic_eval.errors import ConfigError
from clipsonic_eval.files import read_json, write_csv, write_json
from clipsonic_eval.hashing import config_hash
from clipsonic_eval.media.encode import write_audio, write_video
from clipsonic_eval.progress import SILENT, Progress
from clipsonic_eval.seeds import stream
from clipsonic_eval.toyworld.captions import caption
from clipsonic_eval.toyworld.frames import render_frames, render_image
from clipsonic_eval.toyworld.scene import Domain, Scene, sample_scene
from clipsonic_eval.toyworld.sounds import RATE, render_sound

_FRAMES: Final = 5
_FPS: Final = 5
_CHUNK: Final = 40
_SHARD: Final = 2000
_HELD_OUT: Final = ("val", "test", "reference")


@dataclass(frozen=True)
class WorldConfig:
    """Sizes of a world.

    Attributes:
        seed: of every item.
        videos: unlabelled videos for training.
        pictures: image-caption pairs.
        pairs: audio-caption pairs.
        val: held-out videos for every choice.
        test: held-out videos for the final numbers.
        reference: held-out videos whose sound is the reference of distribution metrics.
        workers: processes; does not change the result.
    """

    seed: int = 0
    videos: int = 4000
    pictures: int = 12000
    pairs: int = 4000
    val: int = 240
    test: int = 480
    reference: int = 960
    workers: int = 2

    def __post_init__(self) -> None:
        for name in ("videos", "pictures", "pairs", "val", "test", "reference"):
            if getattr(self, name) < 0:
                raise ConfigError(f"{name} must be at least 0, got {getattr(self, name)}")
        if self.workers < 1:
            raise ConfigError(f"workers must be at least 1, got {self.workers}")


@dataclass(frozen=True, slots=True)
class _Job:
    part: str
    keys: tuple[str, ...]
    seed: int
    out: Path


def _scene_of(part: str, key: str, seed: int) -> Scene:
    domain: Domain = "web" if part == "pictures" else "video"
    return sample_scene(stream(seed, key, "toyworld-scene"), domain)


def _caption_of(part: str, key: str, seed: int) -> str:
    style = "audio" if part == "pairs" else "full"
    return caption(_scene_of(part, key, seed), stream(seed, key, "toyworld-caption"), style=style)  # type: ignore[arg-type]


def _path_of(part: str, key: str) -> str:
    return f"{part}/{key}.{'m4a' if part == 'pairs' else 'mp4'}"


def _write_media(job: _Job) -> int:
    """Write the files of one job that are not there yet; return how many items the job has."""
    for key in job.keys:
        path = job.out / _path_of(job.part, key)
        if path.exists():
            continue
        scene = _scene_of(job.part, key, job.seed)
        sound = render_sound(scene, stream(job.seed, key, "toyworld-sound"))
        if job.part == "pairs":
            write_audio(path, sound, RATE)
        else:
            frames = render_frames(scene, stream(job.seed, key, "toyworld-picture"), _FRAMES)
            write_video(path, frames, _FPS, sound, RATE)
    return len(job.keys)


def _write_shard(job: _Job) -> int:
    """Write one Parquet shard of images unless it is there."""
    path = job.out / "pictures" / f"shard-{int(job.keys[0].rpartition('-')[2]) // _SHARD:04d}.parquet"
    if path.exists():
        return len(job.keys)
    import pyarrow
    import pyarrow.parquet
    from PIL import Image

    images = []
    for key in job.keys:
        rng = stream(job.seed, key, "toyworld-picture")
        buffer = io.BytesIO()
        image = render_image(_scene_of("pictures", key, job.seed), rng)
        Image.fromarray(image).save(buffer, "JPEG", quality=int(rng.integers(60, 95)))
        images.append(buffer.getvalue())
    captions = [_caption_of("pictures", key, job.seed) for key in job.keys]
    table = pyarrow.table({"key": list(job.keys), "image": images, "caption": captions})
    with replacing(path) as temporary:
        pyarrow.parquet.write_table(table, temporary, write_page_checksum=True)
    return len(job.keys)


def _run(job: _Job) -> int:
    return _write_shard(job) if job.part == "pictures" else _write_media(job)


def _keys(part: str, n: int) -> tuple[str, ...]:
    return tuple(f"{part}-{k:06d}" for k in range(n))


def _write_tables(config: WorldConfig, out: Path) -> None:
    videos = _keys("videos", config.videos)
    labels = [(key, 0, _scene_of("videos", key, config.seed).source, "train") for key in videos]
    write_csv(out / "video_labels.csv", ("id", "start", "label", "split"), labels)
    captions = [(key, _caption_of("videos", key, config.seed)) for key in videos]
    write_csv(out / "video_captions.csv", ("key", "caption"), captions)
    for part in (*_HELD_OUT, "pairs"):
        rows = [
            (key, _path_of(part, key), _caption_of(part, key, config.seed), _scene_of(part, key, config.seed).source)
            for key in _keys(part, getattr(config, part))
        ]
        write_csv(out / f"{part}.csv", ("key", "path", "prompt", "label"), rows)


def _jobs(config: WorldConfig, out: Path) -> list[_Job]:
    jobs = []
    for part in ("videos", "pairs", *_HELD_OUT, "pictures"):
        keys = _keys(part, getattr(config, part))
        length = _SHARD if part == "pictures" else _CHUNK
        jobs += [_Job(part, keys[k : k + length], config.seed, out) for k in range(0, len(keys), length)]
    return jobs


def _one_by_one(done: Iterable[int]) -> Iterator[None]:
    for items in done:
        yield from [None] * items


def write_world(config: WorldConfig, out: Path, progress: Progress = SILENT) -> Path:
    """Write the world, or what is missing of it.

    Args:
        config: sizes and seed.
        out: the folder; holding a world of other sizes or another seed is an error.
        progress: one tick per item.

    Returns:
        ``out``.

    Raises:
        ConfigError: ``out`` holds another world.
    """
    tree = {k: v for k, v in as_tree(config).items() if k != "workers"}
    card = out / filenames.WORLD
    _check_same(card, config_hash(tree))
    write_json(card, {"config": tree, "config_hash": config_hash(tree)})
    _write_tables(config, out)
    jobs = _jobs(config, out)
    total = sum(len(job.keys) for job in jobs)
    if config.workers == 1 or total < 2 * _CHUNK:
        for _ in progress.track(_one_by_one(map(_run, jobs)), label="write the toy world", total=total):
            pass
        return out
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(config.workers, context, threads.keep_one) as pool:
        done = _one_by_one(pool.map(_run, jobs))
        for _ in progress.track(done, label="write the toy world", total=total):
            pass
    return out


def _check_same(card: Path, expected: str) -> None:
    if not card.exists():
        return
    found = read_json(card, ConfigError, fix="choose another folder")
    if not isinstance(found, dict) or found.get("config_hash") != expected:
        raise ConfigError(f"{card}: the folder holds a toy world of another size or seed; choose another folder")
