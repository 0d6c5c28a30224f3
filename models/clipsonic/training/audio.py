"""Train the audio model from prepared clips: CLIPSonic's on video frames, CLIP-TTA's and CLAP-TTA's on captions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clipsonic.conditions import condition_array
from clipsonic.model import MelDiffusion
from clipsonic.training import lifecycle
from clipsonic.training.audio_setup import check_clips, prepare
from clipsonic.training.config import AudioTrainingConfig, identity, settings_of
from clipsonic.training.fine_tuning import audio_parent, lineage
from clipsonic.training.processes import one_writer
from clipsonic.training.sample_validation import SampleValidation
from clipsonic_eval.arraytypes import Float32
from clipsonic_eval.config import resolve
from clipsonic_eval.progress import SILENT, Progress

if TYPE_CHECKING:
    from clipsonic_eval.clips import ClipStore


def train(config: Mapping[str, Any], out: Path, *, progress: Progress = SILENT, overwrite: bool = False) -> Path:
    """Train an audio model; resume if it was interrupted, return at once if it is finished.

    Args:
        config: values of :class:`clipsonic.training.config.AudioTrainingConfig` that differ from the defaults.
        out: folder of the model; holds ``checkpoint/`` and ``train_log.csv`` while training goes on.
        progress: shows a bar over the steps, and notes.
        overwrite: replace a model of other settings or clips.

    Returns:
        ``out``, a folder for :meth:`clipsonic.model.MelDiffusion.load`.

    Raises:
        UserError: the configuration, the clips or the folder do not fit; the message says what to do.
    """
    from clipsonic_eval.clips import ClipStore

    settings = resolve(AudioTrainingConfig, config, by_set=True)
    lifecycle.try_folder(out)
    store = ClipStore.open(settings.clips, "--set clips=FOLDER")
    if counts := store.info.get("findings"):
        found = ", ".join(f"{check.replace('_', ' ')} {n}" for check, n in counts.items())
        progress.note(f"{settings.clips}: what looks wrong with its audio, in clips: {found} (findings.csv)")
    return train_on(store, settings, out, progress=progress, overwrite=overwrite)


def train_on(
    store: ClipStore, config: AudioTrainingConfig, out: Path, *, progress: Progress = SILENT, overwrite: bool = False
) -> Path:
    """Train on clips that are open already; otherwise as :func:`train`."""
    check_clips(store, config)
    conditions, condition_card = condition_array(store, config.condition)
    decides = {**settings_of(config), "clips": store.content_hash, "conditions": condition_card}
    parent = audio_parent(config, condition_card["space"])
    card = None if parent is None else parent.card
    with lifecycle.claim(out, decides, steps=config.train.steps, parent=card, overwrite=overwrite) as finished:
        if not finished:
            _train(store, config, out, progress, (conditions, condition_card), parent)
    return out


def _train(
    store: ClipStore,
    config: AudioTrainingConfig,
    out: Path,
    progress: Progress,
    condition: tuple[Float32, dict[str, Any]],
    parent: MelDiffusion | None,
) -> None:
    conditions, condition_card = condition
    content = [store.content_hash, json.dumps(condition_card, sort_keys=True)]
    content += [] if parent is None else [parent.card["weights_sha256"]]
    task, measured = prepare(store, config, conditions, parent=parent, progress=progress)

    def model(result: dict[str, Any]) -> MelDiffusion:
        data = {"config": identity(config), "clips": store.content_hash, "condition": condition_card}
        card = {**result, **data, **measured, **lineage(parent)}
        front_end = task.mels.front_end
        return MelDiffusion(task.network, front_end.config, config.diffusion, card, device=front_end.device)

    name = identity(config, *content)

    def save(step: int, folder: Path) -> Path:
        return model({"identity": name, "seed": config.train.seed, "steps": step}).save(folder)

    device = task.mels.front_end.device
    observers = [] if config.samples is None else [SampleValidation(config.samples, out, save, str(device), progress)]
    with one_writer(device) as writes:
        for validation in observers if writes else []:
            validation.rehearse()

    def finished(result: dict[str, Any]) -> MelDiffusion:
        for validation in observers:
            result["best_by_samples"] = validation.best(result["steps"])
        return model(result)

    lifecycle.complete(
        task,
        config.train,
        out,
        finished,
        identity=name,
        settings=config.resolved(),
        progress=progress,
        observers=observers,
    )
