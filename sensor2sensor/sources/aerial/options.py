"""Options of step 52: what decides on its samples, in a form that can be compared."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sensor2sensor.sources import pictures
from sensor2sensor.sources.writer import options as shared

RATIOS = (0.8, 0.2)
SPLITS_BY = ("number", "city", "block")


@dataclass(frozen=True)
class AerialOptions:
    """What decides on the samples.

    Attributes:
        dataset: Name of the data set.
        name: Of this folder in it.
        stored_px: Edge of a sample.
        split: Squares along the shorter side of an image.
        min_density: Least share of building in a square.
        split_by: ``number`` of the tile, ``city`` or ``block`` of ground.
        train_ratio: Share of the cities or blocks for training and validation.
        val_ratio: Share of that share for validation.
        block_tiles: Edge of a block of ground in samples.
        bands: Names of the image's bands in order; None: as the files say.
        seed: Of the draw of cities or blocks.
    """

    dataset: str
    name: str
    stored_px: int
    split: int
    min_density: float
    split_by: str
    train_ratio: float
    val_ratio: float
    block_tiles: float
    bands: tuple[str, ...] | None
    seed: int

    def as_json(self) -> dict[str, Any]:
        """What all folders of a data set share, less what does not decide."""
        idle = {"dataset", "name"}
        if self.split_by == "number":
            idle |= {"train_ratio", "val_ratio", "seed"}
        if self.split_by != "block":
            idle |= {"block_tiles"}
        return {key: value for key, value in vars(self).items() if key not in idle}

    def command(self, folder: Path) -> str:
        """The command line that makes it."""
        words = [
            "python preprocessing/52_create_tfrecords_aerial.py",
            pictures.data_words(folder, self.name),
            f"--dataset {self.dataset} --stored-size {self.stored_px} --split {self.split}",
            f"--min-density {self.min_density:g} --split-by {self.split_by}",
        ]
        if self.split_by != "number":
            words.append(f"--train_ratio {self.train_ratio:g} --val_ratio {self.val_ratio:g}")
            words.append(f"--seed {self.seed}")
        if self.split_by == "block":
            words.append(f"--block-tiles {self.block_tiles:g}")
        if self.bands is not None:
            words.append(f"--bands {','.join(self.bands)}")
        return " ".join(words)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of step 52 beside those that others have."""
    pictures.add_arguments(parser, dataset="aerial", holds="images/ and gt/ with GeoTIFFs")
    add = parser.add_argument_group("samples").add_argument
    add(
        "--stored-size",
        type=int,
        default=286,
        metavar="PX",
        help="edge of a sample, pixels (286, for crops of 256; 542 for crops of 512)",
    )
    add(
        "--split",
        type=int,
        default=1,
        metavar="N",
        help="cut an image into N x N squares first (1: none; as many as fit where it is oblong)",
    )
    add(
        "--min-density",
        type=float,
        default=0.0,
        metavar="SHARE",
        help="leave out squares of which less is building (0; half a white mask is 0.5)",
    )
    add(
        "--split-by",
        choices=SPLITS_BY,
        default=SPLITS_BY[0],
        help="number: tiles whose number ends in 7 or 8 are for validation, in 9 for testing"
        " (default); city: whole cities; block: by ground",
    )
    add(
        "--block-tiles",
        type=float,
        default=4.0,
        metavar="N",
        help="edge of a block of ground, in samples (4)",
    )
    add("--bands", metavar="A,B", help="names of the image's bands in order (as the files say)")


def from_arguments(args: argparse.Namespace, folder: Path) -> AerialOptions:
    """Options from the command line.

    Raises:
        InputError: Values out of their range; all of them at once.
    """
    bands = None if args.bands is None else tuple(part.strip() for part in args.bands.split(","))
    ratios = shared.given_ratios(args)
    idle = " and ".join(f"--{name}" for name in ratios)
    checks = (
        (
            args.split_by == "number" and bool(ratios),
            f"{idle} would do nothing: numbers say the split, unless --split-by is city or block",
        ),
        (args.stored_size < 8, f"--stored-size {args.stored_size} is less than 8"),
        (args.split < 1, f"--split {args.split} is less than 1"),
        (not 0 <= args.min_density < 1, f"--min-density {args.min_density:g} is not in [0, 1)"),
        (args.block_tiles < 1, f"--block-tiles {args.block_tiles:g} is less than 1"),
        (
            bands is not None and (not all(bands) or len(set(bands)) < len(bands)),
            f"--bands {args.bands} has a name twice, or none",
        ),
    )
    pictures.refuse_wrong(args, [text for bad, text in checks if bad])
    return AerialOptions(
        dataset=args.dataset,
        name=pictures.listing_name(args, folder),
        stored_px=args.stored_size,
        split=args.split,
        min_density=args.min_density,
        split_by=args.split_by,
        train_ratio=ratios.get("train_ratio", RATIOS[0]),
        val_ratio=ratios.get("val_ratio", RATIOS[1]),
        block_tiles=args.block_tiles,
        bands=bands,
        seed=args.seed,
    )
