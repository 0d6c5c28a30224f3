"""Properties of the store: whatever a record holds comes back, and records are small."""

from __future__ import annotations

import dataclasses
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from unit.history.make_records import record, score, to_float32

from clipsonic_eval import records
from clipsonic_eval.history.packing import HOLE, canonical, content_hash, pack, unpack
from clipsonic_eval.history.store import History
from clipsonic_eval.records import Comparison, RunRecord, SetCount
from clipsonic_eval.types import Finding, Score, Skip

REPORTS = Path(__file__).parents[3] / "reports"

numbers = st.floats(allow_nan=False, allow_infinity=False)
words = st.text(st.characters(codec="utf-8"), max_size=20) | st.sampled_from(
    [HOLE, "", "0a1b2c3d4e5f", "runs/step-3/PD", "toy-clip+970612ce", "2026-01-01T00:00:00+00:00", "480"]
)
clips = st.dictionaries(words, st.floats(width=32, allow_nan=False, allow_infinity=False), max_size=4)
trees: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | numbers | words,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=4),
    max_leaves=12,
)
cards = st.dictionaries(words, trees, max_size=3)
intervals = st.none() | st.tuples(numbers, numbers)
counts = st.integers(0, 10**6)
skips = st.builds(Skip, words, words)


def scores(i: int) -> st.SearchStrategy[Score]:
    """Return scores of one metric: a record holds one score per metric and system."""
    return st.builds(
        Score,
        metric=st.just(f"metric-{i}"), system=words, value=numbers, ci=intervals, ci_method=words, n=counts,
        n_rows=counts, unit=words, higher_is_better=st.booleans(), signature=words, seed=counts, ci_level=numbers,
        skipped=st.lists(skips, max_size=2).map(tuple), per_clip=clips, influence=clips, reference_influence=clips,
        details=st.dictionaries(words, numbers, max_size=3), by_seed=st.dictionaries(words, numbers, max_size=3),
    )  # fmt: skip


comparisons = st.builds(
    Comparison,
    metric=words, a=words, b=words, difference=numbers, ci=intervals, p_value=numbers, p_holm=numbers, n=counts,
    test=words, higher_is_better=st.booleans(), effect_size=st.none() | numbers,
    by_seed=st.dictionaries(words, numbers, max_size=2),
)  # fmt: skip
made_records = st.builds(
    RunRecord,
    kind=st.sampled_from(["evaluate", "gap", "pooled", "bench"]),
    scores=st.tuples(*map(scores, range(3))),
    comparisons=st.lists(comparisons, max_size=2).map(tuple),
    systems=st.dictionaries(words, cards, max_size=3),
    skipped=st.dictionaries(words, st.lists(skips, max_size=2).map(tuple), max_size=2),
    tags=st.dictionaries(words, words, max_size=3),
    config=cards,
    provenance=cards,
    timings_s=st.dictionaries(words, numbers, max_size=3),
    findings=st.dictionaries(
        words,
        st.lists(
            st.builds(Finding, words, st.sampled_from(["error", "warning"]), st.lists(words).map(tuple), words),
            max_size=2,
        ).map(tuple),
        max_size=2,
    ),
    hashes=st.dictionaries(words, st.dictionaries(words, words, max_size=2), max_size=2),
    sets=st.dictionaries(words, st.builds(SetCount, counts, counts, counts, counts), max_size=2),
)


@settings(max_examples=60, deadline=None)
@given(made_records)
def test_a_record_that_is_added_comes_back(made: RunRecord) -> None:
    with tempfile.TemporaryDirectory() as folder:
        history = History(Path(folder) / "history")
        (key,) = history.add(made).new
        assert history.read(key) == made
        assert history.add(history.read(key)).new == ()  # what was read is the same record
        (entry,) = history.entries()
        light = [(s.metric, s.system, s.value, s.ci, s.n, s.unit, s.signature) for s in entry.scores]
        assert light == [(s.metric, s.system, s.value, s.ci, s.n, s.unit, s.signature) for s in made.scores]
        assert (entry.kind, entry.tags) == (made.kind, made.tags)


@given(st.dictionaries(words.filter(lambda name: name != "format"), trees, max_size=5))
def test_what_is_packed_unpacks_through_json(tree: dict[str, Any]) -> None:
    import json

    packed, common = pack(tree)
    through = json.loads(canonical(packed))
    assert canonical(unpack(through, common.__getitem__)) == canonical(tree)
    assert all(content_hash(skeleton) == key for key, skeleton in common.items())


def packed_sizes(made: RunRecord, history: History) -> tuple[int, int]:
    """Return the bytes of a record that is added, and of the shared parts that come with it."""
    common = history.folder / "common"
    before = sum(p.stat().st_size for p in common.iterdir()) if common.exists() else 0
    (key,) = history.add(made).new
    size = (history.folder / "records" / f"{key}.json").stat().st_size
    return size, sum(p.stat().st_size for p in common.iterdir()) - before


def test_a_usual_record_takes_at_most_four_kilobytes_and_shares_its_structure(tmp_path: Path) -> None:
    history = History(tmp_path)
    first, _ = packed_sizes(typical(0), history)
    second, shared = packed_sizes(typical(1), history)
    assert max(first, second) <= 4096
    assert shared < 1400  # what each stage made: another hash by system and encoder in every run


def typical(step: int) -> RunRecord:
    """Return a run of four models: the default metrics, every pair tested, cards as systems of the study have them."""
    made = record(step, systems=4)
    weights = f"{step + 1:064x}"
    card = {
        "sample_rate": 16000, "seed": 0, "kind": "PriorGuided", "encoder": "toy-clip+970612ce", "guidance": 4.0 + step,
        "model": {"weights_sha256": weights, "identity": weights[-12:], "clips": weights[::-1], "steps": step},
        "vocoder": {"name": "griffin-lim", "iterations": 16, "mel": {"n_fft": 1024, "fmin": 0.0, "floor": 1e-05}},
        "card_hash": weights[:12],
    }  # fmt: skip
    three = [dataclasses.replace(s, value=s.value / 3) for s in made.scores]
    debiased = {"debiased": step / 7, "debiased_low": step / 11, "debiased_high": step / 13, "n_reference": 960.0}
    three = [dataclasses.replace(s, details=debiased) if s.metric == "fad" else s for s in three]
    thirds = [score(s.system, s.value / 7, "class_accuracy") for s in made.scores[:4]]
    tests = [
        Comparison(
            m,
            a,
            b,
            (step + 1) / 3 + i,
            ((i + 1) / 3, (i + 1) / 7),
            (i + 1) / 10001,
            1.0,
            480,
            "swap",
            False,
            (i + 1) / 13,
        )
        for i, (m, a, b) in enumerate(
            (m, a, b)
            for m in ("fad", "clap_score", "class_accuracy")
            for a in made.system_names
            for b in made.system_names
            if a < b
        )
    ]
    return dataclasses.replace(
        made,
        scores=(*three, *thirds),
        comparisons=tuple(tests),
        systems=dict.fromkeys(made.system_names, card),
        hashes={name: {f"embeddings/{i}": weights[::-1] for i in range(3)} for name in made.system_names},
        sets={name: SetCount(480, 480, 0, 0) for name in (*made.system_names, "reference")},
    )


def test_records_of_every_older_schema_are_upgraded_when_they_are_read(tmp_path: Path) -> None:
    frozen = Path(__file__).parents[1] / "core" / "records"
    files = [*frozen.glob("*.json"), *frozen.glob("*/record.json"), *REPORTS.glob("demo/records/*/record.json")]
    versions = {records.read_tree(file)["schema_version"] for file in files}
    assert {1, 2} <= versions
    history = History(tmp_path)
    for file in files:
        (key,) = history.add(file).hashes
        assert history.read(key) == to_float32(records.read(file))
    assert not history.entries().skipped
