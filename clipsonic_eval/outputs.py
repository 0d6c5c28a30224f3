"""Output folders: claimed before the work begins, by one rule for all commands.

``run.json`` in the folder holds the command and everything that decides the result. The same command continues there,
or returns the finished result; any other is refused with the differences, unless it may overwrite.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from clipsonic_eval import atomic, filenames
from clipsonic_eval.config import as_tree
from clipsonic_eval.errors import UserError
from clipsonic_eval.files import read_json, write_json
from clipsonic_eval.hashing import config_hash, file_sha256

_SHOWN = 6  # differences in one sentence
_LONGEST = 60  # characters of a value in it
_MISSING = object()
_TEXTS = (".json", ".csv", ".tsv", ".jsonl", ".txt", ".yaml", ".md")  # may be rewritten with the same contents


@contextlib.contextmanager
def claim(
    out: Path, kind: str, identity: Mapping[str, Any], *, overwrite: bool = False, keep: bool = False
) -> Iterator[list[str]]:
    """Claim an output folder for the length of a ``with`` block.

    The folder is made, tested by writing, and cleared of temporary files of killed processes. A claim is withdrawn if
    its work fails before anything is written.

    Args:
        out: the folder.
        kind: the command.
        identity: everything that decides the result, JSON-serialisable, without the machine's own paths.
        overwrite: an earlier run of the same command may be replaced.
        keep: overwriting leaves the earlier files, of which the caller reuses those that are still valid.

    Yields:
        Differences from the earlier run that is overwritten, ``key: old → new``; empty where there is none.

    Raises:
        UserError: the folder cannot be made or written, or holds something else.
    """
    wanted = _wanted(kind, identity)
    made = make_folder(out)
    atomic.remove_leftovers(out)
    earlier = _read(out / filenames.RUN)
    changed: list[str] = []
    if earlier != wanted and _contents(out):
        changed = _other_run(out, earlier, wanted, overwrite=overwrite)
        if not keep:
            _clear(out, kind)
    with _writing(out):
        write_json(out / filenames.RUN, wanted)
    try:
        yield changed
    except BaseException:
        if earlier != wanted and not _contents(out):
            (out / filenames.RUN).unlink(missing_ok=True)
            for folder in made:
                with contextlib.suppress(OSError):
                    folder.rmdir()
        raise


def changes(out: Path, kind: str, identity: Mapping[str, Any]) -> list[str]:
    """Return the differences between the run in a folder and the one that a command wants; empty for no run."""
    earlier = _read(out / filenames.RUN)
    return [] if earlier is None else differences(earlier, _wanted(kind, identity))


def _wanted(kind: str, identity: Mapping[str, Any]) -> dict[str, Any]:
    return {"command": kind, **as_tree(identity)}


def make_folder(folder: Path, option: str = "--out") -> list[Path]:
    """Make a folder and its parents, and test that it can be written into.

    Args:
        folder: the folder.
        option: of the command line that names it, for the error sentence.

    Returns:
        The folders that were not there before, the innermost first.

    Raises:
        UserError: it cannot be made or written, or is a file.
    """
    with _writing(folder, option):
        chain = [folder, *folder.parents]
        for place in chain:
            if place.exists() and not place.is_dir():
                raise UserError(f"{place}: is a file, not a folder; {option} names a folder")
        made = [place for place in chain if not place.exists()]
        folder.mkdir(parents=True, exist_ok=True)
        with atomic.replacing(folder / ".probe") as temporary:
            temporary.write_bytes(b"\0")
        (folder / ".probe").unlink(missing_ok=True)
    return made


def try_folder(folder: Path) -> None:
    """Test that a folder can be made and written, and leave everything as it was.

    Raises:
        UserError: it cannot.
    """
    for place in make_folder(folder):
        place.rmdir()


@contextlib.contextmanager
def _writing(folder: Path, option: str = "--out") -> Iterator[None]:
    try:
        yield
    except OSError as error:
        why = error.strerror or str(error)
        raise UserError(f"{folder}: cannot be written into ({why}); name another folder with {option}") from None


def _contents(out: Path) -> list[str]:
    """Return the names of the files in a folder other than the claim; hidden files do not count."""
    return sorted(p.name for p in out.iterdir() if p.name != filenames.RUN and not p.name.startswith("."))


def _other_run(out: Path, earlier: dict[str, Any] | None, wanted: dict[str, Any], *, overwrite: bool) -> list[str]:
    """Return the differences from the run that lies there, if it may be overwritten.

    Raises:
        UserError: it may not, or the folder holds something else.
    """
    if earlier is None:
        names = _contents(out)
        listed = ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
        raise UserError(f"{out}: holds other things ({listed}); name a new or an empty folder with --out")
    command = wanted["command"]
    if earlier.get("command") != command:
        raise UserError(f"{out}: holds a run of `{earlier.get('command')}`; name another folder with --out")
    changed = differences(earlier, wanted)
    if not overwrite:
        raise UserError(
            f"{out}: holds a run of `{command}` with other settings or inputs ({listing(changed)}); name another "
            "folder with --out, or replace the run with --overwrite"
        )
    return changed


def _clear(out: Path, kind: str) -> None:
    """Remove an earlier run.

    Raises:
        UserError: runs of other commands lie below it.
    """
    nested = next((p for p in out.rglob(filenames.RUN) if p.parent != out), None)
    if nested is not None and kind not in ("demo", "sweep"):  # these are made of other commands' runs
        raise UserError(
            f"{nested.parent}: another run lies below the one to be replaced; move it, or name another --out"
        )
    for path in out.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def _read(path: Path) -> dict[str, Any] | None:
    try:
        found = read_json(path)
    except UserError:
        return None
    return found if isinstance(found, dict) else None


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Return where two trees differ, in the order of the keys; a section that only one has is one difference.

    Example:
        >>> differences({"seed": 0, "train": {"steps": 10}}, {"seed": 0, "train": {"steps": 20}})
        ['train.steps: 10 → 20']
    """
    return list(_differing(old, new))


def _differing(old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for key in dict.fromkeys([*old, *new]):
        before, after = old.get(key, _MISSING), new.get(key, _MISSING)
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            yield from _differing(before, after, f"{prefix}{key}.")
        elif before is _MISSING or after is _MISSING or before != after:
            yield f"{prefix}{key}: {_shown(before)} → {_shown(after)}"


def listing(changed: list[str]) -> str:
    """Return differences as part of a sentence."""
    more = f"; and {len(changed) - _SHOWN} more" if len(changed) > _SHOWN else ""
    return "; ".join(changed[:_SHOWN]) + more


def _shown(value: Any) -> str:
    if value is _MISSING:
        return "not there"
    if isinstance(value, Mapping):
        return "given"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def state_of(path: Path | None) -> str | None:
    """Return a short text that changes with a file, or with the files in and below a folder, links followed.

    Prepared clips and small texts are identified by their content, because repeating a command may rewrite them; other
    files by size and modification time. Hidden files do not count.
    """
    if path is None or not path.exists():
        return None
    if path.is_file():
        return config_hash(_state(path))
    clips = _read(path / filenames.CLIPS)
    if clips is not None and "content_hash" in clips:
        return f"{clips.get('n_clips')} clips, {str(clips['content_hash'])[:12]}"
    states = []
    seen: set[tuple[int, int]] = set()
    for folder, below, names in os.walk(path, followlinks=True):
        here = Path(folder).stat()
        if (here.st_dev, here.st_ino) in seen:  # a link that leads back
            below.clear()
            continue
        seen.add((here.st_dev, here.st_ino))
        below.sort()
        kept = [Path(folder) / name for name in sorted(names) if not name.startswith(".")]
        states += [[p.relative_to(path).as_posix(), *_state(p)] for p in kept]
    return f"{len(states)} files, {config_hash(states)}"


def _state(path: Path) -> list[Any]:
    try:
        found = path.stat()
        if path.suffix.lower() in _TEXTS and path.is_file():
            return [found.st_size, file_sha256(path)]
    except OSError:  # whoever reads it says so
        return [0, 0]
    return [found.st_size, found.st_mtime_ns]
