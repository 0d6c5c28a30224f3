"""How differences are put into words."""

from __future__ import annotations

from collections.abc import Sequence

from clipsonic_eval.analysis import names
from clipsonic_eval.formats import interval, number, p_value
from clipsonic_eval.records import IDENTICAL, Comparison

KEY = (
    "In the brackets below: how much better the first-named system is (negative: worse), 95 % interval over test "
    "queries, Holm-corrected p, and how many training seeds agree on the sign."
)


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


def numbers(pair: Comparison) -> str:
    """Return the advantage of the first-named, its interval, p and the seeds of that sign, as :data:`KEY` explains."""
    decimals = names.metric(pair.metric).decimals
    text = f"{number(pair.gain, decimals, sign=True)} {interval(pair.gain_ci, decimals)}".strip()
    return f"{text}, {p_text(pair.p_holm)}{_seeds(pair)}"


def _seeds(pair: Comparison) -> str:
    if len(pair.by_seed) < 2:
        return ""
    return f", {pair.seeds_agree}/{len(pair.by_seed)} seeds"


def verdict(pair: Comparison) -> str:
    """Return a clause that says who is better on the pair's metric, or that the two are not separated, with numbers."""
    title = names.metric(pair.metric).in_text
    if pair.test == IDENTICAL:
        return f"on {title}, {pair.a} and {pair.b} are equal: their outputs are the same bytes"
    if not pair.separated:
        return f"on {title}, {pair.a} and {pair.b} are not separated ({numbers(pair)})"
    pair = pair if pair.a_better else pair.reversed()
    text = f"on {title}, {pair.a} is better than {pair.b} ({numbers(pair)})"
    if len(pair.by_seed) > 1 and pair.seeds_agree < len(pair.by_seed):
        text += ", though not with every training seed"
    return text


def sentence(clauses: Sequence[str]) -> str:
    """Join clauses with semicolons into one sentence."""
    text = "; ".join(clauses)
    return f"{text[0].upper()}{text[1:]}."
