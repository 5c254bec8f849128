"""A key that the README of ARISGAN spells wrong and whose files spell it so."""

from __future__ import annotations

import warnings
from dataclasses import replace

from sensor2sensor.config.jsonc import JsonDocument

MISSPELT, RIGHT = "enfore_suffix", "enforce_suffix"


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
