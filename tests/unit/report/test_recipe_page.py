"""The page of a search for a recipe: every variant beside the base, from the results alone."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from clipsonic_eval.cli import main
from clipsonic_eval.errors import UserError
from clipsonic_eval.files import write_json
from clipsonic_eval.reporting import recipe_rows, recipes
from clipsonic_eval.reporting.figures import recipes as figure
from clipsonic_eval.reporting.figures import style

# FAD and class accuracy by variant and seed
TRIED = {
    "base": {0: (12.0, 0.80), 1: (13.0, 0.82)},
    "logit-normal": {0: (10.0, 0.90), 1: (10.5, 0.88)},
    "wide": {0: (15.0, 0.70), 1: (16.0, 0.72)},
    "lucky": {0: (11.0, 0.81), 1: (14.0, 0.79)},
}


def result(variant: str, seed: int, fad: float, accuracy: float, **more: Any) -> dict[str, Any]:
    scores = {
        "guidance": 3.0,
        "steps": 20,
        "n": 480,
        "fad": fad,
        "fad_ci": [fad - 1, fad + 1],
        "clap_score": accuracy / 2,
        "clap_score_ci": None,
        "class_accuracy": accuracy,
        "class_accuracy_ci": None,
        "worst_class": "bell",
        "worst_class_accuracy": accuracy - 0.3,
        "by_class": {"bell": accuracy - 0.3},
    }
    return {
        "variant": variant,
        "seed": seed,
        "overrides": {} if variant == "base" else {"train.kind": variant},
        "command": f"clipsonic-eval train base.yaml --set train.kind={variant} --set train.seed={seed}",
        "cpu_s": 300.0 + seed,
        "ms_per_step": 170.0,
        "steps": 1700,
        "weights": "abc",
        "loss": 0.3,
        "val_loss": 0.25,
        "evaluations": [scores],
        **more,
    }


@pytest.fixture
def found(tmp_path: Path) -> Path:
    for variant, by_seed in TRIED.items():
        for seed, (fad, accuracy) in by_seed.items():
            place = tmp_path / "search" / variant / f"seed-{seed}"
            write_json(place / "result.json", result(variant, seed, fad, accuracy))
            write_json(place / "run.json", {"no": "result"})
    return tmp_path / "search"


@pytest.fixture
def look() -> Iterator[None]:
    with style.look():
        yield


def test_variants_stand_in_the_order_of_their_mean_fad(found: Path) -> None:
    (rows,) = recipe_rows.by_setting(recipe_rows.read([found])).values()
    assert list(rows) == ["logit-normal", "base", "lucky", "wide"]  # 10.25, 12.5, 12.5, 15.5
    assert recipe_rows.mean(rows["logit-normal"], "fad") == 10.25
    assert recipe_rows.base_of(rows) == "base"


def test_differences_to_the_base_are_of_equal_seeds_and_positive_where_better(found: Path) -> None:
    (rows,) = recipe_rows.by_setting(recipe_rows.read([found])).values()
    assert recipe_rows.gains(rows["logit-normal"], rows["base"], "fad") == [2.0, 2.5]
    assert recipe_rows.gains(rows["logit-normal"], rows["base"], "class_accuracy") == pytest.approx([0.10, 0.06])
    assert recipe_rows.gains(rows["wide"], rows["base"][1:], "fad") == [-3.0]  # seed 1 alone is in both


def test_the_page_says_for_which_variants_every_seed_agrees(found: Path, tmp_path: Path) -> None:
    page = recipes.write(recipe_rows.read([found]), tmp_path / "page", "make it").read_text()
    assert "4 variants, 8 trainings, seeds 0 and 1; 300 to 301 seconds of one processor each" in page
    assert "FAD is lower than that of 'base' with every seed for logit-normal." in page
    assert "FAD is higher than that of 'base' with every seed for wide." in page
    assert "Seeds disagree, or there is one only, for lucky." in page
    assert "- `wide`: `clipsonic-eval train base.yaml --set train.kind=wide --set train.seed=0`" in page
    assert "```\nmake it\n```" in page
    assert "**" not in page  # nothing was tested


def test_a_row_of_the_csv_file_is_one_training_at_one_setting(found: Path, tmp_path: Path) -> None:
    recipes.write(recipe_rows.read([found]), tmp_path / "page")
    rows = list(csv.DictReader((tmp_path / "page/recipe.csv").read_text().splitlines()))
    assert len(rows) == 8
    (row,) = (r for r in rows if (r["variant"], r["seed"]) == ("wide", "1"))
    assert (float(row["fad"]), float(row["fad_low"]), float(row["class_accuracy"])) == (16.0, 15.0, 0.72)
    assert (row["setting"], row["worst_class"], json.loads(row["overrides"])) == (
        "guidance 3.0, steps 20", "bell", {"train.kind": "wide"},
    )  # fmt: skip


def test_the_page_is_made_again_from_its_records_byte_by_byte(found: Path, tmp_path: Path) -> None:
    recipes.write(recipe_rows.read([found]), tmp_path / "page")
    recipes.write(recipe_rows.read([tmp_path / "page/records"]), tmp_path / "again")
    for name in ("README.md", "recipe.csv", "recipe.tex", "recipe.png", "recipe.pdf"):
        assert (tmp_path / "page" / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


def test_without_a_base_nothing_is_compared_with_it(found: Path, tmp_path: Path) -> None:
    results = [r for r in recipe_rows.read([found]) if r["variant"] != "base"]
    page = recipes.write(results, tmp_path / "page").read_text()
    assert "lower by" not in page
    assert "'base'" not in page


def test_settings_of_sampling_are_sections_with_differences_of_their_own(tmp_path: Path) -> None:
    results = []
    for variant, fad in (("base", 9.0), ("new", 8.0)):
        one = result(variant, 0, fad, 0.9)
        more = {**one["evaluations"][0], "guidance": 4.0, "fad": fad + (3.0 if variant == "new" else 0.5)}
        results.append({**one, "evaluations": [*one["evaluations"], more]})
    page = recipes.write(results, tmp_path / "page").read_text()
    rows = [line for line in page.splitlines() if line.startswith("| new")]
    assert ["+1.00 (one seed)" in rows[0], "−1.50 (one seed)" in rows[1]] == [True, True]
    assert "*sampled with guidance 4.0, steps 20*" in page


@pytest.mark.usefixtures("look")
def test_the_figure_shows_means_and_seeds_of_every_metric(found: Path) -> None:
    drawn, caption = figure.draw(recipe_rows.by_setting(recipe_rows.read([found])))
    assert [axis.get_xlabel() for axis in drawn.axes] == [
        "FAD ↓", "CLAP score ↑", "Class accuracy ↑", "Worst class ↑",
    ]  # fmt: skip
    first = drawn.axes[0]
    assert [t.get_text() for t in first.get_yticklabels()] == ["logit-normal", "base", "lucky", "wide"]
    ticks, points = ([line for line in first.lines if line.get_marker() == m] for m in ("|", "o"))
    assert [list(line.get_xdata()) for line in ticks] == [[10.0, 10.5], [12.0, 13.0], [11.0, 14.0], [15.0, 16.0]]
    assert list(points[0].get_xdata()) == [10.25, 12.5, 12.5, 15.5]
    assert "n = 480" in caption


def test_what_is_no_result_is_refused_by_name(found: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no result\.json below; give folders that `recipe` wrote"):
        recipe_rows.read([tmp_path / "nothing"])
    broken = found / "wide/seed-0/result.json"
    write_json(broken, {"variant": "wide", "seed": 0})
    with pytest.raises(UserError, match=r"wide/seed-0/result\.json: no result of a recipe, it lacks overrides"):
        recipe_rows.read([found])


def test_two_results_of_one_training_are_refused(found: Path) -> None:
    with pytest.raises(UserError, match="a second result of variant 'base', seed 0"):
        recipe_rows.read([found, found])


def test_the_command_writes_the_page_of_results_that_are_there(found: Path, tmp_path: Path) -> None:
    out = tmp_path / "page"
    done = CliRunner().invoke(main, ["recipe", "--records", str(found), "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert done.output.splitlines()[-1] == str(out / "README.md")
    assert f"clipsonic-eval recipe --records {found} --out {out}" in (out / "README.md").read_text()


@pytest.mark.parametrize("given", [[], ["search.yaml", "--records", "somewhere"]])
def test_the_command_wants_a_search_or_its_results(given: list[str]) -> None:
    done = CliRunner().invoke(main, ["recipe", *given])
    assert done.exit_code != 0
    assert "give a CONFIG to search, or --records" in str(done.output) + str(done.exception)
