"""Comparisons with systems that the catalogue does not list; without a catalogue, all comparisons."""

from __future__ import annotations

from clipsonic_eval.analysis.comparisons import unlisted
from clipsonic_eval.analysis.results import Results
from clipsonic_eval.reporting.statements.wording import about, plural

_SHOWN = 12


def read(results: Results) -> list[str]:
    """Return one sentence for each pair, all metrics in it; long lists are cut."""
    found = [c for c in results.table.comparisons if unlisted(c, results.catalogue) or not results.catalogue.planned]
    pairs = list(dict.fromkeys((c.a, c.b) for c in found))
    lines = [line for a, b in pairs[:_SHOWN] for line in about(results.table, a, b, f"{a} against {b}:")]
    if len(pairs) > _SHOWN:
        lines.append(f"{plural(len(pairs) - _SHOWN, 'more pair')}: see the table of comparisons.")
    return lines
