"""One setting varied and nothing else: the runs of every system at two values or more, by value.

A setting is a tag of the runs (``guidance``, ``steps``, ``dataset``) or an entry on the cards of the systems
(``candidates``). Systems of two names are one system where their cards agree in everything but the setting.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from clipsonic_eval.analysis.runs import Run
from clipsonic_eval.analysis.tags import in_order, number
from clipsonic_eval.hashing import config_hash

NAME: Final = "system"  # tag with the name of a system whose records name its settings too
_SEED: Final = "train_seed"
_ON_CARDS: Final = ("guidance", "steps", "sampler", "candidates")
_OF_THE_RUN: Final = ("name", "seed", "card_hash")  # on a card: what another job of the same system may differ in

Place = tuple[Run, str]  # a run and the name of a system in it
_Alike = tuple[str, tuple[tuple[str, str], ...]]  # a system, and its other settings and tags


class Varied(NamedTuple):
    """A system at two values of a setting or more, everything else alike.

    Attributes:
        system: its name; the first one where its values have names of their own.
        title: the name, with what else distinguishes these runs from others of the system.
        places: runs and the name of the system in them, by value, in the order of numbers where they are numbers.
    """

    system: str
    title: str
    places: Mapping[str, Sequence[Place]]

    @property
    def all_places(self) -> list[Place]:
        """Those of all values."""
        return [place for places in self.places.values() for place in places]


def varied(runs: Iterable[Run], setting: str) -> list[Varied]:
    """Return every system that was evaluated at two values of a setting with everything else alike.

    Args:
        runs: evaluations.
        setting: a tag, or an entry on the cards of the systems.
    """
    runs = list(runs)
    names = _one_name(runs, setting)
    found: dict[_Alike, dict[str, list[Place]]] = {}
    for run in runs:
        for name in run.record.system_names:
            if value := _value(run, name, setting):
                alike = _alike(run, name, setting, names.get(name, name))
                found.setdefault(alike, {}).setdefault(value, []).append((run, name))
    systems = list(dict.fromkeys(name for name, _ in found))
    ordered = sorted(found, key=lambda alike: (systems.index(alike[0]), [(number(v), v) for _, v in alike[1]]))
    several = {alike: found[alike] for alike in ordered if len(found[alike]) > 1}
    titles = _titles(list(several))
    return [
        Varied(alike[0], title, {value: values[value] for value in in_order(values)})
        for title, (alike, values) in zip(titles, several.items(), strict=True)
    ]


def _value(run: Run, system: str, setting: str) -> str:
    value = run.tag(setting) or run.record.systems.get(system, {}).get(setting)
    if isinstance(value, float):
        return f"{value:g}"
    return str(value) if isinstance(value, str | int) else ""


def _alike(run: Run, system: str, setting: str, name: str) -> _Alike:
    """Return a system and everything else that distinguishes its runs."""
    tags = {key: str(value) for key, value in run.record.tags.items() if key not in (_SEED, NAME, setting)}
    card = {key: value for key in _ON_CARDS if key not in (setting, *tags) and (value := _value(run, system, key))}
    return run.tag(NAME) or name, tuple(sorted({**tags, **card}.items()))


def _one_name(runs: Iterable[Run], setting: str) -> dict[str, str]:
    """Return one name for systems of one model whose cards differ in nothing but the setting, by each of their names.

    Only systems of the same run are compared, so that weights of other training seeds do not matter.
    """
    names: dict[str, str] = {}
    for run in runs:
        by_rest: dict[str, dict[str, str]] = {}
        for name in run.record.system_names:
            card = run.record.systems.get(name, {})
            if card.get("model") and setting in card and not run.tag(setting):
                rest = {key: value for key, value in card.items() if key not in _OF_THE_RUN}
                by_rest.setdefault(config_hash(_without(rest, setting, card[setting])), {})[name] = str(card[setting])
        for own in by_rest.values():
            if len(set(own.values())) == len(own):  # two systems of one value differ in something else
                names.update({name: names.get(next(iter(own)), next(iter(own))) for name in own})
    return names


def _without(tree: Any, setting: str, value: Any) -> Any:
    """Return nested mappings without a setting wherever it has this value."""
    if not isinstance(tree, Mapping):
        return tree
    return {k: _without(v, setting, value) for k, v in tree.items() if not (k == setting and v == value)}


def _titles(found: Sequence[_Alike]) -> list[str]:
    """Return a title for each: the name of the system, and what not all of them share."""
    shared = set(found[0][1]).intersection(*(others for _, others in found)) if found else set()
    own = [", ".join(f"{key} {value}" for key, value in others if (key, value) not in shared) for _, others in found]
    return [f"{name} ({rest})" if rest else name for (name, _), rest in zip(found, own, strict=True)]
