"""The data of the study: a toy world written as media files, and clips prepared from it as from any videos."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from clipsonic_eval.clips import PrepareConfig, Source, prepare
from clipsonic_eval.config import as_tree
from clipsonic_eval.errors import UserError
from clipsonic_eval.study.config import StudyConfig
from clipsonic_eval.study.layout import Layout
from clipsonic_eval.study.study import Study
from clipsonic_eval.toyworld import RATE, SAMPLES
from clipsonic_eval.toyworld.write import write_world

WINDOW_S = SAMPLES / RATE
REFERENCES: Final = {"val": "val_reference", "test": "reference"}  # with which the samples of a split are compared


def make_data(study: Study) -> None:
    """Write the toy world and prepare its clips, or what is missing of them."""
    config, layout = study.config, study.layout
    world = {k: v for k, v in as_tree(config.world).items() if k != "workers"}
    study.stages.run(
        layout.world,
        "write the toy world as .mp4 files",
        world,
        lambda: write_world(config.world, layout.world, study.progress),
    )
    for part, source, with_frames in sources(config, layout):
        settings: dict[str, Any] = {"duration_s": WINDOW_S, "window": "first", "shard_size": 256}
        settings["image_encoder"] = "toy-clip" if with_frames else None
        settings |= {"encoder_weights": config.clip_weights} if with_frames else {}
        prepared = PrepareConfig(**settings)
        study.stages.run(
            layout.clips(part),
            f"prepare clips: {part}",
            [world, prepared.identity(), str(config.clip_weights)],
            partial(_prepare, study, source, part, prepared),
        )


def sources(config: StudyConfig, layout: Layout) -> list[tuple[str, Source, bool]]:
    """List the parts of the data: name, source, whether frames are embedded. The training videos have no captions."""
    pairs = [("pairs", Source(layout.world, "manifest", csv=layout.world / "pairs.csv"), False)]
    held_out = [(s, Source(layout.world, "manifest", csv=layout.queries(s)), True) for s in ("val", "test")]
    return [
        ("videos", Source(layout.world / "videos"), True),
        *(pairs if config.supervised else []),
        *held_out,
        *((part, Source(layout.world, "manifest", csv=layout.queries(part)), False) for part in REFERENCES.values()),
    ]


def _prepare(study: Study, source: Source, part: str, config: PrepareConfig) -> None:
    done = prepare(source, study.layout.clips(part), config, progress=study.progress)
    if done.skipped:  # the files are our own: one that cannot be used is a fault
        key, path, reason = done.skipped[0]
        raise UserError(
            f"{path}: {len(done.skipped)} of the study's own files cannot be used, the first ({key}) because: "
            f"{reason}; remove {study.layout.root} and start again"
        )
