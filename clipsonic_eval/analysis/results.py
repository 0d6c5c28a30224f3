"""Everything that a report shows, as run records of kind ``pooled``: computed here, rendered by reporting."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from clipsonic_eval.analysis.best import against_best
from clipsonic_eval.analysis.catalogue import Catalogue, Pair
from clipsonic_eval.analysis.comparisons import pool_comparisons
from clipsonic_eval.analysis.parts import Runs
from clipsonic_eval.analysis.pooling import pool_scores
from clipsonic_eval.analysis.resampling import PERMUTATIONS, RESAMPLES, SEED
from clipsonic_eval.analysis.runs import POOLED, Run
from clipsonic_eval.analysis.tags import number
from clipsonic_eval.analysis.training_logs import LogRow
from clipsonic_eval.analysis.varied import Varied
from clipsonic_eval.records import Comparison, RunRecord
from clipsonic_eval.types import Score

DISTANCE = "centroid_distance"
TEXT = "text"  # the condition of a gap record in which the text embedding stands in for the image's
GAP = "gap"  # the part of pooled records that hold statistics of the modality gap
_EMPTY = RunRecord(POOLED, ())


class SettingLine(NamedTuple):
    """Scores of one system at the values of a setting, everything else alike.

    Attributes:
        system: its name.
        title: the name, with what else distinguishes these runs from others of the system; that of the scores too.
        scores: by value, in the order of numbers where they are numbers.
    """

    system: str
    title: str
    scores: Mapping[str, Sequence[Score]]

    @property
    def level(self) -> bool:
        """Whether the scores are the same at every value: the setting does not touch the system."""
        return len({tuple((s.metric, s.value) for s in scores) for scores in self.scores.values()}) == 1


@dataclass(frozen=True, slots=True)
class Results:
    """The numbers of a report.

    Attributes:
        runs: those that the numbers come from.
        catalogue: of the study, completed for the systems of these runs.
        table: scores and comparisons of the main table.
        against_best: the best system of each metric against every other one, Holm-corrected together.
        reference_scores: scores of the reference itself, such as the distance of its halves.
        by_scale: scores and comparisons at every guidance scale that was tried.
        chosen: guidance scale of each system of the table.
        guidance_split: split on which the guidance scales were tried.
        by_setting: for each further tag (``steps``, ``fraction``, …) the systems that have two of its values or more.
        pairs_by_setting: for each of these tags, by those of its values that are numbers, comparisons with a system
            that it changes, Holm-corrected over those of a value; none where systems come from other runs than others.
        limits: FAD and FAD∞ of the systems whose FAD was extrapolated beside the table, None without such runs.
        sweep: for each CLIP variant the centroid distance of text and image, and its scores and comparisons; ordered
            by the distance.
        gap: modality-gap statistics of the main CLIP variant, None without a gap run.
        gap_runs: those that ``gap`` comes from.
        training: logs of trainings by model, for the curves.
        notes: runs that were left out, with the reason.
    """

    runs: Runs = field(default_factory=Runs)
    catalogue: Catalogue = field(default_factory=Catalogue)
    table: RunRecord = _EMPTY
    against_best: tuple[Comparison, ...] = ()
    reference_scores: tuple[Score, ...] = ()
    by_scale: Mapping[float, RunRecord] = field(default_factory=dict)
    chosen: Mapping[str, float] = field(default_factory=dict)
    guidance_split: str = ""
    by_setting: Mapping[str, Sequence[SettingLine]] = field(default_factory=dict)
    pairs_by_setting: Mapping[str, Mapping[float, Sequence[Comparison]]] = field(default_factory=dict)
    limits: RunRecord | None = None
    sweep: tuple[tuple[Score, RunRecord], ...] = ()
    gap: RunRecord | None = None
    gap_runs: tuple[Run, ...] = ()
    training: Mapping[str, Sequence[LogRow]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def split_of(self, setting: str) -> str:
        """Return the split on which a setting other than guidance was varied, "" where its runs name none."""
        return next((run.tag("split") for one in self.runs.settings.get(setting, ()) for run, _ in one.all_places), "")


def analyse(runs: Runs, catalogue: Catalogue | None = None) -> Results:
    """Pool the runs over their training seeds and test the planned pairs.

    Args:
        runs: from :func:`clipsonic_eval.analysis.parts.sort`.
        catalogue: of the study; None: the default, which suits any systems.

    Raises:
        UserError: runs contradict each other, or seeds were evaluated differently.
    """
    names = [name for run in runs.all_runs if run not in runs.bench for name in run.record.system_names]
    catalogue = (catalogue or Catalogue()).completed(names)
    kept, variant = runs.pooled, runs.clip_variant
    gaps = {
        name: pooled for name, found in runs.gaps.items() if (pooled := _gap(found, kept.get((name, GAP)))) is not None
    }
    main_gap = next(iter(gaps)) if len(gaps) == 1 else variant
    sweep, notes = _sweep(runs, gaps, catalogue)
    lines = {key: setting_lines(found) for key, found in runs.settings.items()}
    by_scale = {
        scale: pool(found, catalogue, kept.get((variant, f"{scale:g}"))) for scale, found in _by_scale(runs.guidance)
    }
    table = pool(runs.table, catalogue, kept.get((variant, "")))
    by_name = {(s.metric, s.system): s for s in table.scores}
    return Results(
        runs=runs,
        catalogue=catalogue,
        table=table,
        against_best=against_best(runs.table, by_name, catalogue, kept.get((variant, ""))),
        reference_scores=tuple(pool_scores(runs.table, of_reference=True).values()),
        by_scale=by_scale,
        chosen=_chosen(runs.table) if by_scale else {},
        guidance_split=runs.guidance[0].tag("split") if runs.guidance else "",
        by_setting=lines,
        pairs_by_setting={key: _by_value(found, lines[key], catalogue) for key, found in runs.settings.items()},
        limits=_limits(runs.limits, table),
        sweep=sweep,
        gap=gaps.get(main_gap),
        gap_runs=runs.gaps[main_gap] if main_gap in gaps else (),
        notes=(*runs.notes, *notes),
    )


def pool(
    runs: Sequence[Run], catalogue: Catalogue, kept: RunRecord | None = None, planned: Sequence[Pair] | None = None
) -> RunRecord:
    """Return one record of kind ``pooled`` for runs that differ in their training seed.

    Args:
        runs: of one CLIP variant, split and guidance scale.
        catalogue: completed for the systems of the runs.
        kept: an earlier pooled record of the same runs, for what needs values per clip that were not kept.
        planned: pairs that are compared instead of the planned ones of the catalogue.

    Raises:
        UserError: runs contradict each other, or seeds were evaluated differently.
    """
    scores = pool_scores(runs, kept)
    comparisons = pool_comparisons(runs, scores, catalogue, catalogue.planned if planned is None else planned, kept)
    return _record(runs, scores.values(), comparisons)


def _record(runs: Sequence[Run], scores: Iterable[Score], comparisons: Iterable[Comparison] = ()) -> RunRecord:
    made_by = {"runs": [run.name for run in runs], "resamples": RESAMPLES, "permutations": PERMUTATIONS, "seed": SEED}
    return RunRecord(POOLED, tuple(scores), tuple(comparisons), config=made_by)


def _gap(runs: Sequence[Run], kept: RunRecord | None) -> RunRecord | None:
    """Pool the gap runs of one CLIP variant; None where they score no condition."""
    scores = pool_scores(runs, kept)
    conditions = [s for s in scores.values() if s.metric in (DISTANCE, "matched_cosine", "matched_cosine_centred")]
    return _record(runs, scores.values()) if conditions else None


def _sweep(
    runs: Runs, gaps: Mapping[str, RunRecord], catalogue: Catalogue
) -> tuple[tuple[tuple[Score, RunRecord], ...], list[str]]:
    """Return distance and record of each CLIP variant that can be placed, none with fewer than two, and notes."""
    found: list[tuple[Score, RunRecord]] = []
    notes = []
    for name, own in runs.clip_variants.items():
        distance = gaps[name].score(DISTANCE, TEXT) if name in gaps else None
        if distance is None:
            notes.append(f"CLIP variant '{name}' is left out of the sweep: no gap record with a centroid distance")
            continue
        record = pool(own, catalogue, runs.pooled.get((name, "")), catalogue.sweep)
        if record.comparisons:
            found.append((distance, replace(record, tags={"clip_variant": name})))
        else:
            notes.append(
                f"CLIP variant '{name}' is left out of the sweep: none of the pairs of the sweep was compared on it"
            )
    found.sort(key=lambda point: point[0].value)
    return (tuple(found) if len(found) > 1 else ()), notes


def _by_scale(runs: Iterable[Run]) -> list[tuple[float, list[Run]]]:
    groups: dict[float, list[Run]] = {}
    for run in runs:
        groups.setdefault(number(run.tag("guidance")), []).append(run)
    return sorted(groups.items())


def setting_lines(found: Iterable[Varied]) -> list[SettingLine]:
    """Return the scores of systems at the values of a setting, pooled over training seeds."""
    return [
        SettingLine(
            one.system,
            one.title,
            {value: tuple(pool_scores(at_value(one, value, one.title)).values()) for value in one.places},
        )
        for one in found
    ]


def _by_value(
    found: Sequence[Varied], lines: Sequence[SettingLine], catalogue: Catalogue
) -> dict[float, list[Comparison]]:
    """Return the comparisons at each value of a setting, where all systems come from the same runs."""
    changed = {line.system for line in lines if not line.level}
    planned = [pair for pair in catalogue.planned if not changed.isdisjoint(pair)]
    result = {}
    for value in dict.fromkeys(value for one in found for value in one.places):
        runs = [{run.name: run for run, _ in one.places.get(value, ())} for one in found]
        if math.isfinite(number(value)) and all(own.keys() == runs[0].keys() for own in runs):
            result[number(value)] = list(pool(list(runs[0].values()), catalogue, planned=planned).comparisons)
    return result


def _limits(runs: Sequence[Run], table: RunRecord) -> RunRecord | None:
    """Return the extrapolated FAD of the systems, each after its FAD in the table."""
    scores = []
    for limit in pool_scores(runs).values():
        plug_in = table.score("fad", limit.system)
        scores += [*([plug_in] if plug_in else []), limit]
    return _record(runs, scores) if scores else None


def at_value(one: Varied, value: str, name: str) -> list[Run]:
    """Return the runs of a system at one value of a setting, with its scores alone and under a name for them."""
    made = []
    for run, system in one.places[value]:
        scores = tuple(replace(score, system=name) for score in run.record.scores if score.system == system)
        made.append(Run(run.name, None, RunRecord("evaluate", scores, tags=run.record.tags)))
    return made


def networks(runs: Iterable[Run]) -> list[tuple[str, ...]]:
    """Return the systems by the weights of the model that their cards name; one without a model stands alone."""
    found: dict[str, list[str]] = {}
    placed: set[str] = set()
    for run in runs:
        for name in run.record.system_names:
            model = run.record.systems.get(name, {}).get("model")
            weights = model.get("weights_sha256") if isinstance(model, Mapping) else None
            if name not in placed:
                found.setdefault(f"weights {weights}" if weights else name, []).append(name)
                placed.add(name)
    return [tuple(names) for names in found.values()]


def _chosen(runs: Iterable[Run]) -> dict[str, float]:
    """Return the guidance scale of each system of the table: from its card, else from the run's tag."""
    found: dict[str, float] = {}
    for run in runs:
        for name in run.record.system_names:
            value = run.record.systems.get(name, {}).get("guidance", run.tag("guidance") or None)
            if isinstance(value, (int, float)) or (isinstance(value, str) and number(value) < float("inf")):
                found.setdefault(name, float(value))
    return found
