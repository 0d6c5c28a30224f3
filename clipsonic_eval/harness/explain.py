"""Explain: one set of clips under two conventions, and every step between them: which one moved the number.

The steps are taken one after the other in a fixed order (loading of the sound, encoder, what is kept of an embedding,
metric, scale). Effects of steps need not add up the same way in another order.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clipsonic_eval.conventions import CONVENTIONS, Convention
from clipsonic_eval.encoders import Encoder
from clipsonic_eval.errors import ConfigError
from clipsonic_eval.harness.evaluate import evaluate
from clipsonic_eval.harness.evaluation_config import EvaluateConfig
from clipsonic_eval.harness.resolve import ConventionEncoder
from clipsonic_eval.media.preprocessing import AudioPreprocessing
from clipsonic_eval.progress import SILENT, Progress
from clipsonic_eval.types import Score


@dataclass(frozen=True, slots=True)
class ExplainConfig:
    """What is explained.

    Attributes:
        systems: folder by name.
        to: conventions to arrive at.
        start: convention to set out from; its clips, reference and prompts are the same.
        reference: real audio to compare with.
        prompts: csv with key and prompt.
        real: the queries' own audio by key.
        weights: weight files by encoder, where an encoder's own are not meant.
        n_bootstrap: resamples of the clips.
        seed: of the bootstrap.
        batch_size: clips that an encoder gets at once.
        device: of the encoders.
        cache: folder of embeddings by content; None: the user's.
    """

    systems: dict[str, Path]
    to: tuple[str, ...]
    start: str
    reference: Path | None = None
    prompts: Path | None = None
    real: Path | None = None
    weights: dict[str, Path] = dataclasses.field(default_factory=dict)
    n_bootstrap: int = 200
    seed: int = 0
    batch_size: int = 64
    device: str = "cpu"
    cache: Path | None = None

    def __post_init__(self) -> None:
        if not self.to or not self.systems:
            raise ConfigError("explain needs at least one system and one convention to arrive at")


@dataclass(frozen=True, slots=True)
class Step:
    """One step on the way.

    Attributes:
        target: convention that the way leads to.
        change: what is different from the step before, ``field: old -> new``; "start" for the first.
        scores: by system, as far as they could be computed.
    """

    target: str
    change: str
    scores: Mapping[str, Score]


def explain(
    config: ExplainConfig,
    out: Path,
    *,
    progress: Progress = SILENT,
    encoders: Mapping[str, Encoder] | None = None,
    conventions: Mapping[str, Convention] | None = None,
    overwrite: bool = False,
) -> list[Step]:
    """Compute every step between conventions on the same clips; the run folder holds the record of all of them.

    Args:
        config: what.
        out: the run folder.
        progress: told of every clip.
        encoders: by name of the encoder, already in memory.
        conventions: by name, beside the registered ones.
        overwrite: replace another run of ``explain`` in ``out``.

    Raises:
        UserError: a convention or its weights are missing, or as :func:`~clipsonic_eval.harness.evaluate.evaluate`.
    """
    known = dict(conventions or {})
    start = known.get(config.start) or CONVENTIONS[config.start]
    ways = {name: list(steps(start, known.get(name) or CONVENTIONS[name])) for name in config.to}
    named: dict[str, Convention] = {}
    labels: list[tuple[str, str, str]] = []
    for target, way in ways.items():
        for change, convention in way:
            same = next((n for n, c in named.items() if dataclasses.replace(c, name="") == _nameless(convention)), None)
            name = same or f"{convention.metric}/step-{len(named)}"
            named.setdefault(name, dataclasses.replace(convention, name=name))
            labels.append((target, change, name))
    weights = {name: config.weights[c.encoder] for name, c in named.items() if c.encoder in config.weights}
    told = EvaluateConfig(
        systems=config.systems,
        reference=config.reference,
        prompts=config.prompts,
        real=config.real,
        weights=weights,
        metrics=tuple(named),
        n_bootstrap=config.n_bootstrap,
        seed=config.seed,
        compare=False,
        examples=0,
        batch_size=config.batch_size,
        device=config.device,
        cache=config.cache,
        tags={"explain": f"{config.start} → {', '.join(config.to)}"},
    )
    record = evaluate(
        told,
        out,
        progress=progress,
        encoders=_wrapped(named, encoders or {}),
        conventions=named,
        command="explain",
        overwrite=overwrite,
    )
    found = {(s.metric, s.system): s for s in record.scores}
    return [
        Step(target, change, {s: found[name, s] for s in config.systems if (name, s) in found})
        for target, change, name in labels
    ]


def steps(start: Convention, target: Convention) -> Iterator[tuple[str, Convention]]:
    """Yield (what changed, convention) from ``start`` to ``target``, one field at a time."""
    now = dataclasses.replace(start, source="", not_reproduced="", title="")
    yield "start", now
    for field in dataclasses.fields(AudioPreprocessing):
        old, new = getattr(now.loading, field.name), getattr(target.loading, field.name)
        if old != new and not (field.name == "resampler" and target.loading.rate is None):
            now = dataclasses.replace(now, loading=dataclasses.replace(now.loading, **{field.name: new}))
            yield _change(field.name, old, new), now
    if now.encoder != target.encoder:
        old = now.encoder
        now = dataclasses.replace(now, encoder=target.encoder, options=dict(target.options))
        yield _change("encoder", old, target.encoder), now
    for key in dict.fromkeys([*now.options, *target.options]):
        old, new = now.options.get(key), target.options.get(key)
        if old != new:
            options = {k: v for k, v in now.options.items() if k != key}
            now = dataclasses.replace(now, options=options if new is None else {**options, key: new})
            yield _change(key, old, new), now
    for name in ("store", "metric", "scale"):
        old, new = getattr(now, name), getattr(target, name)
        if old != new:
            now = dataclasses.replace(now, **{name: new})
            yield _change(name, old, new), now


def _change(field: str, old: Any, new: Any) -> str:
    def shown(value: Any) -> str:
        return "default" if value is None else str(value)

    return f"{field}: {shown(old)} → {shown(new)}"


def _nameless(convention: Convention) -> Convention:
    return dataclasses.replace(convention, name="")


def _wrapped(named: Mapping[str, Convention], encoders: Mapping[str, Encoder]) -> dict[str, Encoder]:
    """Return the encoders that are in memory, under the names of the steps that use them as they are loaded here."""
    known = {name: c for name, c in named.items() if c.encoder in encoders and not c.options}
    return {name: ConventionEncoder(encoders[c.encoder], c) for name, c in known.items()}


def table(found: list[Step]) -> str:
    """Return the steps as a Markdown table for each way, values with their intervals and the change by each step."""
    lines: list[str] = []
    for target in dict.fromkeys(step.target for step in found):
        way = [step for step in found if step.target == target]
        systems = list(dict.fromkeys(name for step in way for name in step.scores))
        lines += [f"To {target}:", "", "| step | " + " | ".join(f"{s} | change" for s in systems) + " |"]
        lines.append("|---" * (1 + 2 * len(systems)) + "|")
        before: dict[str, float] = {}
        for step in way:
            cells = [step.change]
            for name in systems:
                score = step.scores.get(name)
                cells += [_cell(score), _moved(before.get(name), score)]
                if score is not None:
                    before[name] = score.value
            lines.append("| " + " | ".join(cells) + " |")
        lines += ["", *_beyond(target)]
    return "\n".join(lines)


def _beyond(target: str) -> list[str]:
    """Return what a tool does beyond its last step here, if anything is known of it."""
    text = CONVENTIONS[target].not_reproduced if target in CONVENTIONS else ""
    return [f"Not reproduced of {target}: {text}.", ""] if text else []


def _cell(score: Score | None) -> str:
    if score is None:
        return "–"
    interval = f" [{score.ci[0]:.4g}, {score.ci[1]:.4g}]" if score.ci else ""
    return f"{score.value:.6g}{interval}"


def _moved(before: float | None, score: Score | None) -> str:
    if before is None or score is None:
        return "–"
    by = score.value - before
    return f"{by:+.4g}" + (f" ({100 * by / abs(before):+.2f} %)" if before else "")
