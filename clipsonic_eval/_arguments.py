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


def as_folder(given: object) -> Path:
    """Return a folder as a path.

    Raises:
        UserError: it is no path.
    """
    if is_path(given):
        return Path(given)
    raise UserError(f"folder: give a folder of audio, got {type(given).__name__}")


def as_paths(given: Mapping[str, object] | None) -> dict[str, Path]:
    """Return paths by name; None is none."""
    return {name: path for name, one in as_dict(given, "weights").items() if (path := as_path(one)) is not None}


def as_dict(given: Mapping[str, Any] | None, argument: str) -> dict[str, Any]:
    """Return a mapping as a dict; None is an empty one.

    Raises:
        UserError: it is no mapping; names the argument.
    """
    if given is None or isinstance(given, Mapping):
        return dict(given or {})
    raise UserError(f"{argument}: give a dict by name, got {type(given).__name__}")


def require_encoder(encoder: object, weights: object = None) -> None:
    """Refuse what is no encoder, and weights for one that has its own.

    Raises:
        UserError: it is neither a name nor an encoder object, or an object with weights next to it.
    """
    if isinstance(encoder, str):
        return
    if not hasattr(encoder, "card"):
        raise UserError(f"encoder: give a name (list_encoders()) or an encoder object, got {type(encoder).__name__}")
    if weights is not None:
        raise UserError("weights: an encoder object has its own; leave them out, or give the encoder's name")


def are_embeddings(systems: object) -> TypeGuard[Mapping[str, ArrayLike | Embeddings]]:
    """Say whether systems are arrays (n, d) or embeddings by name; a folder among them is an error later."""
    return isinstance(systems, Mapping) and any(one is not None and not is_path(one) for one in systems.values())


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
        UserError: two of them have the same name, or one is None or no path.
    """
    if isinstance(systems, Mapping):
        for name, one in systems.items():
            if one is None:
                raise UserError(f"systems: '{name}' is None; give its folder or its embeddings, or leave it out")
        return as_paths(systems)
    given = [systems] if is_path(systems) else systems
    if not isinstance(given, list | tuple) or not all(map(is_path, given)):
        raise UserError("systems: give a folder, a list of folders, or a dict of folders or of arrays by name")
    folders = [Path(folder) for folder in given]
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
    other = as_embeddings(text, "text", modality="text")
    found = {n: as_embeddings(v, f"prior '{n}'", modality=target.modality) for n, v in priors.items()}
    for name, one in (("text", other), *found.items()):
        if not isinstance(image, Embeddings) and len(one) != len(target):
            raise UserError(f"{name}: {len(one)} rows, and the image side has {len(target)}; row i of each is one pair")
    return target, other, found


def warn_of_faults(record: RunRecord) -> None:
    """Warn the caller of the API of numbers of a record that cannot be trusted, and of clips that were left out."""
    found = [(name, f) for name, several in record.findings.items() for f in several if f.severity == "error"]
    if found:
        name, first = found[0]
        more = f" ({len(found) - 1} more, see run.findings_frame())" if len(found) > 1 else ""
        warnings.warn(f"{name}: {first.sentence}{more}", stacklevel=3)
    for name, skipped in record.skipped.items():
        warn_of_skipped(name, skipped, stacklevel=4)


def warn_of_skipped(where: Path | str, skipped: Sequence[Skip], *, stacklevel: int) -> None:
    """Warn the caller of the API of clips that were left out."""
    if skipped:
        clips = "1 clip" if len(skipped) == 1 else f"{len(skipped)} clips"
        first = skipped[0]
        warnings.warn(f"{where}: {clips} skipped, the first: {first.key}: {first.reason}", stacklevel=stacklevel)
