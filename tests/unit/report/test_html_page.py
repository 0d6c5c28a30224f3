"""The page as a text; what it does in a browser is tested in ``tests/browser``."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from listen_study import HOSTILE, write_listen_study
from unit.report.synthetic import simple

import clipsonic_eval as ce
from clipsonic_eval import records
from clipsonic_eval.cli import main
from clipsonic_eval.errors import ConfigError, UserError
from clipsonic_eval.media.audio import read_audio
from clipsonic_eval.media.loudness import loudness_lufs
from clipsonic_eval.pagemedia import media
from clipsonic_eval.reporting.build import ReportOptions, ReportResult, build
from clipsonic_eval.reporting.html import page, sounds
from clipsonic_eval.reporting.html.settings import PageConfig


class _Read(HTMLParser):
    """Scripts and styles by text, elements that have ``style`` or ``on…`` attributes, and all addresses."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: dict[str, list[str]] = {"script": [], "style": [], "data": []}
        self.inline: list[str] = []
        self.addresses: list[str] = []
        self._inside = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        self._inside = tag if tag in ("script", "style") else ""
        if named.get("type") == "application/json":
            self._inside = "data"
        self.inline += [f"{tag} {name}" for name in named if name == "style" or name.startswith("on")]
        self.addresses += [str(named[name]) for name in ("src", "href") if named.get(name)]

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.texts[self._inside].append(data)


def made(run: Path, out: Path, **settings: Any) -> ReportResult:
    return build([run], out, options=ReportOptions(title="Mine", page=PageConfig(**settings)))


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, _Read, str]:
    root = tmp_path_factory.mktemp("study")
    result = made(write_listen_study(root, n=8, seconds=0.3), root / "report", show=0)
    assert "page.html" in result.files
    text = (result.out / "page.html").read_text(encoding="utf-8")
    read = _Read()
    read.feed(text)
    return root, read, text


def test_the_policy_allows_the_pages_own_script_and_style_and_nothing_else(study: tuple[Path, _Read, str]) -> None:
    _, read, text = study
    policy = html.unescape(re.findall(r'Content-Security-Policy" content="([^"]*)"', text)[0])
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    assert "http" not in policy
    for kind in ("script", "style"):
        (own,) = read.texts[kind]
        digest = base64.b64encode(hashlib.sha256(own.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy
    assert read.inline == []  # the policy would refuse them


def test_nothing_is_taken_from_elsewhere(study: tuple[Path, _Read, str]) -> None:
    _, read, _ = study
    assert all(address.startswith(("data:image/", "#")) for address in read.addresses)


def test_prompts_stand_as_text_whatever_is_in_them(study: tuple[Path, _Read, str]) -> None:
    _, read, text = study
    assert "alert('gone')" not in "".join(read.texts["script"])
    for prompt in HOSTILE:
        assert str(html.escape(prompt)).replace("&#x27;", "&#39;").replace("&quot;", "&#34;").strip() in text
    assert [query["text"] for query in json.loads(read.texts["data"][0])["queries"]].count(HOSTILE[0]) == 1


def test_the_blocks_hold_the_sounds(study: tuple[Path, _Read, str], tmp_path: Path) -> None:
    root, read, _ = study
    data, *blocks = map(json.loads, read.texts["data"])
    assert len(blocks) == len(data["queries"]) == 8
    for query, block in list(zip(data["queries"], blocks, strict=True))[:2]:
        path = tmp_path / f"sound{data['suffix']}"
        path.write_bytes(base64.b64decode(block["sounds"]["PD"]))
        wav = read_audio(root / "wavs" / "PD" / f"{query['key']}.wav")
        assert abs(read_audio(path).duration_s - wav.duration_s) < 0.1
    assert [bool(block["picture"]) for block in blocks].count(True) == 1


def test_the_numbers_are_those_of_the_records(study: tuple[Path, _Read, str]) -> None:
    root, read, text = study
    data = json.loads(read.texts["data"][0])
    assert [m["title"] for m in data["metrics"]] == ["CLAP score", "FAD (influence)"]
    first = next(query for query in data["queries"] if query["key"] == "clip 003")
    assert first["values"][0] == [0.871, 0.771, 0.671, 0.571]
    table = (root / "report" / "table.md").read_text(encoding="utf-8")
    for number in re.findall(r"\d\.\d+ \[\d\.\d+, \d\.\d+\]", table):
        value, interval = number.split(" ", 1)
        assert re.search(rf"{re.escape(value)}(</strong>)? <small>{re.escape(interval)}", text)


def test_signatures_stand_in_notes_and_on_the_headings(study: tuple[Path, _Read, str]) -> None:
    _, _, text = study
    assert "<code>fad|enc:toy|n:8|v:0.1.0</code>" in text
    assert 'title="fad|enc:toy|n:8|v:0.1.0, interval: bootstrap"' in text


def test_the_choice_is_told_and_marked(tmp_path: Path) -> None:
    made(write_listen_study(tmp_path, n=20, seconds=0.1), tmp_path / "report", show=4)
    text = (tmp_path / "report" / "page.html").read_text(encoding="utf-8")
    assert "the 1 worst, the 1 around the median, the 1 best by CLAP score (mean over IQ, PD and ZS)" in text
    assert "1 drawn at random from all 20 (seed 0)" in text
    assert set(re.findall(r'<span class="mark">(\w+)</span>', text)) == {"worst", "median", "best", "random"}


def test_beyond_a_size_the_sounds_lie_beside_the_page(tmp_path: Path) -> None:
    run = write_listen_study(tmp_path, n=6, seconds=0.1)
    inside = made(run, tmp_path / "inside", show=0)
    beside = made(run, tmp_path / "beside", show=0, inline_mb=0.01)
    assert not [name for name in inside.files if name.startswith("page/")]
    files = {name for name in beside.files if name.startswith("page/")}
    folders = [f"page/{s}" for s in ("1 IQ", "2 PD", "3 ZS", "4 real")]
    stems = [name.split("/")[-1].removesuffix(".m4a") for name in sorted(files) if name.startswith("page/1 IQ/")][::2]
    assert sorted(stem.split(" ")[1] for stem in stems) == [f"clip_{i:03d}" for i in range(6)]
    expected = {f"{folder}/{stem}.{x}" for folder in folders for stem in stems for x in ("m4a", "webp")}
    assert len(expected) == 6 * 4 * 2
    assert len(files - expected) == 1
    assert (files - expected).pop().startswith("page/pictures/")
    text = (tmp_path / "beside" / "page.html").read_text(encoding="utf-8")
    assert 'id="m0"' not in text


def test_names_of_files_differ_whatever_the_names_of_systems_and_queries() -> None:
    texts = [
        "pictures",
        "Pictures",
        "a/b",
        "a\\b",
        "a:b",
        "..",
        ".",
        "CON",
        "ü",
        "u\u0308",
        "",
        "x" * 300,
        "x" * 301,
        "a?#%",
    ]
    names = sounds.file_names(texts)
    assert len({name.lower() for name in names}) == len(texts)
    assert all(re.fullmatch(r"\d\d( [A-Za-z0-9+@_.-]*[A-Za-z0-9+@-])?", name) for name in names)
    assert max(map(len, names)) <= 83


def test_equal_records_give_equal_bytes(tmp_path: Path) -> None:
    run = write_listen_study(tmp_path, n=4, seconds=0.1)
    first, second = (made(run, tmp_path / name, show=4).out / "page.html" for name in "ab")
    assert first.read_bytes() == second.read_bytes()


def test_at_equal_loudness_the_sounds_of_a_query_measure_alike(tmp_path: Path) -> None:
    pytest.importorskip("pyloudnorm")
    made(write_listen_study(tmp_path, n=2, seconds=1.0), tmp_path / "report", show=0, equal_loudness=True)
    read = _Read()
    read.feed((tmp_path / "report" / "page.html").read_text(encoding="utf-8"))
    data = json.loads(read.texts["data"][0])
    for query in data["queries"]:
        levels = []
        for system, volume in zip(data["systems"], query["volumes"], strict=True):
            clip = read_audio(tmp_path / "wavs" / system["name"] / f"{query['key']}.wav")
            levels.append(loudness_lufs(volume * clip.samples, clip.sample_rate, "clip"))
        assert max(query["volumes"]) == 1
        assert max(levels) - min(levels) < 0.01


def test_beside_a_sound_that_is_nearly_silent_the_others_can_still_be_heard() -> None:
    volumes = sounds._volumes({"ZS": -65.0, "PD": -40.0, "IQ": -25.0})
    assert volumes == {"ZS": 1.0, "PD": pytest.approx(10 ** (-5 / 20), abs=1e-4), "IQ": 0.1}  # 20 dB down at most
    assert sounds._volumes({"PD": -30.0, "IQ": -24.0}) == {"PD": 1.0, "IQ": pytest.approx(0.5012, abs=1e-4)}
    assert sounds._volumes({}) == {}


def test_a_page_that_was_stopped_goes_on_to_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = write_listen_study(tmp_path, n=4, seconds=0.1)
    drawn, n = media.spectrogram, 0

    def stopped(mel: Any, top: float) -> bytes:
        nonlocal n
        n += 1
        if n == 10:  # in the third query
            raise KeyboardInterrupt
        return drawn(mel, top)

    monkeypatch.setattr(media, "spectrogram", stopped)
    with pytest.raises(KeyboardInterrupt):
        made(run, tmp_path / "report", show=0)
    assert not (tmp_path / "report" / "page.html").exists()
    result = made(run, tmp_path / "report", show=0)
    assert n == 10 + 2 * 4
    assert not [path for path in (tmp_path / "report").iterdir() if path.name.startswith(".")]
    whole = made(run, tmp_path / "whole", show=0)
    assert result.files == whole.files
    assert (result.out / "page.html").read_bytes() == (whole.out / "page.html").read_bytes()


def test_the_number_of_processes_is_no_setting_of_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_listen_study(tmp_path, n=4, seconds=0.1)
    monkeypatch.chdir(tmp_path)
    pages = []
    for workers in "12":
        words = ["report", "run", "--out", "report", "--page", "--show", "4", "--workers", workers]
        result = CliRunner().invoke(main, words)
        assert result.exit_code == 0, result.output
        pages.append(Path("report/page.html").read_bytes())
    assert pages[0] == pages[1]


def test_without_wavs_there_are_tables_and_figures_and_a_sentence(tmp_path: Path) -> None:
    result = build([simple({("fad", "PD"): 3.0})], tmp_path / "report", options=ReportOptions(page=PageConfig()))
    assert result.missing == ("PD: its record names no folder of wavs; give --wavs PD=FOLDER",)
    text = (tmp_path / "report" / "page.html").read_text(encoding="utf-8")
    assert "PD: its record names no folder of wavs" in text
    assert 'id="listen"' not in text


def test_a_wav_that_cannot_be_read_is_left_out_by_name(tmp_path: Path) -> None:
    run = write_listen_study(tmp_path, n=4, seconds=0.1)
    records.write(replace(records.read(run), hashes={}), run)
    (tmp_path / "wavs" / "PD" / "clip 002.wav").write_bytes(b"no sound")
    result = made(run, tmp_path / "report", show=0)
    (sentence,) = result.missing
    assert sentence.startswith("PD 'clip 002': ")
    assert "PD &#39;clip 002&#39;: " in (tmp_path / "report" / "page.html").read_text(encoding="utf-8")


def test_an_unknown_ranking_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    run = write_listen_study(tmp_path, n=4, seconds=0.1)
    with pytest.raises(UserError, match="unknown metric with values of single queries 'kad'"):
        made(run, tmp_path / "report", rank="kad")
    assert not (tmp_path / "report" / "page.html").exists()


@pytest.mark.parametrize("settings", [{"show": -1}, {"inline_mb": -1.0}, {"audio": "mp3"}, {"workers": 0}])
def test_settings_that_mean_nothing_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        PageConfig(**settings)


def test_the_command_makes_the_page_and_prints_itself_on_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_listen_study(tmp_path, n=4, seconds=0.1)
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, ["report", "run", "--out", "report", "--page", "--show", "4", "--audio", "opus"])
    assert result.exit_code == 0, result.output
    assert "report/page.html" in result.output
    text = Path("report/page.html").read_text(encoding="utf-8")
    assert "<pre>clipsonic-eval report run --out report --page --show 4 --audio opus</pre>" in text
    assert '"mime": "audio/webm"' in text


def test_what_the_page_lacks_is_said_and_is_exit_code_3(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_listen_study(tmp_path, n=4, seconds=0.1)
    (tmp_path / "wavs" / "PD").rename(tmp_path / "moved")
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, ["report", "run", "--out", "report", "--page"])
    assert result.exit_code == 3
    assert f"not on the page: PD: no wavs at {tmp_path / 'wavs' / 'PD'}; give --wavs PD=FOLDER" in result.stderr
    whole = CliRunner().invoke(
        main, ["report", "run", "--out", "report", "--page", "--wavs", "PD=moved", "--overwrite"]
    )
    assert whole.exit_code == 0, whole.output


def test_a_notebook_gets_the_address_of_the_page(tmp_path: Path) -> None:
    run = write_listen_study(tmp_path, n=4, seconds=0.1)
    assert ce.report(run, tmp_path / "report", page=True) == tmp_path / "report" / "page.html"
    assert ce.report(run, tmp_path / "without") == tmp_path / "without" / "README.md"


def test_a_notebook_gives_settings_of_the_page_by_name(tmp_path: Path) -> None:
    run = write_listen_study(tmp_path, n=4, seconds=0.1)
    (tmp_path / "wavs" / "PD").rename(tmp_path / "moved")
    settings = {"audio": "opus", "wavs": {"PD": str(tmp_path / "moved")}}
    text = ce.report(run, tmp_path / "report", page=settings).read_text(encoding="utf-8")
    assert '"mime": "audio/webm"' in text
    assert "no wavs at" not in text
    with pytest.raises(ConfigError, match=r"page: .*'shown'.*show"):
        ce.report(run, tmp_path / "other", page={"shown": 4})


def test_options_of_the_page_need_the_page(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["report", "run", "--out", str(tmp_path / "report"), "--show", "4"])
    assert result.exit_code == 2
    assert "error: --show belongs to the page; add --page" in result.stderr


def test_the_scripts_stay_small() -> None:
    scripts = list((Path(page.__file__).parent / "templates").glob("*.js"))
    assert len(scripts) == 3
    assert all(len(script.read_text(encoding="utf-8").splitlines()) <= 300 for script in scripts)
