"""``import clipsonic_eval as ce``: what it offers, what it loads, and evaluations in memory."""

from __future__ import annotations

import dataclasses
import shutil
import subprocess
import sys
from pathlib import Path

import fake_encoders
import numpy as np
import pytest
import soundfile

import clipsonic_eval as ce
from clipsonic_eval.arraytypes import Float64

PITCHES = np.geomspace(200, 4000, 10)


@pytest.fixture(scope="module")
def wavs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("wavs")
    for folder, noise in {"real": 0.0, "PD": 0.02, "ZS": 0.3}.items():
        (root / folder).mkdir()
        for i, pitch in enumerate(PITCHES):
            soundfile.write(root / folder / f"q{i}.wav", fake_encoders.tone(pitch, i, noise), fake_encoders.RATE)
    rows = [f"q{i},tone {pitch},{'low' if pitch < 1000 else 'high'}" for i, pitch in enumerate(PITCHES)]
    (root / "test.csv").write_text("\n".join(["key,prompt,label", *rows]))
    return root


@pytest.fixture(autouse=True)
def _in_own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")


def run_of(wavs: Path, **more: object) -> ce.RunRecord:
    given = {"metrics": ["fad", "clap_score"], "prompts": wavs / "test.csv", "n_bootstrap": 50, "n_permutations": 100}
    systems = {"PD": str(wavs / "PD"), "ZS": str(wavs / "ZS")}
    return ce.evaluate(systems, str(wavs / "real"), encoders=fake_encoders.encoders(), **{**given, **more})  # type: ignore[arg-type]


# --- the package


def python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_import_loads_nothing_heavy_and_arrays_need_no_torch() -> None:
    heavy = "{'torch', 'pandas', 'matplotlib', 'transformers', 'diffusers', 'av', 'soundfile'} & set(sys.modules)"
    code = f"""
import sys
import clipsonic_eval as ce
print(sorted({heavy} | ({{'numpy', 'scipy'}} & set(sys.modules))))
import numpy as np
x = np.random.default_rng(0).standard_normal((30, 4))
assert ce.fad(x, x + 1).value > 0
assert ce.clap_score(x, prompts=x).value > 0.99
dir(ce)
print(sorted({heavy}))
"""
    assert python(code).split("\n")[:2] == ["[]", "[]"]


def test_tab_completion_lists_the_api_and_every_metric() -> None:
    names = set(dir(ce))
    assert {"evaluate", "embed", "explain", "modality_gap", "report", "load", "RunRecord", "Embeddings"} <= names
    assert set(ce.METRICS) <= names
    assert set(ce.__all__) <= names


@pytest.mark.parametrize("name", ce.__all__)
def test_every_name_of_the_api_is_there_and_documented(name: str) -> None:
    thing = getattr(ce, name)
    if callable(thing):
        assert thing.__doc__


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(AttributeError, match="clipsonic_eval has no 'fad_score'; did you mean"):
        ce.fad_score  # noqa: B018
    with pytest.raises(AttributeError):
        ce.__wrapped__  # type: ignore[attr-defined]  # noqa: B018
    assert not hasattr(ce, "qqqqqq")


def test_subpackages_are_attributes_without_an_import_of_their_own() -> None:
    assert python("import clipsonic_eval as ce; print(ce.stats.__name__)") == "clipsonic_eval.stats\n"
    assert python("import clipsonic_eval.reporting.build, clipsonic_eval as ce; print(callable(ce.report))") == "True\n"


def test_a_metric_that_is_registered_later_becomes_a_function(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = dataclasses.replace(ce.METRICS["fad"], function=None)
    monkeypatch.setitem(ce.METRICS._items, "fad_of_a_plugin", entry)  # as an entry point of another package would
    x = np.random.default_rng(0).standard_normal((30, 4))
    assert ce.fad_of_a_plugin(x, x + 1).value == ce.fad(x, x + 1).value
    assert "fad_of_a_plugin" in dir(ce)
    monkeypatch.delitem(vars(ce), "fad_of_a_plugin")


def test_the_lists_name_what_evaluate_takes() -> None:
    assert set(ce.list_metrics()) == set(ce.METRICS)
    assert "vggish" in ce.list_encoders()
    assert all("/" in name for name in ce.list_conventions())


# --- evaluate


def test_an_evaluation_in_memory_writes_nothing(wavs: Path) -> None:
    run = run_of(wavs)
    assert list(Path.cwd().iterdir()) == []
    assert float(run["ZS", "fad"]) > float(run["PD", "fad"])
    assert list(run.table().index) == ["PD", "ZS"]
    assert set(run.to_frame()["metric"]) == {"fad", "clap_score"}
    assert {(c.a, c.b) for c in run.comparisons} == {("PD", "ZS")}
    assert set(run["PD", "clap_score"].per_clip) == {f"q{i}" for i in range(len(PITCHES))}


def test_an_evaluation_in_memory_has_the_numbers_of_one_that_is_written(wavs: Path) -> None:
    run = run_of(wavs)
    written = run_of(wavs, out="run")
    assert [(s.value, s.ci, s.signature) for s in run.scores] == [(s.value, s.ci, s.signature) for s in written.scores]
    assert ce.load("run") == written
    assert ce.load(Path("run") / "record.json").scores == written.scores


def test_systems_may_be_one_folder_or_several_without_names(wavs: Path) -> None:
    alone = ce.evaluate(wavs / "PD", wavs / "real", metrics="fad", encoders={"audio": fake_encoders.FakeEncoder()})
    assert alone.system_names == ("PD",)
    several = ce.evaluate(
        [str(wavs / "PD"), wavs / "ZS"], wavs / "real", metrics="fad", encoders={"audio": fake_encoders.FakeEncoder()}
    )
    assert several.system_names == ("PD", "ZS")
    with pytest.raises(ce.UserError, match="two folders have the same name"):
        ce.evaluate([wavs / "PD", wavs / "PD"], wavs / "real")


def test_baselines_tags_and_controls_reach_the_record(wavs: Path) -> None:
    run = run_of(wavs, baselines="ZS", tags={"split": "test"}, controls="noise", metrics="fad")
    assert {(c.a, c.b) for c in run.comparisons} == {("PD", "ZS"), ("noise", "ZS")}
    assert run.tags == {"split": "test"}
    assert "noise" in run.system_names


def test_what_the_checks_call_an_error_is_also_a_warning(wavs: Path) -> None:
    encoder = fake_encoders.FakeEncoder()
    object.__setattr__(encoder.card, "world", "toy")
    with pytest.warns(UserWarning, match="toy"):
        run = ce.evaluate({"PD": wavs / "PD"}, wavs / "real", metrics="fad", encoders={"audio": encoder})
    assert "error" in set(run.findings_frame()["severity"])


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"metrics": "fda"}, "Did you mean 'fad'"),
        ({"metrics": "kl"}, "own audio"),
        ({"baselines": "SZ"}, "ZS"),
        ({"n_bootstrap": 1}, "at least 20"),
    ],
)
def test_a_mistake_is_answered_with_one_sentence(more: dict[str, object], why: str, wavs: Path) -> None:
    with pytest.raises(ce.UserError, match=why) as raised:
        run_of(wavs, **more)
    assert "\n" not in str(raised.value)


def test_a_folder_that_is_not_there_is_named() -> None:
    with pytest.raises(ce.UserError, match="nowhere"):
        ce.evaluate({"PD": "nowhere"}, "real/")


# --- evaluate embeddings


def sets() -> dict[str, Float64]:
    rng = np.random.default_rng(0)
    near, far = rng.standard_normal((2, 40, 4)) + np.array([0.2, 1.0])[:, None, None]
    return {"real": rng.standard_normal((50, 4)), "near": near, "far": far}


def test_arrays_are_scored_as_by_the_metrics_and_compared_by_row() -> None:
    given = sets()
    systems = {"near": given["near"], "far": given["far"]}
    run = ce.evaluate(systems, given["real"], metrics=["fad", "kid"], n_bootstrap=100, n_permutations=200)
    for name, metric in (("fad", ce.fad), ("kid", ce.kid)):
        alone = metric(given["real"], given["near"], n_boot=100)
        assert (run["near", name].value, run["near", name].ci) == (alone.value, alone.ci)
        assert run["near", name].signature == alone.signature
    tests = run.comparisons_frame()
    assert tests[["metric", "a", "b", "n"]].values.tolist() == [["fad", "near", "far", 40], ["kid", "near", "far", 40]]
    assert (tests["difference"] < 0).all()
    assert (tests["p_holm"] >= tests["p_value"]).all()


def test_embedded_folders_give_the_comparisons_of_the_folders(wavs: Path) -> None:
    encoder = fake_encoders.FakeEncoder()
    folders = {"PD": wavs / "PD", "ZS": wavs / "ZS"}
    settings = {"metrics": "fad", "n_bootstrap": 100, "n_permutations": 200}
    by_folder = ce.evaluate(folders, wavs / "real", encoders={"audio": encoder}, **settings)  # type: ignore[arg-type]
    embedded = {name: ce.embed(folder, encoder) for name, folder in folders.items()}
    by_vectors = ce.evaluate(embedded, ce.embed(wavs / "real", encoder), **settings)  # type: ignore[arg-type]
    assert by_vectors.comparisons == by_folder.comparisons
    assert [s.value for s in by_vectors.scores] == [s.value for s in by_folder.scores]


def test_embeddings_take_baselines_prompts_and_tags() -> None:
    given = sets()
    run = ce.evaluate(
        {"a": given["near"], "b": given["far"], "c": given["near"][::-1]},
        prompts=given["near"],
        metrics="clap_score",
        baselines="b",
        tags={"split": "test"},
        n_bootstrap=50,
        n_permutations=50,
    )
    assert {(c.a, c.b) for c in run.comparisons} == {("a", "b"), ("c", "b")}
    assert float(run["a", "clap_score"]) == pytest.approx(1)
    assert run.tags == {"split": "test"}
    assert not ce.evaluate({"a": given["near"]}, given["real"], metrics="fad", compare=False).comparisons


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({}, "names of the metrics"),
        ({"metrics": "clap_score"}, "clap_score cannot be computed: clap_score needs the prompts"),
        ({"metrics": "fda"}, "Did you mean 'fad'"),
        ({"metrics": "fad", "baselines": "c"}, "unknown system to compare with 'c'"),
        ({"metrics": "fad", "out": "run"}, "out: is for folders of audio"),
        ({"metrics": "fad", "reference": "real/"}, "reference: 'real/' is no array"),
    ],
)
def test_a_mistake_with_embeddings_is_answered_with_one_sentence(more: dict[str, object], why: str) -> None:
    given = sets()
    arguments = {"reference": given["real"], **more}
    with pytest.raises(ce.UserError, match=why):
        ce.evaluate({"a": given["near"], "b": given["far"]}, **arguments)  # type: ignore[arg-type]


def test_folders_and_arrays_do_not_mix(wavs: Path) -> None:
    given = sets()
    with pytest.raises(ce.UserError, match=r"PD: .* is no array"):
        ce.evaluate({"a": given["near"], "PD": str(wavs / "PD")}, given["real"], metrics="fad")
    with pytest.raises(ce.UserError, match="arrays for all sets or none"):
        ce.evaluate({"PD": wavs / "PD"}, given["real"], metrics="fad")


# --- the rest of a notebook


def test_the_gap_of_arrays_pairs_rows_and_takes_priors() -> None:
    rng = np.random.default_rng(0)
    image = rng.standard_normal((80, 6)) + 2
    text = image + 0.3 * rng.standard_normal((80, 6)) - 3
    run = ce.modality_gap(image, text, prior={"perfect": image}, n_bootstrap=50)
    assert float(run["perfect", "gap_closed"]) == pytest.approx(1)
    assert float(run["text", "centroid_distance"]) > float(run["mean-shift", "centroid_distance"])
    assert run.kind == "gap"
    assert "gap_closed_centroid ↑" in run.table().columns
    without = ce.modality_gap(image, text, mean_shift=False, n_bootstrap=50)
    assert "mean-shift" not in without.system_names


def test_the_gap_needs_pairs() -> None:
    image = np.random.default_rng(0).standard_normal((20, 6))
    with pytest.raises(ce.UserError, match="text: 19 rows, and the image side has 20"):
        ce.modality_gap(image, image[:19])
    with pytest.raises(ce.UserError, match=r"d = 6.*d = 5"):
        ce.modality_gap(image, image[:, :5])
    with pytest.raises(ce.UserError, match="at least"):
        ce.modality_gap(image[:3], image[:3])
    with pytest.raises(ce.UserError, match="prior 'PD': needs an array"):
        ce.modality_gap(image, image, prior={"PD": image[0]})


def test_the_gap_of_a_folder_needs_an_encoder_and_prompts(wavs: Path) -> None:
    encoder = fake_encoders.FakeEncoder(unit=True)
    run = ce.modality_gap(wavs / "PD", wavs / "test.csv", encoder=encoder, n_bootstrap=50)
    assert run["text", "matched_cosine"].n == len(PITCHES)
    assert list(Path.cwd().iterdir()) == []
    with pytest.raises(ce.UserError, match="name an encoder"):
        ce.modality_gap(wavs / "PD", wavs / "test.csv")
    with pytest.raises(ce.UserError, match="text: with a folder"):
        ce.modality_gap(wavs / "PD", np.ones((10, 8)), encoder=encoder)
    with pytest.raises(ce.UserError, match="prior: with a folder"):
        ce.modality_gap(wavs / "PD", wavs / "test.csv", prior={"PD": np.ones((10, 8))}, encoder=encoder)


def test_the_gap_of_a_file_of_arrays_is_that_of_the_arrays() -> None:
    rng = np.random.default_rng(0)
    image, text = rng.standard_normal((30, 6)), rng.standard_normal((30, 6))
    np.savez("features.npz", image=image, text=text)
    read = ce.modality_gap("features.npz", n_bootstrap=50)
    assert [s.value for s in read.scores] == [s.value for s in ce.modality_gap(image, text, n_bootstrap=50).scores]
    with pytest.raises(ce.UserError, match="text: the image side is an array"):
        ce.modality_gap(image)


def test_a_report_is_made_of_records_in_memory_or_of_folders(wavs: Path) -> None:
    run = run_of(wavs, out="run")
    page = ce.report([run], out="report", title="Mine")
    assert page == Path("report") / "README.md"
    assert page.read_text().startswith("# Mine")
    assert (Path("report") / "table.csv").is_file()
    again = ce.report("run", out="other").read_text()
    assert run["PD", "fad"].signature.split("|")[0] in again


def test_explain_gives_a_row_per_step_and_system(wavs: Path) -> None:
    encoders = {"vggish": fake_encoders.FakeEncoder(), "vggish-exact": fake_encoders.FakeEncoder("fake-exact")}
    systems = {"PD": wavs / "PD", "ZS": wavs / "ZS"}
    way = {"start": "fad/clipsonic-eval", "to": "fad/frechet-audio-distance", "reference": wavs / "real"}
    steps = ce.explain(systems, **way, encoders=encoders, n_bootstrap=50)  # type: ignore[arg-type]
    assert steps["step"].unique().tolist() == ["start", "encoder: vggish → vggish-exact"]
    assert steps["system"].tolist() == ["PD", "ZS"] * 2
    assert steps["change"].isna().tolist() == [True, True, False, False]
    assert (steps["low"] <= steps["value"]).all()
    assert list(Path.cwd().iterdir()) == []
    with pytest.raises(ce.UserError, match="Did you mean 'fad/fadtk'"):
        ce.explain(systems, start="fad/clipsonic-eval", to="fad/fadkt", reference=wavs / "real")


def test_embed_gives_vectors_with_the_keys_of_the_clips(wavs: Path) -> None:
    made = ce.embed(str(wavs / "PD"), fake_encoders.FakeEncoder())
    assert made.vectors.shape == (len(PITCHES), fake_encoders.DIM)
    assert made.keys == tuple(sorted(f"q{i}" for i in range(len(PITCHES))))
    with pytest.raises(ce.UserError, match="nowhere"):
        ce.embed("nowhere", fake_encoders.FakeEncoder())


def test_a_file_that_cannot_be_read_costs_a_warning(wavs: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(wavs / "PD", tmp_path / "PD")
    (folder / "bad.wav").write_bytes(b"no audio")
    with pytest.warns(UserWarning, match="1 clip skipped, the first: bad:") as warned:
        made = ce.embed(folder, fake_encoders.FakeEncoder())
    assert len(made) == len(PITCHES)
    assert warned[0].filename == __file__
