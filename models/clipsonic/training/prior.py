"""Train the diffusion prior from image-caption pairs: the pretrained one (PD) and the supervised one (SD)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from clipsonic.prior.data import Pairs, PairSource, load_pairs
from clipsonic.prior.model import DiffusionPrior
from clipsonic.training import lifecycle
from clipsonic.training.config import PriorTrainingConfig, identity, settings_of
from clipsonic.training.fine_tuning import lineage, prior_parent
from clipsonic.training.prior_task import held_out_cosines, prepare
from clipsonic_eval.config import as_tree, resolve
from clipsonic_eval.errors import UserError
from clipsonic_eval.progress import SILENT, Progress


def train(config: Mapping[str, Any], out: Path, *, progress: Progress = SILENT, overwrite: bool = False) -> Path:
    """Train a prior; resume if it was interrupted, return at once if it is finished.

    Args:
        config: values of :class:`PriorTrainingConfig` that differ from the defaults.
        out: folder of the prior; holds ``checkpoint/`` and ``train_log.csv`` while training goes on.
        progress: shows bars, and notes.
        overwrite: replace a prior of other settings or pairs.

    Returns:
        ``out``, a folder for :meth:`clipsonic.prior.model.DiffusionPrior.load`.

    Raises:
        UserError: the configuration, the pairs or the folder do not fit; the message says what to do.
    """
    settings = resolve(PriorTrainingConfig, config, by_set=True)
    lifecycle.try_folder(out)
    pairs = load_pairs(settings.data, settings.encoder, settings.encoder_weights, progress=progress)
    return train_on(pairs, settings, out, progress=progress, overwrite=overwrite)


def train_on(
    pairs: Pairs, config: PriorTrainingConfig, out: Path, *, progress: Progress = SILENT, overwrite: bool = False
) -> Path:
    """Train on pairs that are embedded already; otherwise as :func:`train`."""
    if len(pairs) < 2:
        raise UserError(f"{len(pairs)} image-caption pairs are too few to train a prior on")
    decides = {**settings_of(_without_paths(config)), "data": [pairs.content, pairs.kind], "space": pairs.space}
    parent = prior_parent(config, as_tree(pairs.space))
    card = None if parent is None else parent.card
    with lifecycle.claim(out, decides, steps=config.train.steps, parent=card, overwrite=overwrite) as finished:
        if not finished:
            _train(pairs, config, out, progress, parent)
    return out


def _train(
    pairs: Pairs, config: PriorTrainingConfig, out: Path, progress: Progress, parent: DiffusionPrior | None
) -> None:
    content = [pairs.content, pairs.kind, str(as_tree(pairs.space))]
    content += [] if parent is None else [parent.card["weights_sha256"]]
    task = prepare(config, pairs, parent)

    def model(result: dict[str, Any]) -> DiffusionPrior:
        card = {
            **result,
            "data": {"kind": pairs.kind, "sha256": pairs.content, "n": len(pairs)},
            "space": as_tree(pairs.space),
            "scale": "image: (x - clip_mean) / clip_std; text: l2-normalised, times sqrt(d); output: l2-normalised",
            "null": "zero",
            **lineage(parent),
        }
        prior = DiffusionPrior(task.module, card, device=task.device)
        if prior.text_tokens == 0 and len(task.held_out):
            cosines = held_out_cosines(prior, pairs, task.held_out.numpy(), config.train.seed)
            prior.card["held_out"] = cosines
            progress.note(
                "prior: cosine to the true image embedding on held-out pairs {prior_cosine:.3f} "
                "(text {text_cosine:.3f}), centred {prior_centred_cosine:.3f}".format(**cosines)
            )
        return prior

    lifecycle.complete(
        task,
        config.train,
        out,
        model,
        identity=identity(_without_paths(config), *content),
        settings=as_tree(config),
        progress=progress,
    )


def _without_paths(config: PriorTrainingConfig) -> PriorTrainingConfig:
    """Return the configuration without the paths of the data, which decide nothing."""
    return replace(config, data=PairSource(images=Path()), encoder_weights=None)
