"""Spread over training seeds, and choice of the guidance scale."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from clipsonic_eval.analysis.best import unequal_n
from clipsonic_eval.analysis.results import Results, networks
from clipsonic_eval.formats import number
from clipsonic_eval.reporting.headings import decimals, in_text, title
from clipsonic_eval.reporting.statements.wording import listed, plural
from clipsonic_eval.types import Score


def seeds(results: Results) -> list[str]:
    """Return the spread over training seeds, and whether they agree on the significant differences."""
    table, catalogue = results.table, results.catalogue
    widest: dict[str, Score] = {}
    for score in table.scores:
        known = widest.get(score.metric)
        if score.seed_std is not None and (known is None or score.seed_std > (known.seed_std or 0.0)):
            widest[score.metric] = score
    if widest:
        return [*_spread(list(widest.values())), *_agreement(results)]
    trained = [n for n in table.system_names if catalogue.is_listed(n) and not catalogue.is_control(n)]
    return ["One training seed: how far another seed would move these numbers is not known."] if trained else []


def _spread(widest: Sequence[Score]) -> Iterator[str]:
    for n in sorted({len(score.by_seed) for score in widest}):
        parts = [
            f"{number(s.seed_std or 0.0, decimals(s.metric))} in {in_text(s.metric)} ({s.system})"
            for s in widest
            if len(s.by_seed) == n
        ]
        yield (
            f"Over {plural(n, 'training seed')} the values of a system have a standard deviation of up to "
            f"{listed(parts)}; the intervals over clips do not contain it."
        )


def _agreement(results: Results) -> list[str]:
    significant = [c for c in results.table.comparisons if c.significant]
    apart = [c for c in significant if c.disputed]
    if apart:
        which = listed([f"{c.a} against {c.b} on {in_text(c.metric)}" for c in apart])
        return [f"The seeds do not all agree on the sign of {which}, which is significant over queries."]
    if any(len(c.by_seed) > 1 for c in significant):
        return ["Every significant difference has the same sign with every training seed."]
    return []


def guidance(results: Results) -> list[str]:
    """Return the guidance scales of the table, and the best scale of each system."""
    if len(results.by_scale) < 2:
        return []
    return [*_chosen(results), *_at_the_edge(results), *_best(results)]


def _chosen(results: Results) -> list[str]:
    """Return the scales of the table, and a warning where systems of one network have several."""
    by_scale: dict[float, list[str]] = {}
    for style in results.catalogue.ordered(results.chosen):
        by_scale.setdefault(results.chosen[style.name], []).append(style.name)
    if len(by_scale) == 1:
        return [f"The table shows guidance scale {next(iter(by_scale)):g}."]
    shown = [f"{scale:g} for {listed(names)}" for scale, names in by_scale.items()]
    lines = [f"The table shows guidance scale {', '.join(shown)}."] if shown else []
    for names in networks(results.runs.table):
        inside = [name for names_ in by_scale.values() for name in names_ if name in names]
        if len({results.chosen[name] for name in inside}) > 1:
            lines.append(
                f"{listed(inside)} share a network, but not the guidance scale: their differences contain that of the "
                "scales."
            )
    return lines


def _at_the_edge(results: Results) -> list[str]:
    """Name the systems whose scale is the least or the largest that was tried: better ones may lie beyond."""
    tried, lines = sorted(results.by_scale), []
    for scale, side, beyond in ((tried[0], "smallest", "below"), (tried[-1], "largest", "above")):
        there = [s.name for s in results.catalogue.ordered(results.chosen) if results.chosen[s.name] == scale]
        if there and scale != 1:  # a scale of 1, no guidance at all, has nothing below
            lines.append(
                f"{scale:g} is the {side} scale that was tried, and {listed(there)} "
                f"{'takes' if len(there) == 1 else 'take'} it: a better one may lie {beyond}."
            )
    return lines


def _best(results: Results) -> list[str]:
    records = results.by_scale.values()
    present = results.catalogue.ordered(name for record in records for name in record.system_names)
    systems = [s.name for s in present if not results.catalogue.is_control(s.name)]
    where = "validation split" if results.guidance_split == "val" else f"split '{results.guidance_split}'"
    lines = []
    for metric in dict.fromkeys(m for record in records for m in record.metric_names):
        best = [(name, _best_scale(results, metric, name)) for name in systems]
        at: dict[float, list[str]] = {}
        for name, scale in best:
            if scale is not None:
                at.setdefault(scale, []).append(name)
        shown = [f"{scale:g} for {listed(names)}" for scale, names in at.items()]
        lines += [f"{title(metric)} on the {where} is best at guidance scale {'; '.join(shown)}."] if shown else []
    return lines


def _best_scale(results: Results, metric: str, system: str) -> float | None:
    """Return the scale of the best value; None with fewer than two, or where n differs and matters."""
    found = {scale: record.score(metric, system) for scale, record in results.by_scale.items()}
    shown = {scale: score for scale, score in found.items() if score is not None}
    if len(shown) < 2 or unequal_n(shown.values()):
        return None
    higher = next(iter(shown.values())).higher_is_better
    return (max if higher else min)(shown, key=lambda scale: shown[scale].value)
