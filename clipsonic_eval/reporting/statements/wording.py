"""Sentences about comparisons."""

from __future__ import annotations

from collections.abc import Sequence

from clipsonic_eval.formats import interval, number, p_value
from clipsonic_eval.records import IDENTICAL, Comparison, RunRecord
from clipsonic_eval.reporting.headings import decimals, in_text

KEY = (
    "In the brackets below: how much better the first-named system is (negative: worse), 95 % interval over test "
    "queries, Holm-corrected p"
)
KEY_OF_SEEDS = "and how many training seeds agree on the sign"


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


def numbers(c: Comparison) -> str:
    """Return the advantage of the first-named, its interval, p and the seeds of that sign, as :data:`KEY` explains."""
    places = decimals(c.metric)
    text = f"{number(c.gain, places, sign=True)} {interval(c.gain_ci, places)}".strip()
    seeds = f", {c.seeds_agree}/{len(c.by_seed)} seeds" if len(c.by_seed) > 1 else ""
    return f"{text}, {p_text(c.p_holm)}{seeds}"


def verdict(c: Comparison) -> str:
    """Return a clause, with numbers, that says which system is better on the metric, or that neither is."""
    where = f"on {in_text(c.metric)}, "
    if c.test == IDENTICAL:
        return f"{where}{c.a} and {c.b} are equal: their outputs are the same bytes"
    if not c.significant:
        return f"{where}{c.a} and {c.b} do not differ significantly ({numbers(c)})"
    c = c if c.a_better else c.reversed()
    text = f"{where}{c.a} is better than {c.b} ({numbers(c)})"
    if len(c.by_seed) > 1 and c.seeds_agree < len(c.by_seed):
        text += ", though not with every training seed"
    return text


def about(record: RunRecord, a: str, b: str, intro: str) -> list[str]:
    """Return one sentence with the verdict on a pair for every metric, none where the pair was not compared."""
    found = [verdict(c) for c in record.comparisons if (c.a, c.b) == (a, b)]
    return [f"{intro} {'; '.join(found)}."] if found else []


def sentence(clauses: Sequence[str]) -> str:
    """Join clauses with semicolons into one sentence."""
    text = "; ".join(clauses)
    return f"{text[0].upper()}{text[1:]}."
