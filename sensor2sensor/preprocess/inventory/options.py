"""Options of step 20: what an inventory lists, and so how it is named and what it goes on with."""

from __future__ import annotations

import argparse
import math
import re
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sensor2sensor.core import cli, manifest
from sensor2sensor.core.errors import InputError, OutputExistsError
from sensor2sensor.core.names import suggestion
from sensor2sensor.preprocess.inventory.table import Inventory, csv_path, existing_inventory

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sensor2sensor.config.environment import Environment

DEFAULT_BANDS = ("B02", "B03", "B04")
# MGRS has no I and no O, which look like 1 and 0; its bands of latitude run from C to X.
_TILE = re.compile(r"T?(\d{2}[C-HJ-NP-X][A-HJ-NP-Z]{2})", re.IGNORECASE)
_MAX_WINDOW_H = 24.0 * 366
_COARSEST_M = 1000


def hours_label(timediff_h: float) -> str:
    """The shortest decimal that means exactly this number: 10.0 → `10h`, 2.5 → `2.5h`."""
    return f"{np.format_float_positional(timediff_h, trim='-')}h"


def inventory_name(
    tile: str,
    timediff_h: float | None,
    *,
    level: str | None = None,
    resolution_m: int = 10,
    s3_type: str | None = "EFR",
    bands: Sequence[str] = DEFAULT_BANDS,
) -> str:
    """`inv_T17XNA_10h`, or `inv_T17XNA_s2` where Sentinel-2 is listed alone.

    What differs from the defaults follows: `inv_T17XNA_10h_L2A_20m_ERR_B02-B8A`.
    """
    window = "s2" if timediff_h is None else hours_label(timediff_h)
    resolution = None if resolution_m == 10 else f"{resolution_m}m"
    pixels = None if s3_type in (None, "EFR") else s3_type
    shown = None if tuple(bands) == DEFAULT_BANDS else "-".join(bands)
    return "_".join(filter(None, ("inv", tile, window, level, resolution, pixels, shown)))


@dataclass(frozen=True)
class Options:
    """What an inventory lists; `timediff_h` and `s3_type` are None for Sentinel-2 alone."""

    tile: str
    timediff_h: float | None
    level: str | None
    resolution_m: int
    bands: tuple[str, ...]
    s2_only: bool
    s3_type: str | None

    @property
    def name(self) -> str:
        """Name of the inventory: what was asked for other than the defaults is in it."""
        return inventory_name(
            self.tile,
            self.timediff_h,
            level=self.level,
            resolution_m=self.resolution_m,
            s3_type=self.s3_type,
            bands=self.bands,
        )

    @property
    def window(self) -> timedelta | None:
        """Largest distance in time of the two sensors over the tile."""
        return None if self.timediff_h is None else timedelta(hours=self.timediff_h)

    def as_json(self) -> dict[str, Any]:
        """The options as they stand in the manifest."""
        return {**asdict(self), "bands": list(self.bands)}

    def differences(self, there: Mapping[str, Any]) -> list[str]:
        """How an inventory's options differ; a level one of them leaves open fits any."""
        level = self.level or there["level"]
        asked = replace(self, level=level).as_json()
        return manifest.differences({**there, "level": there["level"] or level}, asked)

    def name_among(self, env: Environment) -> str:
        """The inventory's name; that of one named without its options is gone on with."""
        if csv_path(env.inventory_dir, self.name).is_file():
            return self.name
        # Names that versions which left some of these options out would have given it.
        bands, plain = replace(self, bands=DEFAULT_BANDS), (self.tile, self.timediff_h)
        for older in (bands.name, inventory_name(*plain)):
            try:
                there = existing_inventory(env, older).options
                if there and not self.differences(there):
                    return older
            except (InputError, KeyError):  # damaged, and not known to be of these options
                continue
        return self.name

    def agreed_with(self, old: Inventory, place: Path) -> Options:
        """The options, with the level of the inventory that is there unless another was asked for.

        Raises:
            OutputExistsError: It was made with other options.
        """
        there = old.options
        if not there or not old.rows:  # an empty one of earlier versions binds nobody
            return self
        agreed = self
        if self.level is None or there["level"] is None:
            agreed = replace(self, level=self.level or there["level"])
        if other := agreed.differences(there):
            # Names carry every option, but those of earlier versions did not.
            hint = "an earlier version named it without these options: move its .csv and .json away"
            raise OutputExistsError("; ".join(other), where=place, hint=hint)
        return agreed


def arguments_parser(doc: str) -> argparse.ArgumentParser:
    """The command line of step 20."""
    parser = cli.parser(doc, prog="20_create_inventory.py", steps=True, seed=False)
    add = parser.add_argument
    add("--tile", required=True, help="MGRS tile, for example T17XNA")
    add("--timediff", type=float, metavar="HOURS", help="largest distance in time, may be 2.5")
    add("--s2-only", action="store_true", help="list Sentinel-2 alone")
    add("--level", choices=("L1C", "L2A"), help="needed where the archive holds both")
    what = "metres (default 10): 10, 20, 60, or what reduced copies have"
    add("--resolution", type=int, default=10, metavar="M", help=what)
    default = ",".join(DEFAULT_BANDS)
    add("--bands", default=default, help=f"bands a product must have (default {default})")
    add("--s3-type", default="EFR", choices=("EFR", "ERR"), help="OLCI resolution (default EFR)")
    add("--verify", action="store_true", help="also compare files with the products' checksums")
    return parser


def parse_options(args: argparse.Namespace) -> Options:
    """Options of the command line; InputError says what cannot be."""
    return Options(
        tile=parse_tile(args.tile),
        timediff_h=_hours(args.timediff, args.s2_only),
        level=args.level,
        resolution_m=_resolution(args.resolution),
        bands=parse_bands(args.bands),
        s2_only=args.s2_only,
        s3_type=None if args.s2_only else args.s3_type,
    )


def parse_tile(text: str) -> str:
    """`17xna` and `T17XNA` → `T17XNA`; InputError for anything that is no tile."""
    found = _TILE.fullmatch(text.strip())
    if not found:
        raise InputError(f"--tile '{text}' is no MGRS tile", hint="give one like T17XNA")
    return f"T{found.group(1).upper()}"


def _hours(timediff: float | None, s2_only: bool) -> float | None:
    if s2_only:
        if timediff is not None:
            raise InputError("--timediff has no meaning with --s2-only", hint="give one of them")
        return None
    if timediff is None:
        raise InputError("--timediff is missing", hint="give hours, or --s2-only")
    if not (math.isfinite(timediff) and 0 < timediff <= _MAX_WINDOW_H):
        raise InputError(f"--timediff {timediff} is no window", hint="give hours above 0")
    return timediff


def _resolution(metres: int) -> int:
    if not 1 <= metres <= _COARSEST_M:
        hint = "products have 10, 20 and 60 m"
        raise InputError(f"--resolution {metres} is no size of pixels", hint=hint)
    return metres


def parse_bands(text: str) -> tuple[str, ...]:
    """Names of Sentinel-2 bands from `B02,B03`; InputError for others, and for one named twice."""
    from sensor2sensor.products.bands import S2_WAVELENGTHS_NM

    bands = cli.comma_list(text)
    for band in bands:
        if band not in S2_WAVELENGTHS_NM:
            hint = suggestion(band, S2_WAVELENGTHS_NM)
            raise InputError(f"--bands: no Sentinel-2 band '{band}'", hint=hint)
    if len(set(bands)) < len(bands):
        raise InputError(f"--bands {text} names a band twice")
    return bands
