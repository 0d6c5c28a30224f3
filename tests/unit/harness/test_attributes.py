"""Count and size travel from the table of queries through samples to scores."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_encoders import RATE, encoders, tone

from clipsonic_eval import signature
from clipsonic_eval.arraytypes import Float32
from clipsonic_eval.errors import ConfigError
from clipsonic_eval.harness.audio_sets import system_set
from clipsonic_eval.harness.evaluate import EvaluateConfig, evaluate
from clipsonic_eval.harness.queries import read_queries
from clipsonic_eval.harness.sample import sample
from clipsonic_eval.types import Query

PITCHES = np.geomspace(300, 5000, 12)
METRICS = ("class_accuracy", "count_accuracy", "size_error")


class Tones:
    """Plays the tone that each prompt names."""

    name = "tones"
    sample_rate = RATE

    def card(self) -> dict[str, Any]:
        return {}

    def generate(self, queries: Sequence[Query], seeds: Sequence[int]) -> list[Float32]:
        return [tone(float(q.prompt.split()[1]), noise=0.01) for q in queries]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "queries.csv"
    with path.open("w", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(["key", "prompt", "label", "count", "size"])
        for i, pitch in enumerate(PITCHES):
            level = "low" if pitch < 1000 else "high"
            rows.writerow([f"q{i:02d}", f"tone {pitch}", level, "high" if i % 2 else "low", f"{pitch / 8000:.3f}"])
    return path


@pytest.fixture
def samples(tmp_path: Path, table: Path) -> Path:
    sample(Tones(), read_queries(table), tmp_path / "tones")
    return tmp_path / "tones"


def config(samples: Path, **more: Any) -> EvaluateConfig:
    return EvaluateConfig(systems={"tones": samples}, metrics=METRICS, n_bootstrap=40, **more)


def test_scores_from_the_samples_are_those_from_the_table(samples: Path, table: Path) -> None:
    from_samples = evaluate(config(samples), None, encoders=encoders())
    from_table = evaluate(config(samples, prompts=table), None, encoders=encoders())
    assert [s.metric for s in from_samples.scores] == list(METRICS)
    for name in METRICS:
        assert from_samples["tones", name] == from_table["tones", name]
    assert from_samples["tones", "class_accuracy"].value == 1.0
    assert from_samples["tones", "count_accuracy"].value == pytest.approx(0.5, abs=0.1)  # counts follow the order
    assert from_samples["tones", "size_error"].value < 0.05


def test_other_sizes_are_other_queries_to_the_size_error_alone(samples: Path, table: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.csv"
    other.write_text(table.read_text().replace("0.037", "0.9"))
    before = evaluate(config(samples, prompts=table), None, encoders=encoders())
    after = evaluate(config(samples, prompts=other), None, encoders=encoders())
    differ = {n for n in METRICS if before["tones", n].signature != after["tones", n].signature}
    assert differ == {"size_error"}
    parsed = [signature.parse(r["tones", n].signature).get("queries") for r in (before,) for n in METRICS]
    assert len(set(parsed)) == 3


def test_no_column_of_the_samples_is_said_to_be_unread(samples: Path) -> None:
    assert system_set("tones", samples, None).notes == ()


def test_an_interrupted_job_keeps_the_attributes_of_what_it_had(samples: Path, table: Path) -> None:
    before = (samples / "samples.csv").read_text()
    (samples / "q03.wav").unlink()
    done = sample(Tones(), read_queries(table), samples)
    assert done.resumed == len(PITCHES) - 1
    assert (samples / "samples.csv").read_text() == before


def test_a_metric_whose_attribute_no_query_has_says_which_column(samples: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare.csv"
    bare.write_text("key,prompt,label\n" + "".join(f"q{i:02d},tone {p},low\n" for i, p in enumerate(PITCHES)))
    sizes = r"count_accuracy cannot be computed: no query has a count; give --prompts CSV with a column count"
    with pytest.raises(ConfigError, match=sizes):
        evaluate(config(samples, prompts=bare), None, encoders=encoders())
