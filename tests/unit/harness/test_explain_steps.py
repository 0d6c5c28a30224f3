"""The steps between conventions: every way ends at its target, one field at a time, whatever the two are."""

from __future__ import annotations

import dataclasses
import itertools
import math
from typing import Any

import pytest

from clipsonic_eval.conventions import CONVENTIONS, Convention
from clipsonic_eval.errors import UserError
from clipsonic_eval.harness.explain import ExplainConfig, Step, explain, steps, steps_frame, table
from clipsonic_eval.media.preprocessing import AudioPreprocessing
from clipsonic_eval.types import Score

PAIRS = [
    pytest.param(a, b, id=f"{a} to {b}")
    for a, b in itertools.permutations(CONVENTIONS, 2)
    if a.partition("/")[0] == b.partition("/")[0]
]


def content(convention: Convention) -> dict[str, Any]:
    """Return what decides the numbers of a convention; without resampling the resampler decides nothing."""
    tree = dataclasses.asdict(convention)
    for words in ("name", "title", "source", "not_reproduced"):
        del tree[words]
    if tree["preprocessing"]["rate"] is None:
        del tree["preprocessing"]["resampler"]
    return tree


def score(value: float, system: str = "a", ci: tuple[float, float] | None = None) -> Score:
    return Score("fad", system, value, ci, "", 5, 5, "distance", higher_is_better=False, signature="fad|n:5")


@pytest.mark.parametrize(("start", "target"), PAIRS)
def test_a_way_ends_at_its_target(start: str, target: str) -> None:
    way = list(steps(CONVENTIONS[start], CONVENTIONS[target]))
    assert way[0][0] == "start"
    assert content(way[0][1]) == content(CONVENTIONS[start])
    assert content(way[-1][1]) == content(CONVENTIONS[target])


@pytest.mark.parametrize(("start", "target"), PAIRS)
def test_every_step_changes_something_and_is_named_after_it(start: str, target: str) -> None:
    way = list(steps(CONVENTIONS[start], CONVENTIONS[target]))
    changes = [change for change, _ in way]
    assert len(set(changes)) == len(changes)
    assert all(" → " in change for change in changes[1:])
    for (_, before), (_, after) in itertools.pairwise(way):
        assert dataclasses.asdict(before) != dataclasses.asdict(after)


def test_the_order_is_audio_encoder_precision_metric_scale() -> None:
    start = Convention("fad/a", "", "fad", "vggish")
    target = Convention(
        "fad/b", "", "fad_inf", "clap-laion", {"enable_fusion": True}, AudioPreprocessing(mono="first"), "float16", 2.0
    )
    assert [change.partition(":")[0] for change, _ in steps(start, target)] == [
        "start", "mono", "encoder", "store", "metric", "scale",
    ]  # fmt: skip


def test_the_table_says_what_moved_by_how_much_and_leaves_a_dash_for_what_was_not_computed() -> None:
    way = [
        Step("fad/b", "start", {"a": score(2.0), "b": score(4.0, "b")}),
        Step("fad/b", "mono: encoder → first", {"a": score(3.0)}),
        Step("fad/b", "scale: 1.0 → 100.0", {"a": score(300.0), "b": score(400.0, "b")}),
    ]
    lines = table(way).splitlines()
    assert lines[0] == "To fad/b:"
    assert [cell.strip() for cell in lines[2].strip("|").split("|")] == ["step", "a", "change", "b", "change"]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[4:7]]
    assert [row[2] for row in cells] == ["–", "+1 (+50.00 %)", "+297 (+9900.00 %)"]
    assert cells[1][3:] == ["–", "–"]
    assert cells[2][4] == "+396 (+9900.00 %)"  # against the last value that there was


def test_the_frame_has_no_change_at_the_start_of_each_way() -> None:
    pytest.importorskip("pandas")
    ways = [
        Step(target, change, {"a": score(value, ci=(value - 1, value + 1))})
        for target, values in {"fad/b": (1.0, 4.0), "fad/c": (1.0, 0.5)}.items()
        for change, value in zip(("start", "scale"), values, strict=True)
    ]
    frame = steps_frame([*ways, Step("fad/d", "start", {"a": score(7.0)})])
    assert frame["to"].tolist() == ["fad/b", "fad/b", "fad/c", "fad/c", "fad/d"]
    assert frame["change"].dropna().tolist() == [3.0, -0.5]
    assert frame["low"].tolist()[:4] == [0.0, 3.0, 0.0, -0.5]
    assert math.isnan(frame["low"].iloc[-1])


@pytest.mark.parametrize("given", ["weights", "encoders"])
def test_what_is_given_for_an_encoder_of_no_step_is_refused(given: str) -> None:
    config = ExplainConfig({"a": "wavs"}, ("fad/frechet-audio-distance",), "fad/clipsonic-eval")  # type: ignore[dict-item]
    encoders = None
    if given == "weights":
        config = dataclasses.replace(config, weights={"vgish": "w.pt"})
    else:
        encoders = {"vgish": object()}
    with pytest.raises(UserError, match=r"'vgish'\. Did you mean 'vggish'"):
        explain(config, None, encoders=encoders)  # type: ignore[arg-type]
