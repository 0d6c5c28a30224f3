"""Runs sorted into the parts of a report: table, guidance scales, other settings, CLIP variants, modality gap, cost.

Records say what they are by their tags (``split``, ``train_seed``, ``guidance``, ``clip_variant``); a record without
tags, such as a user's own evaluation, simply goes into the table.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from clipsonic_eval.analysis.runs import BENCH, POOLED, Run, find
from clipsonic_eval.analysis.tags import number
from clipsonic_eval.analysis.varied import NAME, Varied, varied
from clipsonic_eval.errors import UserError
from clipsonic_eval.records import RunRecord

PART = "part"  # tag of what belongs to one part of the report and not to its table
LIMIT = "limit"  # the part of FAD∞
_PLACE = ("split", "train_seed", "guidance", "clip_variant", NAME)  # tags that a part of the report of its own reads


@dataclass(frozen=True, slots=True)
class Runs:
    """Runs sorted by their part in the report.

    Attributes:
        table: evaluations of the main table (one CLIP variant, one split, one guidance scale, all training seeds).
        guidance: evaluations of the same CLIP variant over guidance scales.
        settings: by any other tag (``steps``, ``fraction``, …) the systems of the main table at two values of it or
            more, with all evaluations that differ in this tag alone; of the validation split where the table has one
            value.
        limits: evaluations of the main CLIP variant that were tagged as those of FAD∞ alone.
        clip_variants: evaluations by CLIP variant, the main one included; empty unless there are several.
        gaps: gap runs by CLIP variant.
        bench: measurements of cost.
        pooled: records of kind ``pooled`` that an earlier report exported, by CLIP variant and part: a guidance scale,
            ``gap``, or "" for the table; they stand in for values per clip that were not kept.
        clip_variant: the main one.
        evaluations: all evaluations that were given, whatever their part.
        selected: tags that were asked for.
        notes: runs that were left out, with the reason.
    """

    table: tuple[Run, ...] = ()
    guidance: tuple[Run, ...] = ()
    settings: Mapping[str, tuple[Varied, ...]] = field(default_factory=dict)
    limits: tuple[Run, ...] = ()
    clip_variants: Mapping[str, tuple[Run, ...]] = field(default_factory=dict)
    gaps: Mapping[str, tuple[Run, ...]] = field(default_factory=dict)
    bench: tuple[Run, ...] = ()
    pooled: Mapping[tuple[str, str], RunRecord] = field(default_factory=dict)
    clip_variant: str = ""
    evaluations: tuple[Run, ...] = ()
    selected: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def all_runs(self) -> tuple[Run, ...]:
        """Every run that the report uses, once."""
        several = [group for groups in (self.clip_variants, self.gaps) for group in groups.values()]
        settings = [[run for run, _ in one.all_places] for found in self.settings.values() for one in found]
        groups = [self.table, self.guidance, *settings, self.limits, *several, self.bench]
        return tuple({r.name: r for group in groups for r in group}.values())


def gather(
    given: Iterable[str | os.PathLike[str] | RunRecord],
    select: Mapping[str, str] | None = None,
    main_variants: Sequence[str] = (),
) -> Runs:
    """Find run records as :func:`~clipsonic_eval.analysis.runs.find` does, and sort them as :func:`sort` does."""
    return sort(find(given), select, main_variants)


def sort(runs: Sequence[Run], select: Mapping[str, str] | None = None, main_variants: Sequence[str] = ()) -> Runs:
    """Sort runs into the parts of the report.

    Args:
        runs: from :func:`~clipsonic_eval.analysis.runs.find`.
        select: tags that the runs of the main table must have, e.g. ``{"guidance": "2"}``; needed where the runs
            leave a choice open.
        main_variants: CLIP variants that the main table prefers, the first one most.

    Raises:
        UserError: there is no evaluation and no gap run, nothing fits ``select``, or the choice is open.
    """
    select = dict(select or {})
    evaluations = [r for r in runs if r.record.kind not in ("gap", BENCH, POOLED) and not r.tag(PART)]
    limits = [r for r in runs if r.record.kind != POOLED and r.tag(PART) == LIMIT]
    gap_runs = [r for r in runs if r.record.kind == "gap"]
    bench = [r for r in runs if r.record.kind == BENCH]
    if not evaluations and not gap_runs and not bench:
        raise UserError(
            "the runs given hold no evaluation, no gap statistics and no bench; run `evaluate`, `gap` or `bench` first"
        )
    main = select.get("clip_variant", _main_clip_variant(evaluations or gap_runs, main_variants))
    notes: list[str] = []
    table = _main_runs([r for r in evaluations if r.tag("clip_variant") in ("", main)], select) if evaluations else []
    return Runs(
        table=tuple(table),
        guidance=tuple(_guidance_runs([r for r in evaluations if r.tag("clip_variant") in ("", main)])),
        settings=_settings([r for r in evaluations if r.tag("clip_variant") in ("", main)], table),
        limits=tuple(r for r in limits if r.tag("clip_variant") in ("", main)),
        clip_variants=_sweep(evaluations, main, table, notes),
        gaps=_gaps(gap_runs, notes),
        bench=tuple(bench),
        pooled={_part(r): r.record for r in runs if r.record.kind == POOLED},
        clip_variant=main,
        evaluations=tuple(evaluations),
        selected=select,
        notes=tuple(notes),
    )


def _part(run: Run) -> tuple[str, str]:
    return run.tag("clip_variant"), run.tag(PART) or run.tag("guidance")


def _clip_variants(runs: Sequence[Run]) -> list[str]:
    return sorted({r.tag("clip_variant") for r in runs})


def _main_clip_variant(runs: Sequence[Run], preferred: Sequence[str]) -> str:
    """Return the preferred CLIP variant, else the one with most training seeds, "" where runs are untagged."""
    tagged = [n for n in _clip_variants(runs) if n]
    if not tagged:
        return ""
    seeds = {name: len({r.tag("train_seed") for r in runs if r.tag("clip_variant") == name}) for name in tagged}
    return next((n for n in preferred if n in tagged), max(tagged, key=lambda name: seeds[name]))


def _main_split(runs: Sequence[Run]) -> str:
    splits = {r.tag("split") for r in runs}
    return next((s for s in ("test", "") if s in splits), sorted(splits)[0])


def _gaps(runs: Sequence[Run], notes: list[str]) -> dict[str, tuple[Run, ...]]:
    names = _clip_variants(runs)
    return {name: _gap_runs([r for r in runs if r.tag("clip_variant") == name], notes) for name in names}


def _gap_runs(runs: Sequence[Run], notes: list[str]) -> tuple[Run, ...]:
    """Return the runs of image against text, without any those of audio against text; of one split."""
    about_audio = [r for r in runs if any(s.metric == "audio_audio_cosine" for s in r.record.scores)]
    chosen = [r for r in runs if r not in about_audio] or about_audio
    if len(chosen) < len(runs):
        named = ", ".join(r.name for r in about_audio)
        notes.append(f"the gap between audio and text ({named}) is not shown next to the one between image and text")
    split = _main_split(chosen)
    return tuple(r for r in chosen if r.tag("split") == split)


def _main_runs(runs: Sequence[Run], select: Mapping[str, str]) -> list[Run]:
    fits = [r for r in runs if all(r.tag(k) in ("", v) for k, v in select.items())]
    if not fits:
        wanted = ", ".join(f"{k}={v}" for k, v in select.items())
        raise UserError(f"no evaluation has the tags {wanted}; remove a --select or correct its value")
    split = _main_split(fits)
    fits = [r for r in fits if r.tag("split") == split or (split == "test" and not r.tag("split"))]
    scales = sorted({r.tag("guidance") for r in fits} - {""}, key=number)
    if len(scales) > 1:
        raise UserError(
            f"the evaluations of split '{split}' have guidance scales {', '.join(scales)}; choose the one that the "
            f"table shows, e.g. --select guidance={scales[0]}"
        )
    return fits


def _guidance_runs(runs: Sequence[Run]) -> list[Run]:
    """Return the runs of one split (validation before test) that cover two guidance scales or more."""
    tagged = [r for r in runs if r.tag("guidance")]
    splits = sorted({r.tag("split") for r in tagged}, key=lambda s: ("val" not in s, s))
    for split in splits:
        inside = [r for r in tagged if r.tag("split") == split]
        if len({r.tag("guidance") for r in inside}) > 1:
            return inside
    return []


def _settings(evaluations: Sequence[Run], table: Sequence[Run]) -> dict[str, tuple[Varied, ...]]:
    """Return by tag the systems at several of its values: those of the table, else those of the validation split."""
    shown = {run.name for run in table}
    found: dict[str, tuple[Varied, ...]] = {}
    for key in dict.fromkeys(k for run in evaluations for k in run.record.tags if k not in _PLACE):
        every = varied([run for run in evaluations if run.tag(key)], key)
        own = [one for one in every if any(run.name in shown for run, _ in one.all_places)]
        tried = [one for one in every if all("val" in run.tag("split") for run, _ in one.all_places)]
        if own or tried:
            found[key] = tuple(own or tried)
    return found


def _sweep(evaluations: Sequence[Run], main: str, table: Sequence[Run], notes: list[str]) -> dict[str, tuple[Run, ...]]:
    names = [n for n in _clip_variants(evaluations) if n]
    if len(names) < 2:
        return {}
    split = _main_split(table)
    scale = next((r.tag("guidance") for r in table if r.tag("guidance")), "")
    result = {main: tuple(table)}
    for name in names:
        if name == main:
            continue
        inside = [r for r in evaluations if r.tag("clip_variant") == name and r.tag("split") == split]
        scales = {r.tag("guidance") for r in inside} - {""}
        if len(scales) > 1:
            inside = [r for r in inside if r.tag("guidance") in ("", scale)]
        if inside:
            result[name] = tuple(inside)
        else:
            notes.append(
                f"CLIP variant '{name}' is left out of the sweep: no evaluation on split '{split}'"
                + (f" at guidance {scale}" if scale else "")
            )
    return result if len(result) > 1 else {}
