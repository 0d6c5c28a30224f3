from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from clipsonic_eval import atomic, outputs
from clipsonic_eval.errors import UserError
from clipsonic_eval.outputs import claim, differences, state_of

SETTINGS = {"seed": 0, "section": {"steps": 10, "name": "a"}}
OTHER = {"seed": 0, "section": {"steps": 20}}


def run(out: Path, kind: str = "work", settings: object = SETTINGS, **options: bool) -> list[str]:
    with claim(out, kind, settings, **options) as changed:  # type: ignore[arg-type]
        (out / "result.txt").write_text("done")
    return changed


def test_a_new_an_empty_and_the_same_run_s_folder_are_taken(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for out in (tmp_path / "new/deep", tmp_path / "empty"):
        assert run(out) == []
        assert run(out) == []
        assert json.loads((out / "run.json").read_text()) == {"command": "work", **SETTINGS}


def test_another_run_is_refused_with_what_differs(tmp_path: Path) -> None:
    run(tmp_path)
    with pytest.raises(UserError) as raised:
        run(tmp_path, settings=OTHER)
    assert "(section.steps: 10 → 20; section.name: a → not there)" in str(raised.value)
    assert "--overwrite" in str(raised.value)
    with pytest.raises(UserError, match="holds a run of `work`; name another folder"):
        run(tmp_path, kind="play", settings=OTHER, overwrite=True)
    assert (tmp_path / "result.txt").exists()


def test_an_overwritten_run_is_gone_or_kept_for_what_still_holds(tmp_path: Path) -> None:
    run(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/old.txt").touch()
    assert run(tmp_path, settings=OTHER, overwrite=True, keep=True)[0] == "section.steps: 10 → 20"
    assert (tmp_path / "folder/old.txt").exists()
    run(tmp_path, overwrite=True)
    assert not (tmp_path / "folder").exists()


def test_nothing_else_is_ever_overwritten(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(UserError, match=r"holds other things \(thesis.txt\)"):
        run(tmp_path, overwrite=True)
    runs = tmp_path / "runs"
    run(runs)
    run(runs / "inner")
    with pytest.raises(UserError, match="inner: another run lies below"):
        run(runs, settings=OTHER, overwrite=True)
    assert (runs / "inner/result.txt").exists()


def test_a_claim_whose_work_came_to_nothing_is_given_back(tmp_path: Path) -> None:
    def fail() -> None:
        with claim(tmp_path / "a/b", "work", SETTINGS):
            raise UserError("no such weights")

    with pytest.raises(UserError, match="weights"):
        fail()
    assert not (tmp_path / "a").exists()
    run(tmp_path / "a/b", settings=OTHER)  # fixed settings are no other run


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES, errno.ENOSPC])
def test_a_folder_that_takes_no_files_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def refuse(path: Path) -> None:
        raise OSError(number, os.strerror(number), str(path))

    monkeypatch.setattr(atomic, "replacing", refuse)
    with pytest.raises(UserError, match=f"cannot be written into \\({os.strerror(number)}\\); name another folder"):
        run(tmp_path / "out")


@pytest.mark.parametrize("name", ["file", "file/below", "file/far/below", "x" * 300])
def test_a_place_that_cannot_be_a_folder_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"is a file, not a folder|File name too long"):
        run(tmp_path / name)


def test_long_values_and_many_differences_are_cut(tmp_path: Path) -> None:
    del tmp_path
    found = differences({"a": "x" * 500, "b": [1]}, {"a": "y", "b": [2]})
    assert [len(line) < 80 for line in found] == [True, True]
    many = differences({}, {str(k): k for k in range(20)})
    assert outputs.listing(many).endswith("; and 14 more")


def test_the_state_of_files_changes_with_them_and_not_with_texts_that_are_written_again(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"one")
    (tmp_path / "samples.csv").write_text("key\na\n")
    before = state_of(tmp_path)
    assert before is not None
    assert before.startswith("2 files, ")
    (tmp_path / ".hidden").touch()
    os.utime(tmp_path / "samples.csv", (1, 1))
    assert state_of(tmp_path) == before
    os.utime(tmp_path / "a.wav", (1, 1))
    assert state_of(tmp_path) != before
    assert state_of(tmp_path / "gone") is None
    (tmp_path / "clips.json").write_text('{"content_hash": "abcdef", "n_clips": 3}')
    assert state_of(tmp_path) == "3 clips, abcdef"


KILLED = """
import os, sys
from pathlib import Path
from clipsonic_eval import atomic
out = Path(sys.argv[1])
with atomic.replacing(out / "shards/00000.arrow") as a, atomic.replacing_folder(out / "model"):
    a.write_bytes(b"half")
    os.kill(os.getpid(), 9)
"""


def test_the_state_of_a_folder_changes_with_what_its_links_lead_to(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "folder" / "class").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "ring").symlink_to(tmp_path / "folder")
    empty = state_of(tmp_path / "folder")
    (tmp_path / "elsewhere" / "a.wav").write_bytes(b"sound")
    assert state_of(tmp_path / "folder") != empty


def test_temporary_files_of_killed_processes_are_removed_and_those_of_living_ones_stay(tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(out)
    subprocess.run([sys.executable, "-c", KILLED, str(out)], check=False)
    assert len(list(out.rglob(".*"))) == 2
    with atomic.replacing(out / "shards/00001.arrow") as alive:
        alive.write_bytes(b"mine")
        elsewhere = out / ".model.00000000-1.01234567"  # of another machine: nobody knows, but a day is enough
        elsewhere.mkdir()
        run(out)
        assert sorted(out.rglob(".*")) == sorted([alive, elsewhere])
        os.utime(elsewhere, (1, 1))
        run(out)
        assert list(out.rglob(".*")) == [alive]


def test_a_folder_that_was_moved_aside_by_a_killed_process_is_put_back(tmp_path: Path) -> None:
    run(tmp_path)
    code = (
        "import os, shutil, sys\nfrom pathlib import Path\nfrom clipsonic_eval import atomic\n"
        "place = Path(sys.argv[1]) / 'checkpoint'\nplace.mkdir()\n(place / 'state').write_text('good')\n"
        "def die(old, new, real=os.replace):\n    real(old, new)\n    os.kill(os.getpid(), 9)\n"
        "os.replace = die\nwith atomic.replacing_folder(place): pass\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    assert not (tmp_path / "checkpoint").exists()
    run(tmp_path)
    assert (tmp_path / "checkpoint/state").read_text() == "good"
    assert not list(tmp_path.rglob(".*"))
