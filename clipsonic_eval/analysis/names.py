"""What systems and metrics are called in tables and figures, in which order they stand and in which colour.

The colours are those of Okabe and Ito (2008), which remain apart for colour-blind readers; controls are grey.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from clipsonic_eval.types import Score

PICTURE = "picture queries"
UNPAIRED = "text queries, no text–audio pairs"
PAIRED = "text queries, trained on text–audio pairs"
OTHER = "other systems"
CONTROL = "controls"
GROUPS = (PICTURE, UNPAIRED, PAIRED, OTHER, CONTROL)


@dataclass(frozen=True, slots=True)
class SystemName:
    """How one system appears.

    Attributes:
        name: as in the records.
        meaning: a few words for the legend of the table.
        group: one of :data:`GROUPS`.
        colour: hexadecimal RGB.
    """

    name: str
    meaning: str
    group: str
    colour: str


_GREY = "#7f7f7f"
_SYSTEMS = (
    SystemName("IQ", "the query is a picture", PICTURE, "#0072B2"),
    SystemName("SD", "diffusion prior trained on the captions and pictures of the audio domain", UNPAIRED, "#56B4E9"),
    SystemName("PD-best4", "best of 4 draws of the prior by cosine to the text", UNPAIRED, "#CC79A7"),
    SystemName("PD", "diffusion prior from text to picture embedding", UNPAIRED, "#009E73"),
    SystemName("mean-shift", "text embedding moved by the difference of the centroids", UNPAIRED, "#E69F00"),
    SystemName("ZS", "text embedding in place of the picture's", UNPAIRED, "#D55E00"),
    SystemName("CLAP-TTA", "same network, CLAP text condition", PAIRED, "#332288"),
    SystemName("CLIP-TTA", "same network, CLIP text condition", PAIRED, "#882255"),
    SystemName("retrieval", "nearest training clip", CONTROL, "#999933"),
    SystemName("real", "real audio of the test set", CONTROL, "#000000"),
    SystemName("real-mel", "real audio through mel and Griffin-Lim", CONTROL, "#4d4d4d"),
    SystemName("shuffled", "real audio with shuffled prompts", CONTROL, _GREY),
    SystemName("noise", "white noise", CONTROL, "#b0b0b0"),
)
_BY_NAME = {s.name: s for s in _SYSTEMS}
_ORDER = {s.name: i for i, s in enumerate(_SYSTEMS)}
_OTHER_COLOURS = ("#44AA99", "#AA4499", "#117733", "#DDCC77", "#661100", "#6699CC")
_BEST_OF = re.compile(r"(PD|SD)-best(\d+)$")

# The questions of the study, asked before any number was seen: Holm's correction is over these and no others.
PLANNED = (
    ("PD", "ZS"),
    ("IQ", "PD"),
    ("IQ", "ZS"),
    ("PD", "mean-shift"),
    ("mean-shift", "ZS"),
    ("PD-best4", "PD"),
    ("SD", "PD"),
    ("ZS", "CLIP-TTA"),
    ("PD", "CLIP-TTA"),
    ("ZS", "CLAP-TTA"),
    ("PD", "CLAP-TTA"),
)


def with_own_k(questions: Iterable[tuple[str, str]], present: Iterable[str]) -> list[tuple[str, str]]:
    """Return questions about the best of k draws with the k that is there (``PD-best4`` stands for any k)."""
    best = sorted(n for n in set(present) if n.startswith("PD-best") and _BEST_OF.match(n)) or ["PD-best4"]
    return [(k if a == "PD-best4" else a, b) for a, b in questions for k in (best if a == "PD-best4" else [a])]


def system(name: str, position: int = 0) -> SystemName:
    """Return how a system appears; names that are not ours stand among the other systems.

    Args:
        name: as in the records.
        position: of a foreign system among its kind; picks its colour.
    """
    if name in _BY_NAME:
        return _BY_NAME[name]
    match = _BEST_OF.match(name)
    if match:
        meaning = f"best of {match[2]} draws of the prior by cosine to the text"
        return SystemName(name, meaning, UNPAIRED, _BY_NAME["PD-best4"].colour)
    return SystemName(name, "", OTHER, _OTHER_COLOURS[position % len(_OTHER_COLOURS)])


def ordered(present: Iterable[str]) -> list[SystemName]:
    """Return the systems in the order of the table: by group, ours in their fixed order, others by name."""
    unique = list(dict.fromkeys(present))
    foreign = sorted(n for n in unique if system(n).group == OTHER)
    entries = [system(n, foreign.index(n) if n in foreign else 0) for n in unique]

    def rank(entry: SystemName) -> tuple[int, float, str]:
        place = _ORDER.get(entry.name, _ORDER["PD-best4"] + 0.5 if entry.group == UNPAIRED else 0)
        return GROUPS.index(entry.group), place, entry.name

    return sorted(entries, key=rank)


def is_control(name: str) -> bool:
    """Say whether a name belongs to the controls, which are not in competition."""
    return system(name).group == CONTROL


@dataclass(frozen=True, slots=True)
class MetricName:
    """How one metric appears: heading, decimals of its values."""

    name: str
    title: str
    decimals: int

    @property
    def in_text(self) -> str:
        """The title within a sentence: acronyms stay as they are."""
        return self.title if self.title[:2].isupper() else self.title[:1].lower() + self.title[1:]


_METRICS = (
    MetricName("fad", "FAD", 2),
    MetricName("clap_score", "CLAP score", 3),
    MetricName("class_accuracy", "Class accuracy", 3),
    MetricName("kl", "KL", 3),
    MetricName("kl_reverse", "KL, reversed", 3),
    MetricName("kl_mean_logits", "KL, logits averaged", 3),
    MetricName("kl_reverse_mean_logits", "KL, reversed, logits averaged", 3),
    MetricName("inception_score", "Inception score", 2),
    MetricName("inception_score_10_splits", "Inception score, ten splits", 2),
    MetricName("centroid_distance", "Centroid distance", 3),
    MetricName("matched_cosine", "Matched cosine", 3),
    MetricName("matched_cosine_centred", "Matched cosine, centred", 3),
    MetricName("unmatched_cosine", "Unmatched cosine", 3),
    MetricName("gap_closed_centroid", "Centroid gap closed", 3),
    MetricName("gap_closed", "Cosine gap closed", 3),
    MetricName("gap_closed_centred", "Centred cosine gap closed", 3),
    MetricName("image_image_cosine", "Image–image cosine", 3),
    MetricName("text_text_cosine", "Text–text cosine", 3),
    MetricName("separability", "Linear separability", 3),
)
_METRIC_ORDER = {m.name: i for i, m in enumerate(_METRICS)}
_METRIC_BY_NAME = {m.name: m for m in _METRICS}


ASIDE = ("fad_halves",)  # said in words: it belongs to the reference, not to a system, and has no place in a table


def metric(name: str) -> MetricName:
    """Return how a metric appears; one that is not ours goes by its own name with three decimals."""
    return _METRIC_BY_NAME.get(name, MetricName(name, name.replace("_", " "), 3))


def ordered_metrics(present: Iterable[str]) -> list[MetricName]:
    """Return the metrics in the order of the columns."""
    return [metric(n) for n in sorted(set(present), key=lambda n: (_METRIC_ORDER.get(n, len(_METRIC_ORDER)), n))]


def arrow(score: Score) -> str:
    """Return the arrow of the better direction."""
    return "↑" if score.higher_is_better else "↓"
