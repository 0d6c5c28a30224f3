"""What of a history is shown: its series, with pins and a baseline."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from clipsonic_eval.history.series import Series, SeriesLine, SeriesPoint, Trends


@dataclass(frozen=True, slots=True)
class HistoryView:
    """Series and what they are shown with.

    Attributes:
        trends: the series.
        pins: names of the pins by record.
        baseline: name of the baseline; "" for none.
        levels: its values by metric, system and what they share with comparable values.
    """

    trends: Trends
    pins: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    baseline: str = ""
    levels: Mapping[tuple[Any, ...], float] = field(default_factory=dict)

    def level(self, line: SeriesLine, series: Series) -> float | None:
        """Return the baseline's value for a line, None where it has none that compares."""
        return self.levels.get((series.metric, series.system, line.compared))

    def pins_of(self, point: SeriesPoint) -> tuple[str, ...]:
        """Return the pins that a point holds records of."""
        return tuple(dict.fromkeys(name for record in point.records for name in self.pins.get(record, ())))
