"""Evaluate embeddings that are in memory: the scores and paired tests of ``evaluate``, without audio and encoders."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path

from clipsonic_eval import provenance
from clipsonic_eval.errors import ConfigError, unknown_name
from clipsonic_eval.harness.compare import compare_systems
from clipsonic_eval.harness.evaluation_config import EvaluateConfig
from clipsonic_eval.harness.resolve import resolve_metric
from clipsonic_eval.metrics.scoring import Vectors, identity_of, inputs_of, score_systems
from clipsonic_eval.records import Comparison, RunRecord
from clipsonic_eval.stats import paired
from clipsonic_eval.types import Finding, Score


def evaluate_embeddings(
    systems: Mapping[str, Vectors],
    metrics: Sequence[str],
    *,
    reference: Vectors | None = None,
    prompts: Vectors | None = None,
    real: Vectors | None = None,
    baselines: Sequence[str] = (),
    compare: bool = True,
    n_boot: int = 2000,
    n_permutations: int = 10000,
    seed: int = 0,
    tags: Mapping[str, str] | None = None,
) -> RunRecord:
    """Score systems by metrics that take one kind of embedding, and compare them on their common keys.

    Args:
        systems: (n, d) array or embeddings of each system by name; rows of arrays are numbered, so that row i of each
            array answers the same query.
        metrics: names.
        reference: (m, d) embeddings of real audio.
        prompts: (n, d) text embeddings in the same space.
        real: (n, d) embeddings of the queries' own audio.
        baselines: systems that every other one is compared with; none: all pairs.
        compare: False: no paired tests.
        n_boot: number of resamples of the clips.
        n_permutations: number of permutations of the paired tests.
        seed: of both.
        tags: written into the record.

    Raises:
        ConfigError: no system, no metric, a setting or name that an evaluation does not take, or a metric that cannot
            be computed for any system.
        UserError: no metric or system of a name, or an array that does not fit.
    """
    if not systems or not metrics:
        raise ConfigError("evaluate needs at least one system and, for embeddings, the names of the metrics")
    systems = {str(name): one for name, one in systems.items()}
    EvaluateConfig(  # refuses the names and numbers that it refuses for folders
        dict.fromkeys(systems, Path()),
        metrics=tuple(metrics),
        n_bootstrap=n_boot,
        n_permutations=n_permutations,
        seed=seed,
        tags=dict(tags or {}),
    )
    pairs = _pairs(list(systems), baselines) if compare else []
    scores: list[Score] = []
    comparisons: list[Comparison] = []
    findings: dict[str, tuple[Finding, ...]] = {}
    for metric in map(resolve_metric, dict.fromkeys(metrics)):
        inputs = {
            name: inputs_of(metric.card, one, name=name, reference=reference, prompts=prompts, real=real)
            for name, one in systems.items()
        }
        identity = identity_of(metric, next(iter(inputs.values())))
        scored = score_systems(metric, inputs, n_boot=n_boot, seed=seed, identity=identity)
        if not scored.scores:
            raise ConfigError(f"{metric.card.name} cannot be computed: {next(iter(scored.unscored.values()))}")
        compared, not_compared = compare_systems(
            metric, inputs, scored, pairs, n_boot=n_boot, n_permutations=n_permutations, seed=seed
        )
        scores += scored.scores.values()
        comparisons += compared
        for name, why in scored.unscored.items():
            sentence = f"{metric.card.name} not computed: {why}"
            findings[name] = (*findings.get(name, ()), Finding("not_computed", "error", (), sentence))
        warned = tuple(Finding("not_compared", "warning", (), why) for why in not_compared)
        findings["evaluation"] = (*findings.get("evaluation", ()), *warned)
    holm = paired.holm([comparison.p_value for comparison in comparisons])
    return RunRecord(
        kind="evaluate",
        scores=tuple(scores),
        comparisons=tuple(dataclasses.replace(c, p_holm=p) for c, p in zip(comparisons, holm, strict=True)),
        systems={name: {"kind": "embeddings"} for name in systems},
        findings={name: several for name, several in findings.items() if several},
        tags=dict(tags or {}),
        provenance=provenance.collect(),
    )


def _pairs(systems: Sequence[str], baselines: Sequence[str]) -> list[tuple[str, str]]:
    for name in baselines:
        if name not in systems:
            raise unknown_name("system to compare with", name, systems)
    if not baselines:
        return list(combinations(systems, 2))
    wanted = [(a, b) for b in baselines for a in systems if a != b]
    return list({frozenset(pair): pair for pair in reversed(wanted)}.values())[::-1]
