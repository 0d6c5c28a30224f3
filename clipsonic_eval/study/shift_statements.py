"""Sentences about the shift curve: how far mean-shift should move, and whether that does what the prior does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from clipsonic_eval.analysis.ablation import of_values
from clipsonic_eval.analysis.best import best_systems
from clipsonic_eval.analysis.results import Results
from clipsonic_eval.formats import interval, number
from clipsonic_eval.records import Comparison
from clipsonic_eval.reporting.headings import decimals, in_text, title
from clipsonic_eval.reporting.statements.wording import listed, plural
from clipsonic_eval.stats.paired import holm

SETTING: Final = "fraction"
PAIR: Final = ("PD", "mean-shift")


def best_fraction(results: Results) -> list[str]:
    """Say at which fraction each metric is best, and which fractions are significantly worse there."""
    line = next((one for one in results.runs.settings.get(SETTING, ()) if one.system == PAIR[1]), None)
    if line is None:
        return []
    found = of_values(line)
    best = best_systems(found.table.scores, found.catalogue)
    if not best:
        return []
    of = len(found.against_best)
    split = {"val": "validation", "": "the given"}.get(results.split_of(SETTING), results.split_of(SETTING))
    seeds = max(len(score.by_seed) for score in found.table.scores)
    n = min(score.n for score in found.table.scores)
    lines = [
        f"Mean-shift by {plural(len(line.places), 'fraction')} of the difference of the centroids, on {n} {split} "
        f"queries with {'one training seed' if seeds == 1 else plural(seeds, 'training seed')}: 0 is ZS, 1 the "
        f"whole of it. Each metric's best fraction is tested against the others, Holm-corrected over all {of}."
    ]
    for metric, value in best.items():
        score = found.table.score(metric, value)
        tests = [c for c in found.against_best if c.metric == metric]
        if score is not None and tests:
            places = decimals(metric)
            said = f"{number(score.value, places)} {interval(score.ci, places)}".strip()
            lines.append(f"{title(metric)} is best at {value} ({said}); {_worse(tests)}.")
    return lines


def _worse(tests: Sequence[Comparison]) -> str:
    """Say which values are significantly worse than the best one, and which are not."""
    worse, unclear = ([c.b for c in tests if c.significant is of] for of in (True, False))
    parts = ((worse, "significantly worse"), (unclear, "not shown to be worse"))
    return "; ".join(f"{listed(_ordered(v))} {'is' if len(v) == 1 else 'are'} {text}" for v, text in parts if v)


def _ordered(values: Sequence[str]) -> list[str]:
    return sorted(values, key=float)


def shift_or_prior(results: Results) -> list[str]:
    """Compare the prior with mean-shift at every fraction, by tests corrected over all fractions and metrics."""
    by_value = {
        value: [c for c in tests if (c.a, c.b) == PAIR]
        for value, tests in results.pairs_by_setting.get(SETTING, {}).items()
    }
    every = [(value, c) for value, tests in by_value.items() for c in tests]
    if len(by_value) < 2 or not every:
        return []
    corrected = holm([c.p_value for _, c in every])
    of_metric: dict[str, dict[float, Comparison]] = {}
    for (value, c), p in zip(every, corrected, strict=True):
        of_metric.setdefault(c.metric, {})[value] = replace(c, p_holm=p)
    intro = f"PD against mean-shift at each of these fractions, Holm-corrected over all {len(every)} tests:"
    lines = [f"{intro} {'; '.join(_clauses(of_metric))}."]
    ahead = [in_text(m) for m, tests in of_metric.items() if all(c.significant and c.a_better for c in tests.values())]
    if ahead:
        lines.append(f"On {listed(ahead)} no fraction that was tested is as good as the prior.")
    return lines


def _clauses(of_metric: Mapping[str, Mapping[float, Comparison]]) -> Iterator[str]:
    """Yield for each outcome on all metrics what it holds for: metrics of the same fractions together."""
    a, b = PAIR
    texts = {a: f"{a} is better on", b: f"{b} is better on", "": "no significant difference on"}
    for better, text in texts.items():
        on: dict[str, list[str]] = {}
        for metric, tests in of_metric.items():
            values = [f"{value:g}" for value, c in tests.items() if _better(c) == better]
            if values:
                where = "all fractions" if len(values) == len(tests) else listed(values)
                on.setdefault(where, []).append(in_text(metric))
        if on:
            yield f"{text} {', '.join(f'{listed(metrics)} at {where}' for where, metrics in on.items())}"


def _better(c: Comparison) -> str:
    """Return the system that is significantly better, "" where neither is."""
    return (c.a if c.a_better else c.b) if c.significant else ""
