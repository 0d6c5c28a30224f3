"""A plan from folders of wavs: which queries all systems answered, the hash of every sound."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from clipsonic_eval.config import coerce
from clipsonic_eval.errors import ConfigError, MediaError, UserError, listed, unknown_name
from clipsonic_eval.harness.audio_sets import AudioSet, FileItem, system_set
from clipsonic_eval.harness.queries import read_queries
from clipsonic_eval.hashing import file_sha256
from clipsonic_eval.listening.answers import BETWEEN
from clipsonic_eval.listening.plan import CHECKS, IMAGE_HASH, RULES, ListeningPlan, Sound
from clipsonic_eval.listening.protocols import MOST_SLIDERS, REFERENCE, SPECIAL, QueryKind, protocol_named
from clipsonic_eval.listening.trials import SessionPart
from clipsonic_eval.progress import SILENT, Progress
from clipsonic_eval.types import Query, Skip

if TYPE_CHECKING:
    from clipsonic_eval.harness.queries import QuerySet


@dataclass(frozen=True, slots=True)
class ListeningConfig:
    """Settings of a listening test.

    Attributes:
        systems: folder of wavs by name.
        protocols: names; ratings are asked about the same sounds, the others make parts of their own.
        clips: trials a listener has in a part at most.
        reference: folder of the queries' real recordings.
        prompts: table of the queries; None: those of the systems' ``samples.csv``.
        query: kind of query that is shown, ``text`` or ``image``.
        listeners: that the test is planned for.
        checks: numbers that differ from :data:`~clipsonic_eval.listening.plan.CHECKS`.
        rules: values that differ from :data:`~clipsonic_eval.listening.plan.RULES`.
        seed: of the lists.
    """

    systems: Mapping[str, Path]
    protocols: tuple[str, ...] = ("mos-fidelity", "mos-relevance")
    clips: int = 30
    reference: Path | None = None
    prompts: Path | None = None
    query: QueryKind = "text"
    listeners: int = 20
    checks: Mapping[str, int] = field(default_factory=dict)
    rules: Mapping[str, float] = field(default_factory=dict)
    seed: int = 0

    def __post_init__(self) -> None:
        coerce(self)
        if min(self.listeners, self.clips) < 1:
            raise ConfigError("a listening test needs at least one listener and one clip")
        for given, known in ((self.checks, CHECKS), (self.rules, RULES)):
            for name, value in given.items():
                if name not in known:
                    raise unknown_name("check or rule", name, known)
                if value < 0:
                    raise ConfigError(f"{name}: at least 0, got {value}")


def make(config: ListeningConfig, *, progress: Progress = SILENT) -> tuple[ListeningPlan, list[Skip]]:
    """Make the plan of a listening test.

    Args:
        config: settings.
        progress: shows the hashing.

    Returns:
        The plan, and the queries that were left out because a sound or an image is missing.

    Raises:
        ConfigError: settings that do not fit together.
        UserError: a folder or a table cannot be read, or no query is left.
    """
    parts = _parts(config)
    _check_names(config.systems)
    folders = {**config.systems, **({REFERENCE: config.reference} if config.reference is not None else {})}
    asked = read_queries(config.prompts) if config.prompts is not None else None
    keys = asked.prompts.keys() if asked else None
    sets = {name: system_set(name, folder, keys) for name, folder in folders.items()}
    queries, skipped = _answered(sets, asked, config.query)
    sounds: dict[str, dict[str, Sound]] = {}
    for name, audio in progress.track(sets.items(), label="hash sounds", total=len(sets)):
        items = {item.key: item for item in audio.items}
        sounds[name] = {one.key: _sound(name, items[one.key]) for one in queries}
    plan = ListeningPlan(
        query=config.query,
        parts=parts,
        systems=tuple(config.systems),
        queries=queries,
        sounds=sounds,
        listeners=config.listeners,
        checks={**CHECKS, **config.checks},
        rules={**RULES, **config.rules},
        seed=config.seed,
    )
    return plan, skipped


def _parts(config: ListeningConfig) -> tuple[SessionPart, ...]:
    """Return the parts of the session: ratings together and first, then pairs, then sliders.

    Raises:
        ConfigError: no protocol, one twice, too few or too many systems, or sliders without real recordings.
    """
    known = [protocol_named(name) for name in config.protocols]
    clips, n_systems = config.clips, len(config.systems)
    if not known or len(set(config.protocols)) < len(known):
        raise ConfigError("name each protocol once, e.g. --protocol mos-fidelity --protocol mos-relevance")
    ratings = [one for one in known if one.layout == "rating"]
    ratings.sort(key=lambda one: one.query_shown)  # what is asked before the query is shown comes first
    parts = [SessionPart(tuple(one.name for one in ratings), clips)] if ratings else []
    for layout in ("pair", "sliders"):
        parts += [SessionPart((one.name,), clips) for one in known if one.layout == layout]
    if any(one.layout == "pair" for one in known) and n_systems < 2:
        raise ConfigError("preference compares systems; give at least two")
    if any(one.layout == "sliders" for one in known):
        if config.reference is None:
            raise ConfigError("mushra-like hides the real recording among the systems; give --reference FOLDER")
        if n_systems + 3 > MOST_SLIDERS:
            raise ConfigError(
                f"mushra-like shows {n_systems} systems, the recording and two anchors at once, and more than "
                f"{MOST_SLIDERS} cannot be told apart (BS.1534); give at most {MOST_SLIDERS - 3} systems"
            )
    return tuple(parts)


def _check_names(systems: Mapping[str, Path]) -> None:
    if not systems:
        raise ConfigError("no systems; give --system NAME=FOLDER for each")
    for name in systems:
        if name in SPECIAL or BETWEEN in name:
            raise ConfigError(f"'{name}' cannot be the name of a system here; choose one without '{BETWEEN}'")


def _answered(sets: Mapping[str, AudioSet], asked: QuerySet | None, kind: str) -> tuple[tuple[Query, ...], list[Skip]]:
    """Return the queries that every set answers, and why others are left out.

    Raises:
        UserError: fewer than two are left.
    """
    if asked is not None:
        queries = {query.key: query for query in asked.queries}
    else:
        queries = {key: query for audio in sets.values() for key, query in audio.queries.items()}
    if not queries:
        raise UserError("there are no prompts to show; give --prompts CSV with the columns key and prompt")
    kept, skipped = [], []
    for key in sorted(queries):
        lacking = [name for name, audio in sets.items() if all(item.key != key for item in audio.items)]
        image = queries[key].image
        if lacking:
            skipped.append(Skip(key, f"{key}: no sound of {listed(lacking)} has this name"))
        elif kind == "image" and (image is None or not image.is_file()):
            skipped.append(
                Skip(key, f"{key}: no image{f' at {image}' if image else '; give --prompts CSV with a column image'}")
            )
        else:
            attributes = {IMAGE_HASH: file_sha256(image)} if kind == "image" and image is not None else {}
            kept.append(Query(key, queries[key].prompt, image, attributes=attributes))
    if not kept:
        raise UserError(f"no query can be used; the first: {skipped[0].reason}")
    if len(kept) == 1:
        more = f"; the first that cannot be: {skipped[0].reason}" if skipped else ""
        raise UserError(f"one query alone can be used, '{kept[0].key}', and an interval over queries takes two{more}")
    return tuple(kept), skipped


def _sound(name: str, item: object) -> Sound:
    if not isinstance(item, FileItem):
        raise ConfigError(f"{name}: prepared clips have no files to play; give a folder of wavs")
    try:
        return Sound(item.path, item.digest())
    except MediaError as error:
        raise UserError(str(error)) from None
