"""Every cell of every CSV file and LaTeX table against the record that it comes from."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import pytest
from unit.report.synthetic import GAPS, Made, evaluation, gap_record, on_fad, results_of, score, simple

from clipsonic_eval.analysis.best import best_systems
from clipsonic_eval.analysis.results import Results
from clipsonic_eval.records import Comparison, RunRecord
from clipsonic_eval.reporting import gap, markup, sweep, tables
from clipsonic_eval.study.catalogue import CLIPSONIC


@pytest.fixture(scope="module")
def study() -> Results:
    records = [evaluation(Made(seed, n=25)) for seed in range(2)]
    return results_of(*records, gap_record({"clip_variant": "toy-clip"}), catalogue=CLIPSONIC)


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_every_score_has_a_row_with_all_that_is_known_of_it(study: Results) -> None:
    rows = rows_of(tables.results_csv(study.table, study.catalogue))
    assert len(rows) == len(study.table.scores)
    best = best_systems(study.table.scores, study.catalogue)
    for row in rows:
        score_ = study.table[row["system"], row["metric"]]
        assert score_.ci is not None
        assert (float(row["value"]), float(row["ci_low"]), float(row["ci_high"])) == (score_.value, *score_.ci)
        assert (row["ci_level"], row["ci_method"]) == ("0.95", score_.ci_method)
        assert (row["n"], row["n_seeds"], row["unit"]) == ("25", str(len(score_.by_seed)), score_.unit)
        assert row["seed_std"] == ("" if score_.seed_std is None else str(score_.seed_std))
        assert row["direction"] == ("higher" if score_.higher_is_better else "lower")
        assert row["group"] == study.catalogue.style(score_.system).group
        assert row["best"] == str(int(best.get(score_.metric) == score_.system))
        assert row["signature"] == score_.signature


def test_the_rows_of_the_results_are_in_the_order_of_the_table(study: Results) -> None:
    rows = rows_of(tables.results_csv(study.table, study.catalogue))
    systems = list(dict.fromkeys(row["system"] for row in rows))
    assert systems == [s.name for s in study.catalogue.ordered(study.table.system_names)]
    assert systems[0] == "IQ"
    assert systems[-1] == "noise"


def test_every_comparison_has_a_row_with_all_that_is_known_of_it(study: Results) -> None:
    rows = rows_of(tables.comparisons_csv(study.table.comparisons))
    assert len(rows) == len(study.table.comparisons)
    for row, c in zip(rows, study.table.comparisons, strict=True):
        assert (row["metric"], row["a"], row["b"]) == (c.metric, c.a, c.b)
        assert (float(row["difference"]), float(row["p"]), float(row["p_holm"])) == (c.difference, c.p_value, c.p_holm)
        assert c.ci is not None
        assert (float(row["ci_low"]), float(row["ci_high"])) == c.ci
        assert row["effect_size"] == ("" if c.effect_size is None else str(c.effect_size))
        assert row["better"] == (c.a if c.gain > 0 else c.b)
        assert row["significant"] == str(int(c.p_holm < 0.05))
        assert (row["n"], row["n_seeds"], row["test"]) == (str(c.n), str(len(c.by_seed)), c.test)


def test_cells_for_people_are_the_values_rounded_to_the_decimals_of_the_metric(study: Results) -> None:
    table = tables.results(study.table, study.catalogue)
    shown = {row[0].text: dict(zip(table.heads, row, strict=True)) for _, rows in table.sections() for row in rows}
    fad, clap = study.table["PD", "fad"], study.table["PD", "clap_score"]
    assert fad.ci is not None
    assert shown["PD"]["FAD ↓"].text == f"{fad.value:.2f} ± {fad.seed_std:.2f}"
    assert shown["PD"]["FAD ↓"].small == f"[{fad.ci[0]:.2f}, {fad.ci[1]:.2f}]"
    assert shown["PD"]["CLAP score ↑"].text == f"{clap.value:.3f} ± {clap.seed_std:.3f}"
    assert shown["PD"]["n"].text == "25"


def test_one_system_of_each_column_is_bold_and_it_is_no_control(study: Results) -> None:
    table = tables.results(study.table, study.catalogue)
    bold = [(row[0].text, head) for _, rows in table.sections() for row in rows
            for head, cell in zip(table.heads, row, strict=True) if cell.bold]  # fmt: skip
    assert sorted(head for _, head in bold) == ["CLAP score ↑", "Class accuracy ↑", "FAD ↓"]
    assert not {system for system, _ in bold} & {"real", "real-mel", "retrieval", "noise", "shuffled"}


def test_significant_differences_are_bold_and_no_others(study: Results) -> None:
    table = tables.comparisons(study.table.comparisons)
    cells = [dict(zip(table.heads, row, strict=True)) for _, rows in table.sections() for row in rows]
    for cell, c in zip(cells, study.table.comparisons, strict=True):
        assert cell["Difference"].bold == cell["p (Holm)"].bold == c.significant
        assert cell["Pair"].text == f"{c.a} − {c.b}"
        assert not cell["p"].bold


def test_the_gap_has_a_row_per_statistic_and_condition(study: Results) -> None:
    assert study.gap is not None
    rows = {(r["condition"], r["metric"]): r for r in rows_of(gap.to_csv(study.gap, study.catalogue))}
    assert len(rows) == len(study.gap.scores)
    for condition, values in GAPS.items():
        for metric, value in zip(
            ("centroid_distance", "matched_cosine", "matched_cosine_centred"), values, strict=True
        ):
            assert float(rows[condition, metric]["value"]) == value
            assert float(rows[condition, metric]["ci_low"]) == pytest.approx(value - 0.02)


def test_a_sweep_has_a_row_per_variant_metric_and_pair() -> None:
    runs = []
    for width, gain in ((0.4, -5.0), (0.8, 6.0)):
        name = f"gap{width}"
        levels = {"PD": 30.0 - gain, "ZS": 30.0}
        runs.append(on_fad(levels, {("PD", "ZS"): 0.01}, clip_variant=name))
        runs.append(gap_record({"clip_variant": name}, {"text": (width, 0.3, 0.4)}))
    found = results_of(*runs, catalogue=CLIPSONIC)
    rows = rows_of(sweep.to_csv(found.sweep, found.catalogue.sweep))
    assert [(r["clip_variant"], r["metric"], r["a"], r["b"], float(r["gain"])) for r in rows] == [
        ("gap0.4", "fad", "PD", "ZS", -5.0),
        ("gap0.8", "fad", "PD", "ZS", 6.0),
    ]
    assert [float(r["centroid_distance"]) for r in rows] == [0.4, 0.8]
    assert [(float(r["gain_low"]), float(r["gain_high"])) for r in rows] == [(-6.0, -4.0), (5.0, 7.0)]
    table = sweep.table(found.sweep, found.catalogue.sweep)
    assert table.heads == ("CLIP variant", "Centroid distance", "PD over ZS")
    lines = markup.markdown(table).splitlines()
    assert "| gap0.8 | 0.800 [0.780, 0.820] | **+6.00** [5.00, 7.00] |" in lines


def test_a_metric_that_a_variant_lacks_is_a_dash() -> None:
    runs = []
    for name, width in (("x", 0.4), ("y", 0.8)):
        runs.append(on_fad({"PD": 20.0, "ZS": 30.0}, {("PD", "ZS"): 0.01}, clip_variant=name))
        runs.append(gap_record({"clip_variant": name}, {"text": (width, 0.3, 0.4)}))
    runs.append(on_fad({"PD": 0.5, "ZS": 0.4}, {("PD", "ZS"): 0.01}, "clap_score", clip_variant="y"))
    found = results_of(*runs, catalogue=CLIPSONIC)
    lines = markup.markdown(sweep.table(found.sweep, found.catalogue.sweep)).splitlines()
    clap = lines.index("| *CLAP score* |  |  |")
    assert lines[clap + 1].endswith("| – |")
    assert "**+0.100**" in lines[clap + 2]


@pytest.mark.parametrize(
    ("values", "bold"), [((3.0, 5.0), "a"), ((5.0, 3.0), "b"), ((3.0, 3.0), "")], ids=["first", "second", "equal"]
)
def test_the_best_is_the_lowest_distance(values: tuple[float, float], bold: str) -> None:
    found = results_of(simple({("fad", "a"): values[0], ("fad", "b"): values[1], ("fad", "real"): 0.1}))
    assert best_systems(found.table.scores, found.catalogue) == ({"fad": bold} if bold else {})


def test_a_score_without_an_interval_has_empty_ends() -> None:
    found = results_of(RunRecord("evaluate", (score("fad", "a", 3.0, ci=None),)))
    (row,) = rows_of(tables.results_csv(found.table, found.catalogue))
    assert (row["ci_low"], row["ci_high"]) == ("", "")
    assert "| a | 3.00 | 480 |" in markup.markdown(tables.results(found.table, found.catalogue)).splitlines()


def test_a_comparison_without_an_interval_has_empty_ends() -> None:
    c = Comparison("fad", "a", "b", 1.0, None, 0.2, 0.2, 9, "paired", higher_is_better=False)
    (row,) = rows_of(tables.comparisons_csv([replace(c, by_seed={"": 1.0})]))
    assert (row["ci_low"], row["ci_high"], row["effect_size"], row["better"]) == ("", "", "", "b")
