"""What looks wrong with an evaluation as a whole, and what became of the items of its sets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from clipsonic_eval.checks import evaluation as checks
from clipsonic_eval.harness import scoring, unanswered
from clipsonic_eval.harness.evaluation import NOISE, REFERENCE, TRAINING, Evaluation
from clipsonic_eval.harness.evaluation_config import EvaluateConfig
from clipsonic_eval.harness.material import REAL
from clipsonic_eval.harness.measures import biased_in_n
from clipsonic_eval.metrics import Metric, SetMetric
from clipsonic_eval.records import SetCount
from clipsonic_eval.toyworld import mark
from clipsonic_eval.types import Finding, Score

NOT_COMPUTED = "not_computed"  # the check that finds a metric which a system has no score of


def of_evaluation(
    evaluation: Evaluation, found: Mapping[str, Sequence[Finding]], left_out: Sequence[str]
) -> dict[str, tuple[Finding, ...]]:
    """Return everything that looks wrong, by set; what concerns no set alone stands under ``evaluation``."""
    measures = list(evaluation.measures.values())
    result: dict[str, list[Finding]] = {}
    for name, embedded in evaluation.sets.items():
        if name != NOISE:
            near = {
                what: one.spaces if one else None
                for what, one in (("reference", evaluation.reference), ("training", evaluation.training))
            }
            result[name] = checks.check_set(
                embedded.levels, embedded.spaces, fitted=_fitted(measures), made=name != REAL, **near
            )
        if name in evaluation.config.systems:
            result[name] += checks.same_files(name, embedded.digests, _others(evaluation, name))
    held = [m for m in measures if "reference" in m.card.needs]
    for name, real, enters in ((REFERENCE, evaluation.reference, held), (TRAINING, evaluation.training, [])):
        if real is not None:
            result[name] = checks.check_set(real.levels, real.spaces, fitted=_fitted(enters))
    stored = evaluation.material.stored
    if stored is not None and held:
        result[REFERENCE] = [*stored.findings()]
    result[checks.EVALUATION] = [
        *mark.strangers((encoder.card for encoder in evaluation.encoders.values()), _real_places(evaluation.config)),
        *(Finding("left_out", "warning", (), why) for why in left_out),
        *(
            finding
            for role in evaluation.text
            for finding in checks.check_prompts(evaluation.encoders[role], evaluation.material.queries.prompts)
        ),
    ]
    for name, more in found.items():
        result.setdefault(name, []).extend(more)
    return checks.without_empty(result)


def _fitted(metrics: Sequence[Metric]) -> set[str]:
    """Return the roles whose covariance matrix a metric estimates."""
    return {m.card.role for m in metrics if isinstance(m, SetMetric) and m.fits_covariance}


def _real_places(config: EvaluateConfig) -> list[Path]:
    """Return the folders that say what world this is: of real audio, else of what is scored."""
    real = [place for place in (config.reference, config.real, config.training) if place is not None]
    return real or list(config.systems.values())


def _others(evaluation: Evaluation, name: str) -> dict[str, Mapping[str, str]]:
    """Return the digests of what a system is held against: real audio, and systems that were named before it.

    Systems that are the same to the last byte are not among them; their comparison says so.
    """
    own = evaluation.sets[name].digests
    before = list(evaluation.sets)[: list(evaluation.sets).index(name)]
    sets = {n: evaluation.sets[n] for n in before if n in evaluation.config.systems} | {
        n: embedded
        for n, embedded in (
            (REFERENCE, evaluation.reference),
            (TRAINING, evaluation.training),
            (REAL, evaluation.sets.get(REAL)),
        )
        if embedded is not None
    }
    return {n: one.digests for n, one in sets.items() if n not in evaluation.config.systems or one.digests != own}


def counts(evaluation: Evaluation) -> dict[str, SetCount]:
    """Return what became of the items of every set; one that nothing was held against used none."""
    material = evaluation.material
    found = {}
    for name, audio in material.systems.items():
        found[name] = audio.count(len(evaluation.sets[name].keys) if name in evaluation.sets else 0)
    held = {REFERENCE: (material.reference, evaluation.reference), TRAINING: (material.training, evaluation.training)}
    for name, (real, embedded) in held.items():
        if real is not None and embedded is not None:
            found[name] = real.count(len(embedded.keys))
        elif real is not None:
            found[name] = SetCount(real.found, 0, 0, real.found)
    return found


def of_scores(
    evaluation: Evaluation,
    scores: Sequence[Score],
    shared: scoring.Scoring,
    same: Mapping[tuple[str, str], Sequence[str]],
    untested: Sequence[str],
) -> dict[str, list[Finding]]:
    """Return what a reader of the scores has to know, by system."""
    result: dict[str, list[Finding]] = {}
    for name, reasons in shared.unscored.items():
        result.setdefault(name, []).extend(Finding(NOT_COMPUTED, "error", (), why) for why in reasons)
    for name, open_ in evaluation.unanswered.items():
        own = [score for score in scores if score.system == name]
        result.setdefault(name, []).append(unanswered.finding(open_, own))
    for (a, b), keys in same.items():
        sentence = f"identical outputs: all {len(keys)} common clips are the same bytes as those of '{a}'"
        result.setdefault(b, []).append(Finding("identical", "warning", tuple(keys), sentence))
    result[checks.EVALUATION] = [
        *checks.unequal_n(scores, evaluation.config.systems, {s.metric for s in scores if biased_in_n(s.metric)}),
        *(Finding("not_compared", "warning", (), why) for why in untested),
    ]
    return result
