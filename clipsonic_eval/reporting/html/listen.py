"""The part of the page in which every system's sounds stand side by side: what the template and the script get."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from clipsonic_eval.analysis import per_query
from clipsonic_eval.analysis.catalogue import SHUFFLED
from clipsonic_eval.analysis.per_query import GROUPS, QueryValues, Ranking
from clipsonic_eval.analysis.results import Results
from clipsonic_eval.analysis.runs import Run
from clipsonic_eval.pagemedia import media
from clipsonic_eval.pagemedia.sources import PageSources, find_sounds
from clipsonic_eval.progress import SILENT, Progress
from clipsonic_eval.reporting.headings import decimals, in_text, title
from clipsonic_eval.reporting.html import sounds
from clipsonic_eval.reporting.html.settings import PageConfig
from clipsonic_eval.reporting.statements.wording import listed, plural

_LEVEL: Final = ("e",)
_SECOND_TEN: Final = ("⇧1", "…", "⇧9", "⇧0")
KEYS: Final = (
    (("1", "…", "9", "0"), "hear another system at the same position"),
    (_SECOND_TEN, "the eleventh to the twentieth, with Shift"),
    (("←", "→"), "previous, next system"),
    (("x",), "the system heard before: to and fro between two"),
    (("Space",), "play, pause"),
    (("j", "k"), "next, previous query"),
    ((",", "."), "a tenth back, forward"),
    (("l",), "loop"),
    (("r",), "repeat a part: from here, to here, all again"),
    (_LEVEL, "equal loudness"),
    (("b",), "blind: names hidden, order shuffled"),
    (("/",), "search"),
    (("?",), "this list"),
)
_LOUDNESS: Final = (
    "At equal loudness (BS.1770) each sound is turned down to the quietest of its query, by "
    f"{sounds.MOST_DB:.0f} dB at most; those that are shorter than 0.4 s or silent stay as they are."
)
_HEADING: Final = 300  # characters of a prompt above its sounds; all of a longer one can be unfolded


class _Shown(NamedTuple):
    """Chosen queries and what there is of them.

    Attributes:
        names: of the systems with sounds, in the order of the table.
        runs: by system.
        values: of single queries.
        ranking: of all queries.
        groups: that each shown query belongs to; in the order of the page.
        sources: of sounds and texts.
        made: sounds and pictures of the shown queries.
    """

    names: list[str]
    runs: Mapping[str, Run]
    values: list[QueryValues]
    ranking: Ranking
    groups: Mapping[str, tuple[str, ...]]
    sources: PageSources
    made: sounds.PageSounds


def prepare(
    results: Results, folder: Path, config: PageConfig, kept: Path, progress: Progress = SILENT
) -> tuple[dict[str, Any] | None, list[str]]:
    """Choose queries, encode their sounds, and collect what the page says of them.

    Args:
        results: of the report.
        folder: of the page.
        config: of the page.
        kept: folder of finished queries.
        progress: shows every query.

    Returns:
        What the template needs, None where no system has sounds here; and a sentence for everything that is missing.

    Raises:
        UserError: a folder or a table that was given cannot be used, or no such ranking.
    """
    runs = per_query.one_run_per_system(results.runs.table)
    where = {name: (run.record, run.folder) for name, run in runs.items()}
    sources = find_sounds(where, config.wavs, config.queries)
    names = [s.name for s in results.catalogue.ordered(runs) if s.name in sources.sounds]
    if not names:
        return None, list(sources.missing)
    values = per_query.query_values({name: run for name, run in runs.items() if name != SHUFFLED})
    heard = set().union(*(sources.sounds[name] for name in names))
    ranking = per_query.rank(values, config.rank, heard, results.catalogue)
    groups = per_query.choose(ranking, config.show, config.seed)
    order = {key: place for place, key in enumerate(ranking.keys)}
    keys = sorted(groups, key=lambda key: (*(group not in groups[key] for group in GROUPS), order[key]))
    made = sounds.prepare(names, keys, sources, folder, config, kept, progress)
    shown = _Shown(names, runs, values, ranking, {key: groups[key] for key in keys}, sources, made)
    return _context(shown, results, config), [*sources.missing, *made.problems]


def _context(shown: _Shown, results: Results, config: PageConfig) -> dict[str, Any]:
    """Return what the template needs."""
    counts = {group: sum(group in found for found in shown.groups.values()) for group in GROUPS}
    data = _data(shown, config)
    return {
        "about": _about(shown, counts, config),
        "groups": [("", f"all {len(shown.groups)}"), *((g, f"{g} ({n})") for g, n in counts.items() if n)],
        "orders": [
            ("", "group, then rank"),
            ("prompt", "prompt"),
            *((i, metric["title"]) for i, metric in enumerate(data["metrics"])),
        ],
        "names": list(enumerate(shown.names)),
        "colours": [results.catalogue.style(name).colour for name in shown.names],
        "queries": [_query(shown, key) for key in shown.groups],
        "help": _keys(len(shown.names), config),
        "levelled": config.equal_loudness,
        "data": data,
        "blocks": shown.made.blocks,
    }


def _keys(systems: int, config: PageConfig) -> list[tuple[tuple[str, ...], str]]:
    """Return the keys that do something on a page of so many systems, and what."""
    idle = {_LEVEL: not config.equal_loudness, _SECOND_TEN: systems <= 10}
    return [(keys, what) for keys, what in KEYS if not idle.get(keys)]


def _about(shown: _Shown, counts: Mapping[str, int], config: PageConfig) -> list[str]:
    """Return how the queries were chosen and what is heard, in sentences."""
    ranking, total = shown.ranking, len(shown.ranking.keys)
    what = {"worst": "the {} worst", "median": "the {} around the median", "best": "the {} best"}
    parts = [text.format(counts[group]) for group, text in what.items() if counts[group]]
    chosen = f"{len(shown.groups)} of {plural(total, 'query', 'queries')}"
    if config.show == 0 or len(shown.groups) == total:
        chosen = f"All {plural(total, 'query', 'queries')}; marked are" if parts else f"All {total} queries; marked are"
    if ranking.metric is not None:
        by = f"{in_text(ranking.metric.metric)} (mean over {listed(ranking.systems)})"
        parts[-1] += f" by {by}"
    parts.append(f"{counts['random']} drawn at random from all {total} (seed {config.seed})")
    seeds = sorted({tag for name in shown.names if (tag := shown.runs[name].tag("train_seed"))})
    of_seed = f", of training seed {listed(seeds)}" if seeds else ""
    codec = {"aac": "AAC", "opus": "Opus"}[config.audio]
    unchecked = shown.sources.unchecked
    return [
        f"{chosen}{':' if 'marked' not in chosen else ''} {listed(parts)}. Nobody chose them by ear.",
        f"What plays was compressed for this page ({codec}); the numbers are of the wavs{of_seed}. "
        f"Spectrograms: {sounds.described()}.",
        *([_LOUDNESS] if config.equal_loudness else []),
        *([f"Whether these are the wavs that were scored is not known for {listed(unchecked)}."] if unchecked else []),
    ]


def _query(shown: _Shown, key: str) -> dict[str, Any]:
    """Return what stands above the sounds of a query."""
    query = shown.sources.queries.get(key)
    text = (query.prompt if query is not None else "") or key
    rank = shown.ranking.keys.index(key) + 1
    label = (query.label if query is not None else "") or ""
    parts = [key if text != key else "", label]
    parts += [f"rank {rank} of {len(shown.ranking.keys)}"] if shown.ranking.metric is not None else []
    about = " · ".join(part for part in parts if part)
    return {
        "key": key,
        "text": text,
        "heading": text if len(text) <= _HEADING else f"{text[:_HEADING].rstrip()}…",
        "label": label,
        "groups": list(shown.groups[key]),
        "about": about,
        "picture": key in shown.made.pictures,
    }


def _data(shown: _Shown, config: PageConfig) -> dict[str, Any]:
    """Return what the script reads: numbers, names, and where the sounds are."""
    queries = []
    files = sounds.file_names(list(shown.groups))
    for key, file, seconds, volumes in zip(shown.groups, files, shown.made.seconds, shown.made.volumes, strict=True):
        about = _query(shown, key)
        queries.append(
            {
                **{name: about[name] for name in ("key", "text", "label", "groups")},
                "file": file,
                "findings": _findings(shown, key),
                "values": [[_rounded(values, name, key) for name in shown.names] for values in shown.values],
                "seconds": [seconds.get(name, 0) for name in shown.names],
                "volumes": [volumes.get(name, 1) for name in shown.names],
            }
        )
    return {
        "systems": [
            {"name": name, "folder": folder}
            for name, folder in zip(shown.names, sounds.file_names(shown.names), strict=True)
        ],
        "metrics": [{"title": _title(values), "decimals": _decimals(values)} for values in shown.values],
        "queries": queries,
        "folder": "" if shown.made.blocks else sounds.FOLDER,
        "suffix": media.SUFFIXES[config.audio],
        "mime": media.MIME[config.audio],
    }


def _title(values: QueryValues) -> str:
    return f"{title(values.metric)} (influence)" if values.is_influence else title(values.metric)


def _decimals(values: QueryValues) -> int:
    return decimals(values.metric) + (2 if values.is_influence else 0)  # a clip moves a statistic of sets by little


def _rounded(values: QueryValues, system: str, key: str) -> float | None:
    value = values.by_system.get(system, {}).get(key)
    return None if value is None else round(value, _decimals(values))


def _findings(shown: _Shown, key: str) -> list[str]:
    """Return what the checks found in a query's sounds, as ``system: check``."""
    found = ((name, f) for name in shown.names for f in shown.runs[name].record.findings.get(name, ()))
    return [f"{name}: {finding.check}" for name, finding in found if key in finding.keys]
