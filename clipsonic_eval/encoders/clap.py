"""``clap-laion-audio``, ``-fusion``, ``-music``, ``-music-speech``: LAION's CLAP; ``clap-laion``: others of its layout.

Sounds and texts as unit vectors of 512 dimensions, for CLAP score, retrieval and Fréchet distances. The checkpoints are
the original ``.pt`` files, read without executing anything; ``clap-transformers`` reads a folder of transformers (the
hub's ``laion/clap-*`` leave out the epsilon of RoBERTa's layer normalisation, so that their texts differ from the
original by up to 1e-4).

Unlike laion_clap, nothing is drawn at random: sounds of more than 10 s are cut into windows of 10 s, the last of them
at the end, and the windows' vectors are averaged; the checkpoint with fusion takes the middles of the thirds. Options
(see :class:`~clipsonic_eval.encoders._clap.pieces.Cutting`): ``long``, ``hop_s``, ``tail``, ``rows``, ``int16``,
``seed``; ``precision`` (fp32, bf16); ``backend`` (transformers, or ``laion-clap`` where that package is installed:
agrees to 1e-4, tox -e reference); ``tokenizer`` (folder of RoBERTa's); ``download``.

Texts need RoBERTa's tokenizer: beside the weights, or in the Hugging Face cache.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from clipsonic_eval.encoders._base import ENCODERS

if TYPE_CHECKING:
    from clipsonic_eval.encoders._clap.inference import ClapEncoder


def _register(name: str) -> None:
    @ENCODERS.register(name)
    def load(weights: Path | None = None, *, device: str = "cpu", **options: Any) -> ClapEncoder:
        """Load from a file or folder; None: the Hugging Face cache, or where laion_clap keeps its downloads."""
        from clipsonic_eval.encoders._clap.inference import load_clap

        return load_clap(name, weights, device, **options)


for _name in (
    "clap-laion",
    "clap-laion-audio",
    "clap-laion-fusion",
    "clap-laion-music",
    "clap-laion-music-speech",
    "clap-transformers",
):
    _register(_name)
