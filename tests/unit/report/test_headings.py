"""What a metric is called comes from its card, also where a record names a convention or a metric of others."""

from __future__ import annotations

import pytest
from unit.report.synthetic import score

from clipsonic_eval.metric_cards import biased_in_n
from clipsonic_eval.metrics import METRICS
from clipsonic_eval.reporting import headings


@pytest.mark.parametrize("metric", list(METRICS))
def test_title_decimals_and_bias_are_those_of_the_card(metric: str) -> None:
    card = METRICS[metric].card
    assert headings.title(metric) == card.title
    assert headings.decimals(metric) == card.decimals
    assert biased_in_n(metric) == card.biased_in_n


def test_a_convention_goes_by_its_own_name_with_the_decimals_of_its_metric() -> None:
    assert headings.title("fad/fadtk") == "fad/fadtk"
    assert headings.decimals("fad/fadtk") == METRICS["fad"].card.decimals
    assert biased_in_n("fad/fadtk")


def test_a_metric_of_another_package_goes_by_its_name() -> None:
    assert headings.title("their_metric") == "their metric"
    assert headings.decimals("their_metric") == 3
    assert not biased_in_n("their_metric")


def test_halves_of_the_reference_depend_on_n_as_their_metric_does() -> None:
    assert biased_in_n("fad_halves")


@pytest.mark.parametrize(
    ("metric", "words"),
    [
        ("fad", "FAD"),
        ("clap_score", "CLAP score"),
        ("class_accuracy", "class accuracy"),
        ("kl_reverse", "KL, reversed"),
    ],
)
def test_acronyms_keep_their_capitals_within_a_sentence(metric: str, words: str) -> None:
    assert headings.in_text(metric) == words


def test_a_heading_points_in_the_better_direction() -> None:
    assert headings.heading(score("fad", "a", 1.0)) == "FAD ↓"
    assert headings.heading(score("clap_score", "a", 1.0)) == "CLAP score ↑"
