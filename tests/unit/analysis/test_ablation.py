from __future__ import annotations

import pytest
from unit.report.synthetic import as_run, score

from clipsonic_eval.analysis.ablation import ablation
from clipsonic_eval.analysis.parts import sort
from clipsonic_eval.errors import UserError
from clipsonic_eval.records import RunRecord


def run(system: str, value: float, /, *, card: dict[str, object] | None = None, **tags: str) -> RunRecord:
    """An evaluation of one system."""
    own = score("fad", system, value)
    per_clip = {f"q{i}": value / 10 + (i % 7) / 100 for i in range(30)}
    clap = score("clap_score", system, value / 10, n=30, per_clip=per_clip)
    return RunRecord("evaluate", (own, clap), systems={system: card or {}}, tags=tags)


def varied(setting: str, *records: RunRecord, select: dict[str, str] | None = None) -> dict[str, list[str]]:
    """The values of a setting by the title of the system."""
    found = ablation(sort([as_run(record) for record in records], select), setting)
    return {title: [style.name for style in one.catalogue.systems] for title, one in found.items()}


def test_values_become_rows_in_numerical_order() -> None:
    records = [run("PD", 3.0, steps=str(steps)) for steps in (20, 5, 10)]
    assert varied("steps", *records) == {"PD": ["5", "10", "20"]}


def test_a_setting_may_stand_on_the_cards_of_the_systems() -> None:
    records = [
        run("PD", value, card={"candidates": k, "guidance": 2.0}, train_seed=str(k))
        for k, value in ((1, 3.0), (4, 2.0))
    ]
    assert varied("candidates", *records) == {"PD": ["1", "4"]}


def card(**settings: object) -> dict[str, object]:
    """The card of a system with a prior, which knows the settings that it took from the system."""
    prior = {"weights": "p", "guidance": 1.0, "candidates": settings.get("candidates")}
    return {"model": {"weights": "m"}, "guidance": 3.0, "prior": prior, **settings}


def several(value: str, seed: int, cards: dict[str, dict[str, object]]) -> RunRecord:
    """One run of several systems."""
    scores = [score for name in cards for score in run(name, float(len(name)) + seed).scores]
    named = {name: {**one, "name": name, "card_hash": name} for name, one in cards.items()}
    return RunRecord("evaluate", tuple(scores), systems=named, tags={"dataset": value, "train_seed": str(seed)})


def test_systems_whose_cards_differ_in_the_setting_alone_are_one_system_of_several_values() -> None:
    cards = {
        "PD": card(candidates=1),
        "PD-best4": card(candidates=4),
        "SD": {**card(candidates=1), "model": {"weights": "other"}},
        "PD-guided": {**card(candidates=1), "guidance": 5.0},
    }
    records = [several("vggsound", seed, cards) for seed in (0, 1)]
    assert varied("candidates", *records) == {"PD": ["1", "4"]}
    found = ablation(sort([as_run(record) for record in records]), "candidates")["PD"]
    assert found.table["4", "fad"].by_seed == {"0": 8.0, "1": 9.0}
    assert varied("guidance", *records) == {"PD": ["3", "5"]}


def test_systems_that_differ_in_more_than_the_setting_stay_apart() -> None:
    same = {"PD": card(candidates=1), "PD-other-vocoder": {**card(candidates=4), "vocoder": "bigvgan"}}
    folders = {"PD": {"kind": "folder", "candidates": 1}, "ZS": {"kind": "folder", "candidates": 4}}
    for cards in (same, folders):
        with pytest.raises(UserError, match="no system was evaluated at two values of 'candidates'"):
            varied("candidates", several("a", 0, cards))


def test_seeds_of_one_value_are_pooled() -> None:
    records = [
        run("PD", 2.0 + steps + seed, steps=str(steps), train_seed=str(seed)) for steps in (1, 2) for seed in (0, 1)
    ]
    found = ablation(sort([as_run(record) for record in records]), "steps")["PD"]
    assert found.table["1", "fad"].by_seed == {"0": 3.0, "1": 4.0}
    assert found.table["2", "fad"].value == 4.5


def test_systems_and_their_other_settings_are_sections() -> None:
    records = [
        run(f"PD@{guidance}@{steps}", 3.0, system="PD", guidance=guidance, steps=steps)
        for guidance in ("1", "8")
        for steps in ("5", "10")
    ]
    assert varied("steps", *records, select={"guidance": "1"}) == {"PD": ["5", "10"]}
    chosen = varied("guidance", *records, select={"guidance": "1"})  # what the table shows does not hide the others
    assert chosen == {"PD (steps 5)": ["1", "8"], "PD (steps 10)": ["1", "8"]}


def test_every_value_is_tested_against_the_best_one() -> None:
    records = [run("PD", value, steps=steps) for steps, value in (("5", 1.0), ("10", 3.0))]
    found = ablation(sort([as_run(record) for record in records]), "steps")["PD"]
    (test,) = (c for c in found.against_best if c.metric == "clap_score")
    assert (test.a, test.b) == ("10", "5")
    assert test.significant


def test_what_was_never_varied_is_one_sentence() -> None:
    with pytest.raises(UserError, match="no system was evaluated at two values of 'steps' with everything else alike"):
        varied("steps", run("PD", 3.0, steps="5"), run("ZS", 4.0, steps="10"))
