"""Model folders in the layout of diffusers: safetensors and JSON, with checked hashes.

::

    model_index.json    class names of the parts; written last, so its presence means "complete"
    network/            config.json and diffusion_pytorch_model.safetensors (the prior's is called prior/)
    scheduler/          scheduler_config.json, the training schedule, readable by diffusers
    card.json           what was trained on what: hashes, seed, steps, embedding space
    SHA256SUMS          of all files but the index; checked before any of them is used
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from clipsonic_eval import atomic
from clipsonic_eval.errors import UserError, WeightsError
from clipsonic_eval.files import read_json, write_json
from clipsonic_eval.hashing import check_sums, file_sha256, write_sums
from clipsonic_eval.weight_files import COPY_FOLDER

FORMAT = 1
WEIGHTS = "diffusion_pytorch_model.safetensors"
INDEX = "model_index.json"
CARD = "card.json"


def parts(network: str, *extra: str) -> tuple[str, ...]:
    """Return the files of a model folder whose network lies in the folder ``network``, the weights first."""
    return (f"{network}/{WEIGHTS}", f"{network}/config.json", "scheduler/scheduler_config.json", *extra, CARD)


def write(
    folder: Path,
    kind: str,
    name: str,
    network: Any,
    network_class: tuple[str, str],
    scheduler: Any,
    card: dict[str, Any],
    **extra: Any,
) -> Path:
    """Write a model folder; sets ``weights_sha256`` and ``parameters`` in the card.

    Args:
        folder: made if missing.
        kind: name of the class that reads it.
        name: folder of the network inside ``folder``.
        network: a diffusers ``ModelMixin``.
        network_class: library and class of the network, for the index.
        scheduler: a diffusers ``DDPMScheduler``.
        card: JSON-serialisable.
        **extra: further JSON files, their contents by name without suffix.

    Returns:
        ``folder``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / INDEX).unlink(missing_ok=True)
    with atomic.replacing_folder(folder / name) as part:
        network.save_pretrained(part, safe_serialization=True)
    with atomic.replacing_folder(folder / "scheduler") as part:
        scheduler.save_pretrained(part)
    for file, content in extra.items():
        write_json(folder / f"{file}.json", content)
    card["weights_sha256"] = file_sha256(folder / name / WEIGHTS)
    card["parameters"] = sum(p.numel() for p in network.parameters())
    write_json(folder / CARD, card)
    write_sums(folder, parts(name, *(f"{file}.json" for file in extra)))
    classes = {name: list(network_class), "scheduler": ["diffusers", "DDPMScheduler"]}
    write_json(folder / INDEX, {"_class_name": kind, "format": FORMAT, **classes})
    return folder


def read_index(folder: Path, kind: str) -> dict[str, Any]:
    """Return ``model_index.json`` of a model folder.

    Raises:
        UserError: there is none, or it describes a model of another kind or format.
    """
    path = folder / INDEX
    if not path.is_file():
        raise UserError(f"{folder}: no model_index.json here; give a folder that `clipsonic-eval train` finished")
    index = read_json(path, fix="train the model again")
    if not isinstance(index, dict) or index.get("_class_name") != kind:
        found = index.get("_class_name") if isinstance(index, dict) else None
        raise UserError(f"{folder}: holds a model of kind {found}, but {kind} is needed here")
    if index.get("format") != FORMAT:
        raise UserError(
            f"{folder}: format {index.get('format')}, but this release reads {FORMAT}; train the model again"
        )
    return index


def read_card(folder: Path, kind: str) -> dict[str, Any]:
    """Return ``card.json`` of a model folder, without reading its weights; reading the model checks its hashes.

    Raises:
        UserError: no model of this kind.
        WeightsError: the card is missing or damaged.
    """
    read_index(folder, kind)
    card: dict[str, Any] = read_json(folder / CARD, WeightsError, fix="copy the whole folder")
    return card


def read_any_card(folder: Path) -> dict[str, Any]:
    """Return ``card.json`` of an audio model or a prior; see :func:`read_card`."""
    path = folder / INDEX
    index = read_json(path, fix="train the model again") if path.is_file() else {}
    kind = index.get("_class_name", "") if isinstance(index, dict) else ""
    return read_card(folder, kind if kind == "DiffusionPrior" else "MelDiffusion")


def read_checked_card(folder: Path, files: tuple[str, ...]) -> dict[str, Any]:
    """Return ``card.json`` of a model folder after all its files were checked against their hashes.

    Args:
        folder: of the model.
        files: its files, see :func:`parts`.

    Raises:
        WeightsError: a file is missing, damaged or changed, or the weights are not those of the card.
    """
    weights = files[0]
    if not (folder / weights).is_file():
        raise WeightsError(f"{folder / weights}: the weights are missing; copy the whole folder")
    sums = check_sums(folder, files, WeightsError, fix="train the model again or copy the whole folder")
    card: dict[str, Any] = read_json(folder / CARD, WeightsError)
    if sums[weights] != card["weights_sha256"]:
        raise WeightsError(
            f"{folder / weights}: sha256 {sums[weights][:12]}…, but card.json names {card['weights_sha256'][:12]}…; it "
            "belongs to another model, train again or copy the whole folder"
        )
    return card


def read_network(network_class: Any, folder: Path) -> Any:
    """Return the network of a model folder, a diffusers ``ModelMixin``.

    Raises:
        WeightsError: the weights do not fit the class or its configuration, or the file is damaged.
    """
    try:
        network, report = network_class.from_pretrained(
            folder, use_safetensors=True, local_files_only=True, low_cpu_mem_usage=False, output_loading_info=True
        )
    except (OSError, RuntimeError, ValueError, KeyError, TypeError) as error:
        reason = str(error).splitlines()[0]
        raise WeightsError(f"{folder}: the weights do not fit the network ({reason}); {COPY_FOLDER}") from error
    # diffusers initialises missing tensors at random and says so in its log only
    wrong = sorted(report["missing_keys"]) + sorted(map(str, report["mismatched_keys"]))
    if wrong:
        raise WeightsError(f"{folder}: its file lacks tensors of the network ('{wrong[0]}' first); {COPY_FOLDER}")
    return network
