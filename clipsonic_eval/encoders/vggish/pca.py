"""The PCA, clipping and 8-bit rounding with which AudioSet's embeddings were released.

x -> round(255 (clip(P (x - m), -2, 2) + 2) / 4), float32: whole numbers from 0 to 255.

Source: torchvggish 0.2, Postprocessor; tensorflow/models, research/audioset/vggish.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import torch
from torch import Tensor

from clipsonic_eval.encoders._files import check_promise, torch_hub
from clipsonic_eval.encoders.vggish.network import DIM
from clipsonic_eval.errors import WeightsError
from clipsonic_eval.hashing import file_sha256
from clipsonic_eval.tensors import read_tensors

FILE: Final = "vggish_pca_params-970ea276.pth"
SOURCE: Final = f"https://github.com/harritaylor/torchvggish/releases/download/v0.1/{FILE}"


class Pca:
    """The published matrix and means."""

    def __init__(self, matrix: Tensor, means: Tensor, sha256: str) -> None:
        self._matrix, self._means, self.sha256 = matrix, means, sha256

    def __call__(self, embedded: Tensor) -> Tensor:
        """Return whole numbers from 0 to 255: (n, 128) -> (n, 128)."""
        matrix, means = self._matrix.to(embedded.device), self._means.to(embedded.device)
        turned = (embedded.float() - means) @ matrix.T
        return torch.round((turned.clamp(-2, 2) + 2) * (255 / 4))


def load(beside: Path) -> Pca:
    """Read the parameters from beside the weights, or from torch.hub's folder.

    Raises:
        WeightsError: they are missing, damaged or of another shape.
    """
    places = [beside / FILE, (beside / FILE).with_suffix(".safetensors"), torch_hub() / FILE]
    path = next((place for place in places if place.is_file()), None)
    again = f"fetch {FILE} (sha256 begins with 970ea276) from {SOURCE} and put it beside the weights"
    if path is None:
        raise WeightsError(f"{beside}: no parameters of VGGish's PCA here or in {torch_hub()}; {again}")
    check_promise(path, again)
    tensors = read_tensors(path, fix=again)
    matrix, means = tensors.get("pca_eigen_vectors"), tensors.get("pca_means")
    if matrix is None or means is None or matrix.shape != (DIM, DIM) or means.numel() != DIM:
        raise WeightsError(f"{path}: these are not the parameters of VGGish's PCA; {again}")
    return Pca(matrix.float(), means.float().reshape(DIM), file_sha256(path))
