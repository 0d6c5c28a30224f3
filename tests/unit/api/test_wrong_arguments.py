"""What a notebook may get wrong in an argument: one sentence names it, and no number of something else is computed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import fake_encoders
import numpy as np
import pytest

import clipsonic_eval as ce
from clipsonic_eval.media.audio import write_wav

Call = Callable[[], object]
KEYS = [f"q{i}" for i in range(5)]
RNG = np.random.default_rng(0)
X = RNG.standard_normal((30, 4))
Y = X + 0.5
ENCODER = fake_encoders.FakeEncoder(unit=True)
SMALL = {"n_bootstrap": 20, "n_permutations": 20}


@pytest.fixture(autouse=True)
def _folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``wavs`` and ``real`` with the same five keys, ``other`` with none of them, and a table of prompts."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for i, key in enumerate(KEYS):
        sound = fake_encoders.tone(300 * (i + 1), i, 0.05)
        for name in (f"wavs/{key}", f"real/{key}", f"other/x{i}"):
            write_wav(Path(f"{name}.wav"), sound, fake_encoders.RATE)
    Path("empty").mkdir()
    Path("q.csv").write_text("key,prompt\n" + "".join(f"{key},tone {300 * (i + 1)}\n" for i, key in enumerate(KEYS)))
    Path("text.txt").write_text("no audio")


def refused(call: Call, sentence: str) -> None:
    with pytest.raises(ce.UserError) as raised:
        call()
    assert sentence in str(raised.value)
    assert "\n" not in str(raised.value)


# --- evaluate


@pytest.mark.parametrize(
    ("systems", "sentence"),
    [
        ({}, "no system to evaluate"),
        ([], "no system to evaluate"),
        (None, "systems: give a folder, a list of folders, or a dict of folders or of arrays by name"),
        (3, "systems: give a folder"),
        (X, "systems: give a folder, a list of folders, or a dict of folders or of arrays by name"),
        (["wavs", X], "systems: give a folder"),
        ({"a": None}, "systems: 'a' is None; give its folder or its embeddings, or leave it out"),
        ({"a": "wavs", "b": None}, "systems: 'b' is None"),
        ("nowhere", "nowhere: no such folder"),
        ("text.txt", "text.txt: is a file; system"),
        ("empty", "empty: no audio here"),
        ({"reference": "wavs"}, "system name 'reference'"),
        ({"a b": "wavs"}, "system name 'a b': use letters, digits"),
    ],
)
def test_systems_that_are_no_folders_are_refused(systems: object, sentence: str) -> None:
    refused(lambda: ce.evaluate(systems, "real", encoders={"audio": ENCODER}), sentence)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ({"encoders": {"adio": ENCODER}}, "unknown role of an encoder 'adio'. Did you mean 'audio'?"),
        ({"encoders": {"adio": "toy-audio"}}, "unknown role of an encoder 'adio'. Did you mean 'audio'?"),
        ({"encoders": {"audio": 3}}, "encoder: give a name (list_encoders()) or an encoder object, got int"),
        ({"encoders": "vggish"}, "encoders: give a dict by name, got str"),
        ({"encoders": ENCODER}, "encoders: give a dict by name, got FakeEncoder"),
        ({"weights": "vggish.pt"}, "weights: give a dict by name, got str"),
        ({"weights": {"adio": "w.pt"}}, "unknown role of an encoder 'adio'"),
        ({"weights": {"fad/fadkt": "w.pt"}, "metrics": "fad/fadtk"}, "Did you mean 'fad/fadtk'?"),
        ({"tags": "test"}, "tags: give a dict by name, got str"),
        ({"tags": {"seed": 1}}, "tags.seed: expected str, got 1"),
        ({"controls": "nose"}, "'nose' is not one of 'shuffled', 'noise', 'halves'"),
        ({"seed": "one"}, "seed: expected int, got 'one'"),
        ({"n_bootstrap": 2.5}, "n_bootstrap: expected int, got 2.5"),
        ({"n_permutations": 3}, "n_bootstrap and n_permutations must be at least 20"),
        ({"training": "other", "reference": None}, "training needs a reference"),
        ({"prompts": "nowhere.csv"}, "nowhere.csv: no such file"),
        ({"out": "text.txt"}, "text.txt: is a file, not a folder"),
        ({"cache": "text.txt"}, "text.txt: is a file, not a folder"),
    ],
)
def test_a_wrong_setting_of_an_evaluation_is_refused(setting: dict[str, object], sentence: str) -> None:
    given = {"reference": "real", "metrics": "fad", "encoders": {"audio": ENCODER}, **setting}
    refused(lambda: ce.evaluate({"a": "wavs"}, **given), sentence)  # type: ignore[arg-type]
    assert not Path("run").exists()


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ({"seed": "one"}, "seed: expected int"),
        ({"n_bootstrap": 3}, "must be at least 20"),
        ({"n_permutations": 0}, "must be at least 20"),
        ({"tags": {"seed": 1}}, "tags.seed: expected str"),
        ({"tags": "test"}, "tags: give a dict by name"),
        ({"controls": "noise"}, "controls: is for folders of audio"),
        ({"training": "wavs"}, "training: is for folders of audio"),
        ({"weights": {"audio": "w.pt"}}, "weights: is for folders of audio"),
        ({"metrics": "kl"}, "kl needs the queries' own audio"),
        ({"metrics": "separability"}, "separability is a statistic of the modality gap"),
        ({"reference": Y[:, :3]}, "d = 3"),
    ],
)
def test_embeddings_are_held_to_the_settings_of_folders(setting: dict[str, object], sentence: str) -> None:
    given = {"reference": Y, "metrics": "fad", **setting}
    refused(lambda: ce.evaluate({"a": X}, **given), sentence)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["", "a/b", "reference"])
def test_embeddings_of_a_system_need_a_name_that_a_folder_could_have(name: str) -> None:
    refused(lambda: ce.evaluate({name: X}, Y, metrics="fad"), f"system name '{name}'")


def test_a_number_as_the_name_of_embeddings_becomes_its_text() -> None:
    run = ce.evaluate({1: X}, Y, metrics="fad", **SMALL)  # type: ignore[dict-item, arg-type]
    assert run.system_names == ("1",)


def test_a_metric_that_is_named_twice_is_computed_and_corrected_for_once() -> None:
    systems = {"a": X, "b": X[::-1] + 0.2, "c": X + 0.4}
    once = ce.evaluate(systems, Y, metrics=["fad"], **SMALL)  # type: ignore[arg-type]
    twice = ce.evaluate(systems, Y, metrics=["fad", "fad"], **SMALL)  # type: ignore[arg-type]
    assert twice.scores == once.scores
    assert twice.comparisons == once.comparisons
    folders = {"wavs": "wavs", "real": "real"}
    given = {"metrics": ["fad", "fad"], "encoders": {"audio": ENCODER}, **SMALL}
    assert len(ce.evaluate(folders, "other", **given).scores) == 2  # type: ignore[arg-type]


def test_whole_numbers_of_numpy_are_whole_numbers() -> None:
    plain = ce.precision(X, Y, k=3, n_boot=20, seed=1)
    assert ce.precision(X, Y, k=np.int64(3), n_boot=np.int64(20), seed=np.int64(1)) == plain  # type: ignore[arg-type]


# --- embed


@pytest.mark.parametrize(
    ("folder", "encoder", "more", "sentence"),
    [
        (X, ENCODER, {}, "folder: give a folder of audio, got ndarray"),
        (None, ENCODER, {}, "folder: give a folder of audio, got NoneType"),
        ("nowhere", ENCODER, {}, "nowhere: no such folder; give a folder of audio or of prepared clips"),
        ("text.txt", ENCODER, {}, "text.txt: no such folder"),
        ("empty", ENCODER, {}, "empty: no media files"),
        ("wavs", 3, {}, "encoder: give a name (list_encoders()) or an encoder object, got int"),
        ("wavs", None, {}, "encoder: give a name"),
        ("wavs", "vgish", {}, "Did you mean 'vggish'?"),
        ("wavs", "fad/fadkt", {}, "Did you mean 'fad/fadtk'?"),
        ("wavs", "toy-clip", {}, "encoder 'toy-clip' takes no audio"),
        ("wavs", "toy-audio", {"device": "tpu"}, "device 'tpu' is not known; use auto, cpu or cuda"),
        ("wavs", "toy-audio", {"weights": "nowhere.pt"}, "nowhere.pt: no such weight file"),
        ("wavs", ENCODER, {"weights": "text.txt"}, "weights: an encoder object has its own"),
        ("wavs", ENCODER, {"cache": "text.txt"}, "text.txt: is a file, not a folder; --cache names a folder"),
    ],
)
def test_what_cannot_be_embedded_is_refused(
    folder: object, encoder: object, more: dict[str, str], sentence: str
) -> None:
    refused(lambda: ce.embed(folder, encoder, **more), sentence)  # type: ignore[arg-type]


# --- modality_gap


@pytest.mark.parametrize(
    ("image", "text", "more", "sentence"),
    [
        (X, None, {}, "text: the image side is an array, so the text side must be one"),
        (X, "q.csv", {}, "text: 'q.csv' is no array of shape (n, d)"),
        (None, X, {}, "image: needs an array of real numbers"),
        (3, X, {}, "image: needs an array of shape (n, d)"),
        (X, Y[:20], {}, "text: 20 rows, and the image side has 30"),
        (X, np.full_like(X, np.nan), {}, "30 of 30 rows hold NaN or infinity"),
        (X, np.zeros_like(X), {}, "is zero, so it has no direction"),
        (X, Y, {"prior": X}, "prior: give a dict by name, got ndarray"),
        (X, Y, {"prior": {"PD": X[:20]}}, "PD: 20 rows, and the image side has 30"),
        (X, Y, {"prior": {"PD": "pd.npz"}}, "prior 'PD': 'pd.npz' is no array"),
        (X, Y, {"prior": {"text": X}}, "prior 'text': a side of the gap has this name; give the prior another"),
        (X, Y, {"prior": {"image": X}}, "prior 'image': a side of the gap has this name"),
        (X, Y, {"n_bootstrap": 3}, "n_bootstrap must be at least 20"),
        (X, Y, {"seed": "one"}, "seed: expected int"),
        ("nowhere", None, {}, "nowhere: neither prepared clips, nor a file of features, nor a folder of audio"),
        ("wavs", None, {"encoder": ENCODER}, "wavs: there are no prompts"),
        ("wavs", "nowhere.csv", {"encoder": ENCODER}, "nowhere.csv: no such file"),
        ("wavs", "q.csv", {"encoder": 3}, "encoder: give a name"),
        ("wavs", "q.csv", {"encoder": ENCODER, "weights": "w.pt"}, "weights: an encoder object has its own"),
        ("other", "q.csv", {"encoder": ENCODER}, "none of its 5 audio files answers a query"),
        ("wavs", Y, {"encoder": ENCODER}, "text: with a folder or file as image side, give the table of its prompts"),
    ],
)
def test_sides_of_a_gap_that_make_no_pairs_are_refused(
    image: object, text: object, more: dict[str, object], sentence: str
) -> None:
    refused(lambda: ce.modality_gap(image, text, **more), sentence)  # type: ignore[arg-type]


# --- explain


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"systems": {}}, "give at least one system and one convention to arrive at"),
        ({"to": []}, "give at least one system and one convention to arrive at"),
        ({"start": None}, "start: expected str"),
        ({"start": "fad/fadkt"}, "unknown convention 'fad/fadkt'. Did you mean 'fad/fadtk'?"),
        ({"systems": {"a": X}}, "a path is needed here, and this is of type ndarray"),
        ({"systems": "nowhere"}, "nowhere: no such folder"),
        ({"reference": None}, "no reference set"),
        ({"encoders": {"vgish": ENCODER}}, "unknown encoder of these conventions 'vgish'. Did you mean 'vggish'?"),
        ({"weights": {"vgish": "w.pt"}}, "unknown encoder of these conventions 'vgish'. Did you mean 'vggish'?"),
        ({"n_bootstrap": 3}, "must be at least 20"),
    ],
)
def test_steps_that_cannot_be_computed_are_refused(change: dict[str, object], sentence: str) -> None:
    given = {
        "systems": "wavs",
        "start": "fad/clipsonic-eval",
        "to": "fad/frechet-audio-distance",
        "reference": "real",
        "encoders": {"vggish": ENCODER, "vggish-exact": ENCODER},
        **change,
    }
    refused(lambda: ce.explain(**given), sentence)  # type: ignore[arg-type]


# --- report and load


@pytest.mark.parametrize(
    ("runs", "sentence"),
    [
        ([], "no runs given"),
        ("nowhere", "nowhere: no such run"),
        ("empty", "empty: no record.json here or below"),
        ("text.txt", "text.txt: not readable as JSON"),
    ],
)
def test_a_report_of_no_run_is_refused_and_nothing_is_written(runs: object, sentence: str) -> None:
    refused(lambda: ce.report(runs, "report"), sentence)  # type: ignore[arg-type]
    assert not Path("report").exists()


def test_a_catalogue_is_no_name() -> None:
    run = ce.evaluate({"a": X}, Y, metrics="fad", **SMALL)  # type: ignore[arg-type]
    refused(lambda: ce.report(run, "report", catalogue="clipsonic"), "catalogue: give a Catalogue, e.g. ")  # type: ignore[arg-type]
    assert not Path("report").exists()


def test_a_report_is_not_written_over_a_file_or_other_things() -> None:
    run = ce.evaluate({"a": X}, Y, metrics="fad", **SMALL)  # type: ignore[arg-type]
    refused(lambda: ce.report(run, "text.txt"), "text.txt: is a file, not a folder")
    refused(lambda: ce.report(run, "wavs"), "wavs: holds other things")
    refused(lambda: ce.report(run, "wavs", overwrite=True), "wavs: holds other things")
    assert sorted(path.name for path in Path("wavs").iterdir()) == [f"{key}.wav" for key in KEYS]


@pytest.mark.parametrize(
    ("path", "sentence"), [("nowhere", "no record.json here"), ("text.txt", "not readable as JSON")]
)
def test_what_is_no_record_is_not_loaded(path: str, sentence: str) -> None:
    refused(lambda: ce.load(path), sentence)


# --- metrics


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: ce.fad(None, X), "fad needs a reference set"),  # type: ignore[arg-type]
        (lambda: ce.fad(X, None), "system: needs an array of real numbers"),  # type: ignore[arg-type]
        (lambda: ce.fad(X, Y, seed="one"), "seed must be a whole number; got 'one'"),  # type: ignore[arg-type]
        (lambda: ce.fad(X, Y, seed=0.5), "seed must be a whole number; got 0.5"),  # type: ignore[arg-type]
        (lambda: ce.fad(X, Y, n_boot=20.5), "n_boot must be a whole number; got 20.5"),  # type: ignore[arg-type]
        (lambda: ce.fad(X, Y, n_boot=None), "n_boot must be a whole number; got None"),  # type: ignore[arg-type]
        (lambda: ce.kid(X, Y, n_boot=-1), "n_boot must be 0 (no interval) or at least 20"),
        (lambda: ce.matched_cosine(X, Y, n_boot=19), "n_boot must be 0 (no interval) or at least 20"),
        (lambda: ce.matched_cosine(X, Y, seed="one"), "seed must be a whole number"),  # type: ignore[arg-type]
        (lambda: ce.precision(X, Y, k=0), "precision: k must be a whole number, 1 or more; got 0"),
        (lambda: ce.recall(X, Y, k=-1), "recall: k must be a whole number, 1 or more; got -1"),
        (lambda: ce.density(X, Y, k=2.5), "density: k must be a whole number"),  # type: ignore[arg-type]
        (lambda: ce.coverage(X, Y, k=29), "coverage looks at 29 neighbours and needs at least 31 rows"),
        (lambda: ce.clap_score(X, prompts=["a"] * 29, encoder=ENCODER), "29 texts for 30 clips"),
        (lambda: ce.fad(X.astype(complex), Y), "reference: needs an array of real numbers of shape (n, d)"),
        (lambda: ce.fad([["a"]], Y), "reference: needs an array of real numbers"),
        (lambda: ce.fad(X[:0], Y), "reference: needs an array of shape (n, d), one embedding per row, got (0, 4)"),
        (lambda: ce.fad("real", "wavs", encoder=3), "encoder: give a name"),  # type: ignore[arg-type]
        (lambda: ce.fad("real", "wavs", encoder=ENCODER, weights="w.pt"), "weights: an encoder object has its own"),
        (lambda: ce.fad("empty", "wavs", encoder=ENCODER), "empty: no media files"),
        (lambda: ce.fad("real", X, encoder=ENCODER), "embeddings of different spaces"),
        (lambda: ce.clap_score("wavs", prompts={}, encoder=ENCODER), "no prompts to embed"),
        (lambda: ce.clap_score("wavs", prompts={"q0": 3}, encoder=ENCODER), "prompts: that of 'q0' is 3, no text"),
        (lambda: ce.clap_score("wavs", prompts={"z": "tone 300"}, encoder=ENCODER), "answers a query"),
        (lambda: ce.clap_score("wavs", prompts="nowhere.csv", encoder=ENCODER), "nowhere.csv: no such file"),
        (lambda: ce.clap_score("wavs", prompts=X, encoder=ENCODER), "prompts: needs one row per clip"),
        (lambda: ce.kl("wavs", real="real", encoder=ENCODER), "gives no class probabilities"),
        (lambda: ce.kl("wavs", real="other", encoder=fake_encoders.FakeClasses()), "at least 1 clip"),
        (lambda: ce.inception_score("wavs", encoder=ENCODER), "gives no class probabilities"),
        (lambda: ce.gap_closed(X, X, X), "image and text do not differ, so there is no gap to close"),
        (lambda: ce.separability(X, "wavs"), "'wavs' is no array of shape (n, d)"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*skipped")
def test_a_metric_of_something_else_is_refused(call: Call, sentence: str) -> None:
    refused(call, sentence)


def test_a_label_that_the_classifier_does_not_know_is_named_with_those_it_knows() -> None:
    classes = fake_encoders.FakeClasses()
    refused(lambda: ce.class_accuracy("wavs", labels={"q0": "loud"}, encoder=classes), "'loud'. Known: high, low")
    refused(lambda: ce.class_accuracy("wavs", labels="q.csv", encoder=classes), "q.csv: no query has a label")
