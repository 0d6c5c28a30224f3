"""A study made up from random numbers with known effects, laid out as `evaluate` and `gap` lay out theirs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from clipsonic_eval import records
from clipsonic_eval.analysis.catalogue import Catalogue
from clipsonic_eval.analysis.parts import sort
from clipsonic_eval.analysis.results import Results, analyse
from clipsonic_eval.analysis.runs import Run
from clipsonic_eval.records import Comparison, RunRecord
from clipsonic_eval.types import Score, Skip

SIGNATURES = {
    "fad": "fad|enc:toy-audio+1a2b3c4d|rate:16k|resample:soxr-hq|mono:mean|win:0.96|cov:n-1|est:plug-in|n:{n}|v:0.1",
    "clap_score": "clap_score|enc:toy-clap+5e6f7a8b|rate:16k|mono:mean|pair:key|scale:1|n:{n}|v:0.1",
    "class_accuracy": "class_accuracy|enc:toy-audio-classes+9c0d1e2f|rate:16k|mono:mean|n:{n}|v:0.1",
}
LOWER_IS_BETTER = ("fad", "kl", "centroid_distance")
UNITS = {"fad": "squared embedding units", "clap_score": "cosine", "class_accuracy": "fraction"}

# FAD, CLAP score, class accuracy
LEVELS: dict[str, tuple[float, float, float]] = {
    "IQ": (20.2, 0.585, 0.75),
    "SD": (24.1, 0.552, 0.70),
    "PD-best4": (24.9, 0.541, 0.69),
    "PD": (26.8, 0.514, 0.66),
    "mean-shift": (32.6, 0.492, 0.61),
    "ZS": (41.3, 0.446, 0.55),
    "CLAP-TTA": (18.9, 0.662, 0.86),
    "CLIP-TTA": (19.6, 0.628, 0.83),
    "retrieval": (5.1, 0.571, 0.72),
    "real": (2.8, 0.789, 1.0),
    "real-mel": (4.5, 0.786, 0.99),
    "shuffled": (2.8, 0.071, 0.08),
    "noise": (212.0, 0.012, 0.08),
}
FIXED = ("retrieval", "real", "real-mel", "shuffled", "noise")  # do not depend on the training seed
PROMPTS = (
    "a large bell rings",
    "two small dogs barking",
    "the sound of a slow siren",
    "three birds",
    "a high whistle",
    "rain",
)


@dataclass(frozen=True)
class Made:
    """How one evaluation is made up."""

    seed: int = 0
    n: int = 240
    shift: float = 0.0
    seed_spread: float = 0.8
    tags: Mapping[str, str] | None = None


def score(metric: str, system: str, value: float, **more: object) -> Score:
    """One score with sensible defaults."""
    n = int(str(more.pop("n", 480)))
    fields: dict[str, object] = {
        "ci": (value - 0.05 * abs(value) - 0.005, value + 0.05 * abs(value) + 0.005),
        "ci_method": "bootstrap-clip-percentile-2000",
        "n": n,
        "n_rows": n,
        "unit": UNITS.get(metric, ""),
        "higher_is_better": metric not in LOWER_IS_BETTER,
        "signature": SIGNATURES.get(metric, metric + "|v:0.1").format(n=n),
        **more,
    }
    return Score(metric=metric, system=system, value=value, **fields)  # type: ignore[arg-type]


def _items(rng: np.random.Generator, difficulty: np.ndarray, mean: float, binary: bool) -> dict[str, float]:
    if binary:
        # the same queries are hard for every system: paired tests gain by it
        values = (difficulty + rng.normal(0, 0.5, len(difficulty)) < np.quantile(difficulty, mean)).astype(float)
    else:
        values = mean - 0.1 * difficulty + rng.normal(0, 0.08, len(difficulty))
        values += mean - values.mean()
    return {f"q{i:04d}": float(v) for i, v in enumerate(values)}


def evaluation(made: Made, levels: Mapping[str, tuple[float, float, float]] = LEVELS) -> RunRecord:
    """An evaluation whose systems have the given means, with values per query and paired tests for FAD."""
    rng = np.random.default_rng(1000 + made.seed)
    difficulty = np.random.default_rng(7).normal(0, 1, made.n)
    scores: list[Score] = []
    fads: dict[str, float] = {}
    for system, (fad, clap, accuracy) in levels.items():
        own = np.random.default_rng(3) if system in FIXED else rng
        wobble = 0.0 if system in FIXED else float(rng.normal(0, made.seed_spread))
        fads[system] = fad + made.shift + wobble
        scores.append(score("fad", system, fads[system], n=made.n))
        means = {"clap_score": clap + 0.008 * wobble, "class_accuracy": accuracy}
        for metric, mean in means.items():
            items = _items(own, difficulty, float(np.clip(mean, 0.02, 0.995)), metric == "class_accuracy")
            values = np.array(list(items.values()))
            half = 1.96 * float(values.std(ddof=1)) / made.n**0.5
            value = float(values.mean())
            scores.append(score(metric, system, value, n=made.n, per_clip=items, ci=(value - half, value + half)))
    names = list(levels)
    comparisons = [fad_test(a, b, fads[a] - fads[b], made.n) for i, a in enumerate(names) for b in names[i + 1 :]]
    systems = {s: {"kind": "folder", "guidance": 2.0} for s in levels}
    tags = {"split": "test", "train_seed": str(made.seed), "guidance": "2", "clip_variant": "toy-clip"}
    return RunRecord(
        "evaluate", tuple(scores), tuple(comparisons), systems, {"ZS": (Skip("q9999", "silent"),)},
        tags if made.tags is None else made.tags, {"seed": 0}, provenance(), {"embed": 12.5},
    )  # fmt: skip


def fad_test(a: str, b: str, difference: float, n: int) -> Comparison:
    """A paired test of FAD with a standard error of 1."""
    p = _p(difference)
    return Comparison(
        "fad", a, b, difference, (difference - 2, difference + 2), p, p, n, "paired-bootstrap-10000", False
    )


def _p(difference: float) -> float:
    """Two-sided p of a difference with a standard error of 1."""
    from scipy.stats import norm

    return float(max(2 * norm.sf(abs(difference)), 1e-4))


def provenance() -> dict[str, object]:
    """What the records of a real run hold."""
    return {
        "clipsonic_eval": "0.1.0",
        "commit": "0123456789abcdef0123456789abcdef01234567",
        "uncommitted_changes": False,
        "python": "3.11.9",
        "platform": "Linux-x86_64",
        "processor": "A Processor",
        "cpu_count": 2,
        "accelerator": "none",
        "packages": {"torch": "2.13.0", "numpy": "2.3.0"},
        "created": "2025-01-01T00:00:00+00:00",
    }


def write_examples(
    folder: Path, systems: Sequence[str], frames: int = 96, keys: int = 6, labels: Sequence[str] = ()
) -> None:
    """Log-mel pictures that look a little like sounds; with class labels, the scale of their axes is known too."""
    rng = np.random.default_rng(5)
    band = np.arange(64)[:, None]
    time = np.arange(frames)[None, :]
    arrays: dict[str, np.ndarray] = {}
    for j, system in enumerate(systems):
        pictures = []
        for k in range(keys):
            pitch = 8 + 9 * k + 2 * np.sin(time / (6 + k))
            harmonics = sum(np.exp(-0.5 * ((band - pitch * h) / 1.5) ** 2) / h for h in (1, 2, 3))
            onset = np.exp(-((time % (24 + 8 * k)) / 14.0))
            pictures.append(np.log(1e-3 + harmonics * onset + (0.01 + 0.02 * j) * rng.gamma(1.0, 1.0, (64, frames))))
        arrays[system] = np.array(pictures, np.float32)
    if labels:
        arrays |= {"labels": np.array(labels), "hz": np.geomspace(80, 7600, 64), "hop_s": np.array(0.01)}
    np.savez(
        folder / "examples.npz",
        keys=np.array([f"q{i:04d}" for i in range(keys)]),
        prompts=np.array(PROMPTS[:keys]),
        **arrays,  # type: ignore[arg-type]
    )


GAPS = {  # condition: centroid distance, matched cosine raw and centred
    "text": (0.84, 0.33, 0.41),
    "mean-shift": (0.02, 0.66, 0.41),
    "PD": (0.09, 0.71, 0.49),
    "PD-best4": (0.09, 0.74, 0.55),
}


MEASURES = ("centroid_distance", "matched_cosine", "matched_cosine_centred")


def gap_record(
    tags: Mapping[str, str], gaps: Mapping[str, tuple[float, float, float]] = GAPS, n: int = 480
) -> RunRecord:
    """Gap statistics with an interval of two hundredths either way."""
    scores = []
    text = gaps["text"]
    for condition, values in gaps.items():
        for metric, value in zip(MEASURES, values, strict=True):
            scores.append(score(metric, condition, value, n=n, ci=(value - 0.02, value + 0.02)))
        if condition != "text":
            shares = (1 - values[0] / text[0], 1 - (1 - values[1]) / (1 - text[1]), 1 - (1 - values[2]) / (1 - text[2]))
            for metric, value in zip(("gap_closed_centroid", "gap_closed", "gap_closed_centred"), shares, strict=True):
                scores.append(score(metric, condition, value, n=n, ci=(value - 0.03, value + 0.03)))
            scores.append(score("within_cosine", condition, 0.52, n=n))
        scores.append(score("separability", condition, 0.999 if condition == "text" else 0.8, n=n, ci=(0.79, 1.0)))
    scores.append(score("image_image_cosine", "image", 0.51, n=n))
    scores.append(score("text_text_cosine", "text", 0.49, n=n))
    return RunRecord("gap", tuple(scores), tags=tags, provenance=provenance())


def write_projection(folder: Path, names: Sequence[str] = ("image", "text", "PD", "mean-shift"), n: int = 300) -> None:
    """Three clouds, the prior's on top of the images'."""
    rng = np.random.default_rng(11)
    centres = {"image": (0.4, 0.0), "text": (-0.4, 0.05), "PD": (0.36, 0.03), "mean-shift": (0.4, 0.0)}
    arrays = {k: (rng.normal(0, 0.16, (n, 2)) + centres[k]).astype(np.float32) for k in names}
    np.savez(folder / "projection.npz", **arrays)  # type: ignore[arg-type]


def simple(
    values: Mapping[tuple[str, str], float],
    tests: Mapping[tuple[str, str, str], tuple[float, float]] | None = None,
    kind: str = "evaluate",
    **tags: str,
) -> RunRecord:
    """A record of bare values; ``tests`` gives difference and p by (metric, a, b)."""
    comparisons = tuple(
        Comparison(m, a, b, d, (d - 1, d + 1), p, p, 480, "a-test", m not in LOWER_IS_BETTER, 0.5)
        for (m, a, b), (d, p) in (tests or {}).items()
    )
    return RunRecord(kind, tuple(score(m, s, v) for (m, s), v in values.items()), comparisons, tags=tags)


def as_run(record: RunRecord, name: str = "run") -> Run:
    """A run that lies nowhere."""
    return Run(name, Path("nowhere"), record)


def write_study(
    root: Path,
    *,
    n: int = 240,
    seeds: int = 3,
    scales: Sequence[str] = ("1", "2", "4", "7"),
    gaps: Sequence[float] = (0.45, 0.6, 0.75, 1.0),
    frames: int = 96,
) -> list[Path]:
    """The whole study: seeds on the test split, a guidance sweep on validation, clip_variants."""
    runs: list[Path] = []

    def put(name: str, record: RunRecord) -> Path:
        folder = root / name
        folder.mkdir(parents=True)
        records.write(record, folder)
        runs.append(folder)
        return folder

    for seed in range(seeds):
        folder = put(f"test-seed{seed}", evaluation(Made(seed, n)))
        write_examples(folder, list(LEVELS), frames, labels=("bell", "dog", "siren") * 2)
    write_projection(put("gap-toy-clip", gap_record({"clip_variant": "toy-clip", "split": "test"})))
    text = {k: LEVELS[k] for k in ("IQ", "PD", "mean-shift", "ZS")}
    by_scale = {"1": (16.0, -0.06), "2": (1.0, 0.0), "4": (-1.5, 0.02), "7": (6.0, 0.015)}
    for scale in scales:
        fad, clap = by_scale[scale]
        levels = {k: (v[0] + fad, v[1] + clap, v[2]) for k, v in text.items()}
        for seed in range(min(seeds, 2)):
            tags = {"split": "val", "train_seed": str(seed), "guidance": scale, "clip_variant": "toy-clip"}
            put(f"val-w{scale}-seed{seed}", evaluation(Made(seed + 10, n, tags=tags), levels))
    for gap in gaps:
        # the wider the gap, the more the zero-shot text embedding loses
        levels = dict(text)
        levels["ZS"] = (26.8 + 34 * (gap - 0.55), 0.52 - 0.22 * (gap - 0.5), 0.66 - 0.2 * (gap - 0.5))
        levels["mean-shift"] = (26.5 + 10 * (gap - 0.5), 0.52 - 0.06 * (gap - 0.5), 0.64)
        put(f"gap-{gap}", gap_record({"clip_variant": f"gap-{gap}"}, {**GAPS, "text": (gap, 0.4, 0.41)}))
        for seed in range(2):
            tags = {"split": "test", "train_seed": str(seed), "guidance": "2", "clip_variant": f"gap-{gap}"}
            put(f"sweep-{gap}-seed{seed}", evaluation(Made(seed + 20, n, tags=tags), levels))
    return runs


def results_of(*runs: RunRecord, catalogue: Catalogue | None = None) -> Results:
    """What a report of these runs shows."""
    variants = (catalogue or Catalogue()).main_variants
    return analyse(sort([as_run(r, f"r{i}") for i, r in enumerate(runs)], main_variants=variants), catalogue)


def on_fad(
    levels: Mapping[str, float], p_values: Mapping[tuple[str, str], float], metric: str = "fad", **tags: str
) -> RunRecord:
    """A record of one metric; ``p_values`` are of the paired tests."""
    tests = {(metric, a, b): (levels[a] - levels[b], p) for (a, b), p in p_values.items()}
    return simple({(metric, s): v for s, v in levels.items()}, tests, **tags)
