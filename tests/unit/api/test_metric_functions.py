"""``ce.fad(...)`` and all other metrics, as a notebook calls them: arrays, embeddings, folders, texts, and mistakes."""

from __future__ import annotations

import dataclasses
import inspect
import typing
import warnings
from pathlib import Path

import fake_encoders
import numpy as np
import pytest
import soundfile

import clipsonic_eval as ce
from clipsonic_eval import _signatures
from clipsonic_eval.arraytypes import Float64
from clipsonic_eval.errors import ShapeError, SpaceError
from clipsonic_eval.metric_functions import metric_function
from clipsonic_eval.types import as_embeddings

PITCHES = np.geomspace(200, 4000, 24)
RNG = np.random.default_rng(0)
REAL = RNG.standard_normal((60, 4))
FAKE = RNG.standard_normal((50, 4)) + 0.5


@pytest.fixture(scope="module")
def wavs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``real/`` and ``mine/`` with the same keys, and ``test.csv`` with a prompt, a label, a count and a size each."""
    root = tmp_path_factory.mktemp("wavs")
    lines = ["key,prompt,label,count,size"]
    for folder, noise in {"real": 0.0, "mine": 0.05}.items():
        (root / folder).mkdir()
        for i, pitch in enumerate(PITCHES):
            soundfile.write(root / folder / f"q{i:02d}.wav", fake_encoders.tone(pitch, i, noise), fake_encoders.RATE)
    levels = ["low" if pitch < 1000 else "high" for pitch in PITCHES]
    lines += [f"q{i:02d},tone {p},{levels[i]},{levels[i]},{p / 8000}" for i, p in enumerate(PITCHES)]
    (root / "test.csv").write_text("\n".join(lines))
    return root


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def texts() -> dict[str, str]:
    return {f"q{i:02d}": f"tone {pitch}" for i, pitch in enumerate(PITCHES)}


# --- arrays


def test_arrays_lists_tensors_and_embeddings_give_one_number() -> None:
    torch = pytest.importorskip("torch")
    value = float(ce.fad(REAL, FAKE))
    assert float(ce.fad(REAL.tolist(), FAKE.tolist())) == value
    assert float(ce.fad(torch.from_numpy(REAL), torch.from_numpy(FAKE))) == value
    assert float(ce.fad(as_embeddings(REAL), as_embeddings(FAKE))) == value


def test_fad_of_arrays_is_the_distance_of_their_gaussians() -> None:
    def gaussian(x: Float64) -> tuple[Float64, Float64]:
        return x.mean(axis=0), np.cov(x, rowvar=False)

    (m1, s1), (m2, s2) = gaussian(REAL), gaussian(FAKE)
    roots = np.sqrt(np.linalg.eigvals(s1 @ s2).real)
    expected = ((m1 - m2) ** 2).sum() + np.trace(s1 + s2) - 2 * roots.sum()
    assert float(ce.fad(REAL, FAKE)) == pytest.approx(expected, rel=1e-9)


def test_a_metric_is_a_score_with_interval_and_seed() -> None:
    score = ce.kid(REAL, FAKE, n_boot=100, seed=3)
    assert isinstance(score, ce.Score)
    assert score.ci is not None
    assert score.ci[0] <= score.value <= score.ci[1]
    assert score.seed == 3
    assert repr(score).startswith("kid of system: ")


@pytest.mark.parametrize(
    ("call", "error", "why"),
    [
        (lambda: ce.fad(REAL, FAKE[0]), ShapeError, r"system: needs an array of shape \(n, d\)"),
        (lambda: ce.fad(REAL, FAKE[:, :3]), SpaceError, r"d = 4.*d = 3.*one encoder"),
        (lambda: ce.fad(REAL, np.where(FAKE > 1, np.nan, FAKE)), ShapeError, "rows hold NaN or infinity"),
        (lambda: ce.fad([[1.0], [1.0, 2.0]], FAKE), ShapeError, "reference: not readable as an array"),
        (lambda: ce.fad("nowhere/", FAKE), ce.UserError, "reference: there is no folder 'nowhere'"),
        (lambda: ce.fad(__file__, FAKE), ce.UserError, "is a file; give a folder of audio"),
        (lambda: ce.fad(REAL, FAKE, encoder="vggish"), ce.UserError, "encoder: .* leave it out"),
        (lambda: ce.clap_score(FAKE, prompts=FAKE[:3]), ShapeError, "prompts: .*got 3 for 50"),
        (lambda: ce.clap_score(FAKE, prompts=["a dog"]), ce.UserError, "texts must be embedded, .*clap-laion-audio"),
        (lambda: ce.kid(REAL[:1], FAKE), ShapeError, "at least"),
        (lambda: ce.centroid_distance("images/", FAKE), ShapeError, "image: 'images/' is no array.*ce.embed"),
        (lambda: ce.fad(REAL, FAKE, n_boot=3), ce.UserError, "n_boot must be 0"),
    ],
)
def test_a_mistake_is_answered_with_one_sentence(call: object, error: type[Exception], why: str) -> None:
    with pytest.raises(error, match=why) as raised:
        call()  # type: ignore[operator]
    assert "\n" not in str(raised.value)
    assert isinstance(raised.value, ce.UserError)


def test_a_missing_or_unknown_argument_is_pythons_own_error() -> None:
    with pytest.raises(TypeError, match="system"):
        ce.fad(REAL)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="bootstraps"):
        ce.fad(REAL, FAKE, bootstraps=3)  # type: ignore[call-arg]


# --- folders


def test_folders_give_what_their_embeddings_give(wavs: Path) -> None:
    encoder = fake_encoders.FakeEncoder()
    real, mine = (ce.embed(wavs / name, encoder) for name in ("real", "mine"))
    by_folder = ce.fad(str(wavs / "real"), wavs / "mine", encoder=encoder)
    assert by_folder.system == "mine"
    assert dataclasses.replace(by_folder, system="system") == ce.fad(real, mine)
    assert by_folder.n == len(PITCHES)
    assert ce.fad(wavs / "real", mine, encoder=encoder) == ce.fad(real, mine)


def test_a_folder_is_read_with_the_numbers_of_evaluate(wavs: Path) -> None:
    encoder = fake_encoders.FakeEncoder()
    run = ce.evaluate({"mine": wavs / "mine"}, wavs / "real", metrics="fad", encoders={"audio": encoder})
    score = ce.fad(wavs / "real", wavs / "mine", encoder=encoder)
    assert (score.value, score.ci, score.n) == (run["mine", "fad"].value, run["mine", "fad"].ci, run["mine", "fad"].n)


def test_prompts_are_a_table_or_a_dict_of_texts(wavs: Path) -> None:
    encoder = fake_encoders.FakeEncoder(unit=True)
    from_table = ce.clap_score(wavs / "mine", prompts=wavs / "test.csv", encoder=encoder)
    assert ce.clap_score(wavs / "mine", prompts=texts(), encoder=encoder) == from_table
    assert set(from_table.per_clip) == set(texts())
    assert from_table.value == pytest.approx(np.mean(list(from_table.per_clip.values())))


def test_prompts_in_the_order_of_the_clips_are_a_list(wavs: Path) -> None:
    encoder = fake_encoders.FakeEncoder(unit=True)
    mine = ce.embed(wavs / "mine", encoder)
    listed = ce.clap_score(mine, prompts=list(texts().values()), encoder=encoder)
    assert listed.per_clip == ce.clap_score(mine, prompts=texts(), encoder=encoder).per_clip
    with pytest.raises(ce.UserError, match="2 texts for 24 clips"):
        ce.clap_score(mine, prompts=["tone 1", "tone 2"], encoder=encoder)
    with pytest.raises(ce.UserError, match="cannot name the clips of a folder"):
        ce.clap_score(wavs / "mine", prompts=["tone 1"], encoder=encoder)


def test_clips_without_a_prompt_are_left_out_with_a_warning(wavs: Path) -> None:
    few = dict(list(texts().items())[:4])
    with pytest.warns(UserWarning, match="20 clips skipped") as warned:
        score = ce.clap_score(wavs / "mine", prompts=few, encoder=fake_encoders.FakeEncoder(unit=True))
    assert sorted(score.per_clip) == sorted(few)
    assert warned[0].filename == __file__  # the line of the notebook, not one of ours


def test_labels_are_a_table_or_a_dict(wavs: Path) -> None:
    encoder = fake_encoders.FakeClasses()
    score = ce.class_accuracy(wavs / "mine", labels=wavs / "test.csv", encoder=encoder)
    assert score.n == len(PITCHES)
    labels = {key: "low" if float(text.split()[1]) < 1000 else "high" for key, text in texts().items()}
    assert ce.class_accuracy(wavs / "mine", labels=labels, encoder=encoder).per_clip == score.per_clip
    (wavs / "plain.csv").write_text("key,prompt\nq00,tone 200\n")
    with pytest.raises(ce.UserError, match="no query has a label"):
        ce.class_accuracy(wavs / "mine", labels=wavs / "plain.csv", encoder=encoder)


def test_divergences_compare_two_folders_by_key(wavs: Path) -> None:
    encoder = fake_encoders.FakeClasses()
    score = ce.kl(wavs / "mine", real=wavs / "real", encoder=encoder)
    assert score.value > 0
    assert float(ce.kl(wavs / "mine", real=wavs / "mine", encoder=encoder)) == pytest.approx(0)


@pytest.mark.parametrize("metric", ["fad", "clap_score", "inception_score"])
def test_a_folder_without_an_encoder_is_answered_with_one_to_name(metric: str, wavs: Path) -> None:
    arguments = {"fad": {"reference": wavs / "real"}, "clap_score": {"prompts": wavs / "test.csv"}}.get(metric, {})
    with pytest.raises(ce.UserError, match=r"mine' must be embedded|real' must be embedded") as raised:
        getattr(ce, metric)(system=wavs / "mine", **arguments)
    assert "e.g. encoder='" in str(raised.value)


def test_an_unknown_encoder_is_answered_with_the_nearest(wavs: Path) -> None:
    with pytest.raises(ce.UserError, match="Did you mean 'vggish'"):
        ce.fad(wavs / "real", wavs / "mine", encoder="vgish")


def test_an_encoder_that_knows_one_world_warns_on_other_sounds(wavs: Path) -> None:
    encoder = fake_encoders.FakeEncoder()
    encoder.card = ce.types.EncoderCard(**{**_fields(encoder.card), "world": "toy"})
    with pytest.warns(UserWarning, match="toy"):
        ce.fad(wavs / "real", wavs / "mine", encoder=encoder)


def _fields(card: object) -> dict[str, object]:
    return {name: getattr(card, name) for name in card.__dataclass_fields__}  # type: ignore[attr-defined]


# --- every registered metric


PAIRED = [name for name in ce.METRICS if ce.METRICS[name].card.role == "paired"]  # take two sides of a gap, no folders
AUDIO = [name for name in ce.METRICS if name not in PAIRED]


@pytest.mark.parametrize("name", ce.list_metrics())
def test_every_metric_is_a_documented_function(name: str) -> None:
    function = getattr(ce, name)
    assert {"n_boot", "seed"} <= set(inspect.signature(function).parameters)
    assert function.__name__ == name
    assert function.__doc__.startswith("Return")
    assert ">>> " in function.__doc__


@pytest.mark.parametrize("name", AUDIO)
def test_metrics_of_audio_say_how_they_take_folders(name: str) -> None:
    function = getattr(ce, name)
    assert {"encoder", "weights", "device", "cache"} <= set(inspect.signature(function).parameters)
    assert "Folders:" in function.__doc__


DECLARED = typing.get_type_hints(_signatures)


@pytest.mark.parametrize("name", sorted(DECLARED))
def test_a_type_checker_sees_the_parameters_that_there_are(name: str) -> None:
    declared = dict(inspect.signature(DECLARED[name].__call__).parameters)
    del declared["self"]
    actual = inspect.signature(getattr(ce, name)).parameters
    assert {n: p.default for n, p in declared.items()} == {n: p.default for n, p in actual.items()}


def test_a_metric_without_a_function_gets_one_that_takes_folders(wavs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, needs in {"fad": {"reference": "real"}, "kl": {"real": "real"}}.items():
        monkeypatch.setitem(ce.METRICS._items, "bare", dataclasses.replace(ce.METRICS[name], function=None))
        bare = metric_function("bare")
        encoder = fake_encoders.FakeClasses() if name == "kl" else fake_encoders.FakeEncoder()
        given = {need: wavs / folder for need, folder in needs.items()}
        expected = getattr(ce, name)(system=wavs / "mine", **given, encoder=encoder)
        assert bare(system=wavs / "mine", **given, encoder=encoder) == expected


@pytest.mark.parametrize("name", AUDIO)
def test_metrics_of_audio_take_folders(name: str, wavs: Path) -> None:
    card = ce.METRICS[name].card
    if card.min_n > len(PITCHES) or card.package or card.min_rows > 1 or "images" in card.needs:
        pytest.skip("needs more clips, more windows, a package, or pictures and videos beside the sounds")
    encoder = fake_encoders.encoders()[card.role]
    needs = {
        "reference": wavs / "real",
        "real": wavs / "real",
        "prompts": wavs / "test.csv",
        "labels": wavs / "test.csv",
    }
    given = {need: needs[need] for need in card.needs if need in needs}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        score = getattr(ce, name)(system=wavs / "mine", **given, encoder=encoder, n_boot=50)
    assert score.n == len(PITCHES)
    assert np.isfinite(float(score))
