from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.history.series_of import of_rows, of_values, resigned, row, score

from clipsonic_eval.errors import UserError
from clipsonic_eval.history.series import Series, levels, trends
from clipsonic_eval.signature import identity

STEPPED = [5.1, 5.0, 4.9, 5.0, 5.1, 5.0, 7.1, 7.0, 6.9, 7.0]


def only(entries: Any, over: str = "commit", **asked: Any) -> Series:
    (series,) = trends(entries, over, **asked).series
    return series


def values(series: Series) -> list[list[float]]:
    return [[point.value for point in line.points] for line in series.lines]


def test_every_metric_of_every_system_is_a_series_by_metric() -> None:
    both = [score(1.0), score(2.0, system="ZS"), score(0.3, "clap_score"), score(0.2, "clap_score", "ZS")]
    found = trends(of_rows([row(i, both) for i in range(3)]))
    names = [("fad", "PD"), ("fad", "ZS"), ("clap_score", "PD"), ("clap_score", "ZS")]
    assert [(s.metric, s.system) for s in found.series] == names
    assert [s.newest.value for s in found.series] == [1.0, 2.0, 0.3, 0.2]
    few = trends(of_rows([row(0, both)]), metrics=["fad"], systems=["ZS"])
    assert [(s.metric, s.system) for s in few.series] == [("fad", "ZS")]


def test_change_points_stand_at_their_points_and_the_newest_two_are_too_new() -> None:
    (line,) = only(of_values(STEPPED)).lines
    assert line.fit is not None
    assert [(step.index, round(step.size, 2)) for step in line.fit.steps] == [(6, 1.98)]
    assert [point.too_new for point in line.points] == [False] * 8 + [True] * 2
    assert line.points[0].ci == (4.6, 5.6)


def test_another_signature_begins_another_line_and_is_named() -> None:
    rows = [row(i, [score(20.0 + i)]) for i in range(3)]
    rows += [row(i, [resigned(score(90.0 + i), "cov:n-1", "cov:n")]) for i in range(3, 6)]
    series = only(of_rows(rows))
    assert values(series) == [[20, 21, 22], [93, 94, 95]]
    assert [line.begins for line in series.lines] == ["", "divisor of the covariance: n-1 against n"]
    release = [row(i, [resigned(score(20.0), "v:0.1.0", f"v:0.{i}.0")]) for i in range(4)]
    assert len(only(of_rows(release)).lines) == 1


def test_two_conventions_side_by_side_are_two_whole_lines() -> None:
    rows = []
    for i in range(0, 8, 2):
        rows += [row(i, [score(20.0)]), row(i + 1, [resigned(score(90.0), "cov:n-1", "cov:n")], commit=f"{i:08x}")]
    series = only(of_rows(rows))
    assert values(series) == [[20.0] * 4, [90.0] * 4]


def test_machines_never_share_a_line() -> None:
    def bench(i: int, machine: str) -> tuple[dict[str, Any], list[Any]]:
        made = score(0.1 * (1 + i), "latency", signature=f"latency|num:1|machine:{machine}|batch:1|n:30|v:0.1.0")
        return row(i, [made], kind="bench")

    series = only(of_rows([bench(0, "a1"), bench(1, "b2"), bench(2, "a1"), bench(3, "b2")]))
    assert values(series) == [[pytest.approx(0.1), pytest.approx(0.3)], [pytest.approx(0.2), pytest.approx(0.4)]]
    assert "machine: a1 against b2" in series.lines[1].begins


def test_another_n_begins_a_line_only_where_the_metric_depends_on_it() -> None:
    def of(metric: str) -> Series:
        rows = [row(i, [score(1.0, metric, n=n)]) for i, n in enumerate((100, 100, 200))]
        return only(of_rows(rows))

    assert [line.begins for line in of("fad").lines] == ["", "number of clips: 100 against 200"]
    assert len(of("clap_score").lines) == 1


def test_splits_guidance_scales_and_kinds_are_lines_of_their_own() -> None:
    tags = [{"split": "val"}, {"split": "test"}, {"split": "val"}]
    series = only(of_values([1.0, 2.0, 3.0], [{"tags": t} for t in tags]))
    assert values(series) == [[1.0, 3.0], [2.0]]
    assert series.lines[1].begins == "split: val against test"
    assert values(only(of_values([1.0, 2.0], [{"kind": "evaluate"}, {"kind": "pooled"}]))) == [[1.0], [2.0]]


def test_training_seeds_of_a_commit_are_one_point_with_their_spread() -> None:
    abouts = [{"commit": "c" * 40, "tags": {"train_seed": str(k)}} for k in range(3)] + [{"commit": "d" * 40}]
    for over in ("commit", "date"):
        points = only(of_values([1.0, 2.0, 4.5, 9.0], abouts), over).lines[0].points
        assert [point.value for point in points] == [2.5, 9.0]
        assert points[0].spread == pytest.approx(np.std([1.0, 2.0, 4.5], ddof=1))
        assert points[0].ci == (2.0, 3.0)
        assert len(points[0].records) == 3
        assert points[1].spread is None


def test_the_spread_over_seeds_is_noise_that_no_step_is_below() -> None:
    rng = np.random.default_rng(0)
    abouts, found = [], []
    for i, level in enumerate(STEPPED):
        for k, off in enumerate((-4.0, 0.0, 4.0)):
            abouts.append({"commit": f"{i:040x}", "tags": {"train_seed": str(k)}})
            found.append(level + off + 0.01 * rng.standard_normal())
    (line,) = only(of_values(found, abouts)).lines
    assert line.fit is not None
    assert line.fit.steps == ()
    assert line.fit.noise == pytest.approx(4.0, rel=0.01)


def test_the_same_weights_make_any_difference_a_step() -> None:
    cards = [{"cards": {"PD": "aa"}}] * 4
    (line,) = only(of_values([3.0, 3.0, 3.01, 3.01], cards)).lines
    assert line.fit is not None
    assert [(step.index, step.exact) for step in line.fit.steps] == [(2, True)]
    (line,) = only(of_values([3.0, 3.0, 3.01, 3.01])).lines
    assert line.fit is not None
    assert line.fit.steps == ()


def test_durations_of_the_same_weights_differ_from_run_to_run() -> None:
    cards = [{"cards": {"PD": "aa"}, "kind": "bench"}] * 4
    (line,) = only(of_values([3.0, 3.0, 3.01, 3.01], cards)).lines
    assert line.fit is not None
    assert line.fit.steps == ()


def test_one_clip_more_or_less_is_within_the_rounding_of_a_share() -> None:
    hits = [12, 12, 13, 13, 13]
    rows = [row(i, [score(h / 24, "class_accuracy")]) for i, h in enumerate(hits)]
    (line,) = only(of_rows(rows)).lines
    assert line.fit is not None
    assert line.fit.steps == ()
    assert line.fit.noise is not None
    assert line.fit.noise >= 1 / (24 * np.sqrt(12))


def test_steps_are_ordered_as_numbers_and_have_no_change_points() -> None:
    found = trends(of_values([3.0, 1.0, 2.0], [{"tags": {"step": s}} for s in ("300", "1000", "20")]), "step")
    points = found.series[0].lines[0].points
    assert [(p.x, p.position, p.value) for p in points] == [("20", 20, 2.0), ("300", 300, 3.0), ("1000", 1000, 1.0)]
    assert found.series[0].lines[0].fit is None
    assert not any(p.too_new for p in points)
    assert "no change points are looked for over step" in found.notes[0]


def test_texts_of_a_tag_and_commits_stand_in_the_order_of_their_first_record() -> None:
    tags = [{"tags": {"release": name}} for name in ("rc-b", "rc-a", "rc-b")]
    points = only(of_values([1.0, 2.0, 3.0], tags), "release").lines[0].points
    assert [(p.x, p.value) for p in points] == [("rc-b", 2.0), ("rc-a", 2.0)]
    commits = [{"commit": c * 40} for c in "fae"]
    assert [p.x for p in only(of_values([1.0, 2.0, 3.0], commits)).lines[0].points] == ["f" * 8, "a" * 8, "e" * 8]


def test_records_without_a_place_are_counted_and_left_out() -> None:
    found = trends(of_values([1.0, 2.0, 3.0], [{}, {"commit": None}, {"commit": ""}]), "commit")
    assert "2 of 3 records have no commit and are left out" in found.notes
    assert values(found.series[0]) == [[1.0]]


def test_values_that_are_no_numbers_are_no_points_and_missing_intervals_stay_missing() -> None:
    rows = [row(0, [score(1.0, ci=None)]), row(1, [score(float("nan"))]), row(2, [score(2.0)])]
    points = only(of_rows(rows)).lines[0].points
    assert [(p.value, p.ci) for p in points] == [(1.0, None), (2.0, (1.5, 2.5))]


def test_one_point_is_a_series_too() -> None:
    found = trends(of_values([1.0]))
    assert found.series[0].newest.value == 1.0
    assert "1 of 1 lines are too short for change points" in found.notes[0]


def test_a_baseline_is_the_mean_of_its_records_where_they_compare() -> None:
    entries = of_values([1.0, 2.0, 6.0])
    known = levels(entries, [entries[0].hash, entries[2].hash])
    assert known == {("fad", "PD", identity(entries[0].scores[0].signature)): 3.5}


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"over": "stpe"}, "unknown tag 'stpe'. Did you mean 'step'? Known: commit, date, step"),
        ({"metrics": ["fda"]}, "unknown metric 'fda'. Did you mean 'fad'?"),
        ({"systems": ["pd"]}, "unknown system 'pd'. Did you mean 'PD'?"),
    ],
)
def test_names_that_are_not_there_are_refused_with_the_nearest(asked: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said.replace("?", r"\?").replace(".", r"\.")):
        trends(of_values([1.0], [{"tags": {"step": "1"}}]), **asked)


def test_axes_on_which_nothing_stands_are_refused() -> None:
    bare = of_values([1.0], [{"commit": None, "created": ""}])
    with pytest.raises(UserError, match="none of these 1 records says its commit; name a tag"):
        trends(bare, "commit")
    with pytest.raises(UserError, match="says its date"):
        trends(bare)
    with pytest.raises(UserError, match="no record has this tag, nor any other; use date or commit"):
        trends(bare, "step")
    both = of_rows([row(0, [score(1.0), score(2.0, "clap_score", "ZS")])])
    with pytest.raises(UserError, match="no record has a value of this metric for this system"):
        trends(both, metrics=["fad"], systems=["ZS"])


def test_direction_and_unit_come_from_the_scores() -> None:
    higher = dataclasses.replace(score(0.3, "clap_score"), higher_is_better=True, unit="cosine")
    series = only(of_rows([row(0, [higher])]))
    assert (series.unit, series.higher_is_better) == ("cosine", True)


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 3),  # commit
            st.sampled_from(["n-1", "n"]),
            st.sampled_from(["val", "test"]),
            st.floats(-10, 10, allow_nan=False),
        ),
        min_size=1,
        max_size=25,
    ),
    st.sampled_from(["date", "commit"]),
)
def test_every_value_stands_on_one_line_at_one_place(made: list[tuple[int, str, str, float]], over: str) -> None:
    rows = [
        row(i, [resigned(score(v), "cov:n-1", f"cov:{cov}")], commit=f"{c:040x}", tags={"split": split})
        for i, (c, cov, split, v) in enumerate(made)
    ]
    series = only(of_rows(rows), over)
    points = [point for line in series.lines for point in line.points]
    assert sorted(name for point in points for name in point.records) == [f"{i:032x}" for i in range(len(made))]
    for point in points:
        own = [made[int(name, 16)] for name in point.records]
        assert point.value == pytest.approx(np.mean([v for *_, v in own]), abs=1e-12)
        assert len({(cov, split) for _, cov, split, _ in own}) == 1
        assert over == "date" or len({c for c, *_ in own}) == 1
    for line in series.lines:
        places = [point.position for point in line.points]
        assert places == sorted(set(places))
    assert [bool(line.begins) for line in series.lines] == [False] + [True] * (len(series.lines) - 1)
