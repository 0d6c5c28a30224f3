"""Which queries have their spectrograms kept, and what a band of a spectrogram is."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from clipsonic_eval.harness.queries import QuerySet
from clipsonic_eval.harness.spectrograms import RATE, band_hz, log_mel, write_examples
from clipsonic_eval.types import Clip, Query


def tone(key: str, hz: float) -> Clip:
    time = np.arange(RATE // 5) / RATE
    return Clip(key, np.sin(2 * np.pi * hz * time).astype(np.float32)[None], RATE)


@pytest.mark.parametrize("hz", [200.0, 1000.0, 3500.0, 7000.0])
def test_a_tone_is_loudest_in_the_band_whose_centre_is_nearest(hz: float) -> None:
    loudest = int(log_mel(tone("a", hz)).mean(axis=1).argmax())
    assert loudest == int(np.abs(band_hz() - hz).argmin())


def answered(keys: list[str]) -> Any:
    """What a system answered: a short tone for every key."""
    items = [SimpleNamespace(key=key, clip=lambda key=key: tone(key, 500.0)) for key in keys]
    return SimpleNamespace(digests=dict.fromkeys(keys, ""), audio=SimpleNamespace(items=items))


def chosen(tmp_path: Path, labels: dict[str, str | None], k: int, seed: int = 0) -> list[str]:
    queries = QuerySet(tuple(Query(key, f"prompt {key}", label=label) for key, label in labels.items()))
    path = write_examples({"mine": answered(list(labels))}, queries, tmp_path, k=k, seed=seed)
    if path is None:
        return []
    with np.load(path, allow_pickle=False) as arrays:
        assert len(arrays["mine"]) == len(arrays["keys"])
        assert arrays["labels"].tolist() == [labels[key] or "" for key in arrays["keys"].tolist()]
        np.testing.assert_array_equal(arrays["hz"], band_hz())
        return [str(key) for key in arrays["keys"]]


def test_queries_with_labels_are_kept_two_of_every_class_and_the_first_are_of_different_classes(tmp_path: Path) -> None:
    labels: dict[str, str | None] = {f"q{i}": ("dog", "bell", "siren")[min(i, 20) % 3] for i in range(30)}
    keys = chosen(tmp_path, labels, k=2)
    assert Counter(labels[key] for key in keys) == {"dog": 2, "bell": 2, "siren": 2}
    assert len({labels[key] for key in keys[:3]}) == 3


def test_without_labels_as_many_are_kept_as_asked_for(tmp_path: Path) -> None:
    assert len(chosen(tmp_path, {f"q{i}": None for i in range(9)}, k=4)) == 4


def test_more_queries_than_two_of_every_class_are_kept_if_asked_for(tmp_path: Path) -> None:
    assert len(chosen(tmp_path, {f"q{i}": "dog" for i in range(9)}, k=4)) == 4


def test_of_many_classes_one_query_each_is_kept_up_to_24(tmp_path: Path) -> None:
    labels: dict[str, str | None] = {f"q{i}": f"class {i % 30}" for i in range(60)}
    keys = chosen(tmp_path, labels, k=6)
    assert len(keys) == len({labels[key] for key in keys}) == 24


def test_none_is_kept_where_none_is_asked_for(tmp_path: Path) -> None:
    assert chosen(tmp_path, {"q1": "dog"}, k=0) == []


def test_another_seed_draws_other_queries_and_the_same_seed_the_same(tmp_path: Path) -> None:
    labels: dict[str, str | None] = {f"q{i}": "dog" for i in range(40)}
    first = chosen(tmp_path, labels, k=6)
    assert first == chosen(tmp_path, labels, k=6)
    assert first != chosen(tmp_path, labels, k=6, seed=1)
