"""Images and video frames of a scene (PIL polygons drawn at twice the size, light and camera in NumPy).

The camera follows the sounding objects: they stay in the image while the scenery passes behind them, other objects come
and go, and focus and exposure change; many videos cut to a second shot. So the frames of a video agree in what is heard
and differ in most other things.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from clipsonic_eval.arraytypes import Float32, Float64, UInt8
from clipsonic_eval.toyworld.scene import COLOURS, DISTRACTORS, Scene
from clipsonic_eval.toyworld.shapes import FIXED_COLOURS, SILENT, SOUNDING, Shape

Colour = tuple[int, int, int]

# sky, ground, scenery
_PLACES: Final[dict[str, tuple[Colour, Colour, Colour]]] = {
    "meadow": ((150, 200, 245), (95, 170, 80), (240, 220, 90)),
    "beach": ((170, 220, 250), (235, 215, 160), (60, 140, 210)),
    "street": ((190, 195, 205), (95, 95, 100), (140, 120, 115)),
    "room": ((225, 205, 180), (150, 110, 80), (170, 215, 245)),
    "forest": ((150, 190, 170), (70, 100, 55), (35, 85, 45)),
    "desert": ((245, 205, 150), (220, 170, 95), (195, 140, 75)),
    "mountains": ((165, 195, 235), (120, 135, 105), (130, 130, 145)),
    "stage": ((60, 25, 45), (100, 60, 40), (160, 130, 110)),
    "snow": ((205, 215, 230), (245, 248, 252), (180, 205, 220)),
    "kitchen": ((200, 230, 225), (185, 185, 180), (150, 185, 190)),
}
# gain and offset of the light
_LIGHT: Final[dict[str, tuple[tuple[float, float, float], tuple[float, float, float]]]] = {
    "sunny": ((1.05, 1.03, 0.98), (8.0, 6.0, 0.0)),
    "cloudy": ((0.82, 0.84, 0.88), (0.0, 0.0, 4.0)),
    "foggy": ((0.7, 0.7, 0.7), (70.0, 72.0, 76.0)),
    "night": ((0.6, 0.62, 0.8), (0.0, 2.0, 14.0)),
    "sunset": ((1.05, 0.76, 0.58), (22.0, 4.0, 0.0)),
}
# centres of one, two and three objects in units of the group's radius
_LAYOUT: Final[dict[int, tuple[tuple[float, float], ...]]] = {
    1: ((0.0, 0.0),),
    2: ((-0.5, 0.04), (0.5, -0.04)),
    3: ((-0.52, 0.36), (0.52, 0.36), (0.0, -0.5)),
}
_RADIUS: Final[dict[int, float]] = {1: 0.78, 2: 0.48, 3: 0.46}  # of the biggest object, image = [-1, 1]²
_SMALLEST: Final = 0.54  # of the biggest
_WIDE, _HIGH = 1.6, 1.2  # of the scenery, in sides of the image


class _Camera(NamedTuple):
    """A camera's path: the place of its first frame and the step to each next, (3,) each: right, down, log of zoom.

    Right and down are in [-1, 1], from one end of the scenery to the other.
    """

    start: Float64
    step: Float64


class _Passer(NamedTuple):
    """A silent object that is in the image from one frame to another, and where: x and y in [0, 1], the radius also."""

    kind: str
    colour: str
    x: float
    y: float
    radius: float
    turn: float
    frames: range


class _Shot(NamedTuple):
    """What stays the same from frame to frame in a shot; ``place`` is where the sounding objects are, as in a scene."""

    scenery: Image.Image
    camera: _Camera
    passers: tuple[_Passer, ...]
    light: Float32
    place: tuple[float, float]
    mirrored: bool


def _mix(colour: Colour, other: Colour, share: float) -> Colour:
    r, g, b = (round(a + (o - a) * share) for a, o in zip(colour, other, strict=True))
    return r, g, b


def _stamp(draw: ImageDraw.ImageDraw, shape: Shape, colour: Colour, centre: tuple[float, float], turn: Float64) -> None:
    """Draw a shape at ``centre`` (x, y) in pixels; ``turn`` (2, 2) is its scale and rotation."""
    roles = {"main": colour, "dark": _mix(colour, (0, 0, 0), 0.45), "light": _mix(colour, (255, 255, 255), 0.5)}
    for role, points in shape:
        placed = points @ turn.T + centre
        draw.polygon(placed.ravel().tolist(), fill=roles.get(role) or FIXED_COLOURS[role])


def _turned(radius: float, angle: float, squeeze: float = 1.0) -> Float64:
    c, s = np.cos(angle), np.sin(angle)
    return radius * np.array([[c * squeeze, -s], [s * squeeze, c]])


def _scenery(scene: Scene, rng: np.random.Generator, side: int) -> Image.Image:
    """Return sky, ground and what stands on the horizon: more than an image shows."""
    width, height = round(_WIDE * side), round(_HIGH * side)
    canvas = Image.new("RGB", (width, height))
    draw = ImageDraw.Draw(canvas)
    sky, ground, thing = _PLACES[scene.place]
    horizon = height / 2 + side * (0.08 + 0.14 * rng.random())
    draw.rectangle((0, 0, width, height), fill=sky)
    draw.rectangle((0, horizon, width, height), fill=ground)
    xs = rng.random(9) * width
    hs = (0.12 + 0.3 * rng.random(9)) * side
    for x, h in zip(xs.tolist(), hs.tolist(), strict=True):
        if scene.place in ("forest", "mountains"):
            draw.polygon((x - 0.6 * h, horizon, x, horizon - 1.2 * h, x + 0.6 * h, horizon), fill=thing)
        elif scene.place == "street":
            draw.rectangle((x, horizon - h, x + 0.16 * side, horizon), fill=_mix(thing, sky, h / side))
        elif scene.place in ("meadow", "snow"):
            draw.ellipse((x, horizon + 0.6 * h, x + 0.05 * side, horizon + 0.6 * h + 0.05 * side), fill=thing)
        elif scene.place == "desert":
            draw.ellipse((x - h, horizon + 0.4 * h, x + h, horizon + 0.6 * h), fill=thing)
    if scene.place == "beach":
        draw.rectangle((0, horizon - 0.12 * side, width, horizon), fill=thing)
    elif scene.place == "room":
        for x in xs[:2].tolist():
            draw.rectangle((x, 0.18 * side, x + 0.3 * side, 0.46 * side), fill=thing, outline=(245, 245, 245), width=2)
    elif scene.place == "stage":
        for x in xs[:3].tolist():
            draw.polygon((x, 0, x - 0.3 * side, height, x + 0.3 * side, height), fill=thing)
    elif scene.place == "kitchen":
        for k in range(1, 13):
            draw.line((k * side / 8, 0, k * side / 8, horizon), fill=thing)
            draw.line((0, k * side / 8, width, k * side / 8), fill=thing)
    return canvas


def _seen(scenery: Image.Image, view: Float64, side: int) -> Image.Image:
    """Return the part of the scenery that a camera sees, its place given as right, down, log of zoom (3,)."""
    across = side * float(np.exp(-view[2]))
    right, down = np.clip(view[:2], -1, 1)
    left, top = (scenery.width - across) * (1 + right) / 2, (scenery.height - across) * (1 + down) / 2
    return scenery.resize((side, side), Image.Resampling.BILINEAR, (left, top, left + across, top + across))


def _passers(rng: np.random.Generator, group: float, start: int, own: tuple[str, str] | None) -> tuple[_Passer, ...]:
    """Draw the silent objects of a shot: the scene's own, which its first frame shows, and up to three that pass by.

    Args:
        rng: of the video.
        group: x of the sounding objects; most others stand on the other side of the image.
        start: the shot's first frame.
        own: kind and colour of the scene's own distractor.
    """
    passers = []
    for k in range(4):
        kind, colour = DISTRACTORS[int(rng.integers(len(DISTRACTORS)))], list(COLOURS)[int(rng.integers(len(COLOURS)))]
        first, length = start + int(rng.integers(-3, 5)), 1 + int(rng.integers(4))
        x, y, radius, turn = *rng.uniform((0.08, 0.15, 0.1), (0.2, 0.85, 0.16)), rng.normal(0, 0.15)
        opposite = rng.random() < 0.35
        if k == 0:
            if own is None:
                continue
            (kind, colour), first, opposite = own, start, False
        x = 1 - x if (group < 0) != opposite else x
        passers.append(_Passer(kind, colour, x, y, radius, turn, range(first, first + length)))
    return tuple(passers)


def _pass_by(canvas: Image.Image, passers: Sequence[_Passer], frame: int, side: int) -> None:
    """Draw the silent objects that are there in a frame."""
    draw = ImageDraw.Draw(canvas)
    for passer in passers:
        if frame in passer.frames:
            place = (side * passer.x, side * passer.y)
            turn = _turned(side * passer.radius, passer.turn)
            _stamp(draw, SILENT[passer.kind], COLOURS[passer.colour], place, turn)


def _objects(canvas: Image.Image, scene: Scene, shot: _Shot, phase: float, zoom: float, shake: Float64) -> None:
    """Draw the sounding objects at a phase (radians) of their motion, moved by the camera's shake (2,)."""
    side, mirror = canvas.width, -1.0 if shot.mirrored else 1.0
    draw = ImageDraw.Draw(canvas)
    radius = _RADIUS[scene.count] * (_SMALLEST + (1 - _SMALLEST) * scene.size)
    spread = _RADIUS[scene.count]
    reach = 0.16 if scene.count == 1 else 0.07
    middle = np.array([shot.place[0] * (reach + 0.1 * (1 - scene.size)), shot.place[1] * reach])
    for k, (dx, dy) in enumerate(_LAYOUT[scene.count]):
        swing = phase + 2.1 * k
        centre = middle + np.array([dx, dy]) * spread / 0.52 + np.array([0.03 * np.cos(swing), 0.06 * np.sin(swing)])
        pulse = 1 + 0.03 * np.sin(2 * swing)
        turn = _turned(zoom * radius * pulse * side / 2, scene.rotation + 0.1 * np.sin(swing), mirror)
        x, y = ((zoom * centre + shake + 1) * side / 2).tolist()
        _stamp(draw, SOUNDING[scene.source], COLOURS[scene.colour], (x, y), turn)


def _photograph(canvas: Image.Image, scene: Scene, light: Float32, rng: np.random.Generator, size: int) -> UInt8:
    """Reduce to the final size, apply light, style and camera noise; light (size, size, 1) -> (size, size, 3) uint8."""
    exposure, out_of_focus = np.float32(np.exp(0.12 * rng.standard_normal())), rng.random() < 0.06
    small = canvas.reduce(canvas.width // size)
    if scene.style == "blurry" or out_of_focus:
        small = small.resize((size // 2, size // 2), Image.Resampling.BILINEAR).resize(
            (size, size), Image.Resampling.BILINEAR
        )
    if scene.style == "black and white":
        small = small.convert("L").convert("RGB")
    gain, offset = _LIGHT[scene.weather]
    values = np.asarray(small, dtype=np.float32) * (exposure * light * np.array(gain, np.float32))
    values += np.array(offset, np.float32)
    if scene.style == "black and white":
        values = np.repeat(values.mean(axis=2, keepdims=True), 3, axis=2)
    elif scene.style == "vintage":
        values = values.mean(axis=2, keepdims=True) * 0.45 + values * 0.45 + np.array([40, 22, 0], np.float32)
    noise = 7.0 if scene.domain == "web" else 5.0
    values += noise * rng.standard_normal((size, size, 3), dtype=np.float32)
    image: UInt8 = np.clip(values, 0, 255).astype(np.uint8)
    return image


def _light(scene: Scene, rng: np.random.Generator, size: int) -> Float32:
    """Return a smooth brightness field, (size, size, 1) float32 around 1."""
    depth = 0.2 if scene.domain == "web" else 0.12
    slope = rng.uniform(-depth, depth, 2)
    axis = np.linspace(-1, 1, size)
    field = 1.0 + slope[0] * axis[:, None, None] + slope[1] * axis[None, :, None] + rng.uniform(-depth, depth) / 2
    brightness: Float32 = field.astype(np.float32)
    return brightness


def _camera(rng: np.random.Generator) -> _Camera:
    """Draw a camera's path: it passes along a part of the scenery and comes a little nearer or goes a little away."""
    return _Camera(rng.uniform(-1, 1, 3) * (0.9, 0.7, 0.03), rng.uniform(-1, 1, 3) * (0.35, 0.15, 0.015))


def _shot(scene: Scene, rng: np.random.Generator, start: int, size: int) -> _Shot:
    """Draw a shot that begins at a frame; only the first is composed as the scene says."""
    place, own, mirrored = (scene.x, scene.y), None, False
    if start == 0 and scene.distractor is not None:
        own = (scene.distractor, scene.distractor_colour)
    if start > 0:
        x, y = rng.uniform(-1, 1, 2).tolist()
        place, mirrored = (x, y), bool(rng.random() < 0.5)
    scenery = _scenery(scene, rng, 2 * size)
    passers = _passers(rng, place[0], start, own)
    return _Shot(scenery, _camera(rng), passers, _light(scene, rng, size), place, mirrored)


def render_frames(scene: Scene, rng: np.random.Generator, n: int = 5, size: int = 64) -> UInt8:
    """Render a short video: the sounding objects bob and pulse, the camera follows them, other objects come and go.

    Four videos in seven cut to a second shot of the same objects at another spot of the same place.

    Args:
        scene: what to draw.
        rng: stream of the image's nuisance factors (scenery, camera, other objects, light, phase, noise).
        n: frames, 0.2 s apart.
        size: side in pixels.

    Returns:
        (n, size, size, 3) uint8 RGB; the first frames do not depend on how many follow.
    """
    side = 2 * size
    shot = _shot(scene, rng, 0, size)
    phase, cut = rng.uniform(0, 2 * np.pi), int(rng.integers(1, 8))
    frames = np.empty((n, size, size, 3), np.uint8)
    for k in range(n):
        if k == cut:
            shot = _shot(scene, rng, k, size)
        view = shot.camera.start + k * shot.camera.step + 0.015 * rng.standard_normal(3)
        canvas = _seen(shot.scenery, view, side)
        _pass_by(canvas, shot.passers, k, side)
        _objects(canvas, scene, shot, phase + 1.3 * k, float(np.exp(view[2])), 0.03 * rng.standard_normal(2))
        frames[k] = _photograph(canvas, scene, shot.light, rng, size)
    return frames


def render_image(scene: Scene, rng: np.random.Generator, size: int = 64) -> UInt8:
    """Render one image of the scene, (size, size, 3) uint8 RGB: the first frame of its video."""
    image: UInt8 = render_frames(scene, rng, 1, size)[0]
    return image
