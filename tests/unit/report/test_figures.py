"""What is drawn, read back from the axes and held against the records."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from unit.report.synthetic import GAPS, gap_record, on_fad, results_of, score, simple, write_examples

from clipsonic_eval.analysis.catalogue import Catalogue
from clipsonic_eval.analysis.figure_data import Examples, examples
from clipsonic_eval.analysis.results import Results
from clipsonic_eval.analysis.runs import Run
from clipsonic_eval.errors import UserError
from clipsonic_eval.records import RunRecord
from clipsonic_eval.reporting import calibration, gate_simulations, simulations
from clipsonic_eval.reporting.figures import clip_variants, gap, guidance, spectrograms, style, systems
from clipsonic_eval.reporting.figures.venues import DEFAULT
from clipsonic_eval.study.catalogue import CLIPSONIC

VALUES = {
    ("fad", "a"): 3.0,
    ("fad", "b"): 5.0,
    ("fad", "real"): 1.0,
    ("fad", "noise"): 250.0,
    ("clap_score", "a"): 0.5,
    ("clap_score", "b"): 0.4,
}


@pytest.fixture(autouse=True)
def look() -> Iterator[None]:
    with style.look():
        yield


def points_of(axis: Any, marker: str) -> list[tuple[float, float]]:
    """Positions of the marks of one kind, in the order in which they were drawn."""
    return [
        (float(x), float(y))
        for line in axis.lines
        if line.get_marker() == marker
        for x, y in zip(*line.get_data(), strict=True)
    ]


def line_of(axis: Any, label: str) -> Any:
    return next(line for line in axis.lines if line.get_label() == label)


def rows_of(axis: Any) -> list[str]:
    return [label.get_text() for label in axis.get_yticklabels()]


# metrics by system


def drawn(record: RunRecord, catalogue: Catalogue | None = None) -> tuple[Figure, str, Results]:
    found = results_of(record, catalogue=catalogue)
    return *systems.draw(found.table, found.catalogue), found


def test_every_system_has_its_value_in_its_row_and_every_metric_a_panel() -> None:
    figure, _, _ = drawn(simple(VALUES))
    fad, clap = figure.axes
    assert rows_of(fad) == ["a", "b", "real", "noise"]
    assert points_of(fad, "o") == [(3.0, 0.0), (5.0, 1.0)]
    assert points_of(clap, "o") == [(0.5, 0.0), (0.4, 1.0)]
    assert [axis.get_xlabel() for axis in figure.axes] == ["FAD ↓", "CLAP score ↑"]


def test_controls_are_diamonds_in_a_section_of_their_own() -> None:
    figure, caption, _ = drawn(simple(VALUES))
    assert points_of(figure.axes[0], "D") == [(1.0, 2.5)]  # half a row further down
    assert "Diamonds: controls" in caption


def test_a_control_far_away_is_an_arrow_with_its_number_and_does_not_squeeze_the_rest() -> None:
    figure, _, _ = drawn(simple(VALUES))
    fad = figure.axes[0]
    assert [text.get_text() for text in fad.texts] == ["250 →"]
    assert fad.get_xlim()[1] < 10


def test_intervals_are_lines_from_end_to_end() -> None:
    record = RunRecord("evaluate", (score("fad", "a", 3.0, ci=(2.0, 4.5)), score("fad", "b", 6.0, ci=None)))
    figure, _, _ = drawn(record)
    lines = [line for line in figure.axes[0].lines if line.get_marker() == "None"]
    assert [list(line.get_xdata()) for line in lines] == [[2.0, 4.5]]
    assert [list(line.get_ydata()) for line in lines] == [[0.0, 0.0]]


def test_training_seeds_are_ticks_below_their_mean() -> None:
    found = results_of(*(simple({("fad", "a"): v}, train_seed=str(i)) for i, v in enumerate((2.0, 4.0, 9.0))))
    figure, caption = systems.draw(found.table, found.catalogue)
    assert points_of(figure.axes[0], "|") == [(2.0, 0.3), (4.0, 0.3), (9.0, 0.3)]
    assert points_of(figure.axes[0], "o") == [(5.0, 0.0)]
    assert "mean over 3 training seeds" in caption


def test_a_system_has_the_colour_of_its_catalogue_in_every_panel() -> None:
    figure, _, found = drawn(simple({("fad", "PD"): 1.0, ("clap_score", "PD"): 0.5}), CLIPSONIC)
    colours = {to_hex(line.get_color()) for axis in figure.axes for line in axis.lines}
    assert colours == {found.catalogue.style("PD").colour.lower()}


def test_one_metric_takes_one_column_of_a_page() -> None:
    one, _, _ = drawn(simple({("fad", "a"): 1.0}))
    two, _, _ = drawn(simple({("fad", "a"): 1.0, ("clap_score", "a"): 0.5}))
    assert (one.get_figwidth(), two.get_figwidth()) == (style.width(1), style.width(2))


# guidance


def guidance_of(values: Mapping[str, Mapping[str, float]], **chosen: float) -> tuple[Figure, str]:
    first = next(iter(values.values()))
    table = replace(on_fad(first, {}, split="test"), systems={name: {"guidance": w} for name, w in chosen.items()})
    sweep = [on_fad(levels, {}, split="val", guidance=scale) for scale, levels in values.items()]
    return guidance.draw(results_of(table, *sweep))


def test_each_system_is_a_line_over_the_guidance_scales() -> None:
    figure, caption = guidance_of({"1": {"a": 9.0, "b": 8.0}, "2": {"a": 5.0, "b": 6.0}, "4": {"a": 7.0, "b": 4.0}})
    (axis,) = figure.axes
    assert list(line_of(axis, "a").get_xdata()) == [1.0, 2.0, 4.0]
    assert list(line_of(axis, "a").get_ydata()) == [9.0, 5.0, 7.0]
    assert list(line_of(axis, "b").get_ydata()) == [8.0, 6.0, 4.0]
    assert axis.get_title() == "FAD ↓"
    assert "validation split, n = 480" in caption
    assert "Bands: 95 % interval" in caption


def test_the_band_of_a_line_runs_along_the_ends_of_its_intervals() -> None:
    figure, _ = guidance_of({"1": {"a": 9.0}, "2": {"a": 5.0}})
    (band,) = figure.axes[0].collections
    corners = {(float(x), round(float(y), 6)) for x, y in band.get_paths()[0].vertices}
    # ends of the synthetic intervals: value ± (5 % + 0.005)
    assert {(1.0, 8.545), (1.0, 9.455), (2.0, 4.745), (2.0, 5.255)} <= corners


def test_the_chosen_scale_wears_a_ring() -> None:
    figure, caption = guidance_of({"1": {"a": 9.0, "b": 8.0}, "2": {"a": 5.0, "b": 6.0}}, a=2.0, b=1.0)
    rings = [line for line in figure.axes[0].lines if line.get_markerfacecolor() == "none"]
    assert [(list(r.get_xdata()), list(r.get_ydata())) for r in rings] == [([2.0], [5.0]), ([1.0], [8.0])]
    assert caption.endswith("Rings: the scale chosen for the table.")


def test_many_systems_have_bars_next_to_each_other_instead_of_bands() -> None:
    levels = {name: 5.0 + i for i, name in enumerate("abcde")}
    figure, caption = guidance_of({"1": levels, "2": levels})
    (axis,) = figure.axes
    assert not axis.collections
    first = [line_of(axis, name).get_xdata()[0] for name in "abcde"]
    assert first == sorted(first)
    assert len(set(first)) == 5
    assert "Bars: 95 % interval" in caption


def on_one_network(names: str, chosen: float) -> dict[str, dict[str, Any]]:
    """Cards of systems that share a network, and of one that has its own."""
    cards = {name: {"guidance": chosen, "model": {"weights_sha256": "abc"}} for name in names}
    return {**cards, "alone": {"guidance": 2.0, "model": {"weights_sha256": "def"}}}


def test_systems_of_one_network_have_a_row_with_the_scale_of_the_network() -> None:
    levels = {"a": 5.0, "b": 6.0, "alone": 4.0}
    table = replace(on_fad(levels, {}, split="test"), systems=on_one_network("ab", 4.0))
    sweep = [on_fad(levels, {}, split="val", guidance=scale) for scale in ("2", "4")]
    figure, caption = guidance.draw(results_of(table, *sweep))
    shared, others = figure.axes
    assert [line.get_label() for line in shared.lines if line.get_label()[0] != "_"] == ["a", "b"]
    assert [line.get_label() for line in others.lines if line.get_label()[0] != "_"] == ["alone"]
    assert (shared.get_ylabel(), others.get_ylabel()) == ("one network", "a network each")
    (mark,) = [line for line in shared.lines if line.get_linestyle() == ":"]
    assert list(mark.get_xdata()) == [4.0, 4.0]
    assert not [line for line in others.lines if line.get_linestyle() == ":"]
    assert "Dotted: the scale of a network that several systems share." in caption


def test_a_system_that_was_tried_at_one_scale_only_and_controls_are_not_drawn() -> None:
    figure, _ = guidance_of({"1": {"a": 9.0, "b": 8.0, "noise": 50.0}, "2": {"a": 5.0, "noise": 50.0}})
    assert {line.get_label() for line in figure.axes[0].lines if line.get_marker() != "None"} == {"a"}


# modality gap


def test_points_of_the_gap_are_the_statistics_a_row_per_condition() -> None:
    found = results_of(gap_record({}), catalogue=CLIPSONIC)
    assert found.gap is not None
    figure, caption = gap.draw(found.gap, found.catalogue, None)
    distance, cosine = figure.axes
    order = ("text", "mean-shift", "PD", "PD-best4")
    assert rows_of(distance) == ["text (ZS)", "mean-shift", "PD", "PD-best4"]
    assert points_of(distance, "o") == [(GAPS[c][0], float(i)) for i, c in enumerate(order)]
    assert [x for x, _ in points_of(cosine, "o")] == [GAPS[c][k] for c in order for k in (1, 2)]
    assert "n = 480" in caption
    assert "principal components" not in caption


def test_what_text_gave_before_is_dotted() -> None:
    found = results_of(gap_record({}))
    assert found.gap is not None
    for axis, value in zip(gap.draw(found.gap, found.catalogue, None)[0].axes, (0.84, 0.33), strict=True):
        (before,) = [line for line in axis.lines if line.get_linestyle() == ":"]
        assert list(before.get_xdata()) == [value, value]


def test_centred_cosines_are_hollow_and_the_caption_says_so() -> None:
    found = results_of(gap_record({}))
    assert found.gap is not None
    figure, caption = gap.draw(found.gap, found.catalogue, None)
    marks = [line for line in figure.axes[1].lines if line.get_marker() == "o"]
    assert [line.get_markerfacecolor() == "white" for line in marks] == [False, True] * 4
    assert "hollow: centred" in caption


def test_text_and_image_look_like_the_systems_that_they_are_the_condition_of() -> None:
    found = results_of(on_fad({"IQ": 1.0, "ZS": 2.0}, {}), gap_record({}), catalogue=CLIPSONIC)
    assert found.gap is not None
    points = {name: np.zeros((3, 2), np.float32) for name in ("image", "text")}
    axis = gap.draw(found.gap, found.catalogue, points)[0].axes[-1]
    looks = [(to_hex(line.get_color()), line.get_marker()) for line in axis.lines[:2]]
    assert looks == [(found.catalogue.style(n).colour.lower(), found.catalogue.style(n).marker) for n in ("IQ", "ZS")]


def test_projected_embeddings_are_those_of_the_file_with_their_centroids() -> None:
    found = results_of(gap_record({}), catalogue=CLIPSONIC)
    assert found.gap is not None
    rng = np.random.default_rng(0)
    points = {name: rng.normal(size=(30, 2)).astype(np.float32) for name in ("image", "text", "PD-best4", "PD")}
    axis = gap.draw(found.gap, found.catalogue, points)[0].axes[-1]
    assert [line.get_label() for line in axis.lines[:3]] == ["image", "text (ZS)", "PD"]  # PD before its variants
    for line, name in zip(axis.lines[:3], ("image", "text", "PD"), strict=True):
        np.testing.assert_array_equal(np.column_stack(line.get_data()), points[name])
    for line, name in zip(axis.lines[3:], ("image", "text", "PD"), strict=True):
        np.testing.assert_allclose(np.ravel(line.get_data()), points[name].mean(axis=0))


def test_large_sets_of_embeddings_are_thinned() -> None:
    found = results_of(gap_record({}))
    assert found.gap is not None
    points = {name: np.zeros((5000, 2), np.float32) for name in ("image", "text")}
    axis = gap.draw(found.gap, found.catalogue, points)[0].axes[-1]
    assert {len(line.get_xdata()) for line in axis.lines} == {400, 1}


# sweep over CLIP variants


def sweep_of(gains: Mapping[float, float]) -> Results:
    runs = []
    for width, gain in gains.items():
        name = f"gap{width}"
        levels = {"PD": 30.0 - gain, "ZS": 30.0}
        runs.append(on_fad(levels, {("PD", "ZS"): 0.01}, clip_variant=name))
        runs.append(gap_record({"clip_variant": name}, {"text": (width, 0.3, 0.4)}))
    return results_of(*runs, catalogue=CLIPSONIC)


def test_gains_are_drawn_over_the_width_of_the_gap_with_better_above_zero() -> None:
    figure, caption = clip_variants.draw(sweep_of({0.8: 6.0, 0.4: -5.0}))
    (axis,) = figure.axes
    line = line_of(axis, "PD")
    np.testing.assert_allclose(line.get_ydata(), [-5.0, 6.0])  # FAD: lower is better, so a lower value is a gain
    np.testing.assert_allclose(line.get_xdata(), [0.4, 0.8], atol=0.02)
    assert axis.get_title() == "FAD\nZS − system"
    assert axis.get_ylabel() == "gain over ZS"
    assert "one point per variant (2)" in caption


def test_the_clip_variant_of_the_table_is_marked() -> None:
    found = sweep_of({0.8: 6.0, 0.4: -5.0})
    figure, caption = clip_variants.draw(found)
    (mark,) = [line for line in figure.axes[0].lines if line.get_linestyle() == ":"]
    width = float(found.runs.clip_variant.removeprefix("gap"))
    assert list(mark.get_xdata()) == [width, width]
    assert caption.endswith(f"Dotted: CLIP variant of the table, '{found.runs.clip_variant}'.")


# spectrograms


def shown(folder: Path, *names: str) -> Examples:
    write_examples(folder, names, frames=20)
    found = examples([Run("r", folder, RunRecord("evaluate", ()))])
    assert found is not None
    return found


def grid_of(figure: Figure, systems: int) -> Any:
    """The axes of the pictures by system and query; the scale of the colours comes last."""
    return np.array(figure.axes[:-1]).reshape(systems, -1)


def test_spectrograms_stand_by_system_and_query_with_real_audio_on_top(tmp_path: Path) -> None:
    found = shown(tmp_path, "PD", "noise", "ZS", "real", "shuffled")
    figure, caption = spectrograms.draw(found, CLIPSONIC.completed(found.mels))
    grid = grid_of(figure, 3)
    assert [row[0].get_ylabel() for row in grid] == ["real", "PD", "ZS"]
    for row, name in zip(grid, ("real", "PD", "ZS"), strict=True):
        for column, axis in enumerate(row):
            nepers = found.mels[name][column] - found.mels["real"][column].max()
            np.testing.assert_allclose(axis.images[0].get_array(), 20 * np.log10(np.exp(nepers)), rtol=1e-4, atol=1e-4)
    assert grid[0, 0].get_title() == "a large bell rings"
    assert "64 mel bands upwards; 20 frames to the right" in caption
    assert "60 dB below the loudest point of the real clip" in caption


def test_colours_span_60_db_below_the_loudest_point_of_the_real_clip(tmp_path: Path) -> None:
    found = shown(tmp_path, "PD", "real")
    figure, _ = spectrograms.draw(found, Catalogue().completed(found.mels))
    for axis in figure.axes[:-1]:
        assert axis.images[0].get_clim() == (-60, 0)
    for axis in grid_of(figure, 2)[0]:
        assert axis.images[0].get_array().max() == 0
    assert figure.axes[-1].get_ylabel() == "dB"


def test_frequencies_are_marked_at_the_bands_that_have_them(tmp_path: Path) -> None:
    found = replace(shown(tmp_path, "real"), hz=tuple(float(f) for f in np.geomspace(125, 8000, 64)), hop_s=0.01)
    figure, caption = spectrograms.draw(found, Catalogue().completed(found.mels))
    first = figure.axes[0]
    assert [label.get_text() for label in first.get_yticklabels()] == ["250", "1k", "4k"]
    # bands are an equal ratio apart: an octave is 63 / 6 of them
    np.testing.assert_allclose(first.get_yticks(), [63 / 6, 3 * 63 / 6, 5 * 63 / 6], atol=0.02)
    assert not figure.axes[1].get_yticklabels()
    assert "64 mel bands upwards, 125 to 8000 Hz; 20 frames of 10 ms to the right" in caption


def test_a_query_without_a_prompt_goes_by_its_key() -> None:
    found = Examples(("q1",), ("",), {"a": np.zeros((1, 4, 5), np.float32)})
    figure, _ = spectrograms.draw(found, Catalogue().completed(["a"]))
    assert figure.axes[0].get_title() == "q1"


# calibration


def row(metric: str, n: int, covered: float, alarms: float, **more: object) -> dict[str, Any]:
    ends = {
        f"{name}_{side}": value + shift
        for name, value in (("covered", covered), ("alarms", alarms), ("family_alarms", alarms), ("power", 0.8))
        for side, shift in (("low", -0.01), ("high", 0.01))
    }
    return {
        "metric": metric,
        "n": n,
        "covered": covered,
        "alarms": alarms,
        "family_alarms": alarms,
        "power": 0.8,
        "below": 0.02,
        "above": 0.03,
        "within_93_97": "yes",
        **ends,
        **more,
    }


def test_coverage_and_false_alarms_are_drawn_per_metric_and_n() -> None:
    figure = calibration.draw([row("fad", 50, 0.9, 0.04), row("kid", 50, 0.95, 0.06), row("fad", 200, 0.94, 0.05)])
    coverage, alarms = figure.axes
    assert [t.get_text() for t in coverage.get_yticklabels()] == ["fad", "kid"]
    assert [list(c.lines[0].get_xdata()) for c in coverage.containers] == [[0.9, 0.95], [0.94]]
    assert [list(c.lines[0].get_xdata()) for c in alarms.containers] == [[0.04, 0.06], [0.05]]
    assert [t.get_text() for t in figure.legends[0].get_texts()] == ["n = 50", "n = 200"]


def test_the_page_of_a_calibration_names_what_misses(tmp_path: Path) -> None:
    rows = [
        row("fad", 50, 0.90, 0.04, within_93_97="no"),
        row("kid", 50, 0.95, 0.09),
        row("kad", 50, 0.92, 0.05, within_93_97="cannot tell"),
    ]
    settings = {"seed": 3, "repeats": 100, "n_bootstrap": 200, "n_permutations": 300, "worse": 0.25}
    page = calibration.write(rows, settings, tmp_path, "clipsonic-eval calibrate").read_text()
    assert "- 1 of 3 cells cover 93% to 97%, 1 may, 1 do not." in page
    assert "- fad at n = 50 covers 90.0%." in page
    assert "- More false alarms than 5%: kid at n = 50 (9.0%)." in page
    assert "| fad | 50 | 90.0% [89.0%, 91.0%] | no | 2.0% / 3.0% | 4.0% [3.0%, 5.0%] |" in page
    assert "100 simulated evaluations" in page
    first = (tmp_path / "calibration.csv").read_text().splitlines()
    assert first[0].endswith("signature,seed,n_bootstrap,version")
    assert len(first) == 4
    assert (tmp_path / "coverage.png").stat().st_size > 1000


def test_systems_of_anybody_have_the_colours_of_their_names_in_every_report() -> None:
    def colours(*names: str) -> dict[str, str]:
        figure, _, _ = drawn(simple({("fad", name): float(i) for i, name in enumerate(names)}))
        marks = [line for line in figure.axes[0].lines if line.get_marker() == "o"]
        return {name: to_hex(line.get_color()) for name, line in zip(names, marks, strict=True)}

    here, there = colours("TangoFlux", "AudioLDM 2"), colours("mine", "AudioLDM 2", "TangoFlux")
    assert here.items() <= there.items()
    assert len(set(there.values())) == 3


def test_figures_of_simulations_are_drawn_again_from_their_tables(tmp_path: Path) -> None:
    rows = [row("fad", 50, 0.90, 0.04), row("fad", 200, 0.95, 0.05)]
    settings = {"seed": 3, "repeats": 100, "n_bootstrap": 200, "n_permutations": 300, "worse": 0.25}
    calibration.write(rows, settings, tmp_path, "clipsonic-eval calibrate")
    first = {path.name: path.read_bytes() for path in tmp_path.glob("coverage.*")}
    assert set(first) == {"coverage.pdf", "coverage.png", "coverage.svg"}
    assert simulations.redraw(tmp_path, DEFAULT) == [tmp_path / "coverage.pdf"]
    assert {path.name: path.read_bytes() for path in tmp_path.glob("coverage.*")} == first


def test_drawing_again_links_the_files_of_the_figure_and_leaves_the_words(tmp_path: Path) -> None:
    settings = {"seed": 3, "repeats": 100, "n_bootstrap": 200, "n_permutations": 300, "worse": 0.25}
    page = calibration.write([row("fad", 50, 0.90, 0.04)], settings, tmp_path, "clipsonic-eval calibrate")
    written = page.read_text()
    page.write_text(written.replace("([PDF](coverage.pdf), [SVG](coverage.svg); drawn from `calibration.csv`)\n\n", ""))
    assert "coverage.svg" not in page.read_text()
    for _ in range(2):
        simulations.redraw(tmp_path, DEFAULT)
        assert page.read_text() == written
    page.write_text("# Mine\n")
    simulations.redraw(tmp_path, DEFAULT)
    assert page.read_text() == "# Mine\n"


def test_a_folder_without_tables_of_simulations_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"has neither calibration.csv nor verdicts.csv and power.csv"):
        simulations.redraw(tmp_path, DEFAULT)


def test_the_gate_is_drawn_from_its_tables_with_false_alarms_told_apart_from_finds() -> None:
    shares = {"worse_low": "0.02", "worse_high": "0.04", "train_seeds": "1", "n": "100", "metric": "any"}
    verdicts = [
        {"question": "same queries", "change": "none", "worse": "0.03", **shares},
        {"question": "same queries", "change": "more noise", **shares, "worse": "0.9", "train_seeds": "3"},
    ]
    power = [{"question": "same queries", "metric": "fad", "margin": "3 %", "needed": "480"}]
    with style.look():
        made = gate_simulations.draw(verdicts, power)
    alarms, takes = made.axes
    labels = [text.get_text() for text in alarms.get_yticklabels()]
    assert labels == ["same queries: 100 clips", "same queries: 100 clips, 3 seeds"]
    assert [text.get_text() for text in takes.get_yticklabels()] == ["FAD, 3 %"]
    assert [text.get_text() for text in made.legends[0].get_texts()] == [
        "5 %",
        "nothing changed",
        "changed for the worse",
    ]
