"""Evaluate: folders of wavs in, scores with intervals, paired tests and a record out.

What is computed stands in :class:`~clipsonic_eval.harness.evaluation_config.EvaluateConfig`. Embeddings are cached by
content, so a killed evaluation, started again, goes on where it was; everything after them takes seconds.
"""

from __future__ import annotations

import dataclasses
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clipsonic_eval import outputs, provenance, threads
from clipsonic_eval.config import as_tree, portable
from clipsonic_eval.conventions import Convention
from clipsonic_eval.encoders import Encoder
from clipsonic_eval.errors import UserError
from clipsonic_eval.harness import (
    comparing,
    controls,
    evaluation_findings,
    pictures,
    scoring,
    stored_statistics,
    unanswered,
)
from clipsonic_eval.harness.audio_sets import system_set
from clipsonic_eval.harness.cache import default_cache, usable_cache
from clipsonic_eval.harness.embed import EmbeddedSet, Embedder
from clipsonic_eval.harness.evaluation import NOISE, PROMPTS, REFERENCE, SHUFFLED, TRAINING, Evaluation
from clipsonic_eval.harness.evaluation_config import ROLES, EncoderChoice, EvaluateConfig
from clipsonic_eval.harness.material import (
    REAL,
    Material,
    choose_metrics,
    gather,
    load_encoders,
    without_strange_labels,
)
from clipsonic_eval.harness.measures import measure
from clipsonic_eval.harness.run_folder import write_run
from clipsonic_eval.hashing import config_hash
from clipsonic_eval.metrics import METRICS, ClipMetric, Inputs, Metric, Need, SetMetric
from clipsonic_eval.progress import SILENT, Progress
from clipsonic_eval.records import Comparison, RunRecord
from clipsonic_eval.types import Embeddings, Finding, Score, Skip

__all__ = ["EncoderChoice", "EvaluateConfig", "evaluate"]


def evaluate(
    config: EvaluateConfig,
    out: Path | None,
    *,
    progress: Progress = SILENT,
    encoders: Mapping[str, Encoder] | None = None,
    conventions: Mapping[str, Convention] | None = None,
    command: str = "evaluate",
    overwrite: bool = False,
) -> RunRecord:
    """Score systems on the same queries; write a run folder, or only return the record.

    ``out`` receives ``scores.csv``, ``comparisons.csv``, ``per_clip.csv``, ``skipped.csv``, ``examples.npz`` (log-mel
    pictures), ``clips.parquet`` (values of all clips) and, last, so that its presence says that the run is complete,
    ``record.json``.

    Args:
        config: what.
        out: the run folder; None: nothing is written but the cache of embeddings.
        progress: told of every clip.
        encoders: by role, already in memory; roles that are not here are loaded as the configuration says.
        conventions: by name, beside the registered ones; ``config.metrics`` may name them.
        command: whose run the folder holds.
        overwrite: replace another run of the same command in ``out``.

    Returns:
        The record, as written.

    Raises:
        UserError: a folder or csv is missing or empty, a metric was asked for by name that cannot be computed, no
            system has any usable audio, or ``out`` holds something else.
    """
    usable_cache(config.cache)  # before the work begins
    if out is None:
        with tempfile.TemporaryDirectory() as scratch:
            return _evaluate(config, None, Path(scratch), progress, encoders, conventions)
    out = Path(out)
    with outputs.claim(out, command, _run_identity(config), overwrite=overwrite):
        return _evaluate(config, out, out, progress, encoders, conventions)


def _run_identity(config: EvaluateConfig) -> dict[str, Any]:
    """Return what decides the result: the settings, and the files themselves instead of their paths."""
    elsewhere = ("systems", "reference", "prompts", "real", "training", "batch_size", "workers", "device", "cache")
    settings = {k: v for k, v in as_tree(config).items() if k not in elsewhere}
    settings["encoders"]["weights"] = {k: outputs.state_of(path) for k, path in config.encoders.weights.items()}
    files = {"reference": config.reference, "prompts": config.prompts, "real": config.real, "training": config.training}
    inputs = {name: outputs.state_of(path) for name, path in files.items() if path is not None}
    if config.reference is not None and not config.reference.exists():  # FILE.npz:MODEL
        file, model = stored_statistics.parts(config.reference)
        inputs["reference"] = f"{outputs.state_of(file)}:{model}"
    systems = {name: outputs.state_of(folder) for name, folder in config.systems.items()}
    return {**settings, "inputs": inputs, "systems": systems}


def _evaluate(
    config: EvaluateConfig,
    out: Path | None,
    scratch: Path,
    progress: Progress,
    encoders: Mapping[str, Encoder] | None,
    conventions: Mapping[str, Convention] | None,
) -> RunRecord:
    clock = _Clock()
    with clock.stage("list"):
        material = gather(config)
        chosen, left_out = choose_metrics(config, material, conventions)
        measures = {name: measure(name, conventions) for name in chosen}
    for note in material.notes():
        progress.note(note)
    with clock.stage("load encoders"):
        loaded = load_encoders(config, _roles(measures.values()), encoders or {}, conventions)
    kept, why = without_strange_labels(config, chosen, material.queries, loaded)
    measures = {name: measures[name] for name in kept}
    left_out += [why] if why else []
    if material.stored is not None:
        material.stored.check({role: loaded[role].card for role in _roles(measures.values(), "reference")})
    with clock.stage("embed"):
        used = {role: loaded[role] for role in _roles(measures.values())}
        evaluation = _embed(config, material, measures, used, scratch, progress)
    with clock.stage("score"):
        scores, comparisons, found = _score(evaluation, progress)
    if out is not None:
        with clock.stage("pictures"), threads.limited():
            shown = material.queries.prompts
            pictures.write_examples(evaluation.sets, shown, out, k=config.examples, seed=config.seed)
    record = RunRecord(
        kind="evaluate",
        scores=tuple(scores),
        comparisons=comparing.corrected(comparisons),
        systems={name: embedded.audio.card for name, embedded in evaluation.sets.items()},
        skipped=evaluation.skipped,
        sets=evaluation_findings.counts(evaluation),
        findings=evaluation_findings.of_evaluation(evaluation, found, left_out),
        tags=dict(config.tags),
        config=portable(as_tree(config)),
        provenance=provenance.collect(),
        timings_s=clock.seconds,
    )
    if out is not None:
        write_run(record, out)
    return record


@dataclass(slots=True)
class _Clock:
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.seconds[name] = round(time.perf_counter() - started, 3)


def _roles(metrics: Iterable[Metric], need: Need | None = None) -> list[str]:
    """Return the roles of some metrics, of those with a need if one is named."""
    used = dict.fromkeys(m.card.role for m in metrics if need is None or need in m.card.needs)
    return [*(role for role in ROLES if role in used), *(role for role in used if role not in ROLES)]


@threads.networks()
def _embed(
    config: EvaluateConfig,
    material: Material,
    measures: Mapping[str, Metric],
    encoders: Mapping[str, Encoder],
    out: Path,
    progress: Progress,
) -> Evaluation:
    embedder = Embedder(
        encoders,
        cache=config.cache or default_cache(),
        batch_size=config.batch_size,
        workers=config.workers,
    )
    skipped: dict[str, tuple[Skip, ...]] = {PROMPTS: material.queries.skipped}
    reference = None
    against = _roles(measures.values(), "reference")
    if "halves" in config.controls and "audio" in encoders and "audio" not in against:
        against = ["audio", *against]
    training = None
    if material.training is not None:
        copies = next(iter(encoders))
        against = [*against, *([] if copies in against else [copies])]
        training = embedder.embed(material.training, [copies], progress=progress)
        skipped[TRAINING] = training.skipped
    if material.reference is not None and against:
        reference = embedder.embed(material.reference, against, progress=progress)
        skipped[REFERENCE] = reference.skipped
    systems = dict(material.systems)
    if NOISE in config.controls:
        systems[NOISE] = _noise(config, material, out)
    sets = {}
    problems = []
    for name, audio in systems.items():
        try:
            sets[name] = embedder.embed(audio, list(encoders), progress=progress)
            skipped[name] = sets[name].skipped
        except UserError as error:  # one system of none but bad files does not take the others along
            problems.append(error)
            skipped[name] = (*audio.skipped, Skip("*", str(error)))
    if not sets:
        raise problems[0]
    prompts = material.queries.prompts
    text = {role: _text(encoders[role], material.queries.texts) for role in _roles(measures.values(), "prompts")}
    left_out = {name: skips for name, skips in skipped.items() if skips}
    own = [name for name in sets if name in config.systems]
    open_ = {name: one for name in own if (one := unanswered.find(sets[name], prompts, encoders)) is not None}
    return Evaluation(config, material, measures, sets, reference, text, left_out, training, open_, encoders)


def _noise(config: EvaluateConfig, material: Material, out: Path) -> Any:
    reference = material.reference or next(iter(material.systems.values()))
    keys = sorted(material.queries.prompts) or [item.key for item in next(iter(material.systems.values())).items]
    folder = controls.write_noise(keys, reference, out / "controls" / NOISE, config.seed)
    return system_set(NOISE, folder, keys)


def _text(encoder: Encoder, texts: Sequence[tuple[str, str]]) -> Embeddings:
    """Embed the captions of all queries, (key, text) each."""
    keys = tuple(key for key, _ in texts)
    return Embeddings(encoder.text([text for _, text in texts]), keys, "text", encoder.card)


def _score(
    evaluation: Evaluation, progress: Progress
) -> tuple[list[Score], list[Comparison], dict[str, list[Finding]]]:
    """Return the scores, the comparisons, and what is to be said of them, by system.

    Raises:
        UserError: no metric could be computed for any system.
    """
    config = evaluation.config
    made = [name for name in (SHUFFLED, NOISE, REAL) if name not in config.systems]
    names = [*evaluation.sets, *([SHUFFLED] if SHUFFLED in config.controls else [])]
    pairs = comparing.pairs_of(config, names, made)
    shared = scoring.Scoring(config.seed, config.n_bootstrap, _identity(evaluation))
    scores: list[Score] = []
    comparisons: list[Comparison] = []
    untested: list[str] = []
    same = comparing.identical({name: embedded.digests for name, embedded in evaluation.sets.items()}, pairs)
    pairs = [pair for pair in pairs if pair not in same]
    work = [(metric, _inputs(evaluation, metric)) for metric in evaluation.measures.values()]

    def each() -> Iterator[str]:
        for metric, inputs in work:
            with threads.matrices(_side(metric, inputs)):
                if isinstance(metric, ClipMetric):
                    by_system = scoring.score_clips(metric, inputs, shared)
                    comparisons.extend(comparing.compare_clips(by_system, pairs, config, untested))
                else:
                    found = scoring.score_sets(metric, inputs, shared)
                    by_system = dict(found.scores)
                    comparisons.extend(comparing.compare_sets(metric, inputs, found, pairs, config, untested))
                comparisons.extend(comparing.compare_identical(by_system, same))
                scores.extend(
                    unanswered.scored_both_ways(score, metric, inputs[name], evaluation.unanswered[name])
                    if name in evaluation.unanswered
                    else score
                    for name, score in by_system.items()
                )
            yield from inputs

    label = f"score, {config.n_bootstrap} resamples"
    for _ in progress.track(each(), label=label, total=sum(len(inputs) for _, inputs in work)):
        pass
    if "halves" in config.controls and evaluation.reference is not None and "audio" in evaluation.reference.spaces:
        with threads.matrices(min(evaluation.reference.spaces["audio"].vectors.shape)):
            scores += _halves(evaluation, evaluation.reference, shared)
    if not scores:
        first = next(f"{name}: {why}" for name, reasons in shared.unscored.items() for why in reasons)
        raise UserError(f"nothing could be scored; the first reason: {first}")
    return scores, comparisons, evaluation_findings.of_scores(evaluation, scores, shared, same, untested)


def _side(metric: Metric, inputs: Mapping[str, Inputs]) -> int:
    """Return how many rows and columns the matrices of a metric have: covariances, or distances from clip to clip."""
    shapes = [one.system.vectors.shape for one in inputs.values()]
    pairwise = isinstance(metric, SetMetric) and not metric.fits_covariance
    return max((rows if pairwise else min(rows, dim) for rows, dim in shapes), default=1)


def _inputs(evaluation: Evaluation, metric: ClipMetric | SetMetric) -> dict[str, Inputs]:
    """Return what the metric may look at, by system; ``shuffled`` is real audio under other queries' keys."""
    role, needs = metric.card.role, metric.card.needs
    spaces = {name: embedded.spaces[role] for name, embedded in evaluation.sets.items()}
    real = spaces.get(REAL)
    asked_by_query = bool(needs) and "reference" not in needs  # else other keys change nothing
    if SHUFFLED in evaluation.config.controls and asked_by_query:
        if real is None:
            raise UserError("control 'shuffled' needs the queries' own audio; give --real FOLDER")
        names = controls.derangement(sorted(set(real.keys)), evaluation.config.seed)
        spaces[SHUFFLED] = controls.renamed(real, names)
    if "real" in needs:
        spaces.pop(REAL, None)  # against itself
    reference = evaluation.reference.spaces[role] if evaluation.reference and "reference" in needs else None
    stored = evaluation.material.stored if "reference" in needs else None
    moments = stored.gaussian if stored is not None else None
    labels = evaluation.material.queries.labels
    text = evaluation.text.get(role)
    return {name: Inputs(space, reference, text, labels, real, moments) for name, space in spaces.items()}


def _identity(evaluation: Evaluation) -> dict[str, list[tuple[str, str]]]:
    """Return by metric which signature fields say what was scored against."""
    stored = evaluation.material.stored
    against = {
        "reference": ("ref", f"stats+{stored.digest}" if stored else _content(evaluation.reference)),
        "real": ("ref", _content(evaluation.sets.get(REAL))),
        "prompts": ("queries", evaluation.material.queries.hash),
        "labels": ("queries", evaluation.material.queries.hash),
    }
    fields = {name: [against[need] for need in m.card.needs] for name, m in evaluation.measures.items()}
    if evaluation.material.queries.captions:
        for name, m in evaluation.measures.items():
            fields[name] += [("captions", "mean")] if "prompts" in m.card.needs else []
    return {**fields, "fad_halves": [against["reference"]]}


def _content(embedded: EmbeddedSet | None) -> str:
    return "" if embedded is None else config_hash(sorted(embedded.digests.values()))[:8]


def _halves(evaluation: Evaluation, reference: EmbeddedSet, shared: scoring.Scoring) -> list[Score]:
    """Return the distance of two halves of the reference: what remains of FAD where nothing differs, at half the n.

    Nothing where a half has too few clips.
    """
    metric = METRICS["fad"]
    assert isinstance(metric, SetMetric)
    own = dataclasses.replace(metric, card=dataclasses.replace(metric.card, name="fad_halves"))
    first, second = controls.halves(reference, "audio", evaluation.config.seed)
    return list(scoring.score_sets(own, {REFERENCE: Inputs(first, reference=second)}, shared).scores.values())
