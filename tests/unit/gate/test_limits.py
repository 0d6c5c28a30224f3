"""The grammar of limits, the file that holds them, and what neither accepts."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipsonic_eval.errors import ConfigError
from clipsonic_eval.gate.limits import Limits, as_limits, from_texts, parse, read


@pytest.mark.parametrize(
    ("text", "baseline", "margin"),
    [
        ("fad<+3%", 20.0, 0.6),
        ("fad<+0.5", 20.0, 0.5),
        ("clap_score>-0.01", 0.4, 0.01),
        ("clap_score>-2%", 0.4, 0.008),
        ("fad<+3%&+0.3", 20.0, 0.3),  # both hold: the tighter
        ("fad<+3%&+0.3", 5.0, 0.15),
        ("fad<+3%|+0.3", 20.0, 0.6),  # either suffices: the looser
        ("fad<+3%|+0.3", 5.0, 0.3),
        ("log_likelihood>-10%", -5.0, 0.5),  # a share of the size of the value
    ],
)
def test_the_margin_is_the_harm_that_the_limit_accepts(text: str, baseline: float, margin: float) -> None:
    assert parse(text).margin(baseline) == pytest.approx(margin)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "the limit is empty"),
        ("   ", "the limit is empty"),
        ("fad", "a limit has one < or >"),
        ("fad<+1<+2", "a limit has one < or >"),
        ("fad<", "states no amount"),
        ("fad<+", "states no amount"),
        ("fad<+%", "states no amount"),
        ("fad<+1&", "states no amount"),
        ("<+3%", "names no metric"),
        (":fad<+3%", "names no system before :"),
        ("fad<+nan", "nan limits nothing"),
        ("fad<+inf", "inf limits nothing"),
        ("fad<+Infinity%", "Infinity limits nothing"),
        ("fad<+1e999", "too large a number"),
        ("fad<+0", "a change of 0 is never shown to be absent"),
        ("fad<+0.0%", "a change of 0 is never shown to be absent"),
        ("fad<-3", "demands an improvement; .* <\\+3 of a metric that is better when lower"),
        ("clap_score>+0.01", "demands an improvement; .* >-0.01 of one that is better when higher"),
        ("fad<3%", "limits bound the change and not the value; write the sign, \\+3%"),
        ("clap_score>-100%", "a fall by 100% of the value limits nothing"),
        ("fad<+three", "'\\+three' is no number"),
        ("fad<+1_000", "is no number"),
        ("fad<+3%%", "is no number"),
        ("fad<+3%&+0.3|+1", "& and \\| are not mixed"),
        ("fad<+3%&+3%", "names an amount twice"),
    ],
)
def test_a_limit_that_means_nothing_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        parse(text)


@pytest.mark.parametrize(
    "text", ["fad<+3%", "PD:fad<+0.5", "clap_score>-2%&-0.01", "fad/fadtk<+3%|+0.25", "a:b:kl<+1e-07"]
)
def test_a_canonical_text_reads_back_as_itself(text: str) -> None:
    assert str(parse(text)) == text


def test_spaces_and_the_order_of_amounts_do_not_matter() -> None:
    assert parse(" PD : fad < +0.30 & +3.0 % ") == parse("PD:fad<+3%&+0.3")


@given(st.floats(min_value=1e-9, max_value=1e9), st.booleans(), st.sampled_from("<>"))
def test_any_positive_amount_survives_writing_and_reading(size: float, share: bool, side: str) -> None:
    if share and side == ">" and size >= 100:
        size = size % 99 + 0.5
    text = f"m{side}{'+' if side == '<' else '-'}{size!r}{'%' if share else ''}"
    limit = parse(text)
    assert math.isclose(parse(str(limit)).margin(3.0), limit.margin(3.0), rel_tol=1e-9)
    assert math.isclose(limit.margin(3.0), size / 100 * 3.0 if share else size, rel_tol=1e-9)


@given(st.lists(st.floats(min_value=0.001, max_value=99), min_size=2, max_size=4, unique=True), st.floats(0.1, 1e3))
def test_both_is_the_tightest_and_either_the_loosest(sizes: list[float], baseline: float) -> None:
    parts = [f"+{size}%" if i % 2 else f"+{size}" for i, size in enumerate(sizes)]
    each = [parse(f"m<{part}").margin(baseline) for part in parts]
    assert parse("m<" + "&".join(parts)).margin(baseline) == min(each)
    assert parse("m<" + "|".join(parts)).margin(baseline) == max(each)


def test_a_limit_fits_the_direction_of_its_metric_only() -> None:
    assert parse("clap_score>-0.01").wrong_direction(higher_is_better=True) == ""
    assert parse("fad<+3%").wrong_direction(higher_is_better=False) == ""
    assert "higher is better for clap_score" in parse("clap_score<+1%").wrong_direction(higher_is_better=True)
    assert "write fad<+…" in parse("fad>-3%").wrong_direction(higher_is_better=False)


def test_a_systems_own_limit_takes_the_place_of_the_one_for_all() -> None:
    limits = from_texts(["fad<+3%", "PD:fad<+5%"])
    assert str(limits.of("fad", "PD")) == "PD:fad<+5%"
    assert str(limits.of("fad", "ZS")) == "fad<+3%"
    assert limits.of("kl", "PD") is None


@pytest.mark.parametrize(
    ("texts", "why"),
    [
        ([], "no limits, so nothing would be checked"),
        (["fad<+3%", "fad<+0.5"], "for the same metric and system; write one, joined by &"),
        (["PD:fad<+3%", "PD:fad<+0.5"], "for the same metric and system"),
        (["fad<+3%", "fad>-3%"], "contradict each other"),
        (["fad<+3%", "PD:fad>-3%"], "contradict each other"),
    ],
)
def test_limits_that_are_doubled_or_contradict_each_other_are_refused(texts: list[str], why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        from_texts(texts)


def test_the_hash_depends_on_what_the_limits_say_and_on_nothing_else() -> None:
    one = from_texts(["fad<+3%", "clap_score>-0.01"])
    assert one.sha256 == from_texts(["clap_score > -0.010", "fad<+3.0%"]).sha256
    assert one.sha256 != from_texts(["fad<+4%", "clap_score>-0.01"]).sha256
    assert one.sha256 != Limits(one.limits, min_common=0.9).sha256
    assert one.sha256 == Limits(one.limits, baseline="main").sha256


_FILE = """
baseline: main
min_common: 0.9
limits:
  fad: "<+3%"
  clap_score: ">-0.01"
systems:
  PD:
    fad: fad<+5%
"""


def test_a_file_holds_limits_for_all_systems_and_for_some(tmp_path: Path) -> None:
    (tmp_path / "gate.yaml").write_text(_FILE)
    limits = read(tmp_path / "gate.yaml")
    assert [str(limit) for limit in limits.limits] == ["fad<+3%", "clap_score>-0.01", "PD:fad<+5%"]
    assert (limits.min_common, limits.baseline) == (0.9, "main")


def test_options_override_the_file_for_the_same_metric_and_system(tmp_path: Path) -> None:
    (tmp_path / "gate.yaml").write_text(_FILE)
    limits = from_texts(["fad<+1%", "kl<+0.1"], read(tmp_path / "gate.yaml"))
    assert [str(limit) for limit in limits.limits] == ["clap_score>-0.01", "PD:fad<+5%", "fad<+1%", "kl<+0.1"]
    assert limits.baseline == "main"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no limits, so nothing would be checked"),
        ("limits: {}", "no limits, so nothing would be checked"),
        ("limits:\n  clap_score: >-0.01", "a limit that begins with > stands in quotes"),
        ("limits:\n  fad: +0.5", "0.5 is no text; write it in quotes"),
        ("limits:\n  fad: null", "None is no text; write it in quotes"),
        ("limits:\n  fad: kl<+3%", "stands under 'fad'; name the same metric, or none"),
        ("limits:\n  fad: <+3%\n  fad: <+4%", "key 'fad' stands twice"),
        ("limit:\n  fad: <+3%", "unknown key 'limit'. Did you mean 'limits'"),
        ("limits:\n  fad: <+nan", "nan limits nothing"),
        ("min_common: 1.5\nlimits:\n  fad: <+3%", "min_common must be above 0 and at most 1"),
        ("min_common: .nan\nlimits:\n  fad: <+3%", "min_common"),
        ("limits: fad<+3%", "limits"),
        ("- fad", "must be a mapping"),
    ],
)
def test_a_file_that_cannot_be_meant_is_refused_with_its_name(tmp_path: Path, text: str, why: str) -> None:
    file = tmp_path / "gate.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=why) as refused:
        read(file)
    assert str(file) in str(refused.value)


def test_python_takes_a_text_several_or_a_mapping() -> None:
    expected = from_texts(["fad<+3%"])
    assert (
        as_limits("fad<+3%") == as_limits(["fad<+3%"]) == as_limits({"fad": "<+3%"}) == as_limits(expected) == expected
    )
