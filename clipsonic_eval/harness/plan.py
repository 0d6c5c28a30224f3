"""First step of an evaluation: list audio and queries, choose metrics, load encoders. No audio is decoded."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

from clipsonic_eval.checks.evaluation import check_selection, check_world
from clipsonic_eval.errors import ConfigError, UserError, unknown_name
from clipsonic_eval.harness.audio_sets import AudioSet, reference_set, system_set
from clipsonic_eval.harness.controls import HALVES, NOISE, REAL, SHUFFLED
from clipsonic_eval.harness.evaluation_config import EvaluateConfig
from clipsonic_eval.harness.queries import QuerySet, read_queries
from clipsonic_eval.harness.resolve import Conventions, Encoders, load_encoder, metric_roles, resolve_metric
from clipsonic_eval.harness.stored_statistics import StoredStatistics, is_stored, read
from clipsonic_eval.metrics import METRICS, Metric, MetricCard, SetMetric, attributes
from clipsonic_eval.types import Finding, Query

_NO_ATTRIBUTE = "no query has a {0}; give --prompts CSV with a column {0}"
FAD_HALVES = "fad_halves"  # FAD between two halves of the reference: what remains where nothing differs, at half the n


@dataclass(frozen=True, slots=True)
class EvaluationPlan:
    """Everything that is settled before the first clip is decoded.

    Attributes:
        queries: what every system was asked: prompts, captions and labels.
        systems: listed audio per system, in the order of the tables, ``real`` among them.
        given: names of the systems that the user gave: not ``real``, not the controls made here.
        reference: listed audio of the reference set, if there is one.
        stored: mean and covariance of the reference, in place of ``reference``.
        training: listed audio that the systems were trained on, if it was given.
        metrics: by the name that their scores carry, grouped by encoder.
        encoders: by role, in memory; only the roles that a metric needs. Duplicates and copies of training clips are
            looked for in the space of the first.
        roles: for each need of a metric (``reference``, ``prompts``, …), the roles of the metrics that have it, in the
            order of the encoders.
        fitted: roles in which a metric estimates the covariance matrix of the systems.
        controls: ``shuffled``, ``noise``, ``halves``, as far as they were asked for.
        pairs: systems to compare.
        notes: how tables and folders were read, for the screen.
        findings: what looks wrong so far: encoders that do not know this kind of audio, metrics left out.
    """

    queries: QuerySet
    systems: Mapping[str, AudioSet]
    given: tuple[str, ...]
    reference: AudioSet | None
    stored: StoredStatistics | None
    training: AudioSet | None
    metrics: Mapping[str, Metric]
    encoders: Encoders
    roles: Mapping[str, tuple[str, ...]]
    fitted: frozenset[str] = frozenset()
    controls: tuple[str, ...] = ()
    pairs: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()


def plan(
    config: EvaluateConfig,
    *,
    encoders: Encoders | None = None,
    conventions: Conventions | None = None,
) -> EvaluationPlan:
    """Settle what an evaluation computes, on which audio, with which encoders.

    Args:
        config: of the evaluation.
        encoders: by role, already in memory; the others are loaded.
        conventions: not registered ones, by name; ``config.metrics`` may name them.

    Raises:
        ConfigError: a metric that was named cannot be computed, or none can.
        UserError: a folder or a table is missing or empty, an encoder or its weights are missing, or an encoder is
            given for what is neither a role nor a convention asked for.
    """
    for role in encoders or ():
        if role not in metric_roles() and role not in config.metrics:
            raise unknown_name("role of an encoder", role, metric_roles())
    folders = {**config.systems, **({REAL: config.real} if config.real is not None else {})}
    queries, systems = _queries_and_systems(config.prompts, folders)
    stored, reference, training = _real_audio(config)
    notes = (*queries.notes, *(n for audio in (*systems.values(), reference, training) if audio for n in audio.notes))
    names = {**dict.fromkeys(encoders or (), ""), **config.encoders}
    lacking = _lacking(queries, systems, reference, stored)
    metrics, left_out = _choose_metrics(config.metrics, names, lacking, conventions)
    loaded = _load_encoders(config, metrics, names, encoders or {}, conventions)
    if not config.metrics:
        left_out += _drop_unknown_labels(metrics, queries, loaded)
        used = {metric.card.role for metric in metrics.values()}
        loaded = {role: encoder for role, encoder in loaded.items() if role in used}
    if not metrics:
        raise ConfigError(f"no metric can be computed: {left_out[-1]}")
    if HALVES in config.controls and reference is not None and METRICS["fad"].card.role in loaded:
        metrics[FAD_HALVES] = _renamed(resolve_metric("fad"), FAD_HALVES)
    real_folders = [folder for folder in (config.reference, config.real, config.training) if folder is not None]
    findings = [
        *check_world([encoder.card for encoder in loaded.values()], real_folders or list(config.systems.values())),
        *check_selection([encoder.card for encoder in loaded.values()], {k: s.card for k, s in systems.items()}),
        *(Finding("left_out", "warning", (), why) for why in left_out),
    ]
    roles = {need: _roles(need, metrics, loaded) for need in lacking}
    if stored is not None:
        stored.check({role: loaded[role].card for role in roles["reference"]})
    controls = [name for name in (NOISE, SHUFFLED) if name in config.controls]
    return EvaluationPlan(
        queries=queries,
        systems=systems,
        given=tuple(config.systems),
        reference=reference,
        stored=stored,
        training=training,
        metrics=metrics,
        encoders=loaded,
        roles=roles,
        fitted=_fitted(metrics),
        controls=tuple(config.controls),
        pairs=tuple(pairs_to_compare(config, [*systems, *controls])),
        notes=tuple(dict.fromkeys(notes)),
        findings=tuple(findings),
    )


def _lacking(
    queries: QuerySet, systems: Mapping[str, AudioSet], reference: AudioSet | None, stored: StoredStatistics | None
) -> dict[str, str]:
    """Return for each need of a metric why it cannot be met, "" if it can."""
    return {
        "reference": "" if reference or stored else "no reference set; give --reference FOLDER",
        "prompts": "" if queries.prompts else "there are no prompts; give --prompts CSV",
        "images": "" if queries.images else "no query has an image; give --prompts CSV with a column image",
        "labels": "" if queries.labels else _NO_ATTRIBUTE.format("label"),
        **{name: "" if queries.attributes.get(name) else _NO_ATTRIBUTE.format(name) for name in attributes()},
        "real": "" if REAL in systems else "the queries' own audio is missing; give --real FOLDER",
        "reference audio": ""
        if stored is None
        else "the reference is stored statistics, and this needs its embeddings; give the folder of sounds",
    }


def _roles(need: str, metrics: Mapping[str, Metric], encoders: Encoders) -> tuple[str, ...]:
    """Return the roles of the metrics that have a need, in the order of the encoders."""
    used = {metric.card.role for metric in metrics.values() if need in metric.card.needs}
    return tuple(role for role in encoders if role in used)


def _fitted(metrics: Mapping[str, Metric]) -> frozenset[str]:
    """Return the roles in which a metric estimates the covariance matrix of the systems."""
    fitting = {n: m for n, m in metrics.items() if isinstance(m, SetMetric) and m.fits_covariance and n != FAD_HALVES}
    return frozenset(metric.card.role for metric in fitting.values())


def _queries_and_systems(prompts: Path | None, folders: Mapping[str, Path]) -> tuple[QuerySet, dict[str, AudioSet]]:
    """List the systems' audio and match it to the queries: of the table, else of the systems' own ``samples.csv``."""
    listed = {}
    if prompts is not None:
        queries = read_queries(prompts)
    else:
        listed = {name: system_set(name, folder, None) for name, folder in folders.items()}
        queries = _queries_of(listed)
    if queries.prompts:
        listed = {name: system_set(name, folder, queries.prompts.keys()) for name, folder in folders.items()}
    return queries, listed


def _queries_of(systems: Mapping[str, AudioSet]) -> QuerySet:
    """Return the queries that the systems' own ``samples.csv`` list.

    Raises:
        UserError: two systems list different prompts under one key.
    """
    queries: dict[str, Query] = {}
    for name, audio in systems.items():
        for key, own in audio.queries.items():
            known = queries.setdefault(key, own)
            if known.prompt != own.prompt:
                raise UserError(
                    f"{name}: query '{key}' is '{own.prompt}' here and '{known.prompt}' in another system's "
                    "samples.csv; say with --prompts what is to be scored"
                )
            label, attributes = known.label or own.label, {**own.attributes, **known.attributes}
            queries[key] = dataclasses.replace(known, label=label, attributes=attributes)
    return QuerySet(tuple(queries.values()))


def _real_audio(config: EvaluateConfig) -> tuple[StoredStatistics | None, AudioSet | None, AudioSet | None]:
    """Return the reference as stored statistics or as audio, and the training set, as far as they were given.

    Raises:
        UserError: not readable.
        ConfigError: the reference is stored statistics, and its audio is needed.
    """
    training = None
    if config.training is not None:
        training = dataclasses.replace(reference_set(config.training), name="training")
    if config.reference is None:
        return None, None, training
    if not is_stored(config.reference):
        return None, reference_set(config.reference), training
    asked = {"training": training is not None, "control halves": HALVES in config.controls}
    for what in (what for what, is_asked in asked.items() if is_asked):
        raise ConfigError(
            f"{config.reference}: stored statistics hold no sounds, and {what} needs those of the reference; give "
            "its folder instead"
        )
    return read(config.reference), None, None


def _choose_metrics(
    asked: tuple[str, ...],
    names: Mapping[str, str | None],
    lacking: Mapping[str, str],
    conventions: Conventions | None,
) -> tuple[dict[str, Metric], list[str]]:
    """Return the metrics to compute, grouped by role, conventions last, and why others are left out.

    Args:
        asked: names of metrics and conventions; empty: all default ones.
        names: of the encoders, by role; None: declined.
        lacking: for each need why it cannot be met, "" if it can.
        conventions: not registered ones.

    Raises:
        ConfigError: a metric that was named cannot be computed, or none can.
        UserError: there is no metric of that name.
    """
    wanted = {name: resolve_metric(name, conventions) for name in asked or _by_default()}
    own = {name for name, metric in wanted.items() if metric.card.role != name}  # the role of a convention is its name
    stuck: dict[str, str] = {}
    for name, metric in wanted.items():
        why = _obstacle(metric.card, lacking)
        if name in own and names.get(metric.card.role) is None:
            why = f"no encoder for '{metric.card.role}'; name one with --encoder {metric.card.role}=NAME"
        if why:
            stuck[name] = why
    if stuck and asked:
        name, why = next(iter(stuck.items()))
        raise ConfigError(f"{name} cannot be computed: {why}")
    if len(stuck) == len(wanted):
        reasons = "; ".join(f"{name}: {why}" for name, why in stuck.items() if names.get(wanted[name].card.role, ""))
        raise ConfigError(f"no metric can be computed: {reasons or next(iter(stuck.values()))}")
    computed = [name for name in wanted if name not in stuck]
    ordered = sorted((name for name in computed if name in own), key=lambda name: (wanted[name].card.role, name))
    ordered += [name for name in computed if name not in own]
    declined = {name for name in stuck if names.get(wanted[name].card.role, "") is None}
    left_out = [f"{name} left out: {why}" for name, why in stuck.items() if name not in declined]
    return {name: wanted[name] for name in ordered}, left_out


def _renamed(metric: Metric, name: str) -> Metric:
    return dataclasses.replace(metric, card=dataclasses.replace(metric.card, name=name))


def _by_default() -> list[str]:
    return [name for name in METRICS if METRICS[name].card.by_default]


def _obstacle(card: MetricCard, lacking: Mapping[str, str]) -> str:
    """Return why a metric cannot be computed, "" if it can."""
    for need in card.needs:
        if need not in lacking:
            return f"it takes {need} embeddings, which an evaluation of audio does not have; see clipsonic-eval gap"
        what = card.attribute or need if need == "labels" else need
        if lacking[what]:
            return lacking[what]
    needs_rows = "reference" in card.needs and not card.reference_moments
    return lacking["reference audio"] if needs_rows else ""


def _load_encoders(
    config: EvaluateConfig,
    metrics: Mapping[str, Metric],
    names: Mapping[str, str | None],
    given: Encoders,
    conventions: Conventions | None,
) -> dict[str, Any]:
    """Return the encoders by role, those of conventions among them."""
    encoders: dict[str, Any] = {}
    loaded: dict[Any, Any] = {}
    for role in dict.fromkeys(metric.card.role for metric in metrics.values()):
        if role in given:
            encoders[role] = given[role]
        else:
            weights = config.weights.get(role)
            name = names.get(role) or role  # of a convention
            encoders[role] = load_encoder(name, weights, device=config.device, conventions=conventions, loaded=loaded)
    return encoders


def _drop_unknown_labels(metrics: dict[str, Metric], queries: QuerySet, encoders: Encoders) -> list[str]:
    """Take metrics on labels out of ``metrics`` where the classifier does not know a label; return why."""
    left_out = []
    for role in dict.fromkeys(m.card.role for m in metrics.values() if _of_class(m.card)):
        card = encoders[role].card
        unknown = sorted({label for label in queries.labels.values() if label not in card.labels})
        if unknown:
            affected = [n for n, m in metrics.items() if m.card.role == role and _of_class(m.card)]
            for name in affected:
                del metrics[name]
            left_out.append(f"{', '.join(affected)} left out: '{unknown[0]}' is no class of encoder '{card.name}'")
    return left_out


def _of_class(card: MetricCard) -> bool:
    return "labels" in card.needs and not card.attribute


def pairs_to_compare(config: EvaluateConfig, systems: list[str]) -> list[tuple[str, str]]:
    """Return which systems are compared with which.

    Raises:
        UserError: a baseline or a member of a pair is no system of this evaluation.
    """
    if not config.compare:
        return []
    named = [tuple(pair.split(":")) for pair in config.pairs]
    for name in (*config.baselines, *(name for pair in named for name in pair)):
        if name not in systems:
            raise unknown_name("system to compare with", name, systems)
    if named:
        wanted = [(a, b) for a, b in named]
    elif config.baselines:
        wanted = [(a, b) for b in config.baselines for a in systems]
    else:
        wanted = list(combinations([name for name in systems if name in config.systems], 2))
    first = {frozenset(pair): pair for pair in reversed(wanted) if pair[0] != pair[1]}
    return [pair for pair in dict.fromkeys(wanted) if first.get(frozenset(pair)) == pair]
