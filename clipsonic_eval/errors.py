"""Errors that the user can fix (these classes); everything else is a bug.

The command line prints a :class:`UserError` as one sentence without a traceback and exits with 2. The sentence states
what and where (file, key, value), the rule that is broken, and the fix.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import Final

_NEAR: Final = 3  # names that are suggested
_SHORT: Final = 12  # names of a list that is shown beside a suggestion


class UserError(Exception):
    """An error that the user can fix; its message is shown as it is."""


class ConfigError(UserError):
    """A configuration value or key that is not accepted."""


class ShapeError(UserError):
    """An array whose shape, size or contents do not fit what is asked of it."""


class SpaceError(UserError):
    """Two sets of embeddings from different embedding spaces."""


class MediaError(UserError):
    """A media file that cannot be used; the message is the reason written to the list of skipped items."""


class WeightsError(UserError):
    """A weight file that is missing, of another layout, or unsafe to load."""


def unknown_name(what: str, name: str, known: Iterable[str]) -> UserError:
    """Return the error for a name that is not in a list: the nearest match, and the list unless it is long.

    Names that contain the one given are near too. Without a match the list is whole.

    Example:
        >>> str(unknown_name("system", "pd", ["PD", "ZS"]))
        "unknown system 'pd'. Did you mean 'PD'? Known: PD, ZS."
        >>> str(unknown_name("metric", "clap", ["fad", "clap_score"]))
        "unknown metric 'clap'. Did you mean 'clap_score'? Known: clap_score, fad."
    """
    names = sorted(known)
    folded = {known_name.lower(): known_name for known_name in names}
    near = difflib.get_close_matches(name.lower(), folded, n=1)
    near = near or [other for other in folded if name and name.lower() in other][:_NEAR]
    hint = f" Did you mean {' or '.join(repr(folded[other]) for other in near)}?" if near else ""
    known_list = f" Known: {', '.join(names) or 'none'}." if not near or len(names) <= _SHORT else ""
    return UserError(f"unknown {what} '{name}'.{hint}{known_list}")


def listed(things: Sequence[object], shown: int = 3) -> str:
    """Return the first of some things and how many more there are, as part of a sentence.

    Example:
        >>> listed(["a", "b", "c", "d", "e"])
        'a, b, c and 2 more'
    """
    more = f" and {len(things) - shown} more" if len(things) > shown else ""
    return ", ".join(str(thing) for thing in things[:shown]) + more
