"""The records next to a report: small enough to be committed, enough to remake it.

The values of clips lie next to each record (``clips.parquet``), so that every paired test can be made again. What was
computed over the per-query means of several training seeds is exported in records of kind ``pooled`` as well, which a
report reads where there are no values of clips.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from clipsonic_eval import filenames, files, records
from clipsonic_eval.analysis import figure_data
from clipsonic_eval.analysis.comparisons import asked_for
from clipsonic_eval.analysis.results import GAP, Results
from clipsonic_eval.analysis.training_logs import LogRow
from clipsonic_eval.records import Comparison, RunRecord

TRAINING = "training"  # folder of the logs of trainings


def write(results: Results, folder: Path) -> None:
    """Write a compact copy of every run that the report uses, the pooled records, and what its figures need."""
    found = results.runs
    for run in found.all_runs:
        records.write(compact(run.record, results), folder / run.name)
    for pooled in _pooled(results):
        name = "-".join(["pooled", *(str(v).replace("/", "-") for v in pooled.tags.values())])
        records.write(pooled, folder / name)
    shown = figure_data.examples(found.table)
    if shown is not None:
        whole = figure_data.in_contact_sheet(shown, results.catalogue)
        figure_data.export_examples(shown, folder / found.table[0].name, whole)
    for run in results.gap_runs:
        points = figure_data.projection(run)
        if points is not None:
            figure_data.export_projection(points, folder / run.name)
    for model, rows in results.training.items():
        files.write_csv(folder / TRAINING / model / filenames.TRAIN_LOG, LogRow._fields, rows)


def compact(record: RunRecord, results: Results) -> RunRecord:
    """Return a record without skipped clips of single metrics, comparisons that no table shows, and absolute paths."""
    catalogue = results.catalogue
    shown = {frozenset(pair) for pair in (*catalogue.planned, *catalogue.sweep)}

    with_best = {(c.metric, frozenset((c.a, c.b))) for c in results.against_best}

    def is_shown(c: Comparison) -> bool:
        listed = catalogue.is_listed(c.a) and catalogue.is_listed(c.b)
        of_best = (c.metric, frozenset((c.a, c.b))) in with_best
        return not listed or of_best or frozenset((c.a, c.b)) in shown or asked_for(record, c)

    return replace(
        record,
        scores=tuple(replace(s, skipped=()) for s in record.scores),
        comparisons=tuple(filter(is_shown, record.comparisons)),
        systems=without_paths(record.systems),
        config=without_paths(record.config),
    )


def without_paths(tree: Any) -> Any:
    """Return nested mappings and lists with absolute paths cut to their last part: they mean nothing elsewhere."""
    if isinstance(tree, Mapping):
        return {k: without_paths(v) for k, v in tree.items()}
    if isinstance(tree, (list, tuple)):
        return [without_paths(v) for v in tree]
    return Path(tree).name if isinstance(tree, str) and Path(tree).is_absolute() else tree


def _pooled(results: Results) -> list[RunRecord]:
    """Return the pooled record of the table, of each further CLIP variant, of each guidance scale, and of the gap.

    The values per clip stay in the records of the seeds.
    """
    main = results.runs.clip_variant
    found = []
    by_variant = {record.tags["clip_variant"]: record for _, record in results.sweep}
    if results.table.scores:
        swept = by_variant.pop(main).comparisons if main in by_variant else ()
        comparisons = {(c.metric, c.a, c.b): c for c in (*swept, *results.table.comparisons)}
        found.append((replace(results.table, comparisons=tuple(comparisons.values())), {"clip_variant": main}))
    found += [(record, {"clip_variant": name}) for name, record in by_variant.items()]
    found += [(r, {"clip_variant": main, "guidance": f"{scale:g}"}) for scale, r in results.by_scale.items()]
    if results.gap is not None:
        found.append((results.gap, {"clip_variant": results.gap_runs[0].tag("clip_variant"), "part": GAP}))
    return [
        replace(
            record,
            scores=tuple(replace(s, per_clip={}, influence={}, reference_influence={}) for s in record.scores),
            tags={k: v for k, v in tags.items() if v},
        )
        for record, tags in found
    ]
