"""Settings of the page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from clipsonic_eval import outputs
from clipsonic_eval.config import as_tree, coerce, resolve
from clipsonic_eval.errors import ConfigError


@dataclass(frozen=True, slots=True)
class PageConfig:
    """What the page shows of single queries.

    Attributes:
        show: queries, a quarter each of the worst, around the median, the best and drawn at random; 0: all.
        rank: ``METRIC`` or ``METRIC:SYSTEM`` that says which are the worst; "": the first metric with values of single
            queries, averaged over the systems that are no controls.
        audio: ``aac`` (every browser plays it) or ``opus``.
        inline_mb: most that sounds and pictures inside the page may take, in 10^6 bytes; with more they lie in a
            folder beside it.
        equal_loudness: offer to hear the sounds of a query at the loudness (BS.1770) of the quietest; needs the extra
            ``listening``.
        seed: of the draw.
        workers: processes that encode the sounds, at most; does not change the page.
        wavs: folders by system, where they are not where the records say.
        queries: table of key, prompt and perhaps image; None: the one that the records name.
    """

    show: int = 20
    rank: str = ""
    audio: Literal["aac", "opus"] = "aac"
    inline_mb: float = 15.0
    equal_loudness: bool = False
    seed: int = 0
    workers: int = 1
    wavs: dict[str, Path] = field(default_factory=dict)
    queries: Path | None = None

    def __post_init__(self) -> None:
        coerce(self)
        if self.show < 0 or self.inline_mb < 0 or self.workers < 1:
            raise ConfigError("show and inline_mb must be 0 or more, workers 1 or more")

    def identity(self) -> dict[str, Any]:
        """Return what decides the page, without this machine's paths."""
        paths = {"wavs": sorted(self.wavs), "queries": outputs.state_of(self.queries)}
        tree = {**as_tree(self), **paths}
        del tree["workers"]
        return tree


def page_config(given: bool | Mapping[str, Any]) -> PageConfig | None:
    """Return the settings of the page: those that are given by name, the defaults for True, None for False.

    Raises:
        ConfigError: no such setting, or not such a value.
    """
    return None if given is False else resolve(PageConfig, {} if given is True else given, where="page")
