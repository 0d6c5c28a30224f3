"""Items of the toy world: each is drawn from streams of its own and written as one media file or row of a shard."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from clipsonic_eval.atomic import replacing
from clipsonic_eval.media.encode import write_audio, write_video
from clipsonic_eval.seeds import stream
from clipsonic_eval.toyworld.captions import caption
from clipsonic_eval.toyworld.frames import render_frames, render_image
from clipsonic_eval.toyworld.scene import Domain, Scene, sample_scene
from clipsonic_eval.toyworld.sounds import RATE, render_sound

SHARD: Final = 2000  # images per Parquet shard
_FRAMES: Final = 5
_FPS: Final = 5
_HEARD: Final = ("pairs", "val_reference", "reference")  # parts of which only the sound is used: no pictures


def scene_of(part: str, key: str, seed: int) -> Scene:
    """Return the scene of an item."""
    domain: Domain = "web" if part == "pictures" else "video"
    return sample_scene(stream(seed, key, "toyworld-scene"), domain)


def caption_of(part: str, key: str, seed: int) -> str:
    """Return the caption of an item; that of a pair speaks of what is heard."""
    style = "audio" if part == "pairs" else "full"
    return caption(scene_of(part, key, seed), stream(seed, key, "toyworld-caption"), style=style)  # type: ignore[arg-type]


def path_of(part: str, key: str) -> str:
    """Return the path of an item's media file in the folder of the world."""
    return f"{part}/{key}.{'m4a' if part in _HEARD else 'mp4'}"


def _write_media(part: str, keys: Sequence[str], seed: int, out: Path) -> None:
    """Write the files of some items that are not there yet."""
    for key in keys:
        path = out / path_of(part, key)
        if path.exists():
            continue
        scene = scene_of(part, key, seed)
        sound = render_sound(scene, stream(seed, key, "toyworld-sound"))
        if part in _HEARD:
            write_audio(path, sound, RATE)
        else:
            frames = render_frames(scene, stream(seed, key, "toyworld-picture"), _FRAMES)
            write_video(path, frames, _FPS, sound, RATE)


def _write_shard(keys: Sequence[str], seed: int, out: Path) -> None:
    """Write one Parquet shard of images unless it is there."""
    path = out / "pictures" / f"shard-{int(keys[0].rpartition('-')[2]) // SHARD:04d}.parquet"
    if path.exists():
        return
    import pyarrow
    import pyarrow.parquet
    from PIL import Image

    images = []
    for key in keys:
        rng = stream(seed, key, "toyworld-picture")
        buffer = io.BytesIO()
        image = render_image(scene_of("pictures", key, seed), rng)
        Image.fromarray(image).save(buffer, "JPEG", quality=int(rng.integers(60, 95)))
        images.append(buffer.getvalue())
    captions = [caption_of("pictures", key, seed) for key in keys]
    table = pyarrow.table({"key": list(keys), "image": images, "caption": captions})
    with replacing(path) as temporary:
        pyarrow.parquet.write_table(table, temporary, write_page_checksum=True)


def write_items(part: str, keys: Sequence[str], seed: int, out: Path) -> int:
    """Write some items of a part that are not there yet: media files, or one Parquet shard of images.

    Args:
        part: ``videos``, ``pictures``, ``pairs``, or a held-out set.
        keys: of the items; those of one shard where the part is ``pictures``.
        seed: of the world.
        out: folder of the world.

    Returns:
        How many items these are.
    """
    if part == "pictures":
        _write_shard(keys, seed, out)
    else:
        _write_media(part, keys, seed, out)
    return len(keys)
