"""The report of a frontier: page, table, figure, and the records that it can be drawn again from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from clipsonic_eval import files, records
from clipsonic_eval.analysis.catalogue import Catalogue
from clipsonic_eval.analysis.runs import Run
from clipsonic_eval.frontier.result import Frontier
from clipsonic_eval.records import RunRecord
from clipsonic_eval.reporting import frontier_figures, markup
from clipsonic_eval.reporting.bench import remarks
from clipsonic_eval.reporting.export_records import without_paths
from clipsonic_eval.reporting.frontier_rows import approximate, summary, table, to_csv
from clipsonic_eval.reporting.latex.floats import latex
from clipsonic_eval.reporting.page import provenance
from clipsonic_eval.types import Skip

PAGE = "README.md"
_DEFAULT: Final = Catalogue()


def write(
    frontiers: Sequence[Frontier],
    found: Sequence[RunRecord],
    folder: Path,
    *,
    failed: Sequence[Skip] = (),
    headline: str = "Quality against latency",
    command: str = "",
    catalogue: Catalogue = _DEFAULT,
    venue: str = "",
) -> Path:
    """Write ``frontier.csv``, ``.md``, ``.tex``, the figures, the records, and the page.

    Args:
        frontiers: one per metric, of the same points.
        found: the records that they come from.
        folder: exists.
        failed: points that could not be measured.
        headline: of the page.
        command: that made it; "" prints none.
        catalogue: order and colours of the systems.
        venue: whose columns the figures fill; "": those of ICASSP.

    Raises:
        UserError: there is no such venue.

    Returns:
        The page.
    """
    shown = table(frontiers)
    files.write_text(folder / "frontier.md", markup.markdown(shown))
    files.write_text(folder / "frontier.tex", latex(shown))
    files.write_text(folder / "frontier.csv", to_csv(frontiers))
    caption, about_settings = frontier_figures.draw_all(frontiers, found, folder, catalogue, venue)
    for record in found:
        _keep(record, folder / "records")
    lines = [f"# {headline}", "", *summary(frontiers), f"![{headline}](frontier.png)", ""]
    lines += [
        f"*{caption}* ([PDF](frontier.pdf), [SVG](frontier.svg), [CSV](frontier.csv))",
        "",
        markup.markdown(shown),
    ]
    lines += ["As files: [csv](frontier.csv), [tex](frontier.tex), [md](frontier.md)", ""]
    lines += about_settings
    left_out = [*failed, *(skip for frontier in frontiers for skip in frontier.left_out)]
    if left_out:
        lines += ["## Left out", "", *(f"- {markup.code(skip.key)}: {skip.reason}" for skip in left_out), ""]
    if limits := [*approximate(frontiers), *remarks(found)]:
        lines += ["## What limits this?", "", *(f"- {line}" for line in limits), ""]
    lines += ["## Where the numbers come from", ""]
    lines += ["By", "", "```", command, "```", ""] if command else []
    runs = [Run(record.kind, None, record) for record in found]
    lines += [f"- {line}" for line in provenance(runs)[1:]]
    page = folder / PAGE
    files.write_text(page, "\n".join([f"{line}" for line in lines]) + "\n")
    return page


def _keep(record: RunRecord, folder: Path) -> None:
    """Write a record without paths, under the label of its point, or the kind where it holds several."""
    kept = replace(record, systems=without_paths(record.systems), config=without_paths(record.config))
    names = record.system_names
    records.write(kept, folder / (names[0] if record.kind == "evaluate" and len(names) == 1 else record.kind))
