"""``listen plan`` and ``listen analyse`` as a user types them."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from listening_plans import simulated

from clipsonic_eval import records
from clipsonic_eval.cli import main
from clipsonic_eval.listening import answers, plan
from clipsonic_eval.media.audio import write_wav
from clipsonic_eval.types import Score

SYSTEMS = ("A", "B", "C")


@pytest.fixture(scope="module")
def wavs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("listen")
    rng = np.random.default_rng(0)
    for name in (*SYSTEMS, "real"):
        for i in range(12):
            write_wav(root / name / f"q{i:02d}.wav", rng.uniform(-0.1, 0.1, 1600).astype(np.float32), 16000)
    rows = "".join(f"q{i:02d},sound number {i}\n" for i in range(12))
    (root / "prompts.csv").write_text(f"key,prompt\n{rows}")
    return root


@pytest.fixture
def place(wavs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(wavs, tmp_path / "work")
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "work"


def call(*words: str) -> Result:
    return CliRunner().invoke(main, ["listen", *words])


def planned(*more: str) -> Result:
    systems = [word for name in SYSTEMS for word in ("--system", f"{name}={name}")]
    return call("plan", *systems, "--reference", "real", "--prompts", "prompts.csv", "--out", "plan", *more)


@pytest.mark.usefixtures("place")
def test_a_plan_says_what_its_size_can_tell_and_can_be_repeated() -> None:
    done = planned("--clips", "6", "--listeners", "10")
    assert done.exit_code == 0, done.output
    assert "10 listeners of about" in done.output
    assert re.search(r"known to about ±0\.\d\d, from 20 answers", done.output)
    assert re.search(r"a difference of \d\.\d\d between two systems is found with 80 % power", done.output)
    assert planned("--clips", "6", "--listeners", "10").exit_code == 0
    assert "with other settings" in planned("--clips", "12").output


@pytest.mark.usefixtures("place")
def test_more_clips_than_there_are_queries_are_said() -> None:
    done = planned("--clips", "400", "--listeners", "10")
    assert done.exit_code == 0, done.output
    assert re.search(r"all \d+ queries, fewer than --clips 400", done.output)
    assert "fewer than" not in planned("--clips", "6", "--listeners", "10", "--overwrite").output


@pytest.mark.usefixtures("place")
def test_a_wanted_difference_gives_the_number_of_listeners() -> None:
    done = planned("--clips", "12", "--difference", "0.8", "--json")
    tree = json.loads(done.stdout)
    assert tree["precision"]["difference"] <= 0.8
    assert plan.read(Path("plan")).listeners == tree["listeners"]


@pytest.mark.usefixtures("place")
def test_a_query_that_one_system_did_not_answer_is_left_out_and_named() -> None:
    Path("B/q03.wav").unlink()
    done = planned("--clips", "6")
    assert done.exit_code == 3
    assert "skipped q03: no sound of B has this name" in done.stderr
    assert Path("plan/skipped.csv").read_text() == "key,reason\nq03,q03: no sound of B has this name\n"
    assert "q03" not in [query.key for query in plan.read(Path("plan")).queries]


@pytest.mark.usefixtures("place")
def test_a_plan_with_pictures_is_identified_by_them() -> None:
    rows = "".join(f"q{i:02d},sound number {i},p{i}.png\n" for i in range(12))
    Path("prompts.csv").write_text(f"key,prompt,image\n{rows}")
    for i in range(12):
        Path(f"p{i}.png").write_bytes(bytes([i]))
    ids = []
    for content in (b"one", b"two"):
        Path("p0.png").write_bytes(content)
        done = planned("--query", "image", "--clips", "6", "--overwrite", "--json")
        assert done.exit_code == 0, done.output
        ids.append(json.loads(done.stdout)["plan"])
        assert plan.read(Path("plan")).queries[0].image == Path("p0.png").absolute()
    assert ids[0] != ids[1]


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--protocol", "mos"], "unknown protocol 'mos'"),
        (["--protocol", "preference", "--protocol", "preference"], "name each protocol once"),
        (["--system", "A|B=A"], "cannot be the name of a system here"),
        (["--system", "reference=A"], "cannot be the name of a system here"),
        (["--set", "checks.traps=1"], "unknown check or rule 'traps'. Did you mean 'trap'?"),
        (["--clips", "0"], "at least one listener and one clip"),
        (["--query", "image"], "no query can be used"),
        (["--difference", "0.001"], "500 listeners with 30 of 12 clips reach"),
        (["--pilot", "prompts.csv"], "--pilot-plan"),
        (["--listeners", "1"], "1 listeners with 30 clips each are too few"),
    ],
)
@pytest.mark.usefixtures("place")
def test_a_plan_that_cannot_be_made_is_a_sentence(words: list[str], why: str) -> None:
    done = planned(*words)
    assert done.exit_code == 2
    assert why in done.stderr
    assert "Traceback" not in done.output


@pytest.mark.usefixtures("place")
def test_sliders_need_real_recordings_and_few_systems() -> None:
    done = call("plan", "--system", "A=A", "--prompts", "prompts.csv", "--protocol", "mushra-like", "--out", "p")
    assert "mushra-like hides the real recording" in done.stderr
    many = [word for i in range(10) for word in ("--system", f"S{i}=A")]
    done = call(
        "plan", *many, "--reference", "real", "--prompts", "prompts.csv", "--protocol", "mushra-like", "--out", "p"
    )
    assert "more than 12 cannot be told apart" in done.stderr


def answered(name: str = "answers.csv", **others: Any) -> None:
    made = plan.read(Path("plan"))
    answers.write(Path(name), simulated(made, 10, **others))


@pytest.mark.usefixtures("place")
def test_answers_become_a_run_related_to_another_one() -> None:
    assert planned("--clips", "12", "--protocol", "mos-fidelity", "--protocol", "preference").exit_code == 0
    answered()
    rng = np.random.default_rng(1)
    clips = {name: {f"q{i:02d}": float(rng.normal()) for i in range(12)} for name in SYSTEMS}
    scores = tuple(
        Score(
            "clap_score", name, 0.1, (0.0, 0.2), "toy", 12, 12, "cosine", True, "clap_score|n:12", per_clip=clips[name]
        )
        for name in SYSTEMS
    )
    records.write(records.RunRecord("evaluate", scores), Path("eval"))
    done = call("analyse", "answers.csv", "--plan", "plan", "--run", "eval", "--resamples", "200", "--out", "heard")
    assert done.exit_code == 0, done.output
    assert "mos-fidelity" in done.output
    assert "| MOS fidelity | CLAP score | clips |" in Path("heard/listening.md").read_text()
    assert records.read(Path("heard")).kind == "listening"


@pytest.mark.usefixtures("place")
def test_answers_of_another_plan_are_refused_in_a_sentence() -> None:
    assert planned("--clips", "6").exit_code == 0
    answered()
    assert planned("--clips", "6", "--seed", "1", "--overwrite").exit_code == 0
    done = call("analyse", "answers.csv", "--plan", "plan", "--out", "heard")
    assert done.exit_code == 2
    assert "answers of plan" in done.stderr
    assert "give the plan.json that this test was run with" in done.stderr


@pytest.mark.usefixtures("place")
def test_rows_that_were_left_out_are_named_and_the_exit_code_says_so() -> None:
    assert planned("--clips", "12").exit_code == 0
    answered()
    with Path("answers.csv").open("a") as stream:
        stream.write(Path("answers.csv").read_text().splitlines()[5] + "\n")
    done = call("analyse", "answers.csv", "--plan", "plan", "--resamples", "100", "--out", "heard")
    assert done.exit_code == 3
    assert "a second answer to one question, the same" in done.stderr


@pytest.mark.usefixtures("place")
def test_a_pilot_gives_the_variances_of_the_next_plan() -> None:
    assert planned("--clips", "12").exit_code == 0
    shutil.copytree("plan", "pilot")
    answered("pilot.csv", sd=(0.1, 0.1, 0.2))
    typical = json.loads(planned("--clips", "12", "--json").stdout)["precision"]["half_width"]
    words = ("--clips", "12", "--json", "--pilot", "pilot.csv", "--pilot-plan", "pilot")
    assert json.loads(planned(*words).stdout)["precision"]["half_width"] < 0.6 * typical


@pytest.mark.usefixtures("place")
def test_a_test_is_rehearsed_before_anybody_has_listened() -> None:
    assert planned("--clips", "12", "--listeners", "8").exit_code == 0
    done = call("simulate", "plan", "--mean", "A=4", "--mean", "B=2", "--careless", "1", "--out", "rehearsal.csv")
    assert done.exit_code == 0, done.output
    assert "answers of 8 simulated listeners" in done.output
    assert call("analyse", "rehearsal.csv", "--plan", "plan", "--resamples", "100", "--out", "heard").exit_code == 0
    page = Path("heard/listening.md").read_text()
    assert "made up are among these: the numbers say nothing about the systems.**" in page
    assert "8 listeners, 1 of them excluded" in page
    assert Path("heard/figures/opinions.svg").is_file()
    heard = records.read(Path("heard"))
    assert heard["A", "mos-fidelity"].value > heard["B", "mos-fidelity"].value + 1


@pytest.mark.usefixtures("place")
@pytest.mark.parametrize(
    ("mean", "why"),
    [("A=good", "'good' is no number; give one from 1 to 5"), ("Z=3", "unknown system 'Z'"), ("A", "expected NAME=X")],
)
def test_means_that_are_none_are_refused(mean: str, why: str) -> None:
    assert planned("--clips", "6").exit_code == 0
    done = call("simulate", "plan", "--mean", mean, "--out", "rehearsal.csv")
    assert done.exit_code == 2
    assert why in done.stderr


@pytest.mark.usefixtures("place")
def test_a_table_of_webmushra_needs_no_plan_and_any_other_does() -> None:
    rows = [
        f"study,uuid-{i},page{page},{name},{score + i - page},9000,"
        for i in range(4)
        for page in range(4)
        for name, score in {"C1": 60, "C2": 40, "reference": 96}.items()
    ]
    head = "session_test_id,session_uuid,trial_id,rating_stimulus,rating_score,rating_time,rating_comment"
    Path("mushra.csv").write_text("\n".join([head, *rows]) + "\n")
    done = call("analyse", "mushra.csv", "--resamples", "100", "--out", "heard")
    assert done.exit_code == 0, done.output
    assert records.read(Path("heard"))["C1", "mushra-like"].value == pytest.approx(60.0)
    done = call("analyse", "prompts.csv", "--out", "other")
    assert done.exit_code == 2
    assert "prompts.csv: give the plan of these answers with --plan" in done.stderr


@pytest.mark.usefixtures("place")
def test_a_protocol_without_a_number_is_said_and_the_exit_code_says_so() -> None:
    assert planned("--clips", "12", "--protocol", "mos-fidelity", "--protocol", "preference").exit_code == 0
    made = plan.read(Path("plan"))
    ties = {("preference", "rated"), ("preference", "repeat")}
    found = [one._replace(answer="equal") if (one.protocol, one.kind) in ties else one for one in simulated(made, 10)]
    answers.write(Path("answers.csv"), found)
    done = call("analyse", "answers.csv", "--plan", "plan", "--resamples", "100", "--out", "heard")
    assert done.exit_code == 3
    assert "all pairs were found equal" in done.stderr


@pytest.mark.usefixtures("place")
def test_one_query_alone_makes_no_test() -> None:
    for i in range(1, 12):
        Path(f"A/q{i:02d}.wav").unlink()
    done = planned("--clips", "6")
    assert done.exit_code == 2
    assert "one query alone can be used, 'q00', and an interval over queries takes two; the first" in done.stderr
    assert "q01: no sound of A has this name" in done.stderr


@pytest.mark.usefixtures("place")
def test_made_up_answers_replace_none_but_made_up_ones() -> None:
    assert planned("--clips", "6").exit_code == 0
    for seed in ("0", "1"):
        assert call("simulate", "plan", "--seed", seed, "--out", "rehearsal.csv").exit_code == 0
    answered()
    for file in ("answers.csv", "prompts.csv"):
        before = Path(file).read_bytes()
        done = call("simulate", "plan", "--out", file)
        assert done.exit_code == 2
        assert f"{file}: is there already and was not simulated" in done.stderr
        assert Path(file).read_bytes() == before
