"""What the training seeds and the guidance sweep say."""

from __future__ import annotations

from clipsonic_eval.analysis import names
from clipsonic_eval.analysis.pooling import Scores, better_than
from clipsonic_eval.formats import number
from clipsonic_eval.reporting.results import Results
from clipsonic_eval.reporting.statements.wording import listed, plural
from clipsonic_eval.reporting.tables import unequal_n


def seeds(results: Results) -> list[str]:
    """Say how far the training seeds lie apart, and whether they agree on the separated differences."""
    several = [c for c in results.cells.values() if c.seed_std is not None]
    if not several:
        trained = [s for _, s in results.cells if not names.is_control(s) and names.system(s).group != names.OTHER]
        return ["One training seed: how far another seed would move these numbers is not known."] if trained else []
    lines = []
    for metric in names.ordered_metrics(c.metric for c in several):
        inside = [c for c in several if c.metric == metric.name]
        widest = max(inside, key=lambda c: c.seed_std or 0.0)
        spread = number(widest.seed_std or 0.0, metric.decimals)
        lines.append(
            f"{metric.title}: over {plural(len(widest.by_seed), 'training seed')} a system's values have a standard "
            f"deviation of up to {spread} ({widest.system}); the intervals over clips do not contain it."
        )
    apart = [p for p in results.pairs if p.separated and p.seeds_agree < len(p.by_seed)]
    if apart:
        which = listed([f"{p.a} against {p.b} on {names.metric(p.metric).in_text}" for p in apart])
        lines.append(f"The seeds do not all agree on the sign of {which}, although it is separated over queries.")
    elif any(p.separated and len(p.by_seed) > 1 for p in results.pairs):
        lines.append("Every separated difference has the same sign with every training seed.")
    return lines


def guidance(results: Results) -> list[str]:
    """Say which scale is best for which system, and whether PD and ZS keep their order over the scales."""
    if len(results.by_scale) < 2:
        return []
    where = "validation split" if results.guidance_split == "val" else f"split '{results.guidance_split}'"
    lines = []
    scales = sorted(set(results.chosen.values()))
    if len(scales) == 1:
        lines.append(f"The table shows guidance scale {scales[0]:g}.")
    elif scales:
        order = [s.name for s in names.ordered(results.chosen)]
        lines.append(f"The table shows guidance scale {listed([f'{results.chosen[s]:g} for {s}' for s in order])}.")
    lines += _at_the_edge(results)
    keys = {k for cells in results.by_scale.values() for k in cells}
    for metric in names.ordered_metrics(m for m, _ in keys):
        best = []
        for entry in names.ordered(s for m, s in keys if m == metric.name and not names.is_control(s)):
            scale = _best_scale(results, metric.name, entry.name)
            if scale is not None:
                best.append(f"{scale:g} for {entry.name}")
        if best:
            lines.append(f"{metric.title} on the {where} is best at guidance scale {listed(best)}.")
        lines += _order(results, metric)
    return lines


def _at_the_edge(results: Results) -> list[str]:
    """Name the systems whose scale is the least or the largest that was tried: better ones may lie beyond."""
    tried, lines = sorted(results.by_scale), []
    for scale, side in ((tried[0], "smallest"), (tried[-1], "largest")):
        there = [s.name for s in names.ordered(results.chosen) if results.chosen[s.name] == scale]
        # no guidance at all (1) is an end of its own, not the edge of what was tried
        if there and scale != 1:
            take, where = "takes" if len(there) == 1 else "take", "above" if side == "largest" else "below"
            lines.append(
                f"{scale:g} is the {side} scale that was tried, and {listed(there)} {take} it: "
                f"a better one may lie {where}."
            )
    return lines


def _best_scale(results: Results, metric: str, system: str) -> float | None:
    shown = {w: c[metric, system] for w, c in results.by_scale.items() if (metric, system) in c}
    if len(shown) < 2 or unequal_n(shown.values()):
        return None
    values = {w: cell.value for w, cell in shown.items()}
    higher = next(iter(shown.values())).higher_is_better
    return (max if higher else min)(values, key=lambda w: values[w])


def _order(results: Results, metric: names.MetricName) -> list[str]:
    def ahead(cells: Scores) -> bool:
        return better_than(cells[metric.name, "PD"], cells[metric.name, "ZS"])

    both = {w: c for w, c in results.by_scale.items() if (metric.name, "PD") in c and (metric.name, "ZS") in c}
    if not both:
        return []
    won = sorted(w for w, cells in both.items() if ahead(cells))
    if len(won) == len(both):
        return [f"PD is ahead of ZS in {metric.in_text} at all {len(both)} scales."]
    if not won:
        return [f"ZS is ahead of PD in {metric.in_text} at all {len(both)} scales."]
    return [
        f"PD is ahead of ZS in {metric.in_text} at {len(won)} of {len(both)} scales "
        f"({listed([f'{w:g}' for w in won])}): the order depends on the guidance scale."
    ]
