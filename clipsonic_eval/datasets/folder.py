"""Any folder of videos or sounds."""

from __future__ import annotations

from pathlib import Path

from clipsonic_eval.datasets._base import DATASETS, Dataset, Listing, SourceItem
from clipsonic_eval.datasets._files import media_files, unique_keys
from clipsonic_eval.errors import UserError
from clipsonic_eval.tables import refuse_unknown_split


def items(root: Path, csv: Path | None = None, split: str | None = None) -> Listing:
    """List every media file below ``root``; the folder that holds a file, if not ``root``, is its label.

    Raises:
        UserError: no folder, no media file in it, or a csv or split, which this layout has not.
    """
    if csv is not None:
        raise UserError(f"{csv}: a folder takes no csv; name its layout with --dataset, e.g. manifest or vggsound")
    refuse_unknown_split(split, (), f"{root} (a plain folder)")
    walked = media_files(root)
    files = walked.files
    relative = [path.relative_to(root) for path in files]
    labels = [p.parent.name or None for p in relative]
    keys = unique_keys(relative)
    found = tuple(SourceItem(k, p, label=c) for k, p, c in zip(keys, files, labels, strict=True))
    return Listing(found, notes=walked.notes, left_out=walked.left_out)


DATASETS.add("folder", Dataset("any folder of videos or sounds; folders inside it are labels", items))
