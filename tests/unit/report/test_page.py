"""The page of a report: what stands on it, in which order, and what does not."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from unit.report.synthetic import evaluation, gap_record, on_fad, results_of, simple

from clipsonic_eval import records
from clipsonic_eval.analysis.catalogue import Catalogue, Question, SystemStyle
from clipsonic_eval.analysis.results import Results
from clipsonic_eval.records import RunRecord
from clipsonic_eval.reporting import page
from clipsonic_eval.reporting.build import ReportOptions, build
from clipsonic_eval.reporting.report_tables import render_tables
from clipsonic_eval.study.catalogue import CLIPSONIC

MINE = {("fad", "mine"): 3.0, ("fad", "yours"): 5.0, ("fad", "real"): 1.0}
TESTS = {("fad", "mine", "yours"): (-2.0, 0.001)}


def page_of(found: Results, figures: dict[str, tuple[str, str]] | None = None, **words: str) -> str:
    shown, _ = render_tables(found)
    given = {"title": "A title", "command": "", **words}
    return page.readme(found, shown, figures or {}, title=given["title"], command=given["command"], left_out=())


def headings_of(text: str) -> list[str]:
    return re.findall(r"^## (.*)$", text, re.MULTILINE)


def test_the_page_of_anybodys_systems_speaks_of_no_other_systems() -> None:
    text = page_of(results_of(simple(MINE, TESTS)))
    assert headings_of(text) == [
        "Which systems differ?",
        "What do the numbers mean?",
        "What limits this?",
        "All paired comparisons",
        "Where the numbers come from",
    ]
    words = set(re.findall(r"[\w-]+", text))
    assert not words & {"IQ", "PD", "ZS", "SD", "mean-shift", "prior", "CLIP", "paper"}


def test_the_page_of_the_paper_asks_its_questions_in_their_order() -> None:
    levels = {"IQ": 2.0, "PD": 3.0, "ZS": 5.0}
    record = on_fad(levels, {("PD", "ZS"): 1e-4, ("IQ", "PD"): 1e-4})
    text = page_of(results_of(record, gap_record({}), catalogue=CLIPSONIC))
    assert headings_of(text)[:3] == [
        "Does the paper's ordering come out?",
        "How much of the modality gap does the prior close?",
        "What do other training seeds say?",
    ]
    assert text.splitlines()[2] == "**The ordering IQ ≥ PD > ZS holds on FAD.**"


def test_a_study_of_ones_own_brings_its_names_order_and_questions() -> None:
    def rule(results: Results) -> list[str]:
        best = min(results.table.scores, key=lambda s: s.value)
        return [f"{best.system} has the lowest FAD."]

    catalogue = Catalogue(
        name="ours",
        systems=(SystemStyle("yours", "what you did", "ours"), SystemStyle("mine", "what I did", "ours")),
        groups=("ours", ""),
        planned=(("yours", "mine"),),
        questions=(Question("Who wins?", (rule,)), Question("Nothing to say", (lambda _: [],))),
        headline=lambda _: "It works.",
    )
    text = page_of(results_of(simple(MINE, TESTS), catalogue=catalogue))
    assert headings_of(text) == ["Who wins?", "All paired comparisons", "Where the numbers come from"]
    assert "**It works.**" in text
    assert "- real has the lowest FAD." in text
    assert "- yours: what you did; mine: what I did" in text
    assert "| yours − mine | **+2.00**" in text
    assert text.index("| yours |") < text.index("| mine |")


def test_a_figure_stands_with_the_question_that_it_belongs_to() -> None:
    figures = {"gap": ("The gap", "A caption"), "metrics": ("Metrics", "Another"), "spectrograms": ("Sounds", "Third")}
    text = page_of(results_of(simple(MINE, TESTS), gap_record({})), figures)
    where = [text.index(part) for part in (
        "(figures/metrics.png)", "## How much of the modality gap", "![The gap](figures/gap.png)",
        "*A caption* ([PDF](figures/gap.pdf), [SVG]", "| Against the image embedding |", "## Spectrograms",
        "(figures/spectrograms.png)", "## All paired comparisons",
    )]  # fmt: skip
    assert where == sorted(where)


def test_every_table_links_its_files() -> None:
    text = page_of(results_of(simple(MINE, TESTS), gap_record({})))
    for name in ("table", "comparisons", "gap"):
        assert f"As files: [csv]({name}.csv), [tex]({name}.tex), [md]({name}.md)" in text


def test_the_command_is_printed_where_there_is_one() -> None:
    found = results_of(simple(MINE))
    assert "```\nmake it\n```" in page_of(found, command="make it")
    assert "```" not in page_of(found)


def test_pairs_stand_at_a_glance_and_every_comparison_in_its_files() -> None:
    values = {**MINE, ("kad", "mine"): 1.0, ("kad", "yours"): 2.0}
    text = page_of(results_of(simple(values, {**TESTS, ("kad", "mine", "yours"): (-1.0, 0.4)})))
    assert re.search(r"\| mine − yours \| \*\*−2.00\*\* \[−3.00, −1.00\] \| −1.0+ \[−2.0+, 0.0+\] \|", text)
    assert "2 differences with p" in text
    assert text.count("mine − yours") == 1


def test_the_comparisons_of_one_metric_are_shown_in_full() -> None:
    assert "p (Holm)" in page_of(results_of(simple(MINE, TESTS)))


def lines_of(*provenances: dict[str, object]) -> list[str]:
    runs = [replace(simple(MINE), provenance=p, tags={"train_seed": str(i)}) for i, p in enumerate(provenances)]
    return page.provenance(results_of(*runs).runs.all_runs)


def test_provenance_names_every_value_where_runs_differ() -> None:
    lines = lines_of(
        {"commit": "a" * 8, "python": "3.11", "packages": {"numpy": "2.0", "torch": "2.6"}, "created": "2026-01-02"},
        {"commit": "b" * 8, "python": "3.11", "packages": {"numpy": "2.1"}, "created": "2026-01-01"},
    )
    assert "2 run records: `r0`, `r1`" in lines
    assert "commit: aaaaaaaa, bbbbbbbb" in lines
    assert "Python: 3.11" in lines
    assert "packages: numpy 2.0/2.1, torch 2.6" in lines
    assert "made between 2026-01-01 and 2026-01-02" in lines


def test_uncommitted_changes_of_any_run_are_said() -> None:
    assert "some runs were made with uncommitted changes" in lines_of({}, {"uncommitted_changes": True})
    assert not any("uncommitted" in line for line in lines_of({}, {"uncommitted_changes": False}))


def test_a_report_is_made_of_records_in_memory(tmp_path: Path) -> None:
    result = build([simple(MINE, TESTS)], tmp_path / "report")
    on_disk = tmp_path / "run"
    records.write(simple(MINE, TESTS), on_disk)
    again = build([on_disk], tmp_path / "again")
    for name in ("table.csv", "comparisons.csv", "table.tex"):
        assert (result.out / name).read_bytes() == (again.out / name).read_bytes()
    assert records.read(result.out / "records" / "evaluate").scores == simple(MINE).scores


def test_records_in_memory_with_equal_tags_are_told_apart(tmp_path: Path) -> None:
    other = RunRecord("evaluate", simple({("clap_score", "mine"): 0.3}).scores)
    result = build([simple(MINE), other], tmp_path / "report", options=ReportOptions(keep_records=False))
    assert "FAD ↓ | CLAP score ↑" in (result.out / "table.md").read_text()
    assert "`evaluate`, `evaluate-2`" in (result.out / "README.md").read_text()


def test_what_clips_were_skipped_is_returned_by_run(tmp_path: Path) -> None:
    from unit.report.synthetic import Made

    result = build([evaluation(Made(n=20))], tmp_path / "report")
    assert list(result.skipped.values()) == [1]


@pytest.mark.parametrize("catalogue", [None, CLIPSONIC])
def test_a_report_of_another_catalogue_is_another_report(tmp_path: Path, catalogue: Catalogue | None) -> None:
    from clipsonic_eval.errors import UserError

    build([simple(MINE)], tmp_path / "report", catalogue=catalogue)
    with pytest.raises(UserError, match="catalogue"):
        build([simple(MINE)], tmp_path / "report", catalogue=None if catalogue else CLIPSONIC)
