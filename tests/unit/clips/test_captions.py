"""Clips whose item has several captions."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from clipsonic_eval.clips import ClipStore, PrepareConfig, Source, prepare
from clipsonic_eval.errors import UserError
from clipsonic_eval.harness.queries import read_queries
from clipsonic_eval.media.audio import write_wav

CONFIG = PrepareConfig(duration_s=0.5, image_encoder=None, workers=0)
HEAD = "file_name,caption_1,caption_2,caption_3\n"


def clotho(root: Path, text: str) -> Source:
    root.mkdir(exist_ok=True)
    for number, name in enumerate(("a", "b")):
        tone = 0.3 * np.sin(2 * np.pi * (300 + 90 * number) * np.arange(16000) / 16000)
        write_wav(root / f"{name}.wav", tone.astype(np.float32), 16000)
    (root / "clotho_captions_development.csv").write_text(HEAD + text, encoding="utf-8")
    return Source(root, "clotho")


def test_all_captions_are_kept_and_the_first_is_the_prompt(tmp_path: Path) -> None:
    source = clotho(tmp_path / "in", 'a.wav,"rain, far",Regen,\u96e8\nb.wav,only one,,\n')
    prepare(source, tmp_path / "clips", CONFIG)
    store = ClipStore.open(tmp_path / "clips")
    assert store.prompts == ("rain, far", "only one")
    assert store.captions == (("rain, far", "Regen", "\u96e8"), ("only one",))
    prepare(source, tmp_path / "all", replace(CONFIG, window="all"))
    assert ClipStore.open(tmp_path / "all").captions[1] == ("rain, far", "Regen", "\u96e8")  # the second of two windows


def test_another_caption_is_another_content_and_the_first_prompt_table_replaces_all(tmp_path: Path) -> None:
    hashes = []
    for number, last in enumerate(("x", "y", "y")):
        source = clotho(tmp_path / "in", f"a.wav,one,two,{last}\nb.wav,one,two,three\n")
        hashes.append(prepare(source, tmp_path / f"clips{number}", CONFIG).content_hash)
    assert hashes[0] != hashes[1] == hashes[2]
    (tmp_path / "prompts.csv").write_text("key,prompt\na,mine\n")
    prepare(replace(source, prompts=tmp_path / "prompts.csv"), tmp_path / "mine", CONFIG)
    assert ClipStore.open(tmp_path / "mine").captions == (("mine",), ("one", "two", "three"))


def test_a_damaged_table_of_captions_is_refused_and_made_again(tmp_path: Path) -> None:
    source = clotho(tmp_path / "in", "a.wav,one,two,three\nb.wav,one,two,three\n")
    prepare(source, tmp_path / "clips", CONFIG)
    before = (tmp_path / "clips/captions.csv").read_bytes()
    (tmp_path / "clips/captions.csv").write_bytes(before.replace(b"two", b"too"))
    with pytest.raises(UserError, match=r"captions\.csv: damaged"):
        ClipStore.open(tmp_path / "clips")
    prepare(source, tmp_path / "clips", CONFIG)
    assert (tmp_path / "clips/captions.csv").read_bytes() == before


def test_prepared_clips_are_queries_with_all_their_captions(tmp_path: Path) -> None:
    source = clotho(tmp_path / "in", 'a.wav,"rain, far",Regen,Regen\nb.wav,wind,wind,\n')
    write_wav(tmp_path / "in/c.wav", np.full(8000, 0.1, np.float32), 16000)
    prepare(source, tmp_path / "clips", CONFIG)
    found = read_queries(tmp_path / "clips")
    assert found.prompts == {"a": "rain, far", "b": "wind"}
    assert found.captions == {"a": ("rain, far", "Regen")}
    assert found.notes == (f"{tmp_path / 'clips'}: 1 of 2 keys have several captions",)
    table = tmp_path / "table.csv"
    table.write_text('key,prompt\na,"rain, far"\na,Regen\nb,wind\n')
    assert read_queries(table).hash == found.hash  # the numbers are those of the same queries in a table
    prepare(tmp_path / "in", tmp_path / "mute", CONFIG)
    with pytest.raises(UserError, match="none of its 3 clips has a caption"):
        read_queries(tmp_path / "mute")
