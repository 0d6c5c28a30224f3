"""Which figures the records have material for; matplotlib is loaded here and no earlier."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from clipsonic_eval import filenames
from clipsonic_eval.analysis import figure_data
from clipsonic_eval.reporting.page import Drawn
from clipsonic_eval.reporting.results import Results


@dataclass(frozen=True, slots=True)
class _Figure:
    """A figure that may be drawn: ``draw(stem)`` gives the caption; None where there is no material for it."""

    name: str
    title: str
    draw: Callable[[Path], str] | None
    why_not: str


def draw_all(results: Results, folder: Path) -> tuple[list[Drawn], list[str]]:
    """Draw every figure into ``folder/figures`` and return them with what was left out, and why."""
    made: list[Drawn] = []
    left_out: list[str] = []
    for figure in _figures(results):
        if figure.draw is None:
            left_out.append(figure.why_not)
            continue
        (folder / "figures").mkdir(exist_ok=True)
        made.append(Drawn(figure.name, figure.title, figure.draw(folder / "figures" / figure.name)))
    return made, [*left_out, *_letters_lacking(results)]


def _letters_lacking(results: Results) -> list[str]:
    from clipsonic_eval.reporting.figures import fonts, spectrograms

    shown = figure_data.examples(results.runs.table)
    sentence = fonts.sentence(spectrograms.captions(shown).lacking) if shown else ""
    return [sentence] if sentence else []


def _figures(results: Results) -> list[_Figure]:
    from clipsonic_eval.reporting.figures import clip_variants, gap, guidance, spectrograms, systems

    shown = figure_data.examples(results.runs.table)
    gaps = results.gap
    clouds = next((p for r in gaps.runs if (p := figure_data.projection(r)) is not None), None) if gaps else None
    main, scales = results.runs.clip_variant, results.by_scale
    return [
        _Figure(
            "metrics",
            "Metrics by system",
            (lambda stem: systems.draw(results.cells, stem)) if results.cells else None,
            "no evaluation: table and figure of the metrics left out",
        ),
        _Figure(
            "gap",
            "The modality gap before and after the prior",
            (lambda stem: gap.draw(gaps, clouds, stem)) if gaps else None,
            "no gap record: modality-gap table and figure left out",
        ),
        _Figure(
            "clip_variants",
            "The benefit of the prior and the width of the gap",
            (lambda stem: clip_variants.draw(results.points, main, stem)) if results.points else None,
            "fewer than two CLIP variants with evaluations and a gap record: sweep over CLIP variants left out",
        ),
        _Figure(
            "spectrograms",
            "Spectrograms of the same queries",
            (lambda stem: spectrograms.draw(shown, stem)) if shown else None,
            f"no {filenames.EXAMPLES} beside the records: spectrograms left out",
        ),
        _Figure(
            "guidance",
            "Metrics against the guidance scale",
            (lambda stem: guidance.draw(scales, results.chosen, results.guidance_split, stem))
            if len(scales) > 1
            else None,
            "fewer than two guidance scales on one split: figure over guidance scales left out",
        ),
    ]
