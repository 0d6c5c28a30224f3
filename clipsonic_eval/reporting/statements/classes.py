"""Which classes a system gets right, and which is its worst."""

from __future__ import annotations

from clipsonic_eval import class_shares
from clipsonic_eval.analysis.results import Results
from clipsonic_eval.formats import number
from clipsonic_eval.reporting.headings import title
from clipsonic_eval.reporting.statements.controls import ranked
from clipsonic_eval.reporting.statements.wording import listed


def read(results: Results) -> list[str]:
    """Return a sentence per metric with the worst class of every system, nothing for metrics without classes."""
    lines = []
    for metric in results.table.metric_names:
        worst = [(s.system, found) for s in ranked(results, metric) if (found := class_shares.worst(s)) is not None]
        shown = [
            f"{name} for {system} ({number(share, 2)}, n = {n})" for system, (name, share, n) in worst if share < 1
        ]
        if shown:
            lines.append(f"{title(metric)}: the worst class is {listed(shown)}.")
        elif worst:
            lines.append(f"{title(metric)}: every clip of every class is right.")
    return lines
