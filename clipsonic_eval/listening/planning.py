"""``listen plan``: as many listeners as a wanted precision takes, the plan, and what it can tell."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import NamedTuple

from clipsonic_eval import filenames, outputs
from clipsonic_eval.config import as_tree
from clipsonic_eval.files import write_csv
from clipsonic_eval.listening import size
from clipsonic_eval.listening.make import ListeningConfig, make
from clipsonic_eval.listening.plan import ListeningPlan
from clipsonic_eval.media.audio import read_audio
from clipsonic_eval.progress import SILENT, Progress
from clipsonic_eval.stats.crossed import VarianceComponents
from clipsonic_eval.types import Skip


class PlannedTest(NamedTuple):
    """A plan and what it can tell.

    Attributes:
        plan: of the test.
        skipped: queries that were left out.
        precision: of its ratings; None where it has none.
        minutes: of a session.
    """

    plan: ListeningPlan
    skipped: tuple[Skip, ...]
    precision: size.Precision | None
    minutes: float


def settle(
    config: ListeningConfig,
    *,
    half_width: float | None = None,
    difference: float | None = None,
    components: VarianceComponents = size.TYPICAL,
    progress: Progress = SILENT,
) -> PlannedTest:
    """Make a plan and predict what it can tell.

    Args:
        config: settings.
        half_width: wanted of the interval of a mean opinion; the plan then has as many listeners as that takes.
        difference: of two systems that is to be found; the same.
        components: variances of listeners, clips and the rest.
        progress: shows the hashing of the sounds.

    Raises:
        UserError: no plan can be made, or no number of listeners reaches what is wanted.
    """
    made, skipped = make(config, progress=progress)
    counts = len(made.systems), len(made.queries), config.clips
    if half_width is not None or difference is not None:
        needed = size.smallest(*counts, half_width=half_width, difference=difference, components=components)
        made = dataclasses.replace(made, listeners=needed.listeners)
    rated = any(protocol.layout == "rating" for protocol in made.protocols.values())
    found = size.precision(*counts, made.listeners, components) if rated else None
    first = made.sounds[made.systems[0]][made.queries[0].key]
    minutes = size.minutes(made, read_audio(first.path).duration_s)
    return PlannedTest(made, tuple(skipped), found, minutes)


def write(planned: PlannedTest, config: ListeningConfig, out: Path, *, overwrite: bool = False) -> Path:
    """Write ``plan.json`` and ``skipped.csv`` into a folder; return the path of the plan.

    Args:
        planned: the plan.
        config: that it was made from.
        out: the folder.
        overwrite: replace another plan in it.

    Raises:
        UserError: ``out`` holds something else.
    """
    identity = {**as_tree(config), "listeners": planned.plan.listeners, "plan": planned.plan.id}
    with outputs.claim(out, "listen plan", identity, overwrite=overwrite):
        planned.plan.write(out / filenames.PLAN)
        write_csv(out / filenames.SKIPPED, ("key", "reason"), [(skip.key, skip.reason) for skip in planned.skipped])
    return out / filenames.PLAN
