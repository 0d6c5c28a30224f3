r"""Text as LaTeX that every engine sets with no package: special characters, accents, symbols, and what no font has.

pdfLaTeX stops at a character that its encoding does not know. Accented letters are therefore written as commands
(``\'{e}``), frequent symbols as mathematics, and every other character as itself for XeLaTeX and LuaLaTeX and as its
number for pdfLaTeX: ``[U+72AC]`` shows that something is missing where a prompt in Chinese would stop the paper.
"""

from __future__ import annotations

import re
import textwrap
import unicodedata
from typing import Final

_SPECIAL: Final = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "`": r"\textasciigrave{}",
}
_SYMBOLS: Final = {
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
    "→": r"$\to$",
    "←": r"$\leftarrow$",
    "±": r"$\pm$",
    "×": r"$\times$",
    "·": r"$\cdot$",
    "−": r"$-$",
    "∞": r"$\infty$",
    "≥": r"$\geq$",
    "≤": r"$\leq$",
    "≈": r"$\approx$",
    "≠": r"$\neq$",
    "²": r"$^2$",
    "³": r"$^3$",
    "µ": r"$\mu$",
    "°": r"\textdegree{}",
    "€": r"\texteuro{}",
    "£": r"\pounds{}",
    "§": r"\S{}",
    "†": r"\textdagger{}",
    "‡": r"\textdaggerdbl{}",
    "•": r"\textbullet{}",
    "…": r"\dots{}",
    "–": "--",
    "—": "---",
    "‘": "`",
    "’": "'",
    "“": "``",
    "”": "''",
    "\N{NO-BREAK SPACE}": "~",
    "\N{ZERO WIDTH SPACE}": r"\allowbreak{}",
    "\N{SOFT HYPHEN}": r"\-",
    "ß": r"\ss{}",
    "æ": r"\ae{}",
    "Æ": r"\AE{}",
    "œ": r"\oe{}",
    "Œ": r"\OE{}",
    "ø": r"\o{}",
    "Ø": r"\O{}",
    "ł": r"\l{}",
    "Ł": r"\L{}",
    "ı": r"\i{}",
}
_GREEK: Final = {
    letter: rf"$\{name}$"
    for letters, names in (
        ("αβγδεζηθικλμνξπρστυφχψω", "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho "
         "sigma tau upsilon phi chi psi omega"),
        ("ΓΔΘΛΞΠΣΥΦΨΩ", "Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega"),
    )
    for letter, name in zip(letters, names.split(), strict=True)
}  # fmt: skip
_ACCENTS: Final = {
    "\u0300": "`", "\u0301": "'", "\u0302": "^", "\u0303": "~", "\u0304": "=", "\u0306": "u", "\u0307": ".",
    "\u0308": '"', "\u030a": "r", "\u030b": "H", "\u030c": "v", "\u0327": "c", "\u0323": "d", "\u0331": "b",
}  # fmt: skip
_KNOWN: Final = {**_SPECIAL, **_SYMBOLS, **_GREEK}


def escape(text: str) -> str:
    r"""Return text that LaTeX sets as it stands, in text mode.

    Example:
        >>> print(escape("a_b & 50 %"))
        a\_b \& 50 \%
        >>> print(escape("Motörhead ≥ 犬"))
        Mot\"{o}rhead $\geq$ \ifdefined\Umathchar 犬\else[U+72AC]\fi{}
    """
    text = unicodedata.normalize("NFC", text)
    return "".join(
        ("{}" if c == before == "-" else "") + _character(c)  # two hyphens are no dash
        for before, c in zip(f" {text}", text, strict=False)
    )


def lacking(text: str) -> str:
    """Return the characters of a text, each once, that pdfLaTeX shows by their numbers."""
    return "".join(dict.fromkeys(c for c in unicodedata.normalize("NFC", text) if r"\Umathchar" in _character(c)))


def _character(c: str) -> str:
    if c in _KNOWN:
        return _KNOWN[c]
    if c.isascii():
        return c if c.isprintable() else " "
    letter = unicodedata.normalize("NFD", c)
    if len(letter) == 2 and letter[0].isascii() and letter[0].isalpha() and letter[1] in _ACCENTS:
        return rf"\{_ACCENTS[letter[1]]}{{{letter[0]}}}"
    if unicodedata.category(c) in ("Cf", "Mn"):  # joiners and directions, which nothing shows
        return ""
    return rf"\ifdefined\Umathchar {c}\else[U+{ord(c):04X}]\fi{{}}"


def breakable(text: str) -> str:
    r"""Return a name that may break after its separators, and within a word where that is long.

    Example:
        >>> print(breakable("my_system"))
        my\_\allowbreak{}system
    """
    words = re.sub(r"[^\W_]{14,}", lambda word: "\N{SOFT HYPHEN}".join(textwrap.wrap(word[0], 7)), text)
    return escape(re.sub(r"(?<=[_/.:+=])", "\N{ZERO WIDTH SPACE}", words))


def code(text: str) -> str:
    r"""Return text in typewriter face that may break after its separators, for signatures.

    Example:
        >>> print(code("fad|cov:n-1"))
        \texttt{fad\textbar{}\allowbreak{}cov:\allowbreak{}n-\allowbreak{}1}
    """
    return rf"\texttt{{{escape(re.sub(r'(?<=[|/:,+;-])', chr(0x200B), text))}}}"


def marked_up(note: str) -> str:
    """Return a note: the parts between back-ticks in typewriter face, the rest as text."""
    return "".join(code(part) if i % 2 else breakable(part) for i, part in enumerate(note.split("`")))
