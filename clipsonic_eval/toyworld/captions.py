"""Captions: templates with synonyms and dropped attributes.

A caption names the source (by one of several words), and each other thing in the image only with some probability, as
captions from the web do: an image shows far more than its caption says.
"""

from __future__ import annotations

import re
from typing import Final, Literal, get_args

import numpy as np

from clipsonic_eval.errors import ConfigError
from clipsonic_eval.toyworld.scene import Scene

Style = Literal["full", "audio"]

NOUNS: Final[dict[str, tuple[tuple[str, str], ...]]] = {
    "bell": (("bell", "bells"), ("chime", "chimes"), ("gong", "gongs")),
    "drum": (("drum", "drums"), ("tom", "toms"), ("snare", "snares")),
    "siren": (("siren", "sirens"), ("alarm", "alarms"), ("alert", "alerts")),
    "bird": (("bird", "birds"), ("sparrow", "sparrows"), ("songbird", "songbirds")),
    "engine": (("engine", "engines"), ("motor", "motors"), ("machine", "machines")),
    "rain": (("rain", "rains"), ("shower", "showers"), ("downpour", "downpours")),
    "whistle": (("whistle", "whistles"), ("pipe", "pipes"), ("flute", "flutes")),
    "guitar": (("guitar", "guitars"), ("lute", "lutes"), ("banjo", "banjos")),
    "bee": (("bee", "bees"), ("wasp", "wasps"), ("hornet", "hornets")),
    "clock": (("clock", "clocks"), ("watch", "watches"), ("timer", "timers")),
    "dog": (("dog", "dogs"), ("puppy", "puppies"), ("hound", "hounds")),
    "wind": (("wind", "winds"), ("breeze", "breezes"), ("gust", "gusts")),
}
VERBS: Final[dict[str, tuple[str, ...]]] = {
    "bell": ("ringing", "chiming"),
    "drum": ("beating", "pounding"),
    "siren": ("wailing", "blaring"),
    "bird": ("singing", "chirping"),
    "engine": ("running", "humming"),
    "rain": ("falling", "pouring"),
    "whistle": ("blowing", "shrieking"),
    "guitar": ("playing", "strumming"),
    "bee": ("buzzing", "flying"),
    "clock": ("ticking", "counting"),
    "dog": ("barking", "yapping"),
    "wind": ("blowing", "howling"),
}
_SIZES: Final = (("small", "little", "tiny"), ("medium", "average"), ("big", "large", "huge"))
_COUNTS: Final = (("one", "a single"), ("two", "a pair of"), ("three", "a trio of"))
_COLOURS: Final[dict[str, tuple[str, ...]]] = {
    "red": ("red", "crimson"),
    "orange": ("orange",),
    "yellow": ("yellow", "golden"),
    "green": ("green",),
    "turquoise": ("turquoise", "teal"),
    "blue": ("blue",),
    "purple": ("purple", "violet"),
    "pink": ("pink",),
    "brown": ("brown",),
    "white": ("white", "pale"),
}
_PLACES: Final[dict[str, tuple[str, ...]]] = {
    "meadow": ("in a meadow", "on the grass"),
    "beach": ("on a beach", "by the sea"),
    "street": ("in the street", "in a city"),
    "room": ("in a room", "indoors"),
    "forest": ("in a forest", "in the woods"),
    "desert": ("in the desert", "on sand"),
    "mountains": ("in the mountains", "before mountains"),
    "stage": ("on a stage", "in a theatre"),
    "snow": ("in the snow", "in winter"),
    "kitchen": ("in a kitchen", "before tiles"),
}
_WEATHER: Final[dict[str, tuple[str, ...]]] = {
    "sunny": ("on a sunny day", "in bright light"),
    "cloudy": ("on a cloudy day", "under a grey sky"),
    "foggy": ("in the fog", "in mist"),
    "night": ("at night", "in the dark"),
    "sunset": ("at sunset", "in the evening"),
}
_LEADS: Final = ("a photo of", "a picture of", "an image of", "", "", "")
_AUDIO_LEADS: Final = ("the sound of", "a recording of", "we hear", "", "")


def _one(rng: np.random.Generator, words: tuple[str, ...]) -> str:
    return words[int(rng.integers(len(words)))]


def size_words(size: float) -> tuple[str, ...]:
    """Return the words for a size: small below 1/3, big above 2/3."""
    return _SIZES[min(2, int(size * 3))]


def _noun_phrase(scene: Scene, rng: np.random.Generator, *, colour: bool) -> str:
    nouns = NOUNS[scene.source]
    singular, plural = nouns[0] if rng.random() < 0.5 else nouns[1 + int(rng.integers(len(nouns) - 1))]
    words = []
    counted = rng.random() < 0.4
    if counted and (scene.count > 1 or rng.random() < 0.5):
        words.append(_one(rng, _COUNTS[scene.count - 1]))
    elif scene.count == 1:
        words.append("a")
    if rng.random() < 0.35:
        words.append(_one(rng, size_words(scene.size)))
    if colour:
        words.append(_one(rng, _COLOURS[scene.colour]))
    words.append(singular if scene.count == 1 else plural)
    return " ".join(words)


def _details(scene: Scene, rng: np.random.Generator) -> list[str]:
    """Return what the caption says about the rest of the image, in random order."""
    said = []
    if rng.random() < 0.22:
        said.append(_one(rng, _PLACES[scene.place]))
    if rng.random() < 0.15:
        said.append(_one(rng, _WEATHER[scene.weather]))
    if scene.distractor is not None and rng.random() < 0.2:
        hue = _one(rng, _COLOURS[scene.distractor_colour]) + " " if rng.random() < 0.5 else ""
        said.append(_one(rng, ("and a", "with a", "near a")) + f" {hue}{scene.distractor}")
    if abs(scene.x) > 0.4 and rng.random() < 0.12:
        said.append("on the left" if scene.x < 0 else "on the right")
    return [said[k] for k in rng.permutation(len(said))]


def caption(scene: Scene, rng: np.random.Generator, *, style: Style = "full") -> str:
    """Write a caption for the scene; the source is always named.

    Args:
        scene: what to describe.
        rng: stream of the caption.
        style: ``full`` (of an image or video: visual details may be named) or ``audio`` (of a sound: never).

    Raises:
        ConfigError: there is no such style.
    """
    if style not in get_args(Style):
        raise ConfigError(f"toy world: caption style must be one of {', '.join(get_args(Style))}, got {style!r}")
    visual = style == "full"
    lead = _one(rng, _LEADS if visual else _AUDIO_LEADS)
    parts = [lead] if lead else []
    if visual and scene.style != "plain" and rng.random() < 0.25:
        parts = [f"a {scene.style} photo of"]
    parts.append(_noun_phrase(scene, rng, colour=visual and rng.random() < 0.3))
    if rng.random() < (0.3 if visual else 0.6):
        parts.append(_one(rng, VERBS[scene.source]))
    if visual:
        parts += _details(scene, rng)
    return re.sub(r"\ba(?= [aeiou])", "an", " ".join(parts))
