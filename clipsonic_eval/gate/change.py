"""One change to be judged: a metric of a system in the records of both sides, and its data paired by key."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from clipsonic_eval.arraytypes import Float64
from clipsonic_eval.errors import UserError
from clipsonic_eval.gate.limits import Limit
from clipsonic_eval.metric_cards import biased_in_n
from clipsonic_eval.signature import comparable, explain_difference
from clipsonic_eval.types import Score

ByKey = Mapping[str, float]
RATES = ("clips_per_s", "real_time_factor")  # the median latency in another unit


@dataclass(frozen=True, slots=True)
class Change:
    """A metric of a system on both sides, and the limit that it is held to.

    Attributes:
        limit: for this metric and system.
        system: name in the baseline.
        renamed: name in the candidate.
        old: its scores in the baseline, one per record.
        new: its scores in the candidate, one per record.
        old_raw: scores that hold the raw durations of ``old``, where the metric follows from them; otherwise ``old``.
        new_raw: the same of ``new``.
        interleaved: both sides are one record, whose systems ran in turn.
    """

    limit: Limit
    system: str
    renamed: str
    old: tuple[Score, ...]
    new: tuple[Score, ...]
    old_raw: tuple[Score, ...] = ()
    new_raw: tuple[Score, ...] = ()
    interleaved: bool = False

    @property
    def metric(self) -> str:
        """Registry name of the metric."""
        return self.limit.metric

    @property
    def sides(self) -> tuple[tuple[Score, ...], tuple[Score, ...]]:
        """Scores of the baseline and of the candidate."""
        return self.old, self.new

    @property
    def name(self) -> str:
        """Metric and system as they stand in sentences."""
        return f"{self.metric} of '{self.system}'" + (f" as '{self.renamed}'" if self.renamed != self.system else "")

    @property
    def towards_worse(self) -> float:
        """What turns a change of the value into harm: 1 where lower is better, −1 where higher is."""
        return -1.0 if self.old[0].higher_is_better else 1.0

    @property
    def baseline(self) -> float:
        """Mean of the baseline's values."""
        return math.fsum(score.value for score in self.old) / len(self.old)

    @property
    def candidate(self) -> float:
        """Mean of the candidate's values."""
        return math.fsum(score.value for score in self.new) / len(self.new)

    def require_comparable(self) -> None:
        """Refuse values that do not compare, whatever the question.

        Raises:
            UserError: signatures differ, a value is not finite, the limit has the wrong direction or is relative to a
                value near 0.
        """
        first, same = self.old[0], self.system == self.renamed
        for score in (*self.old, *self.new):
            if not math.isfinite(score.value):
                raise UserError(
                    f"{self.name}: its value is {score.value}, so there is nothing to compare; evaluate again"
                )
            if not comparable(first.signature, score.signature, same_system=same):
                why = explain_difference(first.signature, score.signature, compared_only=True)
                raise UserError(f"{self.name}: the two sides do not compare ({why}); evaluate both alike")
        if wrong := self.limit.wrong_direction(higher_is_better=first.higher_is_better):
            raise UserError(f"limit '{self.limit}': {wrong}")
        if self.limit.relative and (self.baseline == 0 or any(_reaches_zero(score) for score in self.old)):
            raise UserError(
                f"limit '{self.limit}': {self.name} is {self.baseline:.4g} in the baseline and its interval reaches 0, "
                "so a share of it means nothing; give the limit in the metric's unit"
            )

    def require_equal_n(self) -> None:
        """Refuse unequal numbers of clips under a metric whose expectation depends on them.

        Raises:
            UserError: they are unequal.
        """
        counts = sorted({score.n for score in (*self.old, *self.new)})
        if biased_in_n(self.metric) and len(counts) > 1:
            raise UserError(
                f"{self.name}: n is {' and '.join(map(str, counts))}, and its expectation depends on n; evaluate the "
                "same number of clips, or limit a metric that is unbiased in n"
            )

    def values(self, least_common: float) -> tuple[Float64, Float64]:
        """Return values per clip of each record on the common keys, (records, n) float64, baseline and candidate.

        Raises:
            UserError: a record has none, or too few keys are common.
        """
        keys = self._common([score.per_clip for score in (*self.old, *self.new)], least_common)
        old, new = (
            np.array([[score.per_clip[key] for key in keys] for score in side], np.float64)
            for side in (self.old, self.new)
        )
        return old, new

    def influences(self, least_common: float) -> tuple[Float64, Float64]:
        """Return the influence of each clip on the harm, of the system's (n,) and of the reference's (m,), float64.

        It is the difference of the clip's influences on the two values, each the mean over the side's records. A clip
        that only one side has changes only that side's value.

        Raises:
            UserError: a record has none, or too few keys are common.
        """
        self._common([score.influence for score in (*self.old, *self.new)], least_common)
        system, reference = (
            self.towards_worse
            * (_mean([getattr(s, field) for s in self.new], keys) - _mean([getattr(s, field) for s in self.old], keys))
            for field in ("influence", "reference_influence")
            for keys in [sorted({key for s in (*self.old, *self.new) for key in getattr(s, field)})]
        )
        return system, reference

    def _common(self, found: Sequence[ByKey], least: float) -> list[str]:
        """Return the keys that all have, sorted.

        Raises:
            UserError: a record has no values per clip, no key is common, or too few are.
        """
        if not all(found):
            raise UserError(
                f"{self.name}: a record has no values per clip, so nothing can be paired: the metric has none, "
                "or clips.parquet is missing, or `history prune` dropped them, or the record is an old one; evaluate "
                "again, or limit another metric"
            )
        common = set(found[0]).intersection(*found[1:])
        either = set(found[0]).union(*found[1:])
        if not common:
            raise UserError(f"{self.name}: the two sides have no query in common; evaluate both on the same queries")
        if len(common) < least * len(either):
            raise UserError(
                f"{self.name}: {len(common)} of {len(either)} queries ({100 * len(common) / len(either):.3g} %) were "
                f"answered by both sides, and the least is {100 * least:.3g} %; sample what is missing"
            )
        return sorted(common)


def _reaches_zero(score: Score) -> bool:
    return score.ci is not None and score.ci[0] <= 0 <= score.ci[1]


def _mean(sides: Sequence[ByKey], keys: Sequence[str]) -> Float64:
    """Return the mean over records of values by key, (keys,) float64; a missing key counts 0."""
    rows = np.array([[one.get(key, 0.0) for key in keys] for one in sides], np.float64)
    mean: Float64 = rows.mean(axis=0)
    return mean
