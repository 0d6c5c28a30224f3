"""Write the toy world as ordinary files: real .mp4 and .m4a, Parquet shards of images, csv tables.

Layout (three disjoint parts and held-out sets, no scene occurs twice):

- ``videos/*.mp4``: the unlabelled training videos, H.264 + AAC. Next to them ``video_labels.csv`` in VGGSound's layout
  (``id,start,label,split``) and ``video_captions.csv`` (``key,caption``); **only the supervised prior (SD) may read
  those two**. ``video_attributes.csv`` (``key,label,count,size``) says what they show, for probes of embeddings.
- ``pictures/shard-*.parquet``: image-caption pairs of the web domain without any audio (columns ``key,image,caption``;
  JPEG bytes), the training data of the pretrained prior (PD).
- ``pairs/*.m4a`` with ``pairs.csv`` (columns as below): audio-caption pairs for the supervised baselines.
- ``val``, ``test``: held-out videos; ``val_reference``, ``reference``: the sound of further ones, with which these are
  compared (.m4a); each folder with a csv ``key,path,prompt,label,count,size``.

Every item is drawn from a stream of its own, so that a world is the same on every machine, in any order; a file that
is there is not written again.
"""

from __future__ import annotations

import concurrent.futures
import itertools
import multiprocessing
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from clipsonic_eval import filenames
from clipsonic_eval.config import as_tree
from clipsonic_eval.engines import begin_worker
from clipsonic_eval.errors import ConfigError
from clipsonic_eval.files import read_json, write_csv, write_json
from clipsonic_eval.hashing import config_hash
from clipsonic_eval.progress import SILENT, Progress
from clipsonic_eval.toyworld.items import SHARD, caption_of, path_of, scene_of, write_items

_CHUNK: Final = 40
_HELD_OUT: Final = ("val", "test", "val_reference", "reference")


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
        val_reference: held-out sounds, the reference of distribution metrics on ``val``.
        reference: held-out sounds, the reference of distribution metrics on ``test``.
        workers: processes; does not change the result.
    """

    seed: int = 0
    videos: int = 4000
    pictures: int = 12000
    pairs: int = 4000
    val: int = 480
    test: int = 480
    val_reference: int = 960
    reference: int = 960
    workers: int = 2

    def __post_init__(self) -> None:
        for name in ("videos", "pictures", "pairs", *_HELD_OUT):
            if getattr(self, name) < 0:
                raise ConfigError(f"{name} must be at least 0, got {getattr(self, name)}")
        if self.workers < 1:
            raise ConfigError(f"workers must be at least 1, got {self.workers}")


def _keys(part: str, n: int) -> tuple[str, ...]:
    return tuple(f"{part}-{k:06d}" for k in range(n))


def _write_tables(config: WorldConfig, out: Path) -> None:
    videos = _keys("videos", config.videos)
    labels = [(key, 0, scene_of("videos", key, config.seed).source, "train") for key in videos]
    write_csv(out / "video_labels.csv", ("id", "start", "label", "split"), labels)
    captions = [(key, caption_of("videos", key, config.seed)) for key in videos]
    write_csv(out / "video_captions.csv", ("key", "caption"), captions)
    shown = [(key, *_shown("videos", key, config.seed)) for key in videos]
    write_csv(out / "video_attributes.csv", ("key", "label", "count", "size"), shown)
    for part in (*_HELD_OUT, "pairs"):
        rows = [
            (key, path_of(part, key), caption_of(part, key, config.seed), *_shown(part, key, config.seed))
            for key in _keys(part, getattr(config, part))
        ]
        write_csv(out / f"{part}.csv", ("key", "path", "prompt", "label", "count", "size"), rows)


def _shown(part: str, key: str, seed: int) -> tuple[str, int, float]:
    """Return what an item shows and lets hear: class, count, size."""
    scene = scene_of(part, key, seed)
    return scene.source, scene.count, round(scene.size, 4)


def _jobs(config: WorldConfig, out: Path) -> list[tuple[str, tuple[str, ...], int, Path]]:
    """Return the arguments of :func:`write_items` for all parts, some items at a time."""
    jobs = []
    for part in ("videos", "pairs", *_HELD_OUT, "pictures"):
        keys = _keys(part, getattr(config, part))
        length = SHARD if part == "pictures" else _CHUNK
        jobs += [(part, keys[k : k + length], config.seed, out) for k in range(0, len(keys), length)]
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
    total = sum(len(keys) for _, keys, _, _ in jobs)
    if config.workers == 1 or total < 2 * _CHUNK:
        for _ in progress.track(
            _one_by_one(itertools.starmap(write_items, jobs)), label="write the toy world", total=total
        ):
            pass
        return out
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(config.workers, context, begin_worker) as pool:
        done = _one_by_one(pool.map(write_items, *zip(*jobs, strict=True)))
        for _ in progress.track(done, label="write the toy world", total=total):
            pass
    return out


def _check_same(card: Path, expected: str) -> None:
    if not card.exists():
        return
    found = read_json(card, ConfigError, fix="choose another folder")
    if not isinstance(found, dict) or found.get("config_hash") != expected:
        raise ConfigError(f"{card}: the folder holds a toy world of another size or seed; choose another folder")
