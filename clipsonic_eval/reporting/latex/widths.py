"""How wide text becomes, from the letters of Computer Modern, which are wider than those of Times.

An estimate that errs on the wide side: a table that fits by it fits in the classes of all venues.
Measured by TeX at 8 pt.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

POINTS: Final = 8.0  # size of the letters that the widths are of
_BOLD: Final = 1.15
_GROUPS: Final = {
    " ": 2.9,
    "!',.:;[]`il|": 2.4,
    "fj": 2.6,
    "-": 2.9,
    "I()rst": 3.4,
    'cez?"$*/0123456789\\^_ago{}~': 4.3,
    "Jkqvxy": 4.5,
    "Sbdhnpu": 4.8,
    "ZLF": 5.6,
    "EPB<>CTwR": 6.3,
    "AHNUVXYD&+=@GKOQ±−×↑↓": 6.7,
    "#%mMW": 8.8,
}
_LETTERS: Final = {letter: width for letters, width in _GROUPS.items() for letter in letters}
_ANY: Final = 9.0  # of an accented letter or a symbol
_NUMBERED: Final = 36.0  # of a character that pdfLaTeX shows by its number


def width(text: str, *, bold: bool = False, points: float = POINTS) -> float:
    """Return the width of a line of text in points, at most a little too wide.

    Args:
        text: one line.
        bold: of the bold face.
        points: size of the letters.

    Example:
        >>> round(width("0.754"), 1), round(width("0.754", bold=True), 1)
        (19.6, 22.5)
    """
    text = text.replace(" ± ", "± ")  # two thin spaces are as wide as one between words
    letters = sum(_LETTERS.get(c) or (_ANY if ord(c) < 0x2C00 else _NUMBERED) for c in text)
    small = 1.08 if points < POINTS else 1.0  # small letters are drawn relatively wider
    return letters * (_BOLD if bold else 1.0) * points / POINTS * small


def wrapped(text: str, limit: float) -> list[str]:
    """Return text in lines that are no wider than a limit, but for single words.

    Args:
        text: words between blanks.
        limit: in points.

    Example:
        >>> wrapped("Class accuracy ↑", 40.0)
        ['Class', 'accuracy ↑']
    """
    lines: list[str] = []
    for word in _words(text):
        if lines and width(f"{lines[-1]} {word}") <= limit:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines or [""]


def _words(text: str) -> Iterable[str]:
    """Return the words of a heading; an arrow stays with the word before it."""
    words: list[str] = []
    for word in text.split():
        if words and not any(c.isalnum() for c in word):
            words[-1] += f" {word}"
        else:
            words.append(word)
    return words
