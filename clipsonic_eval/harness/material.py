"""What an evaluation works on: the queries, the folders held against them, the metrics that can be computed."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from clipsonic_eval.conventions import Convention
from clipsonic_eval.encoders import ENCODERS, Encoder
from clipsonic_eval.errors import ConfigError, UserError
from clipsonic_eval.harness import stored_statistics
from clipsonic_eval.harness.audio_sets import AudioSet, reference_set, system_set
from clipsonic_eval.harness.evaluation_config import ROLES, EvaluateConfig
from clipsonic_eval.harness.measures import Convened, convention_named, measure
from clipsonic_eval.harness.queries import read_queries
from clipsonic_eval.harness.stored_statistics import StoredStatistics
from clipsonic_eval.hashing import config_hash
from clipsonic_eval.metrics import METRICS, MetricCard
from clipsonic_eval.types import Skip

REAL = "real"


@dataclass(frozen=True, slots=True)
class Queries:
    """What was asked of every system.

    Attributes:
        prompts: text by key; empty if nobody says what was asked.
        labels: class name by key, where there is one.
        skipped: rows of the table of queries that could not be used.
        notes: how it was read, for the screen.
        captions: all prompts of the keys that have several; ``prompts`` holds the first.
    """

    prompts: Mapping[str, str]
    labels: Mapping[str, str]
    skipped: tuple[Skip, ...] = ()
    notes: tuple[str, ...] = ()
    captions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def texts(self) -> list[tuple[str, str]]:
        """(key, prompt) of every caption, sorted by key."""
        return [(key, text) for key in sorted(self.prompts) for text in self.captions.get(key, (self.prompts[key],))]

    @property
    def hash(self) -> str:
        """Eight hex digits over keys, prompts and labels."""
        said = {k: list(texts) for k, texts in self.captions.items()}
        return config_hash([[k, said.get(k, p), self.labels.get(k)] for k, p in sorted(self.prompts.items())])[:8]


@dataclass(frozen=True, slots=True)
class Material:
    """Everything that is listed before anything is read.

    Attributes:
        queries: see there.
        systems: audio by system, in the order given.
        reference: the reference set, if there is one.
        training: what the systems were trained on, if it was given.
        stored: the reference as mean and covariance, instead of ``reference``.
    """

    queries: Queries
    systems: Mapping[str, AudioSet]
    reference: AudioSet | None
    training: AudioSet | None = None
    stored: StoredStatistics | None = None

    def notes(self) -> Iterator[str]:
        """Yield how tables and folders were read, for the screen."""
        sets = [*self.systems.values(), self.reference, self.training]
        yield from dict.fromkeys((*self.queries.notes, *(note for audio in sets if audio for note in audio.notes)))


def gather(config: EvaluateConfig) -> Material:
    """List queries, systems and reference.

    Raises:
        UserError: a folder or the csv is missing or empty, or the systems were asked different things.
    """
    folders = dict(config.systems) | ({REAL: config.real} if config.real is not None else {})
    found = {name: system_set(name, folder, None) for name, folder in folders.items()}
    queries = _read(config) if config.prompts is not None else _said_by(found)
    if queries.prompts:
        found = {name: system_set(name, folder, queries.prompts.keys()) for name, folder in folders.items()}
    stored = _stored(config)
    reference = reference_set(config.reference) if config.reference is not None and stored is None else None
    training = None
    if config.training is not None:
        training = dataclasses.replace(reference_set(config.training), name="training")
    return Material(queries, found, reference, training, stored)


def _stored(config: EvaluateConfig) -> StoredStatistics | None:
    """Read the reference where it is stored statistics.

    Raises:
        UserError: not readable, or something was asked for that needs the reference's sounds.
    """
    if config.reference is None or not stored_statistics.is_stored(config.reference):
        return None
    asked = {"training": config.training is not None, "control halves": "halves" in config.controls}
    for what, is_asked in asked.items():
        if is_asked:
            raise ConfigError(
                f"{config.reference}: stored statistics hold no sounds, and {what} needs those of the reference; give "
                "its folder instead"
            )
    return stored_statistics.read(config.reference)


def _read(config: EvaluateConfig) -> Queries:
    assert config.prompts is not None
    asked = read_queries(config.prompts)
    labels = {q.key: q.label for q in asked.queries if q.label}
    return Queries({q.key: q.prompt for q in asked.queries}, labels, asked.skipped, asked.notes, asked.captions)


def _said_by(systems: Mapping[str, AudioSet]) -> Queries:
    """Gather what the systems' own lists say they were asked."""
    prompts: dict[str, str] = {}
    labels: dict[str, str] = {}
    for name, audio in systems.items():
        for key, (prompt, label) in audio.prompts.items():
            if prompts.setdefault(key, prompt) != prompt:
                raise UserError(
                    f"{name}: query '{key}' is '{prompt}' here and '{prompts[key]}' in another system's samples.csv; "
                    "say with --prompts what is to be scored"
                )
            if label:
                labels.setdefault(key, label)
    return Queries(prompts, labels)


def choose_metrics(
    config: EvaluateConfig, material: Material, more: Mapping[str, Convention] | None = None
) -> tuple[list[str], list[str]]:
    """Return the metrics to compute, grouped by encoder, conventions last, and which are left out for lack of what.

    ``more`` are conventions that are not registered, by name.

    Raises:
        ConfigError: a metric was asked for that cannot be computed, or none can.
        UserError: a metric of that name does not exist.
    """
    wanted = config.metrics or tuple(m for m in METRICS if METRICS[m].card.by_default)
    cards = {name: measure(name, more).card for name in wanted}
    obstacles = {name: _obstacle(card, config, material) for name, card in cards.items()}
    stuck = {name: why for name, why in obstacles.items() if why}
    if stuck and (config.metrics or len(stuck) == len(wanted)):
        name, why = next(iter(stuck.items()))
        raise ConfigError(f"{name} cannot be computed: {why}")
    order = {role: i for i, role in enumerate(ROLES)}
    computed = dict.fromkeys(m for m in wanted if m not in stuck)
    own = [m for m in computed if cards[m].role in order]
    ordered = [*sorted(own, key=lambda m: (order[cards[m].role], m)), *(m for m in computed if m not in own)]
    declined = {m for m in stuck if cards[m].role in ROLES and config.encoders.name(cards[m].role) is None}
    return ordered, [f"{name} left out: {why}" for name, why in stuck.items() if name not in declined]


def _obstacle(card: MetricCard, config: EvaluateConfig, material: Material) -> str:
    if card.role in ROLES and config.encoders.name(card.role) is None:
        return f"no encoder for '{card.role}'; name one"
    obstacles = {
        "reference": _no_reference(card, material),
        "prompts": "" if material.queries.prompts else "nobody says the prompts; give --prompts CSV",
        "labels": "" if material.queries.labels else "no query has a label; give --prompts CSV with a column label",
        "real": "" if REAL in material.systems else "the queries' own audio is missing; give --real FOLDER",
    }
    return next((obstacles[need] for need in card.needs if obstacles[need]), "")


def _no_reference(card: MetricCard, material: Material) -> str:
    if material.stored is not None and not card.reference_moments:
        return "the reference is stored statistics, and this needs its embeddings; give the folder of sounds"
    return "" if material.reference or material.stored else "no reference set; give --reference FOLDER"


def load_encoders(
    config: EvaluateConfig,
    roles: Sequence[str],
    given: Mapping[str, Encoder],
    more: Mapping[str, Convention] | None = None,
) -> dict[str, Encoder]:
    """Return the encoders by role, conventions among them: those given, the others loaded.

    Raises:
        UserError: no encoder of that name, or its weights are missing.
    """
    loaded: dict[str, Encoder] = {}
    shared: dict[tuple[Any, ...], Encoder] = {}  # conventions that differ in the loading of sound share their encoder
    for role in roles:
        convention = convention_named(role, more)
        name = convention.encoder if convention else config.encoders.name(role)
        assert name is not None
        weights = config.encoders.weights.get(role)
        options = dict(convention.options) if convention else {}
        same = (name, weights, *sorted(options.items()))
        if role in given:
            loaded[role] = given[role]
            continue
        if same not in shared:
            shared[same] = ENCODERS[name](weights, device=config.device, **options)
        loaded[role] = Convened(shared[same], convention) if convention else shared[same]
    return loaded


def without_strange_labels(
    config: EvaluateConfig, metrics: Sequence[str], queries: Queries, encoders: Mapping[str, Encoder]
) -> tuple[list[str], str]:
    """Leave out metrics on labels that the classifier does not know, unless they were asked for by name.

    Returns:
        (metrics, why one was left out or "").
    """
    known = encoders["classifier"].card.labels if "classifier" in encoders else ()
    strange = sorted({label for label in queries.labels.values() if label not in known})
    affected = [m for m in metrics if m in METRICS and "labels" in METRICS[m].card.needs]
    if not strange or not affected or config.metrics:
        return list(metrics), ""
    why = f"{', '.join(affected)} left out: '{strange[0]}' is no class of encoder '{config.encoders.classifier}'"
    return [m for m in metrics if m not in affected], why
