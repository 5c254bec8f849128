"""Step 51: make a data set of maps and photos that stand side by side in one picture.

Pictures become a source (`source`) of samples; splits, files and statistics are the same for every
source (`sensor2sensor.sources.writer`).
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from sensor2sensor.config.environment import load_environment
from sensor2sensor.core import cli
from sensor2sensor.sources import pictures
from sensor2sensor.sources.maps.options import DIRECTIONS, MapsOptions
from sensor2sensor.sources.maps.source import MapsSource
from sensor2sensor.sources.writer.options import add_arguments, write_options
from sensor2sensor.sources.writer.run import write

DOC = r"""
Make a data set of maps and photos that stand side by side, 600 x 1200 pixels or any 2:1.

    python preprocessing/51_create_tfrecords_maps.py --data maps --dataset maps \
        --direction right-to-left --extract_patches --tilesize 256 --workers 4

Reads <data>/train/*.jpg and <data>/val/*.jpg (or test/); writes <dataset>/<tilesize>/{train,val,
test}/*.tfrecord, split.csv and dataset.json. The published val/ is for testing; validation is drawn
from train/ by whole image. Left is the photo, the target; right is the map, the input.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Door of step 51; returns the exit code."""
    parser = cli.parser(DOC, prog="51_create_tfrecords_maps.py", steps=True)
    pictures.add_arguments(parser, dataset="maps", holds="train/ and val/ with pictures")
    group = parser.add_argument_group("samples")
    add, ways = group.add_argument, group.add_mutually_exclusive_group().add_argument
    add(
        "--direction",
        choices=DIRECTIONS,
        default=DIRECTIONS[0],
        help=f"which half is translated to which ({DIRECTIONS[0]}: the map to the photo)",
    )
    add("--tilesize", type=int, default=256, metavar="PX", help="edge of a sample, pixels (256)")
    ways("--extract_patches", action="store_true", help="cut patches out of the halves (default)")
    ways("--resize_images", action="store_true", help="resize the halves, with antialiasing")
    add("--overlap", action="store_true", help="patches overlap and cover all of a half")
    add(
        "--val-from-train",
        type=int,
        metavar="N",
        help="images of train/ for validation (a tenth); without val/ and test/ N others for"
        " testing",
    )
    add_arguments(parser, ratios=None)
    return cli.main_guard(run, parser, argv)


def run(args: argparse.Namespace) -> int:
    """Look at the pictures, plan splits, write samples, finish.

    Returns:
        0, or 1 where a picture had to be refused.
    """
    few = args.val_from_train is not None and args.val_from_train < 1
    checks = (
        (args.tilesize < 8, f"--tilesize {args.tilesize} is less than 8"),
        (args.overlap and args.resize_images, "--overlap is of patches, not of --resize_images"),
        (few, f"--val-from-train {args.val_from_train} is less than 1"),
    )
    pictures.refuse_wrong(args, [text for bad, text in checks if bad])
    folder = pictures.folder_of_data(args)
    options = MapsOptions(
        dataset=args.dataset,
        name=pictures.listing_name(args, folder),
        direction=args.direction,
        tile_px=args.tilesize,
        resize=args.resize_images,
        overlap=args.overlap,
        val_from_train=args.val_from_train,
        seed=args.seed,
    )
    env = load_environment(args.environment)
    return write(MapsSource(folder, options), Path(env.data_root), write_options(args))
