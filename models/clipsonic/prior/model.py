"""The diffusion prior: from a text's embedding to the embedding of a picture that it might describe.

As in DALL-E 2, the network predicts the clean embedding (x0) under a cosine schedule and is sampled with few ancestral
steps; architecture, file layout and scheduler are those of diffusers' unCLIP priors (``PriorTransformer``), so that
Karlo's shape is a matter of configuration. What a number made with a prior depends on, all of it in the card:

- scale: image embeddings are standardised by their mean and deviation per dimension over the training pairs
  (``clip_mean``, ``clip_std``, kept in the network's file; **a fresh PriorTransformer holds zeros there**); text
  embeddings enter L2-normalised times sqrt(d); the drawn embedding is L2-normalised at the end, as image encoders'
  embeddings are.
- candidates: of k drawn embeddings the one with the highest cosine to the text is kept; 1 keeps the only one.
- guidance and steps. The null condition of guidance is the zero vector.

Layout of a folder: ``model_index.json``, ``prior/`` (diffusers), ``scheduler/`` (diffusers), ``card.json``,
``SHA256SUMS`` of all but the first.

Source: Ramesh et al. 2022 (arXiv 2204.06125), section 2.2; settings of the scheduler: kakaobrain/karlo-v1-alpha.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from clipsonic.conditions import normalised
from clipsonic.model import FORMAT, WEIGHTS, read_checked_card, read_index
from clipsonic.prior.network import TextConditions, predict, prior_scheduler
from clipsonic_eval import atomic
from clipsonic_eval.arraytypes import AnyArray, Float32, FloatArray
from clipsonic_eval.errors import ConfigError, ShapeError, WeightsError
from clipsonic_eval.files import write_json
from clipsonic_eval.hashing import file_sha256, write_sums
from clipsonic_eval.seeds import derive

if TYPE_CHECKING:
    from diffusers import PriorTransformer

_KIND = "DiffusionPrior"
_PARTS = (f"prior/{WEIGHTS}", "prior/config.json", "scheduler/scheduler_config.json", "card.json")


@dataclass(frozen=True, slots=True)
class PriorSettings:
    """How a prior is sampled.

    Attributes:
        steps: of the ancestral sampler.
        guidance: w of ``uncond + w (cond - uncond)``; 1 is none. In the toy world 2 came nearer to the true image
            embeddings of 720 held-out clips than 1 (cosine 0.851 against 0.824, centred 0.632 against 0.562) for a
            little distance between the distributions (Fréchet 0.037 against 0.031).
        candidates: k of best-of-k by cosine to the text.
    """

    steps: int = 25
    guidance: float = 2.0
    candidates: int = 1

    def __post_init__(self) -> None:
        if self.steps < 1 or self.candidates < 1 or self.guidance < 0:
            raise ConfigError("prior: steps and candidates must be at least 1 and guidance not negative")


class DiffusionPrior:
    """A trained prior.

    Attributes:
        network: diffusers' ``PriorTransformer`` in evaluation mode, its scale set.
        card: JSON-serialisable: what it was trained on, the space of its embeddings, the weights' hash.
    """

    def __init__(
        self,
        network: PriorTransformer,
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
        """Width of the embeddings."""
        return int(self.network.config["embedding_dim"])

    def texts(self, text: FloatArray, tokens: tuple[AnyArray, AnyArray] | None = None) -> TextConditions:
        """Return text embeddings (b, d) of any norm, and hidden states with their mask, as the network takes them.

        Raises:
            ShapeError: another width, or hidden states are missing or not wanted.
        """
        wanted = int(self.network.config["num_embeddings"])
        if text.ndim != 2 or text.shape[1] != self.dim:
            raise ShapeError(f"this prior takes text embeddings (b, {self.dim}), got {text.shape}")
        pooled = torch.from_numpy(normalised(text) * math.sqrt(self.dim)).float()
        if (tokens is None) != (wanted == 0) or (tokens is not None and tokens[0].shape[1] != wanted):
            given = "none" if tokens is None else str(tokens[0].shape[1])
            raise ShapeError(f"this prior takes {wanted or 'no'} hidden states per text, got {given}")
        if tokens is None:
            return TextConditions(pooled).to(self.device)
        hidden, mask = torch.from_numpy(tokens[0]).float(), torch.from_numpy(tokens[1]).bool()
        return TextConditions(pooled, hidden, mask).to(self.device)

    def sample(
        self,
        text: FloatArray,
        seeds: Sequence[int],
        settings: PriorSettings | None = None,
        *,
        tokens: tuple[AnyArray, AnyArray] | None = None,
        batch_size: int = 512,
    ) -> Float32:
        """Draw one image embedding per text.

        Args:
            text: (b, d) text embeddings of any norm.
            seeds: one per text; a draw depends on its own text and seed only.
            settings: steps, guidance, candidates. The candidates of k are among those of any larger k.
            tokens: hidden states (b, text_tokens, d) and their mask, for networks that take them.
            batch_size: candidates worked on together, bounds memory.

        Returns:
            (b, d) float32 of norm 1.

        Raises:
            ShapeError: embeddings of another width or number.
        """
        settings = settings or PriorSettings()
        if len(text) != len(seeds):
            raise ShapeError(f"{len(text)} texts, but {len(seeds)} seeds")
        texts = self.texts(text, tokens)
        drawn = torch.empty(len(seeds), settings.candidates, self.dim)
        for k in range(settings.candidates):
            own = [derive(int(seed), str(k), "prior-candidate") for seed in seeds]
            for start in range(0, len(seeds), batch_size):
                rows = slice(start, start + batch_size)
                drawn[rows, k] = self._draw(texts.rows(rows), own[rows], settings).cpu()
        unit = torch.nn.functional.normalize(drawn.double(), dim=2)
        cosine = (unit * torch.nn.functional.normalize(texts.pooled.cpu().double(), dim=1)[:, None]).sum(dim=2)
        best: Float32 = unit[torch.arange(len(seeds)), cosine.argmax(dim=1)].float().numpy()
        return best

    @torch.no_grad()
    def _draw(self, texts: TextConditions, seeds: Sequence[int], settings: PriorSettings) -> torch.Tensor:
        scheduler = self._scheduler
        scheduler.set_timesteps(settings.steps)
        generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        x = torch.stack([torch.randn(self.dim, generator=g) for g in generators]).to(self.device)
        everything = torch.ones(len(seeds), dtype=torch.bool, device=self.device)
        null = texts.dropped(everything) if settings.guidance != 1.0 else None
        for t in scheduler.timesteps:
            clean = predict(self.network, x, t, texts)
            if null is not None:
                uncond = predict(self.network, x, t, null)
                clean = uncond + settings.guidance * (clean - uncond)
            x = scheduler.step(clean, t, x, generator=generators).prev_sample
        unscaled: torch.Tensor = self.network.post_process_latents(x)
        return unscaled

    def save(self, folder: Path) -> Path:
        """Write the folder (see the module) and return it; ``card["weights_sha256"]`` is set from what was written."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "model_index.json").unlink(missing_ok=True)
        with atomic.replacing_folder(folder / "prior") as part:
            self.network.save_pretrained(part, safe_serialization=True)
        with atomic.replacing_folder(folder / "scheduler") as part:
            self._scheduler.save_pretrained(part)
        self.card["weights_sha256"] = file_sha256(folder / "prior" / WEIGHTS)
        self.card["parameters"] = sum(p.numel() for p in self.network.parameters())
        write_json(folder / "card.json", self.card)
        write_sums(folder, _PARTS)
        index = {
            "_class_name": _KIND,
            "format": FORMAT,
            "prior": ["diffusers", "PriorTransformer"],
            "scheduler": ["diffusers", "DDPMScheduler"],
        }
        write_json(folder / "model_index.json", index)
        return folder

    @classmethod
    def load(cls, folder: Path | str, device: str | torch.device = "cpu") -> DiffusionPrior:
        """Read what :meth:`save` wrote.

        Raises:
            UserError: the folder is no complete prior.
            WeightsError: the weights are not the ones that the card names, or do not fit the network.
        """
        from diffusers import DDPMScheduler, PriorTransformer

        folder = Path(folder)
        read_index(folder, _KIND)
        card = read_checked_card(folder, _PARTS, _PARTS[0])
        try:
            network = PriorTransformer.from_pretrained(
                folder / "prior", use_safetensors=True, local_files_only=True, low_cpu_mem_usage=False
            )
            scheduler = DDPMScheduler.from_pretrained(folder / "scheduler", local_files_only=True)
        except (OSError, RuntimeError, ValueError, KeyError) as error:
            reason = str(error).splitlines()[0]
            raise WeightsError(f"{folder / 'prior'}: the weights do not fit the network ({reason})") from error
        return cls(network, card, scheduler=scheduler, device=device)

    def identity(self, settings: PriorSettings) -> dict[str, Any]:
        """Return what a draw depends on, for a system's card."""
        return {"weights_sha256": self.card["weights_sha256"], "data": self.card.get("data"), **asdict(settings)}
