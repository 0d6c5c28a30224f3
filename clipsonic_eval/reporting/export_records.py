"""The records beside a report: small enough to be committed, enough to remake it.

The values of clips lie beside each (``clips.parquet``), so that every paired test can be made again. What was computed
over the per-query means of several seeds (intervals and tests) is kept in records of kind ``pooled`` as well, which a
report reads where there are no values of clips.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from clipsonic_eval import records
from clipsonic_eval.analysis import figure_data, names
from clipsonic_eval.analysis.comparisons import asked_for
from clipsonic_eval.analysis.pooling import pool_scores
from clipsonic_eval.analysis.runs import POOLED
from clipsonic_eval.config import portable
from clipsonic_eval.records import Comparison, RunRecord
from clipsonic_eval.reporting import sweep
from clipsonic_eval.reporting.results import Results
from clipsonic_eval.types import Score

_ASKED = {frozenset(q) for q in (*names.PLANNED, *sweep.QUESTIONS)}


def write(results: Results, folder: Path) -> None:
    """Write a slim copy of every run that the report uses, the pooled records, and the arrays of its figures."""
    found = results.runs
    for run in found.all_runs:
        records.write(_slim(run.record), folder / run.name)
    for made in _pooled_records(results):
        name = "-".join(["pooled", *(str(v).replace("/", "-") for v in made.tags.values())])
        records.write(made, folder / name)
    shown = figure_data.examples(found.table)
    if shown is not None:
        figure_data.export_examples(shown, folder / found.table[0].name)
    for run in results.gap.runs if results.gap else ():
        points = figure_data.projection(run)
        if points is not None:
            figure_data.export_projection(points, folder / run.name)


def _slim(record: RunRecord) -> RunRecord:
    """Return the record without what was skipped, comparisons that no table shows, and paths of the machine."""
    return replace(
        record,
        scores=tuple(replace(s, skipped=()) for s in record.scores),
        comparisons=tuple(c for c in record.comparisons if _is_shown(c) or asked_for(record, c)),
        systems=portable(record.systems, names=1),
        config=portable(record.config, names=1),
    )


def _is_shown(c: Comparison) -> bool:
    foreign = names.OTHER in (names.system(c.a).group, names.system(c.b).group)
    return foreign or frozenset((_any_k(c.a), _any_k(c.b))) in _ASKED


def _any_k(name: str) -> str:
    return "PD-best4" if name.startswith("PD-best") else name


def _pooled_records(results: Results) -> list[RunRecord]:
    """Return one record for the table, one for each further CLIP variant and one for each guidance scale."""
    found = results.runs
    made = []
    by_name = {point.clip_variant: point.pairs for point in results.points}
    if results.cells:
        pairs = {(p.metric, p.a, p.b): p for p in (*by_name.get(found.clip_variant, ()), *results.pairs)}
        made.append(_pooled(results.cells.values(), pairs.values(), {"clip_variant": found.clip_variant}))
    for name, pairs_of in by_name.items():
        if name != found.clip_variant:
            cells = pool_scores(found.clip_variants[name], found.pooled.get((name, "")))
            made.append(_pooled(cells.values(), pairs_of, {"clip_variant": name}))
    for scale, cells_at in results.by_scale.items():
        made.append(_pooled(cells_at.values(), (), {"clip_variant": found.clip_variant, "guidance": f"{scale:g}"}))
    return made


def _pooled(scores: Iterable[Score], comparisons: Iterable[Comparison], tags: Mapping[str, str]) -> RunRecord:
    """Return a record of pooled numbers; the values per clip stay in the records of the seeds."""
    slim = tuple(replace(s, per_clip={}, influence={}, reference_influence={}, skipped=()) for s in scores)
    return RunRecord(POOLED, slim, tuple(comparisons), tags={k: v for k, v in tags.items() if v})
