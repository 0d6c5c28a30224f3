"""The text side of a modality gap: an encoder, the prompts, and checks of both."""

from __future__ import annotations

from collections.abc import Mapping

from clipsonic_eval.checks.evaluation import check_prompts, check_world
from clipsonic_eval.encoders import Encoder
from clipsonic_eval.errors import ConfigError
from clipsonic_eval.harness.gap_config import GapConfig
from clipsonic_eval.harness.queries import read_queries
from clipsonic_eval.harness.resolve import load_encoder
from clipsonic_eval.progress import Progress
from clipsonic_eval.types import Finding, Skip


def load_text_encoder(config: GapConfig, given: Encoder | None, example: str) -> Encoder:
    """Return the encoder of the prompts: the one that is given, or else the one that the configuration names.

    Raises:
        ConfigError: there is neither; ``example`` names one that would do.
    """
    if given is not None:
        return given
    if config.encoder is None:
        raise ConfigError(f"{config.source}: the prompts must be embedded; name an encoder, e.g. --encoder {example}")
    return load_encoder(config.encoder, config.weights, device=config.device)


def read_prompts(config: GapConfig, progress: Progress) -> tuple[dict[str, str] | None, tuple[Skip, ...]]:
    """Return the prompts of the table by key, None without a table, and its rows that could not be used.

    Raises:
        UserError: the table cannot be read, or has several prompts for a key.
    """
    if config.prompts is None:
        return None, ()
    asked = read_queries(config.prompts)
    asked.show_notes(progress)
    single = asked.single(config.prompts, "keep one row for each key")
    return {q.key: q.prompt for q in single}, asked.skipped


def check_text(config: GapConfig, encoder: Encoder, prompts: Mapping[str, str]) -> tuple[Finding, ...]:
    """Return the findings on the prompts, and on an encoder that does not know the world of the source."""
    return (*check_world([encoder.card], [config.source]), *check_prompts(encoder, prompts))
