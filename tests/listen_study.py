"""A small evaluation with its wavs, as `sample` and `evaluate` leave them: tones whose pitch tells the system."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from clipsonic_eval import records
from clipsonic_eval.harness.embedder import hash_of_wavs
from clipsonic_eval.hashing import file_sha256
from clipsonic_eval.media.audio import write_wav
from clipsonic_eval.records import Comparison, RunRecord
from clipsonic_eval.types import Finding, Score

RATE = 16000
SYSTEMS = ("IQ", "PD", "ZS", "real")
HOSTILE = (
    "</script><script>alert('gone')</script>",
    "صوت كلب ينبح \u202eابج",
    "🐕 barks & \"quotes\" 'too' <b>bold</b> `code`",
    "a very long prompt " * 220,
)


def value(system: int, query: int) -> float:
    """The CLAP score of a query: falls with the query's number, differs by system, and has no ties."""
    return 0.9 - 0.01 * query - 0.1 * system + 0.001 * ((7 * query) % 5)


def write_listen_study(
    root: Path, n: int = 12, *, systems: Sequence[str] = SYSTEMS, seconds: float = 1.0, prompts: Sequence[str] = HOSTILE
) -> Path:
    """Write wavs, a table of queries with pictures, and the record; return the run folder."""
    keys = [f"clip {i:03d}" for i in range(n)]
    hashes = {}
    for s, system in enumerate(systems):
        folder = root / "wavs" / system
        folder.mkdir(parents=True)
        for i, key in enumerate(keys):
            write_wav(folder / f"{key}.wav", tone(200.0 * (s + 1) + 10 * i, seconds), RATE)
        digests = {key: file_sha256(folder / f"{key}.wav") for key in keys}
        hashes[system] = {"wavs": hash_of_wavs(digests)}
    write_queries(root, keys, prompts)
    records.write(record(root, keys, systems, hashes), root / "run")
    return root / "run"


def tone(hz: float, seconds: float) -> np.ndarray:
    """A tone at a fifth of full scale, (n,) float32."""
    t = np.arange(round(seconds * RATE)) / RATE
    return (0.2 * np.sin(2 * np.pi * hz * t)).astype(np.float32)


def write_queries(root: Path, keys: Sequence[str], prompts: Sequence[str]) -> None:
    """Write ``queries.csv``; the first query has a picture."""
    Image.fromarray(np.full((40, 60, 3), (200, 80, 20), np.uint8)).save(root / "picture.png")
    texts = [*prompts[: len(keys)], *(f"prompt number {i}" for i in range(len(prompts), len(keys)))]
    with (root / "queries.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["key", "prompt", "label", "image"])
        for i, (key, text) in enumerate(zip(keys, texts, strict=True)):
            writer.writerow([key, text, "dog" if i % 2 else "cat", "picture.png" if i == 0 else ""])


def record(
    root: Path, keys: Sequence[str], systems: Sequence[str], hashes: Mapping[str, Mapping[str, str]]
) -> RunRecord:
    """The record of these wavs: FAD by influence, CLAP score by query, a paired test, a finding."""
    scores = []
    for s, system in enumerate(systems):
        clap = {key: value(s, i) for i, key in enumerate(keys)}
        mean = sum(clap.values()) / len(clap)
        more = {"ci_method": "bootstrap", "n": len(keys), "n_rows": len(keys)}
        scores.append(
            _score("fad", system, 2.0 + s, (1.5 + s, 2.5 + s), False, more, influence=dict.fromkeys(keys, 0.1))
        )
        scores.append(_score("clap_score", system, mean, (mean - 0.05, mean + 0.05), True, more, per_clip=clap))
    test = Comparison("clap_score", systems[0], systems[1], 0.1, (0.05, 0.15), 0.001, 0.002, len(keys), "paired", True)
    return RunRecord(
        "evaluate",
        tuple(scores),
        (test,),
        {name: {"kind": "folder-of-wavs"} for name in systems},
        findings={systems[0]: (Finding("peak", "warning", (keys[1],), "it peaks at 1.2"),)},
        config={
            "systems": {name: str(root / "wavs" / name) for name in systems if name != "real"},
            "real": str(root / "wavs" / "real"),
            "prompts": str(root / "queries.csv"),
        },
        provenance={"clipsonic_eval": "0.1.0", "commit": "abc"},
        hashes=hashes,
    )


def _score(
    metric: str,
    system: str,
    number: float,
    ci: tuple[float, float],
    higher: bool,
    more: Mapping[str, object],
    **values: Mapping[str, float],
) -> Score:
    signature = f"{metric}|enc:toy|n:{more['n']}|v:0.1.0"
    fields = {"unit": "", "higher_is_better": higher, "signature": signature, **more, **values}
    return Score(metric=metric, system=system, value=number, ci=ci, **fields)  # type: ignore[arg-type]
