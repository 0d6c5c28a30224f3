"""Targets in memory: a system, an encoder or a metric, ready to answer one request after the other.

A request is new each time (other queries, other seeds, other arrays), and what a system remembers of earlier queries is
forgotten before it (``forget()``, where the system has it), so that every request does all the work of a first one.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np

from clipsonic_eval import seeds
from clipsonic_eval.arraytypes import Float32, UInt8
from clipsonic_eval.encoders import ENCODERS, Encoder, load_encoder
from clipsonic_eval.errors import ConfigError, UserError
from clipsonic_eval.metrics import METRICS
from clipsonic_eval.systems import System, resolve
from clipsonic_eval.types import Clip, Query

_WHO: Final = ("a dog", "a cat", "a bell", "a motor", "a bird", "a child", "a train", "a drum", "a door", "rain")
_WHERE: Final = (
    "in a garden", "far away", "in a large hall", "near a road", "at night", "in a small room", "by the sea",
    "in a forest", "on a bridge", "behind a wall",
)  # fmt: skip
_CLIP_S, _RATE, _SIDE = 10.0, 48000, 224  # of an encoder's input
_POOL = 32  # inputs of an encoder that take turns
_N, _D, _CLASSES = 1000, 128, 10  # of a metric's arrays


@dataclass(slots=True)
class Loaded:
    """A target that answers requests.

    Attributes:
        name: in tables.
        kind: what it is.
        card: everything the results depend on.
        call: answers the request of a number; the result is on the host when it returns.
        batch: items per request.
        item: what an item is: ``clip``, ``text``, ``image``, or ``value`` of a metric.
        device: that it computes on, as torch names it.
        request: what else a request is made of, for the signature.
        audio_s: seconds of audio of an item; 0 where there is none. Known after the first call of a system.
        remarks: what a reader must know, a sentence each.
    """

    name: str
    kind: Literal["system", "encoder", "metric"]
    card: Mapping[str, Any]
    call: Callable[[int], object]
    batch: int
    item: str
    device: str
    request: Mapping[str, str] = field(default_factory=dict)
    audio_s: float = 0.0
    remarks: list[str] = field(default_factory=list)


def default_queries() -> list[Query]:
    """Return a hundred sentences about everyday sounds."""
    return [Query(f"q{i}{j}", f"{who} {where}") for j, where in enumerate(_WHERE) for i, who in enumerate(_WHO)]


def load(spec: str, name: str, settings: Mapping[str, Any], queries: Sequence[Query], seed: int) -> Loaded:
    """Load a target.

    Args:
        spec: name of a metric or an encoder, or a system as ``sample`` takes it.
        name: in tables; "": its own.
        settings: of the request and of the constructor, see the loaders below.
        queries: for systems and encoders of text.
        seed: of the requests.

    Raises:
        UserError: nothing has this name, or a setting is not accepted.
    """
    if ":" in spec or Path(spec).is_dir():  # before the registries are scanned: a system pays for its own imports only
        return _system(spec, name, settings, queries, seed)
    if spec in METRICS:
        return _metric(spec, name, settings, seed)
    if spec in ENCODERS:
        return _encoder(spec, name, settings, queries, seed)
    return _system(spec, name, settings, queries, seed)


def _split(
    settings: Mapping[str, Any], defaults: Mapping[str, Any], spec: str
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the settings of the request, checked against the type of their defaults, and those of the constructor."""
    request = dict(defaults)
    for key in defaults.keys() & settings.keys():
        request[key] = _checked(spec, key, settings[key], defaults[key])
    return request, {key: value for key, value in settings.items() if key not in defaults}


def _checked(spec: str, key: str, value: Any, default: Any) -> Any:
    """Return a setting of the request if it is of the kind of its default."""
    if isinstance(default, str):
        fits, expected = isinstance(value, str), "a name"
    elif isinstance(default, int):
        least = min(default, 1)
        fits, expected = type(value) is int and value >= least, f"a whole number of at least {least}"
    else:
        fits, expected = type(value) in (int, float) and value > 0, "a number above 0"
    if not fits:
        raise ConfigError(f"{spec}: {key}={value!r}: expected {expected}")
    return value


# --- systems


def _system(spec: str, name: str, settings: Mapping[str, Any], queries: Sequence[Query], seed: int) -> Loaded:
    """Load a system; request settings: ``batch`` (1) and ``length``, another word for its ``duration_s``."""
    request, rest = _split(settings, {"batch": 1}, spec)
    if "length" in rest:
        rest = {**rest, "duration_s": rest["length"]}
        del rest["length"]
    system = resolve(spec, rest)
    loaded = Loaded(
        name or system.name, "system", system.card(), lambda number: None, request["batch"], "clip", _device_of(rest)
    )
    loaded.call = _requests(system, loaded, queries, seed)
    return loaded


def _requests(system: System, loaded: Loaded, queries: Sequence[Query], seed: int) -> Callable[[int], object]:
    forget: Callable[[], object] | None = getattr(system, "forget", None)
    batch, distinct = loaded.batch, len({query.prompt for query in queries})

    def call(number: int) -> list[Float32]:
        first = number * batch
        if forget is not None:
            forget()
        elif first + batch > distinct and not loaded.remarks:
            loaded.remarks.append(
                f"prompts came again after {distinct}: a system that keeps what it made of earlier ones is measured "
                "with that; give more with --queries"
            )
        asked = [queries[(first + i) % len(queries)] for i in range(batch)]
        sounds = system.generate(asked, [seeds.derive(seed, str(first + i), "bench") for i in range(batch)])
        if not loaded.audio_s:
            loaded.audio_s = _seconds(sounds, batch, system)
        return sounds

    return call


def _seconds(sounds: Sequence[Any], batch: int, system: System) -> float:
    """Return the mean duration of the sounds, (n,) floating point each.

    Raises:
        UserError: they are not what was asked for.
    """
    arrays = [np.asarray(sound) for sound in sounds]
    if len(arrays) != batch or any(a.ndim != 1 or not a.size or a.dtype.kind != "f" for a in arrays):
        raise UserError(
            f"system '{system.name}': generate(queries, seeds) must return one array of floating-point samples (n,) "
            f"for each of the {batch} queries, on the host"
        )
    return float(np.mean([len(a) for a in arrays])) / system.sample_rate


def _device_of(settings: Mapping[str, Any]) -> str:
    """Return the device of a system: as it is set, or what ``auto`` means; the CPU where torch is not loaded."""
    if "torch" not in sys.modules and "device" not in settings:
        return "cpu"
    from clipsonic_eval.devices import resolve_device

    return str(resolve_device(str(settings.get("device", "auto"))))


# --- encoders


def _encoder(spec: str, name: str, settings: Mapping[str, Any], queries: Sequence[Query], seed: int) -> Loaded:
    """Load an encoder; request settings: ``batch`` (1), ``modality`` (its first), ``length`` of clips (10 s)."""
    request, rest = _split(settings, {"batch": 1, "modality": "", "length": _CLIP_S}, spec)
    from clipsonic_eval.devices import resolve_device

    device = str(resolve_device(str(rest.get("device", "auto"))))
    encoder = load_encoder(spec, **{**rest, "device": device})
    modality = request["modality"] or encoder.card.modalities[0]
    if modality not in encoder.card.modalities:
        raise ConfigError(f"{spec}: takes no {modality}; it takes {', '.join(encoder.card.modalities)}")
    batch = request["batch"]
    answer, audio_s = _inputs(encoder, modality, queries, request["length"], seed)
    card = {"encoder": encoder.card.short, "preprocessing": encoder.card.preprocessing, **_precision(rest)}
    return Loaded(
        name or spec, "encoder", card, lambda number: answer(number * batch, batch), batch,
        {"audio": "clip"}.get(modality, modality), device, {"modality": modality}, audio_s,
    )  # fmt: skip


def _precision(options: Mapping[str, Any]) -> dict[str, Any]:
    return {"precision": options["precision"]} if "precision" in options else {}


def _inputs(
    encoder: Encoder, modality: str, queries: Sequence[Query], length: float, seed: int
) -> tuple[Callable[[int, int], object], float]:
    """Return the function (first, batch) -> embeddings of a batch of inputs, and the seconds of audio of one."""
    rng = seeds.stream(seed, modality, "bench-inputs")
    if modality == "text":
        texts = [query.prompt for query in queries]
        return lambda first, batch: encoder.text(_rotated(texts, first, batch)), 0.0
    if modality == "image":
        images: list[UInt8] = [rng.integers(0, 256, (_SIDE, _SIDE, 3), dtype=np.uint8) for _ in range(_POOL)]
        return lambda first, batch: encoder.image(_rotated(images, first, batch)), 0.0
    n = max(1, round(length * _RATE))
    noise = rng.standard_normal(n + _POOL, dtype=np.float32) * np.float32(0.1)
    clips = [Clip(f"c{i}", noise[None, i : i + n], _RATE) for i in range(_POOL)]  # each one its own, in one memory
    return lambda first, batch: encoder.audio(_rotated(clips, first, batch)), n / _RATE


def _rotated(items: Sequence[Any], first: int, batch: int) -> list[Any]:
    return [items[(first + i) % len(items)] for i in range(batch)]


# --- metrics


def _metric(spec: str, name: str, settings: Mapping[str, Any], seed: int) -> Loaded:
    """Load a metric; request settings: ``n`` clips (1000) of ``d`` dimensions (128), ``n_boot`` resamples (0)."""
    request, rest = _split(settings, {"n": _N, "d": _D, "n_boot": 0}, spec)
    if rest:
        raise ConfigError(f"{spec}: a metric takes n, d and n_boot, not '{next(iter(rest))}'")
    entry = METRICS[spec]
    from clipsonic_eval.metrics.scoring import function_of

    function = function_of(entry)
    arrays = _arrays(inspect.signature(function).parameters, entry.card.role, request["n"], request["d"], seed)
    card = {"metric": spec, "num": entry.card.num, "n_boot": request["n_boot"]}
    shape = {"shape": f"{request['n']}x{request['d']}", "n_boot": str(request["n_boot"])}
    call = _scored(function, arrays, request["n_boot"])
    return Loaded(name or spec, "metric", card, call, 1, "value", "cpu", shape)


def _arrays(parameters: Mapping[str, Any], role: str, n: int, d: int, seed: int) -> dict[str, Any]:
    """Return arrays (n, d) for the inputs that a metric's function takes without a default, and labels (n,)."""
    found: dict[str, Any] = {}
    for parameter, description in parameters.items():
        if description.default is not description.empty or description.kind is description.VAR_KEYWORD:
            continue
        rng = seeds.stream(seed, parameter, "bench-arrays")
        if parameter == "labels":
            found[parameter] = [str(i) for i in rng.integers(0, min(d, _CLASSES), n)]
            continue
        rows = rng.standard_normal((n, d)).astype(np.float32)
        if role.endswith("classifier"):
            rows = rows - np.log(np.exp(rows).sum(axis=1, keepdims=True))  # log-probabilities of classes
        found[parameter] = rows
    return found


def _scored(function: Callable[..., Any], arrays: Mapping[str, Any], n_boot: int) -> Callable[[int], object]:
    takes = inspect.signature(function).parameters

    def call(number: int) -> object:
        options = {"n_boot": n_boot, "seed": number}
        return function(**arrays, **{key: value for key, value in options.items() if key in takes})

    return call


def read(path: Path | None) -> list[Query]:
    """Return the queries of a table; None: :func:`default_queries`.

    Raises:
        UserError: the table is missing or holds no query.
    """
    if path is None:
        return default_queries()
    from clipsonic_eval.harness.queries import read_queries

    return list(read_queries(path).queries)
