"""What listeners said, and what metrics say beside it, read back from the axes."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from unit.report.synthetic import as_run, score

from clipsonic_eval.analysis.catalogue import Catalogue
from clipsonic_eval.analysis.parts import sort
from clipsonic_eval.analysis.results import Results, analyse
from clipsonic_eval.listening.relation import relations
from clipsonic_eval.records import RunRecord
from clipsonic_eval.reporting import drawing, page
from clipsonic_eval.reporting.drawn.opinions import apart
from clipsonic_eval.reporting.figures import opinions, relation, style
from clipsonic_eval.types import Score

MOS = {"PD": 3.4, "ZS": 2.6, "IQ": 3.9, "mean-shift": 3.0, "real": 4.6}


@pytest.fixture(autouse=True)
def look() -> Iterator[None]:
    with style.look():
        yield


def said(metric: str = "mos-fidelity", **more: object) -> RunRecord:
    """A listening test in which one listener was excluded: without him, every opinion is 0.1 higher."""
    scores = []
    for i, (system, value) in enumerate(MOS.items()):
        clips = {f"q{q}": value + 0.2 * np.sin(q + i) for q in range(8)}
        everyone = {"all_listeners": value - 0.1, "all_listeners_low": value - 0.4, "all_listeners_high": value + 0.2}
        details = {"listeners": 11, "two_way_low": value - 0.3, "two_way_high": value + 0.3, **everyone}
        fields = {"per_clip": clips, "details": details, "n": 8, "unit": "mean opinion, 1 to 5", **more}
        scores.append(score(metric, system, value, **fields))
    return RunRecord("listening", tuple(scores))


def says() -> RunRecord:
    """An evaluation whose FAD orders the systems as the listeners do, real audio aside."""
    fad = [score("fad", system, 20.0 - 4 * value) for system, value in MOS.items()]
    return RunRecord("evaluate", tuple(replace(s, value=50.0) if s.system == "real" else s for s in fad))


def results() -> Results:
    return analyse(sort([as_run(said(), "heard"), as_run(says(), "run")]))


def line_at(axis: object, x: float) -> object:
    (found,) = (line for line in axis.lines if list(line.get_xdata()) == [x])  # type: ignore[attr-defined]
    return found


def test_filled_marks_are_of_the_kept_listeners_and_hollow_ones_of_all() -> None:
    catalogue = Catalogue().completed(MOS)
    figure, caption = opinions.draw(said(), catalogue)
    (axis,) = figure.axes
    names = [label.get_text() for label in axis.get_yticklabels()]
    assert names[-1] == "real"
    assert set(names) == set(MOS)
    for system, value in MOS.items():
        filled, hollow = line_at(axis, value), line_at(axis, value - 0.1)
        assert filled.get_markerfacecolor() == catalogue.style(system).colour
        assert hollow.get_markerfacecolor() == "white"
        assert filled.get_ydata()[0] < axis.get_yticks()[names.index(system)] < hollow.get_ydata()[0]
        assert filled.get_marker() == ("D" if system == "real" else "o")
    assert "11 listeners" in caption
    assert "hollow: of all listeners" in caption


def test_preferences_are_drawn_around_zero_and_without_exclusions_no_hollow_mark_is_there() -> None:
    figure, caption = opinions.draw(
        said("preference", unit="log-odds of being preferred", details={}), Catalogue().completed(MOS)
    )
    assert [list(line.get_xdata()) for line in figure.axes[0].lines].count([0.0, 0.0]) == 1
    assert not any(line.get_markerfacecolor() == "white" for line in figure.axes[0].lines)
    assert "log odds" in caption


def test_the_csv_has_every_interval_of_every_score() -> None:
    rows = list(csv.DictReader(io.StringIO(opinions.to_csv(said()))))
    assert [row["system"] for row in rows] == list(MOS)
    first = rows[0]
    assert float(first["two_way_high"]) == pytest.approx(3.7)
    assert float(first["all_listeners"]) == pytest.approx(3.3)
    assert float(first["all_listeners_low"]) == pytest.approx(3.0)
    assert (first["naive_low"], first["queries"], first["listeners"]) == ("", "8", "11")


def test_systems_stand_at_metric_and_opinion_and_controls_do_not() -> None:
    found = relations(said(), [says()], controls=["real"], n_boot=50)
    figure, caption = relation.draw(said(), says(), found, Catalogue().completed(MOS))
    (axis,) = figure.axes
    marks = {line.get_label(): (line.get_xdata()[0], line.get_ydata()[0]) for line in axis.lines}
    marks = {name: place for name, place in marks.items() if not name.startswith("_")}
    assert marks == {s: (pytest.approx(20 - 4 * v), v) for s, v in MOS.items() if s != "real"}
    assert "r, systems: 1.00" in axis.get_title()
    assert (axis.get_xlabel(), axis.get_ylabel()) == ("FAD ↓", "MOS fidelity ↑")
    assert "4 systems" in caption
    assert relation.to_csv(found).startswith("opinion,metric,over,r,low,high,rank,n\nmos-fidelity,fad,systems,")


def test_a_report_draws_opinions_apart_from_metrics() -> None:
    made = {figure.name: figure for figure in drawing.figures(results())}
    assert made["opinions"].draw is not None
    assert made["relation"].draw is not None
    metrics = made["metrics"].draw
    assert metrics is not None
    assert [axis.get_xlabel() for axis in metrics()[0].axes] == ["FAD ↓"]
    assert "mos-fidelity" not in made["metrics"].data()
    sections = page.outline(results(), (), ("opinions", "relation"))
    assert ("What did listeners say?", ("opinions", "relation")) in [(s.title, s.figures) for s in sections]


def test_without_listeners_nothing_is_drawn_and_without_metrics_nothing_is_related() -> None:
    only_metrics = analyse(sort([as_run(says(), "run")]))
    assert not {"opinions", "relation"} & {figure.name for figure in drawing.figures(only_metrics)}
    only_listeners = analyse(sort([as_run(said(), "heard")]))
    made = {figure.name: figure for figure in drawing.figures(only_listeners)}
    assert made["relation"].draw is None
    assert made["metrics"].draw is None
    assert made["metrics"].missing == ""


def test_opinions_and_metrics_come_apart_without_loss() -> None:
    scores: tuple[Score, ...] = (*said().scores, *says().scores)
    heard, measured = apart(replace(said(), scores=scores))
    assert (heard.scores, measured.scores) == (said().scores, says().scores)
