"""Tables of answers with the plan that they belong to: ours, and those of webMUSHRA, which need no plan."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from clipsonic_eval.errors import ConfigError
from clipsonic_eval.listening import answers, plan, webmushra
from clipsonic_eval.listening.answers import Answer
from clipsonic_eval.listening.plan import ListeningPlan
from clipsonic_eval.types import Skip


def read(
    path: Path, plan_file: Path | None, protocols: Sequence[str] = ()
) -> tuple[ListeningPlan, list[Answer], list[Skip]]:
    """Read a table of answers.

    Args:
        path: of the table.
        plan_file: ``plan.json`` of the test or its folder; None: the table is one of webMUSHRA.
        protocols: what the scales of webMUSHRA's ``lss.csv`` asked.

    Returns:
        (plan, answers, rows that were left out and why).

    Raises:
        ConfigError: no plan, and not a table of webMUSHRA.
        UserError: the table or the plan cannot be used.
    """
    if plan_file is not None:
        frozen = plan.read(plan_file)
        return frozen, *answers.read(path, frozen)
    if not webmushra.is_table(path):
        raise ConfigError(f"{path}: give the plan of these answers with --plan; only tables of webMUSHRA need none")
    return webmushra.read(path, protocols)
