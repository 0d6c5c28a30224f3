"""CLIPSonic's systems in reports: names, meanings, colours, the planned tests, and the questions of the paper.

IQ: image queries; SD and PD: text queries through a diffusion prior trained in the domain or elsewhere; ZS: zero-shot
text queries. Source: H.-W. Dong et al., CLIPSonic, WASPAA 2023.
"""

from __future__ import annotations

from typing import Final

from clipsonic_eval.analysis.catalogue import ANCHORS, CONTROLS, Catalogue, Question, SystemStyle
from clipsonic_eval.reporting.statements import caveats, classes, comparisons, controls, gap, probes, spread
from clipsonic_eval.study import shift_statements, statements

IMAGES: Final = "image queries"
UNPAIRED: Final = "text queries, no text–audio pairs"
PAIRED: Final = "text queries, trained on text–audio pairs"
OTHERS: Final = "other systems"

SYSTEMS: Final = (
    SystemStyle("IQ", "the query is an image", IMAGES, "#0072B2"),
    SystemStyle("SD", "diffusion prior trained on captions and images of the audio domain", UNPAIRED, "#56B4E9"),
    SystemStyle("PD-best*", "best of {} draws of the prior by cosine to the text", UNPAIRED, "#CC79A7"),
    SystemStyle("PD-guided*", "the same prior at its own guidance {}", UNPAIRED, "#66a61e"),
    SystemStyle("PD", "diffusion prior from text to image embedding", UNPAIRED, "#009E73"),
    SystemStyle("mean-shift", "text embedding moved by the difference of the centroids", UNPAIRED, "#E69F00"),
    SystemStyle("ZS", "text embedding in place of the image embedding", UNPAIRED, "#D55E00"),
    SystemStyle("CLAP-TTA", "same network, CLAP text condition", PAIRED, "#332288"),
    SystemStyle("CLIP-TTA", "same network, CLIP text condition", PAIRED, "#882255"),
    SystemStyle("retrieval", "nearest training clip", CONTROLS, "#999933"),
    SystemStyle("real", "real audio of the test set", CONTROLS, "#000000"),
    SystemStyle("real-mel", "real audio through mel and Griffin-Lim", CONTROLS, "#4d4d4d"),
    SystemStyle("shuffled", "real audio with shuffled prompts", CONTROLS, "#7f7f7f"),
    SystemStyle("noise", "white noise", CONTROLS, "#b0b0b0"),
    *ANCHORS,
)

# Planned before any number was seen: Holm's correction is over these and no others.
PLANNED: Final = (
    ("PD", "ZS"),
    ("IQ", "PD"),
    ("IQ", "ZS"),
    ("PD", "mean-shift"),
    ("mean-shift", "ZS"),
    ("PD-best*", "PD"),
    ("PD-guided*", "PD"),
    ("SD", "PD"),
    ("ZS", "CLIP-TTA"),
    ("PD", "CLIP-TTA"),
    ("ZS", "CLAP-TTA"),
    ("PD", "CLAP-TTA"),
)

CLIPSONIC: Final = Catalogue(
    name="clipsonic",
    systems=SYSTEMS,
    groups=(IMAGES, UNPAIRED, PAIRED, OTHERS, CONTROLS),
    others=OTHERS,
    planned=PLANNED,
    sweep=(("IQ", "ZS"), ("PD-best*", "ZS"), ("PD", "ZS"), ("mean-shift", "ZS"), ("PD", "mean-shift")),
    sheet=("IQ", "PD"),
    main_variants=("toy-clip", "calibrated"),  # the CLIP that ships, under either of its names
    text_label="text (ZS)",
    sides=(("image", "IQ"), ("text", "ZS")),
    settings=(
        ("fraction", "fraction of the shift"),
        ("steps", "steps of the sampler"),
        ("candidates", "draws of the prior"),
    ),
    models=(
        ("video", "IQ"),
        ("prior-pd", "PD"),
        ("prior-sd", "SD"),
        ("clip-tta", "CLIP-TTA"),
        ("clap-tta", "CLAP-TTA"),
    ),
    headline=statements.headline,
    questions=(
        Question("Does the paper's ordering come out?", (statements.ordering_details,), "pairs"),
        Question("Does the prior do more than mean-shift?", (statements.mean_shift, statements.best_of)),
        Question(
            "What does more or less of the shift do?",
            (shift_statements.best_fraction, shift_statements.shift_or_prior),
            "against-fraction",
        ),
        Question("How far are text queries from supervised baselines?", (statements.supervised,)),
        Question("Other systems", (comparisons.read,)),
        Question("Which classes are right?", (classes.read,), "classes"),
        Question("How much of the modality gap does the prior close?", (gap.read,), "gap"),
        Question("What does the condition know?", (probes.read,), "probes"),
        Question("When does the prior help?", (statements.clip_variants,), "clip_variants"),
        Question("What do the numbers mean?", (controls.read, statements.retrieval)),
        Question("What do other training seeds say?", (spread.seeds,)),
        Question("What does guidance do?", (spread.guidance, statements.guidance_order), "guidance"),
        Question("What limits this?", (statements.toy_world, caveats.read)),
    ),
)
