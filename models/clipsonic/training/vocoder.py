"""Train a vocoder on prepared clips: BigVGAN's generator as in the paper, or Vocos's, against BigVGAN's discriminators.

The result is a folder that ``vocoder.name=bigvgan vocoder.folder=OUT`` reads: the published layout in ``bigvgan/``,
beside the card; and likewise ``vocos``.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from clipsonic.training import lifecycle
from clipsonic.training.config import identity, settings_of
from clipsonic.training.vocoder_config import VocoderTrainingConfig
from clipsonic.training.vocoder_folder import TrainedVocoder, vocoder_parent
from clipsonic.training.vocoder_task import VocoderTask, check_segment
from clipsonic_eval.config import as_tree, resolve
from clipsonic_eval.errors import ConfigError
from clipsonic_eval.progress import SILENT, Progress

if TYPE_CHECKING:
    from clipsonic_eval.clips import ClipStore


def train(config: Mapping[str, Any], out: Path, *, progress: Progress = SILENT, overwrite: bool = False) -> Path:
    """Train a vocoder; resume if it was interrupted, return at once if it is finished.

    Args:
        config: values of :class:`VocoderTrainingConfig` that differ from the defaults.
        out: folder of the vocoder; holds ``checkpoint/`` and ``train_log.csv`` while training goes on.
        progress: shows a bar over the steps, and notes.
        overwrite: replace a vocoder of other settings or clips.

    Returns:
        ``out``, a folder for the vocoder ``bigvgan`` or ``vocos``.

    Raises:
        UserError: the configuration, the clips or the folder do not fit; the message says what to do.
    """
    from clipsonic_eval.clips import ClipStore

    settings = resolve(VocoderTrainingConfig, config, by_set=True)
    lifecycle.try_folder(out)
    store = ClipStore.open(settings.clips, "--set clips=FOLDER")
    if store.sample_rate != settings.mel.sample_rate:
        raise ConfigError(
            f"{settings.clips}: clips at {store.sample_rate} Hz, but mel.sample_rate is {settings.mel.sample_rate}"
        )
    check_segment(settings, store)
    start, parent = vocoder_parent(settings)
    decides = {**settings_of(settings), "clips": store.content_hash}
    with lifecycle.claim(out, decides, steps=settings.train.steps, parent=parent, overwrite=overwrite) as finished:
        if not finished:
            _train(store, settings, out, progress, (start, parent))
    return out


def _train(
    store: ClipStore,
    config: VocoderTrainingConfig,
    out: Path,
    progress: Progress,
    origin: tuple[nn.Module | None, dict[str, Any] | None],
) -> None:
    start, parent = origin
    rows = torch.from_numpy(store.rows(config.split))
    task = VocoderTask(config, store, rows, start)
    content = [store.content_hash, *([] if parent is None else [str(parent["weights_sha256"])])]

    def model(result: dict[str, Any]) -> TrainedVocoder:
        card = {**result, "clips": store.content_hash, "n_clips": len(rows)}
        card |= {} if parent is None else {"init_from": parent}
        return TrainedVocoder(task.generator(), config.network.name, config.generator(), card)

    lifecycle.complete(
        task,
        config.train,
        out,
        model,
        identity=identity(config, *content),
        settings=as_tree(config),
        progress=progress,
    )
