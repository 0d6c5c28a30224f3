"""The folder of a trained vocoder: written at the end of a training, and read where another one starts from it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from torch import nn

from clipsonic.training.vocoder_config import VocoderTrainingConfig
from clipsonic.vocoders._generators import GENERATORS, read_generator
from clipsonic_eval import atomic, outputs
from clipsonic_eval.config import as_tree
from clipsonic_eval.errors import ConfigError
from clipsonic_eval.files import write_json
from clipsonic_eval.hashing import file_sha256, write_sums


class TrainedVocoder:
    """A finished generator, the name of its kind, its settings and its card."""

    def __init__(self, generator: nn.Module, name: str, config: Any, card: dict[str, Any]) -> None:
        self.generator, self.name, self.config, self.card = generator, name, config, card

    def save(self, folder: Path) -> Path:
        """Write the folder; ``model_index.json`` last, so its presence means "complete"."""
        tensors = {name: value.detach().cpu().contiguous() for name, value in self.generator.state_dict().items()}
        name, weights = self.name, GENERATORS[self.name].files[0]
        with atomic.replacing_folder(folder / name) as part:
            save_file(tensors, part / weights)
            write_json(part / "config.json", {**asdict(self.config), "win_size": self.config.n_fft})
        self.card["weights_sha256"] = file_sha256(folder / name / weights)
        self.card["parameters"] = sum(value.numel() for value in self.generator.parameters())
        write_json(folder / "card.json", self.card)
        write_sums(folder, (f"{name}/{weights}", f"{name}/config.json", "card.json"))
        write_json(folder / "model_index.json", {"_class_name": "Vocoder", "format": 1, "vocoder": name})
        return folder


def vocoder_parent(config: VocoderTrainingConfig) -> tuple[nn.Module | None, dict[str, Any] | None]:
    """Return the generator that a run starts from, and what the card says of it.

    Raises:
        UserError: no readable one there, or one of another size or layout.
    """
    if config.init_from is None:
        return None, None
    network, theirs, path = read_generator(config.network.name, config.init_from)
    changed = outputs.differences(as_tree(theirs), as_tree(config.generator()))
    if changed:
        raise ConfigError(f"{config.init_from}: another generator than this run's ({outputs.listing(changed)})")
    return network, {"weights_sha256": file_sha256(path)}
