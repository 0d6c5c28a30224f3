"""Train the diffusion prior from image-caption pairs."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from clipsonic.prior.data import Pairs, PairSource, load_pairs
from clipsonic.prior.model import DiffusionPrior
from clipsonic.prior.network import (
    PriorNetworkConfig,
    TextConditions,
    build_network,
    predict_x0,
    prior_scheduler,
    set_scale,
    standardised,
)
from clipsonic.training import checkpoint, loop
from clipsonic.training.config import TrainConfig, identity, settings_of
from clipsonic.training.continuing import check_fits, claim, lineage, space_tree
from clipsonic_eval import outputs, threads
from clipsonic_eval.arraytypes import Bool, Float32, Float64, IntArray
from clipsonic_eval.config import as_tree, resolve
from clipsonic_eval.devices import resolve_device
from clipsonic_eval.encoders import ENCODERS
from clipsonic_eval.errors import ConfigError, UserError
from clipsonic_eval.files import write_json
from clipsonic_eval.precision import Precision, described
from clipsonic_eval.progress import SILENT, Progress
from clipsonic_eval.seeds import derive, stream

if TYPE_CHECKING:
    from diffusers import PriorTransformer

TokensOf = Callable[[list[str]], tuple[Float32, Bool]]


@dataclass(frozen=True, slots=True)
class PriorOptimisation(TrainConfig):
    """:class:`clipsonic.training.config.TrainConfig` with defaults for a prior."""

    steps: int = 1500
    batch_size: int = 128
    learning_rate: float = 1e-3
    warmup: int = 100
    ema: float = 0.995
    precision: Precision = "fp32"
    validation: int = 512


@dataclass(frozen=True, slots=True)
class PriorTrainingConfig:
    """Everything that decides a prior.

    Attributes:
        data: the image-caption pairs.
        encoder: registry name of the encoder with an image and a text tower.
        encoder_weights: weights other than the encoder's own default place.
        network: the transformer's size. With ``text_tokens`` above 0 the encoder must have a method
            ``text_tokens(texts) -> (hidden states (n, text_tokens, d), mask (n, text_tokens))``.
        condition_dropout: share of the items that see the null condition.
        train: the optimisation.
        device: ``auto``: a GPU if there is one.
        init_from: folder of a finished prior whose weights and scale the run starts from (fine-tuning); network and
            space must be its own.
    """

    data: PairSource
    encoder: str = "toy-clip"
    encoder_weights: Path | None = None
    network: PriorNetworkConfig = field(default_factory=PriorNetworkConfig)
    condition_dropout: float = 0.1
    train: PriorOptimisation = field(default_factory=PriorOptimisation)
    device: str = "auto"
    init_from: Path | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.condition_dropout < 1:
            raise ConfigError("condition_dropout must be in [0, 1)")


class PriorTask:
    """The prior's :class:`clipsonic.training.loop.Task`: mean squared error of x0 at the standardised scale."""

    def __init__(
        self, config: PriorTrainingConfig, network: PriorTransformer, pairs: Pairs, tokens_of: TokensOf | None = None
    ) -> None:
        self.config = config
        self._network = network
        self._device = next(network.parameters()).device
        self._captions = pairs.captions
        self._tokens_of = tokens_of
        self._text = torch.from_numpy(pairs.text) * math.sqrt(pairs.text.shape[1])
        self._image = torch.from_numpy(pairs.image)
        self._scheduler = prior_scheduler()
        self.training_rows, self.held_out = split_pairs(pairs.sources, config.train)

    @property
    def module(self) -> nn.Module:
        """The network."""
        module: nn.Module = self._network
        return module

    @property
    def waited(self) -> float:
        """Seconds spent waiting for data: none, the pairs are in memory."""
        return 0.0

    def loss(self, network: loop.Network, step: int, shard: loop.Shard) -> torch.Tensor:
        """Return the loss of a step's batch: random pictures of a caption, noise levels, noise, dropped texts."""
        train = self.config.train
        generator = loop.step_generator(train.seed, step, "prior-noise", self._device)
        rows = self.training_rows[loop.batch_rows(len(self.training_rows), train.batch_size, step, train.seed)]
        return self._loss(network, rows, generator, shard, dropout=self.config.condition_dropout)

    def validation_loss(self, network: loop.Network) -> float | None:
        """Return the loss of the held-out pairs at fixed noise levels and noise, with every text present."""
        if not len(self.held_out):
            return None
        generator = loop.step_generator(self.config.train.seed, 0, "prior-validation", self._device)
        return float(self._loss(network, self.held_out, generator, loop.Shard(), dropout=0.0))

    def _loss(
        self,
        network: loop.Network,
        rows: torch.Tensor,
        generator: torch.Generator,
        shard: loop.Shard,
        *,
        dropout: float,
    ) -> torch.Tensor:
        n, device, dim = len(rows), self._device, self._image.shape[-1]
        picture = torch.randint(self._image.shape[1], (n,), generator=generator, device=device)
        # stratified: one level in each n-th of the schedule, which lowers the variance of the gradient
        shift = torch.rand(1, generator=generator, device=device)
        t = ((torch.arange(n, device=device) + shift) / n * len(self._scheduler)).long().clamp(max=999)
        drop = torch.rand(n, generator=generator, device=device) < dropout
        eps = torch.randn(n, dim, generator=generator, device=device)
        rows, picture, t, drop, eps = (shard.of(part) for part in (rows, picture, t, drop, eps))
        x0 = standardised(self._network, self._image[rows, picture.cpu()].to(device))
        x_t = self._scheduler.add_noise(x0, eps, t)
        return (predict_x0(network, x_t, t, self._texts(rows).dropped(drop)).float() - x0).square().mean()

    def _texts(self, rows: torch.Tensor) -> TextConditions:
        pooled = self._text[rows]
        if self._tokens_of is None:
            return TextConditions(pooled).to(self._device)
        hidden, mask = self._tokens_of([self._captions[i] for i in rows.tolist()])
        return TextConditions(pooled, torch.from_numpy(hidden).float(), torch.from_numpy(mask).bool()).to(self._device)


def split_pairs(sources: tuple[str, ...], config: TrainConfig) -> tuple[torch.Tensor, torch.Tensor]:
    """Return rows for training and held-out rows (at most ``validation``, at most a tenth), by source, both sorted."""
    names, inverse = np.unique(np.array(sources), return_inverse=True)
    order = stream(config.seed, "", "held-out").permutation(len(names))
    wanted = min(config.validation, len(sources) // 10)
    sizes = np.cumsum(np.bincount(inverse)[order])
    held = np.isin(inverse, order[: int(np.searchsorted(sizes, wanted, side="right"))])
    return torch.from_numpy(np.flatnonzero(~held)), torch.from_numpy(np.flatnonzero(held))


@threads.networks()
def train(config: Mapping[str, Any], out: Path, *, progress: Progress = SILENT, overwrite: bool = False) -> Path:
    """Train a prior, or continue, or find it finished.

    Args:
        config: the values of :class:`PriorTrainingConfig` that differ from the defaults.
        out: the prior's folder; holds ``checkpoint/`` and ``train_log.csv`` while training goes on.
        progress: told of every step.
        overwrite: replace a prior of other settings or pairs.

    Returns:
        ``out``, a folder for :meth:`clipsonic.prior.model.DiffusionPrior.load`.

    Raises:
        UserError: the configuration, the pairs or the folder do not fit; the message says what to do.
    """
    settings = resolve(PriorTrainingConfig, config)
    outputs.try_folder(out)  # before anything is read
    pairs = load_pairs(settings.data, settings.encoder, settings.encoder_weights, progress=progress)
    return train_on(pairs, settings, out, progress=progress, overwrite=overwrite)


@threads.networks()
def train_on(
    pairs: Pairs, config: PriorTrainingConfig, out: Path, *, progress: Progress = SILENT, overwrite: bool = False
) -> Path:
    """Train on pairs that are already embedded; otherwise as :func:`train`."""
    if len(pairs) < 2:
        raise UserError(f"{len(pairs)} image-caption pairs are too few to train a prior on")
    decides = {**settings_of(_anywhere(config)), "data": [pairs.content, pairs.kind], "space": pairs.space}
    parent = None if config.init_from is None else _parent(config.init_from, config, pairs)
    card = None if parent is None else parent.card
    with claim(out, decides, steps=config.train.steps, parent=card, overwrite=overwrite) as finished:
        if not finished:
            _train(pairs, config, out, progress, parent)
    return out


def _parent(folder: Path, config: PriorTrainingConfig, pairs: Pairs) -> DiffusionPrior:
    """Return the finished prior that a run starts from.

    Raises:
        UserError: the folder holds none, or one whose weights mean something else.
    """
    parent = DiffusionPrior.load(folder)
    sizes = parent.network.config
    theirs = {
        "network": PriorNetworkConfig(
            heads=sizes["num_attention_heads"],
            head_dim=sizes["attention_head_dim"],
            layers=sizes["num_layers"],
            text_tokens=sizes["num_embeddings"],
        ),
        "space": space_tree(parent.card["space"]),
    }
    check_fits(folder, theirs, {"network": config.network, "space": space_tree(as_tree(pairs.space))})
    return parent


def _train(
    pairs: Pairs, config: PriorTrainingConfig, out: Path, progress: Progress, parent: DiffusionPrior | None
) -> None:
    content = [pairs.content, pairs.kind, str(as_tree(pairs.space))]
    if parent is not None:
        content.append(parent.card["weights_sha256"])
    run_identity = identity(_anywhere(config), *content)
    network = build_network(config.network, pairs.text.shape[1], config.train.seed)
    network = network.to(resolve_device(config.device))
    task = PriorTask(config, network, pairs, _tokens_of(config))
    set_scale(network, pairs.image[task.training_rows.numpy()])
    if parent is not None:
        network.load_state_dict(parent.network.state_dict())  # the scale belongs to the weights
    network.to(resolve_device(config.device))
    with loop.one_writer() as writes:
        if writes:
            write_json(out / "config.json", as_tree(config))
    outcome = loop.run(task, config.train, out, identity=run_identity, progress=progress, label="prior")
    card = {
        "identity": run_identity,
        "data": {"kind": pairs.kind, "sha256": pairs.content, "n": len(pairs)},
        "space": as_tree(pairs.space),
        "scale": "image: (x - clip_mean) / clip_std; text: l2-normalised, times sqrt(d); output: l2-normalised",
        "null": "zero",
        "seed": config.train.seed,
        "steps": outcome.steps,
        "loss": outcome.loss,
        "val_loss": outcome.val_loss,
        "seconds": round(outcome.seconds, 1),
        "threads": outcome.threads,
        "precision": described(config.train.precision, resolve_device(config.device)),
    }
    if parent is not None:
        card["init_from"] = lineage(parent.card)
    prior = DiffusionPrior(network, card, device=resolve_device(config.device))
    if config.network.text_tokens == 0 and len(task.held_out):
        prior.card["held_out"] = closeness(prior, pairs, task.held_out.numpy(), config.train.seed)
        progress.note(
            "prior: cosine to the true image embedding on held-out pairs {prior_cosine:.3f} (text {text_cosine:.3f}), "
            "centred {prior_centred_cosine:.3f}".format(**prior.card["held_out"])
        )
    with loop.one_writer() as writes:
        if writes:
            prior.save(out)
            checkpoint.remove(out, keep_newest=config.train.constant_rate)


def closeness(prior: DiffusionPrior, pairs: Pairs, rows: IntArray, seed: int) -> dict[str, Any]:
    """Measure how near the prior's draws come to the true image embeddings of some pairs.

    Returns:
        n, the settings of the draw, and mean cosines to the image of the pair: of the text (``text_cosine``), of the
        draw (``prior_cosine``), of the draw after both are centred on the mean image (``prior_centred_cosine``), and
        the distance between the centroids of draws and images.
    """
    sampling: dict[str, Any] = {"steps": 25, "guidance": 2.0, "candidates": 1}
    text, image = pairs.text[rows].astype(np.float64), pairs.image[rows, 0].astype(np.float64)
    seeds = [derive(seed, str(row), "prior-held-out") for row in rows]
    drawn = prior.sample(pairs.text[rows], seeds, **sampling).astype(np.float64)
    centre = pairs.means()[1]
    numbers = {
        "text_cosine": _cosine(text, image),
        "prior_cosine": _cosine(drawn, image),
        "prior_centred_cosine": _cosine(drawn - centre, image - centre),
        "centroid_distance": float(np.linalg.norm(drawn.mean(axis=0) - image.mean(axis=0))),
    }
    return {"n": len(rows), **sampling, **{name: round(value, 4) for name, value in numbers.items()}}


def _cosine(a: Float64, b: Float64) -> float:
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return float(np.mean((a * b).sum(axis=1) / np.maximum(norms, 1e-12)))


def _anywhere(config: PriorTrainingConfig) -> PriorTrainingConfig:
    """Return the configuration without where the pairs lie, which decides nothing."""
    return replace(config, data=PairSource(pictures=Path()), encoder_weights=None)


def _tokens_of(config: PriorTrainingConfig) -> TokensOf | None:
    if not config.network.text_tokens:
        return None
    found = getattr(ENCODERS[config.encoder](config.encoder_weights), "text_tokens", None)
    if found is None:
        raise ConfigError(
            f"network.text_tokens is {config.network.text_tokens}, but encoder '{config.encoder}' offers no hidden "
            "states of texts; set it to 0"
        )
    tokens: TokensOf = found
    return tokens
