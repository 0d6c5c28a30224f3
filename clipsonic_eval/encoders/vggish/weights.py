"""The published weights of VGGish and the parameters of its PCA, read as tensors only."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from torch import Tensor

from clipsonic_eval.encoders.vggish.network import DIM, Vggish
from clipsonic_eval.errors import WeightsError
from clipsonic_eval.hashing import file_sha256
from clipsonic_eval.tensors import read_tensors
from clipsonic_eval.weight_files import PublishedWeights, check_hash_in_name, fill_network, how_to_get, torch_hub

FILE: Final = "vggish-10086976.pth"
PCA_FILE: Final = "vggish_pca_params-970ea276.pth"
_RELEASE: Final = "https://github.com/harritaylor/torchvggish/releases/download/v0.1"
SOURCE: Final = f"{_RELEASE}/{FILE}"
PUBLISHED: Final = (
    PublishedWeights(FILE, "vggish, vggish-exact", "Apache-2.0", SOURCE, sha256="10086976"),
    PublishedWeights(PCA_FILE, "vggish-exact", "Apache-2.0", f"{_RELEASE}/{PCA_FILE}", sha256="970ea276"),
)


def find(weights: Path | None) -> Path:
    """Return the weight file: the one given, or torch.hub's copy.

    Raises:
        WeightsError: there is none, or it has another hash than its name states.
    """
    path = weights if weights is not None else torch_hub() / FILE
    if not path.is_file():
        raise WeightsError(f"{path}: no VGGish weights here; {how_to_get(FILE, SOURCE)}")
    check_hash_in_name(path, "fetch it again")
    return path


def load(path: Path) -> Vggish:
    """Build the network from the published ``.pth`` or a safetensors file.

    Raises:
        WeightsError: not readable without executing anything, or other tensors than VGGish's 18.
    """
    fix = f"fetch {FILE} from {SOURCE}"
    return fill_network(Vggish, read_tensors(path, fix=fix), path, named="VGGish's 18 tensors", fix=fix)


def load_pca(weights_dir: Path) -> tuple[Tensor, Tensor, str]:
    """Read the PCA parameters from next to the weights, or from torch.hub's folder.

    Returns:
        Components (128, 128) float32, means (128,) float32, and the SHA-256 of the file.

    Raises:
        WeightsError: they are missing, damaged or of another shape.
    """
    places = [weights_dir / PCA_FILE, (weights_dir / PCA_FILE).with_suffix(".safetensors"), torch_hub() / PCA_FILE]
    path = next((place for place in places if place.is_file()), None)
    fix = (
        f"fetch {PCA_FILE} (sha256 begins with 970ea276) from {_RELEASE}/{PCA_FILE} and put it into the folder of the "
        "weights"
    )
    if path is None:
        raise WeightsError(f"{weights_dir}: no parameters of VGGish's PCA here or in {torch_hub()}; {fix}")
    check_hash_in_name(path, fix)
    tensors = read_tensors(path, fix=fix)
    components, means = tensors.get("pca_eigen_vectors"), tensors.get("pca_means")
    if components is None or means is None or components.shape != (DIM, DIM) or means.numel() != DIM:
        raise WeightsError(f"{path}: these are not the parameters of VGGish's PCA; {fix}")
    return components.float(), means.float().reshape(DIM), file_sha256(path)
