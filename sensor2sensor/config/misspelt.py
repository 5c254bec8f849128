"""Keys of others' files: one that ARISGAN's README spells wrong, and options that are none here."""

from __future__ import annotations

import logging
from dataclasses import replace
from functools import cache

from sensor2sensor.config.jsonc import JsonDocument

MISSPELT, RIGHT = "enfore_suffix", "enforce_suffix"
# Keys of environment.json that are looked for in an experiment, since they are about its training.
_OF_THE_MACHINE = (
    "sample_freq", "ckpt_freq", "log_freq", "histograms", "csv", "tracking", "tracking_names",
    "max_shuffle_buffer", "require_gpu", "data_root", "models_root", "cache", "cache_gib",
    "cache_dir", "parallel_reads",
)  # fmt: skip
# By name, what is to be said instead.
FOREIGN = {
    "schedule_decay": '"optimizer": "nadam_keras2" has it, at 0.004 as Keras 2 had',
    **dict.fromkeys(_OF_THE_MACHINE, "it is one of environment.json (or --environment FILE)"),
}


_LOG = logging.getLogger(__name__)


def mended(document: JsonDocument) -> JsonDocument:
    """The document with the key as it is spelled here; a warning names the line."""
    if MISSPELT not in document.data or RIGHT in document.data:
        return document
    _say(f"{document.path}:{document.line_of((MISSPELT,))} {MISSPELT}")
    data = {RIGHT if key == MISSPELT else key: value for key, value in document.data.items()}
    # In the text too: what is wrong with its value is told with its line.
    text = document.text.replace(f'"{MISSPELT}"', f'"{RIGHT}"', 1)
    return replace(document, data=data, text=text)


@cache
def _say(place: str) -> None:
    """Warn once a run: a file is read more than once in it."""
    _LOG.warning("%s: read as %s; mend the spelling", place, RIGHT)
