"""Evaluations end to end, with encoders that hear pitch."""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_encoders import encoders, tone

from clipsonic_eval import records
from clipsonic_eval.clips import PrepareConfig, Source, prepare
from clipsonic_eval.errors import ConfigError, UserError
from clipsonic_eval.harness.controls import derangement
from clipsonic_eval.harness.evaluate import EvaluateConfig, evaluate
from clipsonic_eval.media.audio import write_wav
from clipsonic_eval.records import RunRecord
from clipsonic_eval.types import Finding

N = 20
PITCHES = np.geomspace(300, 5000, N)
KEYS = [f"q{i:02d}" for i in range(N)]


def write(folder: Path, noise: float = 0.0, seed: int = 0, prefix: str = "q") -> Path:
    for i, pitch in enumerate(PITCHES):
        write_wav(folder / f"{prefix}{i:02d}.wav", tone(pitch, seed=1000 * seed + i, noise=noise), 16000)
    return folder


@pytest.fixture
def world(tmp_path: Path) -> Path:
    write(tmp_path / "reference", 0.005, seed=1, prefix="r")
    write(tmp_path / "real", 0.005, seed=2)
    write(tmp_path / "good", 0.02, seed=3)
    write(tmp_path / "bad", 0.5, seed=4)
    with (tmp_path / "prompts.csv").open("w", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(["key", "prompt", "label"])
        rows.writerows([k, f"tone {p}", "low" if p < 1000 else "high"] for k, p in zip(KEYS, PITCHES, strict=True))
    return tmp_path


def config(world: Path, **changes: Any) -> EvaluateConfig:
    base = EvaluateConfig(
        systems={"good": world / "good", "bad": world / "bad"},
        reference=world / "reference",
        prompts=world / "prompts.csv",
        n_bootstrap=60,
        n_permutations=200,
        cache=world / "cache",
        examples=3,
    )
    return dataclasses.replace(base, **changes)


def run(world: Path, name: str = "run", **changes: Any) -> RunRecord:
    return evaluate(config(world, **changes), world / name, encoders=encoders(), overwrite=True)


def values(record: RunRecord) -> Mapping[tuple[str, str], float]:
    return {(s.metric, s.system): s.value for s in record.scores}


def test_a_record_holds_scores_tests_and_where_they_come_from(world: Path) -> None:
    record = run(world, tags={"split": "test"})
    assert records.read(world / "run") == record
    assert {(s.metric, s.system) for s in record.scores} == {
        (m, s) for m in ("fad", "clap_score", "class_accuracy") for s in ("good", "bad")
    }
    for score in record.scores:
        assert score.n == N
        assert score.ci is not None
        assert score.ci[0] <= score.value <= score.ci[1]
        assert f"|n:{N}|" in score.signature
        if score.per_clip:
            assert np.mean(list(score.per_clip.values())) == pytest.approx(score.value, rel=1e-12)
    assert {c.metric for c in record.comparisons} == {"fad", "clap_score", "class_accuracy"}
    assert all(c.p_value <= c.p_holm <= 1 for c in record.comparisons)
    assert record.tags == {"split": "test"}
    assert not record.skipped
    assert str(world) not in str(record.config)


def test_more_noise_is_worse_on_every_metric(world: Path) -> None:
    found = values(run(world))
    assert found["fad", "good"] < found["fad", "bad"]
    assert found["clap_score", "good"] > found["clap_score", "bad"]
    assert found["class_accuracy", "good"] >= found["class_accuracy", "bad"]


def test_the_csv_files_say_the_same_as_the_record(world: Path) -> None:
    record = run(world)
    with (world / "run" / "scores.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert {(r["metric"], r["system"]): float(r["value"]) for r in rows} == values(record)
    with (world / "run" / "per_clip.csv").open(newline="") as stream:
        items = [r for r in csv.DictReader(stream) if r["metric"] == "clap_score" and r["system"] == "good"]
    score = record.score("clap_score", "good")
    assert score is not None
    assert {r["key"]: float(r["value"]) for r in items} == dict(score.per_clip)


def test_the_same_evaluation_again_gives_the_same_numbers_and_embeds_nothing(world: Path) -> None:
    first = run(world)
    again = encoders()
    second = evaluate(config(world), world / "again", encoders=again)
    assert second.scores == first.scores
    assert second.comparisons == first.comparisons
    assert again["audio"].heard == 0


def test_a_score_does_not_depend_on_the_other_systems(world: Path) -> None:
    alone = run(world, "alone", systems={"bad": world / "bad"})
    assert values(alone)["fad", "bad"] == values(run(world))["fad", "bad"]
    assert alone.score("fad", "bad") == run(world).score("fad", "bad")


def test_skipped_items_are_listed_and_pairs_use_the_common_queries(world: Path) -> None:
    (world / "good" / "q03.wav").unlink()
    (world / "bad" / "q07.wav").write_text("nothing to hear")
    write_wav(world / "bad" / "other.wav", tone(440), 16000)
    record = run(world)
    assert [s.key for s in record.skipped["good"]] == ["q03"]
    assert {s.key for s in record.skipped["bad"]} == {"q07", "other"}
    assert {c.n for c in record.comparisons} == {N - 2}
    assert {s.n for s in record.scores} == {N - 1}
    with (world / "run" / "skipped.csv").open(newline="") as stream:
        assert {(r["system"], r["key"]) for r in csv.DictReader(stream)} == {
            ("good", "q03"),
            ("bad", "q07"),
            ("bad", "other"),
        }
    fad = next(c for c in record.comparisons if c.metric == "fad")
    assert fad.ci is not None
    assert fad.ci[0] < fad.difference < fad.ci[1]


def test_a_system_of_broken_files_does_not_take_the_others_along(world: Path) -> None:
    (world / "broken").mkdir()
    (world / "broken" / "q00.wav").write_text("nothing to hear")
    record = run(world, systems={"good": world / "good", "broken": world / "broken"})
    assert {s.system for s in record.scores} == {"good"}
    assert any("none of its 1 audio files is usable" in s.reason for s in record.skipped["broken"])
    with pytest.raises(UserError, match="broken: none of its 1 audio files"):
        run(world, systems={"broken": world / "broken"})


def test_controls_frame_the_systems(world: Path) -> None:
    record = run(world, real=world / "real", controls=("shuffled", "noise", "halves"))
    found = values(record)
    assert found["clap_score", "real"] > found["clap_score", "bad"] > found["clap_score", "noise"]
    assert found["clap_score", "shuffled"] < found["clap_score", "real"] - 0.1
    assert found["fad", "real"] < found["fad", "good"] < found["fad", "noise"]
    assert ("fad", "shuffled") not in found
    halves = record.score("fad_halves", "reference")
    assert halves is not None
    assert halves.n == N // 2
    assert {(c.a, c.b) for c in record.comparisons} == {("good", "bad")}
    assert (world / "run" / "controls" / "noise" / "q00.wav").is_file()


def test_the_interval_of_real_audio_reaches_down_to_nothing_when_debiased(world: Path) -> None:
    score = run(world, real=world / "real").score("fad", "real")
    assert score is not None
    assert score.details["debiased"] < score.value
    assert score.details["debiased_low"] < score.details["debiased"] < score.details["debiased_high"]
    assert score.details["n_reference"] == N


def test_shuffling_leaves_no_query_with_its_own_prompt() -> None:
    for seed in range(20):
        dealt = derangement(KEYS, seed)
        assert sorted(dealt.values()) == KEYS
        assert all(key != other for key, other in dealt.items())
    assert derangement(KEYS[::-1], 3) == derangement(KEYS, 3)
    with pytest.raises(UserError, match="at least two"):
        derangement(["a"], 0)


def test_prompts_are_taken_from_the_samples_where_no_csv_is_given(world: Path) -> None:
    with (world / "good" / "samples.csv").open("w", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(["key", "file", "prompt", "label"])
        rows.writerows([k, f"{k}.wav", f"tone {p}", ""] for k, p in zip(KEYS, PITCHES, strict=True))
    record = run(world, prompts=None)
    assert {s.metric for s in record.scores} == {"fad", "clap_score"}


def test_without_prompts_only_distances_are_measured(world: Path) -> None:
    record = run(world, prompts=None)
    assert {s.metric for s in record.scores} == {"fad"}
    with pytest.raises(ConfigError, match="clap_score cannot be computed: there are no prompts; give --prompts"):
        run(world, prompts=None, metrics=("clap_score",))
    with pytest.raises(ConfigError, match=r"no metric can be computed: .* give --reference FOLDER"):
        run(world, prompts=None, reference=None)


def test_labels_that_the_classifier_does_not_know_leave_its_metric_out(world: Path) -> None:
    text = (world / "prompts.csv").read_text().replace(",low", ",deep")
    (world / "prompts.csv").write_text(text)
    assert {s.metric for s in run(world).scores} == {"fad", "clap_score"}
    with pytest.raises(UserError, match="'deep'"):
        run(world, metrics=("class_accuracy",))


def test_prepared_clips_can_be_the_reference(world: Path) -> None:
    settings = PrepareConfig(image_encoder=None, duration_s=0.25, min_s=0.1, window="first")
    prepare(Source(world / "reference"), world / "clips", settings)
    found = run(world, reference=world / "clips").score("fad", "good")
    assert found is not None
    assert found.details["n_reference"] == N
    assert found.value == pytest.approx(values(run(world))["fad", "good"], rel=1e-5)


def test_kl_against_the_own_audio_is_there_when_asked_for(world: Path) -> None:
    record = run(world, metrics=("kl",), real=world / "real", controls=("shuffled",))
    found = values(record)
    assert set(found) == {("kl", "good"), ("kl", "bad"), ("kl", "shuffled")}
    assert found["kl", "good"] < found["kl", "bad"]


def test_the_inception_score_needs_neither_reference_nor_prompts(world: Path) -> None:
    names = ("inception_score", "inception_score_10_splits")
    record = run(world, metrics=names, reference=None, prompts=None)
    found = values(record)
    assert set(found) == {(m, s) for m in names for s in ("good", "bad")}
    for name in names:
        assert found[name, "good"] > found[name, "bad"] >= 1
    assert {(c.metric, c.a, c.b) for c in record.comparisons} == {(m, "good", "bad") for m in names}
    assert records.read(world / "run") == record
    with_real = run(world, "other", metrics=names, real=world / "real", controls=("shuffled",))
    assert {s.system for s in with_real.scores} == {"good", "bad", "real"}  # prompts dealt anew would change nothing


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"baselines": ("bad",)}, {("good", "bad")}),
        ({"pairs": ("bad:good", "good:bad")}, {("bad", "good")}),
        ({"compare": False}, set()),
    ],
)
def test_the_pairs_are_those_that_were_asked_for(world: Path, changes: Any, expected: set[tuple[str, str]]) -> None:
    assert {(c.a, c.b) for c in run(world, **changes).comparisons} == expected


def test_swapping_a_pair_turns_the_sign_and_keeps_the_p_value(world: Path) -> None:
    one, other = (run(world, pairs=(pair,)).comparisons for pair in ("good:bad", "bad:good"))
    for a, b in zip(one, other, strict=True):
        assert a.difference == -b.difference
        assert a.p_value == b.p_value


def test_examples_show_the_same_queries_of_every_system(world: Path) -> None:
    run(world)
    with np.load(world / "run" / "examples.npz", allow_pickle=False) as found:
        assert found["good"].shape == found["bad"].shape == (4, 64, 26)
        assert set(found["keys"]) <= set(KEYS)
        assert all(p.startswith("tone ") for p in found["prompts"])
        pitch = float(found["prompts"][0].split()[1])
        mel = np.linspace(2595 * np.log10(1 + 50 / 700), 2595 * np.log10(1 + 8000 / 700), 66)[1:-1]
        loudest = 700 * (10 ** (mel[found["good"][0].mean(axis=1).argmax()] / 2595) - 1)
        assert loudest == pytest.approx(pitch, rel=0.12)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"systems": {}}, "no system to evaluate"),
        ({"systems": {"a/b": Path("x")}}, "system name 'a/b'"),
        ({"systems": {"real": Path("x")}, "real": Path("y")}, "'real' is given and also asked to be made"),
        ({"n_bootstrap": 1}, "at least 20"),
        ({"pairs": ("a",)}, "expected A:B"),
        ({"controls": ("noize",)}, r"controls\[0\]: 'noize' is not one of 'shuffled', 'noise', 'halves'"),
        ({"n_bootstrap": "many"}, "n_bootstrap: expected int, got 'many'"),
        ({"metrics": "fad"}, "metrics: expected a list, got 'fad'"),
    ],
)
def test_what_cannot_be_meant_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        EvaluateConfig(**{"systems": {"a": Path("x")}, **changes})


def test_a_baseline_that_is_no_system_is_named(world: Path) -> None:
    with pytest.raises(UserError, match=r"'goood'\. Did you mean 'good'"):
        run(world, baselines=("goood",))


def test_what_looks_wrong_is_in_the_record_and_does_not_hang_on_the_cache(world: Path) -> None:
    clipped = np.clip(40 * tone(PITCHES[3], seed=3), -1, 1).astype(np.float32)
    write_wav(world / "good" / "q03.wav", clipped, 16000)
    for key in ("q05", "q06"):
        (world / "bad" / f"{key}.wav").write_bytes((world / "bad" / "q04.wav").read_bytes())
    # another file than the training clip, to the bit, and the same sound
    training = write(world / "training", 0.005, seed=8, prefix="t")
    copied = tone(PITCHES[7], seed=8007, noise=0.005)
    write_wav(world / "good" / "q07.wav", copied * np.float32(0.999), 16000)
    records_found = [run(world, f"run{i}", training=training).findings for i in range(2)]  # the second from the cache
    assert records_found[0] == records_found[1]
    by_system = {name: {f.check: f for f in found} for name, found in records_found[0].items()}
    assert by_system["good"]["clipping"].keys == ("q03",)
    assert by_system["good"]["memorised"].keys == ("q07",)
    assert by_system["bad"]["duplicates"].keys == ("q04", "q05", "q06")
    assert by_system["bad"]["duplicates"].severity == "error"
    assert "duplicates" not in by_system["good"]
    assert records.read(world / "run0").findings == records_found[0]
    with (world / "run0" / "findings.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert {"system": "bad", "check": "duplicates", "keys": "q04 q05 q06"}.items() <= next(
        row for row in rows if row["check"] == "duplicates"
    ).items()


def test_training_clips_need_a_reference(world: Path) -> None:
    with pytest.raises(ConfigError, match="training needs a reference"):
        config(world, training=world / "real", reference=None)


def by_check(record: RunRecord, name: str) -> dict[str, Finding]:
    return {f.check: f for f in record.findings.get(name, ())}


def test_a_reference_of_integers_stored_as_floats_is_refused_with_the_mend(world: Path) -> None:
    """16-bit integers up to 32768 in a float wav gave 32.4 instead of 1.97, unsaid."""
    before = values(run(world, "before"))
    for i, path in enumerate(sorted((world / "reference").glob("*.wav"))[:3]):
        sound = np.rint(32767 * tone(PITCHES[i], seed=1000 + i, noise=0.005)).astype(np.float32)
        write_wav(path, sound, 16000)
    record = run(world)
    reasons = [s.reason for s in record.skipped["reference"]]
    assert len(reasons) == 3
    assert all("divide its samples by 32768" in r for r in reasons)
    assert values(record)["fad", "good"] < 3 * before["fad", "good"]
    for i, path in enumerate(sorted((world / "reference").glob("*.wav"))):
        write_wav(path, np.rint(32767 * tone(PITCHES[i], seed=1000 + i)).astype(np.float32), 16000)
    with pytest.raises(UserError, match=r"none of its 20 audio files is usable.*divide its samples by 32768"):
        run(world)


def test_every_set_is_checked_like_the_systems(world: Path) -> None:
    training = write(world / "training", 0.005, seed=8, prefix="t")
    sets = {"reference": world / "reference", "real": world / "real", "training": training, "good": world / "good"}
    for folder in sets.values():
        files = sorted(folder.glob("*.wav"))
        for i, gain in ((0, 2.5), (1, 0.0)):
            write_wav(files[i], np.float32(gain) * tone(440, seed=i) / np.float32(0.2), 16000)
        write_wav(files[2], np.clip(40 * tone(500), -1, 1).astype(np.float32), 16000)
        write_wav(files[3], tone(600) + np.float32(0.1), 16000)
        write_wav(files[4], tone(700)[:1600:2].copy(), 8000)
        files[6].write_bytes(files[5].read_bytes())
    settings = config(world, real=world / "real", training=training)
    given = encoders()
    given["audio"].card = dataclasses.replace(given["audio"].card, preprocessing="rate:16k|win:0.25,zero-padded")
    runs = [evaluate(settings, world / f"run{i}", encoders=given) for i in range(2)]
    assert runs[0].findings == runs[1].findings  # the second one from the cache
    for name, folder in sets.items():
        keys = [path.stem for path in sorted(folder.glob("*.wav"))]
        found = by_check(runs[0], name)
        assert found["peak"].keys == (keys[0],)
        assert found["silence"].keys == (keys[1],)
        assert found["clipping"].keys == (keys[2],)
        assert found["dc"].keys == (keys[3],)
        assert found["rate"].keys == found["short"].keys == (keys[4],)
        assert found["duplicates"].keys == (keys[5], keys[6])
        assert found["duplicates"].severity == ("error" if name == "good" else "warning")
    with (world / "run0" / "findings.csv").open(newline="") as stream:
        assert {row["system"] for row in csv.DictReader(stream)} >= set(sets)


def test_silence_is_scored_and_open_queries_are_counted(world: Path) -> None:
    """A system that drops its hard queries does not look better without a word."""
    hard = KEYS[:6]
    for i, key in enumerate(hard):
        write_wav(world / "good" / f"{key}.wav", tone(PITCHES[-1 - i], seed=i, noise=2.0), 16000)
    whole = run(world, "whole")
    for key in hard:
        write_wav(world / "good" / f"{key}.wav", np.zeros(4000, np.float32), 16000)
    silent = run(world, "silent")
    for key in hard:
        (world / "good" / f"{key}.wav").unlink()
    dropped = run(world, "dropped")
    for metric in ("fad", "clap_score", "class_accuracy"):
        all_, zeros, fewer = (record.score(metric, "good") for record in (whole, silent, dropped))
        assert all_ is not None
        assert zeros is not None
        assert fewer is not None
        assert (all_.n, zeros.n, fewer.n) == (N, N, N - 6)
        assert "unanswered" not in zeros.details
        # it looks no worse, but
        assert (fewer.value < all_.value) if metric == "fad" else (fewer.value >= all_.value)
        assert (fewer.details["unanswered"], fewer.details["asked"]) == (6, N)
        counted = fewer.details["value_with_unanswered"]
        if metric == "class_accuracy":  # a miss, although the classifier may take silence for the right class
            assert counted == pytest.approx(fewer.value * (N - 6) / N)
        else:  # what the folder with silent files was scored as
            assert counted == pytest.approx(zeros.value, rel=1e-6)
        other = dropped.score(metric, "bad")
        assert other is not None
        assert "unanswered" not in other.details
    finding = by_check(dropped, "good")["unanswered"]
    assert finding.keys == tuple(hard)
    assert finding.sentence.startswith(
        "6 of 20 queries unanswered, the scores are over the others; with those counted fad "
    )
    assert {c.n for c in dropped.comparisons} == {N - 6}  # ranked on common queries


def test_two_equal_systems_are_said_to_be_equal(world: Path) -> None:
    (world / "copy").mkdir()
    for path in (world / "good").glob("*.wav"):
        (world / "copy" / path.name).write_bytes(path.read_bytes())
    systems = {"good": world / "good", "bad": world / "bad", "copy": world / "copy"}
    record = run(world, systems=systems)
    equal = [c for c in record.comparisons if (c.a, c.b) == ("good", "copy")]
    assert {c.metric for c in equal} == {"fad", "clap_score", "class_accuracy"}
    assert {(c.difference, c.p_value, c.p_holm, c.test) for c in equal} == {(0.0, 1.0, 1.0, "identical outputs")}
    assert by_check(record, "copy")["identical"].sentence.startswith("identical outputs: all 20 common clips")
    assert all(c.test != "identical outputs" for c in record.comparisons if "bad" in (c.a, c.b))


def test_what_cannot_be_computed_is_listed_and_nothing_at_all_is_an_error(world: Path) -> None:
    (world / "one").mkdir()
    (world / "one" / "q00.wav").write_bytes((world / "good" / "q00.wav").read_bytes())
    with pytest.raises(
        UserError, match="nothing could be scored; the first reason: one: fad not computed: it needs at"
    ):
        run(world, systems={"one": world / "one"}, prompts=None)
    record = run(world, systems={"one": world / "one", "good": world / "good"})
    assert {s.metric for s in record.scores if s.system == "one"} == {"clap_score", "class_accuracy"}
    finding = by_check(record, "one")["not_computed"]
    assert finding.sentence == "fad not computed: it needs at least 2 clips that can be scored, and there are 1"


def test_differing_n_is_said_for_every_metric_that_depends_on_it(world: Path) -> None:
    for key in KEYS[12:]:
        (world / "bad" / f"{key}.wav").unlink()
    metrics = ("fad", "recall", "kad", "clap_score")
    finding = by_check(run(world, metrics=metrics), "evaluation")["unequal_n"]
    assert finding.sentence == (
        "the systems differ in n (good 20, bad 12) and the expectation of fad, recall depends on it; compare equal n"
    )
    assert "unequal_n" not in by_check(run(world, metrics=("kad", "clap_score")), "evaluation")


def test_pairs_that_cannot_be_compared_are_named(world: Path) -> None:
    for i, key in enumerate(KEYS):  # eleven each, of which two are common
        (world / ("good" if i < 9 else "bad") / f"{key}.wav").unlink()
    for key in KEYS[11:]:
        (world / "bad" / key).with_suffix(".wav").unlink(missing_ok=True)
    write(world / "third")
    for key in KEYS[1:]:
        (world / "third" / f"{key}.wav").unlink()
    systems = {name: world / name for name in ("good", "bad", "third")}
    record = run(world, systems=systems, metrics=("clap_score", "precision"), reference=world / "reference")
    found = [f.sentence for f in record.findings["evaluation"] if f.check == "not_compared"]
    assert "clap_score of 'good' and 'third' not compared: it takes 2 queries that both answered, there are 0" in found
    assert all(c.n >= 2 for c in record.comparisons)


def test_a_metric_that_the_common_queries_do_not_allow_is_named_and_the_others_are_compared(world: Path) -> None:
    for i, key in enumerate(KEYS):
        (world / ("good" if i % 2 else "bad") / f"{key}.wav").unlink(missing_ok=True)
    write(world / "third")
    systems = {name: world / name for name in ("good", "bad", "third")}
    record = run(world, systems=systems, metrics=("fad", "precision"))
    compared = {(c.metric, c.a, c.b) for c in record.comparisons}
    assert {("fad", "good", "third"), ("fad", "bad", "third")} <= compared
    named = [f.sentence for f in record.findings["evaluation"] if f.check == "not_compared"]
    assert any(s.startswith("fad of 'good' and 'bad' not compared: ") for s in named)


def test_copies_of_training_clips_are_not_looked_for_beside_few_reference_clips(world: Path) -> None:
    for i in range(5, N):
        (world / "reference" / f"r{i:02d}.wav").unlink()
    record = run(world, training=world / "real", metrics=("fad",))
    sentence = by_check(record, "good")["memorised"].sentence
    assert sentence.startswith("copies of training clips were not looked for: ")
    assert record.score("fad", "good") is not None


def test_metrics_that_are_left_out_for_lack_of_something_are_named(world: Path) -> None:
    found = [f.sentence for f in run(world, prompts=None).findings["evaluation"]]
    assert found == [
        "clap_score left out: there are no prompts; give --prompts CSV",
        "class_accuracy left out: no query has a label; give --prompts CSV with a column label",
    ]
    without = run(world, "without", prompts=None, encoders={"audio_text": None, "classifier": None})
    assert "evaluation" not in without.findings  # they were declined
