"""Fonts for captions in any script, so that no character is drawn as a box.

DejaVu Sans comes with matplotlib and draws Latin, Greek and Cyrillic characters identically on every machine. Other
installed fonts serve only the characters that it does not have: first the widely installed ones listed below, then any.
"""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from matplotlib import font_manager, ft2font

BASE: Final = "DejaVu Sans"
PREFERRED: Final = (
    "Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans CJK KR", "Source Han Sans SC", "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei", "Microsoft YaHei", "PingFang SC", "Hiragino Sans", "IPAexGothic", "Noto Sans",
    "Noto Sans Arabic", "Noto Sans Hebrew",
    "Noto Sans Devanagari", "Noto Sans Bengali", "Noto Sans Tamil", "Noto Sans Thai", "Noto Emoji",
    "Symbola", "Arial Unicode MS",
)  # fmt: skip
# names that letters of no meaning hide behind, or that draw mathematics in encodings of their own
_NO_TEXT: Final = ("Last Resort", "STIX", "cm", "Unifont Upper")
# written right to left, or joined and reordered: Indic scripts, Tibetan, Myanmar, Khmer
_JOINED: Final = ((0x0900, 0x0DFF), (0x0F00, 0x109F), (0x1780, 0x17FF))


@dataclass(frozen=True, slots=True)
class Texts:
    """Texts in the form in which they can be drawn.

    Attributes:
        shown: each text, or its substitute.
        families: font families in the order in which a character is looked up.
        lacking: characters that no installed font has, in the order of the texts.
    """

    shown: tuple[str, ...]
    families: tuple[str, ...]
    lacking: str


def drawable(texts: Sequence[str], instead: Sequence[str]) -> Texts:
    """Choose fonts for texts, and substitutes for texts that no font can draw.

    Args:
        texts: to be drawn.
        instead: substitute of each text, such as a key; escaped where it cannot be drawn either.
    """
    families = [BASE]
    shown: list[str] = []
    lacking: dict[str, None] = {}
    for text, other in zip(texts, instead, strict=True):
        fonts = _families(text)
        if fonts is None:
            lacking |= dict.fromkeys(c for c in text if _families(c) is None)
            fonts = _families(other)
            shown.append(other if fonts is not None else other.encode("ascii", "backslashreplace").decode())
        else:
            shown.append(text)
        families += [name for name in fonts or () if name not in families]
    return Texts(tuple(shown), tuple(families), "".join(lacking))


def _families(text: str) -> tuple[str, ...] | None:
    """Return the fonts that draw a text together with the base font; None where the installed ones cannot."""
    if _is_joined(text) and not getattr(ft2font, "__libraqm_version__", ""):  # letters would stand apart
        return None
    left = {ord(c) for c in text if _is_seen(c)} - letters_of(BASE)
    chosen = []
    for name in installed() if left else ():
        found = left & letters_of(name)
        if found:
            chosen.append(name)
            left -= found
        if not left:
            break
    return None if left else tuple(chosen)


def _is_seen(character: str) -> bool:
    """Return whether a character has a glyph of its own; joiners, selectors and line breaks have none."""
    return unicodedata.category(character) not in ("Cc", "Cf") and not 0xFE00 <= ord(character) <= 0xFE0F


def _is_joined(text: str) -> bool:
    return any(
        unicodedata.bidirectional(c) in ("R", "AL") or any(low <= ord(c) <= high for low, high in _JOINED) for c in text
    )


def installed() -> list[str]:
    """Return the names of the fonts for text, the preferred ones first, the others by name."""
    names = {entry.name for entry in font_manager.fontManager.ttflist}
    rest = sorted(n for n in names if n not in PREFERRED and not n.startswith(_NO_TEXT))
    return [*(n for n in PREFERRED if n in names), *rest]


@functools.cache
def letters_of(name: str) -> frozenset[int]:
    """Return the code points of a font; none for bitmap fonts (colour emoji), which cannot be scaled."""
    entries = [entry for entry in font_manager.fontManager.ttflist if entry.name == name]
    try:
        font = ft2font.FT2Font(min(entries, key=lambda entry: entry.style != "normal").fname)
    except (ValueError, OSError, RuntimeError):
        return frozenset()
    return frozenset(font.get_charmap()) if font.scalable else frozenset()


def wrapped(text: str, width: int) -> list[str]:
    """Break a text into lines of at most ``width`` Latin letters; a wide one (Han, Kana, Hangul) counts as two."""
    import textwrap

    if not any(_columns(c) == 2 for c in text):
        return textwrap.wrap(text, width)
    lines, line, used = [], "", 0
    for character in " ".join(text.split()):
        columns = _columns(character)
        if used + columns > width:
            lines.append(line.rstrip())
            line, used = "", 0
        if line or character != " ":
            line, used = line + character, used + columns
    return [*lines, line.rstrip()]


def _columns(character: str) -> int:
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1


def sentence(letters: Iterable[str]) -> str:
    """Return the sentence that captions are replaced by keys, with the reason; "" where none is."""
    found = list(letters)
    if not found:
        return ""
    listed = " ".join(found[:5]) + (" …" if len(found) > 5 else "")
    return (
        f"captions with letters that no installed font draws ({listed}) stand as keys in the figures; install a font "
        "that has them (Noto Sans CJK, Noto Sans Devanagari, Noto Emoji, …)"
    )
