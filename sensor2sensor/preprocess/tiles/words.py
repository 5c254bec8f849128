"""What options of step 40 may say: ranges, lists of names of masks and bands, pairs or none."""

from __future__ import annotations

import argparse
import logging
import math
import re
from collections.abc import Iterator
from pathlib import Path

from sensor2sensor.core.errors import InputError
from sensor2sensor.core.names import suggestion
from sensor2sensor.preprocess import shift_limit
from sensor2sensor.preprocess.inventory.options import parse_bands
from sensor2sensor.preprocess.inventory.table import Inventory
from sensor2sensor.products.bands import S2_NATIVE_RESOLUTION_M

_LOG = logging.getLogger(__name__)
_SUFFIX = re.compile(r"(?<=.)\.kml$", re.IGNORECASE)


def mask_names(text: str) -> tuple[str, ...]:
    """Names of masks from ``a,b`` (or ``a.kml,b.kml``); nothing or ``none`` for no mask.

    Raises:
        InputError: folders, or commas alone.
    """
    word = text.strip().lower()
    if word == "nomask":
        _LOG.warning("--masks %s is read as none: tiles are made without masks", text.strip())
    if word in ("", "none", "nomask"):
        return ()
    given = (name.strip() for name in text.split(","))
    names = tuple(dict.fromkeys(_SUFFIX.sub("", name) for name in given if name))
    wrong = [name for name in names if Path(name).name != name]
    if wrong or not names:
        what = f"--masks {text!r} is no list of mask names"
        raise InputError(what, hint="give names of _masks/<name>.kml, or none")
    return names


def is_below(pattern: str) -> bool:
    """Whether a pattern is of files below a folder: no absolute path, none that leaves it."""
    path = Path(pattern)
    return bool(pattern.strip()) and not path.is_absolute() and ".." not in path.parts


def target_bands(text: str | None, inventory: Inventory) -> tuple[str, ...]:
    """Target bands: those asked for, else those of the inventory.

    Raises:
        InputError: Sentinel-2 has no such band, or does not measure it at that resolution.
    """
    resolution_m = int(inventory.options["resolution_m"])
    if text is None:
        return tuple(inventory.options["bands"])
    bands = parse_bands(text)
    coarse = [band for band in bands if S2_NATIVE_RESOLUTION_M[band] > resolution_m]
    if coarse:
        told = ", ".join(f"{band} at {S2_NATIVE_RESOLUTION_M[band]} m" for band in coarse)
        what = f"--bands: the inventory is of {resolution_m} m, and Sentinel-2 measures {told}"
        raise InputError(what, hint="leave them out, or make an inventory with --resolution")
    return bands


def oversampled(text: str, masks: tuple[str, ...]) -> dict[str, float]:
    """How many times as often places inside a mask are tried, by its name; 1 is left out.

    Raises:
        InputError: it is no list of ``NAME=N``, a name is none of the masks, or N is below 1.
    """
    found: dict[str, float] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, times = (piece.strip() for piece in part.partition("="))
        name = _SUFFIX.sub("", name)
        if name in found:
            raise InputError(f"--oversample names '{name}' twice")
        try:
            found[name] = float(times)
        except ValueError:
            raise InputError(f"--oversample: '{part}' is no NAME=N", hint="as seaice=3") from None
        if name not in masks:
            known = suggestion(name, masks) if masks else "name it in --masks as well"
            raise InputError(f"--oversample: '{name}' is not among --masks", hint=known)
        if not 1.0 <= found[name] < math.inf:
            raise InputError(f"--oversample: {part} is below 1, or no number", hint="as seaice=3")
    return {name: found[name] for name in sorted(found) if found[name] > 1.0}


def check_ranges(args: argparse.Namespace) -> None:
    """Raise InputError where a value is out of its range; all of them at once."""
    if wrong := list(_wrong_values(args)):
        raise InputError(", ".join(wrong), hint="see --help")


def refuse_pairs(args: argparse.Namespace, inventory: str) -> None:
    """Raise InputError for what can do nothing without Sentinel-3: who asks for it expects it."""
    given = {
        "--max-timediff": args.max_timediff is not None,
        "--max-shift": args.max_shift is not None,
        "--correct-shift": args.correct_shift,
        "--backend snap": args.backend == "snap",
    }
    if idle := [name for name, asked in given.items() if asked]:
        what = f"{', '.join(idle)}: no meaning without Sentinel-3, of which it lists nothing"
        hint = "leave that out, or take an inventory made with --timediff"
        raise InputError(what, where=inventory, hint=hint)


def _wrong_values(args: argparse.Namespace) -> Iterator[str]:
    for name in ("tilesize", "quantity"):
        if _get(args, name) < 1:
            yield f"--{name} must be 1 or more"
    for name in ("overlap", "max-cloud", "max-nodata", "min-valid"):
        if not 0.0 <= _get(args, name) <= 1.0:
            yield f"--{name} must lie in 0..1"
    if not math.isfinite(args.cloud_mask_above):
        yield "--cloud-mask-above must be a number"
    if args.cloud_mask is None and args.cloud_mask_above != 0.0:
        yield "--cloud-mask-above has no meaning without --cloud-mask"
    if args.cloud_mask is not None and not is_below(args.cloud_mask):
        yield f"--cloud-mask {args.cloud_mask!r} must be a pattern of files below s2_root"
    if args.margin < 0:
        yield "--margin must be 0 or more"
    if args.max_timediff is not None and not 0.0 <= args.max_timediff < math.inf:
        yield "--max-timediff must be a number of hours, 0 or more"
    yield from shift_limit.wrong_values(args)
    if args.correct_shift and args.backend != "own":
        yield "--correct-shift takes other pixels than SNAP collocates: leave --backend out"


def _get(args: argparse.Namespace, name: str) -> float:
    return float(getattr(args, name.replace("-", "_")))
