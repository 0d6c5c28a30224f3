"""``page.html``: the report as one file, without a request to anywhere."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import jinja2
from markupsafe import Markup, escape

from clipsonic_eval import files
from clipsonic_eval.analysis.results import Results
from clipsonic_eval.progress import SILENT, Progress
from clipsonic_eval.reporting.html import listen
from clipsonic_eval.reporting.markup import TextTable
from clipsonic_eval.reporting.options import ReportOptions
from clipsonic_eval.reporting.page import Figures, Section, outline, provenance

PAGE: Final = "page.html"
_TEMPLATES: Final = Path(__file__).parent / "templates"
_SCRIPTS: Final = ("page.js", "together.js", "listen.js")
_SOUND_FIGURES: Final = ("spectrograms", "contact_sheet")  # the page draws them itself where it has the sounds


def write(
    results: Results,
    tables: Mapping[str, TextTable],
    figures: Figures,
    folder: Path,
    options: ReportOptions,
    left_out: Sequence[str],
    kept: Path,
    progress: Progress = SILENT,
) -> list[str]:
    """Write ``page.html``, and ``page/`` beside it where the sounds do not fit into it.

    Args:
        results: of the report.
        tables: by name.
        figures: those that were drawn, in ``folder/figures``.
        folder: of the report.
        options: of the report; its ``page`` says what is shown of single queries.
        left_out: tables and figures that are missing, with the reason.
        kept: folder of queries whose sounds are encoded, of an earlier call too.
        progress: shows every query.

    Returns:
        A sentence for every system, sound and picture that is missing.

    Raises:
        UserError: a folder or a table that was given cannot be used, or no such ranking.
    """
    assert options.page is not None
    heard, missing = listen.prepare(results, folder, options.page, kept, progress)
    style = (_TEMPLATES / "page.css").read_text(encoding="utf-8") + _colours(heard)
    script = "".join((_TEMPLATES / name).read_text(encoding="utf-8") for name in _SCRIPTS)
    shown = {name: texts for name, texts in figures.items() if heard is None or name not in _SOUND_FIGURES}
    sections = [
        Section("Results", (), ("metrics",) if "metrics" in shown else (), ("table",) if "table" in tables else ()),
        *(s for s in outline(results, tables, shown)),
        *([Section("Left out", (*left_out, *missing))] if [*left_out, *missing] else []),
        Section("Where the numbers come from", tuple(provenance(results.runs.all_runs))),
    ]
    text = (
        _environment()
        .get_template("page.html")
        .render(
            title=options.title,
            command=options.command,
            headline=results.catalogue.headline(results),
            sections=sections,
            tables=tables,
            figures={name: _figure(folder, name, *texts) for name, texts in shown.items()},
            listen=heard,
            policy=_policy(style, script),
            style=style,
            script=script,
        )
    )
    files.write_text(folder / PAGE, text)
    return missing


def _environment() -> jinja2.Environment:
    made = jinja2.Environment(
        autoescape=True,
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["inline"] = inline
    made.globals["signatures"] = signatures
    return made


def inline(text: str) -> Markup:
    """Return a sentence of a report as HTML: the parts between back-ticks are code.

    Example:
        >>> print(inline("FAD: `fad|n:50`, a < b"))
        FAD: <code>fad|n:50</code>, a &lt; b
    """
    parts = text.split("`")
    return Markup("").join(Markup("<code>{}</code>").format(p) if i % 2 else escape(p) for i, p in enumerate(parts))


def signatures(table: TextTable) -> dict[str, str | None]:
    """Return the note on each column by its heading, None for a column without one."""
    return {
        head: next(
            (n.removeprefix(f"{head}: ").replace("`", "") for n in table.notes if n.startswith(f"{head}: ")), None
        )
        for head in table.heads
    }


def _figure(folder: Path, name: str, title: str, caption: str) -> dict[str, str]:
    """Return a figure as an address that holds its SVG."""
    data = base64.b64encode((folder / "figures" / f"{name}.svg").read_bytes()).decode("ascii")
    return {"address": f"data:image/svg+xml;base64,{data}", "title": title, "caption": caption}


def _colours(heard: Mapping[str, Any] | None) -> str:
    """Return a rule for the colour of each system; style attributes would be refused by the page's policy."""
    colours = heard["colours"] if heard else ()
    return "".join(f".s{i} {{ --colour: {colour}; }}\n" for i, colour in enumerate(colours))


def _policy(style: str, script: str) -> str:
    """Return the page's content security policy: its own script and style, and nothing from another machine."""
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src '{_hash(script)}'",
            f"style-src '{_hash(style)}'",
            "img-src 'self' data: file:",
            "media-src 'self' blob: file:",
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")
