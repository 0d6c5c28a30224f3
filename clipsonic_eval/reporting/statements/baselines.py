"""Where the prior's rivals stand: mean-shift, best-of-k, the supervised systems, and systems from elsewhere."""

from __future__ import annotations

from collections.abc import Sequence

from clipsonic_eval.analysis import names
from clipsonic_eval.records import Comparison
from clipsonic_eval.reporting.results import Results
from clipsonic_eval.reporting.statements.wording import plural, verdict

_SHOWN = 12


def _about(results: Results, a: str, b: str) -> list[Comparison]:
    return [p for p in results.pairs if (p.a, p.b) == (a, b)]


def _line(intro: str, pairs: Sequence[Comparison]) -> list[str]:
    return [f"{intro} {'; '.join(verdict(p) for p in pairs)}."] if pairs else []


def mean_shift(results: Results) -> list[str]:
    """Compare the prior with the cheapest way over the gap, and that one with doing nothing."""
    pairs = _about(results, "PD", "mean-shift")
    lines = _line("PD against mean-shift, which only moves the text embeddings by one vector:", pairs)
    if pairs and not any(p.separated and p.a_better for p in pairs):
        lines.append(
            "So these numbers do not show that the prior does more than moving the centroid, which costs nothing."
        )
    return lines + _line("Mean-shift against ZS:", _about(results, "mean-shift", "ZS"))


def best_of(results: Results) -> list[str]:
    """Compare the best of several draws with one draw, and the in-domain prior with the other."""
    lines = []
    for entry in names.ordered(s for _, s in results.cells):
        if entry.name.startswith("PD-best"):
            lines += _line(f"{entry.name} ({entry.meaning}) against one draw:", _about(results, entry.name, "PD"))
    return lines + _line("A prior trained in the domain (SD) against PD:", _about(results, "SD", "PD"))


def supervised(results: Results) -> list[str]:
    """Compare ZS and PD with the systems trained on text–audio pairs."""
    lines = []
    for rival in ("CLIP-TTA", "CLAP-TTA"):
        for ours in ("PD", "ZS"):
            lines += _line(f"{ours} against the supervised {rival}:", _about(results, ours, rival))
    return lines


def foreign(results: Results) -> list[str]:
    """Compare systems that are not ours with each other and with ours."""
    pairs = [p for p in results.pairs if names.OTHER in (names.system(p.a).group, names.system(p.b).group)]
    questions = dict.fromkeys((p.a, p.b) for p in pairs)
    lines = []
    for a, b in list(questions)[:_SHOWN]:
        lines += _line(f"{a} against {b}:", _about(results, a, b))
    if len(questions) > _SHOWN:
        lines.append(f"{plural(len(questions) - _SHOWN, 'more pair')}: see the table of comparisons.")
    return lines
