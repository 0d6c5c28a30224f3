"""Variances of listeners and clips from the answers of a smaller test, to plan a larger one by."""

from __future__ import annotations

from pathlib import Path

from clipsonic_eval.errors import UserError
from clipsonic_eval.listening import answers, opinions
from clipsonic_eval.listening.plan import read
from clipsonic_eval.stats.crossed import VarianceComponents


def pilot_variances(path: Path, plan_file: Path | None) -> VarianceComponents:
    """Return variances of listeners, clips and the rest in the answers of another test.

    Args:
        path: table of answers.
        plan_file: plan of that test.

    Raises:
        UserError: no plan, other answers, or no ratings among them.
    """
    if plan_file is None:
        raise UserError(f"{path}: give the plan of these answers with --pilot-plan")
    frozen = read(plan_file)
    return opinions.pilot_components(frozen, answers.read(path, frozen)[0])
