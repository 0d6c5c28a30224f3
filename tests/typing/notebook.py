"""What a type checker makes of a notebook: ``tox -e types`` checks this file, nothing runs it."""

from __future__ import annotations

from pathlib import Path
from typing import assert_type

import numpy as np
import pandas as pd
import torch

import clipsonic_eval as ce

array = np.zeros((8, 4))

assert_type(ce.fad(array, array), ce.Score)
assert_type(ce.fad("real/", Path("wavs"), encoder="vggish"), ce.Score)
assert_type(ce.kid(array, array.tolist(), n_boot=0, seed=1), ce.Score)
assert_type(ce.fad(torch.zeros(8, 4), array), ce.Score)
assert_type(ce.clap_score("wavs/", prompts="test.csv", encoder="clap-laion-audio"), ce.Score)
assert_type(ce.clap_score(array, prompts={"a": "a dog barks"}, encoder="clap-laion-audio"), ce.Score)
assert_type(ce.class_accuracy(array, labels=[0, 1]), ce.Score)
assert_type(ce.kl("wavs/", real="real/", encoder="panns-cnn14"), ce.Score)
assert_type(float(ce.fad(array, array)), float)
ce.fad(array)  # type: ignore[call-arg]
ce.clap_score(array)  # type: ignore[call-arg]
ce.fad(array, array, bootstraps=3)  # type: ignore[call-arg]

run = ce.evaluate({"PD": "wavs/PD", "ZS": Path("wavs/ZS")}, reference="real/", metrics=["fad", "kad"])
assert_type(run, ce.RunRecord)
assert_type(run["PD", "fad"], ce.Score)
assert_type(run.to_frame(), pd.DataFrame)
assert_type(run.table(), pd.DataFrame)
assert_type(ce.evaluate({"PD": array, "ZS": array}, reference=array, metrics=["fad"]), ce.RunRecord)
assert_type(ce.modality_gap("clips/test", encoder="clip-vit-b-32"), ce.RunRecord)
assert_type(ce.modality_gap(array, array, prior={"PD": array}), ce.RunRecord)
assert_type(ce.explain("wavs/", start="fad/clipsonic-eval", to="fad/fadtk", reference="real/"), pd.DataFrame)
assert_type(ce.report([run, "runs/eval"], out="report/"), Path)
assert_type(ce.load("runs/eval"), ce.RunRecord)
assert_type(ce.compare(run, "runs/new").to_frame(), pd.DataFrame)
assert_type(ce.compare("runs/old", "runs/new", ["fad<+3%"]).exit_code(strict=True), int)
assert_type(ce.compare("main", "latest", Path("gate.yaml"), history="history").to_frame(), pd.DataFrame)
assert_type(ce.embed("real/", "vggish"), ce.Embeddings)
assert_type(ce.list_metrics(), list[str])
