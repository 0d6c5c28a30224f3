"""What a notebook writes for an argument becomes what the harness takes; warnings count what they leave out."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import numpy as np
import pytest

from clipsonic_eval import _arguments
from clipsonic_eval.errors import UserError
from clipsonic_eval.progress import SILENT, Bars
from clipsonic_eval.records import RunRecord
from clipsonic_eval.types import Finding, Skip, as_embeddings

X = np.random.default_rng(0).standard_normal((6, 3))


class Somewhere(os.PathLike[str]):
    """A path of another library, such as py.path."""

    def __fspath__(self) -> str:
        return "wavs/PD"


@pytest.mark.parametrize("given", ["wavs/PD", Path("wavs/PD"), Somewhere()])
def test_whatever_names_a_file_is_a_path(given: str | os.PathLike[str]) -> None:
    assert _arguments.is_path(given)
    assert _arguments.as_path(given) == _arguments.as_folder(given) == Path("wavs/PD")
    assert _arguments.as_systems(given) == {"PD": Path("wavs/PD")}


@pytest.mark.parametrize("given", [X, 3, b"wavs", ["wavs"]])
def test_what_names_no_file_is_no_path(given: object) -> None:
    assert not _arguments.is_path(given)
    with pytest.raises(UserError, match=f"this is of type {type(given).__name__}; give arrays for all sets or none"):
        _arguments.as_path(given)


def test_none_stays_none_and_is_left_out_of_weights() -> None:
    assert _arguments.as_path(None) is None
    assert _arguments.as_paths(None) == {}
    assert _arguments.as_paths({"audio": "w.pt", "classifier": None}) == {"audio": Path("w.pt")}


def test_a_single_name_is_a_list_of_one() -> None:
    assert _arguments.as_names("fad") == ("fad",)
    assert _arguments.as_names(["fad", "kid"]) == ("fad", "kid")
    assert _arguments.as_names(()) == ()


def test_folders_are_called_as_they_are_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "PD").mkdir()
    monkeypatch.chdir(tmp_path / "PD")
    assert _arguments.as_systems(".") == {"PD": Path()}
    assert _arguments.as_systems(["../ZS", "."]) == {"ZS": Path("../ZS"), "PD": Path()}
    with pytest.raises(UserError, match="two folders have the same name; give a dict with a name for each"):
        _arguments.as_systems([".", "../PD"])


@pytest.mark.parametrize(
    ("systems", "expected"),
    [
        ({"a": X}, True),
        ({"a": as_embeddings(X)}, True),
        ({"a": "wavs", "b": X}, True),
        ({"a": "wavs"}, False),
        ({"a": None}, False),
        ({}, False),
        (["wavs"], False),
        ("wavs", False),
    ],
)
def test_systems_are_embeddings_where_one_is_no_folder(systems: object, expected: bool) -> None:
    assert _arguments.are_embeddings(systems) is expected


def test_bars_are_shown_when_they_are_asked_for() -> None:
    assert _arguments.as_progress(shown=False) is SILENT
    assert isinstance(_arguments.as_progress(shown=True), Bars)


def test_pairs_of_arrays_are_numbered_alike_and_embeddings_keep_their_keys() -> None:
    image, text, priors = _arguments.as_pairs(X, X.tolist(), {"PD": X + 1})
    assert image.keys == text.keys == priors["PD"].keys
    assert (image.modality, text.modality, priors["PD"].modality) == ("image", "text", "image")
    known = as_embeddings(X, modality="audio")
    image, text, priors = _arguments.as_pairs(known, X[:4], {"PD": X})  # keys say what belongs together
    assert (image.modality, len(text), priors["PD"].modality) == ("audio", 4, "audio")


@pytest.mark.parametrize("n", [1, 3])
def test_the_warning_of_errors_names_the_first_and_counts_the_others(n: int) -> None:
    findings = tuple(Finding("world", "error", (), f"reason {i}") for i in range(n))
    record = RunRecord("evaluate", (), findings={"a": (Finding("peak", "warning", (), "loud"), *findings)})
    with pytest.warns(UserWarning, match="a: reason 0") as warned:
        _arguments.warn_of_faults(record)
    more = "" if n == 1 else " (2 more, see run.findings_frame())"
    assert str(warned[0].message) == f"a: reason 0{more}"


@pytest.mark.parametrize(("n", "clips"), [(1, "1 clip skipped"), (3, "3 clips skipped")])
def test_the_warning_of_skipped_clips_counts_them(n: int, clips: str) -> None:
    skipped = [Skip(f"q{i}", "no audio") for i in range(n)]
    with pytest.warns(UserWarning, match=f"wavs: {clips}, the first: q0: no audio"):
        _arguments.warn_of_skipped(Path("wavs"), skipped, stacklevel=1)


def test_the_clips_that_an_evaluation_left_out_are_warned_of_by_system() -> None:
    record = RunRecord("evaluate", (), skipped={"PD": (Skip("q7", "not readable as media"),)})
    with pytest.warns(UserWarning, match="PD: 1 clip skipped, the first: q7: not readable as media"):
        _arguments.warn_of_faults(record)
    assert "skipped PD: 1, the first is q7: not readable as media" in record._repr_html_()


def test_without_errors_and_skipped_clips_nothing_is_said() -> None:
    quiet = RunRecord("evaluate", (), findings={"a": (Finding("peak", "warning", (), "loud"),)})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        _arguments.warn_of_faults(quiet)
        _arguments.warn_of_skipped(Path("wavs"), [], stacklevel=1)
