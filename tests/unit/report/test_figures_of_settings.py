"""Metrics against a setting that runs differ in, and training curves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from unit.report.synthetic import on_fad, results_of

from clipsonic_eval.analysis import training_logs
from clipsonic_eval.analysis.catalogue import Catalogue
from clipsonic_eval.analysis.parts import sort
from clipsonic_eval.analysis.results import Results, SettingLine, analyse
from clipsonic_eval.analysis.runs import Run
from clipsonic_eval.errors import UserError
from clipsonic_eval.records import RunRecord
from clipsonic_eval.reporting.build import ReportOptions, build
from clipsonic_eval.reporting.figures import settings, style, training
from clipsonic_eval.study.catalogue import CLIPSONIC


@pytest.fixture(autouse=True)
def look() -> Iterator[None]:
    with style.look():
        yield


def of(*records: RunRecord, **select: str) -> Results:
    return analyse(sort([Run(f"r{i}", None, record) for i, record in enumerate(records)], select), Catalogue())


def steps(value: str, fad: float, **tags: str) -> RunRecord:
    return on_fad({"a": fad, "noise": 50.0}, {}, steps=value, **tags)


def test_runs_that_differ_in_one_tag_alone_are_lined_up_along_it() -> None:
    found = of(steps("10", 5.0), steps("50", 3.0), steps("100", 2.5), steps("10", 9.0, sampler="ddim"), steps="50")
    assert list(found.by_setting) == ["steps"]
    (line,) = [one for one in found.by_setting["steps"] if one.system == "a"]
    values = {value: scores[0].value for value, scores in line.scores.items()}
    assert values == {"10": 5.0, "50": 3.0, "100": 2.5}  # in the order of numbers; the other sampler stays out
    main = found.table.score("fad", "a")
    assert main is not None
    assert main.value == 3.0


def test_seeds_of_one_value_are_pooled() -> None:
    runs = [steps(v, fad + i, train_seed=str(i)) for v, fad in (("10", 5.0), ("50", 3.0)) for i in (0, 1)]
    line = of(*runs, steps="10").by_setting["steps"][0]
    (score,) = line.scores["50"]
    assert line.system == score.system == "a"
    assert score.by_seed == {"0": 3.0, "1": 4.0}


def test_runs_of_two_settings_without_a_choice_are_one_sentence_that_names_it() -> None:
    with pytest.raises(UserError, match=r"choose one, e.g. --select steps=10"):
        of(steps("10", 5.0), steps("50", 3.0))


def test_a_tag_that_all_runs_share_is_no_setting() -> None:
    assert of(steps("10", 5.0), on_fad({"b": 1.0}, {}, steps="10")).by_setting == {}


def test_each_system_is_a_line_along_the_setting_and_controls_are_left_out() -> None:
    found = of(steps("10", 5.0), steps("50", 3.0), steps("100", 2.5), steps="50")
    figure, caption = settings.draw("steps", found.by_setting["steps"], found.catalogue)
    (axis,) = figure.axes
    named = [line for line in axis.lines if not line.get_label().startswith("_")]
    assert [(line.get_label(), list(line.get_xdata()), list(line.get_ydata())) for line in named] == [
        ("a", [10.0, 50.0, 100.0], [5.0, 3.0, 2.5])
    ]
    assert axis.get_xscale() == "log"
    assert [tick.get_text() for tick in axis.get_xticklabels()] == ["10", "50", "100"]
    assert caption.startswith("Metrics against steps (n = 480).")


def test_a_system_that_the_setting_does_not_change_is_a_level_line_marked_at_its_ends() -> None:
    records = [on_fad({"a": fad, "b": 2.0}, {}, split="val", fraction=k) for k, fad in (("0", 9.0), ("1", 4.0))]
    found = of(*records, on_fad({"a": 4.0}, {}, split="test"))
    lines = found.by_setting["fraction"]
    figure, caption = settings.draw("fraction", lines, found.catalogue, found.split_of("fraction"))
    (axis,) = figure.axes
    drawn = {line.get_label(): line for line in axis.lines if not line.get_label().startswith("_")}
    assert {name: line.get_markevery() for name, line in drawn.items()} == {"b": [0, -1], "a": None}
    assert list(drawn["b"].get_ydata()) == [2.0, 2.0]
    assert len(axis.collections) == 1  # the interval of the level one is a band
    assert caption.startswith("Metrics against fraction (validation split, n = 480).")
    assert caption.endswith("Marked at the ends alone: systems that it does not change.")


def test_a_setting_has_the_words_of_the_catalogue_in_the_figure() -> None:
    records = [on_fad({"PD": fad}, {}, candidates=k) for k, fad in (("1", 9.0), ("4", 4.0))]
    found = analyse(sort([Run(f"r{i}", None, one) for i, one in enumerate(records)], {"candidates": "1"}), CLIPSONIC)
    figure, caption = settings.draw("candidates", found.by_setting["candidates"], found.catalogue)
    assert figure.axes[0].get_xlabel() == "draws of the prior"
    assert caption.startswith("Metrics against draws of the prior (n = 480).")
    assert Catalogue().setting("shift_fraction") == "shift fraction"


def test_lines_of_one_system_share_its_colour_and_differ_in_marker_and_dashes() -> None:
    scores = {value: on_fad({"a": 1.0}, {}).scores for value in ("10", "50")}
    lines = [SettingLine(name, f"{name} {k}", scores) for k in range(3) for name in ("a", "b")]
    catalogue = Catalogue().completed(["a", "b"])
    (axis,) = settings.draw("steps", lines, catalogue)[0].axes
    named = {line.get_label(): line for line in axis.lines if not line.get_label().startswith("_")}
    for name in ("a", "b"):
        own = [named[f"{name} {k}"] for k in range(3)]
        assert {line.get_color() for line in own} == {catalogue.style(name).colour}
        assert own[0].get_marker() == catalogue.style(name).marker
        assert len({str(line._dash_pattern) for line in own}) == 3
    assert len({line.get_marker() for line in named.values()}) == 6


def test_a_setting_of_words_is_not_drawn() -> None:
    found = of(steps("10", 5.0, sampler="ddim"), steps("10", 3.0, sampler="heun"), sampler="ddim")
    assert [list(line.scores) for line in found.by_setting["sampler"]] == [["ddim", "heun"]] * 2
    assert not settings.is_drawn(found.by_setting["sampler"], found.catalogue)


def test_a_report_draws_every_setting_and_can_be_remade_from_its_records(tmp_path: Path) -> None:
    runs = [steps("10", 5.0), steps("50", 3.0)]
    first = build(runs, tmp_path / "one", select={"steps": "10"})
    assert {"figures/against-steps.svg", "figures/against-steps.csv"} <= set(first.files)
    assert "## What do the settings do?" in (tmp_path / "one/README.md").read_text()
    again = build([tmp_path / "one/records"], tmp_path / "two", select={"steps": "10"})
    for name in ("figures/against-steps.csv", "figures/against-steps.svg", "figures/against-steps.pdf"):
        assert (first.out / name).read_bytes() == (again.out / name).read_bytes()


# training curves

LOG = "step,loss,val_loss,lr\n10,1.0,,0.1\n20,0.5,0.75,0.1\n30,0.25,,0.1\n"


def models(folder: Path, *names: str, log: str = LOG) -> Path:
    for name in names:
        (folder / name).mkdir(parents=True)
        (folder / name / "train_log.csv").write_text(log)
    return folder


def test_losses_are_drawn_over_the_steps_a_line_per_model(tmp_path: Path) -> None:
    logs = training_logs.read([models(tmp_path, "video", "prior")])
    figure, caption = training.draw(logs, Catalogue())
    loss, held_out = figure.axes
    assert [line.get_label() for line in loss.lines] == ["prior", "video"]
    assert loss.lines[0].get_xydata().tolist() == [[10, 1.0], [20, 0.5], [30, 0.25]]
    assert held_out.lines[0].get_xydata().tolist() == [[20, 0.75]]
    assert "2 models" in caption


def test_a_model_has_the_colour_of_the_system_that_it_makes(tmp_path: Path) -> None:
    catalogue = CLIPSONIC.completed(["IQ", "PD"])
    logs = training_logs.read([models(tmp_path, "video", "prior-pd", "mine")])
    figure, _ = training.draw(logs, catalogue)
    found = {line.get_label(): line for line in figure.axes[0].lines}
    for model, system in (("video", "IQ"), ("prior-pd", "PD")):
        assert found[model].get_color() == catalogue.style(system).colour
        assert found[model].get_marker() == catalogue.style(system).marker
    assert len({(line.get_color(), line.get_marker()) for line in found.values()}) == 3


def test_two_models_of_one_system_are_told_apart(tmp_path: Path) -> None:
    logs = training_logs.read([models(tmp_path, "seed-0/video", "seed-1/video")])
    figure, _ = training.draw(logs, CLIPSONIC.completed(["IQ"]))
    first, second = figure.axes[0].lines
    assert first.get_color() != second.get_color()
    assert first.get_marker() != second.get_marker()


def test_models_of_one_name_are_told_apart_by_the_folder_above(tmp_path: Path) -> None:
    assert set(training_logs.read([models(tmp_path, "seed-0/video", "seed-1/video", "prior")])) == {
        "seed-0/video",
        "seed-1/video",
        "prior",
    }


@pytest.mark.parametrize(
    ("log", "sentence"),
    [
        (None, "no train_log.csv here or below"),
        ("step,lr\n1,0.1\n", "needs columns 'step' and 'loss'"),
        ("step,loss\n", "needs columns 'step' and 'loss' and a row"),
        ("step,loss\nten,0.1\n", "train again to write it anew"),
    ],
)
def test_a_folder_without_a_readable_log_is_one_sentence(tmp_path: Path, log: str | None, sentence: str) -> None:
    folder = tmp_path if log is None else models(tmp_path, "video", log=log)
    with pytest.raises(UserError, match=sentence):
        training_logs.read([folder])


def test_a_report_keeps_the_losses_that_it_draws(tmp_path: Path) -> None:
    run = on_fad({"a": 1.0}, {})
    first = build([run], tmp_path / "one", options=ReportOptions(training=(models(tmp_path, "models/video"),)))
    kept = first.out / "records/training"
    assert "figures/training.pdf" in first.files
    again = build([first.out / "records"], tmp_path / "two", options=ReportOptions(training=(kept,)))
    for name in ("figures/training.csv", "figures/training.svg"):
        assert (first.out / name).read_bytes() == (again.out / name).read_bytes()


def test_results_of_no_setting_have_no_figures_of_settings() -> None:
    assert results_of(on_fad({"a": 1.0}, {})).by_setting == {}
