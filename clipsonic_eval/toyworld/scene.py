"""Scenes of the toy world, drawn from a random stream.

Twelve sound sources. Three attributes show in the image **and** in the sound: the source, its size (drawn size; lower
pitch) and the count (number of objects; number of events). Everything else is a nuisance factor of one modality: the
image has colour, place, scenery, weather, a distractor and a style of photograph; the sound has jitter and noise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, get_args

import numpy as np

from clipsonic_eval.errors import ConfigError

Domain = Literal["web", "video"]

SOURCES: Final[tuple[str, ...]] = (
    "bell",
    "drum",
    "siren",
    "bird",
    "engine",
    "rain",
    "whistle",
    "guitar",
    "bee",
    "clock",
    "dog",
    "wind",
)
COLOURS: Final[dict[str, tuple[int, int, int]]] = {
    "red": (214, 45, 40),
    "orange": (240, 140, 30),
    "yellow": (240, 215, 50),
    "green": (50, 170, 70),
    "turquoise": (50, 200, 190),
    "blue": (45, 95, 215),
    "purple": (140, 60, 190),
    "pink": (240, 120, 180),
    "brown": (125, 80, 45),
    "white": (235, 235, 235),
}
PLACES: Final[tuple[str, ...]] = (
    "meadow",
    "beach",
    "street",
    "room",
    "forest",
    "desert",
    "mountains",
    "stage",
    "snow",
    "kitchen",
)
WEATHER: Final[tuple[str, ...]] = ("sunny", "cloudy", "foggy", "night", "sunset")
DISTRACTORS: Final[tuple[str, ...]] = ("ball", "box", "tree", "lamp", "house", "star", "umbrella", "flag")
STYLES: Final[tuple[str, ...]] = ("plain", "black and white", "blurry", "vintage")

# Videos are a narrower domain than images from the web: a prior that is trained on one and used on the other meets a
# domain shift, as between WebLI or LAION images and frames of VGGSound.
_VIDEO_PLACES: Final = PLACES[:7]
_VIDEO_WEATHER: Final = WEATHER[:4]


@dataclass(frozen=True, slots=True)
class Scene:
    """One scene.

    Attributes:
        source: of the sound, one of ``SOURCES``.
        size: 0 (small, high) to 1 (big, low).
        count: 1, 2 or 3 objects.
        domain: ``web`` or ``video``.
        colour: name of the object's colour.
        place: scenery behind the object.
        weather: light and weather.
        distractor: a silent object next to it, or None.
        distractor_colour: name of its colour.
        style: how the photograph was taken.
        x: horizontal place of the group, -1 (left) to 1 (right).
        y: vertical place of the group, -1 (top) to 1 (bottom).
        rotation: radians.
    """

    source: str
    size: float
    count: int
    domain: Domain
    colour: str
    place: str
    weather: str
    distractor: str | None
    distractor_colour: str
    style: str
    x: float
    y: float
    rotation: float

    @property
    def label(self) -> int:
        """Index of the source in ``SOURCES``."""
        return SOURCES.index(self.source)


def _pick(rng: np.random.Generator, names: tuple[str, ...]) -> str:
    return names[int(rng.integers(len(names)))]


def sample_scene(rng: np.random.Generator, domain: Domain = "video") -> Scene:
    """Draw a scene; all its attributes are independent of each other.

    Args:
        rng: the stream of this item, see :func:`clipsonic_eval.seeds.stream`.
        domain: ``web`` (all scenery, styles and rotations) or ``video`` (a narrower range).

    Raises:
        ConfigError: there is no such domain.
    """
    if domain not in get_args(Domain):
        raise ConfigError(f"toy world: domain must be one of {', '.join(get_args(Domain))}, got {domain!r}")
    web = domain == "web"
    source = _pick(rng, SOURCES)
    size = float(rng.random())
    count = 1 + int(rng.integers(3))
    colour = _pick(rng, tuple(COLOURS))
    place = _pick(rng, PLACES if web else _VIDEO_PLACES)
    weather = _pick(rng, WEATHER if web else _VIDEO_WEATHER)
    distractor = _pick(rng, DISTRACTORS) if rng.random() < (0.7 if web else 0.5) else None
    distractor_colour = _pick(rng, tuple(COLOURS))
    styled = rng.random() < (0.25 if web else 0.1)
    style = _pick(rng, STYLES[1:]) if styled else STYLES[0]
    reach = 1.0 if web else 0.8
    x, y = rng.uniform(-reach, reach, 2)
    rotation = float(rng.normal(0.0, 0.25 if web else 0.15))
    return Scene(
        source,
        size,
        count,
        domain,
        colour,
        place,
        weather,
        distractor,
        distractor_colour,
        style,
        float(x),
        float(y),
        rotation,
    )
