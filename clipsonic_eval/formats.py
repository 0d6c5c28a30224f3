"""Numbers, names and plain tables as text: digits, signs, intervals, p-values, durations, Markdown, aligned columns."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

MINUS: Final = "−"


def printable(text: str) -> str:
    r"""Return text on one line, with an escape in place of every character that is not printed.

    Names come from users' folders: a line break would end a table's row, an escape sequence would colour a terminal.

    Example:
        >>> print(printable("PD\x1b[31m\n"))
        PD\x1b[31m\n
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def number(value: float, decimals: int, *, sign: bool = False) -> str:
    """Format a number with a true minus sign; a value that rounds to zero has no sign.

    Example:
        >>> number(-1.25, 1), number(0.5, 1, sign=True), number(-0.04, 1)
        ('−1.2', '+0.5', '0.0')
    """
    text = f"{value:+.{decimals}f}" if sign else f"{value:.{decimals}f}"
    if float(text) == 0:
        text = text.lstrip("+-")
    return text.replace("-", MINUS)


def percent(share: float, decimals: int = 0) -> str:
    """Format a fraction as a percentage.

    Example:
        >>> percent(0.952)
        '95 %'
    """
    return f"{number(100 * share, decimals)} %"


def interval(ci: tuple[float, float] | None, decimals: int) -> str:
    """Format a confidence interval as ``[low, high]``, "" where there is none.

    Example:
        >>> interval((-0.1, 0.25), 2)
        '[−0.10, 0.25]'
    """
    return f"[{number(ci[0], decimals)}, {number(ci[1], decimals)}]" if ci else ""


def arrow(higher_is_better: bool) -> str:
    """Return ↑ where higher is better, ↓ where lower is."""
    return "↑" if higher_is_better else "↓"


def with_interval(value: float, ci: tuple[float, float] | None, decimals: int | None = None) -> str:
    """Return ``value [low, high]`` with as many decimals as the interval supports.

    Args:
        value: any number.
        ci: lower and upper end, or None.
        decimals: digits after the point; None: two significant digits of the interval's width.

    Example:
        >>> with_interval(0.31234, (0.3011, 0.3243))
        '0.312 [0.301, 0.324]'
        >>> with_interval(5.2, None)
        '5.200'
    """
    places = decimals_of(value, ci) if decimals is None else decimals
    shown = f"{value:.{places}f}"
    return f"{shown} [{ci[0]:.{places}f}, {ci[1]:.{places}f}]" if ci else shown


def decimals_of(value: float, ci: tuple[float, float] | None, most: int = 6) -> int:
    """Return how many decimals show two significant digits of an interval's width, four of a value without one."""
    width = ci[1] - ci[0] if ci else 0.0
    scale, digits = (width, 2) if math.isfinite(width) and width > 0 else (abs(value), 4)
    if not math.isfinite(scale) or scale == 0:
        return 3
    return min(most, max(0, digits - 1 - math.floor(math.log10(scale))))


def decimals_of_error(error: float) -> int:
    """Return how many decimals an uncertainty supports: to its first significant digit, and one more where that is 1.

    Args:
        error: half an interval, or a standard deviation; above 0.

    Example:
        >>> decimals_of_error(0.028), decimals_of_error(0.0123), decimals_of_error(2.1), decimals_of_error(40)
        (2, 3, 0, 0)
    """
    places = -math.floor(math.log10(error))
    first = error * 10**places
    return max(0, places + (1 if first < 2 else 0))


def p_value(p: float) -> str:
    """Format a p-value: two significant digits down to 0.001.

    Example:
        >>> p_value(0.51234), p_value(0.0123), p_value(1e-6)
        ('0.51', '0.012', '< 0.001')
    """
    if p < 0.001:
        return "< 0.001"
    return f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def duration(seconds: float) -> str:
    """Format a duration in the unit that suits it.

    Example:
        >>> duration(12.34), duration(354), duration(9000)
        ('12.3 s', '5.9 min', '2.50 h')
    """
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.2f} h"


def markdown_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    r"""Return a GitHub-flavoured Markdown table; the cells are Markdown already.

    Example:
        >>> print(markdown_table(["metric", "value"], [["fad", "1.5"]]), end="")
        | metric | value |
        |---|---|
        | fad | 1.5 |
    """
    lines = [_markdown_row(heads), "|" + "---|" * len(heads), *(_markdown_row(row) for row in rows)]
    return "\n".join(lines) + "\n"


def _markdown_row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Return rows as lines of aligned columns, for a terminal.

    Args:
        rows: equally long; the first one may be the header.

    Example:
        >>> print(aligned([["", "fad"], ["PD", "1.5"], ["shuffled", "9.1"]]))
                  fad
        PD        1.5
        shuffled  9.1
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows)
    return "\n".join(lines)
