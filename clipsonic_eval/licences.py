"""Licences of published weights, told once per process when they load.

They go to the logger ``clipsonic_eval.licences`` at level INFO. The command line shows it on stderr; a notebook does
after ``logging.getLogger("clipsonic_eval.licences").setLevel("INFO")`` and a handler of its own.
"""

from __future__ import annotations

import logging
from typing import Final

from clipsonic_eval.types import EncoderCard

LOGGER: Final = logging.getLogger("clipsonic_eval.licences")
_told: set[tuple[str, str]] = set()


def tell(card: EncoderCard) -> None:
    """Tell the licence of an encoder's weights, if others have published them and it was not told before."""
    if not card.licence or not card.source.startswith("https://") or (card.source, card.licence) in _told:
        return
    _told.add((card.source, card.licence))
    LOGGER.info("%s: published weights, licence %s, %s", card.name, card.licence, card.source)
