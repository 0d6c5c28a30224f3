"""Errors that the user can fix (these classes); everything else is a bug.

The command line prints a :class:`UserError` as one sentence without a traceback and exits with 2. The sentence states
what and where (file, key, value), the rule that is broken, and the fix.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence


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
    """Return the error for a name that is not in a list, with the nearest match and the list.

    Example:
        >>> str(unknown_name("system", "pd", ["PD", "ZS"]))
        "unknown system 'pd'. Did you mean 'PD'? Known: PD, ZS."
    """
    names = sorted(known)
    folded = {known_name.lower(): known_name for known_name in names}
    near = difflib.get_close_matches(name.lower(), folded, n=1)
    hint = f" Did you mean '{folded[near[0]]}'?" if near else ""
    listed = ", ".join(names) or "none"
    return UserError(f"unknown {what} '{name}'.{hint} Known: {listed}.")


def listed(things: Sequence[object], shown: int = 3) -> str:
    """Return the first of some things and how many more there are, as part of a sentence.

    Example:
        >>> listed(["a", "b", "c", "d", "e"])
        'a, b, c and 2 more'
    """
    more = f" and {len(things) - shown} more" if len(things) > shown else ""
    return ", ".join(str(thing) for thing in things[:shown]) + more
