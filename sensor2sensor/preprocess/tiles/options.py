"""What step 40 is asked for: scenes of an inventory, and the options that decide their tiles."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from sensor2sensor.config.environment import Environment, load_environment
from sensor2sensor.config.selection import Selection, load_selection
from sensor2sensor.core.errors import InputError
from sensor2sensor.geo.drawings import EDGES
from sensor2sensor.geo.grids import PixelWindow
from sensor2sensor.preprocess import shift_limit
from sensor2sensor.preprocess.inventory.table import Inventory, read_inventory
from sensor2sensor.preprocess.shift_limit import SHIFT_QUALITY, ShiftLimit
from sensor2sensor.preprocess.tiles.words import (
    check_ranges,
    mask_names,
    oversampled,
    refuse_pairs,
    target_bands,
)
from sensor2sensor.products import snap

VERSION = 2  # of the tiles' content and layout; raised when equal options give other files
OLD_MASK_EDGES = "great-circle"  # what options with masks and without a word of edges mean
UNKNOWN_CLOUD = ("refuse", "scene", "accept")  # the later ones let more scenes in
# Options that came later, unused: what decides nothing must not tell tiles of before apart.
_UNUSED: dict[str, Any] = {
    "min_valid": 0.0,
    "max_timediff_h": None,
    "max_shift_m": None,
    "oversample": {},
    "correct_shift": False,
    "cloud_mask": None,
    "backend": "own",  # as all was before there was a choice
}
# Words of an option without which they say nothing.
_OF = {"max_shift_m": ("shift_quality", "unknown_shift"), "cloud_mask": ("cloud_mask_above",)}


@dataclass(frozen=True)
class TileOptions:
    """Everything that decides which tiles come out of an inventory.

    Attributes:
        tile_px: edge of a tile in target pixels.
        quantity: tiles wanted per scene.
        overlap: least share of the Sentinel-2 footprint that the Sentinel-3 one covers.
        seed: of the draw.
        grid: tiles of a regular grid without overlap instead of random positions.
        max_cloud: largest share of cloudy pixels.
        max_nodata: largest share of pixels without data, and of saturated ones.
        margin_px: Sentinel-2 pixels kept around a tile.
        masks: names of masks, empty for none.
        resolution_m: of the target grid.
        bands: target bands.
        level: ``L1C`` or ``L2A``, or None for either.
        unknown_cloud: scenes without a mask of clouds: ``refuse`` or ``accept`` them, or go by the
            product's own percentage (``scene``).
        mask_edges: how edges of masks run, ``parallel`` or ``great-circle``.
        min_valid: least share of pixels with every band of both sensors, unsaturated.
        max_timediff_h: pairs whose sensors looked farther apart in time are not used; None: any.
        max_shift_m: largest shift between the sensors; None: any.
        shift_quality: with ``max_shift_m``, a shift of less quality counts as unknown.
        unknown_shift: with ``max_shift_m``, ``drop`` or ``keep`` tiles of unknown shift.
        oversample: by name of a mask, how many times as often as elsewhere places inside are tried.
        correct_shift: OLCI pixels are kept as well at the places that a sure drift says.
        backend: what collocates, ``own`` or ``snap``.
        cloud_mask: pattern of files with masks of clouds; None for the products' own.
        cloud_mask_above: with ``cloud_mask``, a pixel is cloudy where its value is larger.
    """

    tile_px: int
    quantity: int
    overlap: float
    seed: int
    grid: bool
    max_cloud: float
    max_nodata: float
    margin_px: int
    masks: tuple[str, ...]
    resolution_m: int
    bands: tuple[str, ...]
    level: str | None
    unknown_cloud: str = "refuse"
    mask_edges: str = "parallel"
    min_valid: float = 0.0
    max_timediff_h: float | None = None
    max_shift_m: float | None = None
    shift_quality: float = SHIFT_QUALITY
    unknown_shift: str = "drop"
    oversample: Mapping[str, float] = field(default_factory=dict)
    correct_shift: bool = False
    backend: str = "own"
    cloud_mask: str | None = None
    cloud_mask_above: float = 0.0

    @property
    def shift_limit(self) -> ShiftLimit | None:
        """How far the sensors may be shifted; None where the shift decides nothing."""
        return shift_limit.limit_of(self.max_shift_m, self.shift_quality, self.unknown_shift)

    @property
    def cloud_must_be_known(self) -> bool:
        """Whether a limit on clouds is asked for that a scene without a cloud mask cannot keep."""
        return self.max_cloud < 1.0 and self.unknown_cloud == "refuse"

    def as_json(self) -> dict[str, Any]:
        """The options as plain JSON values, for the manifest and for comparison."""
        plain = {key: list(v) if isinstance(v, tuple) else v for key, v in asdict(self).items()}
        # Masks were great circles before there was a choice: options of then stay what they were.
        if not self.masks or self.mask_edges == OLD_MASK_EDGES:
            del plain["mask_edges"]
        unused = {name for name, value in _UNUSED.items() if plain[name] == value}
        for name in unused:
            for word in (name, *_OF.get(name, ())):
                del plain[word]
        return {"version": VERSION, **plain}

    def deciding(self) -> dict[str, Any]:
        """What decides which tiles come first.

        How many are wanted only says where to stop, and ``unknown_cloud`` only whether to begin.
        """
        apart = ("quantity", "unknown_cloud")
        return {key: value for key, value in self.as_json().items() if key not in apart}

    def window(self, x: int, y: int) -> PixelWindow:
        """The tile whose upper-left pixel is column ``x``, row ``y``."""
        return PixelWindow(x, y, self.tile_px, self.tile_px)


@dataclass(frozen=True)
class Request:
    """What one run of step 40 was asked for.

    Attributes:
        env: where things lie.
        selection: the scenes that were reviewed.
        inventory: it was made from.
        options: of the tiles.
        verify: compare the files read with their products' checksums.
        keep: the folder's scenes that the selection lacks stay.
        force: tiles made with other options may be replaced.
        workers: processes.
    """

    env: Environment
    selection: Selection
    inventory: Inventory
    options: TileOptions
    verify: bool
    keep: bool
    force: bool
    workers: int

    @property
    def folder(self) -> Path:
        """Where its tiles go, ``_tif/<inventory>/<tilesize>``."""
        return self.env.tif_dir / self.inventory.name / str(self.options.tile_px)


def read_request(args: argparse.Namespace) -> Request:
    """Environment, selection, the inventory it names, and the options.

    Raises:
        InputError: one of them is missing or wrong.
    """
    env = load_environment(args.environment)
    selection = load_selection(args.selection, env).first(args.limit)
    inventory = read_inventory(env, selection.inventory)
    return Request(
        env=env,
        selection=selection,
        inventory=inventory,
        options=_tile_options(args, inventory),
        verify=not args.no_verify,
        # A trial removes nothing that the folder holds.
        keep=args.keep or args.limit is not None,
        force=args.force,
        workers=args.workers,
    )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of step 40 beside those every step has."""
    add = parser.add_argument_group("tiles").add_argument
    add("--selection", required=True, metavar="NAME|PATH", help="selection made after step 30")
    add(
        "--masks",
        default="none",
        metavar="A,B",
        help="KML masks by name: the files <data_root>/_masks/A.kml, B.kml; or none (default)",
    )
    add(
        "--mask-edges",
        choices=EDGES,
        default="parallel",
        help="edges of masks: straight in degrees as a GIS draws them (parallel), or great circles,"
        " as before there was a choice",
    )
    add(
        "--oversample",
        default="",
        metavar="NAME=N",
        help="of --masks: places inside are tried N times as often as others (a=3,b=10)",
    )
    add("--bands", metavar="A,B", help="target bands (those of the inventory)")
    add("--tilesize", type=int, default=256, metavar="PX", help="tile edge, pixels (256)")
    add(
        "--quantity",
        type=int,
        default=5,
        metavar="N",
        help="tiles per scene (5); more goes on from there",
    )
    add("--overlap", type=float, default=0.5, help="least overlap of the pair (0.5)")
    add(
        "--max-timediff",
        type=float,
        metavar="HOURS",
        help="pairs farther apart in time are not used (default: all of the inventory)",
    )
    add("--grid", action="store_true", help="tiles of a regular grid instead of random ones")
    add("--max-cloud", type=float, default=0.1, metavar="F", help="largest cloudy share (0.1)")
    add(
        "--unknown-cloud",
        choices=UNKNOWN_CLOUD,
        default="refuse",
        help="scenes without any cloud mask: fail (default), go by the product's own percentage"
        " (scene), or cut tiles whatever their clouds",
    )
    add(
        "--cloud-mask",
        metavar="PATTERN",
        help="rasters of clouds: '*_CLD.tif' in the product or beside it and beginning with its"
        " name, 'clouds/{name}*.tif' below s2_root (default: the products' own masks)",
    )
    above = "--cloud-mask: cloudy where its value is larger (0); 40 of a probability in per cent"
    add("--cloud-mask-above", type=float, default=0.0, metavar="X", help=above)
    add(
        "--max-nodata",
        type=float,
        default=0.0,
        metavar="F",
        help="largest share without data, and of saturated pixels (0)",
    )
    add(
        "--min-valid",
        type=float,
        default=0.0,
        metavar="F",
        help="least share of pixels that are valid in every band of both sensors (0); 1 spares"
        " step 50 what it would refuse",
    )
    shift_limit.add_arguments(add)
    add(
        "--correct-shift",
        action="store_true",
        help="keep OLCI pixels also where a drift that is sure says that they show the ground",
    )
    # Step 50's largest default factor: a last block reaches less far beyond its tile.
    add("--margin", type=int, default=30, metavar="PX", help="Sentinel-2 pixels around a tile (30)")
    add("--no-verify", action="store_true", help="skip the products' checksums")
    add(
        "--keep",
        action="store_true",
        help="keep the folder's scenes that the selection lacks (a union of several selections)",
    )
    add(
        "--backend",
        choices=("own", "snap"),
        default="own",
        help="what collocates: this package, or SNAP by esa-snappy (own)",
    )
    add("--force", action="store_true", help="replace tiles that were made with other options")


def _tile_options(args: argparse.Namespace, inventory: Inventory) -> TileOptions:
    """Options from the command line and the inventory's manifest.

    Raises:
        InputError: a value is out of its range, all of them at once; or an option asks for
            something of Sentinel-3, and the inventory is of Sentinel-2 alone.
    """
    check_ranges(args)
    masks, alone = mask_names(args.masks), inventory.sentinel2_only
    if alone:
        refuse_pairs(args, inventory.name)
    if args.correct_shift and inventory.options.get("s3_type") == "ERR":
        # What is measured of no drift was measured of full resolution: 17 pixels of 1.2 km are few.
        what = "--correct-shift: no shift is known to be sure in reduced resolution (ERR)"
        raise InputError(what, where=inventory.name, hint="leave that out")
    return TileOptions(
        tile_px=args.tilesize,
        quantity=args.quantity,
        # With nothing to overlap, whatever was given must not tell equal tiles apart.
        overlap=0.0 if alone else args.overlap,
        seed=args.seed,
        grid=args.grid,
        max_cloud=args.max_cloud,
        max_nodata=args.max_nodata,
        margin_px=args.margin,
        masks=masks,
        resolution_m=int(inventory.options["resolution_m"]),
        bands=target_bands(args.bands, inventory),
        level=inventory.options["level"],
        # Without a limit there is nothing that an unknown share could break.
        unknown_cloud="accept" if args.max_cloud == 1.0 else args.unknown_cloud,
        mask_edges=args.mask_edges,
        min_valid=args.min_valid,
        max_timediff_h=args.max_timediff,
        max_shift_m=args.max_shift,
        shift_quality=args.shift_quality,
        unknown_shift=args.unknown_shift,
        oversample=oversampled(args.oversample, masks),
        correct_shift=args.correct_shift,
        backend=_backend(args, inventory),
        cloud_mask=args.cloud_mask,
        cloud_mask_above=args.cloud_mask_above,
    )


def _backend(args: argparse.Namespace, inventory: Inventory) -> str:
    """What collocates.

    Raises:
        InputError: SNAP is asked for on another grid than its own.
        MissingExtraError: it is not there.
    """
    if args.backend == "own":
        return "own"
    resolution_m = int(inventory.options["resolution_m"])
    if resolution_m != snap.RESOLUTION_M:
        what = f"--backend snap works at {snap.RESOLUTION_M} m, {inventory.name} at {resolution_m}"
        raise InputError(what, hint="leave --backend out")
    snap.require_snap()
    return "snap"
