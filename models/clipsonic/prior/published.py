"""Published diffusion priors: Karlo's and Kandinsky's, ``PriorTransformer`` folders of diffusers.

Importing one writes a model folder like that of a trained prior: the same tensors, and a card that says how the prior
takes texts (embeddings as they leave CLIP's projection, hidden states, the text "" as the null condition of guidance)
and in which space it draws. That space must be the one the audio model was trained in; PD refuses another.

Source: the pipelines ``UnCLIPPipeline`` (kakaobrain/karlo-v1-alpha) and ``KandinskyPriorPipeline`` of diffusers.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from clipsonic import model_folder
from clipsonic.prior.model import DiffusionPrior
from clipsonic_eval import outputs
from clipsonic_eval.config import as_tree
from clipsonic_eval.encoders import load_encoder
from clipsonic_eval.errors import SpaceError, UserError, WeightsError
from clipsonic_eval.files import read_json
from clipsonic_eval.hashing import file_sha256
from clipsonic_eval.weight_files import COPY_FOLDER

_SCHEDULERS = ("prior_scheduler", "scheduler")
_KEPT = ("num_train_timesteps", "clip_sample", "clip_sample_range")


def import_prior(
    folder: Path, out: Path, *, encoder: str, encoder_weights: Path | None = None, overwrite: bool = False
) -> Path:
    """Write a published prior as a model folder for PD.

    Args:
        folder: of the pipeline, which holds ``prior/`` and ``prior_scheduler/`` (or ``scheduler/``).
        out: the model folder.
        encoder: registry name of the CLIP whose space the prior was trained in.
        encoder_weights: its weights, where they are not in the default place.
        overwrite: replace what ``out`` holds of another import.

    Returns:
        ``out``.

    Raises:
        UserError: no prior there, or ``out`` holds something else.
        WeightsError: the prior is not readable.
        SpaceError: the encoder has another dimension or other hidden states than the prior takes.
    """
    from diffusers import PriorTransformer

    weights = folder / "prior" / model_folder.WEIGHTS
    if not weights.is_file():
        raise UserError(f"{weights}: no such file; give the folder of an unCLIP pipeline of diffusers, as safetensors")
    scheduler, settings = _scheduler(folder)
    clip = load_encoder(encoder, encoder_weights)
    network = model_folder.read_network(PriorTransformer, folder / "prior")
    _check_encoder(folder, network, clip)
    sha256 = file_sha256(weights)
    identity = {"prior": sha256, "space": as_tree(clip.card), "scheduler": settings}
    with outputs.claim(out, "import-prior", identity, overwrite=overwrite):
        card = {
            "data": {"kind": "published", "sha256": sha256},
            "space": as_tree(clip.card),
            "scale": "image: x clip_std + clip_mean; text: as projected; output: l2-normalised",
            "text": "raw",
            "null": "empty text",
        }
        return DiffusionPrior(network, card, scheduler=scheduler).save(out)


def _scheduler(folder: Path) -> tuple[Any, dict[str, Any]]:
    """Return diffusers' ``DDPMScheduler`` with the settings of the prior's own ``UnCLIPScheduler``, and those."""
    from diffusers import DDPMScheduler

    paths = [folder / name / "scheduler_config.json" for name in _SCHEDULERS]
    path = next((path for path in paths if path.is_file()), None)
    if path is None:
        raise WeightsError(f"{folder}: has neither {' nor '.join(_SCHEDULERS)}; {COPY_FOLDER}")
    written = read_json(path, WeightsError, fix=COPY_FOLDER)
    if not isinstance(written, dict):
        raise WeightsError(f"{path}: holds no settings; {COPY_FOLDER}")
    if written.get("prediction_type", "epsilon") != "sample":
        raise WeightsError(f"{path}: predicts {written.get('prediction_type')}, a prior predicts 'sample'")
    settings = {name: written[name] for name in _KEPT if name in written}
    # the same betas, timesteps and variances as UnCLIPScheduler, see tests/unit/clipsonic/test_published_priors.py
    scheduler = DDPMScheduler(
        beta_schedule="squaredcos_cap_v2",
        prediction_type="sample",
        variance_type="fixed_small_log",
        timestep_spacing="linspace",
        **settings,
    )
    return scheduler, settings


def _check_encoder(folder: Path, network: Any, clip: Any) -> None:
    """Refuse an encoder whose embeddings or hidden states the prior cannot take.

    Raises:
        SpaceError: it does not fit.
    """
    if not hasattr(clip, "text_projected") or not hasattr(clip, "text_tokens"):
        raise SpaceError(f"{folder}: a prior of diffusers takes hidden states of CLIP, which {clip.card.name} lacks")
    hidden = clip.text_tokens([""])[0]
    takes = int(network.config["embedding_dim"]), int(network.config["num_embeddings"])
    gives = clip.card.dim, hidden.shape[1]
    if takes != gives:
        raise SpaceError(
            f"{folder}: takes embeddings of {takes[0]} dimensions and {takes[1]} hidden states, but {clip.card.name} "
            f"gives {gives[0]} and {gives[1]}; name the CLIP that the prior was trained with"
        )
