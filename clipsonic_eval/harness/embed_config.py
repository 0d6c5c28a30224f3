"""Settings of ``embed``, and how its work is dealt to processes and tasks."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from clipsonic_eval import engines
from clipsonic_eval.config import coerce
from clipsonic_eval.errors import UserError, unknown_name
from clipsonic_eval.progress import Progress


@dataclass(frozen=True, slots=True)
class EmbedConfig:
    """Settings of ``embed``.

    Attributes:
        folders: of media files, of a system's wavs, or of prepared clips.
        encoders: names of encoders and of conventions (``fad/fadtk``), which bring their own preprocessing.
        weights: weight file by these names, where an encoder's own is not meant.
        share: (i, n): every n-th clip of each folder from the i-th on, i in 1..n.
        batch_size: clips that an encoder gets at once.
        workers: threads that decode.
        device: of the encoders; under torchrun, ``cuda`` is the process's own GPU.
        cache: folder of the embedding cache; None: the user's.
        processes: parts that the share is dealt to, each in a process of its own.
        engine: where these processes run: on this machine, or as tasks of Ray Core (which see the same folders).
        gpus_per_task: with Ray, GPUs of a task, or the share of one; 0: on the CPU.
        statistics: .npz file for the mean and covariance of all clips of all folders, which ``evaluate`` takes as a
            reference; needs exactly one encoder.
    """

    folders: tuple[Path, ...]
    encoders: tuple[str, ...]
    weights: dict[str, Path] = dataclasses.field(default_factory=dict)
    share: tuple[int, int] = (1, 1)
    batch_size: int = 64
    workers: int = 2
    device: str = "cpu"
    cache: Path | None = None
    processes: int = 1
    engine: engines.Engine = "local"
    gpus_per_task: float = 0.0
    statistics: Path | None = None

    def __post_init__(self) -> None:
        coerce(self)
        engines.check_gpus(self.engine, self.device, self.gpus_per_task)
        if not self.folders or not self.encoders:
            raise UserError("embed needs at least one folder and one encoder")
        for name in self.weights:
            if name not in self.encoders:
                raise unknown_name("encoder to give weights to", name, self.encoders)
        if not 1 <= self.share[0] <= self.share[1]:
            raise UserError(f"share {self.share[0]}/{self.share[1]}: the first number counts from 1 to the second")
        if self.processes < 1:
            raise UserError(f"processes {self.processes}: at least 1")
        if self.statistics is None:
            return
        if len(self.encoders) != 1 or self.share != (1, 1):
            raise UserError(
                "statistics are of one encoder and of all clips; name one encoder and no share (embeddings of other "
                "processes are found in the cache)"
            )
        if self.statistics.suffix != ".npz":
            raise UserError(f"{self.statistics}: statistics are written as .npz; give a name that ends in .npz")


class Part(NamedTuple):
    """What one process or task embeds."""

    config: EmbedConfig

    def __str__(self) -> str:
        return "share {}/{}".format(*self.config.share)


def run_parts(config: EmbedConfig, cache: Path, work: Callable[[Part], str], progress: Progress) -> None:
    """Fill the cache by the processes or tasks that the settings ask for.

    Args:
        config: settings.
        cache: folder of the cache.
        work: embeds a part; returns why none of its clips is usable, or nothing.
        progress: shows the parts.

    Raises:
        UserError: see :mod:`clipsonic_eval.engines`.
    """
    if config.engine == "ray":
        answers = engines.on_ray(work, _parts(config, cache), gpus=config.gpus_per_task)
    else:
        answers = engines.in_processes(work, _parts(config, cache), config.processes)
    for part, problem in progress.track(answers, label="embed (parts)", total=config.processes):
        if problem:
            progress.note(f"{part}: {problem}")


def _parts(config: EmbedConfig, cache: Path) -> Iterator[Part]:
    """Yield the parts of a share: of every n-th clip, every m-th again."""
    (first, of), m = config.share, config.processes
    alone = dataclasses.replace(
        config,
        folders=tuple(folder.absolute() for folder in config.folders),
        weights={name: file.absolute() for name, file in config.weights.items()},
        cache=cache.absolute(),
        processes=1,
        engine="local",
        device="cuda" if config.engine == "ray" and config.gpus_per_task else config.device,
        gpus_per_task=0.0,
        statistics=None,
    )
    yield from (Part(dataclasses.replace(alone, share=(first + j * of, of * m))) for j in range(m))
