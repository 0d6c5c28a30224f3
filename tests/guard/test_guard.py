"""The project guards itself: the small run made by this code is not worse than the pinned one, by the project's gate.

The controls show that the gate sees: a run made worse fails, a run that lost its scores or half its wavs is refused.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from guard import small_run
from guard.small_run import FOLDERS, HISTORY, SYSTEMS, call, evaluate

from clipsonic_eval.hashing import unsealed


@pytest.fixture(scope="module", autouse=True)
def _run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Work in a folder that holds the small run, made by this code."""
    with small_run.inputs_in(tmp_path_factory.mktemp("guard")):
        small_run.make()
        yield


def check(run: str, *options: str) -> tuple[int, str]:
    """Compare a run with the pinned one; return exit code and output."""
    # another processor rounds differently, so equality (the question "same weights") is not asked for
    question = ("--question", "same queries")
    result = call("history", "check", run, "--history", HISTORY, "--gate", "gate.yaml", *question, *options)
    return result.exit_code, result.output


def copied(name: str, out: str, *, noise: float = 0.0, step: int = 1, shift: int = 0) -> Path:
    """Copy every step-th wav of a system into a folder, with white noise, or under the key of another prompt."""
    folder, rng = Path(out) / name, np.random.default_rng(0)
    folder.mkdir(parents=True)
    paths = sorted(FOLDERS[name].glob("*.wav"))
    for path, source in list(zip(paths, paths[shift:] + paths[:shift], strict=True))[::step]:
        samples, rate = soundfile.read(source)
        noisy = samples + noise * rng.standard_normal(len(samples))
        soundfile.write(folder / path.name, np.clip(noisy, -1, 1), rate)
    return folder


def found_worse(output: str) -> set[str]:
    """Return the limits that were found worse, ``SYSTEM LIMIT`` each."""
    lines = [line.split(": ") for line in output.splitlines()]
    return {line[1] for line in lines if line[0] == "worse"}


def test_this_code_is_not_worse_than_the_pinned_run() -> None:
    code, output = check("run", "--strict")
    assert code == 0, output
    assert output.splitlines()[-1] == f"Gate: not worse ({3 * len(SYSTEMS)} not worse)"


@pytest.mark.parametrize("name", SYSTEMS)
def test_loud_noise_on_one_system_fails_in_that_system_alone(name: str) -> None:
    evaluate({**FOLDERS, name: copied(name, f"noisy-{name}", noise=0.5)}, f"run-noisy-{name}")
    code, output = check(f"run-noisy-{name}")
    assert code == 1, output
    assert {found.split()[0] for found in found_worse(output)} == {name}


def test_answers_to_the_wrong_prompts_fail_where_the_prompt_counts() -> None:
    evaluate({**FOLDERS, "PD": copied("PD", "shifted", shift=1)}, "run-shifted")
    code, output = check("run-shifted")
    assert code == 1, output
    assert found_worse(output) == {"PD clap_score>-0.01", "PD class_accuracy>-0.05"}


def test_a_prior_that_does_nothing_fails() -> None:
    evaluate({"ZS": FOLDERS["ZS"], "PD": FOLDERS["ZS"]}, "run-without-prior")
    code, output = check("run-without-prior")
    assert code == 1, output
    assert "PD fad<+2%" in found_worse(output)


def test_a_run_without_scores_is_refused() -> None:
    shutil.copytree("run", "run-empty")
    record = Path("run-empty/record.json")
    tree = unsealed(json.loads(record.read_text(encoding="utf-8")))
    record.write_text(json.dumps({**tree, "scores": [], "comparisons": []}), encoding="utf-8")
    code, output = check("run-empty")
    assert code == 2, output


def test_a_run_of_half_the_wavs_is_refused() -> None:
    evaluate({name: copied(name, "half", step=2) for name in SYSTEMS}, "run-half")
    code, output = check("run-half")
    assert code == 2, output
