"""A number that moves without its numerics version being raised fails here.

``python -m pytest tests/contract/test_golden.py --write-golden`` keeps the numbers of what is new or was raised, and
refuses to overwrite any other.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import golden_vectors as golden
import numpy as np
import pytest
from golden_vectors import Golden, bell, uniform

from clipsonic_eval import signature
from clipsonic_eval.arraytypes import FloatArray
from clipsonic_eval.conventions import CONVENTIONS
from clipsonic_eval.encoders import ENCODERS, Encoder
from clipsonic_eval.metrics import METRICS, ClipMetric, Inputs, Metric, PairMetric
from clipsonic_eval.metrics.gap import gap_scores
from clipsonic_eval.metrics.scoring import score_systems
from clipsonic_eval.types import Clip, Embeddings, EncoderCard, Modality, Score

CLOSE = 1e-6
NETWORKS = 1e-4  # relative to the largest number; processors sum in different orders
DIM = 6
N = 24
N_BOOT = 40
SHIPPED = (
    "toy-audio", "toy-audio-classes", "toy-audio-count", "toy-audio-size", "toy-clap", "toy-clap-condition", "toy-clip",
)  # fmt: skip
BUILT = (
    "panns-cnn14", "panns-cnn14-features", "panns-cnn14-16k", "panns-cnn14-16k-features", "vggish", "vggish-exact",
    "passt", "clap-laion", "clap-laion, fusion", "clap-laion, windows", "clap-transformers", "clip-transformers",
    "audiobox-aesthetics", "imagebind", "synchformer",
    "mert-v1-95m", "encodec-24k", "encodec-48k", "dac-44k", "openl3-music",
)  # fmt: skip
SAME_CODE = {  # and the same card but for name and sizes
    *(f"clap-laion-{kind}" for kind in ("audio", "fusion", "music", "music-speech")),
    *(f"clip-vit-{kind}" for kind in ("b-16", "b-32", "l-14")),
    "passt-features",
    "mert-v1-330m",
    "openl3-env",
}
TEXTS = ["rain on a roof", "a dog barking"]
OURS = {n: m for n, m in ((n, METRICS[n]) for n in METRICS) if not isinstance(m, PairMetric) and not m.card.package}


# --- metrics


def embeddings(name: str, n: int, rows: int, *, move: float = 0.0, like: str = "") -> FloatArray:
    """Return n clips of so many rows; clips of a set scatter, and rows within a clip a little."""
    clips = bell(f"{name}/clips", n, DIM) + (2 * bell(f"{like}/clips", n, DIM) if like else 0)
    vectors = np.repeat(clips, rows, axis=0) + 0.4 * bell(f"{name}/rows", n * rows, DIM)
    return vectors * np.linspace(0.5, 1.5, DIM) + move


def inputs(metric: Metric) -> Inputs:
    card = metric.card
    labels = tuple(f"class {i}" for i in range(DIM)) if card.role.endswith("classifier") else ()
    space = EncoderCard("golden", "0" * 64, DIM, ("audio", "text"), "", labels=labels)
    n = max(N, card.min_n)
    rows = max(2, card.min_rows) if n == N else 1
    keys = tuple(f"q{i:04d}" for i in range(n))
    of_row = tuple(key for key in keys for _ in range(rows))

    def audio(vectors: FloatArray) -> Embeddings:
        logs = vectors - np.log(np.exp(vectors).sum(axis=1, keepdims=True))
        return Embeddings(logs if labels else vectors[:, : space.dim], of_row, "audio", space)

    named = {key: labels[int(i)] for key, i in zip(keys, DIM * uniform("labels", n), strict=True)} if labels else {}
    if card.role in ("aesthetics", "audio_video"):
        space = dataclasses.replace(space, dim=4 if card.role == "aesthetics" else 1)
    if card.attribute == "size":
        space = dataclasses.replace(space, dim=1)
        named = {key: f"{size:.6f}" for key, size in zip(keys, uniform("labels", n), strict=True)}
    return Inputs(
        audio(embeddings("system", n, rows, move=0.3)),
        audio(embeddings("reference", n, rows)),
        Embeddings(embeddings("prompts", n, 1, like="system"), keys, "text", space),
        named,
        audio(embeddings("real", n, rows, like="system")),
        images=Embeddings(embeddings("images", n, 1, like="system")[:, : space.dim], keys, "image", space),
    )


def of_metric(metric: Metric) -> Golden:
    if metric.card.min_n > N and not isinstance(metric, ClipMetric):  # its resamples take seconds
        return Golden(metric.card.num, {"system": metric.value(inputs(metric))}, {})
    return of_scores(metric.card.num, score_systems(metric, {"system": inputs(metric)}, n_boot=N_BOOT, seed=0).scores)


def of_scores(num: int, scores: Mapping[str, Score]) -> Golden:
    values = {name: score.value for name, score in scores.items()}
    for name, score in scores.items():
        values |= {f"{name}/{key}": score.per_clip[key] for key in sorted(score.per_clip)[:3]}
    intervals = {name: (s.ci_method, *s.ci) for name, s in scores.items() if s.ci}
    return Golden(num, values, intervals)


# --- the modality gap


@functools.cache
def of_gap() -> dict[str, Golden]:
    keys = tuple(f"q{i:04d}" for i in range(N))
    card = EncoderCard("golden", "0" * 64, DIM, ("image", "text"), "")
    image = bell("image", N, DIM) + 1

    def near(name: str, weight: float, offset: float) -> Embeddings:
        return Embeddings(weight * image + bell(name, N, DIM) + offset, keys, "text", card)

    shown = Embeddings(image, keys, "image", card)
    prior = {"PD": near("PD", 2.0, 0.1), "mean-shift": near("shift", 1.0, 0.0)}
    scores = gap_scores(shown, near("text", 1.0, -1.0), prior, n_boot=N_BOOT)
    found: dict[str, dict[str, Score]] = {}
    for score in scores:
        found.setdefault(score.metric, {})[score.system] = score
    return {name: of_scores(int(_num(next(iter(s.values())))), s) for name, s in found.items()}


def _num(score: Score) -> str:
    return signature.parse(score.signature).get("num") or "0"


# --- what conventions do to a sound, and encoders


def sound(key: str, seconds: float, rate: int = 44100, channels: int = 2) -> Clip:
    """Three tones over noise, another mixture in each channel."""
    t = np.arange(round(seconds * rate)) / rate
    tones = np.sin(2 * np.pi * (200 + 1500 * uniform(f"{key}/pitch", 3))[:, None] * t)
    levels = uniform(f"{key}/levels", channels, 3) / 4
    wave = levels @ tones + 0.05 * bell(f"{key}/noise", channels, len(t))
    return Clip(key, wave.astype(np.float32), rate)


def of_loading(name: str) -> Golden:
    convention = CONVENTIONS[name]
    loaded = convention.preprocessing(sound("loaded", 0.3))
    values = {"rate": float(loaded.sample_rate), **golden.summary(loaded.samples)}
    return Golden(convention.num, values, {})


def of_encoder(encoder: Encoder, rates: tuple[int, int] = (44100, 16000)) -> Golden:
    values: dict[str, float] = {}
    asked: dict[Modality, Callable[[], Any]] = {
        "audio": lambda: encoder.audio([sound("long", 2.3, rates[0]), sound("short", 0.5, rates[1], 1)]),
        "text": lambda: encoder.text(TEXTS),
        "image": lambda: encoder.image([(256 * uniform("picture", 90, 120, 3)).astype(np.uint8)]),
    }
    for modality in encoder.card.modalities:
        values |= {f"{modality} {name}": value for name, value in golden.summary(asked[modality]()).items()}
    return Golden(encoder.card.num, values, {})


def fill(tensors: Mapping[str, Any]) -> None:
    """Give a network's tensors numbers that follow from their names."""
    import torch

    table = bell("weights", 2**18)

    def drawn(name: str, shape: tuple[int, ...]) -> np.ndarray:
        start = int(uniform(name, 1)[0] * len(table))
        return np.resize(np.roll(table, -start), int(np.prod(shape))).reshape(shape)

    for name, tensor in tensors.items():
        shape = tuple(tensor.shape)
        if (
            not tensor.is_floating_point()
            or not shape
            or name.startswith(("spectrogram_extractor", "logmel_extractor"))
        ):
            continue
        values = drawn(name, shape)
        if name.endswith("running_mean"):
            values = 0.3 * values + (-30 if "batch_norm" in name or name.startswith("bn0") else 0)
        elif name.endswith("running_var"):
            values = (1 + 0.1 * np.abs(values)) * (300 if "batch_norm" in name or name.startswith("bn0") else 1)
        elif len(shape) > 1:
            values = values * np.sqrt(2 / np.prod(shape[1:]))
        else:
            values = 0.1 * values + (1 if name.endswith("weight") else 0)
        with torch.no_grad():
            tensor.copy_(torch.from_numpy(values))


def build(name: str, root: Path) -> Encoder:
    """Return an encoder with closed-form weights in the layout of its published ones."""
    import torch
    from safetensors.torch import load_file, save_file
    from unit.encoders import (
        aesthetics_folder,
        clip_folder,
        codec_folder,
        imagebind_file,
        laion_clap_file,
        mert_folder,
        openl3_file,
        published_panns,
        synchformer_file,
    )

    from clipsonic_eval.encoders.panns.frontend import AT_16K, AT_32K
    from clipsonic_eval.encoders.panns.weights import FILES
    from clipsonic_eval.encoders.passt.network import Passt
    from clipsonic_eval.encoders.vggish.network import Vggish

    known, _, variant = name.partition(", ")
    if known.startswith("mert"):
        network = mert_folder.hubert()
        fill(network.state_dict())
        return mert_folder.load(mert_folder.write(root, net=network))
    if known in codec_folder.SIZES:
        network = codec_folder.network(known)
        fill({name: value for name, value in network.encoder.state_dict().items() if not name.endswith("alpha")})
        return codec_folder.load(known, codec_folder.write(root, known, net=network))
    path = root / "weights.safetensors"
    options: dict[str, Any] = {"rows": "window", "hop_s": 1, "tail": "zeros"} if variant == "windows" else {}
    if known.startswith("panns"):
        rate, front = (16000, AT_16K) if "16k" in known else (32000, AT_32K)
        tensors = published_panns.tensors(rate)
        fill(tensors)
        torch.save({"model": tensors}, root / FILES[front])
        path = root
    elif known.startswith(("vggish", "passt")):
        network = Passt() if known == "passt" else Vggish()
        fill(network.state_dict())
        save_file(network.state_dict(), path)
    elif known in ("audiobox-aesthetics", "clip-transformers"):
        path = (clip_folder if known == "clip-transformers" else aesthetics_folder).write(root)
        tensors = load_file(path / "model.safetensors")
        fill(tensors)
        save_file(tensors, path / "model.safetensors", metadata={"format": "pt"})
    elif known == "openl3-music":
        tensors = load_file(openl3_file.write_tensors(path))
        fill(tensors)
        save_file(tensors, path)
    elif known in ("imagebind", "synchformer"):
        path = (imagebind_file if known == "imagebind" else synchformer_file).write(root)
        tensors = torch.load(path)
        fill(tensors)
        torch.save(tensors, path)
    else:
        network = laion_clap_file.network(fusion=variant == "fusion")
        fill(network.state_dict())
        laion_clap_file.write_tokenizer(root)
        path = root if known == "clap-transformers" else laion_clap_file.write(root / "clap.pt", network)
        if known == "clap-transformers":
            network.save_pretrained(root)
    return ENCODERS[known](path, **options)


# --- the tests


@pytest.fixture
def check(request: pytest.FixtureRequest) -> Callable[[str, str, Golden, float], None]:
    """Compare with what is kept, or keep it where that is asked for and allowed."""

    def compare(kind: str, name: str, now: Golden, tolerance: float) -> None:
        held = golden.read(kind)
        if request.config.getoption("--write-golden"):
            kept = golden.renewed({k: v for k, v in held.items() if k == name}, {name: now}, tolerance)
            golden.write(kind, {**held, **kept})
            return
        problem = golden.verdict(held.get(name), now, tolerance)
        assert not problem, f"{kind} {name}: {problem}"

    return compare


Check = Callable[[str, str, Golden, float], None]


@pytest.mark.parametrize("name", OURS)
def test_metric(check: Check, name: str) -> None:
    check("metrics", name, of_metric(OURS[name]), CLOSE)


def test_gap_statistics(check: Check) -> None:
    for name, now in of_gap().items():
        check("gap", name, now, CLOSE)


@pytest.mark.parametrize("name", list(CONVENTIONS))
def test_loading_of_a_convention(check: Check, name: str) -> None:
    check("loading", name, of_loading(name), NETWORKS)


@pytest.mark.parametrize("name", SHIPPED)
def test_encoder_that_ships(check: Check, name: str) -> None:
    check("encoders", name, of_encoder(ENCODERS[name]()), NETWORKS)


@pytest.mark.parametrize("name", BUILT)
def test_encoder_with_built_weights(check: Check, name: str, tmp_path: Path) -> None:
    encoder = build(name, tmp_path)
    # what OpenL3 sees above the band limit of a resampled sound is what float32 rounds: each processor's own
    now = of_encoder(encoder, (48000, 48000)) if name == "openl3-music" else of_encoder(encoder)
    check("encoders", name, now, NETWORKS)


def test_everything_has_a_golden_vector_and_nothing_else_has(request: pytest.FixtureRequest) -> None:
    wanted = {
        "metrics": set(OURS),
        "gap": set(of_gap()),
        "loading": set(CONVENTIONS),
        "encoders": {*SHIPPED, *BUILT},
    }
    pairs = {name for name in METRICS if isinstance(METRICS[name], PairMetric)}
    assert wanted["gap"] | {"audio_audio_cosine"} == pairs  # the same code as of the images
    assert {name.partition(",")[0] for name in wanted["encoders"]} | SAME_CODE == set(ENCODERS)
    for kind, names in wanted.items():
        if request.config.getoption("--write-golden"):
            golden.write(kind, {k: v for k, v in golden.read(kind).items() if k in names})
            continue
        assert set(golden.read(kind)) == names, kind


@pytest.mark.parametrize("name", ["fad", "clap_score"])
def test_a_metric_that_moves_is_caught_until_its_version_is_raised(name: str) -> None:
    metric = OURS[name]
    if isinstance(metric, ClipMetric):
        own = metric.per_clip
        moved: Metric = dataclasses.replace(metric, per_clip=lambda x: {k: v + 1e-4 for k, v in own(x).items()})
    else:
        value = metric.value
        moved = dataclasses.replace(metric, value=lambda x: 1.0001 * value(x))
    kept = {name: of_metric(metric)}
    assert golden.verdict(kept[name], of_metric(metric), CLOSE) == ""
    assert "raise num" in golden.verdict(kept[name], of_metric(moved), CLOSE)
    with pytest.raises(ValueError, match="raise num"):
        golden.renewed(kept, {name: of_metric(moved)}, CLOSE)
    raised = dataclasses.replace(moved, card=dataclasses.replace(metric.card, num=metric.card.num + 1))
    assert "is new" in golden.verdict(kept[name], of_metric(raised), CLOSE)
    renewed = golden.renewed(kept, {name: of_metric(raised)}, CLOSE)
    assert golden.verdict(renewed[name], of_metric(raised), CLOSE) == ""
    assert "never used twice" in golden.verdict(renewed[name], of_metric(metric), CLOSE)


def test_an_encoder_that_moves_is_caught() -> None:
    encoder = ENCODERS["toy-clap"]()
    held = of_encoder(encoder)
    own = encoder.text
    encoder.text = lambda texts: own([t.upper() + " x" for t in texts])  # type: ignore[method-assign]
    assert "raise num" in golden.verdict(held, of_encoder(encoder), NETWORKS)


def test_an_interval_that_moves_needs_another_name() -> None:
    held = Golden(1, {"a": 1.0}, {"a": ("boot-40", 0.5, 1.5)})
    wider = dataclasses.replace(held, intervals={"a": ("boot-40", 0.4, 1.5)})
    renamed = dataclasses.replace(held, intervals={"a": ("boot2-40", 0.4, 1.5)})
    assert "another name" in golden.verdict(held, wider, CLOSE)
    with pytest.raises(ValueError, match="another name"):
        golden.renewed({"m": held}, {"m": wider}, CLOSE)
    assert golden.renewed({"m": held}, {"m": renamed}, CLOSE) == {"m": renamed}


def test_what_is_not_a_number_is_no_golden_vector() -> None:
    held = Golden(1, {"a": 1.0}, {})
    assert "moved" in golden.verdict(held, Golden(1, {"a": float("nan")}, {}), CLOSE)
    assert "has no golden vector" in golden.verdict(None, held, CLOSE)
    assert "is gone" in golden.verdict(held, None, CLOSE)


def test_the_inputs_are_the_same_everywhere() -> None:
    assert [x.hex() for x in uniform("a", 2)] == ["0x1.2042a91d61b7ap-1", "0x1.ad3e654753204p-1"]
