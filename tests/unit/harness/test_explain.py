"""Conventions as metrics, and the way from one to another."""

from __future__ import annotations

import csv
import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from fake_encoders import tone

from clipsonic_eval import records, signature
from clipsonic_eval.cli import main
from clipsonic_eval.conventions import CONVENTIONS, Convention
from clipsonic_eval.errors import ConfigError, UserError
from clipsonic_eval.harness.evaluate import EvaluateConfig, evaluate
from clipsonic_eval.harness.explain import ExplainConfig, explain, steps, table
from clipsonic_eval.media.audio import write_wav
from clipsonic_eval.media.preprocessing import AudioPreprocessing
from clipsonic_eval.metrics import METRICS

N = 12
OURS = Convention("fad/ours", "", "fad", "toy-audio")
THEIRS = dataclasses.replace(
    OURS, name="fad/theirs", preprocessing=AudioPreprocessing(mono="first", int16="round"), store="float16", scale=100.0
)
MORE = {c.name: c for c in (OURS, THEIRS)}


@pytest.fixture
def world(tmp_path: Path) -> Path:
    """Write stereo files whose channels differ, so that mixing them matters."""
    for folder, noise in (("reference", 0.01), ("system", 0.05)):
        for i, pitch in enumerate(np.geomspace(300, 5000, N)):
            left, right = (tone(p, seed=i, noise=noise) for p in (pitch, pitch / 2))
            write_wav(tmp_path / folder / f"q{i:02d}.wav", np.stack([left, right]), 16000)
    with (tmp_path / "prompts.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([["key", "prompt"], *([f"q{i:02d}", "a tone"] for i in range(N))])
    return tmp_path


def config(world: Path, **changes: object) -> EvaluateConfig:
    base = EvaluateConfig(
        systems={"s": world / "system"}, reference=world / "reference", n_bootstrap=40, n_permutations=40,
        cache=world / "cache", examples=0, compare=False,
    )  # fmt: skip
    return dataclasses.replace(base, **changes)


def test_a_convention_is_a_metric_of_its_own_name_and_space(world: Path) -> None:
    record = evaluate(config(world, metrics=("fad", "fad/ours", "fad/theirs")), world / "run", conventions=MORE)
    own, ours, theirs = (record.score(m, "s") for m in ("fad", "fad/ours", "fad/theirs"))
    assert own is not None
    assert ours is not None
    assert theirs is not None
    assert own.value == pytest.approx(ours.value, rel=1e-12)  # the same steps under another name
    assert theirs.value > 20 * ours.value  # a hundred times something else
    assert theirs.ci is not None
    assert theirs.ci[0] < theirs.value < theirs.ci[1]
    assert "load:mono-first,int16-round" in theirs.signature
    assert "scale:100" in theirs.signature
    assert "store:float16" in theirs.signature
    assert not signature.comparable(ours.signature, theirs.signature)


def test_the_way_goes_one_step_at_a_time_and_ends_at_the_target(world: Path) -> None:
    assert [change for change, _ in steps(OURS, THEIRS)] == [
        "start", "mono: encoder → first", "int16: none → round", "store: float32 → float16", "scale: 1.0 → 100.0",
    ]  # fmt: skip
    told = ExplainConfig({"s": world / "system"}, ("fad/theirs",), "fad/ours", world / "reference", cache=world / "c")
    found = explain(told, world / "run", conventions=MORE)
    values = [step.scores["s"].value for step in found]
    direct = evaluate(config(world, metrics=("fad/ours", "fad/theirs")), world / "direct", conventions=MORE)
    assert values[0] == pytest.approx(direct.score("fad/ours", "s").value, rel=1e-12)  # type: ignore[union-attr]
    assert values[-1] == pytest.approx(direct.score("fad/theirs", "s").value, rel=1e-12)  # type: ignore[union-attr]
    moved = np.abs(np.diff(values[:-1])) / values[0]
    assert moved[0] > 0.05  # another channel is another sound
    assert moved[1] < 0.01  # 16 bits are enough
    assert moved[2] < 0.01
    assert values[-1] == pytest.approx(100 * values[-2], rel=1e-12)
    text = table(found)
    assert "To fad/theirs:" in text
    assert text.count("\n| ") == 1 + len(found)
    assert len(records.read(world / "run").scores) == len(found)


def test_steps_without_a_folder_are_the_same_and_write_nothing(world: Path) -> None:
    settings = ExplainConfig(
        {"s": world / "system"}, ("fad/theirs",), "fad/ours", world / "reference", cache=world / "c"
    )
    found = explain(settings, world / "run", conventions=MORE)
    before = sorted(path for path in world.rglob("*") if path.is_file())
    assert explain(settings, None, conventions=MORE) == found
    assert sorted(path for path in world.rglob("*") if path.is_file()) == before


def test_options_and_encoders_are_steps_too() -> None:
    a = dataclasses.replace(OURS, options={"hop_s": 0.96})
    b = dataclasses.replace(OURS, options={"hop_s": 0.5, "layer": "post-relu"})
    assert [c for c, _ in steps(a, b)][1:] == ["hop_s: 0.96 → 0.5", "layer: default → post-relu"]
    c = dataclasses.replace(b, encoder="other")
    assert [change for change, _ in steps(a, c)][1:] == ["encoder: toy-audio → other"]
    assert list(steps(a, c))[-1][1].options == c.options
    assert len(list(steps(a, a))) == 1


def test_mistakes_are_one_sentence(world: Path) -> None:
    with pytest.raises(UserError, match="convention 'fad/nobody'"):
        evaluate(config(world, metrics=("fad/nobody",)), world / "run")
    with pytest.raises(ConfigError, match=r"separability is a statistic of the modality gap, .* `clipsonic-eval gap`"):
        evaluate(config(world, metrics=("separability",)), world / "run")
    with pytest.raises(ConfigError, match="at least one"):
        ExplainConfig({}, ("fad/theirs",), "fad/ours")


def test_every_registered_convention_names_things_that_are_there_and_where_it_was_read() -> None:
    from clipsonic_eval.encoders import ENCODERS

    for name in CONVENTIONS:
        one = CONVENTIONS[name]
        assert one.name == name
        assert name.count("/") == 1
        assert one.metric in METRICS
        assert one.encoder in set(ENCODERS)
        assert one.title
        assert one.source


def test_the_command_prints_the_way(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CONVENTIONS, "_items", {**MORE, **{n: CONVENTIONS[n] for n in CONVENTIONS}})
    words = ["explain", "--system", f"s={world / 'system'}", "--reference", str(world / "reference")]
    words += ["--from", "fad/ours", "--to", "fad/theirs", "--cache", str(world / "c"), "--out", str(world / "run")]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 0, result.output
    assert "| mono: encoder → first |" in result.output
    assert (world / "run" / "explain.md").read_text() == result.stdout
    told = json.loads(CliRunner().invoke(main, [*words, "--json"]).stdout)
    assert told[0]["change"] == "start"
    first = min((world / "system").glob("*.wav"))
    write_wav(first, np.float32(9) * tone(500), 16000)
    write_wav(world / "system" / "broken.wav", np.full(4000, 200.0, np.float32), 16000)
    result = CliRunner().invoke(main, [*words, "--overwrite"])
    assert result.exit_code == 3, result.output
    assert f"warning s: '{first.stem}' peaks at" in result.stderr
    assert "skipped s: broken: holds integers stored as floats" in result.stderr
