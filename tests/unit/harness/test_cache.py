"""The cache of rows per clip: what is put is found again, by content, in this process and the next."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from fake_encoders import card
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clipsonic_eval.harness.cache import ClipCache, default_cache, embedding_cache, usable_cache

ROWS = st.dictionaries(st.text("0123456789abcdef", min_size=4, max_size=8), st.integers(1, 4), max_size=8)


def rows(digest: str, n: int) -> np.ndarray:
    return np.random.default_rng(abs(hash(digest)) % 2**32).standard_normal((n, 3)).astype(np.float32)


@given(ROWS, st.integers(1, 4))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_put_is_found_before_and_after_it_is_on_disk(
    tmp_path_factory: pytest.TempPathFactory, clips: dict[str, int], every: int
) -> None:
    folder = tmp_path_factory.mktemp("cache") / "c"
    cache = ClipCache(folder, 3)
    for i, (digest, n) in enumerate(clips.items()):
        cache.put(digest, rows(digest, n))
        if i % every == 0:
            cache.flush()
    assert all(np.array_equal(cache.get(digest), rows(digest, n)) for digest, n in clips.items())  # type: ignore[arg-type]
    cache.flush()
    again = ClipCache(folder, 3)
    for digest, n in clips.items():
        assert digest in again
        assert np.array_equal(again.get(digest), rows(digest, n))  # type: ignore[arg-type]
    assert again.get("never") is None


def test_nothing_new_writes_nothing(tmp_path: Path) -> None:
    cache = ClipCache(tmp_path / "c", 3)
    cache.flush()
    assert list((tmp_path / "c").iterdir()) == []


def test_two_processes_share_a_folder(tmp_path: Path) -> None:
    first, second = ClipCache(tmp_path / "c", 3), ClipCache(tmp_path / "c", 3)
    for cache, digest in ((first, "aaaa"), (second, "bbbb")):
        cache.put(digest, rows(digest, 2))
        cache.flush()
    assert all(digest in ClipCache(tmp_path / "c", 3) for digest in ("aaaa", "bbbb"))


def test_rows_of_another_width_are_a_miss(tmp_path: Path) -> None:
    cache = ClipCache(tmp_path / "c", 3)
    cache.put("aaaa", rows("aaaa", 2))
    cache.flush()
    assert ClipCache(tmp_path / "c", 4).get("aaaa") is None


@pytest.mark.parametrize(
    ("change", "shared"),
    [
        ({"preprocessing": "rate:8k"}, False),
        ({"weights_sha256": "0" * 64}, False),
        ({"num": 2}, False),
        ({"licence": "MIT"}, True),
        ({"source": "elsewhere"}, True),
        ({"world": "toy"}, True),
    ],
)
def test_what_changes_the_embeddings_is_another_cache(tmp_path: Path, change: dict[str, object], shared: bool) -> None:
    cache = embedding_cache(tmp_path, card("e", 3))
    cache.put("aaaa", rows("aaaa", 1))
    cache.flush()
    other = embedding_cache(tmp_path, dataclasses.replace(card("e", 3), **change))  # type: ignore[arg-type]
    assert ("aaaa" in other) is shared


def test_the_users_cache_is_the_default_and_a_named_folder_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert default_cache() == tmp_path / "xdg" / "clipsonic-eval" / "embeddings"
    assert usable_cache(None) == default_cache()
    assert default_cache().is_dir()
    assert usable_cache(tmp_path / "mine") == tmp_path / "mine"
    assert (tmp_path / "mine").is_dir()
