"""Accuracy class by class: the heat map and its sentence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import pytest
from unit.report.synthetic import results_of, score

from clipsonic_eval import class_shares
from clipsonic_eval.analysis.results import Results
from clipsonic_eval.records import RunRecord
from clipsonic_eval.reporting import summary
from clipsonic_eval.reporting.figures import classes as figure
from clipsonic_eval.reporting.figures import style
from clipsonic_eval.reporting.statements import classes
from clipsonic_eval.study.catalogue import CLIPSONIC

CLASS_OF = {"a": "dog", "b": "dog", "c": "bell", "d": "bell", "e": "rain"}


@pytest.fixture(autouse=True)
def look() -> Iterator[None]:
    with style.look():
        yield


def found(hits: Mapping[str, str], **tags: str) -> RunRecord:
    """A record in which each system answers the clips of CLASS_OF rightly (1) or wrongly (0)."""
    scores = [score("fad", name, 3.0) for name in hits]
    for name, bits in hits.items():
        values = {key: float(bit) for key, bit in zip(CLASS_OF, bits, strict=True)}
        mean = float(np.mean(list(values.values())))
        shares = class_shares.details(values, CLASS_OF)
        scores.append(score("class_accuracy", name, mean, n=5, per_clip=values, details=shares))
    return RunRecord("evaluate", tuple(scores), tags=tags)


def of(*records: RunRecord) -> Results:
    return results_of(*records, catalogue=CLIPSONIC)


def test_a_cell_is_the_share_of_its_class_in_percent_and_the_lowest_of_a_row_is_bold() -> None:
    results = of(found({"ZS": "01001", "IQ": "11101", "real": "11111", "noise": "00000"}))
    drawn, caption = figure.draw(results.table, results.catalogue)
    (axis,) = drawn.axes
    assert [t.get_text() for t in axis.get_yticklabels()] == ["IQ", "ZS", "real"]  # noise is at chance, not shown
    assert [t.get_text() for t in axis.get_xticklabels()] == ["bell", "dog", "rain"]
    cells = np.array([t.get_text() for t in axis.texts]).reshape(3, 3)
    assert cells.tolist() == [["50", "100", "100"], ["0", "50", "100"], ["100", "100", "100"]]
    bold = np.array([t.get_fontweight() == "bold" for t in axis.texts]).reshape(3, 3)
    assert bold.tolist() == [[True, False, False], [True, False, False], [False, False, False]]
    assert "n = 1–2 each" in caption


def test_shares_are_means_over_training_seeds() -> None:
    results = of(found({"IQ": "11111"}, train_seed="0"), found({"IQ": "01001"}, train_seed="1"))
    drawn, caption = figure.draw(results.table, results.catalogue)
    assert [t.get_text() for t in drawn.axes[0].texts] == ["50", "75", "100"]
    assert "means over 2 training seeds" in caption


def test_the_worst_class_of_every_system_is_named_with_its_n() -> None:
    results = of(found({"ZS": "01001", "IQ": "11101", "real": "11111"}))
    assert classes.read(results) == [
        "Class accuracy: the worst class is bell for IQ (0.50, n = 2) and bell for ZS (0.00, n = 2)."
    ]
    assert "Which classes are right?" in [question.title for question, _ in summary.answers(results)]


def test_metrics_without_classes_have_neither_heat_map_nor_sentence() -> None:
    results = of(RunRecord("evaluate", (score("fad", "IQ", 3.0), score("class_accuracy", "IQ", 0.5))))
    assert figure.by_metric(results.table, results.catalogue) == {}
    assert classes.read(results) == []


def test_more_classes_than_can_be_read_are_not_drawn() -> None:
    hits = {f"q{i}": 1.0 for i in range(50)}
    many = class_shares.details(hits, {key: f"class {key}" for key in hits})
    results = of(RunRecord("evaluate", (score("class_accuracy", "IQ", 1.0, details=many),)))
    assert figure.by_metric(results.table, results.catalogue) == {}
