"""The four steps of an evaluation, each on its own: plan, embed, score, write."""

from __future__ import annotations

import csv
import dataclasses
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_encoders import FakeClasses, FakeEncoder, encoders, tone

from clipsonic_eval import records
from clipsonic_eval.errors import ConfigError, UserError
from clipsonic_eval.harness.embed import Embedded, embed, unanswered
from clipsonic_eval.harness.evaluation_config import EvaluateConfig
from clipsonic_eval.harness.plan import EvaluationPlan, plan
from clipsonic_eval.harness.score import score
from clipsonic_eval.harness.write import write
from clipsonic_eval.media.audio import write_wav
from clipsonic_eval.metrics import METRICS
from clipsonic_eval.records import RunRecord

N = 8
PITCHES = np.geomspace(300, 5000, N)
KEYS = [f"q{i}" for i in range(N)]


@pytest.fixture
def world(tmp_path: Path) -> Path:
    for name, noise in (("reference", 0.01), ("real", 0.01), ("good", 0.02), ("bad", 0.4)):
        for i, pitch in enumerate(PITCHES):
            write_wav(tmp_path / name / f"q{i}.wav", tone(pitch, seed=i + len(name), noise=noise), 16000)
    rows = [f"{k},tone {p},{'low' if p < 1000 else 'high'}\n" for k, p in zip(KEYS, PITCHES, strict=True)]
    (tmp_path / "prompts.csv").write_text("key,prompt,label\n" + "".join(rows))
    return tmp_path


def planned(world: Path, **changes: Any) -> EvaluationPlan:
    settings = {
        "systems": {"good": world / "good", "bad": world / "bad"},
        "reference": world / "reference",
        "prompts": world / "prompts.csv",
        **changes,
    }
    return plan(EvaluateConfig(**settings), encoders=encoders())


def embedded(world: Path, **changes: Any) -> Embedded:
    return embed(planned(world, **changes), cache=None, scratch=world / "scratch")


def scored(world: Path, **changes: Any) -> RunRecord:
    return score(embedded(world, **changes), n_boot=40, n_permutations=40)


# --- plan


def test_a_plan_groups_metrics_by_encoder_and_decodes_nothing(world: Path) -> None:
    for path in world.rglob("*.wav"):
        path.write_text("no audio")  # nobody notices yet
    found = planned(world)
    assert list(found.metrics) == ["fad", "clap_score", "class_accuracy"]
    assert list(found.encoders) == ["audio", "audio_text", "classifier"]
    assert found.roles["reference"] == ("audio",)
    assert found.roles["prompts"] == ("audio_text",)
    assert found.fitted == {"audio"}
    assert [item.key for item in found.systems["good"].items] == KEYS
    assert found.pairs == (("good", "bad"),)
    assert found.findings == ()


def test_only_the_encoders_of_the_chosen_metrics_are_in_a_plan(world: Path) -> None:
    assert list(planned(world, metrics=("clap_score",)).encoders) == ["audio_text"]
    assert list(planned(world, encoders={"audio_text": None}).metrics) == ["fad", "class_accuracy"]


def test_the_order_in_which_metrics_are_named_does_not_matter(world: Path) -> None:
    names = ("clap_score", "kad", "fad")
    assert list(planned(world, metrics=names).metrics) == list(planned(world, metrics=names[::-1]).metrics)


def test_a_convention_comes_last_under_a_role_of_its_own(world: Path) -> None:
    name = "fad/fadtk-clap-audio"
    given = {**encoders(), name: FakeEncoder("theirs")}
    config = EvaluateConfig(systems={"good": world / "good"}, reference=world / "reference", metrics=(name, "fad"))
    found = plan(config, encoders=given)
    assert list(found.metrics) == ["fad", name]
    assert found.metrics[name].card.role == name
    assert found.encoders[name].card.name == "theirs"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"reference": None, "metrics": ("fad",)}, "fad cannot be computed: no reference set; give --reference FOLDER"),
        ({"metrics": ("kl",)}, "kl cannot be computed: the queries' own audio is missing; give --real FOLDER"),
        ({"prompts": None, "metrics": ("clap_score",)}, "clap_score cannot be computed: there are no prompts"),
        ({"encoders": {"audio": None}, "metrics": ("fad",)}, "no encoder for 'audio'; name one with --encoder audio="),
        ({"reference": None, "prompts": None}, r"no metric can be computed: clap_score: .*; fad: no reference set"),
    ],
)
def test_a_metric_that_was_named_and_cannot_be_computed_is_refused_with_the_fix(
    world: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        planned(world, **changes)


def test_default_metrics_that_cannot_be_computed_are_left_out_by_name(world: Path) -> None:
    (world / "prompts.csv").write_text("key,prompt\n" + "".join(f"{k},tone 300\n" for k in KEYS))
    found = planned(world)
    assert list(found.metrics) == ["fad", "clap_score"]
    assert [f.sentence for f in found.findings] == [
        "class_accuracy left out: no query has a label; give --prompts CSV with a column label"
    ]


def test_a_label_that_the_classifier_lacks_leaves_its_metrics_out(world: Path) -> None:
    (world / "prompts.csv").write_text((world / "prompts.csv").read_text().replace(",low", ",deep"))
    found = planned(world)
    assert "class_accuracy" not in found.metrics
    assert "classifier" not in found.encoders
    assert "'deep' is no class of encoder 'fake-classes'" in found.findings[0].sentence
    with pytest.raises(ConfigError, match="no metric can be computed: class_accuracy left out: 'deep'"):
        planned(world, reference=None, encoders={"audio_text": None})


def test_prompts_of_two_systems_that_contradict_each_other_are_refused(world: Path) -> None:
    for name, prompt in (("good", "rain"), ("bad", "wind")):
        (world / name / "samples.csv").write_text(f"key,file,prompt\nq0,q0.wav,{prompt}\n")
    with pytest.raises(UserError, match=r"bad: query 'q0' is 'wind' here and 'rain' in another system's samples.csv"):
        planned(world, prompts=None)


@pytest.mark.parametrize(
    ("changes", "pairs"),
    [
        ({}, {("good", "bad")}),
        ({"controls": ("noise",)}, {("good", "bad")}),
        ({"baselines": ("bad",), "controls": ("noise",)}, {("good", "bad"), ("noise", "bad")}),
        ({"pairs": ("bad:good", "good:bad", "good:good")}, {("bad", "good")}),
        ({"compare": False}, set()),
    ],
)
def test_pairs_are_settled_before_anything_is_embedded(
    world: Path, changes: dict[str, Any], pairs: set[tuple[str, str]]
) -> None:
    assert set(planned(world, **changes).pairs) == pairs
    with pytest.raises(UserError, match=r"unknown system to compare with 'goood'"):
        planned(world, baselines=("goood",))


def test_halves_of_the_reference_are_a_metric_of_the_plan(world: Path) -> None:
    found = planned(world, controls=("halves",)).metrics["fad_halves"]
    assert found.card == dataclasses.replace(METRICS["fad"].card, name="fad_halves")
    assert "fad_halves" not in planned(world).metrics


# --- embed


def test_every_set_is_embedded_in_the_spaces_that_need_it(world: Path) -> None:
    found = embedded(world)
    assert list(found.sets) == ["good", "bad"]
    assert list(found.sets["good"].spaces) == ["audio", "audio_text", "classifier"]
    assert found.reference is not None
    assert list(found.reference.spaces) == ["audio"]
    assert found.text["audio_text"].keys == tuple(KEYS)
    assert found.training is None
    assert found.silence == {}


def test_inputs_of_a_metric_hold_what_its_card_needs(world: Path) -> None:
    found = embedded(world, real=world / "real", controls=("shuffled",), metrics=("fad", "kl", "clap_score"))
    by_metric = {name: found.inputs(metric) for name, metric in found.plan.metrics.items()}
    assert set(by_metric["fad"]) == {"good", "bad", "real"}
    assert set(by_metric["kl"]) == {"good", "bad", "shuffled"}  # real audio is not compared with itself
    assert set(by_metric["clap_score"]) == {"good", "bad", "real", "shuffled"}
    assert by_metric["fad"]["good"].reference is not None
    assert by_metric["kl"]["good"].reference is None
    real, shuffled = by_metric["clap_score"]["real"].system, by_metric["clap_score"]["shuffled"].system
    assert sorted(real.keys) == sorted(shuffled.keys)
    assert all(a != b for a, b in zip(real.keys, shuffled.keys, strict=True))
    assert np.array_equal(real.vectors, shuffled.vectors)


def test_shuffled_prompts_need_real_audio(world: Path) -> None:
    found = embedded(world, controls=("shuffled",))
    with pytest.raises(UserError, match="control 'shuffled' needs the queries' own audio; give --real FOLDER"):
        found.inputs(METRICS["clap_score"])


def test_signature_fields_name_what_a_metric_compares_with(world: Path) -> None:
    found = embedded(world, real=world / "real", metrics=("fad", "kl", "clap_score"))
    identity = {name: dict(fields) for name, fields in found.identity.items()}
    assert set(identity["fad"]) == {"ref"}
    assert identity["clap_score"] == {"queries": found.plan.queries.hash}
    assert identity["fad"]["ref"] != identity["kl"]["ref"]
    (world / "reference" / "q0.wav").write_bytes((world / "bad" / "q0.wav").read_bytes())
    assert dict(embedded(world).identity["fad"]) != identity["fad"]


def test_queries_without_an_output_get_the_embedding_of_silence(world: Path) -> None:
    (world / "good" / "q3.wav").unlink()
    found = embedded(world)
    assert unanswered(found.plan, found.sets["good"]) == (("q3",), N)
    assert unanswered(found.plan, found.sets["bad"]) == ((), N)
    assert list(found.silence) == ["good"]
    assert found.silence["good"]["audio"].vectors.shape == (1, 8)
    assert found.silence["good"]["classifier"].vectors.shape == (2, 2)
    assert [skip.key for skip in found.skipped["good"]] == ["q3"]


def test_an_encoder_that_refuses_silence_gives_none(world: Path) -> None:
    class Strict(FakeClasses):
        def audio(self, clips: Any) -> Any:
            if any(not clip.samples.any() for clip in clips):
                raise UserError("silence")
            return super().audio(clips)

    (world / "good" / "q3.wav").unlink()
    config = EvaluateConfig(
        systems={"good": world / "good"}, reference=world / "reference", prompts=world / "prompts.csv"
    )
    found = embed(plan(config, encoders={**encoders(), "classifier": Strict()}), cache=None, scratch=world)
    assert set(found.silence["good"]) == {"audio", "audio_text"}


def test_noise_is_made_at_the_level_of_the_reference(world: Path) -> None:
    found = embedded(world, controls=("noise",), metrics=("fad",))
    assert found.sets["noise"].keys == tuple(KEYS)
    rms = {name: np.median([c.channels[0].rms for c in found.sets[name].levels.values()]) for name in ("noise",)}
    assert found.reference is not None
    reference = np.median([c.channels[0].rms for c in found.reference.levels.values()])
    assert rms["noise"] == pytest.approx(reference, rel=0.05)
    assert (world / "scratch" / "controls" / "noise" / "q0.wav").is_file()


def test_checks_of_every_set_are_in_the_findings_of_the_step(world: Path) -> None:
    write_wav(world / "good" / "q0.wav", np.zeros(4000, np.float32), 16000)
    (world / "bad" / "q1.wav").write_bytes((world / "reference" / "q1.wav").read_bytes())
    found = embedded(world).findings
    assert [f.check for f in found["good"] if f.check == "silence"] == ["silence"]
    assert any(f.check == "same_files" and "'reference'" in f.sentence for f in found["bad"])
    assert found["evaluation"] == []


# --- score


def test_a_score_has_value_interval_n_and_signature_and_pairs_have_a_test(world: Path) -> None:
    record = scored(world)
    assert {(s.metric, s.system) for s in record.scores} == {
        (m, s) for m in ("fad", "clap_score", "class_accuracy") for s in ("good", "bad")
    }
    for found in record.scores:
        assert found.ci is not None
        assert found.ci[0] <= found.value <= found.ci[1]
        assert found.n == N
    assert {(c.metric, c.a, c.b, c.n) for c in record.comparisons} == {
        (m, "good", "bad", N) for m in ("fad", "clap_score", "class_accuracy")
    }
    assert record.config == record.provenance == {}  # are the run's, not the step's
    assert {name: count.used for name, count in record.sets.items()} == {"good": N, "bad": N, "reference": N}


def test_scoring_again_gives_the_same_record_and_another_seed_another_interval(world: Path) -> None:
    found = embedded(world, metrics=("clap_score",))
    first, second, other = (score(found, n_boot=40, n_permutations=40, seed=seed) for seed in (0, 0, 1))
    assert first == second
    assert [s.value for s in first.scores] == [s.value for s in other.scores]
    assert [s.ci for s in first.scores] != [s.ci for s in other.scores]


def test_holms_correction_runs_over_all_comparisons_of_the_record(world: Path) -> None:
    record = scored(world)
    smallest = min(record.comparisons, key=lambda c: c.p_value)
    assert smallest.p_holm == pytest.approx(min(1, len(record.comparisons) * smallest.p_value))


def test_a_system_without_usable_audio_is_left_out_of_scores_and_pairs(world: Path) -> None:
    for path in (world / "bad").glob("*.wav"):
        path.write_text("no audio")
    record = scored(world)
    assert {s.system for s in record.scores} == {"good"}
    assert record.comparisons == ()
    assert record.sets["bad"].used == 0
    assert record.skipped["bad"][-1].key == "*"


def test_a_reference_that_no_metric_needs_is_counted_as_left_out(world: Path) -> None:
    record = scored(world, metrics=("clap_score",))
    assert (record.sets["reference"].used, record.sets["reference"].left_out) == (0, N)


# --- write


def test_the_files_of_a_run_say_what_the_record_says(world: Path) -> None:
    found = embedded(world)
    record = score(found, n_boot=40, n_permutations=40)
    out = world / "run"
    write(record, out, found, examples=2)
    assert records.read(out) == record
    tables = {
        name: list(csv.DictReader((out / f"{name}.csv").read_text().splitlines())) for name in ("scores", "per_clip")
    }
    assert {(r["metric"], r["system"]): float(r["value"]) for r in tables["scores"]} == {
        (s.metric, s.system): s.value for s in record.scores
    }
    assert len(tables["per_clip"]) == sum(len(s.per_clip) for s in record.scores)
    with np.load(out / "examples.npz", allow_pickle=False) as shown:
        labels = Counter(shown["labels"].tolist())
        assert set(labels.values()) == {2}  # two queries of every class
        assert set(labels) == set(found.plan.queries.labels.values())
        assert shown["good"].shape == shown["bad"].shape == (2 * len(labels), 64, 26)


def test_a_record_without_an_evaluation_has_no_spectrograms(world: Path) -> None:
    write(scored(world), world / "run")
    assert not (world / "run" / "examples.npz").exists()
    assert (world / "run" / "record.json").is_file()
