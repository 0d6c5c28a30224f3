from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from unit.history.series_of import of_rows, of_values, resigned, row, score

from clipsonic_eval.files import read_csv
from clipsonic_eval.history.series import levels, trends
from clipsonic_eval.reporting import history
from clipsonic_eval.reporting.figures import history as figures
from clipsonic_eval.reporting.figures import style
from clipsonic_eval.reporting.history_view import HistoryView

STEPPED = [5.1, 5.0, 4.9, 5.0, 5.1, 5.0, 7.1, 7.0, 6.9, 7.0]


@pytest.fixture
def view() -> HistoryView:
    entries = of_values(STEPPED)
    pins = {entries[2].hash: ("released", "paper")}
    return HistoryView(trends(entries, "commit"), pins, "released", levels(entries, [entries[2].hash]))


def test_the_terminal_shows_values_change_points_and_pins(view: HistoryView) -> None:
    lines = history.text(view, newest=20).splitlines()
    assert lines[0] == "FAD ↓ of PD (squared distance) over commit, 10 points"
    assert lines[3] == "  00000002  4.9 [4.4, 5.4]  ◆ released; ◆ paper"
    assert lines[7] == "  00000006  7.1 [6.6, 7.6]  change point: 5.0 → 7.0 (+2.0, worse)"
    assert [line.endswith("too new to tell") for line in lines[-2:]] == [True, True]


def test_few_points_are_the_newest(view: HistoryView) -> None:
    lines = history.text(view, newest=2).splitlines()
    assert lines[0] == "FAD ↓ of PD (squared distance) over commit, 10 points, the last 2 of them"
    assert [line.split()[0] for line in lines[1:]] == ["00000008", "00000009"]


def test_many_series_have_a_row_each_with_the_difference_from_the_baseline() -> None:
    scores = [score(20.0 + k, system=f"S{k}") for k in range(6)]
    entries = of_rows([row(i, scores) for i in range(2)])
    known = levels(of_values([18.0]), ["0" * 32])
    first = {(*key[:1], "S0", *key[2:]): value for key, value in known.items()}
    text = history.text(HistoryView(trends(entries), {}, "released", first), newest=20).splitlines()
    assert text[0].split() == ["metric", "system", "newest", "at", "points", "last", "change", "against", "released"]
    assert text[1].endswith("–            +2.0")
    assert text[2].endswith("–            –")
    assert len(text) == 9  # header, six systems, an empty line, a note


def test_quantities_of_bench_records_go_by_their_titles_and_units() -> None:
    rows = [row(i, [score(0.2, "stage_vocoder", unit="s")], kind="bench") for i in range(2)]
    assert history.text(HistoryView(trends(of_rows(rows))), 20).startswith("vocoder ↓ of PD (s) over date, 2 points")


def test_directions_decide_what_is_worse() -> None:
    rows = [row(i, [score(v, higher_is_better=True)]) for i, v in enumerate(STEPPED)]
    assert "(+2.0, better)" in history.text(HistoryView(trends(of_rows(rows))), newest=20)


def test_small_steps_within_wide_intervals_keep_their_digits() -> None:
    rows = [row(i, [score(v / 1000)]) for i, v in enumerate(STEPPED)]
    assert "(+0.001983, worse)" in history.text(HistoryView(trends(of_rows(rows))), newest=20)


def test_the_same_weights_with_another_number_are_said_to_be_so() -> None:
    entries = of_values([3.0, 3.0, 4.0, 4.0], [{"cards": {"PD": "aa"}}] * 4)
    assert "same weights, other number: 3.0 → 4.0 (+1.0, worse)" in history.text(HistoryView(trends(entries)), 20)


def test_runs_at_one_place_show_their_spread_and_new_lines_their_reason() -> None:
    one, two = score(20.0), resigned(score(30.0), "cov:n-1", "cov:n")
    abouts: list[dict[str, Any]] = [{"commit": "c" * 40, "tags": {"train_seed": str(k)}} for k in range(2)]
    entries = of_rows([*(row(i, [one], **about) for i, about in enumerate(abouts)), row(2, [two])])
    text = history.text(HistoryView(trends(entries, "commit")), newest=20)
    assert "2 runs ± 0.0" in text
    assert "not comparable with the line before (divisor of the covariance: n-1 against n)" in text


def test_json_holds_every_point_or_the_newest(view: HistoryView) -> None:
    (series,) = history.tree(view)["series"]
    (line,) = series["lines"]
    assert (series["metric"], series["direction"], line["baseline"]) == ("fad", "lower", 4.9)
    assert [point["value"] for point in line["points"]] == STEPPED
    assert [point["change"] for point in line["points"]][6] == pytest.approx(1.98, abs=0.01)
    assert line["points"][2]["pins"] == ["released", "paper"]
    assert line["noise"] == pytest.approx(0.08, abs=0.02)
    assert [p["value"] for p in history.tree(view, 3)["series"][0]["lines"][0]["points"]] == STEPPED[-3:]


def test_a_page_with_figure_and_csv_is_written(view: HistoryView, tmp_path: Path) -> None:
    page = history.write(view, tmp_path, "clipsonic-eval history show").read_text()
    assert "![history](history.png)" in page
    assert "change point: 5.0 → 7.0 (+2.0, worse) at 00000006 | +2.1 |" in page
    assert "FAD of PD: `fad|num:1|" in page
    rows = read_csv(tmp_path / "history.csv")
    assert [float(r["value"]) for r in rows] == STEPPED
    assert [r["too_new"] for r in rows] == ["False"] * 8 + ["True"] * 2
    assert rows[2]["pins"] == "released paper"
    assert (tmp_path / "history.pdf").stat().st_size > 4000


def test_the_figure_marks_steps_hollow_points_pins_and_the_baseline(view: HistoryView) -> None:
    with style.look():
        (axis,) = figures.draw(view, ["fad"], ["PD"]).axes
    texts = [text.get_text() for text in axis.texts]
    assert "+1.98" in texts
    assert "released, paper" in texts
    hollow = [line for line in axis.lines if line.get_marker() == "o" and line.get_markerfacecolor() == "white"]
    assert [list(line.get_xdata()) for line in hollow] == [[8.0, 9.0]]
    dotted = [line for line in axis.lines if line.get_linestyle() == ":"]
    assert [line.get_ydata()[0] for line in dotted] == [4.9]


@pytest.mark.parametrize("over", ["date", "commit", "step"])
def test_one_point_without_interval_is_drawn(over: str) -> None:
    entries = of_rows([row(0, [score(1.0, ci=None)], tags={"step": "7"})])
    with style.look():
        figure = figures.draw(HistoryView(trends(entries, over)), ["fad"], ["PD"])
        figure.draw_without_rendering()
    low, high = figure.axes[0].get_xlim()
    assert low < high


def test_more_systems_or_metrics_than_fit_are_more_figures(tmp_path: Path) -> None:
    scores = [score(1.0, metric, f"a system with a long name {k}") for metric in "abcd" for k in range(7)]
    stems = figures.write(HistoryView(trends(of_rows([row(0, scores)]))), tmp_path)
    assert stems == ["history", "history-2", "history-3", "history-4"]
    assert all((tmp_path / f"{stem}.png").exists() for stem in stems)


def test_a_long_line_has_a_band_and_a_missing_panel_stays_empty() -> None:
    rows = [row(i, [score(1.0 + i % 3), *([score(2.0, "kl", "ZS")] if i == 0 else [])]) for i in range(50)]
    with style.look():
        figure = figures.draw(HistoryView(trends(of_rows(rows), "commit")), ["fad", "kl"], ["PD", "ZS"])
    shown = [axis.axison for axis in figure.axes]
    assert shown == [True, False, False, True]
    assert len(figure.axes[0].collections) == 1
