"""Every figure of a report, at every venue: letters large enough, and lines told apart in print and by any eyes."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from dataclasses import replace

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text
from unit.report.synthetic import score, write_study
from unit.report.vision import VISIONS, difference, lab

from clipsonic_eval.analysis.catalogue import PALETTE
from clipsonic_eval.analysis.parts import sort
from clipsonic_eval.analysis.results import Results, SettingLine, analyse
from clipsonic_eval.analysis.runs import Run, find
from clipsonic_eval.analysis.training_logs import LogRow
from clipsonic_eval.metrics import fad_inf
from clipsonic_eval.records import RunRecord
from clipsonic_eval.reporting import drawing
from clipsonic_eval.reporting.figures import style
from clipsonic_eval.reporting.figures.venues import VENUES
from clipsonic_eval.study.catalogue import CLIPSONIC
from clipsonic_eval.types import Score

Drawn = Callable[[str], dict[str, Figure]]
APART = 20.0  # ΔE
HEARD = ("mos-fidelity", "mos-relevance", "preference")


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    root = tmp_path_factory.mktemp("study")
    write_study(root, n=24, seeds=2, scales=("1", "2"), gaps=(0.45,), frames=12)
    runs = sort(find([root]), None, CLIPSONIC.main_variants)
    rng = np.random.default_rng(0)
    clips = {c: {f"q{i}": float(v) for i, v in enumerate(rng.beta(8, 2, 50))} for c in ("text", "PD", "PD-best4")}
    found = analyse(runs, CLIPSONIC)
    assert found.gap is not None
    gap = [
        replace(s, per_clip=clips.get(s.system, {}) if s.metric == "matched_cosine" else {}) for s in found.gap.scores
    ]
    log = [LogRow(step, 1 / step, 2 / step if step % 20 == 0 else None) for step in range(10, 100, 10)]
    limits = [
        replace(fad_inf(rng.normal(size=(90, 2)), rng.normal(size=(60, 2)), n_boot=20), system=s) for s in ("PD", "ZS")
    ]
    table = Run("limits", None, RunRecord("evaluate", tuple(limits)))
    heard = [
        opinion(metric, name, i) for metric in HEARD for i, name in enumerate(("IQ", "SD", "PD", "mean-shift", "ZS"))
    ]
    return replace(
        found,
        table=replace(found.table, scores=(*found.table.scores, *heard)),
        gap=replace(found.gap, scores=tuple(gap)),
        by_setting={"steps": [at_steps(name, found) for name in ("PD", "ZS", "mean-shift")]},
        training={"video": log, "prior-pd": log},
        runs=replace(runs, table=(*runs.table, table)),
    )


def opinion(metric: str, system: str, i: int) -> Score:
    """What listeners said of a system."""
    value = 4.0 - 0.4 * i
    everyone = {"all_listeners": value, "all_listeners_low": value - 0.3, "all_listeners_high": value + 0.3}
    return score(metric, system, value, n=24, details={"listeners": 12, **everyone})


def at_steps(name: str, found: Results) -> SettingLine:
    """A system that scores the same at every number of steps."""
    scores = [score for score in found.table.scores if score.system == name]
    return SettingLine(name, name, dict.fromkeys(("10", "50", "100"), scores))


def test_the_study_has_every_figure_but_that_of_classes(drawn: Drawn) -> None:
    assert set(drawn("icassp")) == {
        "metrics", "opinions", "relation", "gap", "clip_variants", "cosines", "recovery", "extrapolation",
        "contact_sheet", "spectrograms", "guidance", "against-steps", "training",
    }  # fmt: skip


@pytest.fixture(scope="module")
def drawn(results: Results) -> Drawn:
    """The figures of a venue by name, each drawn once."""

    @functools.cache
    def of(venue: str) -> dict[str, Figure]:
        made = {}
        for figure in drawing.figures(results):
            if figure.draw is not None:
                with style.look(figure.families, venue):
                    made[figure.name], _ = figure.draw()
                    made[figure.name].draw_without_rendering()
        return made

    return of


def letters(figure: Figure) -> list[Text]:
    """All texts but the labels of ticks that lie outside their axis, which are not drawn."""
    hidden = set()
    for axis in figure.axes:
        for side in (axis.xaxis, axis.yaxis):
            low, high = sorted(side.get_view_interval())
            hidden |= {tick.label1 for tick in side.get_major_ticks() if not low <= tick.get_loc() <= high}
    return [t for t in figure.findobj(Text) if isinstance(t, Text) and t.get_text().strip() and t not in hidden]


@pytest.mark.parametrize("venue", ["icassp", "interspeech", "neurips", "slides"])
def test_no_letter_is_smaller_than_seven_points_and_none_leaves_the_figure(drawn: Drawn, venue: str) -> None:
    for name, figure in drawn(venue).items():
        width, height = figure.bbox.width, figure.bbox.height
        for text in letters(figure):
            box = text.get_window_extent()
            assert text.get_fontsize() >= 7.0, (name, text)
            assert "$" not in text.get_text(), (name, text)  # exponents of formulas are smaller
            assert box.x0 >= -1, (name, text)
            assert box.x1 <= width + 1, (name, text)
            assert box.y1 <= height + 1, (name, text)


@pytest.mark.parametrize("venue", ["icassp", "interspeech", "neurips", "slides"])
def test_names_of_axes_and_entries_of_legends_do_not_run_into_each_other(drawn: Drawn, venue: str) -> None:
    for name, figure in drawn(venue).items():
        labels = [axis.xaxis.label for axis in figure.axes if axis.get_xlabel()]
        labels += [axis.title for axis in figure.axes if axis.get_title()]
        labels += [text for legend in figure.legends for text in legend.get_texts()]
        labels += [text for text in (figure._supxlabel, figure._supylabel) if text is not None]
        for a, b in itertools.combinations(labels, 2):
            assert not a.get_window_extent().overlaps(b.get_window_extent()), (name, a.get_text(), b.get_text())


@pytest.mark.parametrize("venue", ["icassp", "slides"])
def test_figures_fit_the_page_and_their_rows_do_not_run_into_each_other(drawn: Drawn, venue: str) -> None:
    for name, figure in drawn(venue).items():
        assert figure.get_figheight() <= VENUES[venue].height, name
        for axis in figure.axes:
            low, high = sorted(axis.yaxis.get_view_interval())
            ticks = [tick for tick in axis.yaxis.get_major_ticks() if low <= tick.get_loc() <= high]
            labels = [tick.label1 for tick in ticks if tick.label1.get_text() and tick.label1.get_visible()]
            for a, b in itertools.pairwise(labels):
                assert not a.get_window_extent().overlaps(b.get_window_extent()), (name, a.get_text(), b.get_text())


def test_lines_of_a_figure_differ_in_every_vision_or_in_marker_or_dashes(drawn: Drawn) -> None:
    compared = 0
    for name, figure in drawn("icassp").items():
        for axis in figure.axes:
            named = [line for line in axis.lines if not str(line.get_label()).startswith("_")]
            for a, b in itertools.combinations(named, 2):
                compared += 1
                apart = min(difference(a.get_color(), b.get_color(), vision) for vision in VISIONS)
                shapes = {(line.get_marker(), str(line._dash_pattern)) for line in (a, b)}
                assert apart >= APART or len(shapes) == 2, (name, apart, shapes, a.get_label(), b.get_label())
    assert compared > 30


def test_the_study_has_no_two_systems_of_one_look() -> None:
    names = ["IQ", "SD", "PD-best4", "PD-guided2", "PD", "mean-shift", "ZS", "CLAP-TTA", "CLIP-TTA", "retrieval"]
    found = CLIPSONIC.completed(names)
    for a, b in itertools.combinations(map(found.style, names), 2):
        assert difference(a.colour, b.colour, "normal") >= APART
        assert a.marker != b.marker


def test_the_palette_is_told_apart_with_full_colour_vision_and_stands_out_on_white() -> None:
    for a, b in itertools.combinations(PALETTE, 2):
        assert difference(a, b, "normal") >= APART, (a, b)
    for colour in PALETTE:
        for vision in VISIONS:
            assert difference(colour, "white", vision) >= 25, (colour, vision)


@pytest.mark.parametrize("name", ["cividis", "magma"])
@pytest.mark.parametrize("vision", VISIONS)
def test_a_scale_of_colours_only_gets_lighter_in_every_vision(name: str, vision: str) -> None:
    lightness = np.array([lab(colour, vision)[0] for colour in matplotlib.colormaps[name](np.linspace(0, 1, 40))])
    assert (np.diff(lightness) > 0).all()


@pytest.mark.parametrize("background", [*PALETTE, "white", "black", "#777777"])
def test_numbers_on_a_colour_have_the_contrast_that_the_web_guidelines_ask_of_text(background: str) -> None:
    r, g, b = matplotlib.colors.to_rgb(background)
    luminances = sorted(lab_to_luminance(colour) for colour in (background, style.on((r, g, b))))
    assert (luminances[1] + 0.05) / (luminances[0] + 0.05) >= 4.5  # WCAG 2.2, 1.4.3


def lab_to_luminance(colour: str) -> float:
    """Y of a colour from its lightness: the inverse of CIE 1976."""
    lightness = float(lab(colour)[0])
    return ((lightness + 16) / 116) ** 3 if lightness > 8 else lightness / 903.3


def test_colours_of_known_coordinates_have_them() -> None:
    np.testing.assert_allclose(lab("#ff0000"), (53.24, 80.09, 67.20), atol=0.02)
    np.testing.assert_allclose(lab("#ffffff"), (100, 0, 0), atol=0.02)
    assert difference("#ff0000", "#808000", "deuteranopia") < 0.5 * difference("#ff0000", "#808000", "normal")
    for vision in VISIONS:  # grey stays grey
        np.testing.assert_allclose(lab("#777777", vision), lab("#777777"), atol=0.05)


def test_a_system_has_one_colour_in_every_figure_of_a_report(results: Results, drawn: Drawn) -> None:
    found: dict[str, set[str]] = {}
    for figure in drawn("icassp").values():
        for axis in figure.axes:
            for line in axis.lines:
                if results.catalogue.is_listed(str(line.get_label())):
                    found.setdefault(str(line.get_label()), set()).add(matplotlib.colors.to_hex(line.get_color()))
    assert {"PD", "ZS", "mean-shift"} <= set(found)
    for name, colours in found.items():
        assert colours == {results.catalogue.style(name).colour.lower()}
