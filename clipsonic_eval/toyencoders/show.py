"""The calibration of the toy encoders as a table, from the cards of their weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from clipsonic_eval.encoders.toy.weights import find, load, read_card
from clipsonic_eval.formats import markdown_table

_ROWS: Final[tuple[tuple[str, str], ...]] = (
    ("centroid_distance", "centroid distance"),
    ("matched_cosine", "matched cosine"),
    ("image_image_cosine", "image-image cosine"),
    ("text_text_cosine", "text-text cosine"),
    ("unmatched_cosine", "unmatched cosine"),
    ("centred_matched_cosine", "matched cosine, centred"),
    ("separability", "linear separability"),
    ("class_decoding", "class decoded from images"),
    ("zero_shot_class", "zero-shot class accuracy"),
    ("count_decoding", "count decoded from images"),
    ("size_r2", "size decoded from images, R²"),
    ("class_decoding_kernel", "class, by a kernel probe"),
    ("count_decoding_kernel", "count, by a kernel probe"),
    ("size_r2_kernel", "size, by a kernel probe, R²"),
)
_AUDIO: Final = ("toy-clap", "toy-clap-condition", "toy-audio")


def calibration(weights: Path | None = None) -> dict[str, Any]:
    """Return what the cards state, after comparing them with the hashes of the weights.

    Args:
        weights: a folder or a weight file of toy-clip; None: the shipped ones.

    Raises:
        WeightsError: no such weights, or they are not those of the card.
    """
    path = find(weights, "toy-clip")
    load(path, "toy-clip", "pair-image")  # compares the hash
    card = read_card(path)
    audio = {}
    for name in _AUDIO:
        other = path.parent / f"{name}.safetensors"
        if other.is_file():
            audio[name] = read_card(other).get("held_out_video_domain", {})
    return {
        "weights_sha256": card["weights_sha256"],
        "targets": card.get("targets", {}),
        "geometry": card.get("geometry", {}),
        "audio": audio,
    }


def _cell(reached: dict[str, Any], key: str) -> str:
    if key not in reached:
        return "-"
    ends = reached.get("ci95", {}).get(key)
    interval = f" [{ends[0]:.3f}, {ends[1]:.3f}]" if ends else ""
    return f"{reached[key]:.3f}{interval}"


def table(values: dict[str, Any]) -> str:
    """Return the calibration as a Markdown table: target, held-out images of both domains, with 95 % intervals."""
    geometry = values["geometry"]
    sizes = {domain: geometry.get(domain, {}).get("n", 0) for domain in ("web", "video")}
    lines = [
        f"toy-clip {values['weights_sha256'][:12]}; target: published CLIP ViT-B/16 features of 500 COCO pairs",
        "",
    ]
    rows = []
    for key, label in _ROWS:
        if not any(key in reached for reached in geometry.values()):
            continue
        target = values["targets"].get(key)
        aim = "" if target is None else f"≥ {target:.2f}" if key == "class_decoding" else f"{target:.2f}"
        web, video = (_cell(geometry.get(domain, {}), key) for domain in ("web", "video"))
        rows.append((label, aim, web, video))
    heads = ("", "real CLIP", f"web (n {sizes['web']})", f"video (n {sizes['video']})")
    lines.append(markdown_table(heads, rows).rstrip())
    for name, reached in values["audio"].items():
        values_text = ", ".join(
            f"{k.replace('_', ' ')} {v:.3f}" if isinstance(v, float) else f"{k} {v}" for k, v in reached.items()
        )
        lines += ["", f"{name}: {values_text}"]
    return "\n".join(lines)
