"""A Croissant description (MLCommons) of a folder of prepared clips, by the package that defines the format."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from clipsonic_eval import filenames
from clipsonic_eval.clips._shards import ShardFiles
from clipsonic_eval.clips.store import ClipStore
from clipsonic_eval.datasets import DATASETS
from clipsonic_eval.errors import UserError
from clipsonic_eval.files import write_json
from clipsonic_eval.hashing import file_sha256

_ARROW = "application/vnd.apache.arrow.file"
_NPY = "application/octet-stream"


def package() -> Any:
    """Return the module mlcroissant.

    Raises:
        UserError: it is not installed.
    """
    try:
        import mlcroissant
    except ImportError:
        raise UserError("croissant: mlcroissant is not installed; pip install 'clipsonic-eval[croissant]'") from None
    return mlcroissant


def write_croissant(folder: Path, dataset: str) -> Path:
    """Describe the files of a finished folder, with their hashes, in ``croissant.json``, and return its path.

    Args:
        folder: of the clips.
        dataset: name of the layout they come from, whose licence and source are stated.

    Raises:
        UserError: the package mlcroissant is missing, or the folder is not finished.
    """
    mlcroissant = package()
    store, source = ClipStore.open(folder), DATASETS[dataset]
    described = mlcroissant.Metadata(
        name=folder.resolve().name,
        description=_sentence(store, source.description),
        license=[source.licence or "of the clips' sources"],
        url=source.source or f"urn:sha256:{store.content_hash}",
        version=f"1.0.0+{store.content_hash[:12]}",
        distribution=_files(mlcroissant, store),
        record_sets=_captions(mlcroissant, folder),
    )
    path = folder / filenames.CROISSANT
    write_json(path, described.to_json())
    return path


def _sentence(store: ClipStore, description: str) -> str:
    length = f"{len(store)} clips of {store.info['duration_s']:g} s at {store.sample_rate} Hz"
    images = "" if store.image_space is None else f", with image embeddings by {store.image_space.short}"
    return f"{length}{images}, prepared from {description}; content {store.content_hash}"


def _files(package: Any, store: ClipStore) -> list[Any]:
    """Return the shards, the embeddings and the captions, each with its SHA-256."""
    kinds = {ShardFiles(store.folder, n).arrow: _ARROW for n in range(int(store.info["n_shards"]))}
    kinds |= {store.folder / filenames.EMBEDDINGS: _NPY, store.folder / filenames.CAPTIONS: "text/csv"}
    return [
        package.FileObject(
            id=(name := path.relative_to(store.folder).as_posix()),
            name=name,
            content_url=name,
            encoding_formats=[kind],
            sha256=file_sha256(path),
        )
        for path, kind in kinds.items()
        if path.is_file()
    ]


def _captions(package: Any, folder: Path) -> list[Any]:
    """Return the table of captions as records; Croissant's readers know no Arrow files."""
    if not (folder / filenames.CAPTIONS).is_file():
        return []
    fields = [
        package.Field(
            id=f"captions/{column}",
            name=column,
            data_types=[package.DataType.TEXT],
            source=package.Source(file_object=filenames.CAPTIONS, extract=package.Extract(column=column)),
        )
        for column in ("source", "caption")
    ]
    return [package.RecordSet(id="captions", name="captions", fields=fields)]
