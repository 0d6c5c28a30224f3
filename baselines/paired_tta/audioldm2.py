"""AudioLDM 2: latent diffusion on mel spectrograms, conditioned on CLAP, T5 and a language model between them.

Published as ``cvssp/audioldm2``, ``-large`` and ``-music`` (CC BY-NC-SA 4.0); 16 kHz, trained on 10.24 s. Its paper
samples with 200 steps and guidance 3.5, and keeps the best of three by CLAP (``--candidates 3 --rerank …``).

Source: Liu et al., AudioLDM 2: Learning Holistic Audio Generation with Self-Supervised Pretraining, 2023
(arXiv 2308.05734); ``AudioLDM2Pipeline`` of diffusers.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from clipsonic_eval.errors import WeightsError
from clipsonic_eval.weight_files import COPY_FOLDER
from paired_tta._pipeline import DTYPES, PublishedPipeline, load_pipeline

_NEW_TOKENS = 8  # as published


class AudioLDM2(PublishedPipeline):
    """AudioLDM 2 of a published folder."""

    pipeline_class = "AudioLDM2Pipeline"
    default_name = "AudioLDM 2"
    length_argument = "audio_length_in_s"

    @property
    def native_rate(self) -> int:
        """Sample rate of the vocoder, Hz."""
        return int(self.pipeline.vocoder.config.sampling_rate)

    def _arguments(self) -> dict[str, Any]:
        """Return the number of vectors that the language model adds, which transformers 5 keeps elsewhere."""
        language = self.pipeline.language_model
        places = (language.config, language.generation_config)
        stated = next((n for place in places if (n := getattr(place, "max_new_tokens", None))), _NEW_TOKENS)
        return {"max_new_tokens": stated}

    def _load(self, folder: Path) -> Any:
        parts = {}
        if self._index.get("language_model", [None, None])[1] == "GPT2Model":
            # as published; transformers 5 generates with the class that has a head, whose weights are the same
            parts["language_model"] = _language_model(folder / "language_model", self.config.precision)
        return load_pipeline(folder, self.pipeline_class, self.config.precision, **parts)


def _language_model(folder: Path, precision: str) -> Any:
    """Return the language model of a published folder.

    Raises:
        WeightsError: not readable.
    """
    from transformers import GPT2LMHeadModel

    try:
        return GPT2LMHeadModel.from_pretrained(
            folder, local_files_only=True, use_safetensors=True, dtype=DTYPES[precision]
        )
    except (OSError, ValueError, RuntimeError) as error:
        line = str(error).strip().partition("\n")[0]
        raise WeightsError(f"{folder}: not readable as a GPT-2 ({line}); {COPY_FOLDER}") from error
