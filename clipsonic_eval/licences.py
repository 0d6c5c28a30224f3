"""Licences of published weights, told once per process when they load.

They go to the logger ``clipsonic_eval.licences`` at level INFO. The command line shows it on stderr; a notebook does
after ``logging.getLogger("clipsonic_eval.licences").setLevel("INFO")`` and a handler of its own.
"""

from __future__ import annotations

import logging
from typing import Final

LOGGER: Final = logging.getLogger("clipsonic_eval.licences")
_told: set[tuple[str, str]] = set()


def tell(name: str, licence: str, source: str) -> None:
    """Tell the licence of weights that others have published, if it was not told before.

    Args:
        name: of what reads them: an encoder, a vocoder, a prior, a system.
        licence: of the weights; "": theirs is not known, and nothing is told.
        source: page of the weights, or the folder that they were read from.
    """
    if not licence or (source, licence) in _told:
        return
    _told.add((source, licence))
    LOGGER.info("%s: published weights, licence %s, %s", name, licence, source)
