"""The model card through huggingface_hub's own classes, offline."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from huggingface_hub import ModelCard
from unit.systems.tiny_systems import write_model, write_prior

from clipsonic.model import MelDiffusion
from clipsonic.model_card import check_model_card, read_model_card, write_model_card
from clipsonic_eval import records
from clipsonic_eval.cli import main
from clipsonic_eval.errors import UserError
from clipsonic_eval.files import read_json
from clipsonic_eval.records import RunRecord
from clipsonic_eval.types import Score

FAD = Score("fad", "IQ", 2.5, (2.0, 3.25), "bootstrap-clip-bca-2000", 480, 480, "distance", False, "fad|enc:x|n:480")
CLAP = dataclasses.replace(FAD, metric="clap_score", value=0.5, ci=None, higher_is_better=True, signature="clap|n:480")
OTHER = dataclasses.replace(FAD, system="other", value=99.0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("cards") / "video", "image")


@pytest.fixture
def run(folder: Path) -> RunRecord:
    weights = read_json(folder / "card.json")["weights_sha256"]
    systems = {"IQ": {"model": {"weights_sha256": weights}}, "other": {"model": {"weights_sha256": "0" * 64}}}
    return RunRecord("evaluate", (FAD, CLAP, OTHER), systems=systems, tags={"split": "test"})


def test_results_come_back_with_interval_number_seed_and_signature(folder: Path, run: RunRecord) -> None:
    write_model_card(folder, [run], dataset="VGGSound test", licence="cc-by-4.0", name="mine")
    fad, clap = ModelCard.load(folder / "README.md").data.eval_results or []
    assert (fad.metric_type, fad.metric_value, fad.dataset_config) == ("fad", 2.5, "IQ")
    assert (fad.dataset_name, fad.dataset_type, fad.dataset_split) == ("VGGSound test", "vggsound-test", "test")
    assert fad.metric_args == {
        "interval": [2.0, 3.25],
        "interval_level": 0.95,
        "interval_method": "bootstrap-clip-bca-2000",
        "n": 480,
        "seed": FAD.seed,
        "unit": "distance",
        "higher_is_better": False,
        "signature": "fad|enc:x|n:480",
    }
    assert clap.metric_value == 0.5
    assert clap.metric_args is not None
    assert "interval" not in clap.metric_args
    assert [r.metric_value for r in read_model_card(folder)] == [2.5, 0.5]  # of no other model


def test_metadata_are_those_that_the_hub_lists_by(folder: Path, run: RunRecord) -> None:
    data = ModelCard.load(write_model_card(folder, [run], dataset="toy", licence="mit")).data
    assert (data.pipeline_tag, data.library_name, data.license) == ("text-to-audio", "clipsonic-eval", "mit")
    assert data.model_name == "video"


def test_the_text_says_how_to_use_it_and_what_it_is(folder: Path, run: RunRecord) -> None:
    text = write_model_card(folder, [run], dataset="toy").read_text()
    weights = read_json(folder / "card.json")["weights_sha256"]
    assert 'CLIPSonicPipeline.from_pretrained("THIS FOLDER")' in text
    assert weights in text
    assert "| toy | IQ | fad | 2.5 | [2, 3.25] | 480 |" in text
    assert "- `fad|enc:x|n:480`" in text
    assert "toy-clip" in text


def test_a_card_changes_nothing_of_the_model(folder: Path) -> None:
    write_model_card(folder)
    assert read_model_card(folder) == []
    assert MelDiffusion.load(folder).card["identity"] == "untrained"


def test_a_prior_has_a_card_too(tmp_path: Path) -> None:
    text = write_model_card(write_prior(tmp_path / "prior")).read_text()
    assert 'prior="THIS FOLDER"' in text
    assert "A diffusion prior" in text


def test_what_makes_no_card_is_one_sentence(folder: Path, run: RunRecord, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="needs the name of its data set"):
        write_model_card(folder, [run])
    with pytest.raises(UserError, match="no system of the run has this model's weights"):
        write_model_card(folder, [dataclasses.replace(run, systems={"other": run.systems["other"]})], dataset="toy")
    broken = dataclasses.replace(run, scores=(dataclasses.replace(FAD, value=float("nan")),))
    with pytest.raises(UserError, match="no finite number"):
        write_model_card(folder, [broken], dataset="toy")
    with pytest.raises(UserError, match="no model_index"):
        write_model_card(tmp_path)
    with pytest.raises(UserError, match="model-card"):
        read_model_card(tmp_path)
    with pytest.raises(UserError, match="not those of a model card"):
        check_model_card("---\n- a list\n---\n", "README.md")


def test_the_command_writes_the_card_of_a_run(folder: Path, run: RunRecord, tmp_path: Path) -> None:
    records.write(run, tmp_path / "run")
    words = ["model-card", str(folder), "--run", str(tmp_path / "run"), "--dataset", "toy"]
    done = CliRunner().invoke(main, [*words, "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout) == {"card": str(folder / "README.md"), "results": 2}
    assert "README.md: 2 results" in CliRunner().invoke(main, words).stdout
