"""CLIP's image front end: transformers' image processor for PIL, read from a folder and described for the signature."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from clipsonic_eval.arraytypes import UInt8
from clipsonic_eval.errors import WeightsError
from clipsonic_eval.media.squares import Square
from clipsonic_eval.weight_files import COPY_FOLDER


def load_processor(folder: Path, side: int) -> Any:
    """Return the image processor of a folder, transformers' ``CLIPImageProcessorPil``.

    Args:
        folder: as transformers writes it.
        side: of the square that the network takes, pixels.

    Raises:
        WeightsError: preprocessor_config.json is missing, not readable, or for another size.
    """
    from transformers import CLIPImageProcessorPil

    if not (folder / "preprocessor_config.json").is_file():
        raise WeightsError(f"{folder}: preprocessor_config.json is missing; {COPY_FOLDER}")
    try:
        processor = CLIPImageProcessorPil.from_pretrained(folder, local_files_only=True)
        size = processor.crop_size if processor.do_center_crop else processor.size
        found = (size["height"], size["width"])
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        line = str(error).strip().partition("\n")[0]
        raise WeightsError(f"{folder}: preprocessor_config.json is not readable ({line}); {COPY_FOLDER}") from error
    if found != (side, side):
        raise WeightsError(
            f"{folder}: preprocessor_config.json makes images of {found[0]} x {found[1]} pixels, the network takes "
            f"{side} x {side}; {COPY_FOLDER}"
        )
    return processor


def pixels(processor: Any, images: Sequence[UInt8]) -> torch.Tensor:
    """Return resized, cropped and normalised images, (n, 3, side, side) float32."""
    from PIL import Image

    # as images: of an array, the processor guesses which axis holds the channels, and may guess wrong
    pil_images = [Image.fromarray(image) for image in images]
    values: torch.Tensor = processor(images=pil_images, return_tensors="pt")["pixel_values"]
    return values


def square(processor: Any) -> Square | None:
    """Return the square that an image processor begins with; None where it resizes or cuts in another way."""
    side = processor.size.get("shortest_edge")
    bicubic = processor.do_resize and processor.do_center_crop and int(processor.resample) == 3
    same = side is not None and [processor.crop_size[name] for name in ("height", "width")] == [side, side]
    return Square(side, "floor") if bicubic and same else None


def signature(processor: Any) -> str:
    """Return the steps of an image processor as a field of a signature."""
    p = processor
    steps = ["rgb"]
    if p.do_resize:
        filters = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic", 4: "box", 5: "hamming"}
        short = p.size.get("shortest_edge")
        size = f"short-side-{short}" if short else f"{p.size['height']}x{p.size['width']}"
        steps.append(f"{size}-{filters[int(p.resample)]}-pil")
    if p.do_center_crop:
        steps.append(f"centre-{p.crop_size['height']}x{p.crop_size['width']}-floor")
    if p.do_rescale:
        steps.append(f"times-{p.rescale_factor:.6g}")
    if p.do_normalize:
        moments = {"mean": p.image_mean, "std": p.image_std}
        steps += [f"{name}-{'/'.join(f'{v:.8g}' for v in values)}" for name, values in moments.items()]
    return f"image:{','.join(steps)}"
