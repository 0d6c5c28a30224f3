"""Values of tags, which are texts, as numbers."""

from __future__ import annotations

from collections.abc import Iterable


def number(text: str) -> float:
    """Return a tag as a number for sorting, infinity where it is not a number."""
    try:
        return float(text)
    except ValueError:
        return float("inf")


def in_order(values: Iterable[str]) -> list[str]:
    """Return values of a tag, numbers first and by size."""
    return sorted(values, key=lambda value: (number(value), value))
