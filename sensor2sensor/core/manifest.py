"""What a step did, in a form that can be compared: fingerprints and differences of options."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def fingerprint(obj: Any) -> str:
    """``sha256:<hex>`` of the canonical JSON of ``obj``; equal objects give equal fingerprints."""
    text = json.dumps(obj, sort_keys=True, separators=(",", ":"), allow_nan=False, default=str)
    return "sha256:" + hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def file_fingerprint(path: Path) -> dict[str, int]:
    """The cheap identity of an input file: size in bytes and modification time in nanoseconds."""
    stat = Path(path).stat()
    return {"size": stat.st_size, "mtime_ns": stat.st_mtime_ns}


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """One phrase for each key that differs: ``tilesize: 256 (there) against 64 (asked)``.

    Keys of mappings within are named with dots: ``gen_loss.gen_l1``.
    """
    absent = "nothing"
    old, new = flat(old), flat(new)
    return [
        f"{key}: {old.get(key, absent)} (there) against {new.get(key, absent)} (asked)"
        for key in [*old, *(key for key in new if key not in old)]
        if old.get(key, absent) != new.get(key, absent)
    ]


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one, their keys joined by dots; an empty one is a value."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            found |= flat(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = value
    return found
