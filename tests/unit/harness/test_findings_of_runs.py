"""Findings of whole runs: encoders on data that they were not trained for, prompts that they do not read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from fake_encoders import encoders, tone

from clipsonic_eval.analysis.parts import sort
from clipsonic_eval.analysis.results import analyse
from clipsonic_eval.analysis.runs import Run
from clipsonic_eval.checks.evaluation import check_prompts
from clipsonic_eval.clips import PrepareConfig, Source, prepare
from clipsonic_eval.encoders import ENCODERS, TextNote
from clipsonic_eval.harness.embed_config import EmbedConfig
from clipsonic_eval.harness.evaluate import EvaluateConfig, evaluate
from clipsonic_eval.harness.fill_cache import fill_cache
from clipsonic_eval.harness.gap import GapConfig, gap
from clipsonic_eval.media.audio import write_wav
from clipsonic_eval.records import RunRecord
from clipsonic_eval.study.catalogue import CLIPSONIC
from clipsonic_eval.toyworld.mark import world_of
from clipsonic_eval.toyworld.write import WorldConfig, write_world

N = 6


@pytest.fixture
def sounds(tmp_path: Path) -> Path:
    for name in ("real", "system"):
        for i in range(N):
            write_wav(tmp_path / name / f"q{i}.wav", tone(300 * (i + 1), seed=i + len(name), noise=0.1), 16000)
    rows = [f"q{i},a bell\n" for i in range(N - 1)]
    (tmp_path / "prompts.csv").write_text("key,prompt\n" + "".join(rows) + f"q{N - 1},a saxophone\n")
    return tmp_path


def scored(sounds: Path, **more: object) -> RunRecord:
    told = EvaluateConfig(
        {"system": sounds / "system"},
        sounds / "real",
        prompts=sounds / "prompts.csv",
        n_bootstrap=20,
        n_permutations=20,
        examples=0,
        cache=sounds / "cache",
    )
    return evaluate(told, sounds / f"run-{len(list(sounds.glob('run-*')))}", **more)  # type: ignore[arg-type]


def checks(record: RunRecord) -> set[str]:
    return {f.check for f in record.findings.get("evaluation", ())}


def limits(record: RunRecord) -> str:
    results = analyse(sort([Run("run", None, record)]), CLIPSONIC)
    return " ".join(sentence for rule in CLIPSONIC.questions[-1].rules for sentence in rule(results))


def test_toy_encoders_on_anybodys_sounds_are_an_error_and_no_small_world(sounds: Path) -> None:
    record = scored(sounds)
    (finding,) = (f for f in record.findings["evaluation"] if f.check == "world")
    assert finding.severity == "error"
    assert "toy-audio, toy-clap" in finding.sentence
    assert "numbers mean nothing" in limits(record)
    assert "small and synthetic" not in limits(record)


def test_the_mark_of_the_world_says_that_they_are_at_home(sounds: Path) -> None:
    write_world(WorldConfig(videos=0, pictures=0, pairs=0, val=0, test=0, reference=2, workers=1), sounds / "world")
    assert world_of(sounds / "world" / "reference") == "toy"
    assert world_of(sounds / "real") == ""
    clips = sounds / "clips"
    settings = PrepareConfig(duration_s=1.0, workers=1, image_encoder=None)
    prepare(Source(sounds / "world" / "reference"), clips, settings)
    assert world_of(clips) == "toy"
    (sounds / "real").rename(sounds / "others")
    clips.rename(sounds / "real")
    record = scored(sounds)
    assert "world" not in checks(record)
    assert "small and synthetic" in limits(record)


def test_encoders_for_sound_at_large_are_left_alone(sounds: Path) -> None:
    (sounds / "prompts.csv").write_text("key,prompt\n" + "".join(f"q{i},tone {300 * (i + 1)}\n" for i in range(N)))
    assert checks(scored(sounds, encoders=encoders())) == {"left_out"}  # class_accuracy, for lack of labels


def test_embed_gap_and_prepare_say_it_too(sounds: Path) -> None:
    done = fill_cache(EmbedConfig((sounds / "real",), ("toy-audio",), cache=sounds / "cache"))
    assert "world" in {f.check for f in done.findings[str(sounds / "real")]}
    told = GapConfig(
        sounds / "real", sounds / "prompts.csv", encoder="toy-clap", n_bootstrap=20, cache=sounds / "cache"
    )
    found = {f.check for f in gap(told, sounds / "gap").findings["source"]}
    assert found == {"world", "unknown_words", "short"}


def test_videos_from_elsewhere_are_an_error_for_the_toy_clip(tmp_path: Path) -> None:
    from clipsonic_eval.media.encode import write_video

    frames = np.zeros((5, 64, 64, 3), np.uint8)
    write_video(tmp_path / "videos" / "a.mp4", frames, 5, np.tile(tone(500), 4), 16000)
    done = prepare(Source(tmp_path / "videos"), tmp_path / "clips", PrepareConfig(duration_s=1.0, workers=1))
    assert [f.check for f in done.findings] == ["world"]


def test_words_that_a_text_encoder_does_not_know_are_named(sounds: Path) -> None:
    (finding,) = (f for f in scored(sounds).findings["evaluation"] if f.check == "unknown_words")
    assert finding.keys == (f"q{N - 1}",)
    assert finding.sentence.startswith(
        "1 of 6 prompts hold words that the encoder 'toy-clap' does not know ('saxophone')"
    )


def test_prompts_that_are_cut_are_named() -> None:
    encoder = ENCODERS["toy-clap"](None)
    texts = {"short": "a bell", "long": " ".join(["bell"] * 40)}
    (finding,) = check_prompts(encoder, texts)
    assert (finding.check, finding.keys) == ("cut_prompts", ("long",))
    assert encoder.text_notes(list(texts.values())) == [TextNote(), TextNote(cut=True)]
    assert check_prompts(encoders()["audio_text"], texts) == []  # says nothing about what it reads
