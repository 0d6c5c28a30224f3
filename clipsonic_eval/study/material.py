"""The study's material: a world written as media files, and clips prepared from it as from anybody's videos."""

from __future__ import annotations

from functools import partial
from typing import Any

from clipsonic_eval.clips import PrepareConfig, Source, prepare
from clipsonic_eval.config import as_tree
from clipsonic_eval.errors import UserError
from clipsonic_eval.progress import Progress
from clipsonic_eval.study.config import StudyConfig
from clipsonic_eval.study.layout import Layout
from clipsonic_eval.study.stages import Stages
from clipsonic_eval.toyworld import RATE, SAMPLES
from clipsonic_eval.toyworld.write import write_world

WINDOW_S = SAMPLES / RATE


def make_material(config: StudyConfig, at: Layout, stages: Stages, progress: Progress) -> None:
    """Write the world and prepare its clips, or whatever is missing of them."""
    world = {k: v for k, v in as_tree(config.world).items() if k != "workers"}
    stages.run(
        at.world, "write the toy world as .mp4 files", world, lambda: write_world(config.world, at.world, progress)
    )
    for part, source, seen in sources(config, at):
        settings: dict[str, Any] = {"duration_s": WINDOW_S, "window": "first", "shard_size": 256}
        settings |= {"image_encoder": "toy-clip", "encoder_weights": config.clip_weights} if seen else _SOUND_ALONE
        prepared = PrepareConfig(**settings)
        stages.run(
            at.clips(part),
            f"prepare clips: {part}",
            [world, prepared.identity(), str(config.clip_weights)],
            partial(_prepare, source, at, part, prepared, progress),
        )


_SOUND_ALONE: dict[str, Any] = {"image_encoder": None}


def sources(config: StudyConfig, at: Layout) -> list[tuple[str, Source, bool]]:
    """Return part, source and whether its pictures are looked at. The training videos come without any text."""
    pairs = [("pairs", Source(at.world, "manifest", csv=at.world / "pairs.csv"), False)]
    held_out = [(s, Source(at.world, "manifest", csv=at.queries(s)), True) for s in ("val", "test")]
    return [
        ("videos", Source(at.world / "videos"), True),
        *(pairs if config.supervised else []),
        *held_out,
        ("reference", Source(at.world, "manifest", csv=at.world / "reference.csv"), False),
    ]


def _prepare(source: Source, at: Layout, part: str, config: PrepareConfig, progress: Progress) -> None:
    done = prepare(source, at.clips(part), config, progress=progress)
    if done.skipped:  # the world is ours: a clip that cannot be used is a fault, not material
        key, path, reason = done.skipped[0]
        raise UserError(
            f"{path}: {len(done.skipped)} of the study's own files cannot be used, the first ({key}) because: "
            f"{reason}; remove {at.root} and start again"
        )
