"""What the base layer does where a file, a program or a package is missing or damaged."""

from __future__ import annotations

import csv
import importlib.metadata
import os
import subprocess
import time
from pathlib import Path

import pytest

from clipsonic_eval import atomic, outputs, provenance
from clipsonic_eval.cli._group import sentence_of
from clipsonic_eval.config import read_yaml, resolve
from clipsonic_eval.errors import ConfigError, UserError
from clipsonic_eval.files import read_csv
from clipsonic_eval.harness.gap_config import GapConfig
from clipsonic_eval.locate import locate

# --- names that lead to Python


def test_a_file_that_failed_to_load_is_loaded_again_once_it_is_fixed(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text("raise ValueError('not yet')\nclass Mine: pass\n")
    with pytest.raises(ValueError, match="not yet"):
        locate(f"{path}:Mine")
    path.write_text("class Mine: pass\n")
    assert locate(f"{path}:Mine").__name__ == "Mine"
    assert locate(f"{path}:Mine") is locate(f"{path}:Mine")


def test_a_package_that_a_module_lacks_is_pythons_own_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "needs_more.py").write_text("import a_package_that_is_not_there\n")
    with pytest.raises(ModuleNotFoundError, match="a_package_that_is_not_there"):
        locate("needs_more:Mine")
    with pytest.raises(UserError, match="no module named 'needs_mere'; is it installed, or misspelt"):
        locate("needs_mere:Mine")


@pytest.mark.parametrize("spec", ["mine.py", ":Mine", "mine.py:", "Mine"])
def test_a_name_without_both_halves_is_refused(spec: str) -> None:
    with pytest.raises(UserError, match=r"expected MODULE:NAME or FILE\.py:NAME"):
        locate(spec)


# --- settings


def test_an_empty_yaml_file_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("# nothing yet\n")
    assert read_yaml(tmp_path / "a.yaml") == {}
    assert resolve(GapConfig, {"source": "f.npz", **read_yaml(tmp_path / "a.yaml")}) == GapConfig(Path("f.npz"))


@pytest.mark.parametrize(("text", "kind"), [("- 1\n", "list"), ("seed\n", "str"), ("3\n", "int")])
def test_a_yaml_file_that_holds_no_keys_is_refused(tmp_path: Path, text: str, kind: str) -> None:
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(ConfigError, match=f"the top level must be a mapping of keys to values, not {kind}"):
        read_yaml(tmp_path / "a.yaml")


# --- files


def test_a_csv_with_a_field_beyond_the_limit_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "t.csv"
    path.write_text("key,prompt\na," + "x" * 50 + "\n")
    before = csv.field_size_limit(20)
    try:
        with pytest.raises(UserError, match=r"t\.csv: not readable as csv \(field larger than field limit"):
            read_csv(path)
    finally:
        csv.field_size_limit(before)
    assert read_csv(path)[0]["key"] == "a"


def test_an_error_without_a_file_name_gets_that_of_the_file_being_written(tmp_path: Path) -> None:
    def write() -> None:
        with atomic.replacing(tmp_path / "a.npz") as temporary:
            temporary.write_bytes(b"half")
            raise OSError("1000 requested and 12 written")  # NumPy's words for a full disk

    with pytest.raises(OSError, match="1000 requested and 12 written") as raised:
        write()
    assert raised.value.filename == str(tmp_path / "a.npz")
    assert not list(tmp_path.iterdir())
    sentence = sentence_of(raised.value)
    assert sentence is not None
    assert sentence.startswith(f"{tmp_path / 'a.npz'}: the disk is full or a quota is used up (1000 requested")


def test_a_folder_that_is_replaced_is_whole_or_as_it_was(tmp_path: Path) -> None:
    def replace(weights: str, *, stop: bool) -> None:
        with atomic.replacing_folder(tmp_path / "model") as made:
            (made / "weights").write_text(weights)
            if stop:
                raise KeyboardInterrupt

    replace("1", stop=False)
    with pytest.raises(KeyboardInterrupt):
        replace("2", stop=True)
    assert (tmp_path / "model" / "weights").read_text() == "1"
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_the_previous_folder_is_kept_where_it_is_asked_for_and_only_the_last_one(tmp_path: Path) -> None:
    for number in ("1", "2", "3"):
        with atomic.replacing_folder(tmp_path / "new", tmp_path / "old") as made:
            (made / "weights").write_text(number)
    assert {path.name: (path / "weights").read_text() for path in tmp_path.iterdir()} == {"new": "3", "old": "2"}


@pytest.mark.parametrize(("days", "stays"), [(0, True), (400, False)])
def test_temporary_files_of_another_machine_are_removed_only_when_they_are_old(
    tmp_path: Path, days: int, stays: bool
) -> None:
    left = tmp_path / f".a.{'0' * 8}-1.{'1' * 8}.npz"
    left.write_text("half")
    at = time.time() - days * 86400
    os.utime(left, (at, at))
    atomic.remove_leftovers(tmp_path)
    assert left.exists() is stays


# --- output folders


def test_a_run_is_known_by_its_command_and_its_differences_can_be_asked_for(tmp_path: Path) -> None:
    assert outputs.changes(tmp_path, "gap", {"seed": 0}) == []
    with outputs.claim(tmp_path, "gap", {"seed": 0}):
        (tmp_path / "record.json").write_text("{}")
    assert outputs.changes(tmp_path, "gap", {"seed": 0}) == []
    assert outputs.changes(tmp_path, "gap", {"seed": 1}) == ["seed: 0 → 1"]
    assert outputs.changes(tmp_path, "evaluate", {"seed": 0}) == ["command: gap → evaluate"]


def test_a_damaged_claim_is_taken_for_no_run_and_its_files_are_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("{")
    (tmp_path / "scores.csv").write_text("a\n")
    with (
        pytest.raises(UserError, match=r"holds other things \(scores\.csv\)"),
        outputs.claim(tmp_path, "gap", {}, overwrite=True),
    ):
        pass
    assert (tmp_path / "scores.csv").read_text() == "a\n"


def test_a_folder_that_is_tried_leaves_no_trace(tmp_path: Path) -> None:
    outputs.try_folder(tmp_path / "a" / "b")
    assert not list(tmp_path.iterdir())
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UserError, match="file: is a file, not a folder"):
        outputs.try_folder(tmp_path / "file" / "below")


def test_what_is_not_there_has_no_state_and_a_link_to_nothing_does_no_harm(tmp_path: Path) -> None:
    assert outputs.state_of(None) is None
    assert outputs.state_of(tmp_path / "nowhere") is None
    (tmp_path / "wavs").mkdir()
    (tmp_path / "wavs" / "a.wav").symlink_to(tmp_path / "nowhere")
    state = outputs.state_of(tmp_path / "wavs")
    assert state is not None
    assert state.startswith("1 files, ")


# --- provenance


def test_without_git_or_outside_a_checkout_there_is_no_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*given: object, **settings: object) -> None:
        raise FileNotFoundError("git")

    monkeypatch.setattr(subprocess, "run", fails)
    found = provenance.collect()
    assert found["commit"] is None
    assert found["uncommitted_changes"] is None


def test_a_package_that_is_not_installed_has_no_version(monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.metadata.version

    def version(name: str) -> str:
        if name == "scipy":
            raise importlib.metadata.PackageNotFoundError(name)
        return real(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    found = provenance.collect()["packages"]
    assert "scipy" not in found
    assert "numpy" in found
