"""Which figures a report has, and what it says of those it cannot draw."""

from __future__ import annotations

from pathlib import Path

import pytest
from unit.report.synthetic import gap_record, on_fad, results_of, simple, write_examples, write_projection

from clipsonic_eval.analysis.catalogue import Catalogue
from clipsonic_eval.analysis.parts import sort
from clipsonic_eval.analysis.results import Results, analyse
from clipsonic_eval.analysis.runs import Run
from clipsonic_eval.errors import UserError
from clipsonic_eval.files import read_csv
from clipsonic_eval.reporting.drawing import draw_all
from clipsonic_eval.study.catalogue import CLIPSONIC

MINE = simple({("fad", "a"): 1.0, ("fad", "b"): 2.0})


def files(folder: Path) -> set[str]:
    return {path.name for path in (folder / "figures").iterdir()}


def test_an_evaluation_alone_has_one_figure_and_says_what_is_missing(tmp_path: Path) -> None:
    figures, left_out = draw_all(results_of(MINE), tmp_path)
    assert list(figures) == ["metrics"]
    assert files(tmp_path) == {"metrics.csv", "metrics.pdf", "metrics.png", "metrics.svg"}
    assert left_out == [
        "table and figure of the modality gap: no run of `gap`",
        "spectrograms: no examples.npz next to the records",
        "figure over guidance scales: no system at two of them or more on one split",
    ]


def test_a_sweep_is_missed_only_where_the_study_has_one(tmp_path: Path) -> None:
    sentence = "sweep over CLIP variants: fewer than two of them have runs of both `evaluate` and `gap`"
    assert sentence in draw_all(results_of(MINE, catalogue=CLIPSONIC), tmp_path)[1]
    assert sentence not in draw_all(results_of(MINE), tmp_path)[1]


def test_nothing_at_all_draws_nothing(tmp_path: Path) -> None:
    figures, left_out = draw_all(Results(), tmp_path)
    assert figures == {}
    assert len(left_out) == 4
    assert not (tmp_path / "figures").exists()


def test_every_figure_comes_with_its_title_and_caption(tmp_path: Path) -> None:
    sweep = [on_fad({"a": 3.0}, {}, split="val", guidance=scale) for scale in ("1", "2")]
    figures, _ = draw_all(results_of(on_fad({"a": 3.0}, {}, split="test"), *sweep, gap_record({})), tmp_path)
    assert list(figures) == ["metrics", "gap", "guidance"]
    for title, caption in figures.values():
        assert title
        assert caption.endswith((".", "axis."))
    assert figures["guidance"][0] == "Metrics against the guidance scale"


def test_spectrograms_and_projections_are_found_next_to_their_records(tmp_path: Path) -> None:
    for name in ("run", "gap"):
        (tmp_path / name).mkdir()
    write_examples(tmp_path / "run", ["a", "b"], frames=8)
    write_projection(tmp_path / "gap")
    runs = sort([Run("run", tmp_path / "run", MINE), Run("gap", tmp_path / "gap", gap_record({}))])
    figures, left_out = draw_all(analyse(runs, Catalogue()), tmp_path)
    assert "spectrograms" in figures
    assert "contact_sheet" not in figures  # no query has a class label
    assert "principal components" in figures["gap"][1]
    assert left_out == ["figure over guidance scales: no system at two of them or more on one split"]


@pytest.mark.parametrize("family", ["real", "mine"])
def test_the_caption_of_spectrograms_names_what_their_colours_refer_to(tmp_path: Path, family: str) -> None:
    write_examples(tmp_path, [family], frames=8)
    found = analyse(sort([Run("run", tmp_path, MINE)]), Catalogue())
    caption = draw_all(found, tmp_path)[0]["spectrograms"][1]
    assert caption.endswith("the real clip of the same query." if family == "real" else "the query's clips.")


def test_the_numbers_of_a_figure_stand_beside_it(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    write_examples(tmp_path / "run", ["a", "real"], frames=8, labels=("bell", "dog", "bell", "dog", "dog", "bell"))
    sweep = [Run(w, None, on_fad({"a": 3.0 * float(w)}, {}, split="val", guidance=w)) for w in ("1", "2")]
    found = analyse(sort([Run("run", tmp_path / "run", MINE), *sweep]), Catalogue())
    drawn, _ = draw_all(found, tmp_path)
    tables = {name: read_csv(tmp_path / "figures" / f"{name}.csv") for name in drawn}
    assert [(row["metric"], row["system"], float(row["value"])) for row in tables["metrics"]] == [
        ("fad", "a", 1.0),
        ("fad", "b", 2.0),
    ]
    assert [(row["guidance"], float(row["value"])) for row in tables["guidance"]] == [("1.0", 3.0), ("2.0", 6.0)]
    assert [row["query"] for row in tables["spectrograms"] if row["system"] == "a"] == [f"q000{i}" for i in range(4)]
    assert [row["class"] for row in tables["contact_sheet"] if row["system"] == "a"] == ["bell", "bell", "dog", "dog"]


def test_pgf_without_pdflatex_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="figures as PGF need pdflatex, which measures their letters"):
        draw_all(results_of(MINE), tmp_path, pgf=True)
