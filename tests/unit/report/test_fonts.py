from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from matplotlib import font_manager

from clipsonic_eval.analysis.catalogue import Catalogue
from clipsonic_eval.analysis.figure_data import Examples
from clipsonic_eval.reporting.figures import fonts, spectrograms, style

RAIN = "雨の音、遠くの雷"
SCRIPTS = {"Han": "犬吠", "Devanagari": "कुत्ता", "Thai": "หมา", "emoji": "🐕‍🦺 barks"}


def write_font(path: Path, letters: str) -> None:
    """Write a font whose every letter is a square."""
    letters = "".join(dict.fromkeys(letters))
    names = [".notdef", *(f"u{ord(c):X}" for c in letters)]
    pen = TTGlyphPen(None)
    pen.moveTo((100, 0))
    for corner in ((900, 0), (900, 800), (100, 800)):
        pen.lineTo(corner)
    pen.closePath()
    square = pen.glyph()
    made = FontBuilder(1000)
    made.setupGlyphOrder(names)
    made.setupCharacterMap({ord(c): f"u{ord(c):X}" for c in letters})
    made.setupGlyf(dict.fromkeys(names, square))
    made.setupHorizontalMetrics(dict.fromkeys(names, (1000, 100)))
    made.setupHorizontalHeader(ascent=900, descent=-100)
    made.setupNameTable({"familyName": path.stem, "styleName": "Regular"})
    made.setupOS2()
    made.setupPost()
    made.save(path)


def draw(shown: Examples, stem: Path) -> None:
    with style.look(spectrograms.captions(shown).families):
        style.save(spectrograms.draw(shown, Catalogue())[0], stem)


@pytest.fixture
def only_base(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Leave the fonts that come with matplotlib alone, whatever this machine has."""
    kept = [e for e in font_manager.fontManager.ttflist if "mpl-data" in str(e.fname)]
    monkeypatch.setattr(font_manager.fontManager, "ttflist", kept)
    fonts.letters_of.cache_clear()
    yield
    fonts.letters_of.cache_clear()


def examples(*prompts: str, keys: tuple[str, ...] = ()) -> Examples:
    keys = keys or tuple(f"clip{k}" for k in range(len(prompts)))
    mel = np.linspace(-8, 0, len(keys) * 8 * 12, dtype=np.float32).reshape(len(keys), 8, 12)
    return Examples(keys, tuple(prompts), {"mine": mel})


@pytest.mark.parametrize("text", SCRIPTS.values(), ids=SCRIPTS)
@pytest.mark.usefixtures("only_base")
def test_what_no_font_draws_is_replaced_and_told_once(text: str, tmp_path: Path) -> None:
    if not fonts.drawable([text], ["k"]).lacking:
        pytest.skip("matplotlib's own fonts have these letters")
    shown = examples(text, "a bell", text)
    texts = spectrograms.captions(shown)
    assert texts.shown == ("clip0", "a bell", "clip2")
    said = fonts.sentence(texts.lacking)
    assert said.startswith("captions with letters that no installed font draws (")
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # matplotlib warns of every letter that it draws as a box
        draw(shown, tmp_path / "figure")


@pytest.mark.usefixtures("only_base")
def test_an_installed_font_that_has_the_letters_is_taken(tmp_path: Path) -> None:
    write_font(tmp_path / "Zzz Gothic.ttf", RAIN)
    font_manager.fontManager.addfont(tmp_path / "Zzz Gothic.ttf")
    shown = examples(RAIN, "a bell")
    texts = spectrograms.captions(shown)
    assert texts.shown == (RAIN, "a bell")
    assert texts.families == ("DejaVu Sans", "Zzz Gothic")
    assert not texts.lacking
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        draw(shown, tmp_path / "figure")


@pytest.mark.usefixtures("only_base")
def test_a_preferred_font_goes_before_others_and_several_may_share_a_text(tmp_path: Path) -> None:
    for name, letters in (("Aaa", "雨"), ("IPAexGothic", "雨犬"), ("Bbb", "猫")):
        write_font(tmp_path / f"{name}.ttf", letters)
        font_manager.fontManager.addfont(tmp_path / f"{name}.ttf")
    assert fonts.drawable(["雨犬猫"], ["k"]).families == ("DejaVu Sans", "IPAexGothic", "Bbb")


@pytest.mark.usefixtures("only_base")
def test_a_key_that_cannot_be_drawn_either_is_escaped() -> None:
    assert spectrograms.captions(examples("雨", keys=("犬",))).shown == ("\\u72ac",)


@pytest.mark.usefixtures("only_base")
def test_joined_letters_need_a_matplotlib_that_joins_them(monkeypatch: pytest.MonkeyPatch) -> None:
    arabic = "صوت المطر"
    monkeypatch.setattr("matplotlib.ft2font.__libraqm_version__", "", raising=False)
    assert fonts.drawable([arabic], ["rain"]).shown == ("rain",)
    monkeypatch.setattr("matplotlib.ft2font.__libraqm_version__", "0.10", raising=False)
    assert fonts.drawable([arabic], ["rain"]).shown == (arabic,)


def test_latin_captions_are_drawn_with_the_font_that_is_the_same_everywhere() -> None:
    texts = fonts.drawable(["Ein Glöckchen läutet, café – “naïve”", "Σ и ж"], ["a", "b"])
    assert texts.families == ("DejaVu Sans",)
    with style.look(texts.families):
        pass


@pytest.mark.parametrize(
    "text", ["a dog barks while rain falls on a tin roof", "雨の音、遠くの雷、そして犬の鳴き声が聞こえる"]
)
def test_lines_are_no_wider_than_asked_and_lose_nothing(text: str) -> None:
    lines = fonts.wrapped(text, 12)
    assert "".join("".join(lines).split()) == "".join(text.split())
    assert all(sum(2 if ord(c) > 0x2E80 else 1 for c in line) <= 12 for line in lines)
