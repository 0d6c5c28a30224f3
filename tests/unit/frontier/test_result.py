from __future__ import annotations

from dataclasses import replace
from typing import Any

import frontier_grid as made
import numpy as np
import pytest

from clipsonic_eval.errors import UserError
from clipsonic_eval.frontier.result import frontier, join, processes
from clipsonic_eval.records import RunRecord
from clipsonic_eval.types import Score

CARD = {"model": {"weights_sha256": "aa"}, "steps": 5, "precision": "fp32"}
KEYS = [f"q{i:02d}" for i in range(40)]


def quality(label: str, mean: float, card: dict[str, Any] = CARD, *, metric: str = "clap_score") -> RunRecord:
    values = dict(zip(KEYS, mean + np.random.default_rng(0).normal(0, 0.1, len(KEYS)), strict=True))
    value = float(np.mean(list(values.values())))
    signature = f"{metric}|num:1|n:{len(KEYS)}"
    score = Score(metric, label, value, None, "", len(KEYS), len(KEYS), "", True, signature, per_clip=values)
    return RunRecord("evaluate", (score,), systems={label: card}, tags={"system": label})


def cost(label: str, seconds: float, card: dict[str, Any] = CARD) -> RunRecord:
    return made.bench_record(label, seconds, card)


def test_higher_is_better_where_the_metric_says_so() -> None:
    records = [quality("slow", 0.5), cost("slow", 2.0), quality("quick", 0.3), cost("quick", 1.0)]
    records += [quality("bad", 0.2), cost("bad", 3.0)]
    drawn = frontier(join(records)[0], "clap_score", n_boot=100)
    assert dict(zip((p.label for p in drawn.points), drawn.share, strict=True)) == {"slow": 1, "quick": 1, "bad": 0}
    assert drawn.on == (True, True, False)


def test_the_same_records_give_the_same_frontier_in_any_order() -> None:
    records = [f(label, x) for i, label in enumerate("abc") for f, x in ((quality, 0.5), (cost, 1 + 0.01 * i))]
    one, other = (frontier(join(r)[0], "clap_score", n_boot=100) for r in (records, records[::-1]))
    shares = [dict(zip((p.label for p in drawn.points), drawn.share, strict=True)) for drawn in (one, other)]
    assert shares[0] == shares[1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"precision": "bf16"}, "precision is 'fp32' in one and 'bf16' in the other"),
        ({"model": {"weights_sha256": "bb"}}, "not of the same system, model is"),
        ({"steps": 6}, "steps is 5 in one and 6"),
        ({"precision": "auto"}, "precision auto takes another number format"),
    ],
)
def test_a_latency_of_other_weights_settings_or_number_format_is_refused(change: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        join([quality("a", 0.5), cost("a", 1.0, {**CARD, **change})])


def test_seeds_names_and_what_only_one_card_says_do_not_count() -> None:
    own = {**CARD, "seed": 1, "name": "x", "batch": 1, "normal": (1, 2)}
    points, _ = join([quality("a", 0.5, {**CARD, "seed": 0, "normal": [1, 2]}), cost("a", 1.0, own)])
    assert len(points) == 1


def test_latencies_of_two_machines_are_refused() -> None:
    other = cost("b", 1.0)
    moved = replace(other.scores[0], signature=other.scores[0].signature.replace("m1", "m2"))
    records = [quality("a", 0.5), cost("a", 1.0), quality("b", 0.5), replace(other, scores=(moved,))]
    with pytest.raises(UserError, match="latency of 'b' and of 'a' do not compare"):
        join(records)


def test_qualities_of_two_conventions_are_refused() -> None:
    other = quality("b", 0.5)
    moved = replace(other.scores[0], signature="clap_score|num:2|n:40")
    records = [quality("a", 0.5), cost("a", 1.0), replace(other, scores=(moved,)), cost("b", 1.0)]
    with pytest.raises(UserError, match="numerics of the metric"):
        frontier(join(records)[0], "clap_score")


def test_points_with_one_of_the_two_are_listed() -> None:
    points, missing = join([quality("a", 0.5), cost("b", 1.0), RunRecord("gap", ())])
    assert points == []
    assert [(m.key, m.reason) for m in missing] == [
        ("a", "no record of its latency"),
        ("b", "no record of its quality"),
    ]


def test_a_metric_without_values_of_clips_makes_no_frontier() -> None:
    bare = quality("a", 0.5)
    bare = replace(bare, scores=(replace(bare.scores[0], per_clip={}),))
    points, _ = join([bare, cost("a", 1.0)])
    with pytest.raises(UserError, match="keeps no values of clips for clap_score"):
        frontier(points, "clap_score")
    with pytest.raises(UserError, match="fad was not computed"):
        frontier(points, "fad")
    with pytest.raises(UserError, match="no system is both evaluated and timed in the records"):
        frontier([], "fad")


def test_durations_are_grouped_by_process() -> None:
    score = cost("a", 1.0).scores[0]
    found = processes(score)
    assert [len(rounds) for rounds in found] == [8, 8, 8]
    assert found[1].tolist() == [score.per_clip[f"p1/{r:06d}"] for r in range(8)]


def test_points_whose_influences_do_not_describe_their_interval_are_named() -> None:
    influence = dict(zip(KEYS, np.linspace(-1, 1, len(KEYS)) / 40, strict=True))
    error = float(np.sqrt(np.square(list(influence.values())).sum()))
    records = []
    for label, width in (("good", 1.0), ("bad", 1.5)):
        half = 1.96 * error * width
        score = Score("fad", label, 2.0, (2 - half, 2 + half), "x", 40, 40, "", False, "fad|n:40", influence=influence)
        records += [RunRecord("evaluate", (score,), systems={label: CARD}), cost(label, 1.0)]
    assert frontier(join(records)[0], "fad", n_boot=50).approximate == ("bad",)


def test_points_stand_in_the_order_in_which_they_were_timed() -> None:
    both = RunRecord("bench", (*cost("z", 1.0).scores, *cost("a", 2.0).scores), systems={"z": CARD, "a": CARD})
    points, _ = join([quality("a", 0.5), quality("z", 0.5), both])
    assert [point.label for point in points] == ["z", "a"]
