"""What a report keeps is enough to make the paired tests again."""

from __future__ import annotations

from collections.abc import Mapping

import fake_encoders
import numpy as np
import pytest

from clipsonic_eval import records
from clipsonic_eval.harness.compare import compare_systems
from clipsonic_eval.harness.evaluate import EvaluateConfig, evaluate
from clipsonic_eval.media.audio import write_wav
from clipsonic_eval.metrics import METRICS
from clipsonic_eval.metrics.scoring import Scored
from clipsonic_eval.records import RunRecord
from clipsonic_eval.reporting.build import build
from clipsonic_eval.stats.paired import sign_flip_test
from clipsonic_eval.types import Score

N = 24
PITCHES = np.geomspace(300, 5000, N)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunRecord, RunRecord, EvaluateConfig]:
    """An evaluation's own record, the one that its report keeps, and the settings."""
    root = tmp_path_factory.mktemp("kept")
    for seed, (name, noise) in enumerate({"reference": 0.01, "good": 0.05, "fair": 0.12}.items()):
        for i, pitch in enumerate(PITCHES):
            sound = fake_encoders.tone(pitch, seed=1000 * seed + i, noise=noise)
            write_wav(root / name / f"q{i:02d}.wav", sound, 16000)
    rows = [f"q{i:02d},tone {p},{'low' if p < 1000 else 'high'}" for i, p in enumerate(PITCHES)]
    (root / "prompts.csv").write_text("\n".join(["key,prompt,label", *rows]) + "\n")
    config = EvaluateConfig(
        systems={"good": root / "good", "fair": root / "fair"},
        reference=root / "reference",
        prompts=root / "prompts.csv",
        n_bootstrap=200,
        n_permutations=500,
        cache=root / "cache",
        examples=0,
    )
    whole = evaluate(config, root / "run", encoders=fake_encoders.encoders())
    build([root / "run"], root / "report")
    return whole, records.read(root / "report" / "records" / "run"), config


def by_system(record: RunRecord, metric: str) -> dict[str, Score]:
    return {s.system: s for s in record.scores if s.metric == metric}


@pytest.mark.parametrize("metric", ["clap_score", "class_accuracy"])
def test_a_test_over_clips_is_made_again_to_the_digit(
    kept: tuple[RunRecord, RunRecord, EvaluateConfig], metric: str
) -> None:
    whole, slim, config = kept
    (made,) = [c for c in whole.comparisons if c.metric == metric]
    (again,), _ = compare_systems(
        METRICS[metric],
        {},
        Scored(by_system(slim, metric)),
        [(made.a, made.b)],
        n_boot=config.n_bootstrap,
        n_permutations=config.n_permutations,
        seed=config.seed,
    )
    assert (again.p_value, again.difference, again.ci, again.n) == (made.p_value, made.difference, made.ci, made.n)


def test_a_test_of_fad_by_influence_is_made_again_to_the_digit(
    kept: tuple[RunRecord, RunRecord, EvaluateConfig],
) -> None:
    whole, slim, _ = kept

    def tested(scores: Mapping[str, Score]) -> tuple[float, float]:
        good, fair = scores["good"], scores["fair"]
        assert len(good.influence) == len(fair.influence) == len(good.reference_influence) == N
        by_clip = np.array([good.influence[k] - fair.influence[k] for k in sorted(good.influence)])
        shared = np.array(
            [good.reference_influence[k] - fair.reference_influence[k] for k in sorted(good.reference_influence)]
        )
        error = float(np.sqrt((by_clip**2).sum() + (shared**2).sum()))
        return sign_flip_test((good.value - fair.value) / N + by_clip, 500, 0)[0], error

    p, error = tested(by_system(slim, "fad"))
    assert (p, error) == tested(by_system(whole, "fad"))
    (made,) = [c for c in whole.comparisons if c.metric == "fad"]
    assert made.ci
    # first order and resamples agree on the spread of the difference, as far as two hundred resamples of 24 clips can
    assert 0.4 < error / ((made.ci[1] - made.ci[0]) / 3.92) < 2.5


def test_kept_records_have_the_values_of_all_clips(kept: tuple[RunRecord, RunRecord, EvaluateConfig]) -> None:
    whole, slim, _ = kept
    assert [(s.per_clip, s.influence, s.reference_influence) for s in slim.scores] == [
        (s.per_clip, s.influence, s.reference_influence) for s in whole.scores
    ]
