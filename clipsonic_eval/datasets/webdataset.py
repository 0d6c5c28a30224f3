"""WebDataset: tars of media files with captions and labels beside them; they are read in place, not unpacked.

A compressed tar is read from its beginning to its end, once for the listing and once by each decoder. One that holds
more than a hundred times its own size is refused: no media file can be compressed so far.
"""

from __future__ import annotations

import lzma
import tarfile
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any, Final

from clipsonic_eval.datasets._base import DATASETS, Dataset, Listing, Member, SourceItem
from clipsonic_eval.datasets._files import MEDIA_SUFFIXES, key_of, refuse_duplicates
from clipsonic_eval.datasets._lists import leads_out, split_of_folders
from clipsonic_eval.datasets._tars import SUFFIXES, compression, opened_tar
from clipsonic_eval.errors import UserError
from clipsonic_eval.files import parse_json
from clipsonic_eval.table_columns import is_missing, meaning_of
from clipsonic_eval.tables import refuse_unknown_split
from clipsonic_eval.types import Skip

_NOT_READ: Final = (".tar.zst", ".tar.lz4")
_MOST: Final = 100  # times the size of a compressed tar
_CAPTIONS: Final = ("txt", "caption")
_LABELS: Final = ("cls", "label")
_MAX_TEXT: Final = 1 << 20  # bytes of a caption or a json in a tar


def items(root: Path, csv: Path | None = None, split: str | None = None) -> Listing:
    """List the samples of every tar below ``root``, or of one tar.

    The members of a sample share their path up to the first dot of the name. Its media file is the first by suffix
    (video before sound); ``txt`` or ``caption`` holds its caption, ``cls`` or ``label`` its label, and ``json`` may
    hold caption or text (one or a list), label and split. Else a folder named train, validation or test above the tar
    is the split. Links in tars, and names that would lead out of a folder, are refused by name.

    Raises:
        UserError: no tar, nothing usable in any, a csv, which this layout has not, or an unknown split.
    """
    if csv is not None:
        raise UserError(f"{csv}: tars take no csv; --prompts gives captions by key")
    tars, not_read = _tars(root)
    why = f"is compressed in a way that is not read here; unpack it once, or use one of {', '.join(SUFFIXES)}"
    skipped = [Skip(key_of(Path(path.name)), f"{path.name}: {why}") for path in not_read]
    found: list[SourceItem] = []
    for path in tars:
        samples, bad = _read(path)
        skipped += bad
        part = split_of_folders(path.relative_to(root)) if path != root else None
        for base, sample in samples.items():
            item = sample.item(base, path, part)
            (found if isinstance(item, SourceItem) else skipped).append(item)  # type: ignore[arg-type]
    if not found:
        raise UserError(
            f"{root}: no sample in {len(tars)} tars can be used: {'; '.join(s.reason for s in skipped[:3])}"
        )
    refuse_unknown_split(split, (item.split for item in found), str(root))
    count = Counter(item.key for item in found)
    place = {path: key_of(Path(path.name) if path == root else path.relative_to(root)) for path in tars}
    named = [replace(i, key=f"{place[i.path]}__{i.key}") if count[i.key] > 1 else i for i in found]
    refuse_duplicates((item.key for item in named), str(root))
    return Listing(tuple(item for item in named if split in (None, item.split)), tuple(skipped))


def _tars(root: Path) -> tuple[Sequence[Path], Sequence[Path]]:
    """Return the tars, and those that are compressed in another way."""
    there = [root] if root.is_file() else sorted(path for path in root.rglob("*") if path.is_file())
    not_read = [path for path in there if path.name.lower().endswith(_NOT_READ)]
    tars = [path for path in there if path.name.lower().endswith(SUFFIXES)]
    if not tars and not not_read:
        raise UserError(f"{root}: holds no .tar; SOURCE is a folder of tars, or one")
    return tars, not_read


@dataclass(slots=True)
class _Sample:
    """What a tar holds of one sample: its media files by rank of the suffix, and its texts."""

    media: dict[int, Member] = field(default_factory=dict)
    captions: list[str] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)
    problem: str = ""

    def item(self, base: str, tar: Path, split: str | None) -> SourceItem | Skip:
        key = key_of(Path(base))
        if self.problem or not self.media:
            return Skip(key, self.problem or f"{tar.name}: '{base}' has no media file")
        several = tuple(self.captions) if len(self.captions) > 1 else ()
        prompt, part = next(iter(self.captions), None), self.texts.get("split", split)
        member = self.media[min(self.media)]
        return SourceItem(key, tar, 0.0, None, prompt, self.texts.get("label"), part, several, member=member)


def _read(path: Path) -> tuple[dict[str, _Sample], list[Skip]]:
    """Return the samples of a tar by their common name, and members that are refused."""
    samples: dict[str, _Sample] = {}
    skipped: list[Skip] = []
    try:
        with opened_tar(path) as stream, tarfile.open(fileobj=stream, mode="r:") as tar:
            size = path.stat().st_size
            for member in tar:
                if compression(path) and member.offset_data + member.size > _MOST * size:
                    raise tarfile.ReadError(f"holds more than {_MOST} times its size, which no media file allows")
                if member.isdir():
                    continue
                if why := _refused(member):
                    skipped.append(Skip(key_of(Path(member.name)), f"{path.name}: '{member.name}' {why}"))
                    continue
                base, extension = _split_name(member.name)
                if not PurePosixPath(member.name).name.startswith("."):
                    _take(samples.setdefault(base, _Sample()), extension, member, tar, path.name)
            if stream.tell() < tar.offset + tarfile.BLOCKSIZE:  # tarfile takes a cut header for the end
                raise tarfile.ReadError("no end mark")
    except (tarfile.TarError, OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        reason = f"{path.name}: damaged after {len(samples)} samples ({error}); fetch it again"
        skipped.append(Skip(key_of(Path(path.name)), reason))
    return samples, skipped


def _refused(member: tarfile.TarInfo) -> str:
    if member.issym() or member.islnk():
        return f"is a link (to '{member.linkname}'), and links in tars are not followed"
    if not member.isreg() or member.issparse():
        return "is no plain file"
    return "leads out of its folder" if leads_out(member.name) else ""


def _split_name(name: str) -> tuple[str, str]:
    """Split at the first dot of the last part.

    Example:
        >>> _split_name("a.b/0001.left.MP4")
        ('a.b/0001', 'left.mp4')
    """
    folder, slash, last = name.rpartition("/")
    stem, _, extension = last.partition(".")
    return f"{folder}{slash}{stem}", extension.lower()


def _take(sample: _Sample, extension: str, member: tarfile.TarInfo, tar: tarfile.TarFile, where: str) -> None:
    suffix = f".{extension.rpartition('.')[2]}"
    if suffix in MEDIA_SUFFIXES:
        place = Member(member.name, member.offset_data, member.size)
        sample.media.setdefault(MEDIA_SUFFIXES.index(suffix), place)
        return
    if extension not in (*_CAPTIONS, *_LABELS, "json"):
        return
    stream = tar.extractfile(member) if member.size <= _MAX_TEXT else None
    try:
        text = "" if stream is None else stream.read().decode("utf-8-sig")
        values = (
            {"prompt": text} if extension in _CAPTIONS else {"label": text} if extension in _LABELS else _json(text)
        )
    except ValueError as error:
        sample.problem = f"{where}: '{member.name}' is not readable as a text in UTF-8 or as JSON ({error})"
        return
    for name, one in _texts(values):
        if name == "prompt":
            if one not in sample.captions:  # often in a txt and in the json too
                sample.captions.append(one)
        else:
            sample.texts.setdefault(name, one)


def _json(text: str) -> Mapping[str, Any]:
    tree = parse_json(text)
    if not isinstance(tree, dict):
        raise ValueError("no object")
    return tree


def _texts(values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield (prompt, label or split, text) for each text under one of their names; of a list, each."""
    for name, value in values.items():
        meaning = meaning_of(name)
        if meaning in ("prompt", "label", "split"):
            several = value if isinstance(value, list) else [value]
            texts = (str(one).strip() for one in several if isinstance(one, (str, int)))
            yield from ((meaning, text) for text in texts if not is_missing(text))


DATASETS.add("webdataset", Dataset("tars of media files with captions beside them", items))
