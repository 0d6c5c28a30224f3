from __future__ import annotations

from pathlib import Path

import pytest

from clipsonic_eval.errors import ConfigError, UserError
from clipsonic_eval.presets import presets, read_training


def _write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_a_configuration_changes_the_one_it_extends_section_by_section(tmp_path: Path) -> None:
    _write(tmp_path / "base.yaml", "trainer: a:b\ntrain: {steps: 5, seed: 1}\nsplit: train\n")
    _write(tmp_path / "middle.yaml", "extends: base.yaml\ntrain: {steps: 6}\nnew: {x: 1}\n")
    last = _write(tmp_path / "last.yaml", "extends: middle.yaml\ntrain: {rate: 2}\nsplit: null\n")
    assert read_training(last) == {
        "trainer": "a:b",
        "train": {"steps": 6, "seed": 1, "rate": 2},
        "split": None,
        "new": {"x": 1},
    }


def test_a_preset_is_named_or_extended_from_anywhere(tmp_path: Path) -> None:
    mine = _write(tmp_path / "mine.yaml", "extends: vggsound\nclips: here\n")
    assert read_training(mine) == {**read_training(Path("vggsound")), "clips": "here"}


def test_a_file_hides_a_preset_of_the_same_name_and_a_folder_of_data_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "vggsound").mkdir()
    assert read_training(Path("vggsound"))["split"] == "train"
    _write(tmp_path / "music", "clips: my own\n")
    assert read_training(Path("music")) == {"clips": "my own"}


def test_every_preset_reads() -> None:
    assert all("extends" not in read_training(path) for path in presets().values())


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("extends: vgsound", UserError, "vggsound"),
        ("extends: [vggsound]", ConfigError, "'extends' must name one preset or YAML file"),
        ("extends: mine.yaml", ConfigError, "a chain must end"),
        ("extends: nowhere.yaml", ConfigError, "nowhere.yaml"),
        ("extends: ../nowhere/vggsound", ConfigError, "nowhere"),
    ],
)
def test_what_cannot_be_extended_is_one_sentence(
    tmp_path: Path, text: str, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        read_training(_write(tmp_path / "mine.yaml", text))


def test_a_missing_file_and_a_misspelt_preset_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.yaml"):
        read_training(tmp_path / "none.yaml")
    with pytest.raises(UserError, match="preset or file"):
        read_training(Path("vggsond"))
