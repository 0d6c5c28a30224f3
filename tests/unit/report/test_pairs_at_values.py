"""The table of planned pairs at every value of a setting, from made-up records."""

from __future__ import annotations

import csv
import io

from clipsonic_eval.analysis.results import Results
from clipsonic_eval.records import Comparison, RunRecord
from clipsonic_eval.reporting import markup, pairs_at_values
from clipsonic_eval.study.catalogue import CLIPSONIC


def compared(difference: float, *, b: str = "ZS", metric: str = "fad", p: float = 0.2) -> Comparison:
    ends = (difference - 0.5, difference + 0.5)
    return Comparison(metric, "PD", b, difference, ends, p / 2, p, 480, "made-up", higher_is_better=metric != "fad")


def results(**by_scale: list[Comparison]) -> Results:
    records = {float(scale[1:]): RunRecord("pooled", (), tuple(found)) for scale, found in by_scale.items()}
    return Results(by_scale=records, guidance_split="val")


def test_a_pair_has_a_row_with_its_difference_at_every_scale_bold_where_significant() -> None:
    found = results(w1=[compared(-1.0, p=0.01)], w2=[compared(0.25)], w4=[compared(2.0, p=0.04)])
    text = markup.markdown(pairs_at_values.table(found))
    assert "| Pair | guidance 1 | guidance 2 | guidance 4 |" in text
    assert "| PD − ZS | **−1.00** [−1.50, −0.50] | +0.25 [−0.25, 0.75] | **+2.00** [1.50, 2.50] |" in text
    assert "over 480 validation queries" in text


def test_sections_are_metrics_and_a_scale_without_the_test_is_empty() -> None:
    found = results(
        w1=[compared(1.0), compared(0.1, metric="clap_score")],
        w2=[compared(2.0), compared(0.2, metric="clap_score"), compared(3.0, b="IQ")],
        w4=[compared(0.3, metric="clap_score")],
    )
    text = markup.markdown(pairs_at_values.table(found))
    assert text.index("FAD ↓") < text.index("CLAP score ↑")
    assert "| PD − ZS | +1.00 [0.50, 1.50] | +2.00 [1.50, 2.50] | – |" in text
    assert "PD − IQ" not in text  # tested at one scale only: nothing to compare


def test_one_scale_or_no_tests_make_no_table() -> None:
    assert not pairs_at_values.pairs(results(w1=[compared(1.0)]))
    assert not pairs_at_values.pairs(results(w1=[], w2=[]))


def test_the_csv_file_has_a_row_per_scale() -> None:
    rows = list(csv.DictReader(io.StringIO(pairs_at_values.to_csv(results(w1=[compared(1.0)], w2=[compared(2.0)])))))
    assert [(row["guidance"], row["a"], row["b"], row["difference"]) for row in rows] == [
        ("1.0", "PD", "ZS", "1.0"),
        ("2.0", "PD", "ZS", "2.0"),
    ]


def test_another_setting_than_guidance_has_a_table_of_its_own() -> None:
    tests = {0.0: [compared(1.0, b="mean-shift")], 1.0: [compared(-2.0, b="mean-shift", p=0.01)]}
    found = Results(pairs_by_setting={"fraction": tests}, catalogue=CLIPSONIC)
    assert not pairs_at_values.pairs(found)
    shown = pairs_at_values.table(found, "fraction")
    text = markup.markdown(shown)
    assert "| Pair | fraction 0 | fraction 1 |" in text
    assert "| PD − mean-shift | +1.00 [0.50, 1.50] | **−2.00** [−2.50, −1.50] |" in text
    assert "at every fraction of the shift" in shown.caption
    assert shown.label == "tab:against-fraction"
    rows = list(csv.DictReader(io.StringIO(pairs_at_values.to_csv(found, "fraction"))))
    assert [(row["fraction"], row["difference"]) for row in rows] == [("0.0", "1.0"), ("1.0", "-2.0")]
