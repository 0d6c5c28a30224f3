"""Published diffusion priors as model folders: what a folder holds is found out; one file here for each layout.

==========  ============================================================================================
diffusers   Karlo's and Kandinsky's: ``prior/`` and ``prior_scheduler/`` (or ``scheduler/``), safetensors
dalle2      LAION's, of the package dalle2-pytorch: ``prior_config.json`` and ``best.pth``
==========  ============================================================================================

Importing one writes a model folder like that of a trained prior: the same tensors, and a card that says how the prior
takes texts, what the null condition of its guidance is, in which space it draws, and its licence. That space must be
the one the audio model was trained in; PD refuses another.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from clipsonic.prior.model import DiffusionPrior
from clipsonic.prior.network import prior_scheduler
from clipsonic.prior.published import dalle2_folder, diffusers_folder
from clipsonic_eval import outputs
from clipsonic_eval.config import as_tree
from clipsonic_eval.encoders import load_encoder
from clipsonic_eval.errors import SpaceError, UserError
from clipsonic_eval.hashing import file_sha256
from clipsonic_eval.weight_files import stated_licence

_LAYOUTS = (diffusers_folder, dalle2_folder)


def import_prior(
    folder: Path, out: Path, *, encoder: str, encoder_weights: Path | None = None, overwrite: bool = False
) -> Path:
    """Write a published prior as a model folder for PD.

    Args:
        folder: as published, in one of the layouts of this package.
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
    layout = next((layout for layout in _LAYOUTS if layout.find(folder)), None)
    if layout is None:
        raise UserError(
            f"{folder}: no prior here; give the folder of an unCLIP pipeline of diffusers (prior/, as safetensors), or "
            "one with prior_config.json and best.pth (dalle2-pytorch)"
        )
    clip = load_encoder(encoder, encoder_weights)
    found = layout.read(folder, clip.card)
    _check_encoder(folder, found.network, clip)
    sha256 = file_sha256(found.weights)
    identity = {"prior": sha256, "space": as_tree(clip.card), "scheduler": found.scheduler}
    with outputs.claim(out, "import-prior", identity, overwrite=overwrite):
        data = {"kind": "published", "layout": found.layout, "sha256": sha256, "licence": stated_licence(folder)}
        card = {"data": data, "space": as_tree(clip.card), **found.card}
        return DiffusionPrior(found.network, card, scheduler=prior_scheduler(**found.scheduler)).save(out)


def _check_encoder(folder: Path, network: Any, clip: Any) -> None:
    """Refuse an encoder whose embeddings or hidden states the prior cannot take.

    Raises:
        SpaceError: it does not fit.
    """
    takes = int(network.config["embedding_dim"]), int(network.config["num_embeddings"])
    if not hasattr(clip, "text_projected") or not hasattr(clip, "text_tokens"):
        raise SpaceError(f"{folder}: a published prior takes hidden states of CLIP, which {clip.card.name} lacks")
    hidden = clip.text_tokens([""])[0]
    gives = clip.card.dim, hidden.shape[1] if takes[1] else 0
    if takes != gives or (takes[1] and hidden.shape[2] != takes[0]):
        raise SpaceError(
            f"{folder}: takes embeddings of {takes[0]} dimensions and {takes[1]} hidden states, but {clip.card.name} "
            f"gives {gives[0]} and {gives[1]} of {hidden.shape[2]}; name the CLIP that the prior was trained with"
        )
