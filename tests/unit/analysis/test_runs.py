from __future__ import annotations

from pathlib import Path

import pytest
from unit.report.synthetic import as_run, gap_record, score, simple

from clipsonic_eval import records
from clipsonic_eval.analysis.runs import Run, find, sort
from clipsonic_eval.errors import UserError
from clipsonic_eval.records import RunRecord

FAD = {("fad", "PD"): 1.0}


def run(name: str, **tags: str) -> Run:
    return as_run(simple(FAD, **tags), name)


def names(runs: tuple[Run, ...]) -> list[str]:
    return [r.name for r in runs]


def test_a_record_without_tags_goes_into_the_table() -> None:
    assert names(sort([run("mine")]).table) == ["mine"]


def test_the_table_takes_the_test_split_and_the_guidance_figure_the_validation_split() -> None:
    runs = [run("t", split="test"), *(run(f"v{w}", split="val", guidance=w) for w in ("1", "2"))]
    found = sort(runs)
    assert names(found.table) == ["t"]
    assert names(found.guidance) == ["v1", "v2"]


def test_an_open_choice_of_guidance_is_asked_for_and_taken() -> None:
    runs = [run(f"t{w}", split="test", guidance=w) for w in ("1", "4")]
    with pytest.raises(UserError, match=r"guidance scales 1, 4; choose .* --select guidance=1"):
        sort(runs)
    assert names(sort(runs, {"guidance": "4"}).table) == ["t4"]


def test_a_selection_that_fits_nothing_is_refused() -> None:
    with pytest.raises(UserError, match="no evaluation has the tags guidance=9"):
        sort([run("t", guidance="2")], {"guidance": "9"})


def test_the_shipped_clip_variant_makes_the_table_and_all_make_the_sweep() -> None:
    runs = [run("n", clip_variant="narrow"), run("t", clip_variant="toy-clip"), run("w", clip_variant="wide")]
    found = sort(runs, main_variants=("calibrated", "toy-clip"))
    assert found.clip_variant == "toy-clip"
    assert names(found.table) == ["t"]
    assert sorted(found.clip_variants) == ["narrow", "toy-clip", "wide"]


def test_a_clip_variant_that_was_not_run_on_the_split_of_the_table_is_left_out_and_named() -> None:
    runs = [run("t", clip_variant="toy-clip", split="test"), run("n", clip_variant="narrow", split="val")]
    found = sort(runs, main_variants=("toy-clip",))
    assert found.clip_variants == {}
    assert "CLIP variant 'narrow' is left out of the sweep: no evaluation on split 'test'" in found.notes[0]


def test_gap_runs_of_audio_and_text_do_not_mix_with_image_and_text() -> None:
    about_audio = RunRecord("gap", (score("audio_audio_cosine", "audio", 0.3), score("centroid_distance", "text", 0.2)))
    found = sort([as_run(gap_record({}), "image"), as_run(about_audio, "audio")])
    assert names(found.gaps[""]) == ["image"]
    assert "between audio and text (audio)" in found.notes[0]
    assert names(sort([as_run(about_audio, "audio")]).gaps[""]) == ["audio"]


def test_nothing_usable_is_refused() -> None:
    with pytest.raises(UserError, match="hold no evaluation and no gap statistics"):
        sort([as_run(RunRecord("pooled", ()))])


def test_runs_are_found_below_a_folder_and_named_apart(tmp_path: Path) -> None:
    for folder in ("a/run", "b/run", "b/other"):
        records.write(simple(FAD), tmp_path / folder)
    assert [r.name for r in find([tmp_path])] == ["a-run", "other", "b-run"]
    assert [r.name for r in find([tmp_path / "b/run", tmp_path / "b"])] == ["run", "other"]


def test_places_without_records_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no record\.json here or below"):
        find([tmp_path])
    with pytest.raises(UserError, match="no such run"):
        find([tmp_path / "nothing"])
