"""Settings of the harness from Python: what a notebook writes becomes what a YAML file would give, or one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from clipsonic_eval.devices import share_of_torchrun
from clipsonic_eval.errors import UserError
from clipsonic_eval.harness.calibration.simulation import CalibrateConfig
from clipsonic_eval.harness.embed_config import EmbedConfig
from clipsonic_eval.harness.evaluation_config import EvaluateConfig
from clipsonic_eval.harness.explain import ExplainConfig
from clipsonic_eval.harness.gap_config import GapConfig

SAME = "fad/clipsonic-eval"


def test_strings_become_paths_and_lists_become_tuples() -> None:
    explain = ExplainConfig({"a": "wavs"}, [SAME], SAME, "real", weights={"vggish": "w.pt"})  # type: ignore[arg-type, dict-item]
    assert explain.systems == {"a": Path("wavs")}
    assert explain.to == (SAME,)
    assert explain.reference == Path("real")
    assert explain.weights == {"vggish": Path("w.pt")}
    calibrate = CalibrateConfig(["fad"], [50])  # type: ignore[arg-type]
    assert (calibrate.metrics, calibrate.n) == (("fad",), (50,))
    embed = EmbedConfig(["wavs"], ["vggish"], {"vggish": "w.pt"}, [1, 2])  # type: ignore[arg-type, dict-item]
    assert embed == EmbedConfig((Path("wavs"),), ("vggish",), {"vggish": Path("w.pt")}, (1, 2))
    gap = GapConfig("f.npz", prior={"PD": "pd.npz"})  # type: ignore[arg-type, dict-item]
    assert gap == GapConfig(Path("f.npz"), prior={"PD": Path("pd.npz")})


@pytest.mark.parametrize(
    ("settings", "given", "sentence"),
    [
        (ExplainConfig, {"to": SAME}, "to: expected a list, got 'fad/clipsonic-eval'"),
        (ExplainConfig, {"to": ()}, "give at least one system and one convention to arrive at"),
        (ExplainConfig, {"seed": 0.5}, "seed: expected int, got 0.5"),
        (ExplainConfig, {"cache": 3}, "cache: expected Path, got 3"),
        (CalibrateConfig, {"n": (50, 1)}, "repeats, truth_repeats and every n must be at least 2"),
        (CalibrateConfig, {"n": ()}, "every n must be at least 2"),
        (CalibrateConfig, {"repeats": 1}, "repeats, truth_repeats and every n must be at least 2"),
        (CalibrateConfig, {"n_permutations": 19}, "n_bootstrap and n_permutations must be at least 20"),
        (CalibrateConfig, {"metrics": "fad"}, "metrics: expected a list, got 'fad'"),
        (CalibrateConfig, {"worse": "much"}, "worse: expected float, got 'much'"),
        (GapConfig, {"n_bootstrap": 19}, "n_bootstrap must be at least 20"),
        (GapConfig, {"mean_shift": "yes"}, "mean_shift: expected bool, got 'yes'"),
        (GapConfig, {"tags": {"seed": 1}}, "tags.seed: expected str, got 1"),
        (EmbedConfig, {"folders": ()}, "embed needs at least one folder and one encoder"),
        (EmbedConfig, {"encoders": ()}, "embed needs at least one folder and one encoder"),
        (EmbedConfig, {"share": (0, 2)}, "share 0/2: the first number counts from 1 to the second"),
        (EmbedConfig, {"share": (3, 2)}, "share 3/2: the first number counts from 1 to the second"),
        (EmbedConfig, {"share": (1, 2, 3)}, "share: expected 2 values, got 3"),
        (EmbedConfig, {"weights": {"vgish": "w.pt"}}, "encoder to give weights to 'vgish'. Did you mean 'vggish'?"),
        (EmbedConfig, {"statistics": "s.txt"}, "s.txt: statistics are written as .npz"),
        (EmbedConfig, {"statistics": "s.npz", "share": (1, 2)}, "statistics are of one encoder and of all clips"),
        (EmbedConfig, {"statistics": "s.npz", "encoders": ("vggish", "toy-audio")}, "statistics are of one encoder"),
        (EvaluateConfig, {"systems": {}}, "no system to evaluate"),
        (EvaluateConfig, {"systems": {"real": "a"}, "real": "b"}, "system 'real' is given and also asked to be made"),
        (EvaluateConfig, {"pairs": ("a:b:c",)}, "pair 'a:b:c': expected A:B"),
        (EvaluateConfig, {"batch_size": 0}, "batch_size and workers must be at least 1, examples at least 0"),
        (EvaluateConfig, {"examples": -1}, "batch_size and workers must be at least 1, examples at least 0"),
        (EvaluateConfig, {"weights": {"fad/fadkt": "w"}, "metrics": ("fad/fadtk",)}, "Did you mean 'fad/fadtk'?"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(settings: type, given: dict[str, object], sentence: str) -> None:
    usual: dict[type, dict[str, object]] = {
        ExplainConfig: {"systems": {"a": "wavs"}, "to": (SAME,), "start": SAME},
        CalibrateConfig: {},
        GapConfig: {"source": "f.npz"},
        EmbedConfig: {"folders": ("wavs",), "encoders": ("vggish",)},
        EvaluateConfig: {"systems": {"a": "wavs"}},
    }
    with pytest.raises(UserError) as raised:
        settings(**{**usual[settings], **given})
    assert sentence in str(raised.value)


def test_weights_of_a_convention_need_the_convention_among_the_metrics() -> None:
    config = EvaluateConfig({"a": Path("wavs")}, metrics=("fad/fadtk",), weights={"fad/fadtk": Path("w.pt")})
    assert config.weights == {"fad/fadtk": Path("w.pt")}


@pytest.mark.parametrize(
    ("environment", "share"),
    [({}, (1, 1)), ({"RANK": "0", "WORLD_SIZE": "4"}, (1, 4)), ({"RANK": "3", "WORLD_SIZE": "4"}, (4, 4))],
)
def test_the_share_under_torchrun_counts_from_one(
    environment: dict[str, str], share: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("RANK", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert share_of_torchrun() == share


def test_the_identity_of_a_gap_is_the_state_of_its_files_not_their_places(tmp_path: Path) -> None:
    for place in ("a", "b"):
        (tmp_path / place).mkdir()
        (tmp_path / place / "q.csv").write_text("key,prompt\nq0,a bell\n")
    here, there = (GapConfig(tmp_path / place / "q.csv", cache=tmp_path / place) for place in ("a", "b"))
    assert here.identity() == there.identity()
    (tmp_path / "b" / "q.csv").write_text("key,prompt\nq0,rain\n")
    assert here.identity() != there.identity()
    assert GapConfig(tmp_path / "a" / "q.csv", seed=1).identity() != here.identity()
