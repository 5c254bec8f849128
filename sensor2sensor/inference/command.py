"""What predict.py and s2s predict share: options, and one product after the other."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sensor2sensor.core.cli import comma_list, positive, say
from sensor2sensor.core.errors import InputError, OutputExistsError, Sensor2SensorError
from sensor2sensor.dataset.form import Form
from sensor2sensor.inference.method import Method
from sensor2sensor.inference.region import cropped
from sensor2sensor.inference.run import RunOptions, Written, predict
from sensor2sensor.inference.scenes.opening import open_scene, paths_of
from sensor2sensor.inference.scenes.options import SceneOptions
from sensor2sensor.inference.scenes.scene import Scene

Make = Callable[[], Method]
DTYPES = ("float32", "int16", "uint8")


@dataclass(frozen=True)
class Job:
    """One product and where its prediction goes.

    Attributes:
        path: The product.
        out: The GeoTIFF.
    """

    path: Path
    out: Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of scene, region, windows and output."""
    add = parser.add_argument
    add(
        "--product", required=True, nargs="+", metavar="PATH",
        help="Sentinel-2 or -3 product, Theia product, GeoTIFF or picture; folders of them, '*.tif'",
    )  # fmt: skip
    add("--out", type=Path, metavar="PATH", help="GeoTIFF to write, a folder of several products")
    add("--force", action="store_true", help="write over files that are there")
    _add_scene(parser.add_argument_group("what is read").add_argument)
    _add_region(parser.add_argument_group("where").add_argument)
    _add_windows(parser.add_argument_group("how").add_argument)
    _add_output(parser.add_argument_group("what is written").add_argument)


def _add_scene(add: Callable[..., object]) -> None:
    add(
        "--input-m", type=float, metavar="M",
        help="pixel of the product that the model is given, metres (default: as it was trained)",
    )  # fmt: skip
    add(
        "--other-scale", action="store_true",
        help="the model is meant for other pixels than it was trained on",
    )  # fmt: skip
    add("--bands", type=comma_list, default=(), metavar="B02,B03", help="of a stack, in its order")
    add("--scale", type=float, metavar="S", help="of a stack of integers: value = S * number + O")
    add("--offset", type=float, metavar="O", help="see --scale")
    add("--radar", choices=("auto", "db", "linear"), default="auto", help="unit of radar bands")
    add("--radar-file", type=Path, metavar="TIF", help="radar of the same ground (default: found)")


def _add_region(add: Callable[..., object]) -> None:
    add("--like", type=Path, metavar="FILE", help="Sentinel-3: the grid of a product or GeoTIFF")
    add("--tile", metavar="T17XNA", help="Sentinel-3: the grid of a Sentinel-2 tile")
    box = ("W", "S", "E", "N")
    add("--bbox", type=float, nargs=4, metavar=box, help="Sentinel-3: a grid of one's own, in --crs")
    add("--crs", metavar="EPSG:32617", help="reference system of --bbox")
    add("--roi", type=float, nargs=4, metavar=box, help="a part, in the product's reference system")
    add("--roi-px", type=int, nargs=4, metavar=("X", "Y", "W", "H"), help="a part, in pixels")


def _add_windows(add: Callable[..., object]) -> None:
    add("--window-px", type=positive, metavar="N", help="side of a window, pixels of the result")
    add("--overlap-px", type=positive, metavar="N", help="of windows that are blended")
    add("--batch", type=positive, metavar="N", help="windows at once; halved where memory ends")
    add("--threads", type=positive, metavar="N", help="of onnxruntime (its own choice)")


def _add_output(add: Callable[..., object]) -> None:
    add("--dtype", choices=DTYPES, help="float32, int16 (reflectance x 10000) or uint8")
    add("--quicklook", action="store_true", help="a PNG beside it")
    add("--preview", action="store_true", help="a page to compare input and prediction on")
    add("--as-dataset", action="store_true", help="folders images/ and gt/ as Inria has them")


def scene_options(args: argparse.Namespace) -> SceneOptions:
    """Of how a product is read."""
    box = None if args.bbox is None else tuple(args.bbox)
    return SceneOptions(
        like=args.like, tile=args.tile, bbox=box, crs=args.crs, input_m=args.input_m,
        other_scale=args.other_scale, bands=tuple(args.bands), scale=args.scale,
        offset=args.offset, radar=args.radar, radar_file=args.radar_file,
    )  # fmt: skip
