"""Explain: the same clips under two conventions of a metric, and under every step between: which step moved the number?

The steps are taken one after the other in a fixed order (preprocessing of the audio, encoder, precision of the stored
embeddings, metric, scale). The effects of the steps need not add up the same way in another order.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clipsonic_eval import formats, frames
from clipsonic_eval.config import coerce
from clipsonic_eval.conventions import CONVENTIONS, Convention
from clipsonic_eval.encoders import Encoder
from clipsonic_eval.errors import ConfigError, unknown_name
from clipsonic_eval.harness.evaluate import evaluate
from clipsonic_eval.harness.evaluation_config import EvaluateConfig
from clipsonic_eval.harness.resolve import ConventionEncoder
from clipsonic_eval.media.preprocessing import AudioPreprocessing
from clipsonic_eval.progress import SILENT, Progress
from clipsonic_eval.types import Score

if TYPE_CHECKING:
    from pandas import DataFrame


@dataclass(frozen=True, slots=True)
class ExplainConfig:
    """Two or more conventions to be compared step by step.

    Attributes:
        systems: folder of ``<key>.wav`` by name of the system.
        to: names of the conventions to arrive at.
        start: name of the convention to start from.
        reference: real audio to compare with.
        prompts: table with key and prompt.
        real: the queries' own audio by key.
        weights: weight files by encoder, where they are not in their default place.
        n_bootstrap: number of resamples of the clips.
        seed: of the resamples.
        batch_size: number of clips that an encoder embeds at once.
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
        coerce(self)
        if not self.to or not self.systems:
            raise ConfigError("give at least one system and one convention to arrive at")


@dataclass(frozen=True, slots=True)
class Step:
    """One step between two conventions.

    Attributes:
        target: name of the convention that the steps lead to.
        change: difference from the step before, ``field: old → new``; "start" for the first.
        scores: by system; those that could not be computed are missing.
    """

    target: str
    change: str
    scores: Mapping[str, Score]


def explain(
    config: ExplainConfig,
    out: Path | None,
    *,
    progress: Progress = SILENT,
    encoders: Mapping[str, Encoder] | None = None,
    conventions: Mapping[str, Convention] | None = None,
    overwrite: bool = False,
) -> list[Step]:
    """Score the same clips under every step between conventions.

    Args:
        config: clips and conventions.
        out: the run folder, which receives the record of all steps; None: nothing is written.
        progress: receives the stages.
        encoders: by name of the encoder, already in memory.
        conventions: not registered ones, by name.
        overwrite: replace another run of ``explain`` in ``out``.

    Raises:
        UserError: a convention or its weights are missing, an encoder or weights are given that no convention takes, or
            :func:`~clipsonic_eval.harness.evaluate.evaluate` fails.
    """
    named, labels = _named_steps(config, conventions or {})
    for name in (*config.weights, *(encoders or {})):
        if name not in {convention.encoder for convention in named.values()}:
            raise unknown_name("encoder of these conventions", name, {c.encoder for c in named.values()})
    record = evaluate(
        _evaluation(config, named),
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


def _named_steps(
    config: ExplainConfig, more: Mapping[str, Convention]
) -> tuple[dict[str, Convention], list[tuple[str, str, str]]]:
    """Return the distinct conventions of all steps by a name of their own, and (target, change, name) of each step."""
    known = {name: more.get(name) or CONVENTIONS[name] for name in (config.start, *config.to)}
    named: dict[str, Convention] = {}
    labels: list[tuple[str, str, str]] = []
    for target in config.to:
        for change, convention in steps(known[config.start], known[target]):
            same = next((n for n, c in named.items() if _nameless(c) == _nameless(convention)), None)
            name = same or f"{convention.metric}/step-{len(named)}"
            named.setdefault(name, dataclasses.replace(convention, name=name))
            labels.append((target, change, name))
    return named, labels


def _evaluation(config: ExplainConfig, named: Mapping[str, Convention]) -> EvaluateConfig:
    return EvaluateConfig(
        systems=config.systems,
        reference=config.reference,
        prompts=config.prompts,
        real=config.real,
        weights={name: config.weights[c.encoder] for name, c in named.items() if c.encoder in config.weights},
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


def steps(start: Convention, target: Convention) -> Iterator[tuple[str, Convention]]:
    """Yield (change, convention) from ``start`` to ``target``, one field at a time.

    Example:
        >>> from clipsonic_eval.conventions import CONVENTIONS
        >>> names = "fad/clipsonic-eval", "fad/frechet-audio-distance"
        >>> [change for change, _ in steps(*(CONVENTIONS[name] for name in names))]
        ['start', 'encoder: vggish → vggish-exact']
    """
    now = dataclasses.replace(start, source="", not_reproduced="", title="")
    yield "start", now
    for field in dataclasses.fields(AudioPreprocessing):
        old, new = getattr(now.preprocessing, field.name), getattr(target.preprocessing, field.name)
        if old != new and not (field.name == "resampler" and target.preprocessing.rate is None):
            now = dataclasses.replace(now, preprocessing=dataclasses.replace(now.preprocessing, **{field.name: new}))
            yield _change(field.name, old, new), now
    if now.encoder != target.encoder:
        old = now.encoder
        now = dataclasses.replace(now, encoder=target.encoder, options=dict(target.options))
        yield _change("encoder", old, target.encoder), now
    for key in dict.fromkeys([*now.options, *target.options]):
        old, wanted = now.options.get(key), {k: v for k, v in target.options.items() if k == key}
        if {k: v for k, v in now.options.items() if k == key} != wanted:
            others = {k: v for k, v in now.options.items() if k != key}
            now = dataclasses.replace(now, options={**others, **wanted})
            yield _change(key, old, wanted.get(key)), now
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
    """Return the encoders in memory by the name of the step, each with the step's preprocessing."""
    known = {name: c for name, c in named.items() if c.encoder in encoders and not c.options}
    return {name: ConventionEncoder(encoders[c.encoder], c) for name, c in known.items()}


def table(found: list[Step]) -> str:
    """Return a Markdown table of the steps to each convention: values with their intervals, and the change per step."""
    parts: list[str] = []
    for target in dict.fromkeys(step.target for step in found):
        path = [step for step in found if step.target == target]
        systems = list(dict.fromkeys(name for step in path for name in step.scores))
        rows: list[list[str]] = []
        before: dict[str, float] = {}
        for step in path:
            cells = [step.change]
            for name in systems:
                score = step.scores.get(name)
                cells += [_value(score), _moved(before.get(name), score)]
                if score is not None:
                    before[name] = score.value
            rows.append(cells)
        heads = ["step", *(head for name in systems for head in (name, "change"))]
        parts += [f"To {target}:\n", formats.markdown_table(heads, rows), *_not_reproduced(target)]
    return "\n".join(parts)


def steps_frame(found: Sequence[Step]) -> DataFrame:
    """Return a row per step and system: what changes, the value, its interval, and the change from the step before.

    Columns: ``to``, ``step``, ``system``, ``value``, ``low``, ``high``, ``change``; NaN where there is none.
    """
    nan = float("nan")
    rows: list[tuple[Any, ...]] = []
    before: dict[tuple[str, str], float] = {}
    for step in found:
        for system, score in step.scores.items():
            change = score.value - before.get((step.target, system), nan)
            before[step.target, system] = score.value
            rows.append((step.target, step.change, system, score.value, *(score.ci or (nan, nan)), change))
    return frames.frame(rows, ("to", "step", "system", "value", "low", "high", "change"))


def _not_reproduced(target: str) -> list[str]:
    """Return what a tool does beyond its last step here, as far as it is known."""
    text = CONVENTIONS[target].not_reproduced if target in CONVENTIONS else ""
    return [f"Not reproduced of {target}: {text}.\n"] if text else []


def _value(score: Score | None) -> str:
    if score is None:
        return "–"
    places = formats.decimals_of(score.value, score.ci) + 2  # a step may move less than the interval's width
    return formats.with_interval(score.value, score.ci, places)


def _moved(before: float | None, score: Score | None) -> str:
    if before is None or score is None:
        return "–"
    change = score.value - before
    return f"{change:+.4g}" + (f" ({100 * change / abs(before):+.2f} %)" if before else "")
