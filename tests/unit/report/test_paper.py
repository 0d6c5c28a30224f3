from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from unit.report.synthetic import Made, as_run, evaluation, results_of, score, simple

from clipsonic_eval.analysis.ablation import ablation
from clipsonic_eval.analysis.parts import sort
from clipsonic_eval.analysis.results import Results
from clipsonic_eval.errors import UserError
from clipsonic_eval.records import RunRecord
from clipsonic_eval.reporting import paper
from clipsonic_eval.reporting.build import PaperTable, ReportOptions, build
from clipsonic_eval.reporting.markup import Text, TextTable
from clipsonic_eval.study.catalogue import CLIPSONIC


def rows(table: TextTable) -> dict[str, dict[str, Text]]:
    """The cells by system and heading."""
    made = [dict(zip(table.heads, row, strict=True)) for _, section in table.sections() for row in section]
    return {row["System"].text: row for row in made}


@pytest.fixture(scope="module")
def study() -> Results:
    return results_of(*(evaluation(Made(seed=i, n=60)) for i in range(2)), catalogue=CLIPSONIC)


def seeds(values: dict[str, tuple[float, float]], **more: object) -> Results:
    """FAD of systems at two training seeds."""
    return results_of(
        *(
            RunRecord(
                "evaluate",
                tuple(score("fad", name, both[i], **more) for name, both in values.items()),
                tags={"train_seed": str(i)},
            )
            for i in range(2)
        )
    )


def test_the_spread_over_seeds_stands_behind_the_value_and_in_the_caption() -> None:
    made = paper.table(seeds({"A": (30.0, 32.0), "B": (40.0, 40.05)}), PaperTable())
    cells = rows(made)
    assert cells["A"]["FAD ↓"].text == "31.0 ± 1.4"  # 1.41: a leading 1 keeps a second digit
    assert cells["B"]["FAD ↓"].text == "40.02 ± 0.04"
    assert cells["A"]["FAD ↓"].small == ""
    assert made.caption.startswith("Mean ± standard deviation over 2 training seeds; n = 480 test clips.")


def test_an_interval_stands_in_brackets_and_rounds_its_value() -> None:
    found = results_of(RunRecord("evaluate", (
        score("fad", "A", 2.1234, ci=(1.47, 2.89)), score("clap_score", "A", 0.7537, ci=(0.742, 0.766)))))  # fmt: skip
    made = paper.table(found, PaperTable())
    cell = rows(made)["A"]
    assert (cell["FAD ↓"].text, cell["FAD ↓"].small) == ("2.1", "[1.5, 2.9]")  # half of it: 0.71
    assert (cell["CLAP score ↑"].text, cell["CLAP score ↑"].small) == ("0.754", "[0.742, 0.766]")  # half of it: 0.012
    assert made.caption.startswith("In brackets: 95 % interval over the n = 480 test clips.")
    assert any("interval: bootstrap-clip-percentile-2000" in note for note in made.notes)


def test_the_best_is_bold_and_what_is_not_worse_is_underlined() -> None:
    values = {("fad", "A"): 2.0, ("fad", "B"): 2.1, ("fad", "C"): 9.0, ("fad", "D"): 3.0}
    found = results_of(simple(values, {("fad", "A", "B"): (-0.1, 0.4), ("fad", "A", "C"): (-7.0, 0.001)}))
    made = paper.table(found, PaperTable())
    marks = {name: (row["FAD ↓"].bold, row["FAD ↓"].underline) for name, row in rows(made).items()}
    assert marks == {"A": (True, False), "B": (False, True), "C": (False, False), "D": (False, False)}
    assert "Not tested against the best in FAD: D." in made.notes
    assert any(note.startswith("Tests against the best (2 in the family") for note in made.notes)


def test_marks_are_among_the_rows_that_are_shown() -> None:
    values = {("fad", "A"): 2.0, ("fad", "B"): 3.0, ("fad", "C"): 9.0}
    tests = {("fad", "A", "B"): (-1.0, 0.001), ("fad", "B", "C"): (-6.0, 0.3)}
    made = paper.table(results_of(simple(values, tests)), PaperTable(systems=("B", "C")))
    assert list(rows(made)) == ["B", "C"]
    assert rows(made)["B"]["FAD ↓"].bold
    assert rows(made)["C"]["FAD ↓"].underline


def test_columns_come_in_the_order_that_is_asked_for(study: Results) -> None:
    made = paper.table(study, PaperTable(metrics=("class_accuracy", "fad")))
    assert made.heads == ("System", "Class accuracy ↑", "FAD ↓")


def test_every_column_has_its_signature_and_controls_a_section_of_their_own(study: Results) -> None:
    made = paper.table(study, PaperTable())
    assert all(any(note.startswith(f"{head}: `") for note in made.notes) for head in made.heads[1:])
    assert [title for title, _ in made.sections()][-1] == "controls"
    assert made.caption.endswith("controls excluded.")


def test_n_is_a_column_only_where_it_differs() -> None:
    alike = results_of(RunRecord("evaluate", (score("fad", "A", 1.0), score("fad", "B", 2.0))))
    assert "n" not in paper.table(alike, PaperTable()).heads
    apart = results_of(RunRecord("evaluate", (score("fad", "A", 1.0), score("fad", "B", 2.0, n=60))))
    made = paper.table(apart, PaperTable())
    assert made.heads[-1] == "n"
    assert any("n differs between rows of FAD (60 to 480)" in note for note in made.notes)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (PaperTable(metrics=("fda",)), "unknown metric of these runs 'fda'. Did you mean 'fad'?"),
        (PaperTable(systems=("iq",)), "unknown system of these runs 'iq'. Did you mean 'IQ'?"),
        (PaperTable(spread="sd"), "unknown spread 'sd'. Did you mean"),
        (PaperTable(spread="seeds"), "the runs are of one training seed"),
    ],
)
def test_what_the_runs_do_not_have_is_one_sentence(asked: PaperTable, message: str) -> None:
    with pytest.raises(UserError) as error:
        paper.table(results_of(evaluation(Made(n=20)), catalogue=CLIPSONIC), asked)
    assert str(error.value).startswith(message) or "unknown spread 'sd'" in str(error.value)


def test_a_value_without_an_interval_has_the_decimals_of_its_metric() -> None:
    found = results_of(RunRecord("evaluate", (replace(score("fad", "A", 2.1234), ci=None),)))
    assert rows(paper.table(found, PaperTable()))["A"]["FAD ↓"] == Text("2.12")


def test_the_same_records_give_the_same_bytes(tmp_path: Path) -> None:
    made = [evaluation(Made(seed=i, n=30)) for i in range(2)]
    options = ReportOptions(paper=PaperTable(siunitx=True))
    first = build(made, tmp_path / "a", options=options, catalogue=CLIPSONIC)
    again = build([tmp_path / "a/records"], tmp_path / "b", options=options, catalogue=CLIPSONIC)
    names = [name for name in first.files if name.endswith((".tex", ".csv", ".md")) and "/" not in name]
    assert [name for name in names if (first.out / name).read_bytes() != (again.out / name).read_bytes()] == []
    assert {"table.tex", "comparisons.tex"} <= set(names)


def test_seeds_that_agree_but_for_rounding_do_not_set_the_digits() -> None:
    cells = rows(paper.table(seeds({"A": (0.99583333333333, 0.99583333333334), "B": (2.0, 3.0)}), PaperTable()))
    assert cells["A"]["FAD ↓"].text == "1.00 ± 0.00"  # half of its interval: 0.055


def test_an_ablation_marks_the_best_value_of_each_system() -> None:
    runs = [
        as_run(simple({("fad", system): value}, steps=steps))
        for system, steps, value in (("PD", "5", 3.0), ("PD", "10", 2.0), ("ZS", "5", 9.0), ("ZS", "10", 8.0))
    ]
    made = paper.ablation(ablation(sort(runs), "steps"), PaperTable(), "steps")
    shown = {title: [(row[0].text, row[1].text, row[1].bold) for row in section] for title, section in made.sections()}
    assert shown == {
        "PD": [("5", "3.00", False), ("10", "2.00", True)],
        "ZS": [("5", "9.0", False), ("10", "8.0", True)],
    }
    assert made.heads == ("steps", "FAD ↓")
    assert made.caption.startswith("Over values of steps, all else alike.")


def test_an_ablation_over_test_sets_may_not_stand_in_one_column() -> None:
    runs = [
        as_run(
            RunRecord("evaluate", (score("fad", "PD", 2.0, signature=f"fad|ref:{name}|n:480"),), tags={"dataset": name})
        )
        for name in ("vggsound", "music")
    ]
    with pytest.raises(UserError, match=r"vggsound against music\) and may not stand in one"):
        paper.ablation(ablation(sort(runs, {"dataset": "music"}), "dataset"), PaperTable(), "dataset")
