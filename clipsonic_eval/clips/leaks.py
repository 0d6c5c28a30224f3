"""Leaks between the splits of one folder of prepared clips, and between folders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from clipsonic_eval.checks.leaks import ClipOrigins, check_leaks
from clipsonic_eval.clips._shards import ShardFiles
from clipsonic_eval.clips.store import ClipStore
from clipsonic_eval.errors import UserError
from clipsonic_eval.types import Finding

_OF_THE_FOLDER = "./"  # begins what is known as a file alone, which means nothing in another folder


def leaks_between(folders: Sequence[Path]) -> list[Finding]:
    """Find what folders of prepared clips have in common, or, for a single one, what its splits have.

    Raises:
        UserError: one is no finished folder of prepared clips, or is given twice.
    """
    if len({folder.resolve() for folder in folders}) < len(folders):
        raise UserError("a folder is given twice; give folders that should have nothing in common")
    if len(folders) == 1:
        return leaks_of_splits(_sidecars(folders[0]))
    sets = []
    for folder in folders:
        origins = _origins(str(folder), _sidecars(folder))
        named = {key: video for key, video in origins.videos.items() if not video.startswith(_OF_THE_FOLDER)}
        sets.append(origins._replace(videos=named))
    return check_leaks(sets)


def leaks_of_splits(sidecars: Sequence[Mapping[str, Any]]) -> list[Finding]:
    """Find what the splits of one folder have in common, from the sidecars of its shards."""
    splits = {split for sidecar in sidecars for _, split in sidecar.get("videos", {}).values()}
    if len(splits - {None}) < 2:  # of millions of clips nothing is gathered in vain
        return []
    by_split: dict[str, tuple[dict[str, str], dict[str, str]]] = {}
    for sidecar in sidecars:
        for key, (video, split) in sidecar.get("videos", {}).items():
            if split is not None:
                videos, sounds = by_split.setdefault(split, ({}, {}))
                videos[key], sounds[key] = video, sidecar["sounds"][key]
    return check_leaks([ClipOrigins(split, *of_split) for split, of_split in sorted(by_split.items(), reverse=True)])


def _origins(name: str, sidecars: Sequence[Mapping[str, Any]]) -> ClipOrigins:
    videos = {key: video for sidecar in sidecars for key, (video, _) in sidecar["videos"].items()}
    return ClipOrigins(name, videos, {key: sound for sidecar in sidecars for key, sound in sidecar["sounds"].items()})


def _sidecars(folder: Path) -> list[dict[str, Any]]:
    number = int(ClipStore.open(folder).info["n_shards"])
    found = [ShardFiles(folder, n).read() for n in range(number)]
    if any(sidecar is None or "videos" not in sidecar for sidecar in found):
        raise UserError(f"{folder}: shards are damaged or of another version; prepare the clips again")
    return [sidecar for sidecar in found if sidecar is not None]
