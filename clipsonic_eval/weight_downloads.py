"""Published weights: which there are, where they lie on this machine, and fetching and checking them.

A file is fetched into ``.<name>.part`` beside its place, continued where an earlier attempt ended, compared with the
hash that its publisher states, and renamed. Repositories of the Hugging Face hub are fetched by huggingface_hub, which
does the same in its cache.
"""

from __future__ import annotations

import http.client
import importlib
import importlib.util
import os
import pkgutil
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from clipsonic_eval.errors import WeightsError, unknown_name
from clipsonic_eval.hashing import file_sha256
from clipsonic_eval.progress import SILENT, Progress
from clipsonic_eval.weight_files import PublishedWeights, check_hash_in_name, hub_download, hub_file, torch_hub

_BLOCK: Final = 1 << 20  # bytes
_TIMEOUT_S: Final = 60


def catalogue() -> list[PublishedWeights]:
    """Return every publication that an encoder, a vocoder, a prior or a system of the packages reads."""
    encoders = importlib.import_module("clipsonic_eval.encoders")
    packages = [module.name for module in pkgutil.iter_modules(encoders.__path__) if module.ispkg]
    modules = [f"clipsonic_eval.encoders.{name}.weights" for name in packages]
    modules += [f"{name}.published_weights" for name in ("clipsonic", "paired_tta") if importlib.util.find_spec(name)]
    return [one for module in modules for one in getattr(importlib.import_module(module), "PUBLISHED", ())]


def chosen(names: tuple[str, ...]) -> list[PublishedWeights]:
    """Return the publications of some names: of files, repositories or encoders; no names: all.

    Raises:
        UserError: a name that no publication has.
    """
    everything = catalogue()
    known = {name for one in everything for name in _names(one)}
    for name in names:
        if name not in known:
            raise unknown_name("weights", name, known)
    return [one for one in everything if not names or _names(one) & set(names)]


def _names(weights: PublishedWeights) -> set[str]:
    return {weights.name, *weights.used_by.split(", ")}


def page(weights: PublishedWeights) -> str:
    """Return where weights are published."""
    return weights.url or f"https://huggingface.co/{weights.name}"


def kept(weights: PublishedWeights) -> Path | None:
    """Return the file of the tensors on this machine, where loaders look for it; None: it is not there."""
    if weights.url:
        path = _place(weights)
        return path if path.is_file() else None
    found = (hub_file(weights.name, file) for file in weights.files)
    return next((path for path in found if path is not None), None)


def verify(weights: PublishedWeights, path: Path) -> str:
    """Return the SHA-256 of a kept file, after comparing it with what its publisher states.

    Raises:
        WeightsError: they differ.
    """
    for file in (path, *_other_tensors(weights, path)):
        check_hash_in_name(file, f"remove it and fetch it again from {page(weights)}")
    digest = file_sha256(path, WeightsError)
    if not digest.startswith(weights.sha256):
        raise WeightsError(
            f"{path}: its SHA-256 {digest} is not the published one ({weights.sha256}); remove it and fetch it again "
            f"from {page(weights)}"
        )
    return digest


def fetch(weights: PublishedWeights, progress: Progress = SILENT) -> tuple[Path, str]:
    """Return the file of the tensors and its SHA-256, after fetching what is missing and comparing the hash.

    Raises:
        WeightsError: it cannot be fetched, or is not what its publisher states.
    """
    path = kept(weights)
    if path is None and weights.url:
        return _download(weights, _place(weights), progress)
    if path is None or _of_several_files(weights):  # of which others may be missing
        path = _from_hub(weights)
    return path, verify(weights, path)


def _of_several_files(weights: PublishedWeights) -> bool:
    """Return whether the tensors are those of a pipeline, in a file for each network."""
    return any(pattern.endswith(".safetensors") for pattern in weights.beside)


def _other_tensors(weights: PublishedWeights, path: Path) -> list[Path]:
    """Return the files of a pipeline's other networks, beside that of the kept one."""
    if not _of_several_files(weights):
        return []
    return sorted(file for file in path.parent.parent.glob("*/*.safetensors") if file != path)


def _place(weights: PublishedWeights) -> Path:
    return (Path(weights.folder).expanduser() if weights.folder else torch_hub()) / weights.name


def _from_hub(weights: PublishedWeights) -> Path:
    for file in weights.files:
        wanted = [*weights.beside, file]
        included = " ".join(f'--include "{name}"' for name in wanted)
        command = f"'hf download {weights.name} {included}'"
        found = hub_download(weights.name, wanted, command=command) / file
        if found.is_file():
            return found
    raise WeightsError(
        f"{page(weights)}: holds none of {', '.join(weights.files)} any more; look there for its tensors"
    )


def _download(weights: PublishedWeights, path: Path, progress: Progress) -> tuple[Path, str]:
    """Fetch a file into its place, checked; an interrupted one is continued."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    try:
        _continue(weights, part, progress)
    except (OSError, http.client.HTTPException) as error:
        done = part.stat().st_size if part.is_file() else 0
        raise WeightsError(
            f"{weights.url}: not fetched ({error}), {done:,} bytes are kept; run the same command again to continue, "
            f"or put the file into {path.parent}"
        ) from error
    digest = file_sha256(part, WeightsError)
    if not digest.startswith(weights.sha256):
        part.unlink()
        raise WeightsError(
            f"{weights.url}: what came has the SHA-256 {digest}, not the published one ({weights.sha256}); it was "
            "removed, fetch it again"
        )
    os.replace(part, path)
    return path, digest


def _continue(weights: PublishedWeights, part: Path, progress: Progress) -> None:
    """Append to a part what it lacks.

    Raises:
        OSError: no connection, or it ended early.
    """
    done = part.stat().st_size if part.is_file() else 0
    request = urllib.request.Request(weights.url, headers={"Range": f"bytes={done}-"} if done else {})  # noqa: S310 -- ours
    try:
        answer = urllib.request.urlopen(request, timeout=_TIMEOUT_S)  # noqa: S310 -- a published address, not a user's
    except urllib.error.HTTPError as error:
        if error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE and done:
            return  # nothing is missing; the hash tells whether it is the file
        raise
    with answer:
        if answer.status != http.client.PARTIAL_CONTENT:
            done = 0  # the server begins anew
        length = answer.headers.get("Content-Length")
        total = done + int(length) if length else None
        with part.open("ab" if done else "wb") as file:
            blocks = total and -(-total // _BLOCK)
            for block in progress.track(_blocks(answer), label=weights.name, total=blocks, done=done // _BLOCK):
                file.write(block)
    found = part.stat().st_size
    if total is not None and found != total:
        raise OSError(f"the connection ended after {found:,} of {total:,} bytes")


def _blocks(answer: Any) -> Iterator[bytes]:
    while block := answer.read(_BLOCK):
        yield block
