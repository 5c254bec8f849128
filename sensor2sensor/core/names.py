"""Answering a misspelt name with the nearest valid one."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

ALIKE = 0.5  # share of letters in common, from which on a name is near


def nearest(name: str, candidates: Iterable[str], alike: float = ALIKE) -> str | None:
    """The candidate most like ``name`` (case ignored), or None if none is near.

    Args:
        name: What was written.
        candidates: What could have been meant.
        alike: Share of letters in common that is asked for, 0 to 1.
    """
    by_lower = {candidate.lower(): candidate for candidate in candidates}
    # By letters alone B2 is nearer to B12 than to B02.
    as_numbers = {_unpadded(one): candidate for one, candidate in by_lower.items()}
    if (same := as_numbers.get(_unpadded(str(name).lower()))) is not None:
        return same
    found = difflib.get_close_matches(str(name).lower(), by_lower, n=1, cutoff=alike)
    return by_lower[found[0]] if found else None


def _unpadded(name: str) -> str:
    return re.sub(r"(?<!\d)0+(?=\d)", "", name)


def suggestion(name: str, candidates: Iterable[str]) -> str:
    """``nearest: 'x'`` where one is near, otherwise the list of valid names."""
    valid = sorted(candidates)
    near = nearest(name, valid)
    if near is not None:
        return f"nearest: '{near}'"
    return f"valid: {', '.join(valid)}" if valid else "there is none to choose from"
