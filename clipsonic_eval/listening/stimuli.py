"""The sounds of a listening test as listeners hear them: one loudness, one format, random names.

Every sound becomes a wav of 16 bits at one sample rate. The sounds of one query are cut to the shortest of them, so
that neither the length nor the size of a file tells whose it is; all files carry the same date. Each gets one gain to
-23 LUFS, or as near as a true peak of -1 dB allows. Names are drawn from a secret of the folder.

Queries are made one by one, and what is finished is kept.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from clipsonic_eval import seeds
from clipsonic_eval.arraytypes import Float32
from clipsonic_eval.errors import UserError
from clipsonic_eval.files import read_json, write_json
from clipsonic_eval.listening import sounds
from clipsonic_eval.listening.plan import ListeningPlan
from clipsonic_eval.listening.protocols import LOW_PASSED, NOISE
from clipsonic_eval.listening.sources import highest_rate, read_source
from clipsonic_eval.listening.stimulus_writer import Row, StimulusWriter
from clipsonic_eval.progress import Progress
from clipsonic_eval.types import Query, Skip

_DONE: Final = "done"


def make(
    plan: ListeningPlan, root: Path, rate: int | None, channels: int, progress: Progress
) -> tuple[list[Row], list[Skip]]:
    """Write all sounds and pictures of a test.

    Args:
        plan: of the test.
        root: folder of the test.
        rate: Hz of all sounds; None: the highest among them.
        channels: 1 or 2.
        progress: shows the queries.

    Returns:
        (rows of ``stimuli.csv``, sounds that cannot be used, by query).
    """
    writer = StimulusWriter(root, rate or highest_rate(plan))
    rows: list[Row] = []
    refused: list[Skip] = []
    for place, query in enumerate(progress.track(plan.queries, label="build", total=len(plan.queries))):
        done = root / _DONE / f"{place}.json"
        if not done.exists():
            found, wrong = _of_query(plan, query, writer, channels)
            refused += wrong
            if wrong:
                continue
            write_json(done, found)
        rows += read_json(done)
    if refused:
        return [], refused
    rows += [writer.save(*one) for one in sounds.of_checks(writer.rate)]
    return [*rows, writer.level(*sounds.of_volume(writer.rate), "noise")], []


def _of_query(plan: ListeningPlan, query: Query, writer: StimulusWriter, channels: int) -> tuple[list[Row], list[Skip]]:
    """Write the sounds of a query; return their rows, and what is wrong with which."""
    found: dict[str, Float32] = {}
    rows: list[Row] = []
    refused: list[Skip] = []
    sources = {condition: plan.sources(condition, query.key) for condition in plan.conditions()}
    for condition, source in sources.items():
        with _refusing(query.key, refused):
            if source is not None:
                sound = read_source(source, channels, writer.rate)
                found[condition] = sounds.low_pass(sound, writer.rate) if condition == LOW_PASSED else sound
    if refused:
        return [], refused
    lengths = {condition: sound.shape[1] for condition, sound in found.items()}
    n = min(lengths.values())
    heard = dict(zip(found, sounds.cut(list(found.values()), writer.rate), strict=True))
    if NOISE in sources:
        heard[NOISE] = sounds.white_noise(channels, n, seeds.stream(plan.seed, query.key, "listening-noise"))
    for condition, sound in heard.items():
        source = sources[condition]
        about = {
            "cut_s": round((lengths.get(condition, n) - n) / writer.rate, 3),
            "source_sha256": source.sha256 if source else "",
        }
        with _refusing(query.key, refused):
            rows.append(writer.level(condition, query.key, sound, str(source.path) if source else condition) | about)
    if plan.query == "image" and query.image is not None:
        with _refusing(query.key, refused):
            rows.append(writer.picture(query.key, query.image))
    return rows, refused


@contextlib.contextmanager
def _refusing(query: str, refused: list[Skip]) -> Iterator[None]:
    try:
        yield
    except UserError as error:
        refused.append(Skip(query, str(error)))
