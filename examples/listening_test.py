"""From folders of wavs to a table of opinions: a listening test, planned, rehearsed with made-up listeners, analysed.

Nobody listens here: `rehearse` answers in place of people, so that plan and analysis can be tried first. A real test
takes `clipsonic-eval listen build` and `serve` between the plan and the answers.
"""

# %% Data: three systems and the real recordings of twelve queries; here tones under more and more noise.
import sys
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from clipsonic_eval.listening import analysis, run_folder
from clipsonic_eval.listening.make import ListeningConfig, make
from clipsonic_eval.listening.rehearsal import rehearse
from clipsonic_eval.media.audio import write_wav
from clipsonic_eval.reporting import listening as page

wavs, rate = Path(tempfile.mkdtemp()), 8000
for name, noise in {"real": 0.0, "IQ": 0.05, "PD": 0.1, "ZS": 0.3}.items():
    for i in range(12):
        tone = 0.1 * np.sin(2 * np.pi * 100 * (i + 2) * np.arange(rate) / rate)
        sound = tone + noise * np.random.default_rng(i).standard_normal(rate) / 3
        write_wav(wavs / name / f"q{i:02d}.wav", sound.astype(np.float32), rate)
rows = "".join(f"q{i:02d},a tone of {100 * (i + 2)} Hz\n" for i in range(12))
(wavs / "prompts.csv").write_text("key,prompt\n" + rows)

# %% The plan: who hears what, which checks there are, and who will be excluded. It is fixed before the first answer.
config = ListeningConfig(
    systems={name: wavs / name for name in ("IQ", "PD", "ZS")},
    protocols=("mos-fidelity", "mos-relevance", "preference", "mushra-like"),
    reference=wavs / "real",
    prompts=wavs / "prompts.csv",
    clips=12,
    listeners=16,
)
plan, _ = make(config)
print(f"plan {plan.id}: {len(plan.trials(0))} trials for each of {plan.listeners} listeners")

# %% The answers: sixteen listeners, two of whom press any key.
answers = rehearse(plan, {"IQ": 3.8, "PD": 3.3, "ZS": 2.6}, careless=2)

# %% The analysis: opinions with intervals over listeners and queries, with the excluded listeners and without.
result = analysis.analyse(plan, answers)
out = Path(sys.argv[1]) if sys.argv[1:] else wavs / "run"
run_folder.write(result, out)
print(page.write(result, [], [], out).read_text())

# %% The figure: filled without, hollow with the excluded listeners.
plt.imshow(plt.imread(out / "figures" / "opinions.png"))
plt.axis("off")
plt.show()
