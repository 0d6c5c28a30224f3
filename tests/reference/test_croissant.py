"""The Croissant description of prepared clips, validated and read by the package that defines the format."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import mlcroissant
import numpy as np
import pytest

from clipsonic_eval.clips import PrepareConfig, Source, prepare
from clipsonic_eval.clips.croissant import write_croissant
from clipsonic_eval.media.audio import write_wav

CONFIG = PrepareConfig(duration_s=0.5, image_encoder=None, workers=0, shard_size=1)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of rdflib, which it uses
def test_a_described_folder_is_valid_and_its_captions_are_records(tmp_path: Path) -> None:
    for number, name in enumerate(("a", "b")):
        tone = 0.3 * np.sin(2 * np.pi * (300 + 90 * number) * np.arange(8000) / 16000)
        write_wav(tmp_path / "in" / f"{name}.wav", tone.astype(np.float32), 16000)
    rows = 'file_name,caption_1,caption_2\na.wav,"rain, far",Regen\nb.wav,wind,gale\n'
    (tmp_path / "in/clotho_captions_development.csv").write_text(rows)
    prepare(Source(tmp_path / "in", "clotho"), tmp_path / "clips", CONFIG)
    path = write_croissant(tmp_path / "clips", "clotho")
    read = mlcroissant.Dataset(jsonld=path)
    assert not read.metadata.ctx.issues.errors
    records = [{k: v.decode() for k, v in row.items()} for row in read.records("captions")]
    assert [row["captions/caption"] for row in records] == ["rain, far", "Regen", "wind", "gale"]
    files = {f["@id"]: f["sha256"] for f in json.loads(path.read_text())["distribution"]}
    assert sorted(files) == ["captions.csv", "shards/00000.arrow", "shards/00001.arrow"]
    for name, digest in files.items():
        assert hashlib.sha256((tmp_path / "clips" / name).read_bytes()).hexdigest() == digest
