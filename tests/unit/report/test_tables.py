from __future__ import annotations

import csv
import io

import pytest
from unit.report.synthetic import as_run, gap_record, results_of, score, simple

from clipsonic_eval.analysis.best import best_systems
from clipsonic_eval.analysis.results import Results
from clipsonic_eval.errors import UserError
from clipsonic_eval.records import RunRecord
from clipsonic_eval.reporting import gap, markup, tables
from clipsonic_eval.reporting.markup import TextTable
from clipsonic_eval.study.catalogue import CLIPSONIC


def study(*records: RunRecord) -> Results:
    return results_of(*records, catalogue=CLIPSONIC)


def table_of(found: Results) -> TextTable:
    return tables.results(found.table, found.catalogue)


def csv_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def rows_of(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("| ")]


TWO_SEEDS = tuple(
    RunRecord(
        "evaluate",
        (
            score("fad", "ZS", 40.0 + i),
            score("clap_score", "ZS", zs, ci=(zs - 0.02, zs + 0.02)),
            score("fad", "PD", 30.0 + 2 * i),
            score("fad", "real", 2.5),
        ),
        tags={"train_seed": str(i)},
    )
    for i, zs in enumerate((0.40, 0.44))
)


def test_the_table_has_systems_in_order_the_best_in_bold_and_controls_apart() -> None:
    rows = rows_of(markup.markdown(table_of(study(*TWO_SEEDS))))
    assert rows == [
        "| System | FAD ↓ | CLAP score ↑ | n |",
        "| *text queries, no text–audio pairs* |  |  |  |",
        "| PD | **31.00 ± 1.41** [29.45, 32.55] | – | 480 |",
        "| ZS | 40.50 ± 0.71 [38.47, 42.53] | 0.420 ± 0.028 [0.400, 0.440] | 480 |",
        "| *controls* |  |  |  |",
        "| real | 2.50 [2.37, 2.63] | – | 480 |",
    ]


def test_every_column_has_its_signature() -> None:
    notes = table_of(study(*TWO_SEEDS)).notes
    assert any(n.startswith("FAD ↓: `fad|enc:toy-audio+1a2b3c4d|rate:16k") for n in notes)
    assert any(n.startswith("CLAP score ↑: `clap_score|enc:toy-clap") for n in notes)


def test_numbers_made_in_different_ways_do_not_meet_in_a_column() -> None:
    other = RunRecord("evaluate", (score("fad", "mine", 3.0, signature="fad|enc:vggish+00|rate:16k|n:480"),))
    with pytest.raises(
        UserError, match=r"fad of 'mine' and of 'ZS' .*\(encoder .*: vggish.* against toy-audio.*may not stand"
    ):
        table_of(study(TWO_SEEDS[0], other))


def test_a_differing_n_alone_may_stand_in_a_column_but_is_said() -> None:
    table = table_of(study(simple({("fad", "PD"): 3.0}), RunRecord("evaluate", (score("fad", "ZS", 4.0, n=60),))))
    assert any("n differs between rows of FAD (60 to 480)" in n for n in table.notes)


@pytest.mark.parametrize(
    ("metric", "bold"), [("fad/fadtk", False), ("fad_package", False), ("inception_score", False), ("kad", True)]
)
def test_nothing_is_bold_across_different_n_where_the_metric_depends_on_it(metric: str, bold: bool) -> None:
    """One population at n = 20 and 2,000 gives 1.609 and 0.145: the best is the largest set, not a system."""
    cells = study(RunRecord("evaluate", (score(metric, "A", 1.609, n=20), score(metric, "B", 0.145, n=2000))))
    table = table_of(cells)
    assert ("**" in markup.markdown(table)) == bold
    assert any("n differs" in note for note in table.notes) != bold
    assert any(row["best"] == "1" for row in csv_of(tables.results_csv(cells.table, cells.catalogue))) == bold
    alike = study(RunRecord("evaluate", (score(metric, "A", 1.609, n=20), score(metric, "B", 0.145, n=20))))
    assert "**" in markup.markdown(table_of(alike))


def test_equal_systems_share_no_bold() -> None:
    cells = study(simple({("fad", "A"): 3.0, ("fad", "B"): 3.0}))
    assert best_systems(cells.table.scores, cells.catalogue) == {}


def test_a_single_system_is_not_called_best() -> None:
    found = study(simple({("fad", "PD"): 3.0, ("fad", "real"): 1.0}))
    assert best_systems(found.table.scores, found.catalogue) == {}


def test_the_csv_has_every_seed() -> None:
    found = study(*TWO_SEEDS)
    rows = {(r["system"], r["metric"]): r for r in csv_of(tables.results_csv(found.table, found.catalogue))}
    pd = rows["PD", "fad"]
    assert pd["seed_values"] == "0=30;1=32"
    assert (float(pd["value"]), pd["n_seeds"], pd["best"], pd["direction"]) == (31.0, "2", "1", "lower")
    assert rows["real", "fad"]["best"] == "0"


def test_unknown_metrics_and_systems_find_a_place() -> None:
    values = {("their_metric", "my_system"): 1.0, ("their_metric", "PD-best16"): 2.0, ("fad", "my_system"): 3.0}
    table = table_of(study(simple(values)))
    assert table.heads[1:3] == ("their metric ↑", "FAD ↓")  # in the order of the run
    assert [title for title, _ in table.sections()] == ["text queries, no text–audio pairs", "other systems"]
    assert any("PD-best16: best of 16 draws" in n for n in table.notes)


def test_comparisons_show_difference_seeds_and_corrected_p() -> None:
    runs = []
    for i in range(2):
        values = {("fad", "PD"): 20.0 + i, ("fad", "ZS"): 30.0}
        runs.append(as_run(simple(values, {("fad", "PD", "ZS"): (-10.0 + i, 0.01)}, train_seed=f"{i}")))
    table = tables.comparisons(study(*(run.record for run in runs)).table.comparisons)
    row = rows_of(markup.markdown(table))[-1]
    assert row == "| PD − ZS | **−9.50** [−10.50, −8.50] | −10.00, −9.00 | 0.010 | **0.010** | – | 480 |"
    assert "over the 1 row;" in table.caption


def test_the_gap_table_has_conditions_in_columns_raw_and_centred() -> None:
    found = study(gap_record({}))
    assert found.gap is not None
    rows = rows_of(markup.markdown(gap.table(found.gap, found.catalogue)))
    assert rows[0] == "| Against the image embedding | text (ZS) | mean-shift | PD | PD-best4 |"
    assert rows[1].startswith("| Centroid distance ↓ | 0.840 [0.820, 0.860] | 0.020 ")
    assert rows[2] == "| – share of the gap closed | – | 98 % [95, 101] | 89 % [86, 92] | 89 % [86, 92] |"
    assert "| Matched cosine, centred ↑ | 0.410 [0.390, 0.430] | 0.410" in rows[5]
    assert rows[7].startswith("| Cosine within | 0.490")


def test_a_gap_run_without_a_prior_still_gives_a_table() -> None:
    found = results_of(gap_record({}, {"text": (0.84, 0.3, 0.4)}))
    assert found.gap is not None
    assert gap.table(found.gap, found.catalogue).heads == ("Against the image embedding", "text")


def test_systems_are_ranked_with_their_unanswered_queries_counted() -> None:
    """A drops its hard queries: its mean over the others is the better one, and it is not the best for it."""
    left = {"asked": 480.0, "unanswered": 80.0, "value_with_unanswered": 0.5}
    scores = (score("class_accuracy", "A", 0.6, n=400, details=left), score("class_accuracy", "B", 0.55))
    cells = study(RunRecord("evaluate", scores))
    assert best_systems(cells.table.scores, cells.catalogue) == {"class_accuracy": "B"}
    assert cells.table["A", "class_accuracy"].value == 0.6
