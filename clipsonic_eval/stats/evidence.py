"""What data say about a change for the worse: estimate, one-sided limits, one-sided p-value."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Evidence:
    """An estimated change for the worse (harm) of one metric of one system, with its uncertainty.

    Attributes:
        harm: in the metric's unit; positive is worse, whatever the metric's direction.
        se: standard error of the harm, same unit.
        lower: lower end of the harm's one-sided 95 % interval.
        upper: upper end of the other one-sided 95 % interval.
        p_worse: one-sided p-value of the hypothesis that the harm is not positive.
        n: number of independent units behind the error term.
        unit: what they are: ``clips``, ``training seeds``, ``processes`` or ``rounds``.
        test: name of the test, e.g. ``paired-sign-flip-hall-10000``.
    """

    harm: float
    se: float
    lower: float
    upper: float
    p_worse: float
    n: int
    unit: str
    test: str
