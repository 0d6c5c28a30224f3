"""The paper-style table of systems and metrics, and the table of paired differences."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from clipsonic_eval import formats
from clipsonic_eval.analysis import names
from clipsonic_eval.analysis.pooling import Scores, better_than
from clipsonic_eval.errors import UserError
from clipsonic_eval.formats import percent
from clipsonic_eval.records import Comparison
from clipsonic_eval.reporting import markup
from clipsonic_eval.reporting.markup import Table, Text
from clipsonic_eval.types import Score

RESULT_HEADS = (
    "system", "group", "metric", "direction", "value", "ci_low", "ci_high", "ci_level", "ci_method", "n", "n_seeds",
    "seed_std", "seed_values", "best", "unit", "signature",
)  # fmt: skip
COMPARISON_HEADS = (
    "metric", "a", "b", "difference", "ci_low", "ci_high", "p", "p_holm", "effect_size", "n", "n_seeds",
    "seed_differences", "better", "separated", "test",
)  # fmt: skip


def check_columns(cells: Scores) -> None:
    """Refuse a column whose numbers were not made in the same way.

    Raises:
        UserError: two systems have signatures that differ in more than n.
    """
    from clipsonic_eval.signature import comparable

    first: dict[str, Score] = {}
    for cell in cells.values():
        known = first.setdefault(cell.metric, cell)
        if not comparable(known.signature, cell.signature):
            raise UserError(
                f"{cell.metric}: '{cell.signature}' of '{cell.system}' and '{known.signature}' of '{known.system}' "
                "are not made in the same way and may not stand in one column; evaluate both alike or report them apart"
            )


def best_systems(cells: Scores) -> dict[str, str]:
    """Return the best system of each metric, controls not in competition.

    None where there is only one, where the best share their place (equal systems), and where n differs among them and
    the metric's expectation depends on it: there, the largest set wins whoever made it.
    """
    competing = [c for c in cells.values() if not names.is_control(c.system)]
    unequal = unequal_n(competing)
    result = {}
    for metric in dict.fromkeys(c.metric for c in competing):
        rivals = [c for c in competing if c.metric == metric]
        best = [c for c in rivals if not any(better_than(other, c) for other in rivals)]
        if len(rivals) > 1 and len(best) == 1 and metric not in unequal:
            result[metric] = best[0].system
    return result


def unequal_n(cells: Iterable[Score]) -> dict[str, tuple[int, int]]:
    """Return the least and the largest n of the metrics that depend on n and whose cells differ in it."""
    from clipsonic_eval.harness.resolve import biased_in_n

    counts: dict[str, list[int]] = {}
    for cell in cells:
        counts.setdefault(cell.metric, []).append(cell.n)
    spans = {metric: (min(n), max(n)) for metric, n in counts.items()}
    return {metric: span for metric, span in spans.items() if span[0] != span[1] and biased_in_n(metric)}


def heading(cells: Scores, metric: str) -> str:
    """Return the column heading: the metric's title and the arrow of the better direction."""
    cell = next(c for c in cells.values() if c.metric == metric)
    return f"{names.metric(metric).title} {'↑' if cell.higher_is_better else '↓'}"


def results(cells: Scores, *, label: str = "tab:results") -> Table:
    """Return the table of systems (rows, controls apart) and metrics (columns), the best system in bold.

    Raises:
        UserError: the signatures of a column are not comparable.
    """
    check_columns(cells)
    metrics = names.ordered_metrics(m for m, _ in cells)
    best = best_systems(cells)
    sections = []
    for group in names.GROUPS:
        members = [s for s in names.ordered(s for _, s in cells) if s.group == group]
        rows = tuple(_result_row(entry.name, metrics, cells, best) for entry in members)
        if rows:
            sections.append((group, rows))
    heads = ("System", *[heading(cells, m.name) for m in metrics], "n")
    title_of = len(sections) > 1
    return Table(
        caption=_caption(cells),
        heads=heads,
        sections=tuple((group if title_of else "", rows) for group, rows in sections),
        notes=(*_signature_notes(cells), *_n_notes(cells), *_legend(s for _, s in cells)),
        label=label,
    )


def _result_row(
    system: str, metrics: Sequence[names.MetricName], cells: Scores, best: dict[str, str]
) -> tuple[Text, ...]:
    row = [Text(system)]
    for metric in metrics:
        cell = cells.get((metric.name, system))
        if cell is None:
            row.append(Text("–"))
            continue
        text = formats.number(cell.value, metric.decimals)
        if cell.seed_std is not None:
            text += f" ± {formats.number(cell.seed_std, metric.decimals)}"
        row.append(Text(text, best.get(metric.name) == system, formats.interval(cell.ci, metric.decimals)))
    counts = sorted({cells[m.name, system].n for m in metrics if (m.name, system) in cells})
    return (*row, Text("–".join(str(n) for n in (counts if len(counts) < 3 else counts[:: len(counts) - 1]))))


def _caption(cells: Scores) -> str:
    level = next(iter(cells.values())).ci_level
    seeds = max(len(c.by_seed) for c in cells.values())
    text = (
        f"In brackets: {percent(level)} interval over test clips (n); bold: best system, controls not in competition."
    )
    if seeds > 1:
        text = f"Mean ± standard deviation over {seeds} training seeds. {text}"
    return text


def _signature_notes(cells: Scores) -> list[str]:
    first: dict[str, Score] = {}
    for cell in cells.values():
        first.setdefault(cell.metric, cell)
    return [
        f"{heading(cells, m.name)}: {markup.code(first[m.name].signature)}, interval: {first[m.name].ci_method}"
        for m in names.ordered_metrics(first)
    ]


def _n_notes(cells: Scores) -> list[str]:
    """Warn where n differs in a column of a metric that depends on it."""
    return [
        f"n differs between rows of {names.metric(metric).title} ({least} to {most}); its expectation depends on n, so "
        "these rows do not compare and none is the best"
        for metric, (least, most) in unequal_n(cells.values()).items()
    ]


def _legend(systems: Iterable[str]) -> list[str]:
    known = [f"{s.name}: {s.meaning}" for s in names.ordered(systems) if s.meaning]
    return ["; ".join(known)] if known else []


def results_rows(cells: Scores) -> list[dict[str, object]]:
    """Return the table in long form, one row a system and metric, with every seed's value."""
    best = best_systems(cells)
    rows = []
    for entry in names.ordered(s for _, s in cells):
        for metric in names.ordered_metrics(m for m, s in cells if s == entry.name):
            cell = cells[metric.name, entry.name]
            rows.append(_long_row(cell, entry.group, best.get(metric.name) == entry.name))
    return rows


def _long_row(cell: Score, group: str, best: bool) -> dict[str, object]:
    return {
        "system": cell.system,
        "group": group,
        "metric": cell.metric,
        "direction": "higher" if cell.higher_is_better else "lower",
        "value": cell.value,
        "ci_low": cell.ci[0] if cell.ci else None,
        "ci_high": cell.ci[1] if cell.ci else None,
        "ci_level": cell.ci_level,
        "ci_method": cell.ci_method,
        "n": cell.n,
        "n_seeds": len(cell.by_seed),
        "seed_std": cell.seed_std,
        "seed_values": seed_list(cell.by_seed),
        "best": int(best),
        "unit": cell.unit,
        "signature": cell.signature,
    }


def seed_list(by_seed: object) -> str:
    """Write values by seed as ``0=23.5;1=24.1``; a single untagged value as itself."""
    assert isinstance(by_seed, dict)
    return ";".join(f"{seed}={value:.10g}" if seed else f"{value:.10g}" for seed, value in by_seed.items())


def comparisons(pairs: Sequence[Comparison], *, label: str = "tab:comparisons") -> Table:
    """Return the table of paired differences, a section per metric, significant ones in bold."""
    metrics = list(dict.fromkeys(p.metric for p in pairs))
    several = max((len(p.by_seed) for p in pairs), default=1) > 1
    heads = ["Comparison", "Difference", "p", "p (Holm)", "Effect size", "n"]
    if several:
        heads.insert(2, "By seed")
    sections = []
    for metric in metrics:
        inside = [p for p in pairs if p.metric == metric]
        arrow = "↑" if inside[0].higher_is_better else "↓"
        rows = tuple(_pair_row(p, names.metric(metric).decimals, several) for p in inside)
        sections.append((f"{names.metric(metric).title} {arrow}", rows))
    caption = (
        "Paired differences (first minus second system; 95 % interval over test queries in brackets). p two-sided, "
        f"Holm-corrected over the {len(pairs)} {'row' if len(pairs) == 1 else 'rows'}; "
        "bold: separated at 0.05 after correction."
    )
    tests = dict.fromkeys(f"{names.metric(p.metric).title}: {markup.code(p.test)}" for p in pairs)
    return Table(caption, tuple(heads), tuple(sections), tuple(tests), label)


def _pair_row(pair: Comparison, decimals: int, several: bool) -> tuple[Text, ...]:
    effect = "–" if pair.effect_size is None else formats.number(pair.effect_size, 2, sign=True)
    row = [
        Text(f"{pair.a} {formats.MINUS} {pair.b}"),
        Text(formats.number(pair.difference, decimals, sign=True), pair.separated, formats.interval(pair.ci, decimals)),
        Text(formats.p_value(pair.p_value)),
        Text(formats.p_value(pair.p_holm), pair.separated),
        Text(effect),
        Text(str(pair.n)),
    ]
    if several:
        row.insert(2, Text(", ".join(formats.number(d, decimals, sign=True) for d in pair.by_seed.values())))
    return tuple(row)


def comparison_rows(pairs: Sequence[Comparison]) -> list[dict[str, object]]:
    """Return the pairs for CSV."""
    return [
        {
            "metric": p.metric,
            "a": p.a,
            "b": p.b,
            "difference": p.difference,
            "ci_low": p.ci[0] if p.ci else None,
            "ci_high": p.ci[1] if p.ci else None,
            "p": p.p_value,
            "p_holm": p.p_holm,
            "effect_size": p.effect_size,
            "n": p.n,
            "n_seeds": len(p.by_seed),
            "seed_differences": seed_list(dict(p.by_seed)),
            "better": p.a if p.a_better else p.b,
            "separated": int(p.separated),
            "test": p.test,
        }
        for p in pairs
    ]
