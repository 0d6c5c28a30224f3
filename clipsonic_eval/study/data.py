"""The data of the study: a toy world written as media files, and clips prepared from it as from any videos."""

from __future__ import annotations

import dataclasses
from functools import partial
from pathlib import Path
from typing import Any, Final

from clipsonic_eval.clips import PrepareConfig, Source, prepare
from clipsonic_eval.config import as_tree
from clipsonic_eval.errors import UserError
from clipsonic_eval.progress import Progress
from clipsonic_eval.study.config import StudyConfig
from clipsonic_eval.study.layout import Layout
from clipsonic_eval.study.stage import Stage
from clipsonic_eval.toyworld import RATE, SAMPLES
from clipsonic_eval.toyworld.write import write_world

WINDOW_S = SAMPLES / RATE
REFERENCES: Final = {"val": "val_reference", "test": "reference"}  # with which the samples of a split are compared
HELD_OUT: Final = (*REFERENCES, *REFERENCES.values())


def world(config: StudyConfig, layout: Layout) -> Stage:
    """Return the stage that writes the toy world, with processes of its own."""
    write = partial(_write, config, layout)
    return Stage(layout.world, "write the toy world as media files", world_identity(config), write)


def preparations(config: StudyConfig, layout: Layout) -> list[Stage]:
    """List the stages that prepare the clips of each part; the largest part is first."""
    found = []
    for part, source, with_frames in sources(config, layout):
        settings: dict[str, Any] = {"duration_s": WINDOW_S, "window": "first", "shard_size": 256, "workers": 0}
        settings["image_encoder"] = "toy-clip" if with_frames else None
        settings |= {"encoder_weights": config.clip_weights} if with_frames else {}
        prepared = PrepareConfig(**settings)
        fingerprint = [world_identity(config), prepared.identity(), str(config.clip_weights)]
        work = partial(_prepare, source, layout.clips(part), prepared)
        found.append(Stage(layout.clips(part), f"prepare clips: {part}", fingerprint, work, (layout.world,)))
    return found


def world_identity(config: StudyConfig) -> dict[str, Any]:
    """Return everything that decides the contents of the world."""
    return {k: v for k, v in as_tree(config.world).items() if k != "workers"}


def sources(config: StudyConfig, layout: Layout) -> list[tuple[str, Source, bool]]:
    """List the parts of the data: name, source, whether frames are embedded. The training videos have no captions."""

    def listed(part: str) -> Source:
        return Source(layout.world, "manifest", csv=layout.queries(part))

    splits = list(REFERENCES) if len(config.guidance_scales) > 1 else ["test"]  # one scale: nothing to choose on val
    return [
        ("videos", Source(layout.world / "videos"), True),
        *([("pairs", listed("pairs"), False)] if config.supervised else []),
        *((split, listed(split), True) for split in splits),
        *((REFERENCES[split], listed(REFERENCES[split]), False) for split in splits),
    ]


def _write(config: StudyConfig, layout: Layout, progress: Progress) -> None:
    write_world(dataclasses.replace(config.world, workers=config.processes), layout.world, progress)


def _prepare(source: Source, out: Path, config: PrepareConfig, progress: Progress) -> None:
    done = prepare(source, out, config, progress=progress)
    if done.skipped:  # the files are our own: one that cannot be used is a fault
        key, path, reason = done.skipped[0]
        raise UserError(
            f"{path}: {len(done.skipped)} of the study's own files cannot be used, the first ({key}) because: "
            f"{reason}; remove {out.parent.parent} and start again"
        )
