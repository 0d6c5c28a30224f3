from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from unit.report.synthetic import Made, evaluation, gap_record, simple, write_examples, write_study

from clipsonic_eval import records
from clipsonic_eval.errors import UserError
from clipsonic_eval.reporting.build import ReportOptions, ReportResult, build
from clipsonic_eval.study.catalogue import CLIPSONIC

FIGURES = ("gap", "guidance", "clip_variants", "metrics", "spectrograms", "contact_sheet")


@pytest.fixture(scope="session")
def study(tmp_path_factory: pytest.TempPathFactory) -> ReportResult:
    root = tmp_path_factory.mktemp("study")
    write_study(root / "runs", n=40, seeds=2, scales=("1", "2"), gaps=(0.45,), frames=40)
    return build([root / "runs"], root / "report", options=ReportOptions("A study", "make it"), catalogue=CLIPSONIC)


def test_a_whole_study_gives_every_table_and_figure(study: ReportResult) -> None:
    for name in ("table", "comparisons", "gap", "clip_variants"):
        assert {f"{name}.md", f"{name}.csv", f"{name}.tex"} <= set(study.files)
    for name in FIGURES:
        assert {f"figures/{name}.pdf", f"figures/{name}.png"} <= set(study.files)
    assert study.left_out == ()


@pytest.mark.parametrize("name", FIGURES)
def test_figures_are_readable_not_blank_and_small(study: ReportResult, name: str) -> None:
    path = study.out / "figures" / f"{name}.png"
    assert 5_000 < path.stat().st_size <= {"spectrograms": 300_000, "contact_sheet": 600_000}.get(name, 150_000)
    with Image.open(path) as picture:
        assert picture.width >= 500
        pixels = np.asarray(picture.convert("RGB"), dtype=float)
    drawn = (pixels < 250).any(axis=2)
    assert drawn.mean() > 0.01
    assert drawn.any(axis=0).mean() > 0.9  # something in nearly every column of pixels
    pdf = path.with_suffix(".pdf").read_bytes()
    assert pdf.startswith(b"%PDF")
    assert b"CreationDate" not in pdf


def test_the_page_links_what_is_there(study: ReportResult) -> None:
    page = (study.out / "README.md").read_text()
    assert page.startswith("# A study\n")
    assert study.headline
    assert f"**{study.headline}**" in page
    for name in FIGURES:
        assert f"](figures/{name}.png)" in page
    assert "```\nmake it\n```" in page
    assert "commit: 0123456789abcdef" in page
    assert "fad|enc:toy-audio+1a2b3c4d" in page


def test_a_report_is_remade_to_the_byte_from_the_records_that_it_keeps(study: ReportResult, tmp_path: Path) -> None:
    again = build(
        [study.out / "records"], tmp_path / "again", options=ReportOptions("A study", "make it"), catalogue=CLIPSONIC
    )
    assert again.files == study.files
    for name in study.files:
        if not name.startswith("records/test-seed") or name.endswith(".json"):
            assert (again.out / name).read_bytes() == (study.out / name).read_bytes(), name


def test_kept_records_are_small(study: ReportResult) -> None:
    for path in (study.out / "records").rglob("record.json"):
        tree = json.loads(path.read_text())
        assert all("per_clip" not in s for s in tree["scores"])
    assert sum(p.stat().st_size for p in (study.out / "records").rglob("*")) < 1_500_000


def test_kept_records_have_no_paths_of_the_machine(tmp_path: Path) -> None:
    record = simple({("fad", "mine"): 1.0})
    records.write(
        records.RunRecord(
            "evaluate", record.scores, systems={"mine": {"folder": "/home/me/wavs"}}, config={"refs": ["/data/x/real"]}
        ),
        tmp_path / "run",
    )
    build([tmp_path / "run"], tmp_path / "report")
    kept = records.read(tmp_path / "report/records/run")
    assert kept.systems["mine"]["folder"] == "wavs"
    assert kept.config["refs"] == ["real"]


def test_two_folders_of_wavs_give_a_table_and_one_figure(tmp_path: Path) -> None:
    tests = {("fad", "mine", "yours"): (-2.0, 0.001)}
    records.write(simple({("fad", "mine"): 3.0, ("fad", "yours"): 5.0}, tests), tmp_path / "run")
    result = build([tmp_path / "run"], tmp_path / "report", options=ReportOptions(keep_records=False))
    assert [f for f in result.files if f.endswith(".png")] == ["figures/metrics.png"]
    assert "table.md" in result.files
    assert not any(f.startswith("records/") for f in result.files)
    assert any(line.startswith("table and figure of the modality gap") for line in result.left_out)
    assert any(line.startswith("spectrograms") for line in result.left_out)
    page = (result.out / "README.md").read_text()
    assert "mine is better than yours on FAD" in page
    assert "## Left out" in page
    assert "IQ" not in page


def test_a_gap_run_alone_gives_its_table_and_figure(tmp_path: Path) -> None:
    records.write(gap_record({}), tmp_path / "run")
    result = build([tmp_path / "run"], tmp_path / "report")
    assert {"gap.md", "gap.csv", "gap.tex", "figures/gap.png"} <= set(result.files)
    assert "table.md" not in result.files
    assert result.left_out[0].startswith("table and figure of the metrics")


def test_a_report_replaces_a_report_but_no_other_folder(tmp_path: Path) -> None:
    records.write(simple({("fad", "mine"): 3.0}), tmp_path / "run")
    build([tmp_path / "run"], tmp_path / "report")
    (tmp_path / "report/figures/old.png").touch()
    assert "figures/old.png" not in build([tmp_path / "run"], tmp_path / "report").files
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters/README.md").write_text("dear diary")
    with pytest.raises(UserError, match=r"letters: holds other things \(README.md\)"):
        build([tmp_path / "run"], tmp_path / "letters")
    assert (tmp_path / "letters/README.md").read_text() == "dear diary"


def test_damaged_pictures_are_refused_with_the_mend(tmp_path: Path) -> None:
    records.write(simple({("fad", "mine"): 3.0}), tmp_path / "run")
    (tmp_path / "run/examples.npz").write_bytes(b"not an archive")
    with pytest.raises(UserError, match=r"not readable as arrays without pickles .*; evaluate again"):
        build([tmp_path / "run"], tmp_path / "report")
    np.savez(tmp_path / "run/examples.npz", keys=np.array(["a", "b"]), mine=np.zeros((1, 64, 9)))
    with pytest.raises(UserError, match=r"'mine' must be \(2, bands, frames\)"):
        build([tmp_path / "run"], tmp_path / "report")
    assert not (tmp_path / "report").exists()


def test_spectrograms_of_long_noisy_clips_stay_small(tmp_path: Path) -> None:
    from clipsonic_eval.analysis import figure_data
    from clipsonic_eval.analysis.catalogue import Catalogue
    from clipsonic_eval.analysis.runs import Run
    from clipsonic_eval.reporting.figures import spectrograms, style

    write_examples(tmp_path, ["real", "IQ", "PD", "ZS"], frames=400)
    shown = figure_data.examples([Run("run", tmp_path, evaluation(Made(n=10)))])
    assert shown is not None
    with style.look():
        figure, caption = spectrograms.draw(shown, Catalogue())
        style.save(figure, tmp_path / "grid")
    assert "64 mel bands upwards; 400 frames to the right" in caption
    assert (tmp_path / "grid.png").stat().st_size <= 150_000


def test_figures_are_made_for_a_venue_and_an_unknown_one_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    run = simple({("fad", "a"): 1.0})
    build([run], tmp_path / "report", options=ReportOptions(venue="interspeech"))
    (box,) = re.findall(rb"/MediaBox \[ 0 0 ([0-9.]+) ", (tmp_path / "report/figures/metrics.pdf").read_bytes())
    assert float(box) == pytest.approx(72 * 80 / 25.4, abs=0.01)  # a column of 80 mm
    with pytest.raises(UserError, match="unknown venue 'nature'"):
        build([run], tmp_path / "other", options=ReportOptions(venue="nature"))
    assert not (tmp_path / "other").exists()
