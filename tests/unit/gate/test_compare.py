"""`ce.compare`: records and paths, limits as texts, mappings and files, results as frames."""

from __future__ import annotations

from pathlib import Path

import pytest
from unit.gate.made import clip_score, clips, moved, record, set_score

import clipsonic_eval as ce
from clipsonic_eval import records
from clipsonic_eval.gate.differences import Differences
from clipsonic_eval.gate.verdicts import GateResult

OLD = record(clip_score(clips()), set_score(10 + clips(1)))
NEW = moved(OLD, scores=(clip_score(clips() - 0.1 + 0.01 * clips(5)), *OLD.scores[1:]))


def test_limits_are_a_text_several_a_mapping_or_a_file(tmp_path: Path) -> None:
    file = tmp_path / "gate.yaml"
    file.write_text('limits:\n  clap_score: ">-0.02"\n')
    given = "clap_score>-0.02", ["clap_score>-0.02"], {"clap_score": ">-0.02"}, file, str(file)
    results = [ce.compare(OLD, NEW, limits) for limits in given]
    assert [r.verdicts for r in results] == [results[0].verdicts] * 5
    assert {r.limits_sha256 for r in results} == {results[0].limits_sha256}
    assert results[0].verdicts[0].outcome == "worse"


def test_a_side_is_a_record_a_path_or_several(tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    records.write(NEW, tmp_path / "new")
    for side in (NEW, tmp_path / "new", str(tmp_path / "new" / "record.json"), [NEW]):
        assert ce.compare(OLD, side, "clap_score>-0.02").exit_code() == 1


def test_a_record_and_its_own_file_are_one_run(tmp_path: Path) -> None:
    records.write(OLD, tmp_path)
    assert "compared with itself" in ce.compare(OLD, tmp_path, "fad<+3%").refusals[0].sentence


def test_a_result_is_a_frame_with_refusals() -> None:
    result = ce.compare(OLD, NEW, ["clap_score>-0.02", "fad<+3%", "kad<+1"])
    assert isinstance(result, GateResult)
    frame = result.to_frame().set_index("metric")
    assert frame["outcome"].to_dict() == {"clap_score": "worse", "fad": "not worse", "kad": "refused"}
    assert frame.loc["clap_score", "harm"] == pytest.approx(0.1, abs=0.01)
    assert frame.loc["clap_score", "low"] < frame.loc["clap_score", "harm"] < frame.loc["clap_score", "high"]
    assert repr(result) == "GateResult(1 worse, 1 not worse, 1 refused)"
    assert "<table" in result._repr_html_()
    assert "same queries" in result._repr_html_()


def test_an_empty_result_says_that_nothing_was_compared() -> None:
    assert repr(GateResult(())) == "GateResult(nothing was compared)"
    assert len(GateResult(()).to_frame()) == 0


def test_without_limits_every_metric_is_described() -> None:
    found = ce.compare(OLD, NEW)
    assert isinstance(found, Differences)
    assert repr(found) == "Differences(same queries: 2 of metrics and systems)"
    frame = found.to_frame().set_index("metric")
    assert frame.loc["clap_score", "change"] == pytest.approx(
        NEW["PD", "clap_score"].value - OLD["PD", "clap_score"].value
    )
    assert frame.loc["clap_score", "high"] < 0
    assert frame.loc["clap_score", "p_worse"] < 0.001
    assert frame.loc["fad", "change"] == 0
    assert "<table" in found._repr_html_()


def test_what_does_not_compare_is_listed_beside_the_differences() -> None:
    found = ce.compare(OLD, moved(OLD, scores=OLD.scores[:1]))
    assert [d.metric for d in found.differences] == ["clap_score"]
    assert "fad of 'PD' has vanished" in found.refusals[0].sentence
    assert "1 do not compare" in repr(found)


def test_the_same_weights_are_described_by_equality() -> None:
    old = record(*OLD.scores, systems={"PD": {"card_hash": "x"}})
    found = ce.compare(old, moved(old))
    assert found.question == "same weights"
    assert all("is equal to 1e-06" in d.sentence for d in found.differences)
    assert found.to_frame()["p_worse"].isna().all()
