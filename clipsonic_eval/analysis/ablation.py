"""An ablation: the values of one setting compared as systems are, so that tables, tests and marks are the same."""

from __future__ import annotations

from clipsonic_eval.analysis.best import against_best
from clipsonic_eval.analysis.catalogue import Catalogue, SystemStyle
from clipsonic_eval.analysis.parts import Runs
from clipsonic_eval.analysis.results import Results, at_value, pool
from clipsonic_eval.analysis.varied import Varied, varied
from clipsonic_eval.errors import UserError


def ablation(runs: Runs, setting: str) -> dict[str, Results]:
    """Return for each system, by its title, the scores and tests of the values of a setting.

    A title names what else distinguishes the runs of a system, where this is not alike for all.

    Args:
        runs: from :func:`clipsonic_eval.analysis.parts.sort`; all evaluations that have its selected tags count.
        setting: a tag, or an entry on the cards of the systems.

    Raises:
        UserError: no system was evaluated at two values with everything else alike.
    """
    others = {key: value for key, value in runs.selected.items() if key != setting}
    fitting = [r for r in runs.evaluations if all(r.tag(key) in ("", value) for key, value in others.items())]
    found = varied(fitting, setting)
    if not found:
        raise UserError(
            f"no system was evaluated at two values of '{setting}' with everything else alike; give the runs of each "
            f"value, with a tag {setting} (evaluate --tag {setting}=VALUE) or systems whose cards name it"
        )
    return {one.title: of_values(one) for one in found}


def of_values(one: Varied) -> Results:
    """Return the scores of a system at the values of a setting and the tests of the best against every other one.

    Args:
        one: of :func:`clipsonic_eval.analysis.varied.varied`.
    """
    made = [run for value in one.places for run in at_value(one, value, value)]
    catalogue = Catalogue(systems=tuple(map(SystemStyle, one.places)), groups=("",)).completed(one.places)
    table = pool(made, catalogue)
    scores = {(s.metric, s.system): s for s in table.scores}
    tests = against_best(made, scores, catalogue)
    return Results(runs=Runs(table=tuple(made)), catalogue=catalogue, table=table, against_best=tests)
