"""Stored statistics as a reference: every form that tools write, and what cannot go with them."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import fake_encoders
import numpy as np
import pytest
from click.testing import CliRunner

from clipsonic_eval.cli import main
from clipsonic_eval.errors import ConfigError, ShapeError, SpaceError, UserError
from clipsonic_eval.harness import stored_statistics
from clipsonic_eval.harness.embed_config import EmbedConfig
from clipsonic_eval.harness.evaluate import EvaluateConfig, evaluate
from clipsonic_eval.harness.fill_cache import fill_cache
from clipsonic_eval.media.audio import write_wav
from clipsonic_eval.metrics import METRICS, Inputs, SetMetric
from clipsonic_eval.records import RunRecord
from clipsonic_eval.signature import comparable
from clipsonic_eval.stats.frechet import Gaussian
from clipsonic_eval.types import Embeddings

D, N = 5, 40
RNG = np.random.default_rng(0)
ROWS = (RNG.standard_normal((200, D)) @ RNG.standard_normal((D, D)) + 2).astype(np.float32)
MU, COV = ROWS.astype(np.float64).mean(axis=0), np.cov(ROWS.astype(np.float64), rowvar=False)


def fadtk_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "stats" / "vggish"
    folder.mkdir(parents=True)
    np.save(folder / "mu.npy", MU)
    np.save(folder / "cov.npy", COV)
    return folder


def npz(path: Path, **arrays: Any) -> Path:
    np.savez(path, **arrays)
    return path


def forms(tmp_path: Path) -> dict[str, Path]:
    """The same set as each tool stores it."""
    np.save(tmp_path / "embds_background.npy", ROWS)
    one = {"vggish.mu": MU, "vggish.cov": COV}
    more = {"clap.mu": np.zeros(3), "clap.cov": np.eye(3)}
    return {
        "pytorch-fid": npz(tmp_path / "fid.npz", mu=MU, sigma=COV),
        "stable-audio-metrics": npz(tmp_path / "stable.npz", mu_ref=MU, sigma_ref=COV),
        "mu and cov": npz(tmp_path / "cov.npz", mu=MU, cov=COV),
        "fadtk, one model": npz(tmp_path / "one.npz", **one),
        "fadtk, several": npz(tmp_path / "more.npz", **one, **more).with_name("more.npz:vggish"),
        "fadtk's folder": fadtk_folder(tmp_path),
        "frechet-audio-distance": tmp_path / "embds_background.npy",
    }


FORMS = (
    "pytorch-fid",
    "stable-audio-metrics",
    "mu and cov",
    "fadtk, one model",
    "fadtk, several",
    "fadtk's folder",
    "frechet-audio-distance",
)


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_moments_and_a_finding(tmp_path: Path, form: str) -> None:
    path = forms(tmp_path)[form]
    assert stored_statistics.is_stored(path)
    found = stored_statistics.read(path)
    np.testing.assert_allclose(found.gaussian.mean, MU, rtol=1e-12)
    np.testing.assert_allclose(found.gaussian.root.T @ found.gaussian.root, COV, rtol=1e-9, atol=1e-12)
    assert found.card is None
    assert "names no encoder" in found.findings()[0].sentence
    assert len(found.digest) == 8


def test_other_statistics_have_another_hash(tmp_path: Path) -> None:
    a = stored_statistics.read(npz(tmp_path / "a.npz", mu=MU, sigma=COV))
    b = stored_statistics.read(npz(tmp_path / "b.npz", mu=MU, sigma=COV * (1 + 1e-9)))
    assert a.digest != b.digest
    assert a.digest == stored_statistics.read(npz(tmp_path / "c.npz", mu=MU, cov=COV)).digest


@pytest.mark.parametrize(
    ("arrays", "name", "error", "message"),
    [
        ({"mu": MU}, "x.npz", UserError, "no mean and covariance; it holds mu"),
        ({"mu": MU, "sigma": COV[:2]}, "x.npz", ShapeError, r"moments must be \(d,\) and \(d, d\)"),
        ({"mu": MU, "sigma": COV + np.triu(np.ones((D, D)), 1)}, "x.npz", ShapeError, "not symmetric"),
        ({"mu": MU, "sigma": -COV}, "x.npz", ShapeError, "positive semi-definite"),
        ({"mu": MU * np.nan, "sigma": COV}, "x.npz", ShapeError, "NaN or infinity"),
        ({"mu": MU.astype(int), "sigma": COV}, "x.npz", ShapeError, "must be floating point"),
        ({"mu": np.array([object()] * D), "sigma": COV}, "x.npz", UserError, "without pickles"),
        (
            {"a.mu": MU, "a.cov": COV, "b.mu": MU, "b.cov": COV},
            "x.npz",
            UserError,
            "of a, b; say which one, as x.npz:MODEL",
        ),
        ({"a.mu": MU, "a.cov": COV}, "x.npz:b", UserError, "no statistics of 'b'; there are a"),
        ({"mu": MU, "sigma": COV, "card": np.array("{")}, "x.npz", UserError, "card of its encoder is damaged"),
    ],
)
def test_what_is_no_statistics_is_one_sentence(
    tmp_path: Path, arrays: dict[str, Any], name: str, error: type[UserError], message: str
) -> None:
    npz(tmp_path / "x.npz", **arrays)
    with pytest.raises(error, match=message):
        stored_statistics.read(tmp_path / name)


def test_files_that_are_not_there_are_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file"):
        stored_statistics.read(tmp_path / "none.npz")
    with pytest.raises(UserError, match="no such file"):
        stored_statistics.read(tmp_path / "none.npz:vggish")


# --- metrics


def given(n: int, seed: int, *, moments: bool, rows: int = 1) -> Inputs:
    rng = np.random.default_rng(seed)
    keys = tuple(f"q{i:04d}" for i in range(n) for _ in range(rows))
    space = fake_encoders.card("e", D)
    system = Embeddings(rng.standard_normal((n * rows, D)) + 1.5, keys, "audio", space)
    reference = Embeddings(ROWS, tuple(f"r{i:04d}" for i in range(len(ROWS))), "audio", space)
    stored = Gaussian.from_covariance(MU, COV)
    return Inputs(system, reference_moments=stored) if moments else Inputs(system, reference)


@pytest.mark.parametrize("name", ["fad", "fad_inf", "fad_per_clip"])
def test_values_are_those_of_the_rows(name: str) -> None:
    metric = METRICS[name]
    assert metric.card.reference_moments
    with_rows, with_moments = (given(60, 3, moments=m, rows=2) for m in (False, True))
    if isinstance(metric, SetMetric):
        assert metric.value(with_moments) == pytest.approx(metric.value(with_rows), rel=1e-9)
    else:
        assert metric.per_clip(with_moments) == pytest.approx(metric.per_clip(with_rows), rel=1e-9)


@pytest.mark.parametrize("n", [60, 4])
def test_resamples_are_those_of_the_system_alone(n: int) -> None:
    """By hand: the distance of each resample's weighted moments to the stored ones; n below d as well."""
    from clipsonic_eval.stats.bootstrap import damped_weights, resample_counts
    from clipsonic_eval.stats.frechet import frechet_distance

    metric = METRICS["fad"]
    assert isinstance(metric, SetMetric)
    one = given(n, 3, moments=True)
    drawn = metric.replicates([one], 20, 7)[0]
    x = one.system.vectors
    for counts, value in zip(
        resample_counts(sorted(set(one.system.keys)), 20, 7, "bootstrap-queries"), drawn, strict=True
    ):
        w = damped_weights(counts[None])[0]
        mean = w @ x / w.sum()
        covariance = (x - mean).T @ ((x - mean) * w[:, None]) / (w.sum() - 1)
        wanted = frechet_distance(Gaussian.from_covariance(mean, covariance), Gaussian.from_covariance(MU, COV))
        assert value == pytest.approx(wanted, rel=1e-6)


def test_influences_are_those_of_the_system_alone() -> None:
    metric = METRICS["fad"]
    assert isinstance(metric, SetMetric)
    assert metric.influence is not None
    rows, moments = (metric.influence(given(60, 3, moments=m)) for m in (False, True))
    assert moments.system == pytest.approx(rows.system, rel=1e-6)
    assert moments.reference == {}


# --- evaluations


def wavs(folder: Path, noise: float, seed: int) -> Path:
    for i, pitch in enumerate(np.geomspace(300, 5000, N)):
        write_wav(folder / f"q{i:02d}.wav", fake_encoders.tone(pitch, seed=1000 * seed + i, noise=noise), 16000)
    return folder


@pytest.fixture
def world(tmp_path: Path) -> Path:
    wavs(tmp_path / "reference", 0.01, 1)
    wavs(tmp_path / "good", 0.02, 2)
    wavs(tmp_path / "bad", 0.4, 3)
    return tmp_path


def run(world: Path, reference: Path, out: str = "run", **changes: Any) -> RunRecord:
    config = EvaluateConfig(
        systems={"good": world / "good", "bad": world / "bad"},
        reference=reference,
        n_bootstrap=100,
        n_permutations=100,
        cache=world / "cache",
        examples=0,
    )
    return evaluate(dataclasses.replace(config, **changes), world / out, encoders=fake_encoders.encoders())


def store(world: Path) -> Path:
    path = world / "stats.npz"
    config = EmbedConfig((world / "reference",), ("fake-audio",), statistics=path, cache=world / "cache")
    fill_cache(config, encoders={"fake-audio": fake_encoders.FakeEncoder()})
    return path


def test_our_own_statistics_stand_in_for_the_folder(world: Path) -> None:
    whole, stored = run(world, world / "reference", "a"), run(world, store(world), "b")
    for a, b in zip(whole.scores, stored.scores, strict=True):
        assert b.value == pytest.approx(a.value, rel=1e-8)
        assert b.ci_method == f"{a.ci_method}-given-reference"
        assert a.ci
        assert b.ci
        assert b.ci[1] - b.ci[0] < a.ci[1] - a.ci[0]
        assert "|ref:stats+" in b.signature
        assert not comparable(a.signature, b.signature)
    assert "reference" not in stored.findings
    assert stored.comparisons[0].p_value < 0.05
    assert stored.comparisons[0].difference == pytest.approx(whole.comparisons[0].difference, rel=1e-8)


def test_other_tools_read_our_statistics(world: Path) -> None:
    with np.load(store(world), allow_pickle=False) as arrays:
        assert arrays["mu"].shape == (fake_encoders.DIM,)
        assert arrays["sigma"].shape == (fake_encoders.DIM, fake_encoders.DIM)
        assert int(arrays["clips"]) == N


def test_statistics_of_another_encoder_are_refused(world: Path) -> None:
    path = store(world)
    stored = stored_statistics.read(path)
    card = fake_encoders.FakeEncoder().card
    stored.check({"fad": card})
    for other in ({"name": "x"}, {"weights_sha256": "0" * 64}, {"preprocessing": "rate:8k"}, {"num": 2}):
        with pytest.raises(SpaceError, match=f"{next(iter(other))} differs"):
            stored.check({"fad": dataclasses.replace(card, **other)})  # type: ignore[arg-type]
    with pytest.raises(SpaceError, match=r"statistics of 5 dimensions, but the encoder for 'audio', .* gives 8"):
        run(world, npz(world / "foreign.npz", mu=MU, sigma=COV))


def test_foreign_statistics_are_used_with_a_finding(world: Path) -> None:
    with np.load(store(world), allow_pickle=False) as arrays:
        foreign = npz(world / "foreign.npz", mu=arrays["mu"], sigma=arrays["sigma"])
    ours, theirs = run(world, world / "stats.npz", "a"), run(world, foreign, "b")
    assert [s.value for s in ours.scores] == [s.value for s in theirs.scores]
    assert theirs.findings["reference"][0].check == "stored-statistics"


def test_what_needs_the_sounds_of_the_reference_is_named(world: Path) -> None:
    path = store(world)
    with pytest.raises(ConfigError, match="kad cannot be computed: the reference is stored statistics"):
        run(world, path, metrics=("kad",))
    with pytest.raises(ConfigError, match="control halves needs those of the reference"):
        run(world, path, controls=("halves",))
    with pytest.raises(ConfigError, match="training needs those of the reference"):
        run(world, path, training=world / "reference")
    assert {s.metric for s in run(world, path, metrics=("fad", "fad_inf")).scores} == {"fad", "fad_inf"}


def test_statistics_are_of_one_encoder_and_all_clips(tmp_path: Path) -> None:
    for changes in ({"encoders": ("a", "b")}, {"share": (1, 2)}):
        with pytest.raises(UserError, match="one encoder and of all clips"):
            dataclasses.replace(EmbedConfig((tmp_path,), ("a",)), statistics=tmp_path / "s.npz", **changes)  # type: ignore[arg-type]
    with pytest.raises(UserError, match=r"written as \.npz"):
        EmbedConfig((tmp_path,), ("a",), statistics=tmp_path / "s.csv")


def test_commands_write_and_take_statistics(world: Path) -> None:
    stats = world / "new" / "stats.npz"
    told = [
        "embed",
        str(world / "reference"),
        "--encoder",
        "toy-audio",
        "--statistics",
        str(stats),
        "--cache",
        str(world / "c"),
    ]
    done = CliRunner().invoke(main, told)
    assert done.exit_code == 0, done.output
    assert f"evaluate --reference {stats}" in done.output
    told = ["evaluate", "--reference", str(stats), "--system", f"good={world / 'good'}", "--out", str(world / "run")]
    done = CliRunner().invoke(main, [*told, "--cache", str(world / "c"), "--set", "n_bootstrap=50"])
    assert done.exit_code == 0, done.output
    assert "fad" in done.output
