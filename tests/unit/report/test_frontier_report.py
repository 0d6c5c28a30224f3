from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from frontier_grid import bench_record
from matplotlib.colors import to_hex

from clipsonic_eval.analysis.catalogue import Catalogue, SystemStyle
from clipsonic_eval.frontier.result import Frontier, frontier, join
from clipsonic_eval.records import RunRecord
from clipsonic_eval.reporting import frontier as report
from clipsonic_eval.reporting import frontier_figures, markup
from clipsonic_eval.reporting import frontier_rows as rows
from clipsonic_eval.reporting.figures import frontier as figure
from clipsonic_eval.reporting.figures import style
from clipsonic_eval.types import Finding, Score

CATALOGUE = Catalogue().completed(["A", "B"])
KEYS = [f"q{i}" for i in range(30)]
GRID = {  # label: (system, sampler, steps, seconds, CLAP score)
    "A1": ("A", "ddim", "5", 0.1, 0.30),
    "A2": ("A", "ddpm", "5", 0.2, 0.10),
    "A3": ("A", "ddim", "20", 0.4, 0.50),
    "B1": ("B", "ddim", "20", 0.8, 0.20),
}


def records() -> list[RunRecord]:
    found = []
    for label, (system, sampler, steps, seconds, value) in GRID.items():
        own = dict(zip(KEYS, value + np.random.default_rng(0).normal(0, 0.02, len(KEYS)), strict=True))
        ends = value - 0.01, value + 0.01
        score = Score("clap_score", label, value, ends, "bca", 30, 30, "", True, "clap_score|num:1|n:30", per_clip=own)
        tags = {"system": system, "sampler": sampler, "steps": steps}
        found.append(RunRecord("evaluate", (score,), systems={label: {}}, tags=tags, provenance={"processor": "CPU 9"}))
        found.append(bench_record(label, seconds, {}))
    return found


@pytest.fixture(scope="module")
def drawn() -> Frontier:
    return frontier(join(records())[0], "clap_score", n_boot=100)


def test_points_stand_in_a_section_per_system_the_quickest_first(drawn: Frontier) -> None:
    sections = dict(rows.table([drawn]).sections())
    assert {title: [row[1].text for row in own] for title, own in sections.items()} == {
        "A": ["5", "5", "20"],
        "B": ["20"],
    }
    assert rows.table([drawn]).heads == (
        "Sampler",
        "Steps",
        "Latency (s) ↓",
        "CLAP score ↑",
        "frontier of CLAP score",
    )


def test_points_on_the_frontier_are_bold_with_their_share_beside(drawn: Frontier) -> None:
    text = markup.markdown(rows.table([drawn]))
    assert "| **0.300** [0.290, 0.310] | **100 %** |" in text
    assert "| 0.100 [0.090, 0.110] | 0 % |" in text


def test_a_point_without_one_metric_has_a_dash_there(drawn: Frontier) -> None:
    fewer = replace(
        drawn,
        metric="fad",
        points=tuple(
            replace(p, scores={"fad": replace(p.scores["clap_score"], metric="fad")}) for p in drawn.points[:3]
        ),
        on=drawn.on[:3],
        share=drawn.share[:3],
        latency_ci=drawn.latency_ci[:3],
    )
    (row,) = dict(rows.table([drawn, fewer]).sections())["B"]
    assert [cell.text for cell in row[-2:]] == ["–", "–"]


def test_the_summary_names_the_points_of_the_frontier_only(drawn: Frontier) -> None:
    lines = rows.summary([drawn])
    assert lines[0] == "**CLAP score ↑**, of 4 points:"
    assert [line.partition(":")[0] for line in lines[2:-1]] == ["- A sampler ddim steps 5", "- A sampler ddim steps 20"]
    assert lines[2].endswith("on the frontier in 100 % of resamples")


def test_the_page_counts_alike_remarks_of_the_bench_once(tmp_path: Path, drawn: Frontier) -> None:
    found = records()
    for i, label in ((1, "A1"), (3, "A2")):
        remark = Finding("bench", "warning", (), f"other work took the processor {10 * i} times a second")
        found[i] = replace(found[i], findings={label: (remark,)})
    unsure = replace(drawn, approximate=("A1",))
    page = report.write([unsure], found, tmp_path, command="clipsonic-eval frontier …").read_text()
    assert "- CLAP score: at 1 of 4 points the influences of the clips predict a spread more than 10 % off" in page
    assert "- A1: other work took the processor 10 times a second (so or alike 2 of 4 cases)" in page
    assert "clipsonic-eval frontier …" in page
    assert "- processor: CPU 9" in page


def test_the_same_frontier_gives_the_same_files(tmp_path: Path, drawn: Frontier) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        report.write([drawn], records(), tmp_path / name)
    for path in (tmp_path / "a").glob("*.*"):
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


def test_a_panel_has_a_logarithmic_latency_round_ticks_and_a_step_line(drawn: Frontier) -> None:
    with style.look():
        made, caption = figure.draw([drawn], CATALOGUE)
    (axis,) = made.axes
    assert axis.get_xscale() == "log"
    assert [label.get_text() for label in axis.get_xticklabels()] == ["0.1", "0.2", "0.5"]
    (line,) = [one for one in axis.lines if one.get_drawstyle() == "steps-post"]
    assert np.allclose(line.get_ydata(), [0.3, 0.5, 0.5])
    assert line.get_xdata()[-1] == pytest.approx(axis.get_xlim()[1])
    assert caption.endswith("Labels: steps.")
    assert "4 points" in caption


def test_dominated_points_are_grey_and_those_of_the_frontier_filled_and_labelled(drawn: Frontier) -> None:
    with style.look():
        made, _ = figure.draw([drawn], CATALOGUE)
    (axis,) = made.axes
    marks = {round(line.get_ydata()[0], 2): line for line in axis.lines if line.get_marker() not in ("None", "")}
    assert to_hex(marks[0.1].get_color()) == to_hex(marks[0.2].get_color()) == "#bdbdbd"
    assert marks[0.3].get_markerfacecolor() == marks[0.3].get_color() != "#bdbdbd"
    assert marks[0.1].get_marker() != marks[0.3].get_marker()  # another sampler
    assert sorted(text.get_text() for text in axis.texts) == ["20", "5"]


def test_one_metric_takes_a_column_and_two_take_the_page(drawn: Frontier) -> None:
    with style.look():
        one, two = figure.draw([drawn], CATALOGUE)[0], figure.draw([drawn, drawn], CATALOGUE)[0]
    assert one.get_figwidth() == style.width(1)
    assert two.get_figwidth() == style.width(2)
    assert len(two.axes) == 2


def test_quality_stands_against_every_setting_that_is_a_number(tmp_path: Path, drawn: Frontier) -> None:
    found = frontier_figures.by_setting([drawn], records())
    assert list(found) == ["sampler", "steps"]
    values = {line.title: {v: scores[0].value for v, scores in line.scores.items()} for line in found["steps"]}
    assert values == {"A": {"5": 0.30, "20": 0.50}}  # of the other points none differ in the steps alone
    _, lines = frontier_figures.draw_all([drawn], records(), tmp_path, Catalogue(), "ieee")
    assert lines[0] == "![Metrics against steps](against-steps.png)"
    assert {path.name for path in tmp_path.glob("against*")} == {
        f"against-steps.{s}" for s in ("csv", "pdf", "png", "svg")
    }


def test_systems_have_the_colours_of_the_catalogue_in_every_figure(drawn: Frontier) -> None:
    catalogue = Catalogue(systems=(SystemStyle("A", colour="#123456"),)).completed(["A", "B"])
    with style.look():
        made, _ = figure.draw([drawn], catalogue)
    (axis,) = made.axes
    on = [o for o in axis.lines if o.get_marker() != "None" and o.get_markerfacecolor() == "#123456"]
    assert [round(o.get_xdata()[0], 1) for o in on] == [0.1, 0.4]  # the points of A on the frontier
