"""The contact sheet shows every class, real audio above generated audio."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from unit.report.synthetic import write_examples

from clipsonic_eval.analysis.catalogue import Catalogue
from clipsonic_eval.analysis.figure_data import Examples, examples, export_examples, in_contact_sheet
from clipsonic_eval.analysis.runs import Run
from clipsonic_eval.records import RunRecord
from clipsonic_eval.reporting.figures import contact_sheet, style
from clipsonic_eval.study.catalogue import CLIPSONIC

LABELS = ("dog", "bell", "siren", "dog", "bell", "dog")


@pytest.fixture(autouse=True)
def look() -> Iterator[None]:
    with style.look():
        yield


def shown(
    folder: Path, systems: Sequence[str] = ("IQ", "ZS", "PD", "real"), labels: Sequence[str] = LABELS
) -> Examples:
    write_examples(folder, systems, frames=12, keys=len(LABELS), labels=labels)
    found = examples([Run("r", folder, RunRecord("evaluate", ()))])
    assert found is not None
    return found


def test_every_class_has_real_audio_above_the_systems_of_the_study(tmp_path: Path) -> None:
    found = shown(tmp_path)
    figure, caption = contact_sheet.draw(found, CLIPSONIC.completed(found.mels))
    pictures = figure.axes[:-1]
    assert [axis.get_title() for axis in pictures[::3]] == ["bell", "dog", "siren"]
    assert [axis.get_ylabel() for axis in pictures[:3]] == ["real", "IQ", "PD"]
    assert "2 or 1 queries" not in caption
    assert "1 or 2 queries of each of 3 classes" in caption
    assert "real, above IQ, above PD" in caption


def test_two_queries_of_a_class_stand_side_by_side_in_db_below_their_real_clips(tmp_path: Path) -> None:
    found = shown(tmp_path)
    figure, _ = contact_sheet.draw(found, CLIPSONIC.completed(found.mels))
    dog = figure.axes[4].images[0].get_array()  # second class, second row: IQ
    for query, columns in ((0, slice(0, 12)), (3, slice(14, 26))):
        nepers = found.mels["IQ"][query] - found.mels["real"][query].max()
        np.testing.assert_allclose(dog[:, columns], 20 * np.log10(np.exp(nepers)), rtol=1e-4, atol=1e-4)
    assert dog.shape == (64, 26)
    assert np.ma.getmaskarray(dog)[:, 12:14].all()  # white between them


def test_a_class_with_one_query_leaves_the_second_place_white(tmp_path: Path) -> None:
    found = shown(tmp_path)
    figure, _ = contact_sheet.draw(found, CLIPSONIC.completed(found.mels))
    siren = np.ma.getmaskarray(figure.axes[6].images[0].get_array())
    assert not siren[:, :12].any()
    assert siren[:, 12:].all()


def test_without_a_choice_the_first_two_systems_are_shown(tmp_path: Path) -> None:
    found = shown(tmp_path, ("mine", "yours", "theirs"))
    assert in_contact_sheet(found, Catalogue().completed(found.mels)) == ["mine", "yours"]
    assert in_contact_sheet(found, CLIPSONIC.completed(found.mels)) == ["mine", "yours"]


def test_queries_without_class_labels_have_no_contact_sheet(tmp_path: Path) -> None:
    found = shown(tmp_path, labels=())
    assert in_contact_sheet(found, CLIPSONIC.completed(found.mels)) == []


def test_exported_spectrograms_make_the_same_sheet(tmp_path: Path) -> None:
    found = shown(tmp_path)
    catalogue = CLIPSONIC.completed(found.mels)
    rows = in_contact_sheet(found, catalogue)
    (tmp_path / "kept").mkdir()
    export_examples(found, tmp_path / "kept", rows)
    again = examples([Run("r", tmp_path / "kept", RunRecord("evaluate", ()))])
    assert again is not None
    assert in_contact_sheet(again, catalogue) == rows == ["real", "IQ", "PD"]
    assert (again.labels, again.hz, again.hop_s) == (found.labels, found.hz, found.hop_s)
    for name in rows:
        np.testing.assert_array_equal(again.mels[name], found.mels[name])
    assert len(again.mels["ZS"]) == 4  # for the grid of all systems
