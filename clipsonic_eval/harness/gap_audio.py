"""A folder of audio and its prompts as the two sides of a modality gap."""

from __future__ import annotations

from clipsonic_eval.checks.evaluation import check_set
from clipsonic_eval.encoders import Encoder
from clipsonic_eval.errors import UserError
from clipsonic_eval.harness.audio_sets import system_set
from clipsonic_eval.harness.cache import usable_cache
from clipsonic_eval.harness.embedder import Embedder
from clipsonic_eval.harness.gap_config import Features, GapConfig
from clipsonic_eval.harness.gap_text import check_text, load_text_encoder, read_prompts
from clipsonic_eval.progress import Progress
from clipsonic_eval.types import Embeddings

_ROLE = "audio_text"


def read_audio(config: GapConfig, progress: Progress, given: Encoder | None) -> Features:
    """Pair each clip of a folder with its prompt.

    Raises:
        UserError: there is no encoder, no prompt, or no usable clip.
    """
    encoder = load_text_encoder(config, given, "toy-clap")
    asked, unread = read_prompts(config, progress)
    audio = system_set("audio", config.source, None if asked is None else asked.keys())
    for note in audio.notes:
        progress.note(note)
    prompts = asked or {key: query.prompt for key, query in audio.queries.items()}
    if not prompts:
        raise UserError(f"{config.source}: there are no prompts; give --prompts CSV")
    embedder = Embedder({_ROLE: encoder}, cache=usable_cache(config.cache))
    embedded = embedder.embed(audio, [_ROLE], progress=progress)
    keys = tuple(k for k in embedded.keys if k in prompts)
    text = Embeddings(encoder.text([prompts[k] for k in keys]), keys, "text", encoder.card)
    found = (*check_text(config, encoder, prompts), *check_set(embedded.levels, embedded.spaces))
    return Features(embedded.spaces[_ROLE], text, skipped=(*unread, *embedded.skipped), findings=found)
