"""Errors that are neither the user's nor ours: a full disk, missing rights, long names, processes that are lost."""

from __future__ import annotations

import errno
from pathlib import Path

import click
import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result

from clipsonic_eval.cli import _Main


def outcome(error: Exception) -> Result:
    group = _Main("main", package="clipsonic_eval.cli")

    @group.command("work")
    def work() -> None:
        raise error

    group.list_commands = lambda ctx: ["work"]  # type: ignore[method-assign, assignment]
    return CliRunner().invoke(group, ["work"])


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "runs/a.wav"), "runs/a.wav: the disk is full"),
        (OSError(errno.EDQUOT, "Disk quota exceeded", "runs/a.wav"), "runs/a.wav: the disk is full"),
        (OSError("160000 requested and 1024 written"), "the disk is full"),  # NumPy's
        (RuntimeError("I/O error: No space left on device (os error 28)"), "the disk is full"),  # safetensors'
        (PermissionError(errno.EACCES, "Permission denied", "runs"), "runs: Permission denied"),
        (OSError(errno.EROFS, "Read-only file system", "runs"), "runs: Read-only file system"),
        (OSError(errno.ENAMETOOLONG, "File name too long", "a" * 300), "File name too long"),
        (RuntimeError("[gloo/pair.cc:537] Read error: Connection reset by peer. Look there."), "of this job are lost"),
        (
            torch.distributed.DistBackendError("NCCL error: remote process exited"),
            "(NCCL error: remote process exited)",
        ),
        (NotADirectoryError(errno.ENOTDIR, "Not a directory", "a/b"), "a/b: Not a directory"),
    ],
)
def test_it_ends_as_one_sentence(error: Exception, words: str) -> None:
    result = outcome(error)
    assert result.exit_code == 2
    assert words in result.stderr
    assert "run the same command again" in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_a_full_disk_is_named_when_a_library_fails_on_it_with_another_error() -> None:
    def stumble() -> None:
        try:
            raise OSError(errno.ENOSPC, "No space left on device", "figures/a.pdf")
        finally:
            raise AttributeError("'Stream' object has no attribute 'pos'")

    with pytest.raises(AttributeError) as raised:
        stumble()
    assert "figures/a.pdf: the disk is full" in outcome(raised.value).stderr


def test_a_bug_of_ours_stays_a_traceback() -> None:
    assert isinstance(outcome(ZeroDivisionError("x")).exception, ZeroDivisionError)
    assert "full" not in outcome(ValueError("3 written")).output


def test_click_prints_its_own_errors() -> None:
    result = outcome(click.UsageError("no space left"))
    assert result.exit_code == 2
    assert "disk is full" not in result.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_the_error_of_numpy_on_a_full_disk_is_recognised() -> None:
    with pytest.raises(OSError, match=r"written|space") as raised, Path("/dev/full").open("wb") as stream:
        np.save(stream, np.zeros(10_000))
    assert "the disk is full" in outcome(raised.value).stderr


def test_a_bar_ends_its_line_before_the_error_is_told(capfd: pytest.CaptureFixture[str]) -> None:
    from clipsonic_eval.progress import Bars

    group = _Main("main", package="clipsonic_eval.cli")
    group.list_commands = lambda ctx: ["work"]  # type: ignore[method-assign, assignment]

    @group.command("work")
    def work() -> None:
        for _ in Bars().track(range(3), label="bar"):
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(SystemExit):
        group.main(["work"])
    assert capfd.readouterr().err.splitlines()[-1].startswith("error: the disk is full")
