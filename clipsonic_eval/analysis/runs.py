"""Find run folders and sort them into the parts of the report: table, guidance sweep, CLIP variants, gap.

Records say what they are by their tags (``split``, ``train_seed``, ``guidance``, ``clip_variant``); a record without
tags, such as a user's own evaluation, simply goes into the table.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from clipsonic_eval import filenames, records
from clipsonic_eval.errors import UserError
from clipsonic_eval.records import RunRecord

POOLED = "pooled"  # kind of the record that a report keeps in place of the clip-level scores it was made from
DEFAULT_CLIP_VARIANTS = ("toy-clip", "calibrated")  # what the shipped CLIP variant is called


@dataclass(frozen=True, slots=True)
class Run:
    """One record and where it lies.

    Attributes:
        name: unique within the report.
        folder: where ``examples.npz`` and ``projection.npz`` may lie beside the record.
        record: what was found there.
    """

    name: str
    folder: Path
    record: RunRecord

    def tag(self, key: str) -> str:
        """Return a tag, "" where the record has none of that name."""
        return str(self.record.tags.get(key, ""))


@dataclass(frozen=True, slots=True)
class Runs:
    """The runs by their part in the report.

    Attributes:
        table: evaluations that make the main table (one CLIP variant, one split, one guidance scale, all seeds).
        guidance: evaluations of the same CLIP variant over guidance scales.
        clip_variants: evaluations by CLIP variant, the main one included; empty unless there are several.
        gaps: gap runs by CLIP variant.
        pooled: records of kind ``pooled``, which stand in for clip-level scores that were not kept, by CLIP variant and
            guidance scale ("" for the table and the sweep over CLIP variants).
        clip_variant: the main one.
        notes: what was left out, and why.
    """

    table: tuple[Run, ...] = ()
    guidance: tuple[Run, ...] = ()
    clip_variants: Mapping[str, tuple[Run, ...]] = field(default_factory=dict)
    gaps: Mapping[str, tuple[Run, ...]] = field(default_factory=dict)
    pooled: Mapping[tuple[str, str], RunRecord] = field(default_factory=dict)
    clip_variant: str = ""
    notes: tuple[str, ...] = ()

    @property
    def all_runs(self) -> tuple[Run, ...]:
        """Every run that the report uses, once."""
        groups = [self.table, self.guidance, *self.clip_variants.values(), *self.gaps.values()]
        return tuple({r.name: r for group in groups for r in group}.values())


def find(paths: Iterable[Path]) -> list[Run]:
    """Read the records of run folders; a folder that holds none is searched for run folders.

    Raises:
        UserError: a path does not exist, holds no record, or a record cannot be read.
    """
    files: dict[Path, Path] = {}
    for path in paths:
        if not path.exists():
            raise UserError(f"{path}: no such run; give folders that `evaluate` or `gap` wrote")
        found = [path] if path.is_file() else [path / filenames.RECORD]
        if not found[0].exists():
            found = sorted(path.rglob(filenames.RECORD))
        if not found:
            raise UserError(f"{path}: no {filenames.RECORD} here or below; give folders that `evaluate` or `gap` wrote")
        files.update({f.resolve(): f for f in found})
    if not files:
        raise UserError("no runs given; give one or more folders that `evaluate` or `gap` wrote")
    names = _unique_names(list(files))
    return [Run(name, file.parent, records.read(file)) for name, file in zip(names, files.values(), strict=True)]


def _unique_names(files: Sequence[Path]) -> list[str]:
    def name(file: Path) -> str:
        return file.parent.name if file.name == filenames.RECORD else file.stem

    count = Counter(name(f) for f in files)
    long = [name(f) if count[name(f)] == 1 else f"{f.parent.parent.name}-{name(f)}" for f in files]
    seen: Counter[str] = Counter()
    result = []
    for item in long:
        seen[item] += 1
        result.append(item if seen[item] == 1 else f"{item}-{seen[item]}")
    return result


def sort(runs: Sequence[Run], select: Mapping[str, str] | None = None) -> Runs:
    """Sort runs into the parts of the report.

    Args:
        runs: from :func:`find`.
        select: tags that the runs of the main table must have, e.g. ``{"guidance": "2"}``; needed where the runs
            leave a choice open.

    Raises:
        UserError: there is no evaluation and no gap run, nothing fits ``select``, or the choice is open.
    """
    select = dict(select or {})
    evaluations = [r for r in runs if r.record.kind not in ("gap", POOLED)]
    gap_runs = [r for r in runs if r.record.kind == "gap"]
    if not evaluations and not gap_runs:
        raise UserError("the runs given hold no evaluation and no gap statistics; run `evaluate` or `gap` first")
    main = select.get("clip_variant", _main_clip_variant(evaluations or gap_runs))
    notes: list[str] = []
    table = _main_runs([r for r in evaluations if r.tag("clip_variant") in ("", main)], select) if evaluations else []
    return Runs(
        table=tuple(table),
        guidance=tuple(_guidance_runs([r for r in evaluations if r.tag("clip_variant") in ("", main)])),
        clip_variants=_sweep(evaluations, main, table, notes),
        gaps=_gaps(gap_runs, notes),
        pooled={(r.tag("clip_variant"), r.tag("guidance")): r.record for r in runs if r.record.kind == POOLED},
        clip_variant=main,
        notes=tuple(notes),
    )


def _clip_variants(runs: Sequence[Run]) -> list[str]:
    return sorted({r.tag("clip_variant") for r in runs})


def _main_clip_variant(runs: Sequence[Run]) -> str:
    """Untagged or only: that; else the shipped one; else the one with most training seeds."""
    names = _clip_variants(runs)
    tagged = [n for n in names if n]
    if len(tagged) <= 1:
        return tagged[0] if tagged else ""
    shipped = [n for n in DEFAULT_CLIP_VARIANTS if n in tagged]
    return (
        shipped[0]
        if shipped
        else max(tagged, key=lambda name: len({r.tag("train_seed") for r in runs if r.tag("clip_variant") == name}))
    )


def _main_split(runs: Sequence[Run]) -> str:
    splits = {r.tag("split") for r in runs}
    return next((s for s in ("test", "") if s in splits), sorted(splits)[0])


def _gaps(runs: Sequence[Run], notes: list[str]) -> dict[str, tuple[Run, ...]]:
    by_name = {name: [r for r in runs if r.tag("clip_variant") == name] for name in _clip_variants(runs)}
    return {name: _gap_runs(inside, notes) for name, inside in by_name.items()}


def _gap_runs(runs: Sequence[Run], notes: list[str]) -> tuple[Run, ...]:
    """Pick image against text (before audio against text), and the split of the table."""
    about_audio = [r for r in runs if any(s.metric == "audio_audio_cosine" for s in r.record.scores)]
    chosen = [r for r in runs if r not in about_audio] or about_audio
    if len(chosen) < len(runs):
        named = ", ".join(r.name for r in about_audio)
        notes.append(f"the gap between audio and text ({named}) is not shown beside that between image and text")
    split = _main_split(chosen)
    return tuple(r for r in chosen if r.tag("split") == split)


def _main_runs(runs: Sequence[Run], select: Mapping[str, str]) -> list[Run]:
    fits = [r for r in runs if all(r.tag(k) in ("", v) for k, v in select.items())]
    if not fits:
        wanted = ", ".join(f"{k}={v}" for k, v in select.items())
        raise UserError(f"no evaluation has the tags {wanted}; take away a --select or correct its value")
    split = _main_split(fits)
    fits = [r for r in fits if r.tag("split") == split or (split == "test" and not r.tag("split"))]
    scales = sorted({r.tag("guidance") for r in fits} - {""}, key=number)
    if len(scales) > 1:
        raise UserError(
            f"the evaluations of split '{split}' have guidance scales {', '.join(scales)}; choose the one that the "
            f"table shows, e.g. --select guidance={scales[0]}"
        )
    return fits


def number(text: str) -> float:
    """Read a tag as a number, infinity where it is none: for sorting."""
    try:
        return float(text)
    except ValueError:
        return float("inf")


def _guidance_runs(runs: Sequence[Run]) -> list[Run]:
    """Pick the runs of one split (validation before test) that cover two scales or more."""
    tagged = [r for r in runs if r.tag("guidance")]
    splits = sorted({r.tag("split") for r in tagged}, key=lambda s: ("val" not in s, s))
    for split in splits:
        inside = [r for r in tagged if r.tag("split") == split]
        if len({r.tag("guidance") for r in inside}) > 1:
            return inside
    return []


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
