from __future__ import annotations

import re
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipsonic_eval.analysis.catalogue import CONTROLS, MARKERS, PALETTE, Catalogue, SystemStyle
from clipsonic_eval.errors import ConfigError
from clipsonic_eval.study.catalogue import CLIPSONIC

names = st.lists(st.text("abcdefgh-*[]", min_size=1, max_size=6), unique=True, max_size=20)


def test_systems_of_anybody_stand_in_the_order_of_the_records_with_colours_of_the_palette() -> None:
    found = Catalogue().completed(["zebra", "real", "ant", "noise"])
    assert [s.name for s in found.ordered(["noise", "ant", "real", "zebra"])] == ["zebra", "ant", "real", "noise"]
    assert {found.style(name).colour for name in ("zebra", "ant")} < set(PALETTE)
    assert [found.style(name).group for name in ("zebra", "real")] == ["", CONTROLS]


def test_the_default_plans_no_tests_and_asks_no_questions_of_its_own() -> None:
    found = Catalogue().completed(["IQ", "PD", "ZS"])
    assert found.planned == ()
    assert found.sweep == ()
    assert found.questions == ()


@pytest.mark.parametrize(("name", "control"), [("real", True), ("shuffled", True), ("noise", True), ("mine", False)])
def test_controls_of_an_evaluation_are_known_by_name(name: str, control: bool) -> None:
    assert Catalogue().completed([name]).is_control(name) == control


@given(names)
def test_every_system_has_a_place_and_a_colour(present: list[str]) -> None:
    for catalogue in (Catalogue(), CLIPSONIC):
        found = catalogue.completed(present)
        assert {s.name for s in found.ordered(present)} == set(present)
        assert all(re.fullmatch("#[0-9A-Fa-f]{6}", found.style(name).colour) for name in present)


@given(names)
def test_colours_differ_as_long_as_the_palette_lasts(present: list[str]) -> None:
    found = Catalogue().completed(present)
    colours = [found.style(name).colour for name in present]
    assert len(set(colours)) == min(len(colours), len(PALETTE))


@given(names)
def test_completing_a_catalogue_twice_changes_nothing(present: list[str]) -> None:
    plain = [name for name in present if "*" not in name]
    once = CLIPSONIC.completed(plain)
    assert once.completed(plain) == once


def test_a_pattern_stands_for_every_name_that_fits_and_says_what_it_stands_for() -> None:
    found = CLIPSONIC.completed(["PD-best16", "PD", "PD-best4"])
    assert [s.name for s in found.ordered(["PD", "PD-best4", "PD-best16"])] == ["PD-best4", "PD-best16", "PD"]
    assert found.style("PD-best16").meaning == "best of 16 draws of the prior by cosine to the text"
    assert [pair for pair in found.planned if pair[1] == "PD" and "best" in pair[0]] == [
        ("PD-best4", "PD"),
        ("PD-best16", "PD"),
    ]


def test_a_system_that_the_study_does_not_list_joins_the_others_in_a_free_colour() -> None:
    found = CLIPSONIC.completed(["mine", "PD", "real"])
    assert found.style("mine").group == "other systems"
    assert not found.is_listed("mine")
    assert found.is_listed("PD")
    assert found.is_listed("real")
    assert found.style("mine").colour not in {found.style("PD").colour, found.style("real").colour}
    assert [s.name for s in found.systems] == ["PD", "mine", "real"]


def test_a_given_colour_is_kept() -> None:
    mine = Catalogue(systems=(SystemStyle("a", colour="#123456"), SystemStyle("b")), groups=("",))
    found = mine.completed(["b", "a"])
    assert found.style("a").colour == "#123456"
    assert found.style("b").colour in PALETTE


def test_the_papers_questions_were_planned_in_this_order() -> None:
    """Holm's correction is over these pairs: adding one moves every corrected p-value of the committed reports."""
    found = CLIPSONIC.completed(
        ["IQ", "ZS", "PD", "SD", "mean-shift", "PD-best4", "PD-guided2", "CLIP-TTA", "CLAP-TTA"]
    )
    assert [f"{a}:{b}" for a, b in found.planned] == [
        "PD:ZS", "IQ:PD", "IQ:ZS", "PD:mean-shift", "mean-shift:ZS", "PD-best4:PD", "PD-guided2:PD", "SD:PD",
        "ZS:CLIP-TTA", "PD:CLIP-TTA", "ZS:CLAP-TTA", "PD:CLAP-TTA",
    ]  # fmt: skip


def test_a_group_without_a_place_in_the_table_is_refused() -> None:
    with pytest.raises(ConfigError, match="catalogue 'x': group 'ours' of 'PD' is not among its groups; add it there"):
        Catalogue(name="x", systems=(SystemStyle("PD", group="ours"),), groups=("",))
    with pytest.raises(ConfigError, match="group 'rest' of systems that are not listed is not among its groups"):
        Catalogue(systems=(), groups=("",), others="rest")


def test_only_a_star_is_special_in_a_name() -> None:
    mine = Catalogue(systems=(SystemStyle("a[1]", "first"), SystemStyle("b?", "second")), groups=("",))
    found = mine.completed(["a1", "a[1]", "bc", "b?"])
    assert [found.style(name).meaning for name in ("a1", "a[1]", "bc", "b?")] == ["", "first", "", "second"]


@given(names, st.randoms())
def test_a_look_does_not_depend_on_the_order_of_the_records(present: list[str], random: Random) -> None:
    here, there = (Catalogue().completed(some) for some in (present, random.sample(present, len(present))))
    assert all(here.style(name) == there.style(name) for name in present)


@given(names)
def test_markers_differ_as_long_as_there_are_any(present: list[str]) -> None:
    found = Catalogue().completed(present)
    markers = {found.style(name).marker for name in present}
    assert len(markers) == min(len(present), len(MARKERS))


def test_a_system_keeps_its_look_from_report_to_report() -> None:
    alone = Catalogue().completed(["mine"]).style("mine")
    among = Catalogue().completed(["AudioLDM 2", "TangoFlux", "mine"]).style("mine")
    assert (alone.colour, alone.marker) == (among.colour, among.marker)


def test_a_system_of_the_study_keeps_its_marker_whoever_else_is_there() -> None:
    present = (["PD"], ["mine", "PD", "IQ"], ["PD", "PD-best4"])
    assert len({CLIPSONIC.completed(names).style("PD").marker for names in present}) == 1


def test_two_names_of_one_pattern_have_one_colour_and_two_markers() -> None:
    found = CLIPSONIC.completed(["PD-best4", "PD-best8"])
    four, eight = found.style("PD-best4"), found.style("PD-best8")
    assert four.colour == eight.colour
    assert four.marker != eight.marker
