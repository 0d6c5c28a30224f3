from __future__ import annotations

from pathlib import Path

import pytest
from unit.report.synthetic import as_run, gap_record, score, simple

from clipsonic_eval import records
from clipsonic_eval.analysis.parts import sort
from clipsonic_eval.analysis.runs import Run, find
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
    with pytest.raises(UserError, match="hold no evaluation, no gap statistics and no bench"):
        sort([as_run(RunRecord("pooled", ()))])


def test_runs_are_found_below_a_folder_and_named_apart(tmp_path: Path) -> None:
    for folder in ("a/run", "b/run", "b/other"):
        records.write(simple(FAD), tmp_path / folder)
    assert [r.name for r in find([tmp_path])] == ["a-run", "other", "b-run"]
    assert [r.name for r in find([tmp_path / "b/run", tmp_path / "b"])] == ["run", "other"]


def test_what_lies_below_a_run_is_a_part_of_it_and_no_run_of_its_own(tmp_path: Path) -> None:
    for name in ("eval", "heard", "heard/all_listeners"):
        records.write(simple(FAD), tmp_path / name)
    assert [run.name for run in find([tmp_path])] == ["eval", "heard"]
    assert [run.name for run in find([tmp_path / "heard/all_listeners"])] == ["all_listeners"]


def test_places_without_records_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no record\.json here or below"):
        find([tmp_path])
    with pytest.raises(UserError, match="no such run"):
        find([tmp_path / "nothing"])


def test_records_in_memory_are_runs_without_a_folder_named_by_kind_and_tags() -> None:
    found = find([simple(FAD, train_seed="0"), simple(FAD, train_seed="1"), simple(FAD, train_seed="1")])
    assert [r.name for r in found] == ["evaluate-0", "evaluate-1", "evaluate-1-2"]
    assert [r.folder for r in found] == [None] * 3


def test_one_record_given_twice_is_one_run() -> None:
    record = simple(FAD)
    assert len(find([record, record])) == 1


def test_folders_files_and_records_mix(tmp_path: Path) -> None:
    records.write(simple(FAD), tmp_path / "run")
    found = find([str(tmp_path / "run"), tmp_path / "run" / "record.json", simple(FAD)])
    assert [r.name for r in found] == ["run", "evaluate"]
    assert found[0].folder == tmp_path / "run"


def test_no_runs_at_all_are_refused() -> None:
    with pytest.raises(UserError, match="no runs given"):
        find([])


def test_without_a_preference_the_clip_variant_with_most_seeds_makes_the_table() -> None:
    runs = [run("a", clip_variant="a"), *(run(f"b{i}", clip_variant="b", train_seed=str(i)) for i in range(2))]
    assert sort(runs).clip_variant == "b"
    assert sort(runs, main_variants=("a",)).clip_variant == "a"
    assert sort(runs, {"clip_variant": "a"}).clip_variant == "a"


def test_a_split_of_another_name_makes_the_table_where_there_is_no_test_split() -> None:
    found = sort([run("b", split="beta"), run("a", split="alpha")])
    assert names(found.table) == ["a"]


def test_pooled_records_are_known_by_their_part() -> None:
    pooled = [
        as_run(RunRecord("pooled", (), tags=tags), str(i))
        for i, tags in enumerate(({"clip_variant": "x"}, {"clip_variant": "x", "guidance": "2"}, {"part": "gap"}))
    ]
    found = sort([run("t", clip_variant="x"), *pooled])
    assert set(found.pooled) == {("x", ""), ("x", "2"), ("", "gap")}


def test_every_run_of_a_report_is_counted_once() -> None:
    runs = [run("t", split="test", guidance="2"), *(run(f"v{w}", split="val", guidance=w) for w in ("1", "2"))]
    found = sort(runs)
    assert sorted(r.name for r in found.all_runs) == ["t", "v1", "v2"]


def test_a_setting_that_only_the_validation_varies_is_taken_from_there_and_stays_out_of_the_table() -> None:
    tried = [run(f"v{k}", split="val", steps=k) for k in ("5", "10")]
    found = sort([run("t", split="test"), *tried])
    assert names(found.table) == ["t"]
    ((line,),) = found.settings.values()
    assert {value: [one.name for one, _ in places] for value, places in line.places.items()} == {
        "5": ["v5"],
        "10": ["v10"],
    }
    other = [run(f"o{k}", split="other", steps=k) for k in ("5", "10")]
    assert sort([run("t", split="test"), *other]).settings == {}  # neither of the table nor of the validation


def test_a_setting_that_the_table_has_is_taken_from_its_split() -> None:
    runs = [run(f"{split}{k}", split=split, steps=k) for split in ("test", "val") for k in ("5", "10")]
    (line,) = sort(runs, {"steps": "5"}).settings["steps"]
    assert {one.name for one, _ in line.all_places} == {"test5", "test10"}


def test_runs_of_the_limit_are_a_part_of_their_own() -> None:
    found = sort([run("t", split="test"), run("limit", split="test", part="limit")])
    assert (names(found.table), names(found.limits)) == (["t"], ["limit"])
    assert "limit" in names(found.all_runs)
    assert names(found.evaluations) == ["t"]
