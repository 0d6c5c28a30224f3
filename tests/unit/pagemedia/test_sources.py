from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from listen_study import RATE, tone, write_listen_study

from clipsonic_eval import records
from clipsonic_eval.errors import UserError
from clipsonic_eval.media.audio import write_wav
from clipsonic_eval.pagemedia.sources import PageSources, find_sounds


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return write_listen_study(tmp_path, n=3, seconds=0.1)


def found(run: Path, given: dict[str, Path] | None = None, **changes: object) -> PageSources:
    record = replace(records.read(run), **changes)  # type: ignore[arg-type]
    names = [*record.system_names, *({"shuffled"} & set(record.tags))]
    return find_sounds(dict.fromkeys(names, (record, run)), given or {}, None)


def test_folders_are_those_of_the_record_and_queries_those_of_its_table(run: Path) -> None:
    sources = found(run)
    assert list(sources.sounds) == ["IQ", "PD", "ZS", "real"]
    assert list(sources.sounds["PD"]) == ["clip 000", "clip 001", "clip 002"]
    assert sources.queries["clip 000"].prompt.startswith("</script>")
    assert sources.queries["clip 000"].image == run.parent / "picture.png"
    assert (sources.missing, sources.unchecked) == ((), ())


def test_a_folder_that_moved_can_be_given(run: Path) -> None:
    (run.parent / "wavs" / "PD").rename(run.parent / "elsewhere")
    assert found(run).missing == (f"PD: no wavs at {run.parent / 'wavs' / 'PD'}; give --wavs PD=FOLDER",)
    assert "PD" in found(run, {"PD": run.parent / "elsewhere"}).sounds


def test_other_wavs_than_were_scored_are_not_played(run: Path) -> None:
    write_wav(run.parent / "wavs" / "PD" / "clip 001.wav", tone(50.0, 0.1), RATE)
    sources = found(run)
    assert "PD" not in sources.sounds
    assert "PD: the wavs in" in sources.missing[0]
    assert "are not those that were scored (their hash is not the record's)" in sources.missing[0]


def test_an_old_record_without_hashes_says_that_nobody_knows(run: Path) -> None:
    assert found(run, hashes={}).unchecked == ("IQ", "PD", "ZS", "real")


def test_a_missing_wav_changes_the_hash(run: Path) -> None:
    (run.parent / "wavs" / "PD" / "clip 001.wav").unlink()
    assert "PD" not in found(run).sounds


def test_a_clip_that_was_not_scored_is_not_shown(run: Path) -> None:
    write_wav(run.parent / "wavs" / "PD" / "clip 999.wav", np.zeros(100, np.float32), RATE)
    assert list(found(run).sounds["PD"]) == ["clip 000", "clip 001", "clip 002"]


def test_a_folder_for_a_system_without_a_record_is_refused(run: Path) -> None:
    with pytest.raises(UserError, match=r"--wavs XY=…: no record has a system of that name; the records have IQ, PD"):
        found(run, {"XY": run})
