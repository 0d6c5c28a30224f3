"""What a layout reads from a folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple


class FoundPrior(NamedTuple):
    """A published prior as read from its folder.

    Attributes:
        layout: name of the layout.
        network: called like a ``PriorTransformer``.
        weights: its file.
        scheduler: settings of :func:`clipsonic.prior.network.prior_scheduler`.
        card: how the prior takes texts and draws, for its card.
    """

    layout: str
    network: Any
    weights: Path
    scheduler: Mapping[str, Any]
    card: Mapping[str, Any]
