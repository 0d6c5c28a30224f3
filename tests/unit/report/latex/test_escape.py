from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from clipsonic_eval.reporting.latex.escape import breakable, code, escape, lacking, marked_up


def test_every_special_character_is_escaped() -> None:
    assert escape(r"\&%$#_{}~^") == r"\textbackslash{}\&\%\$\#\_\{\}\textasciitilde{}\textasciicircum{}"
    assert escape("a|b<c ↑ ± −") == r"a\textbar{}b\textless{}c $\uparrow$ $\pm$ $-$"


def test_accents_need_no_package_and_no_encoding() -> None:
    assert escape("Motörhead, Señor, Dvořák, garçon, ł") == (
        r"Mot\"{o}rhead, Se\~{n}or, Dvo\v{r}\'{a}k, gar\c{c}on, \l{}"
    )
    assert escape("e\N{COMBINING ACUTE ACCENT}") == escape("é")


def test_greek_is_mathematics() -> None:
    assert escape("λ = 2, Δ") == r"$\lambda$ = 2, $\Delta$"


def test_what_pdflatex_cannot_set_is_shown_by_its_number_and_listed() -> None:
    assert escape("犬") == r"\ifdefined\Umathchar 犬\else[U+72AC]\fi{}"
    assert lacking("犬 barks, 犬 and 猫, é") == "犬猫"


def test_two_hyphens_do_not_become_a_dash_and_a_dash_stays_one() -> None:
    assert escape("a--b – c") == "a-{}-b -- c"


def test_joiners_and_control_characters_leave_nothing_that_stops_tex() -> None:
    assert escape("a\u200db\nc\x00") == "ab c "


def test_signatures_break_after_their_separators() -> None:
    assert code("fad|enc:a_b+1") == (r"\texttt{fad\textbar{}\allowbreak{}enc:\allowbreak{}a\_b+\allowbreak{}1}")
    assert marked_up("of `a_b` & c") == r"of \texttt{a\_b} \& c"


def test_long_names_break_and_short_words_do_not() -> None:
    assert breakable("my_system") == r"my\_\allowbreak{}system"
    assert breakable("a" * 16) == r"aaaaaaa\-aaaaaaa\-aa"
    assert breakable("short words") == "short words"


@given(st.text(max_size=40))
def test_braces_balance_and_no_bare_special_character_is_left(text: str) -> None:
    made = escape(text)
    plain = made.replace(r"\{", "").replace(r"\}", "")
    assert plain.count("{") == plain.count("}")
    for special in "%&#_":
        assert made.count(special) == made.count(f"\\{special}")
    assert all(c.isascii() or c in unicodedata.normalize("NFC", text) for c in made)
