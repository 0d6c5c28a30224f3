"""Evaluate embeddings that are in memory: the scores and paired tests of ``evaluate``, without audio and encoders."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from clipsonic_eval import provenance
from clipsonic_eval.errors import ConfigError
from clipsonic_eval.harness.compare import compare_systems
from clipsonic_eval.harness.evaluation_config import EvaluateConfig
from clipsonic_eval.harness.plan import pairs_to_compare
from clipsonic_eval.harness.resolve import resolve_metric
from clipsonic_eval.metrics.scoring import Vectors, identity_of, inputs_of, score_systems
from clipsonic_eval.records import Comparison, RunRecord
from clipsonic_eval.stats import paired
from clipsonic_eval.types import Finding, Score, as_embeddings


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
    config = EvaluateConfig(  # refuses the names and numbers that it refuses for folders
        dict.fromkeys(systems, Path()),
        metrics=tuple(metrics),
        n_bootstrap=n_boot,
        n_permutations=n_permutations,
        seed=seed,
        baselines=tuple(baselines),
        compare=compare,
        tags=dict(tags or {}),
    )
    pairs = pairs_to_compare(config, list(systems))
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
        for name, found in _findings(metric.card.name, scored.unscored, not_compared):
            findings[name] = (*findings.get(name, ()), found)
    holm = paired.holm([comparison.p_value for comparison in comparisons])
    return RunRecord(
        kind="evaluate",
        scores=tuple(scores),
        comparisons=tuple(dataclasses.replace(c, p_holm=p) for c, p in zip(comparisons, holm, strict=True)),
        systems={name: {"kind": "embeddings"} for name in systems},
        findings=findings,
        hashes=_hashes({**systems, "reference": reference, "prompts": prompts, "real": real}),
        tags=dict(tags or {}),
        provenance=provenance.collect(),
    )


def _hashes(sets: Mapping[str, Vectors | None]) -> dict[str, dict[str, str]]:
    """Return the SHA-256 of the embeddings that were given, by set."""
    found = {name: as_embeddings(one, name) for name, one in sets.items() if one is not None}
    return {name: {"embeddings": one.sha256} for name, one in found.items()}


def _findings(metric: str, unscored: Mapping[str, str], not_compared: Sequence[str]) -> Iterator[tuple[str, Finding]]:
    """Yield (set, finding) for systems that a metric could not score and pairs that it could not compare."""
    for name, why in unscored.items():
        yield name, Finding("not_computed", "error", (), f"{metric} not computed: {why}")
    for why in not_compared:
        yield "evaluation", Finding("not_compared", "warning", (), why)
