"""The diffusion prior: draws an image embedding for a text embedding, to bridge the modality gap.

As in DALL-E 2, the network predicts the clean embedding (x_0) under a cosine noise schedule and is sampled with few
ancestral (DDPM) steps. Architecture, files and scheduler are those of the unCLIP priors in diffusers
(``PriorTransformer``), so that Karlo's size is a matter of configuration. A draw depends on, all of it in the card:

- scale: image embeddings are standardised per dimension by mean and deviation over the training pairs (``clip_mean``,
  ``clip_std``, stored with the weights; **a new PriorTransformer holds zeros there**); text embeddings enter
  L2-normalised times √d; the drawn embedding is L2-normalised, as the embeddings of image encoders are;
- candidates: of k drawn embeddings the one with the highest cosine to the text is kept;
- steps, and the scale of classifier-free guidance, whose null condition is the zero vector.

Published priors (:mod:`clipsonic.prior.published`) differ in what their card says of texts and of the null condition.
Those of diffusers take text embeddings as they leave CLIP's projection (``text``: ``raw``), and their null condition is
the text "" (``null``: ``empty text``). Those of DALLE2-pytorch take unit vectors (``unit``) and come without a null
condition (``none``), so that their guidance is 1.

Stored as a model folder (:mod:`clipsonic.model_folder`) with the network in ``prior/``.

Source: Ramesh et al. 2022 (arXiv 2204.06125), section 2.2; scheduler settings of kakaobrain/karlo-v1-alpha.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from clipsonic import model_folder
from clipsonic.conditions import normalised
from clipsonic.diffusion import guided
from clipsonic.prior.network import TextConditions, predict_x0, prior_scheduler
from clipsonic_eval import licences
from clipsonic_eval.arraytypes import AnyArray, Float32, FloatArray
from clipsonic_eval.errors import ConfigError, ShapeError, UserError, WeightsError
from clipsonic_eval.seeds import derive
from clipsonic_eval.stages import stage

_KIND = "DiffusionPrior"
_FILES = model_folder.parts("prior")
_NETWORKS = {"PriorTransformer": "diffusers", "Dalle2Prior": "clipsonic.prior.dalle2"}  # class: its module


def check_sampling(steps: int, guidance: float, candidates: int) -> None:
    """Check how a prior is to be sampled, see :meth:`DiffusionPrior.sample`.

    Raises:
        ConfigError: steps or candidates below 1, or negative guidance.
    """
    if steps < 1 or candidates < 1 or guidance < 0:
        raise ConfigError("prior: steps and candidates must be at least 1 and guidance not negative")


class DiffusionPrior:
    """A trained diffusion prior.

    Attributes:
        network: the ``PriorTransformer`` of diffusers, or a network called like it, in evaluation mode, its scale set.
        card: JSON-serialisable: training data, embedding space, hash of the weights.
    """

    def __init__(
        self,
        network: Any,
        card: Mapping[str, Any],
        *,
        scheduler: Any = None,
        device: str | torch.device = "cpu",
    ) -> None:
        self.device = torch.device(device)
        self.network = network.to(self.device).eval()
        self.card = dict(card)
        self._scheduler = scheduler or prior_scheduler()
        if not bool((network.clip_std > 0).all()):
            raise WeightsError(
                "the prior's clip_std is zero, as in a network whose scale was never set: every embedding would come "
                "out as the same vector; train it with clipsonic.training.prior, or set clip_mean and clip_std"
            )

    @property
    def dim(self) -> int:
        """Dimension of the embeddings."""
        return int(self.network.config["embedding_dim"])

    @property
    def text_tokens(self) -> int:
        """Hidden states of the text that the network takes next to the pooled embedding."""
        return int(self.network.config["num_embeddings"])

    @property
    def raw_text(self) -> bool:
        """Whether text embeddings enter as they leave the projection of CLIP, not L2-normalised times √d."""
        return bool(self.card.get("text") == "raw")

    @property
    def null_is_a_text(self) -> bool:
        """Whether guidance moves away from the embedding of "", not from the zero vector."""
        return bool(self.card.get("null") == "empty text")

    def check_guidance(self, guidance: float) -> None:
        """Refuse guidance where there is no null condition to move away from.

        Raises:
            ConfigError: guidance is not 1, and the prior has no null condition.
        """
        if guidance != 1.0 and self.card.get("null") == "none":
            raise ConfigError(
                f"this prior came without a null condition, so its guidance must be 1, got {guidance:g}; "
                "leave prior_guidance out, or use a prior that was trained with one"
            )

    def conditions(self, text: FloatArray, tokens: tuple[AnyArray, AnyArray] | None = None) -> TextConditions:
        """Return text embeddings as the network takes them.

        Args:
            text: (b, d) embeddings of any norm.
            tokens: hidden states (b, text_tokens, d) and their mask (b, text_tokens), for networks that take them.

        Raises:
            ShapeError: the embeddings have another dimension, or hidden states are missing or not wanted.
        """
        if text.ndim != 2 or text.shape[1] != self.dim:
            raise ShapeError(f"this prior takes text embeddings (b, {self.dim}), got {text.shape}")
        length = 1.0 if self.card.get("text") == "unit" else math.sqrt(self.dim)
        # c = √d e / |e|, or e / |e|, or e
        pooled = torch.from_numpy(text if self.raw_text else normalised(text) * length).float()
        given = 0 if tokens is None else tokens[0].shape[1]
        if given != self.text_tokens:
            raise ShapeError(
                f"this prior takes {self.text_tokens or 'no'} hidden states per text, got {given or 'none'}"
            )
        if tokens is None:
            return TextConditions(pooled).to(self.device)
        hidden, mask = torch.from_numpy(tokens[0]).float(), torch.from_numpy(tokens[1]).bool()
        return TextConditions(pooled, hidden, mask).to(self.device)

    def sample(
        self,
        text: FloatArray,
        seeds: Sequence[int],
        *,
        steps: int = 25,
        guidance: float = 1.0,
        candidates: int = 1,
        tokens: tuple[AnyArray, AnyArray] | None = None,
        empty: tuple[FloatArray, tuple[AnyArray, AnyArray] | None] | None = None,
        batch_size: int = 512,
    ) -> Float32:
        """Draw one image embedding per text embedding.

        Args:
            text: (b, d) text embeddings of any norm.
            seeds: b seeds; a draw depends on its own text and seed only.
            steps: of ancestral sampling.
            guidance: scale w of classifier-free guidance; 1 is none, and what PD and SD use; the study has
                another as an ablation.
            candidates: k; of k draws the one with the highest cosine to the text is returned. The candidates of k are
                among those of any larger k.
            tokens: hidden states (b, text_tokens, d) and their mask (b, text_tokens), for networks that take them.
            empty: embedding (1, d) and hidden states of the text "", for guidance of priors whose null it is.
            batch_size: embeddings drawn together; bounds memory.

        Returns:
            (b, d) float32 of L2 norm 1.

        Raises:
            ShapeError: the embeddings have another dimension or number.
            ConfigError: the settings make no sense, see :func:`check_sampling`, or ``empty`` is missing.
        """
        check_sampling(steps, guidance, candidates)
        self.check_guidance(guidance)
        if self.null_is_a_text and guidance != 1.0 and empty is None:
            raise ConfigError("this prior's guidance needs the embedding of the empty text")
        null = None if empty is None or not self.null_is_a_text else self.conditions(*empty)
        if len(text) != len(seeds):
            raise ShapeError(f"{len(text)} texts, but {len(seeds)} seeds")
        texts = self.conditions(text, tokens)
        drawn = torch.empty(len(seeds), candidates, self.dim)
        for k in range(candidates):
            own = [derive(int(seed), str(k), "prior-candidate") for seed in seeds]
            for start in range(0, len(seeds), batch_size):
                rows = slice(start, start + batch_size)
                drawn[rows, k] = self._draw(texts.rows(rows), own[rows], steps, guidance, null).cpu()
        unit = torch.nn.functional.normalize(drawn.double(), dim=2)
        # cos(e_k, c) of each candidate; k* = argmax
        cosine = (unit * torch.nn.functional.normalize(texts.pooled.cpu().double(), dim=1)[:, None]).sum(dim=2)
        best: Float32 = unit[torch.arange(len(seeds)), cosine.argmax(dim=1)].float().numpy()
        return best

    @torch.no_grad()
    def _draw(
        self,
        texts: TextConditions,
        seeds: Sequence[int],
        steps: int,
        guidance: float,
        null: TextConditions | None = None,
    ) -> torch.Tensor:
        """Return one embedding (b, d) per text and seed, not normalised, by ancestral sampling."""
        scheduler = self._scheduler
        scheduler.set_timesteps(steps)
        generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        x = torch.stack([torch.randn(self.dim, generator=g) for g in generators]).to(self.device)  # x_T ~ N(0, I)
        every_row = torch.ones(len(seeds), dtype=torch.bool, device=self.device)
        if guidance == 1.0:
            null = None
        elif null is None:
            null = texts.dropped(every_row)
        else:
            null = null.rows(torch.zeros(len(seeds), dtype=torch.long))  # the one empty text, for every row
        for t in scheduler.timesteps:
            with stage("step"):
                clean = predict_x0(self.network, x, t, texts)
                if null is not None:
                    clean = guided(clean, predict_x0(self.network, x, t, null), guidance)
                x = scheduler.step(clean, t, x, generator=generators).prev_sample
        unscaled: torch.Tensor = self.network.post_process_latents(x)  # e = s x_0 + μ
        return unscaled

    def save(self, folder: Path) -> Path:
        """Write the model folder and return it; ``card["weights_sha256"]`` is set from the file written."""
        name = type(self.network).__name__
        network_class = (_NETWORKS[name], name)
        return model_folder.write(folder, _KIND, "prior", self.network, network_class, self._scheduler, self.card)

    @classmethod
    def load(cls, folder: Path | str, device: str | torch.device = "cpu") -> DiffusionPrior:
        """Read a model folder that :meth:`save` wrote.

        Raises:
            UserError: the folder is not a complete prior.
            WeightsError: the weights are not those of the card, or do not fit the network.
        """
        from diffusers import DDPMScheduler

        folder = Path(folder)
        index = model_folder.read_index(folder, _KIND)
        card = model_folder.read_checked_card(folder, _FILES)
        name = index["prior"][1]
        if name not in _NETWORKS:
            raise UserError(f"{folder}: its network is a {name}, none of {', '.join(_NETWORKS)}; import it again")
        network_class = getattr(importlib.import_module(_NETWORKS[name]), name)
        network = model_folder.read_network(network_class, folder / "prior")
        scheduler = DDPMScheduler.from_pretrained(folder / "scheduler", local_files_only=True)
        data = card.get("data")
        if isinstance(data, Mapping) and data.get("kind") == "published":
            licences.tell("prior", str(data.get("licence", "")), str(folder))
        return cls(network, card, scheduler=scheduler, device=device)

    def identity(self, *, steps: int, guidance: float, candidates: int) -> dict[str, Any]:
        """Return everything a draw depends on, for the card of a system."""
        sampling = {"steps": steps, "guidance": guidance, "candidates": candidates}
        return {"weights_sha256": self.card["weights_sha256"], "data": self.card.get("data"), **sampling}
