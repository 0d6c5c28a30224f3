"""Priors of diffusers' unCLIP pipelines: Karlo's and Kandinsky's.

Source: the pipelines ``UnCLIPPipeline`` (kakaobrain/karlo-v1-alpha) and ``KandinskyPriorPipeline`` of diffusers.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from clipsonic import model_folder
from clipsonic.prior.published._found import FoundPrior
from clipsonic_eval.errors import WeightsError
from clipsonic_eval.files import read_json
from clipsonic_eval.types import EncoderCard
from clipsonic_eval.weight_files import COPY_FOLDER

_SCHEDULERS = ("prior_scheduler", "scheduler")
_KEPT = ("num_train_timesteps", "clip_sample", "clip_sample_range")
_CARD = {
    "scale": "image: x clip_std + clip_mean; text: as projected; output: l2-normalised",
    "text": "raw",
    "null": "empty text",
}


def find(folder: Path) -> bool:
    """Return whether a folder has this layout."""
    return (folder / "prior" / model_folder.WEIGHTS).is_file()


def read(folder: Path, clip: EncoderCard) -> FoundPrior:
    """Read a prior.

    Args:
        folder: of the pipeline.
        clip: card of the CLIP that the user names; the folder does not say which one it should be.

    Raises:
        WeightsError: a part is missing or not readable, or the prior predicts something else than x_0.
    """
    from diffusers import PriorTransformer

    del clip
    scheduler = _scheduler(folder)
    network = model_folder.read_network(PriorTransformer, folder / "prior")
    return FoundPrior("diffusers", network, folder / "prior" / model_folder.WEIGHTS, scheduler, _CARD)


def _scheduler(folder: Path) -> dict[str, Any]:
    """Return the settings of the prior's own ``UnCLIPScheduler``, for a ``DDPMScheduler``."""
    paths = [folder / name / "scheduler_config.json" for name in _SCHEDULERS]
    path = next((path for path in paths if path.is_file()), None)
    if path is None:
        raise WeightsError(f"{folder}: has neither {' nor '.join(_SCHEDULERS)}; {COPY_FOLDER}")
    written = read_json(path, WeightsError, fix=COPY_FOLDER)
    if not isinstance(written, dict):
        raise WeightsError(f"{path}: holds no settings; {COPY_FOLDER}")
    if written.get("prediction_type", "epsilon") != "sample":
        raise WeightsError(f"{path}: predicts {written.get('prediction_type')}, a prior predicts 'sample'")
    # the same betas, timesteps and variances as UnCLIPScheduler, see tests/unit/clipsonic/test_published_priors.py
    return {"clip_sample_range": 1.0, **{name: written[name] for name in _KEPT if name in written}}
