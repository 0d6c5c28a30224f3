"""Arrays next to a record are gathered, checked, and exported so that the figure can be remade."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.report.synthetic import simple, write_examples, write_projection

from clipsonic_eval.analysis import figure_data
from clipsonic_eval.analysis.figure_data import MAX_QUERIES, Examples
from clipsonic_eval.analysis.runs import Run
from clipsonic_eval.errors import UserError

RECORD = simple({("fad", "a"): 1.0})


def run(folder: Path | None, name: str = "r") -> Run:
    return Run(name, folder, RECORD)


def folder(root: Path, name: str, systems: tuple[str, ...], keys: int = 6) -> Path:
    made = root / name
    made.mkdir()
    write_examples(made, systems, frames=8, keys=keys)
    return made


def test_spectrograms_of_several_runs_are_shown_for_the_queries_of_the_first(tmp_path: Path) -> None:
    one, other = folder(tmp_path, "one", ("a",), keys=3), folder(tmp_path, "other", ("a", "b"), keys=5)
    found = figure_data.examples([run(one), run(other)])
    assert found is not None
    assert found.keys == ("q0000", "q0001", "q0002")
    assert sorted(found.mels) == ["a", "b"]
    assert {mel.shape for mel in found.mels.values()} == {(3, 64, 8)}
    alone = figure_data.examples([run(one)])
    assert alone is not None
    np.testing.assert_array_equal(found.mels["a"], alone.mels["a"])  # of the first run that has it


def test_a_run_that_lacks_a_query_adds_no_system(tmp_path: Path) -> None:
    many, few = folder(tmp_path, "many", ("a",), keys=5), folder(tmp_path, "few", ("b",), keys=2)
    found = figure_data.examples([run(many), run(few)])
    assert found is not None
    assert list(found.mels) == ["a"]


def test_runs_without_spectrograms_and_records_in_memory_have_none(tmp_path: Path) -> None:
    assert figure_data.examples([run(tmp_path), run(None)]) is None
    assert figure_data.projection(run(tmp_path)) is None
    assert figure_data.projection(run(None)) is None


@given(st.floats(-20, 5))
def test_rounding_keeps_within_a_sixteenth_of_a_neper_and_is_exact_in_half_precision(value: float) -> None:
    rounded = figure_data._rounded(np.full((1, 1, 1), value))
    assert abs(float(rounded[0, 0, 0]) - value) <= 1 / 16 + 1e-6
    assert rounded.astype(np.float16).astype(np.float32) == rounded


def test_exported_spectrograms_are_those_that_the_figure_shows(tmp_path: Path) -> None:
    found = figure_data.examples([run(folder(tmp_path, "all", ("a", "b")))])
    assert found is not None
    (tmp_path / "kept").mkdir()
    figure_data.export_examples(found, tmp_path / "kept")
    again = figure_data.examples([run(tmp_path / "kept")])
    assert again is not None
    assert again.keys == found.keys[:MAX_QUERIES]
    assert again.prompts == found.prompts[:MAX_QUERIES]
    for name, mel in found.mels.items():
        np.testing.assert_array_equal(again.mels[name], mel[:MAX_QUERIES])


def test_exported_projections_read_back(tmp_path: Path) -> None:
    write_projection(tmp_path)
    points = figure_data.projection(run(tmp_path))
    assert points is not None
    assert {p.shape for p in points.values()} == {(300, 2)}
    (tmp_path / "kept").mkdir()
    figure_data.export_projection(points, tmp_path / "kept")
    again = figure_data.projection(run(tmp_path / "kept"))
    assert again is not None
    for name, cloud in points.items():
        np.testing.assert_array_equal(again[name], cloud)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"mine": np.zeros((2, 4, 4))}, "no array 'keys'"),
        ({"keys": np.array(["a"]), "mine": np.zeros((2, 4, 4))}, r"'mine' must be \(1, bands, frames\)"),
        ({"keys": np.array(["a"]), "mine": np.zeros((1, 4))}, r"got \(1, 4\); evaluate again"),
    ],
)
def test_spectrograms_of_another_shape_are_refused(tmp_path: Path, arrays: dict[str, np.ndarray], message: str) -> None:
    np.savez(tmp_path / "examples.npz", **arrays)  # type: ignore[arg-type]
    with pytest.raises(UserError, match=message):
        figure_data.examples([run(tmp_path)])


def test_a_projection_without_image_and_text_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "projection.npz", image=np.zeros((3, 2)), text=np.zeros((3, 5)))
    with pytest.raises(UserError, match=r"needs arrays 'image' and 'text' of shape \(n, 2\)"):
        figure_data.projection(run(tmp_path))


def test_spectrograms_without_any_query_are_none(tmp_path: Path) -> None:
    np.savez(tmp_path / "examples.npz", keys=np.array([], str), a=np.zeros((0, 4, 4)))
    assert figure_data.examples([run(tmp_path)]) is None
    assert Examples((), (), {}).keys == ()
