"""Third step of an evaluation: scores with intervals, paired tests, and what a reader of them has to know."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from clipsonic_eval import threads
from clipsonic_eval.checks import evaluation as checks
from clipsonic_eval.errors import UserError
from clipsonic_eval.harness.compare import compare_systems
from clipsonic_eval.harness.embed import Embedded
from clipsonic_eval.harness.unanswered import unanswered_finding, with_unanswered
from clipsonic_eval.metrics import Inputs, Metric, SetMetric
from clipsonic_eval.metrics.scoring import score_systems
from clipsonic_eval.progress import SILENT, Progress
from clipsonic_eval.records import IDENTICAL, Comparison, RunRecord
from clipsonic_eval.stats import paired
from clipsonic_eval.types import Finding, Score


def score(
    embedded: Embedded, *, n_boot: int = 2000, n_permutations: int = 10000, seed: int = 0, progress: Progress = SILENT
) -> RunRecord:
    """Score all systems by all metrics, and compare them.

    Args:
        embedded: the embeddings of an evaluation.
        n_boot: resamples of the clips.
        n_permutations: of the paired tests.
        seed: of both, and of the shuffled prompts and the halves of the reference.
        progress: shows every metric.

    Returns:
        The record, still without configuration, tags and provenance.

    Raises:
        UserError: no metric can be computed for any system.
    """
    plan = embedded.plan
    digests = {name: one.digests for name, one in embedded.sets.items()}
    scores: list[Score] = []
    comparisons: list[Comparison] = []
    unscored: dict[str, list[str]] = {}
    not_compared: list[str] = []
    metrics = list(plan.metrics.values())
    for metric in progress.track(metrics, label=f"score, {n_boot} resamples", total=len(metrics)):
        inputs = embedded.inputs(metric, seed)
        identity = embedded.identity[metric.card.name]
        with threads.matrices(_side(metric, inputs)):
            found = score_systems(metric, inputs, n_boot=n_boot, seed=seed, identity=identity)
            compared, why = compare_systems(
                metric, inputs, found, plan.pairs, digests, n_boot=n_boot, n_permutations=n_permutations, seed=seed
            )
            for one in found.scores.values():
                counted = one.system in embedded.silence
                scores.append(with_unanswered(one, metric, inputs[one.system], embedded) if counted else one)
        comparisons += compared
        not_compared += why
        for name, reason in found.unscored.items():
            unscored.setdefault(name, []).append(f"{metric.card.name} not computed: {reason}")
    if not scores:
        first = next(f"{name}: {why}" for name, reasons in unscored.items() for why in reasons)
        raise UserError(f"nothing could be scored; the first reason: {first}")
    holm = paired.holm([comparison.p_value for comparison in comparisons])
    findings = _findings(embedded, scores, unscored, comparisons, not_compared)
    return RunRecord(
        kind="evaluate",
        scores=tuple(scores),
        comparisons=tuple(dataclasses.replace(c, p_holm=p) for c, p in zip(comparisons, holm, strict=True)),
        systems={name: one.audio.card for name, one in embedded.sets.items()},
        skipped=embedded.skipped,
        sets=embedded.counts,
        hashes=embedded.hashes,
        findings=checks.without_empty(findings),
    )


def _side(metric: Metric, inputs: Mapping[str, Inputs]) -> int:
    """Return how many rows and columns the matrices of a metric have: covariances, or distances from clip to clip."""
    shapes = [one.system.vectors.shape for one in inputs.values()]
    pairwise = isinstance(metric, SetMetric) and not metric.fits_covariance
    return max((rows if pairwise else min(rows, dim) for rows, dim in shapes), default=1)


def _findings(
    embedded: Embedded,
    scores: Sequence[Score],
    unscored: Mapping[str, Sequence[str]],
    comparisons: Sequence[Comparison],
    not_compared: Sequence[str],
) -> dict[str, list[Finding]]:
    """Return what looks wrong, by set: what the earlier steps found, and what a reader of the scores has to know."""
    found = {name: list(findings) for name, findings in embedded.findings.items()}
    for name, reasons in unscored.items():
        found.setdefault(name, []).extend(Finding(checks.NOT_COMPUTED, "error", (), why) for why in reasons)
    for name in embedded.silence:
        found[name].append(unanswered_finding(embedded, name, scores))
    for a, b in dict.fromkeys((c.a, c.b) for c in comparisons if c.test == IDENTICAL):
        common = tuple(sorted(embedded.sets[a].digests.keys() & embedded.sets[b].digests.keys()))
        sentence = f"identical outputs: all {len(common)} common clips are the same bytes as those of '{a}'"
        found.setdefault(b, []).append(Finding("identical", "warning", common, sentence))
    biased = {name for name, metric in embedded.plan.metrics.items() if metric.card.biased_in_n}
    found[checks.EVALUATION] += [
        *checks.unequal_n(scores, embedded.plan.given, biased),
        *(Finding("not_compared", "warning", (), why) for why in not_compared),
    ]
    return found
