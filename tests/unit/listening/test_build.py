"""A built test: one loudness, one length and format, names that tell nothing, refusals by name."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from listening_folders import RATE, SYSTEMS, built, plan_of, sound, write_wavs

from clipsonic_eval.errors import ConfigError, UserError
from clipsonic_eval.listening import stimuli
from clipsonic_eval.listening.build import BuildConfig, build, write_static
from clipsonic_eval.listening.folder import CLIPS, IMAGE, PUBLIC, STIMULI, ListeningFolder, open_folder
from clipsonic_eval.listening.plan import ListeningPlan
from clipsonic_eval.media.audio import read_audio, write_wav
from clipsonic_eval.media.loudness import loudness_lufs, true_peak_db
from clipsonic_eval.types import Query

pytest.importorskip("pyloudnorm")


@pytest.fixture(scope="module")
def test(tmp_path_factory: pytest.TempPathFactory) -> ListeningFolder:
    """A built test with ratings and sliders; nothing changes it."""
    return built(tmp_path_factory.mktemp("listening"), "mos-fidelity", "mushra-like")


def table(folder: ListeningFolder) -> list[dict[str, str]]:
    with (folder.root / STIMULI).open(newline="") as stream:
        return list(csv.DictReader(stream))


def of_queries(folder: ListeningFolder) -> list[dict[str, str]]:
    return [row for row in table(folder) if row["query"].startswith("q")]


def test_every_sound_has_the_loudness_that_the_table_says(test: ListeningFolder) -> None:
    rows = of_queries(test)
    assert len(rows) == 4 * len(test.plan.conditions())
    for row in rows:
        clip = read_audio(test.path(row["file"]))
        assert loudness_lufs(clip.samples, RATE, "x") == pytest.approx(-23, abs=0.05)
        assert float(row["level_lufs"]) == pytest.approx(-23, abs=0.01)
        assert true_peak_db(clip.samples, RATE) <= -1


def test_a_sound_is_its_source_times_one_gain(test: ListeningFolder) -> None:
    row = next(row for row in of_queries(test) if (row["condition"], row["query"]) == ("ZS", "q2"))
    heard = read_audio(test.path(row["file"])).samples[0]
    assert np.abs(heard - 10 ** (float(row["gain_db"]) / 20) * sound("ZS", 2)).max() < 1e-3


def test_names_sizes_and_dates_of_the_files_of_a_query_tell_nothing(test: ListeningFolder) -> None:
    for query in ("q0", "q3"):
        files = [test.path(row["file"]) for row in of_queries(test) if row["query"] == query]
        assert len({file.stat().st_size for file in files}) == 1
        assert len({file.read_bytes()[:44] for file in files}) == 1  # the headers
    everything = list((test.root / CLIPS).iterdir())
    assert {file.stat().st_mtime for file in everything} == {0}
    assert all(re.fullmatch(r"[0-9a-f]{20}\.wav", file.name) for file in everything)
    assert len(everything) == len(test.files)


def test_names_differ_between_two_builds_of_one_plan(tmp_path: Path) -> None:
    first = built(tmp_path / "a")
    second = built(tmp_path / "b")
    assert first.plan.id == second.plan.id
    assert not set(first.files.values()) & set(second.files.values())


def test_anchors_are_made_from_real_recordings(test: ListeningFolder) -> None:
    def spectrum(condition: str, query: str) -> Any:
        return np.abs(np.fft.rfft(read_audio(test.path(test.files[condition, query])).samples[0]))

    low, real = spectrum("anchor-3.5kHz", "q1"), spectrum("reference", "q1")
    above = round(4500 / RATE * 2 * (len(low) - 1))
    assert low[above:].max() < 0.02 * real[above:].max()
    shuffled, other = spectrum("anchor-shuffled", "q1"), spectrum("reference", "q2")
    assert np.corrcoef(shuffled, other)[0, 1] > 0.99
    assert np.corrcoef(shuffled, real)[0, 1] < 0.5


def test_a_query_is_cut_to_its_shortest_sound_and_the_table_says_by_how_much(tmp_path: Path) -> None:
    write_wavs(tmp_path)
    write_wav(tmp_path / "PD" / "q1.wav", sound("PD", 1, 0.8), RATE)
    folder, _ = build(plan_of(tmp_path), tmp_path / "test", BuildConfig())
    rows = {row["condition"]: row for row in of_queries(folder) if row["query"] == "q1"}
    assert {float(row["seconds"]) for row in rows.values()} == {0.5}
    assert {name: float(row["cut_s"]) for name, row in rows.items()} == {
        name: 0.3 if name == "PD" else 0.0 for name in rows
    }


def test_the_highest_sample_rate_is_that_of_all(tmp_path: Path) -> None:
    write_wavs(tmp_path)
    write_wav(tmp_path / "IQ" / "q0.wav", sound("IQ", 0, 0.75), 24000)
    folder, _ = build(plan_of(tmp_path), tmp_path / "test", BuildConfig())
    assert {read_audio(folder.path(name)).sample_rate for name in folder.files.values()} == {24000}


@pytest.mark.parametrize("channels", [1, 2])
def test_all_sounds_have_as_many_channels_as_were_asked_for(tmp_path: Path, channels: int) -> None:
    write_wavs(tmp_path)
    both = np.stack([sound("IQ", 0), sound("PD", 0)])
    write_wav(tmp_path / "IQ" / "q0.wav", both, RATE)
    folder, _ = build(plan_of(tmp_path), tmp_path / "test", BuildConfig(channels=channels))
    assert {len(read_audio(folder.path(row["file"])).samples) for row in of_queries(folder)} == {channels}


def test_peaks_keep_a_sound_quieter_and_it_is_named(tmp_path: Path) -> None:
    write_wavs(tmp_path)
    click = 1e-4 * np.ones(RATE // 2, np.float32) * np.cos(np.arange(RATE // 2))
    click[4000] = 0.9
    write_wav(tmp_path / "PD" / "q0.wav", click.astype(np.float32), RATE)
    folder, quieter = build(plan_of(tmp_path), tmp_path / "test", BuildConfig())
    assert len(quieter) == 1
    assert quieter[0].startswith("PD of 'q0' has -")
    assert true_peak_db(read_audio(folder.path(folder.files["PD", "q0"])).samples, RATE) == pytest.approx(-1, abs=0.05)


def test_sounds_that_cannot_be_used_are_all_named_and_nothing_is_served(tmp_path: Path) -> None:
    write_wavs(tmp_path)
    write_wav(tmp_path / "PD" / "q1.wav", sound("PD", 1, 0.3), RATE)
    write_wav(tmp_path / "IQ" / "q2.wav", np.zeros(RATE // 2, np.float32), RATE)
    plan = plan_of(tmp_path)
    write_wav(tmp_path / "ZS" / "q3.wav", sound("ZS", 1), RATE)
    with pytest.raises(UserError, match=r"PD/q1\.wav.*0\.30 s.*without these 3 queries"):
        build(plan, tmp_path / "test", BuildConfig())
    with (tmp_path / "test" / "refused.csv").open(newline="") as stream:
        named = {row["query"]: row["reason"] for row in csv.DictReader(stream)}
    assert "too short" in named["q1"]
    assert "silent" in named["q2"]
    assert "not the file of the plan" in named["q3"]
    with pytest.raises(UserError, match="listen build"):
        open_folder(tmp_path / "test")


def test_a_stopped_build_continues_with_the_names_it_had(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_wavs(tmp_path)
    plan, calls = plan_of(tmp_path), []
    of_query = stimuli._of_query

    def stop_at_third(plan: ListeningPlan, query: Query, *others: Any) -> Any:
        calls.append(query.key)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return of_query(plan, query, *others)

    monkeypatch.setattr(stimuli, "_of_query", stop_at_third)
    with pytest.raises(KeyboardInterrupt):
        build(plan, tmp_path / "test", BuildConfig())
    first = {path.name for path in (tmp_path / "test" / CLIPS).iterdir()}
    folder, _ = build(plan, tmp_path / "test", BuildConfig())
    assert first <= set(folder.files.values())
    assert calls == ["q0", "q1", "q2", "q2", "q3"]
    assert len(list((tmp_path / "test" / CLIPS).iterdir())) == len(folder.files)


def test_a_test_that_was_answered_is_not_replaced_by_another(tmp_path: Path) -> None:
    folder = built(tmp_path)
    (folder.root / "answers.sqlite").write_bytes(b"")
    with pytest.raises(UserError, match="answered already"):
        build(folder.plan, folder.root, BuildConfig(title="Another"), overwrite=True)
    assert build(folder.plan, folder.root, BuildConfig())[0].files == folder.files


def test_pictures_of_queries_lose_all_but_their_pixels(tmp_path: Path) -> None:
    from PIL import Image

    write_wavs(tmp_path)
    rows = []
    for i in range(4):
        image = Image.fromarray(np.full((900, 1200, 3), 40 * i, np.uint8))
        exif = image.getexif()
        exif[0x010E] = "the name of the photographer"
        image.save(tmp_path / f"q{i}.png", exif=exif)
        rows.append(f"q{i},a dog,{tmp_path / f'q{i}.png'}\n")
    (tmp_path / "prompts.csv").write_text("key,prompt,image\n" + "".join(rows))
    folder, _ = build(plan_of(tmp_path, query="image"), tmp_path / "test", BuildConfig())
    path = folder.path(folder.files[IMAGE, "q2"])
    assert b"photographer" not in path.read_bytes()
    with Image.open(path) as picture:
        assert picture.size == (640, 480)
        assert not picture.getexif()


def test_nothing_that_listeners_get_names_a_system_or_a_kind_of_trial(test: ListeningFolder) -> None:
    page = write_static(test, 3).read_text()
    data = page[page.index('id="data">') : page.index("</script>")]
    for word in (*(f'"{name}"' for name in SYSTEMS), "gold", "repeat", "rated", "anchor", '"reference"', "q0"):
        assert word not in data
    assert {path.name for path in (test.root / PUBLIC).iterdir()} == {"clips", "index.html"}


def test_texts_of_strangers_cannot_leave_their_place_in_the_page(tmp_path: Path) -> None:
    folder = built(tmp_path, config=BuildConfig(title="</title><script>alert(1)</script>", consent="</script><b>"))
    page = write_static(folder, 1).read_text()
    assert page.count("<script") == 2
    assert page.count("</script>") == 2
    data = json.loads(page[page.index('id="data">') + 10 : page.index("</script>")])
    assert data["consent"] == "</script><b>"


@pytest.mark.parametrize(
    ("settings", "why"),
    [({"channels": 3}, "channels: 3"), ({"rate": 400}, "rate: 400 Hz"), ({"title": "  "}, "title: is empty")],
)
def test_settings_that_cannot_be_are_refused(settings: dict[str, Any], why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        BuildConfig(**settings)


def test_a_folder_whose_files_are_gone_is_not_served(tmp_path: Path) -> None:
    folder = built(tmp_path)
    folder.path(folder.files["PD", "q0"]).unlink()
    with pytest.raises(UserError, match="1 files are not there"):
        open_folder(folder.root)
