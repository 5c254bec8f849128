"""Keys of others' files: one that ARISGAN's README spells wrong, and options that are none here."""

from __future__ import annotations

import warnings
from dataclasses import replace

from sensor2sensor.config.jsonc import JsonDocument

MISSPELT, RIGHT = "enfore_suffix", "enforce_suffix"
# Keys of environment.json that are looked for in an experiment, since they are about its training.
_OF_THE_MACHINE = (
    "sample_freq", "ckpt_freq", "log_freq", "histograms", "csv", "tracking", "tracking_names",
    "max_shuffle_buffer", "require_gpu", "data_root", "models_root",
)  # fmt: skip
# By name, what is to be said instead.
FOREIGN = {
    "schedule_decay": '"optimizer": "nadam_keras2" has it, at 0.004 as Keras 2 had',
    **dict.fromkeys(_OF_THE_MACHINE, "it is one of environment.json (or --environment FILE)"),
}


def mended(document: JsonDocument) -> JsonDocument:
    """The document with the key as it is spelled here; a warning names the line."""
    if MISSPELT not in document.data or RIGHT in document.data:
        return document
    line = document.line_of((MISSPELT,))
    warnings.warn(
        f"{document.path}:{line} {MISSPELT}: read as {RIGHT}; mend the spelling", stacklevel=2
    )
    data = {RIGHT if key == MISSPELT else key: value for key, value in document.data.items()}
    return replace(document, data=data)
