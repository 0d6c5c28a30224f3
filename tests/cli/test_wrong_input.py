"""Wrong input of every command: exit code 2, one sentence on stderr, nothing on stdout, and nothing is written."""

from __future__ import annotations

import shlex
from pathlib import Path

import fake_encoders
import numpy as np
import pytest
from click.testing import CliRunner

from clipsonic_eval.cli import main
from clipsonic_eval.media.audio import write_wav

MINE = """
import numpy as np
class Mine:
    name, sample_rate = "mine", 8000
    def generate(self, queries, seeds):
        return [np.full(8, 0.5, np.float32) for _ in queries]
class Nothing:
    pass
def train(config, out):
    return out
"""
EVALUATE = "evaluate --out out --system a=wavs --reference real"
EXPLAIN = "explain --out out --system a=wavs --reference real --from fad/clipsonic-eval"


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two folders of wavs, an empty one, tables, settings, features and a system; nothing changes them."""
    root = tmp_path_factory.mktemp("inputs")
    for name in ("wavs", "real"):
        for i in range(4):
            write_wav(root / name / f"q{i}.wav", fake_encoders.tone(300 * (i + 1), i, 0.05), fake_encoders.RATE)
    (root / "empty").mkdir()
    (root / "empty.csv").write_text("")
    (root / "q.csv").write_text("key,prompt\n" + "".join(f"q{i},a bell\n" for i in range(4)))
    (root / "text.txt").write_text("hello")
    (root / "bad.yaml").write_text("seed: [1,")
    (root / "list.yaml").write_text("- 1\n")
    (root / "mine.py").write_text(MINE)
    (root / "out.yaml").write_text("out: model\n")
    (root / "number.yaml").write_text("trainer: 3\nout: model\n")
    (root / "nowhere.yaml").write_text("trainer: nowhere:train\nout: model\n")
    (root / "class.yaml").write_text("trainer: mine.py:Mine\nout: model\n")
    (root / "short.yaml").write_text("trainer: mine.py:train\nout: model\n")
    (root / "placeless.yaml").write_text("trainer: clipsonic.training.audio:train\n")
    points = np.random.default_rng(0).standard_normal((40, 4))
    np.savez(root / "f.npz", image=points, text=points[::-1])
    np.savez(root / "few.npz", image=points[:3], text=points[:3])
    np.savez(root / "keyless.npz", vectors=points)
    np.savez(root / "wide.npz", keys=np.array([str(i) for i in range(40)]), vectors=np.zeros((40, 5)))
    return root


def files(root: Path) -> set[str]:
    return {path.relative_to(root).as_posix() for path in root.rglob("*") if "__pycache__" not in path.parts}


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("prepare nowhere --out out", "nowhere: no such folder"),
        ("prepare text.txt --out out", "text.txt: is a file"),
        ("prepare empty --out out", "empty: no media files"),
        ("prepare wavs --out out --dataset vgsound", "Did you mean 'vggsound'?"),
        ("prepare wavs --out out --dataset vggsound", "wavs/vggsound.csv: no such file"),
        ("prepare wavs --out out --dataset manifest --csv nowhere.csv", "nowhere.csv: no such file"),
        ("prepare wavs --out out --dataset music", "wavs: holds none of MUSIC_solo_videos.json"),
        (
            "prepare wavs --out out --dataset audiocaps",
            "wavs: holds none of train.csv, val.csv, test.csv; give the list",
        ),
        ("prepare wavs --out out --dataset wavcaps --split test", "no row names a split; leave --split out"),
        ("prepare wavs --out out --dataset webdataset", "wavs: holds no .tar; SOURCE is a folder of tars, or one"),
        ("prepare text.txt --out out --dataset webdataset", "text.txt: holds no .tar"),
        ("prepare wavs --out out --dataset parquet", "wavs: holds no .parquet; SOURCE is a folder of tables, or one"),
        ("prepare text.txt --out out --dataset parquet", "text.txt: not readable as Parquet"),
        ("prepare wavs --out out --dataset audiofolder", "holds no metadata.csv or metadata.jsonl or metadata.parquet"),
        ("leaks nowhere wavs", "nowhere: no folder of prepared clips; make one with: clipsonic-eval prepare"),
        ("leaks wavs wavs", "a folder is given twice; give folders that should have nothing in common"),
        ("prepare wavs --out out --config nowhere.yml", "nowhere.yml: no such file; give a YAML file of settings"),
        ("prepare wavs --out out --config bad.yaml", "bad.yaml: not readable as YAML"),
        ("prepare wavs --out out --config list.yaml", "list.yaml: the top level must be a mapping"),
        ("prepare wavs --out out --set duration_s=-1", "need 0 < min_s <= duration_s"),
        ("prepare wavs --out out --set duration=3", "unknown key 'duration'. Did you mean 'duration_s'?"),
        ("prepare wavs --out out --set duration_s", "--set duration_s: expected KEY=VALUE"),
        ("prepare wavs --out out --set image_encoder=toy-clop", "Did you mean 'toy-clip'?"),
        ("prepare wavs --out out --set sample_rate=0", "sample_rate 0: Hz between 1000 and 384000"),
        ("prepare wavs --out out --set item_limit_s=0", "item_limit_s and item_limit_gib must be above 0"),
        ("prepare wavs --out out --set gpus_per_task=1.5", "gpus_per_task 1.5: a share of one GPU"),
        ("prepare wavs --out out --set engine=spark", "'spark' is not one of 'local', 'ray'"),
        ("prepare wavs --out out --prompts nowhere.csv", "nowhere.csv: no such file"),
        ("prepare wavs --out out --prompts empty.csv", "empty.csv: the file is empty"),
        ("prepare wavs --out out --split test", "no row names a split"),
        ("embed nowhere --encoder toy-audio", "nowhere: no such folder; give a folder of audio or of prepared clips"),
        ("embed empty --encoder toy-audio", "empty: no media files"),
        ("embed wavs --encoder toy-adio", "unknown encoder 'toy-adio'. Did you mean 'toy-audio'?"),
        ("embed wavs --encoder toy-audio --weights w.pt", "--weights w.pt: expected NAME=FILE"),
        ("embed wavs --encoder toy-audio --weights toy-adio=w.pt", "Did you mean 'toy-audio'?"),
        ("embed wavs --encoder toy-audio --weights toy-audio=w.pt", "w.pt: no such weight file"),
        ("embed wavs --encoder toy-audio --device gpu", "device 'gpu' is not known; use auto, cpu or cuda"),
        ("embed wavs --encoder toy-audio --statistics s.txt", "s.txt: statistics are written as .npz"),
        ("embed wavs --encoder toy-audio --statistics s.npz --shard 1/2", "name one encoder and no share"),
        ("evaluate --out out", "no system to evaluate; give at least one NAME=FOLDER"),
        ("evaluate --out out --system a=nowhere", "nowhere: no such folder; system 'a' needs a folder with"),
        ("evaluate --out out --system a=q.csv", "q.csv: is a file; system 'a' needs a folder with a <key>.wav"),
        ("evaluate --out out --system a=empty", "empty: no audio here"),
        (
            "evaluate --out out --system a=wavs",
            "no metric can be computed: clap_score: there are no prompts; give --prompts CSV; class_accuracy: no query "
            "has a label; give --prompts CSV with a column label; fad: no reference set; give --reference FOLDER",
        ),
        ("evaluate --out out --system a=wavs --metric fad", "fad cannot be computed: no reference set"),
        (f"{EVALUATE} --system a=real", "--system a=real: 'a' was given already"),
        (f"{EVALUATE} --system real=wavs --real real", "system 'real' is given and also asked to be made"),
        (f"{EVALUATE} --system a/b=wavs", "system name 'a/b': use letters, digits"),
        (f"{EVALUATE} --control nose", "'nose' is not one of 'shuffled', 'noise', 'halves'"),
        (f"{EVALUATE} --pair a", "pair 'a': expected A:B"),
        (f"{EVALUATE} --pair a:b", "unknown system to compare with 'b'. Known: a."),
        (f"{EVALUATE} --baseline b", "unknown system to compare with 'b'. Known: a."),
        (f"{EVALUATE} --encoder toy-audio", "--encoder toy-audio: expected ROLE=NAME"),
        (
            f"{EVALUATE} --weights vggish=w.pth",
            "'vggish' is an encoder; encoders and weights are given by role, as --enc",
        ),
        (f"{EVALUATE} --encoder adio=toy-audio", "unknown role of an encoder 'adio'. Did you mean 'audio'?"),
        (f"{EVALUATE} --encoder audio=toy-adio", "unknown encoder 'toy-adio'. Did you mean 'toy-audio'?"),
        (f"{EVALUATE} --weights audio=w.pt", "w.pt: no such weight file"),
        (f"{EVALUATE} --weights fad/fadkt=w.pt --metric fad/fadtk", "Did you mean 'fad/fadtk'?"),
        (f"{EVALUATE} --tag test", "--tag test: expected KEY=VALUE"),
        (f"{EVALUATE} --config bad.yaml", "bad.yaml: not readable as YAML"),
        (f"{EVALUATE} --prompts empty.csv", "empty.csv: the file is empty"),
        (f"{EVALUATE} --metric fad/fadkt", "unknown convention 'fad/fadkt'. Did you mean 'fad/fadtk'?"),
        (f"{EVALUATE} --metric gap_closed", "gap_closed is a statistic of the modality gap"),
        (f"{EVALUATE} --set n_permutations=0", "n_bootstrap and n_permutations must be at least 20"),
        (f"{EVALUATE} --set seed=0.5", "evaluate.seed: expected int, got 0.5"),
        ("explain --out out --from fad/clipsonic-eval --to fad/fadtk", "error: explain: give at least one system"),
        (f"{EXPLAIN} --to fad/fadkt", "unknown convention 'fad/fadkt'. Did you mean 'fad/fadtk'?"),
        (f"{EXPLAIN} --to fad/fadtk --weights vgish=w.pt", "Did you mean 'vggish'?"),
        (f"{EXPLAIN} --to fad/fadtk --set n_bootstrap=few", "explain.n_bootstrap: expected int, got 'few'"),
        (f"{EXPLAIN} --to fad/fadtk --set n_bootstrap=3", "must be at least 20"),
        ("gap nowhere --out out", "nowhere: neither prepared clips, nor a file of features"),
        ("gap text.txt --out out", "text.txt: not readable as arrays without pickles"),
        ("gap keyless.npz --out out", "needs the arrays 'image' and 'text', each (n, d); found: vectors"),
        ("gap f.npz --out out --prior PD", "--prior PD: expected NAME=FILE"),
        ("gap f.npz --out out --prior PD=nowhere.npz", "nowhere.npz: no such file"),
        ("gap f.npz --out out --prior PD=keyless.npz", "needs the arrays 'keys' (n,) and 'vectors' (n, d)"),
        ("gap f.npz --out out --prior PD=wide.npz", "must be floating point of shape (n, 4)"),
        ("gap f.npz --out out --set n_boot=30", "unknown key 'n_boot'. Did you mean 'n_bootstrap'?"),
        ("gap f.npz --out out --config list.yaml", "list.yaml: the top level must be a mapping"),
        ("gap wavs --out out", "wavs: the prompts must be embedded; name an encoder"),
        ("gap wavs --out out --encoder toy-clap", "wavs: there are no prompts; give --prompts CSV"),
        ("gap empty --out out --encoder toy-clap --prompts q.csv", "empty: no audio here"),
        ("report nowhere --out out", "nowhere: no such run"),
        ("report empty --out out", "empty: no record.json here or below"),
        ("report text.txt --out out", "text.txt: not readable as JSON"),
        ("report wavs --out out --select guidance", "--select guidance: expected TAG=VALUE"),
        ("report wavs --out out --venue nature", "unknown venue 'nature'. Known: acm, icassp, ieee"),
        ("sample mine.py:Mine --queries nowhere.csv --out out", "nowhere.csv: no such file"),
        ("sample mine.py:Mine --queries empty.csv --out out", "empty.csv: the file is empty"),
        ("sample mine.py:Mine --queries q.csv --out out --set level=2", "mine.py:Mine: unknown key 'level'"),
        ("sample mine.py:Nothing --queries q.csv --out out", "'mine.py:Nothing' is not a system: it lacks"),
        ("sample mine.py:Mina --queries q.csv --out out", "Did you mean 'Mine'?"),
        ("sample gone.py:Mine --queries q.csv --out out", "gone.py: no such file"),
        ("sample nowhere --queries q.csv --out out", "'nowhere': neither a folder of wavs nor MODULE:CLASS"),
        ("sample empty --queries q.csv --out out", "empty: no .wav file here"),
        ("train nowhere.yml", "nowhere.yml: no such file"),
        ("train bad.yaml", "bad.yaml: not readable as YAML"),
        ("train out.yaml", "out.yaml: key 'trainer' is required"),
        ("train number.yaml", "number.yaml: key 'trainer' is required"),
        ("train nowhere.yaml", "'nowhere:train': no module named 'nowhere'"),
        ("train class.yaml", "mine.py:Mine: is no trainer; name a function train(config, out, progress)"),
        ("train short.yaml", "mine.py:train: is no trainer"),
        ("train placeless.yaml", "placeless.yaml: where should the model go? Give --out or the key 'out'"),
        ("demo --out out --set audio_steps=many", "audio_steps: expected int, got 'many'"),
        ("demo --out out --set train_seeds=[0,0]", "train_seeds must be at least one number, none twice"),
        ("demo --out out --set guidance_scales=[0.5]", "guidance_scales must be at least one number, none below 1"),
        ("demo --out out --set world.videos=none", "world.videos: expected int, got 'none'"),
        ("bench mine.py:Mine --out out --grid batch", "--grid batch: expected KEY=VALUE,VALUE"),
        ("bench mine.py:Mine --out out --grid batch=1,1", "--grid batch: a value stands twice"),
        ("bench mine.py:Mine --out out --set batch=1 --grid batch=2", "given by --set and by --grid; keep one"),
        ("bench mine.py:Mine --out out --queries nowhere.csv", "nowhere.csv: no such file"),
        ("bench mine.py:Mine --out out --against mine.py:Mine", "'mine.py:Mine' stands twice; give each a name"),
        ("bench A=mine.py:Mine fad --out out --against fad2=fad", "interleaved are exactly two targets"),
        ("compare nowhere away --limit fad<+3%", "nowhere: no such run"),
        ("compare nowhere away --limit fad<3%", "limits bound the change and not the value; write the sign, +3%"),
        ("compare nowhere away --gate nowhere.yaml", "nowhere.yaml"),
        ("compare main latest --history nowhere --limit fad<+3%", "nowhere: no history here"),
        ("history check --limit fad<+3%", "no baseline; give --baseline NAME"),
        ("history check --baseline main", "no limits, so nothing would be checked"),
        ("listen build nowhere --out out", "nowhere: no such file; `listen plan` writes it"),
        ("listen build nowhere --out out --title ' '", "title: is empty"),
        ("listen serve nowhere", "nowhere: no such folder; give one that `listen build` wrote"),
        ("listen serve wavs", "wavs/stimuli.csv: no such file; `listen build` writes it"),
        ("listen collect empty", "empty/stimuli.csv: no such file; `listen build` writes it"),
        ("listen plan --out out", "no systems; give --system NAME=FOLDER for each"),
        ("listen plan --system a=nowhere --out out", "nowhere: no such folder"),
        ("listen plan --system a=wavs --protocol mos --out out", "unknown protocol 'mos'"),
        ("listen plan --system a=wavs --pilot q.csv --out out", "give the plan of these answers with --pilot-plan"),
        ("listen plan --system a=wavs --set rules.traps=1 --out out", "unknown check or rule 'traps'"),
        ("listen simulate nowhere --out a.csv", "nowhere: no such file; `listen plan` writes it"),
        ("listen analyse q.csv --plan nowhere --out out", "nowhere: no such file; `listen plan` writes it"),
        ("listen analyse q.csv --plan list.yaml --out out", "list.yaml: not readable as JSON"),
        ("calibrate listening --out out --repeats 1", "repeats must be at least 2"),
        ("sweep --out out --only narow", "unknown CLIP variant 'narow'. Did you mean 'narrow'?"),
        ("sweep --out out --set study=3", "study: expected a section of keys, got 3"),
        ("toy-encoders train --out out --only toy-clop", "unknown toy encoder 'toy-clop'. Did you mean"),
        ("toy-encoders train --out out --set clip.stps=3", "unknown key 'stps'. Did you mean 'steps'?"),
        ("toy-encoders show --weights nowhere", "nowhere: no such weight file"),
        ("calibrate intervals --out out --metric fda", "unknown metric 'fda'. Did you mean 'fad'?"),
        (
            "calibrate intervals --out out --metric separability",
            "no population is simulated for metrics of role 'paired'",
        ),
        (
            "calibrate intervals --out out --n 1",
            "error: calibrate intervals: repeats, truth_repeats and every n must be at least 2",
        ),
        ("calibrate gate --out out --repeats 1", "repeats, power_repeats and influence_repeats must be at least 2"),
        ("calibrate intervals --out out --set n_bootstrap=3", "n_bootstrap and n_permutations must be at least 20"),
    ],
)
def test_wrong_input_is_one_sentence_and_changes_nothing(
    line: str, sentence: str, inputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(inputs)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))  # the cache of embeddings may be made
    before = files(inputs)
    done = CliRunner().invoke(main, shlex.split(line))
    assert done.exit_code == 2, done.output
    assert done.stdout == ""
    assert sentence in done.stderr
    assert done.stderr.startswith("error: ")
    assert len(done.stderr.splitlines()) == 1
    assert files(inputs) == before


def test_too_few_pairs_are_said_after_what_was_read(
    inputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(inputs)
    done = CliRunner().invoke(main, ["gap", "few.npz", "--out", str(tmp_path / "out")])
    assert done.exit_code == 2
    assert done.stdout == ""
    assert done.stderr.splitlines()[-1].startswith("error: 3 keys are common to the 2 sets")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("nowhere", "No such command 'nowhere'"),
        ("--threads 0 ls", "0 is not in the range x>=1"),
        ("prepare", "Missing argument 'SOURCE'"),
        ("prepare wavs", "Missing option '--out'"),
        ("prepare wavs --out out --shard 0/2", "'0/2': expected I/N with I from 1 to N, e.g. 1/4"),
        ("prepare wavs --out out --shard half", "'half': expected I/N"),
        ("prepare wavs --out out --workers -1", "-1 is not in the range x>=0"),
        ("embed --encoder toy-audio", "Missing argument 'FOLDERS...'"),
        ("embed wavs", "Missing option '--encoder'"),
        ("embed wavs --encoder toy-audio --batch-size 0", "0 is not in the range x>=1"),
        ("evaluate --system a=wavs", "Missing option '--out'"),
        (f"{EVALUATE} --seed one", "'one' is not a valid integer"),
        (f"{EVALUATE} --sytem b=wavs", "No such option"),
        (EXPLAIN, "Missing option '--to'"),
        ("gap --out out", "Missing argument 'SOURCE'"),
        ("report --out out", "Missing argument 'RUNS...'"),
        ("sample mine.py:Mine --out out", "Missing option '--queries'"),
        ("sample mine.py:Mine --queries q.csv --out out --seed one", "'one' is not a valid integer"),
        ("train", "Missing argument 'CONFIG'"),
        ("demo --seeds 0", "0 is not in the range x>=1"),
        ("toy-encoders nowhere", "No such command 'nowhere'"),
        ("toy-encoders train", "Missing option '--out'"),
        ("calibrate intervals --n many", "'many' is not a valid integer"),
        ("ls metric", "'metric' is not one of 'encoders', 'metrics', 'conventions', 'datasets', 'systems'"),
    ],
)
def test_a_wrong_option_is_answered_with_the_usage(
    line: str, sentence: str, inputs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(inputs)
    before = files(inputs)
    done = CliRunner().invoke(main, shlex.split(line))
    assert done.exit_code == 2
    assert done.stdout == ""
    assert done.stderr.startswith("Usage: ")
    assert sentence in done.stderr
    assert files(inputs) == before
