"""Options of step 53: what decides on its samples, in a form that can be compared."""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from sensor2sensor.core.paths import expanded
from sensor2sensor.products.bands import S2_BANDS, S2_NATIVE_RESOLUTION_M
from sensor2sensor.sources import pictures
from sensor2sensor.sources.sen12mscr.cloudmask import CIRRUS_LIMITS
from sensor2sensor.sources.sen12mscr.radar import Unit
from sensor2sensor.sources.writer import options as shared

UNITS = ("db", "linear")
BANDS = {
    "all": S2_BANDS,
    "10m20m": tuple(band for band in S2_BANDS if S2_NATIVE_RESOLUTION_M[band] <= 20),
}
DATASETS = {"all": "sen12mscr", "10m20m": "sen12mscr_10m20m"}
RATIOS = (0.95, 0.05)


@dataclass(frozen=True)
class Sen12Options:
    """What decides on the samples.

    Attributes:
        dataset: Name of the data set.
        name: Of this folder in it.
        bands: ``all`` 13 bands of Sentinel-2, or the ten of ``10m20m``.
        s1_resolution_m: Radar is averaged over so much; None: as it is.
        s1_domain: Of that average.
        s1_unit: What the radar files hold.
        mask: Which published rule finds clouds.
        cloud_threshold: Score from which a pixel is cloud.
        split: ``published``, drawn by ``roi``, or from a ``list``.
        split_list: That list.
        val_from_train: Regions of a list without validation that are drawn for it; None: a tenth.
        train_ratio: Share of the regions for training and validation.
        val_ratio: Share of that share for validation.
        seed: Of what is drawn.
    """

    dataset: str
    name: str
    bands: str
    s1_resolution_m: float | None
    s1_domain: Unit
    s1_unit: Unit
    mask: str
    cloud_threshold: float
    split: str
    split_list: Path | None
    val_from_train: int | None
    train_ratio: float
    val_ratio: float
    seed: int

    @property
    def s2_bands(self) -> tuple[str, ...]:
        """The bands of Sentinel-2 that are stored."""
        return BANDS[self.bands]

    def as_json(self) -> dict[str, Any]:
        """What all folders of a data set share, less what does not decide."""
        idle = {"dataset", "name", "split_list"}
        if self.s1_resolution_m is None:
            idle |= {"s1_domain"}
        if self.split != "roi":
            idle |= {"train_ratio", "val_ratio"}
        if self.split != "list":
            idle |= {"val_from_train"}
        if self.split == "published":
            idle |= {"seed"}
        return {key: value for key, value in vars(self).items() if key not in idle}

    def command(self, folder: Path) -> str:
        """The command line that makes it."""
        words = [
            "python preprocessing/53_create_tfrecords_sen12mscr.py",
            pictures.data_words(folder, self.name),
            f"--dataset {self.dataset} --bands {self.bands} --s1-unit {self.s1_unit}",
            f"--mask {self.mask} --cloud-threshold {self.cloud_threshold:g}",
        ]
        if self.s1_resolution_m is not None:
            words.append(f"--s1-resolution {self.s1_resolution_m:g} --s1-domain {self.s1_domain}")
        if self.split_list is not None:
            words.append(f"--split-list {self.split_list.name} --seed {self.seed}")
        elif self.split == "roi":
            words.append(f"--split roi --train_ratio {self.train_ratio:g}")
            words.append(f"--val_ratio {self.val_ratio:g} --seed {self.seed}")
        if self.val_from_train is not None:
            words.append(f"--val-from-train {self.val_from_train}")
        return " ".join(words)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of step 53 beside those that others have."""
    names = f"{DATASETS['all']}, or {DATASETS['10m20m']} of --bands 10m20m"
    holds = "ROIs1158_spring_s1/ and its like, or s1/, s2_cloudFree/ and s2_cloudy/"
    pictures.add_arguments(parser, dataset=names, holds=holds)
    _add_samples(parser)
    _add_splits(parser)
    shared.add_arguments(parser, ratios=RATIOS)
    # What is given where it does nothing has to be told from what is not.
    parser.set_defaults(dataset=None, train_ratio=None, val_ratio=None)


def _add_samples(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("samples").add_argument
    add(
        "--bands",
        choices=tuple(BANDS),
        default="all",
        help="all 13 bands of Sentinel-2 (default), or the ten of 10 and 20 m, without B01, B09"
        " and B10",
    )
    add(
        "--s1-resolution",
        type=float,
        metavar="M",
        help="average radar over blocks of so many metres, a whole number of its pixels, and"
        " repeat each mean over its block (none; 40 for the ten-band model)",
    )
    add("--s1-domain", choices=UNITS, help="what that average is of: dB (default) or power")
    add("--s1-unit", choices=UNITS, default="db", help="what the radar files hold (db)")
    add(
        "--mask",
        choices=tuple(CIRRUS_LIMITS),
        default="dsen2cr",
        help="the published rule that finds clouds and shadows in the cloudy image (dsen2cr)",
    )
    add(
        "--cloud-threshold",
        type=float,
        default=0.2,
        metavar="S",
        help="score from which a pixel is cloud (0.2)",
    )


def _add_splits(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("splits")
    ways = group.add_mutually_exclusive_group().add_argument
    ways(
        "--split",
        choices=("published", "roi"),
        default="published",
        help="published: 155, 10 and 10 regions, whole, as the data set's users share them"
        " (default); roi: drawn by whole region",
    )
    ways(
        "--split-list",
        metavar="FILE",
        help="a list of patches as the original of DSen2-CR has it: split code (1 train, 2 val,"
        " 3 test), three folders, file name",
    )
    group.add_argument(
        "--val-from-train",
        type=int,
        metavar="N",
        help="regions for validation where --split-list has none (a tenth of those for training)",
    )


def from_arguments(args: argparse.Namespace, folder: Path) -> Sen12Options:
    """Options from the command line.

    Raises:
        InputError: Values out of their range, or that do nothing; all of them at once.
    """
    args.dataset = args.dataset or DATASETS[args.bands]
    ratios, listed = shared.given_ratios(args), args.split_list is not None
    split = "list" if listed else args.split
    coarse, threshold, drawn = args.s1_resolution, args.cloud_threshold, args.val_from_train
    idle = " and ".join(f"--{name}" for name in ratios)
    checks = (
        (bool(ratios) and split != "roi", f"{idle} would do nothing without --split roi"),
        (drawn is not None and not listed, "--val-from-train is for --split-list alone"),
        (drawn is not None and drawn < 1, f"--val-from-train {drawn} is less than 1"),
        (coarse is not None and not coarse > 0, f"--s1-resolution {coarse} is not above 0"),
        (coarse == math.inf, f"--s1-resolution {coarse} is not finite"),
        (
            args.s1_domain is not None and coarse is None,
            f"--s1-domain {args.s1_domain} would do nothing without --s1-resolution",
        ),
        (not 0 < threshold <= 1, f"--cloud-threshold {threshold:g} is not in (0, 1]"),
    )
    pictures.refuse_wrong(args, [text for bad, text in checks if bad])
    return Sen12Options(
        dataset=args.dataset,
        name=pictures.listing_name(args, folder),
        bands=args.bands,
        s1_resolution_m=coarse,
        s1_domain=cast(Unit, args.s1_domain or "db"),
        s1_unit=args.s1_unit,
        mask=args.mask,
        cloud_threshold=threshold,
        split=split,
        split_list=expanded(args.split_list) if listed else None,
        val_from_train=drawn,
        train_ratio=ratios.get("train_ratio", RATIOS[0]),
        val_ratio=ratios.get("val_ratio", RATIOS[1]),
        seed=args.seed,
    )
