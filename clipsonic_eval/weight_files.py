"""Weight files of published networks: where they lie, whether they are what their names say, and networks from them.

Nothing in a file is executed, nothing is downloaded unless asked for, and no missing tensor is initialised at random.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import pickle
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

import torch
from torch import Tensor, nn

from clipsonic_eval.errors import WeightsError
from clipsonic_eval.files import read_json
from clipsonic_eval.hashing import file_sha256
from clipsonic_eval.tensors import missing_and_unexpected

Net = TypeVar("Net", bound=nn.Module)

DOWNLOAD: Final = "CLIPSONIC_EVAL_DOWNLOAD"  # environment variable
COPY_FOLDER: Final = "copy or fetch the whole folder again"


class PublishedWeights(NamedTuple):
    """Weights that others have published, as ``clipsonic-eval weights`` lists them; ``PUBLISHED`` of a weights module.

    Attributes:
        name: of the file; of a repository of the Hugging Face hub, with its owner.
        used_by: the encoders, vocoders or priors that read them.
        licence: of the weights.
        url: of the file; "" for a repository.
        folder: where a loader looks for the file; "": torch.hub's folder. A repository lies in the hub's cache.
        files: of a repository: the names that the tensors may have, in order of preference.
        beside: patterns of its other files that are read.
        sha256: of the file or the first of ``files``, or its first digits; "" where none is published.
    """

    name: str
    used_by: str
    licence: str
    url: str = ""
    folder: str = ""
    files: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    sha256: str = ""


def torch_hub() -> Path:
    """Return the folder in which torch.hub keeps downloaded weights."""
    return Path(os.environ.get("TORCH_HOME", Path.home() / ".cache" / "torch")) / "hub" / "checkpoints"


def torch_hub_file(weights: Path | None, name: str, source: str, *, named: str) -> Path:
    """Return a published weight file: the one given, the published name in the folder given, or torch.hub's copy.

    Args:
        weights: file, or folder that holds it; None: torch.hub's folder.
        name: of the file as published.
        source: address to fetch it from.
        named: the network, for the error message.

    Raises:
        WeightsError: there is none.
    """
    place = weights if weights is not None else torch_hub()
    path = place / name if place.is_dir() else place
    if not path.is_file():
        raise WeightsError(f"{path}: no {named} weights here; {how_to_get(name, source)}")
    return path


def how_to_get(name: str, source: str) -> str:
    """Return how a published file is got, as the end of a sentence that says that it is missing."""
    return f"get it with 'clipsonic-eval weights {name} --fetch' or from {source}, or name your copy with --weights"


def may_download(asked: bool | None) -> bool:
    """Return ``asked``; None: whether the environment variable CLIPSONIC_EVAL_DOWNLOAD is 1."""
    return os.environ.get(DOWNLOAD) == "1" if asked is None else asked


def hub_file(repository: str, name: str) -> Path | None:
    """Return a file of a Hugging Face repository from the user's cache, None if it is not there; no network access."""
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(repository, name)
    return Path(found) if isinstance(found, str) else None


def hub_folder(repository: str) -> Path | None:
    """Return the cached folder of a Hugging Face repository if it holds tensors, else None; no network access."""
    import huggingface_hub
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        folder = Path(huggingface_hub.snapshot_download(repository, local_files_only=True))
    except LocalEntryNotFoundError:
        return None
    return folder if (folder / "config.json").is_file() and tensors_in(folder) else None


def hub_model(name: str | Path, marker: str) -> Path:
    """Return a folder, or that of a Hugging Face repository in the user's cache.

    It is downloaded only where the environment variable CLIPSONIC_EVAL_DOWNLOAD is 1.

    Args:
        name: of the folder or the repository.
        marker: file that a complete one holds.

    Raises:
        WeightsError: neither.
    """
    import huggingface_hub
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    folder, fetch = Path(name), may_download(None)
    if folder.exists() or not re.fullmatch(r"[\w.-]+/[\w.-]+", str(name)):
        return folder
    try:
        found = Path(huggingface_hub.snapshot_download(str(name), local_files_only=not fetch))
    except LocalEntryNotFoundError:
        raise WeightsError(
            f"{name}: no such folder, and no repository of this name in the Hugging Face cache; give the folder of a "
            f"model, or set {DOWNLOAD}=1 to download the repository"
        ) from None
    except (OSError, HfHubHTTPError) as error:
        line = str(error).strip().partition("\n")[0]
        raise WeightsError(f"{name}: no such folder, and the repository could not be fetched ({line})") from error
    if not (found / marker).is_file():
        raise WeightsError(f"{name}: this repository has no {marker}; name one with a model of this package")
    return found


def hub_download(repository: str, names: Sequence[str], *, command: str) -> Path:
    """Return the folder with files of a Hugging Face repository, after downloading what the cache lacks.

    Args:
        repository: on the hub.
        names: of files, or patterns of names.
        command: shell command that does the same, for the error message.

    Raises:
        WeightsError: no network, or no such file.
    """
    import huggingface_hub

    try:
        return Path(huggingface_hub.snapshot_download(repository, allow_patterns=list(names)))
    except (OSError, RuntimeError, ValueError) as error:  # no network, no such repository, offline mode
        line = str(error).strip().partition("\n")[0]
        raise WeightsError(f"{repository} could not be fetched ({line}); try {command}") from error


class HubModel(NamedTuple):
    """A folder of transformers on the Hugging Face hub.

    Attributes:
        repository: its name there.
        tensors: files that may hold the tensors, in order of preference.
        settings: patterns of the other files that are read.
    """

    repository: str
    tensors: tuple[str, ...] = ("model.safetensors", "pytorch_model.bin")
    settings: tuple[str, ...] = ("*.json",)

    @property
    def url(self) -> str:
        """Its page."""
        return f"https://huggingface.co/{self.repository}"

    @property
    def command(self) -> str:
        """The shell command that downloads it."""
        wanted = " ".join(f'--include "{pattern}"' for pattern in (*self.settings, *self.tensors))
        return f"'hf download {self.repository} {wanted}'"

    def published(self, used_by: str, licence: str) -> PublishedWeights:
        """Return it as ``clipsonic-eval weights`` lists it, read by an encoder and under a licence."""
        return PublishedWeights(self.repository, used_by, licence, files=self.tensors, beside=self.settings)

    def find(self, encoder: str, weights: Path | None, *, download: bool | None = None) -> Path:
        """Return the folder: the one given, or that of the Hugging Face cache.

        Args:
            encoder: registry name, for error messages.
            weights: a folder as transformers writes it, or a file in it.
            download: fetch what the cache lacks; None: only if the environment variable CLIPSONIC_EVAL_DOWNLOAD is 1.

        Raises:
            WeightsError: there is none.
        """
        if weights is not None:
            return given_folder(weights)
        cached = hub_folder(self.repository)
        if cached is not None:
            return cached
        if may_download(download):
            return self._download()
        raise WeightsError(
            f"encoder '{encoder}': {self.repository} is not in the Hugging Face cache; "
            f"{how_to_get(self.repository, self.url)}"
        )

    def _download(self) -> Path:
        """Return the folder after downloading what it lacks; pickled tensors only where there are no others."""
        folder = Path()
        for tensors in self.tensors:
            folder = hub_download(self.repository, [*self.settings, tensors], command=self.command)
            if tensors_in(folder):
                break
        return folder


def given_folder(weights: Path) -> Path:
    """Return the folder of transformers that a loader's ``weights`` argument means: itself, or that of a file in it.

    Raises:
        WeightsError: config.json or the tensors are missing there.
    """
    folder = weights.parent if weights.is_file() else weights
    if not (folder / "config.json").is_file():
        raise WeightsError(f"{folder}: no folder of transformers, config.json is missing; name its folder")
    if not tensors_in(folder):
        raise WeightsError(f"{folder}: holds neither model.safetensors nor pytorch_model.bin; {COPY_FOLDER}")
    return folder


def stated_licence(folder: Path, otherwise: str = "not stated in the folder") -> str:
    """Return the licence that the model card in a folder (``README.md``), or in the one above, states."""
    from huggingface_hub import ModelCard

    for path in (folder / "README.md", folder.parent / "README.md"):
        if path.is_file():
            try:
                data = ModelCard.load(path, ignore_metadata_errors=True).data
            except (OSError, ValueError):  # a README with broken front matter states none
                continue
            # cards name their own licences as "other", with the name beside
            stated = data.get("license_name") if data.license == "other" else data.license
            if isinstance(stated, str):
                return stated
    return otherwise


def check_hash_in_name(path: Path, fix: str) -> None:
    """Compare a file with the SHA-256 that its name states, if it states one.

    torch.hub's names end with the first eight digits, ``<name>-<digits>.pth``; the Hugging Face cache links to files in
    ``blobs`` whose names are all digits. Cost: one reading of the file.

    Raises:
        WeightsError: the file has another hash; the message ends with ``fix``.
    """
    blob = path.resolve()
    in_cache = re.fullmatch(r"([0-9a-f]{64})", blob.name) if blob.parent.name == "blobs" else None
    stated = in_cache or re.search(r"-([0-9a-f]{8})\.pth$", path.name)
    if stated and not file_sha256(path).startswith(stated.group(1)):
        raise WeightsError(f"{path}: its sha256 does not begin with {stated.group(1)[:8]} as its name says; {fix}")


def fill_network(make: Callable[[], Net], tensors: Mapping[str, Tensor], path: Path, *, named: str, fix: str) -> Net:
    """Return a network with the tensors of a file, in float32, for inference.

    Args:
        make: builds the network.
        tensors: all of its tensors, by name.
        path: of the file, for the error message.
        named: what the tensors should be, e.g. "VGGish's 18 tensors".
        fix: what to do about other ones, as the end of a sentence.

    Raises:
        WeightsError: a tensor is missing, unexpected, or of another shape.
    """
    with torch.device("meta"):
        network = make()
    wanted = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    wrong = list(missing_and_unexpected(tensors, wanted))
    if wrong:
        raise WeightsError(f"{path}: these are not {named} ({', '.join(wrong[:3])}); {fix}")
    network.load_state_dict({name: value.float() for name, value in tensors.items()}, assign=True)
    return network.eval().requires_grad_(requires_grad=False)


def tensors_in(folder: Path) -> str:
    """Return the format of a folder's tensors: ``safetensors``, ``bin``, or "" if there are none."""
    if any((folder / name).is_file() for name in ("model.safetensors", "model.safetensors.index.json")):
        return "safetensors"
    return "bin" if (folder / "pytorch_model.bin").is_file() else ""


def tensors_sha256(tensors: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 of names, shapes and float32 values of tensors of any shape, sorted by name.

    The same for one file, for shards, and for the pickled form of the same tensors; a hash of files is not.
    """
    digest = hashlib.sha256()
    for name in sorted(tensors):
        value = tensors[name].detach().cpu().float().contiguous()
        digest.update(f"{name}{list(value.shape)}\0".encode())
        digest.update(value.numpy().data)
    return digest.hexdigest()


def read_transformers(
    folder: Path,
    config_class: Any,
    model_class: Any,
    *,
    extra: tuple[str, ...] = (),
    missing: tuple[str, ...] = (),
    earlier: tuple[str, ...] = (),
) -> Any:
    """Return the network of a transformers folder (config.json and tensors), in float32, for inference.

    Args:
        folder: as transformers writes it.
        config_class: e.g. ``CLIPConfig``; its ``model_type`` must be that of config.json.
        model_class: e.g. ``CLIPModel``.
        extra: endings of names of unexpected tensors that are allowed.
        missing: endings of names of missing buffers that are allowed, since the network computes them.
        earlier: names of the model type in earlier releases of transformers.

    Raises:
        WeightsError: not readable, of another type, or the tensors are not those of its configuration.
    """
    from safetensors import SafetensorError

    wanted = config_class.model_type
    for file in sorted({*folder.glob("*.safetensors"), *folder.glob("*.bin")}):
        check_hash_in_name(file, COPY_FOLDER)
    written = read_json(folder / "config.json", WeightsError, fix=COPY_FOLDER)
    found = written.get("model_type") if isinstance(written, dict) else None
    if found not in {wanted, *earlier}:
        raise WeightsError(f"{folder}: config.json is of model type {found!r}, needed is '{wanted}'")
    try:
        with _quiet_transformers():
            network, report = model_class.from_pretrained(
                folder,
                config=config_class.from_dict(written),
                dtype=torch.float32,
                use_safetensors=tensors_in(folder) == "safetensors",
                weights_only=True,
                local_files_only=True,
                output_loading_info=True,
            )
    except (OSError, RuntimeError, ValueError, AttributeError, SafetensorError, pickle.UnpicklingError) as error:
        line = str(error).strip().partition("\n")[0]
        kind = wanted.upper()
        raise WeightsError(f"{folder}: not readable as a {kind} of transformers ({line}); {COPY_FOLDER}") from error
    # transformers initialises missing tensors at random and says so in its log only
    lacking = sorted(k for k in report["missing_keys"] if not (missing and k.endswith(missing)))
    unexpected = sorted(k for k in report["unexpected_keys"] if not k.endswith(extra))
    wrong = [*lacking, *unexpected, *sorted(map(str, report["mismatched_keys"]))]
    if wrong:
        raise WeightsError(
            f"{folder}: the tensors are not those of its config.json ('{wrong[0]}' first); {COPY_FOLDER}"
        )
    return network.eval().requires_grad_(requires_grad=False)


@contextlib.contextmanager
def _quiet_transformers() -> Iterator[None]:
    """Silence transformers' progress bar and load report; what it reports is checked here."""
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
