"""A run record in a notebook: scores by name, data frames, what it shows of itself."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from clipsonic_eval.errors import UserError
from clipsonic_eval.records import Comparison, RunRecord
from clipsonic_eval.types import WITH_UNANSWERED, Finding, Score, Skip


def score(metric: str, system: str, value: float, ci: tuple[float, float] | None = None, **more: object) -> Score:
    own = {"unit": "cosine", "higher_is_better": metric != "fad", "signature": f"{metric}|n:50", "n": 50, "n_rows": 50}
    return Score(metric, system, value, ci, "bootstrap", **{**own, **more})  # type: ignore[arg-type]


FAD = score("fad", "PD", 5.312, (4.9, 6.1), influence={"a": 0.5, "b": -0.5})
CLAP = score("clap_score", "PD", 0.3124, (0.3011, 0.3243), per_clip={"a": 0.3, "b": 0.32}, n=48)
OTHER = score("fad", "ZS", 7.1, (6.0, 8.8), details={WITH_UNANSWERED: 8.0})
TEST = Comparison("fad", "PD", "ZS", -1.8, (-2.5, -0.9), 0.001, 0.002, 50, "swaps-10000", higher_is_better=False)
RUN = RunRecord(
    "evaluate",
    (FAD, CLAP, OTHER),
    (TEST,),
    skipped={"ZS": (Skip("c", "silent"),)},
    findings={
        "ZS": (Finding("clipping", "warning", ("a",), "one clip <clips>"), Finding("world", "error", (), "toy encoder"))
    },
)
EMPTY = RunRecord("evaluate", ())


def test_a_score_is_found_by_system_and_metric() -> None:
    assert RUN["PD", "fad"] is FAD
    assert float(RUN["ZS", "fad"]) == 7.1


@pytest.mark.parametrize(
    ("names", "why"),
    [
        (("fad", "PD"), r"'fad' is a metric and 'PD' a system; write run\['PD', 'fad'\]"),
        (("pd", "fad"), r"unknown system 'pd'\. Did you mean 'PD'\? Known: PD, ZS"),
        (("ZS", "clap_score"), "unknown metric of system 'ZS' 'clap_score'.* Known: fad"),
        (("PD", "clapscore"), "Did you mean 'clap_score'"),
        ("fad", r"write run\[system, metric\], e.g. run\['PD', 'fad'\]"),
        (("PD", "fad", "x"), "names no score"),
    ],
)
def test_a_score_that_is_not_there_is_answered_with_those_that_are(names: object, why: str) -> None:
    with pytest.raises(UserError, match=why):
        RUN[names]  # type: ignore[index]


def test_an_empty_run_says_so() -> None:
    with pytest.raises(UserError, match="Known: none"):
        EMPTY["PD", "fad"]
    assert repr(EMPTY) == "RunRecord(evaluate: empty)"
    assert EMPTY.to_frame().empty
    assert EMPTY.table().empty
    assert list(EMPTY.comparisons_frame().columns)[:3] == ["metric", "a", "b"]


def test_the_long_frame_has_a_row_per_score_with_all_that_makes_it_trustworthy() -> None:
    frame = RUN.to_frame()
    assert list(zip(frame["metric"], frame["system"], strict=True)) == [
        ("fad", "PD"),
        ("clap_score", "PD"),
        ("fad", "ZS"),
    ]
    first = frame.iloc[0]
    assert (first["value"], first["low"], first["high"]) == (5.312, 4.9, 6.1)
    assert first["direction"] == "lower is better"
    assert first["signature"] == "fad|n:50"
    assert {"ci_method", "ci_level", "n", "n_rows", "unit", "seed"} <= set(frame.columns)
    assert frame["with_unanswered"].isna().tolist() == [True, True, False]


def test_a_score_without_interval_has_empty_ends() -> None:
    frame = RunRecord("gap", (score("separability", "text", 0.5),)).to_frame()
    assert math.isnan(frame["low"][0])


def test_the_table_has_systems_as_rows_and_metrics_with_their_direction_as_columns() -> None:
    table = RUN.table()
    assert list(table.index) == ["PD", "ZS"]
    assert list(table.columns) == ["fad ↓", "clap_score ↑", "n"]
    assert table.loc["PD", "fad ↓"] == "5.3 [4.9, 6.1]"
    assert table.loc["ZS", "fad ↓"] == "7.1 [6.0, 8.8]"
    assert table.loc["PD", "clap_score ↑"] == "0.312 [0.301, 0.324]"
    assert table.loc["ZS", "clap_score ↑"] == "–"
    assert list(table["n"]) == ["48–50", "50"]


def test_a_column_has_the_decimals_of_its_narrowest_interval() -> None:
    narrow = replace(OTHER, ci=(7.05, 7.13))
    assert list(RunRecord("evaluate", (FAD, narrow)).table()["fad ↓"]) == [
        "5.312 [4.900, 6.100]",
        "7.100 [7.050, 7.130]",
    ]


def test_values_and_influences_of_single_clips_share_a_frame() -> None:
    frame = RUN.per_clip_frame()
    assert frame[frame["metric"] == "clap_score"]["value"].tolist() == [0.3, 0.32]
    of_fad = frame[frame["metric"] == "fad"]
    assert of_fad["influence"].sum() == 0
    assert of_fad["value"].isna().all()


def test_paired_tests_findings_and_skips_have_frames() -> None:
    tests = RUN.comparisons_frame()
    assert tests.loc[0, ["a", "b", "p_holm", "low"]].tolist() == ["PD", "ZS", 0.002, -2.5]
    assert RUN.findings_frame()["severity"].tolist() == ["warning", "error"]
    assert RUN.skipped_frame().values.tolist() == [["ZS", "c", "silent"]]


def test_a_run_shows_in_one_line_what_it_holds() -> None:
    assert repr(RUN) == "RunRecord(evaluate: 2 systems, 2 metrics, 1 comparison, 1 error, 1 warning, 1 skipped)"


def test_a_run_in_a_notebook_shows_scores_tests_and_problems_errors_first() -> None:
    shown = RUN._repr_html_()
    assert "5.3 [4.9, 6.1]" in shown
    assert "swaps-10000" in shown
    assert "one clip &lt;clips&gt;" in shown
    assert shown.index("error ZS: toy encoder") < shown.index("warning ZS")
    assert "<ul>" not in EMPTY._repr_html_()
