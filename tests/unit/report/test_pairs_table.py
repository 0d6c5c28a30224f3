"""The table of paired differences at a glance, from made-up records."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

from clipsonic_eval.records import Comparison
from clipsonic_eval.reporting import markup, pairs


def compared(metric: str, difference: float, p: float, *, b: str = "ZS") -> Comparison:
    ends = (difference - 0.5, difference + 0.5)
    return Comparison(metric, "PD", b, difference, ends, p / 2, p, 480, "made-up", higher_is_better=metric != "fad")


FOUND = [compared("fad", -2.0, 0.01), compared("clap_score", 0.25, 0.2), compared("fad", 1.0, 0.3, b="IQ")]


def test_a_pair_is_a_row_and_a_metric_a_column_bold_where_significant() -> None:
    text = markup.markdown(pairs.table(FOUND))
    assert "| Pair | FAD ↓ | CLAP score ↑ |" in text
    assert "| PD − ZS | **−2.00** [−2.50, −1.50] | +0.250 [−0.250, 0.750] |" in text
    assert "| PD − IQ | +1.00 [0.50, 1.50] | – |" in text
    assert "over 480 test queries" in text
    assert "correction over all 3." in text


def test_seeds_are_counted_only_where_one_disagrees() -> None:
    agreed = replace(FOUND[0], by_seed={"0": -3.0, "1": -1.0})
    disputed = replace(FOUND[1], by_seed={"0": 0.6, "1": -0.1})
    text = markup.markdown(pairs.table([agreed, disputed]))
    assert "[−2.50, −1.50] |" in text
    assert "[−0.250, 0.750] 1/2 |" in text
    assert "training seeds" in text
    assert "training seeds" not in markup.markdown(pairs.table([agreed]))


def test_the_csv_has_every_number_of_a_pair_in_one_row() -> None:
    first, second = csv.DictReader(io.StringIO(pairs.to_csv(FOUND)))
    assert (first["a"], first["b"], second["b"]) == ("PD", "ZS", "IQ")
    assert float(first["fad"]) == -2.0
    assert float(first["fad_ci_low"]) == -2.5
    assert float(first["clap_score_p_holm"]) == 0.2
    assert second["clap_score"] == second["clap_score_ci_high"] == ""
