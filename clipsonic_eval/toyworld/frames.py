"""Images and video frames of a scene (PIL polygons drawn at twice the size, light and camera in NumPy)."""

from __future__ import annotations

from typing import Final

import numpy as np
from PIL import Image, ImageDraw

from clipsonic_eval.arraytypes import Float32, Float64, UInt8
from clipsonic_eval.toyworld.scene import COLOURS, Scene
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


def _scenery(draw: ImageDraw.ImageDraw, scene: Scene, rng: np.random.Generator, side: int) -> None:
    """Paint sky, ground and what stands on the horizon."""
    sky, ground, thing = _PLACES[scene.place]
    horizon = side * (0.58 + 0.14 * rng.random())
    draw.rectangle((0, 0, side, side), fill=sky)
    draw.rectangle((0, horizon, side, side), fill=ground)
    xs = rng.random(6) * side
    hs = (0.12 + 0.3 * rng.random(6)) * side
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
        draw.rectangle((0, horizon - 0.12 * side, side, horizon), fill=thing)
    elif scene.place == "room":
        x = xs[0] * 0.6
        draw.rectangle((x, 0.08 * side, x + 0.3 * side, 0.36 * side), fill=thing, outline=(245, 245, 245), width=2)
    elif scene.place == "stage":
        for x in xs[:2].tolist():
            draw.polygon((x, 0, x - 0.25 * side, side, x + 0.25 * side, side), fill=thing)
    elif scene.place == "kitchen":
        for k in range(1, 8):
            draw.line((k * side / 8, 0, k * side / 8, horizon), fill=thing)
            draw.line((0, k * side / 8, side, k * side / 8), fill=thing)


def _stage(scene: Scene, rng: np.random.Generator, side: int) -> Image.Image:
    """Return the image without the sounding objects."""
    canvas = Image.new("RGB", (side, side))
    draw = ImageDraw.Draw(canvas)
    _scenery(draw, scene, rng, side)
    if scene.distractor is not None:
        # On the other side of the image than the group, so that the sounding object stays clear.
        x = side * (0.14 + 0.06 * rng.random())
        x = side - x if scene.x < 0 else x
        y = side * rng.uniform(0.15, 0.85)
        turn = _turned(side * rng.uniform(0.1, 0.14), rng.normal(0, 0.15))
        _stamp(draw, SILENT[scene.distractor], COLOURS[scene.distractor_colour], (x, y), turn)
    return canvas


def _objects(canvas: Image.Image, scene: Scene, phase: float, side: int) -> None:
    """Draw the sounding objects at a phase (radians) of their motion."""
    draw = ImageDraw.Draw(canvas)
    radius = _RADIUS[scene.count] * (0.62 + 0.38 * scene.size)
    spread = _RADIUS[scene.count]
    reach = 0.16 if scene.count == 1 else 0.07
    middle = np.array([scene.x * (reach + 0.1 * (1 - scene.size)), scene.y * reach])
    for k, (dx, dy) in enumerate(_LAYOUT[scene.count]):
        swing = phase + 2.1 * k
        centre = middle + np.array([dx, dy]) * spread / 0.52 + np.array([0.03 * np.cos(swing), 0.06 * np.sin(swing)])
        turn = _turned(radius * (1 + 0.04 * np.sin(2 * swing)) * side / 2, scene.rotation + 0.1 * np.sin(swing))
        x, y = ((centre + 1) * side / 2).tolist()
        _stamp(draw, SOUNDING[scene.source], COLOURS[scene.colour], (x, y), turn)


def _photograph(canvas: Image.Image, scene: Scene, light: Float32, rng: np.random.Generator, size: int) -> UInt8:
    """Reduce to the final size, apply light, style and camera noise; light (size, size, 1) -> (size, size, 3) uint8."""
    small = canvas.reduce(canvas.width // size)
    if scene.style == "blurry":
        small = small.resize((size // 2, size // 2), Image.Resampling.BILINEAR).resize(
            (size, size), Image.Resampling.BILINEAR
        )
    elif scene.style == "black and white":
        small = small.convert("L").convert("RGB")
    gain, offset = _LIGHT[scene.weather]
    values = np.asarray(small, dtype=np.float32) * (light * np.array(gain, np.float32)) + np.array(offset, np.float32)
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


def render_frames(scene: Scene, rng: np.random.Generator, n: int = 5, size: int = 64) -> UInt8:
    """Render a short video: the objects bob and pulse, scenery and light stand still, every frame has its own noise.

    Args:
        scene: what to draw.
        rng: stream of the image's nuisance factors (scenery, light, phase, noise).
        n: frames, 0.2 s apart.
        size: side in pixels.

    Returns:
        (n, size, size, 3) uint8 RGB.
    """
    side = 2 * size
    stage = _stage(scene, rng, side)
    light = _light(scene, rng, size)
    start = rng.uniform(0, 2 * np.pi)
    frames = np.empty((n, size, size, 3), np.uint8)
    for k in range(n):
        canvas = stage.copy()
        _objects(canvas, scene, start + 1.3 * k, side)
        frames[k] = _photograph(canvas, scene, light, rng, size)
    return frames


def render_image(scene: Scene, rng: np.random.Generator, size: int = 64) -> UInt8:
    """Render one image of the scene, (size, size, 3) uint8 RGB: the first frame of its video."""
    image: UInt8 = render_frames(scene, rng, 1, size)[0]
    return image
