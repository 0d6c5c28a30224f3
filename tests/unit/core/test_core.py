from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from clipsonic_eval import atomic, records, seeds
from clipsonic_eval.errors import ShapeError, UserError
from clipsonic_eval.files import write_json
from clipsonic_eval.hashing import config_hash, folder_sha256
from clipsonic_eval.locate import locate
from clipsonic_eval.types import Clip, Embeddings, EncoderCard, Score, Skip

CARD = EncoderCard("e", "0" * 64, 2, ("audio",), "rate:16k")


def test_importing_the_harness_and_asking_for_help_loads_no_torch() -> None:
    code = (
        "import sys, clipsonic_eval.cli as c\n"
        "from click.testing import CliRunner\n"
        "assert CliRunner().invoke(c.main, ['--help']).exit_code == 0\n"
        "bad = {'torch', 'matplotlib', 'pandas', 'av', 'transformers', 'diffusers'} & set(sys.modules)\n"
        "sys.exit(str(bad) if bad else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_streams_are_equal_by_name_and_differ_by_any_part() -> None:
    draw = seeds.stream(1, "clip", "noise").standard_normal(4)
    assert np.array_equal(draw, seeds.stream(1, "clip", "noise").standard_normal(4))
    others = [seeds.derive(*p) for p in ((2, "clip", "noise"), (1, "clap", "noise"), (1, "clip", "nois"))]
    assert len({seeds.derive(1, "clip", "noise"), *others}) == 4


def test_derived_seeds_never_change() -> None:
    assert seeds.derive(0, "a", "b") == 5831426063633751641  # printf '0\0b\0a' | b2sum -l 64, halved


def test_a_failed_write_leaves_the_old_file_and_no_rubbish(tmp_path: Path) -> None:
    target = tmp_path / "x.json"
    write_json(target, {"a": 1})
    with pytest.raises(ValueError, match="Out of range"):
        write_json(target, {"a": float("nan")})

    def broken() -> None:
        with atomic.replacing(target) as temporary:
            temporary.write_text("half")
            raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        broken()
    assert json.loads(target.read_text()) == {"a": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["x.json"]


def test_a_folder_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "run"
    with atomic.replacing_folder(target) as folder:
        (folder / "a").write_text("1")
    with atomic.replacing_folder(target) as folder:
        (folder / "b").write_text("2")
    assert [p.name for p in target.iterdir()] == ["b"]

    def broken() -> None:
        with atomic.replacing_folder(target) as folder:
            (folder / "c").write_text("3")
            raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        broken()
    assert [p.name for p in target.iterdir()] == ["b"]
    assert [p.name for p in tmp_path.iterdir()] == ["run"]


def test_types_refuse_what_does_not_fit() -> None:
    with pytest.raises(ShapeError, match="float32 of shape"):
        Clip("k", np.zeros(3, np.float32), 16000)
    with pytest.raises(ShapeError, match="n keys"):
        Embeddings(np.zeros((2, 2)), ("a",), "audio", CARD)
    with pytest.raises(ShapeError, match="'b' is not finite"):
        Embeddings(np.array([[0.0, 0.0], [0.0, np.nan]]), ("a", "b"), "audio", CARD)


def test_mono_is_the_mean_of_the_channels() -> None:
    clip = Clip("k", np.array([[1.0, 0.5], [0.0, -0.5]], np.float32), 16000)
    assert np.array_equal(clip.mono(), np.array([0.5, 0.0], np.float32))


def test_locate_reads_modules_and_files(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text("class MySystem:\n    name = 'mine'\n")
    assert locate(f"{file}:MySystem").name == "mine"
    assert locate("json:dumps") is json.dumps
    for spec, message in [
        ("nonsense", "expected MODULE:NAME"),
        ("no_such_module_x:Y", "no module named"),
        (f"{file}:MySytem", "Did you mean 'MySystem'"),
        (f"{tmp_path}/none.py:X", "no such file"),
    ]:
        with pytest.raises(UserError, match=message):
            locate(spec)


def test_hashes_ignore_key_order_and_see_contents(tmp_path: Path) -> None:
    assert config_hash({"a": 1, "b": 2}) == config_hash({"b": 2, "a": 1}) != config_hash({"a": 1, "b": 3})
    (tmp_path / "x").write_text("1")
    before = folder_sha256(tmp_path)
    (tmp_path / "x").write_text("2")
    assert folder_sha256(tmp_path) != before


def test_a_record_survives_the_disk_exactly(tmp_path: Path) -> None:
    score = Score(
        "fad", "ZS", 1 / 3, (0.1, 0.9), "boot", 3, 5, "d2", False, "fad|x", skipped=(Skip("k", "why"),),
        per_clip={"a": 0.1},
    )  # fmt: skip
    comparison = records.Comparison("fad", "ZS", "PD", 0.1, None, 0.5, 1.0, 3, "t", higher_is_better=False)
    record = records.RunRecord("evaluate", (score,), (comparison,), tags={"split": "test"}, skipped={"ZS": ()})
    records.write(record, tmp_path)
    assert records.read(tmp_path) == record


def test_a_record_that_cannot_be_read_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no record\.json here"):
        records.read(tmp_path)
    (tmp_path / "record.json").write_text("{")
    with pytest.raises(UserError, match="not readable as JSON"):
        records.read(tmp_path)
    (tmp_path / "record.json").write_text('{"schema_version": 99}')
    with pytest.raises(UserError, match="schema version 99"):
        records.read(tmp_path)
