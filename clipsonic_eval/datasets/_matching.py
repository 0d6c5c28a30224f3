"""Match keys of a table with names of files that differ only in a suffix or in Unicode normalisation."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection

from clipsonic_eval.datasets._files import without_suffix


def near_matches(wanted: Collection[str], have: Collection[str]) -> dict[str, str]:
    """Match names that differ only in a media suffix or in Unicode normalisation.

    Args:
        wanted: keys of the table.
        have: names that are there.

    Returns:
        Key of the table by name, only where exactly one of each kind matches.

    Example:
        >>> near_matches(["dog-1.wav", "cat"], ["dog-1", "bird"])
        {'dog-1': 'dog-1.wav'}
    """
    missing, free = set(wanted) - set(have), set(have) - set(wanted)
    by_form: dict[str, tuple[list[str], list[str]]] = {}
    for side, names in enumerate((missing, free)):
        for name in names:
            by_form.setdefault(_form(name), ([], []))[side].append(name)
    return {there[0]: asked[0] for asked, there in by_form.values() if len(asked) == 1 and len(there) == 1}


def _form(name: str) -> str:
    return without_suffix(unicodedata.normalize("NFC", name))


def why_none(wanted: Collection[str], have: Collection[str]) -> str:
    """Return a sentence, with an example of each side, why no key is among the names.

    Example:
        >>> why_none(["DOG"], ["dog"])
        "a key is 'DOG', a file 'dog': they differ in upper and lower case; rename one side"
    """
    asked, there = min(wanted), min(have)
    folded = {name.casefold(): name for name in have}
    padded = {re.sub(r"\d+", lambda m: str(int(m[0])), name): name for name in have}
    for key in sorted(wanted)[:100]:
        if key.casefold() in folded:
            asked, there, reason = key, folded[key.casefold()], "they differ in upper and lower case"
            break
        plain = re.sub(r"\d+", lambda m: str(int(m[0])), key)
        if plain in padded:
            asked, there, reason = key, padded[plain], "they differ in the zeros before numbers"
            break
        around = next((name for name in sorted(have)[:1000] if key in name or name in key), None)
        if around is not None:
            asked, there, reason = key, around, "one has more around it than the other"
            break
    else:
        reason = "the two seem to belong to different sets, or the key stands in another column"
    return f"a key is '{asked}', a file '{there}': {reason}; rename one side"
