r"""Cells of numbers aligned by their points: with phantom digits where no package is asked for, else for siunitx.

siunitx's ``S`` columns cannot underline a number and drop an uncertainty of 0; such a cell is text with phantom digits,
which is as wide.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

from clipsonic_eval.formats import MINUS
from clipsonic_eval.reporting.latex.escape import escape
from clipsonic_eval.reporting.markup import Text

EMPTY: Final = ("", "–")
_NUMBER: Final = re.compile(rf"([{MINUS}+]?)(\d+)(?:\.(\d+))?(?: ± (\d+)(?:\.(\d+))?)?")


class _Number(NamedTuple):
    """A number in parts, each a string of digits; ``error`` is the whole part of what follows ±."""

    sign: str
    whole: str
    fraction: str
    error: str
    error_fraction: str


class Digits(NamedTuple):
    """How many digits the numbers of a column have at most, before and after the point.

    Attributes:
        signed: some have a sign.
        whole: before the point.
        fraction: after the point.
        error: of what follows ±, before the point; 0 where nothing follows.
        error_fraction: after the point.
        last_places: of what follows ±, counted in the last place of the column and without leading zeros.
    """

    signed: bool
    whole: int
    fraction: int
    error: int
    error_fraction: int
    last_places: int

    def widest(self) -> str:
        """Return a number that has all of these digits."""
        point = "." + "0" * self.fraction if self.fraction else ""
        error = " ± " + "0" * self.error + "." + "0" * self.error_fraction if self.error else ""
        return MINUS * self.signed + "0" * self.whole + point + error

    def siunitx(self) -> str:
        """Return the column type for siunitx."""
        point = f".{self.fraction}" if self.fraction else ""
        error = f"({self.last_places})" if self.error else ""
        return f"S[table-format={'-' if self.signed else ''}{self.whole}{point}{error}]"


def digits(texts: Iterable[Text]) -> Digits | None:
    """Return the digits of a column; None unless all of its cells are numbers or empty."""
    found = [_parse(cell.text) for cell in texts if cell.text not in EMPTY]
    numbers = [n for n in found if n is not None]
    if not numbers or len(numbers) < len(found):
        return None
    fraction = max(len(n.fraction) for n in numbers)
    return Digits(
        any(n.sign for n in numbers),
        max(len(n.whole) for n in numbers),
        fraction,
        max(len(n.error) for n in numbers),
        max(len(n.error_fraction) for n in numbers),
        max(len((n.error + n.error_fraction).lstrip("0")) + fraction - len(n.error_fraction) for n in with_error)
        if (with_error := [n for n in numbers if n.error])
        else 0,
    )


def plain(cell: Text, column: Digits) -> str:
    r"""Return a number with phantom digits on both sides, so that centred cells align.

    Example:
        >>> column = digits([Text("2.1"), Text("17.96")])
        >>> print(plain(Text("2.1"), column))
        \phantom{0}2.1\phantom{0}
    """
    number = _parse(cell.text)
    if number is None:
        return escape(cell.text)
    before = _before(number, column)
    shown = _faced(escape(_value(number)), cell)
    after = _missing_fraction(number.fraction, column.fraction)
    if not column.error:
        return before + shown + after
    if not number.error:
        width = "0" * column.error + ("." + "0" * column.error_fraction if column.error_fraction else "")
        return f"{before}{shown}{after}\\phantom{{\\,$\\pm$\\,{width}}}"
    error = number.error + (f".{number.error_fraction}" if number.error_fraction else "")
    left = _phantom("0" * (column.error - len(number.error)))
    right = _missing_fraction(number.error_fraction, column.error_fraction)
    return rf"{before}{shown}{after}\,$\pm$\,{left}{error}{right}"


def for_siunitx(cell: Text, column: Digits) -> str:
    r"""Return a number for an ``S`` column.

    Example:
        >>> cell = Text("−2.1 ± 0.3", bold=True)
        >>> print(for_siunitx(cell, digits([cell])))
        \bfseries -2.1 \pm 0.3
    """
    number = _parse(cell.text)
    if number is None:
        return f"{{{escape(cell.text)}}}"
    error = number.error + (f".{number.error_fraction}" if number.error_fraction else "")
    as_text = (
        cell.underline
        or (cell.bold and number.sign == "+")  # a bold plus is wider than the place of a sign
        or (error and not error.strip("0."))  # siunitx leaves out ± 0
    )
    if as_text:
        return f"{{{plain(cell, column)}}}"
    bold = r"\bfseries " if cell.bold else ""
    return bold + _value(number).replace(MINUS, "-") + (rf" \pm {error}" if error else "")


def text(cell: Text) -> str:
    """Return a cell that is no number, in bold or underlined where it is."""
    return _faced(escape(cell.text), cell) if cell.text else ""


def _faced(made: str, cell: Text) -> str:
    made = rf"\textbf{{{made}}}" if cell.bold else made
    return rf"\underline{{{made}}}" if cell.underline else made


def _parse(written: str) -> _Number | None:
    found = _NUMBER.fullmatch(written)
    return None if found is None else _Number(*(part or "" for part in found.groups()))


def _before(number: _Number, column: Digits) -> str:
    """Return phantoms for the sign and the digits that the widest number of a column has more."""
    sign = r"\phantom{$-$}" if column.signed and not number.sign else ""
    return sign + _phantom("0" * (column.whole - len(number.whole)))


def _value(number: _Number) -> str:
    return number.sign + number.whole + (f".{number.fraction}" if number.fraction else "")


def _missing_fraction(own: str, column: int) -> str:
    return _phantom(("" if own else ".") + "0" * (column - len(own)) if column > len(own) else "")


def _phantom(shown: str) -> str:
    return rf"\phantom{{{shown}}}" if shown else ""
