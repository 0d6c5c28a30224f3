"""One setting varied and nothing else: the runs of every system at two values or more, pooled over training seeds.

A setting is a tag of the runs (``guidance``, ``steps``, ``dataset``) or an entry on the cards of the systems
(``candidates``). The values of a system are compared as systems are, so that tables, tests and marks are the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from clipsonic_eval.analysis.best import against_best
from clipsonic_eval.analysis.catalogue import Catalogue, SystemStyle
from clipsonic_eval.analysis.results import Results, pool
from clipsonic_eval.analysis.runs import Run, Runs, number
from clipsonic_eval.errors import UserError
from clipsonic_eval.records import RunRecord

_SEED: Final = "train_seed"
_NAME: Final = "system"  # tag with the name of a system whose records name its settings too
_ON_CARDS: Final = ("guidance", "steps", "sampler", "candidates")

Place = tuple[Run, str]  # a run and the name of a system in it
Alike = tuple[str, tuple[tuple[str, str], ...]]  # a system, and its other settings and tags


def ablation(runs: Runs, setting: str) -> dict[str, Results]:
    """Return for each system, by its title, the scores and tests of the values of a setting.

    A title names what else distinguishes the runs of a system, where this is not alike for all.

    Args:
        runs: from :func:`clipsonic_eval.analysis.runs.sort`; all evaluations that have its selected tags count.
        setting: a tag, or an entry on the cards of the systems.

    Raises:
        UserError: no system was evaluated at two values with everything else alike.
    """
    found: dict[Alike, dict[str, list[Place]]] = {}
    for run in runs.evaluations:
        if all(run.tag(key) in ("", value) for key, value in runs.selected.items() if key != setting):
            for name in run.record.system_names:
                if value := _value(run, name, setting):
                    found.setdefault(_alike(run, name, setting), {}).setdefault(value, []).append((run, name))
    varied = {alike: values for alike, values in found.items() if len(values) > 1}
    if not varied:
        raise UserError(
            f"no system was evaluated at two values of '{setting}' with everything else alike; give the runs of each "
            f"value, with a tag {setting} (evaluate --tag {setting}=VALUE) or systems whose cards name it"
        )
    return dict(zip(_titles(list(varied)), map(_results, varied.values()), strict=True))


def _value(run: Run, system: str, setting: str) -> str:
    value = run.tag(setting) or run.record.systems.get(system, {}).get(setting)
    if isinstance(value, float):
        return f"{value:g}"
    return str(value) if isinstance(value, str | int) else ""


def _alike(run: Run, system: str, setting: str) -> Alike:
    """Return a system and everything else that distinguishes its runs."""
    tags = {key: str(value) for key, value in run.record.tags.items() if key not in (_SEED, _NAME, setting)}
    card = {key: value for key in _ON_CARDS if key not in (setting, *tags) and (value := _value(run, system, key))}
    return run.tag(_NAME) or system, tuple(sorted({**tags, **card}.items()))


def _results(places: Mapping[str, Sequence[Place]]) -> Results:
    values = sorted(places, key=lambda value: (number(value), value))
    made = [_renamed(run, system, value) for value in values for run, system in places[value]]
    catalogue = Catalogue(systems=tuple(map(SystemStyle, values)), groups=("",)).completed(values)
    table = pool(made, catalogue)
    scores = {(s.metric, s.system): s for s in table.scores}
    tests = against_best(made, scores, catalogue)
    return Results(runs=Runs(table=tuple(made)), catalogue=catalogue, table=table, against_best=tests)


def _titles(found: Sequence[Alike]) -> list[str]:
    """Return a title for each: the name of the system, and what not all of them share."""
    shared = set(found[0][1]).intersection(*(others for _, others in found))
    own = [", ".join(f"{key} {value}" for key, value in others if (key, value) not in shared) for _, others in found]
    return [f"{name} ({rest})" if rest else name for (name, _), rest in zip(found, own, strict=True)]


def _renamed(run: Run, system: str, name: str) -> Run:
    scores = tuple(replace(score, system=name) for score in run.record.scores if score.system == system)
    return Run(run.name, None, RunRecord("evaluate", scores, tags={_SEED: run.tag(_SEED)}))
