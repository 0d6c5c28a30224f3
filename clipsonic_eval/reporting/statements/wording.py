"""Sentences about comparisons."""

from __future__ import annotations

from collections.abc import Sequence

from clipsonic_eval.formats import p_value
from clipsonic_eval.records import IDENTICAL, Comparison, RunRecord
from clipsonic_eval.reporting.headings import in_text


def listed(items: Sequence[str]) -> str:
    """Join words: ``a``, ``a and b``, ``a, b and c``."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"


def p_text(p: float) -> str:
    """Return ``p = 0.012`` or ``p < 0.001``."""
    text = p_value(p)
    return f"p {text}" if text.startswith("<") else f"p = {text}"


def plural(n: int, word: str, more: str = "") -> str:
    """Return a count with its noun."""
    return f"{n} {word}" if n == 1 else f"{n} {more or word + 's'}"


def verdicts(found: Sequence[Comparison]) -> list[str]:
    """Return clauses that say on which metrics which system of a pair is better, or that neither is.

    Args:
        found: comparisons of one pair, one for each metric; at least one.
    """
    a, b = found[0].a, found[0].b
    same = [c for c in found if c.test == IDENTICAL]
    clear = [c for c in found if c.significant and c.test != IDENTICAL]
    unclear = [c for c in found if not c.significant and c.test != IDENTICAL]
    said = []
    for better, worse, first in ((a, b, True), (b, a, False)):
        on = [_on(c) for c in clear if c.a_better == first]
        said += [f"{better} is better than {worse} on {listed(on)}"] if on else []
    if unclear:
        said.append(f"no significant difference on {listed([in_text(c.metric) for c in unclear])}")
    if same:
        said.append(f"equal on {listed([in_text(c.metric) for c in same])}: their outputs are the same bytes")
    return said


def _on(c: Comparison) -> str:
    """Return the metric of a significant difference, and whether a training seed disagrees."""
    return f"{in_text(c.metric)} (not with every training seed)" if c.disputed else in_text(c.metric)


def about(record: RunRecord, a: str, b: str, intro: str) -> list[str]:
    """Return one sentence with the verdicts on a pair, none where the pair was not compared."""
    found = [c for c in record.comparisons if (c.a, c.b) == (a, b)]
    return [f"{intro} {'; '.join(verdicts(found))}."] if found else []


def sentence(clauses: Sequence[str]) -> str:
    """Join clauses with semicolons into one sentence."""
    text = "; ".join(clauses)
    return f"{text[0].upper()}{text[1:]}."
