"""What a notebook may write for an argument: strings for paths, one for several, arrays for embeddings."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeGuard

from numpy.typing import ArrayLike

from clipsonic_eval.errors import UserError
from clipsonic_eval.progress import SILENT, Bars, Progress
from clipsonic_eval.records import RunRecord
from clipsonic_eval.types import Embeddings, Skip, as_embeddings

StrPath = str | os.PathLike[str]


def is_path(value: object) -> TypeGuard[StrPath]:
    """Say whether an argument names a file or folder."""
    return isinstance(value, str | os.PathLike)


def as_path(given: object) -> Path | None:
    """Return a path; None stays None.

    Raises:
        UserError: it is something else, such as an array among folders.
    """
    if given is None or is_path(given):
        return None if given is None else Path(given)
    raise UserError(
        f"a path is needed here, and this is of type {type(given).__name__}; give arrays for all sets or none"
    )


def as_paths(given: Mapping[str, object] | None) -> dict[str, Path]:
    """Return paths by name; None is none."""
    return {name: path for name, one in (given or {}).items() if (path := as_path(one)) is not None}


def are_embeddings(systems: object) -> TypeGuard[Mapping[str, ArrayLike | Embeddings]]:
    """Say whether systems are arrays (n, d) or embeddings by name; a folder among them is an error later."""
    return isinstance(systems, Mapping) and any(not is_path(one) for one in systems.values())


def for_folders_only(**options: object) -> None:
    """Refuse options that mean nothing for embeddings.

    Raises:
        UserError: one is given; names it.
    """
    given = [name for name, value in options.items() if value is not None and value != ()]
    if given:
        raise UserError(f"{given[0]}: is for folders of audio, and the systems are embeddings; leave it out")


def require_files(text: object, priors: Mapping[str, object]) -> None:
    """Refuse arrays next to a folder or file.

    Raises:
        UserError: the text side or a prior is an array.
    """
    if text is not None and not is_path(text):
        raise UserError("text: with a folder or file as image side, give the table of its prompts, or nothing")
    if not all(map(is_path, priors.values())):
        raise UserError("prior: with a folder or file as image side, give files with the arrays keys and vectors")


def as_names(given: Sequence[str] | str) -> tuple[str, ...]:
    """Return several names; a single one is a list of one."""
    return (given,) if isinstance(given, str) else tuple(given)


def as_progress(shown: bool) -> Progress:
    """Return bars on stderr, or silence."""
    return Bars() if shown else SILENT


def as_systems(systems: Mapping[str, object] | Sequence[StrPath] | StrPath) -> dict[str, Path]:
    """Return folders by the name of the system; folders without names are called as they are on disk.

    Raises:
        UserError: two of them have the same name.
    """
    if isinstance(systems, Mapping):
        return as_paths(systems)
    folders = [Path(folder) for folder in ([systems] if isinstance(systems, str | os.PathLike) else systems)]
    named = {folder.resolve().name: folder for folder in folders}
    if len(named) != len(folders):
        raise UserError("systems: two folders have the same name; give a dict with a name for each")
    return named


def as_pairs(image: Any, text: Any, priors: Mapping[str, Any]) -> tuple[Embeddings, Embeddings, dict[str, Embeddings]]:
    """Return both sides of a modality gap and the priors, (n, d) each, with the keys of their pairs.

    Raises:
        UserError: one is no (n, d) array, or arrays differ in n.
    """
    if text is None:
        raise UserError("text: the image side is an array, so the text side must be one: (n, d), row by row its pair")
    target = as_embeddings(image, "image", modality="image")
    others = {"text": as_embeddings(text, "text", modality="text")}
    for name, vectors in priors.items():
        others[name] = as_embeddings(vectors, f"prior '{name}'", modality=target.modality)
    for name, one in others.items():
        if not isinstance(image, Embeddings) and len(one) != len(target):
            raise UserError(f"{name}: {len(one)} rows, and the image side has {len(target)}; row i of each is one pair")
    return target, others.pop("text"), others


def warn_of_errors(record: RunRecord) -> None:
    """Warn the caller of the API where a check found that numbers of a record cannot be trusted."""
    found = [(name, f) for name, several in record.findings.items() for f in several if f.severity == "error"]
    if found:
        name, first = found[0]
        more = f" ({len(found) - 1} more, see run.findings_frame())" if len(found) > 1 else ""
        warnings.warn(f"{name}: {first.sentence}{more}", stacklevel=3)


def warn_of_skipped(folder: Path, skipped: Sequence[Skip], *, stacklevel: int) -> None:
    """Warn the caller of the API of clips that were left out."""
    if skipped:
        clips = "1 clip" if len(skipped) == 1 else f"{len(skipped)} clips"
        first = skipped[0]
        warnings.warn(f"{folder}: {clips} skipped, the first: {first.key}: {first.reason}", stacklevel=stacklevel)
