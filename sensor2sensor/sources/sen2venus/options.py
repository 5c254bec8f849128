"""Options of step 54: what decides on its samples, in a form that can be compared."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sensor2sensor.core.manifest import fingerprint
from sensor2sensor.core.paths import expanded
from sensor2sensor.sources import pictures
from sensor2sensor.sources.exclusions import Exclusions, read_exclusions
from sensor2sensor.sources.writer import options as shared

TEN = ("B2", "B3", "B4", "B8")
TWENTY = ("B5", "B6", "B7", "B8A")
SHORTWAVE = ("B11", "B12")
BANDS = {
    "10m": TEN,
    "20m": TWENTY,
    "10m20m": (*TEN, *TWENTY),
    "all": (*TEN, *TWENTY, *SHORTWAVE),
}
# 20 m bands alone are four times as coarse as Venµs, on a grid of their own.
RESOLUTIONS = {"10m": "x2", "20m": "x4", "10m20m": "x2", "all": "x2"}
_TAGS = {"10m": "", "20m": "", "10m20m": "_10m20m", "all": "_all"}


@dataclass(frozen=True)
class VenusOptions:
    """What decides on the samples.

    Attributes:
        dataset: Name of the data set.
        name: Of this folder in it.
        bands: A key of :data:`BANDS`.
        test_sites: Sites for testing.
        val_sites: Sites for validation; empty: drawn.
        val_share: Share of the other sites that is drawn for validation.
        exclusions: Ground to leave out.
        min_valid: Least share of pixels with data in every band of a patch.
        per_site: Most patches of a site; None: all.
        seed: Of what is drawn.
    """

    dataset: str
    name: str
    bands: str
    test_sites: tuple[str, ...]
    val_sites: tuple[str, ...]
    val_share: float
    exclusions: Exclusions
    min_valid: float
    per_site: int | None
    seed: int

    @property
    def chosen(self) -> tuple[str, ...]:
        """The bands, in the order of the contract and of the public tool."""
        return BANDS[self.bands]

    @property
    def factor(self) -> int:
        """Pixels of 5 m along the edge of one of the input's grid."""
        return int(RESOLUTIONS[self.bands][1:])

    def as_json(self) -> dict[str, Any]:
        """What all folders of a data set share, less what does not decide."""
        idle = {"dataset", "name", "exclusions", "val_share" if self.val_sites else "val_sites"}
        made = {key: value for key, value in vars(self).items() if key not in idle}
        left_out = [vars(entry) for entry in self.exclusions.entries]
        return {**made, "exclusions_sha256": fingerprint(left_out)} if left_out else made

    def command(self, folder: Path) -> str:
        """The command line that makes it."""
        words = [
            "python preprocessing/54_create_tfrecords_sen2venus.py",
            pictures.data_words(folder, self.name),
            f"--dataset {self.dataset} --bands {self.bands}",
            f"--test-sites {' '.join(self.test_sites)}",
        ]
        if self.val_sites:
            words.append(f"--val-sites {' '.join(self.val_sites)}")
        else:
            words.append(f"--val-share {self.val_share:g} --seed {self.seed}")
        words += [f"--exclude {name}" for name in self.exclusions.names]
        if self.min_valid < 1:
            words.append(f"--min-valid {self.min_valid:g}")
        if self.per_site is not None:
            words.append(f"--per-site {self.per_site} --seed {self.seed}")
        return " ".join(words)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of step 54 beside those that others have."""
    holds = "folders of sites, each with index.csv and zips"
    pictures.add_arguments(parser, dataset="sen2venus_x2, or _x4 and the like", holds=holds)
    add = parser.add_argument_group("samples").add_argument
    add(
        "--bands",
        choices=tuple(BANDS),
        default="10m",
        help="10m: B2 B3 B4 B8 (default); 20m: B5 B6 B7 B8A; 10m20m: both; all: with B11 and B12,"
        " which have no reference",
    )
    add(
        "--resolution",
        choices=("x2", "x4"),
        help="x2: a grid of 10 m to 5 m; x4: 20 m to 5 m, of --bands 20m (what fits --bands)",
    )
    add(
        "--min-valid",
        type=float,
        default=1.0,
        metavar="R",
        help="least share of pixels with data in all bands (1); below 1 gaps are filled by the"
        " band's median in the patch and marked in the mask 'gaps'",
    )
    add("--per-site", type=int, metavar="N", help="most patches of a site, drawn (all)")
    add = parser.add_argument_group("splits").add_argument
    add("--test-sites", nargs="+", required=True, metavar="SITE", help="sites for testing alone")
    add("--val-sites", nargs="+", metavar="SITE", help="sites for validation (drawn)")
    add("--val-share", type=float, metavar="R", help="share of the other sites for it (0.1)")
    add(
        "--exclude",
        action="append",
        default=[],
        metavar="FILE",
        help="leave out what a list names: a site a line, or OpenSR-test's table; repeatable",
    )
    shared.add_arguments(parser, ratios=None)
    parser.set_defaults(dataset=None)


def from_arguments(args: argparse.Namespace, folder: Path) -> VenusOptions:
    """Options from the command line.

    Raises:
        InputError: Values out of their range, or that do nothing; all of them at once.
    """
    fits = RESOLUTIONS[args.bands]
    args.dataset = args.dataset or f"sen2venus_{fits}{_TAGS[args.bands]}"
    share, both = args.val_share, set(args.test_sites) & set(args.val_sites or ())
    checks = (
        (args.resolution not in (None, fits), f"--bands {args.bands} is of --resolution {fits}"),
        (not 0 < args.min_valid <= 1, f"--min-valid {args.min_valid:g} is not in (0, 1]"),
        (args.per_site is not None and args.per_site < 1, f"--per-site {args.per_site} is not > 0"),
        (share is not None and not 0 < share < 1, f"--val-share {share} is not in (0, 1)"),
        (
            share is not None and args.val_sites is not None,
            "--val-share would do nothing beside --val-sites",
        ),
        (bool(both), f"{', '.join(sorted(both))} cannot be for testing and validation"),
    )
    pictures.refuse_wrong(args, [text for bad, text in checks if bad])
    return VenusOptions(
        dataset=args.dataset,
        name=pictures.listing_name(args, folder),
        bands=args.bands,
        test_sites=tuple(sorted(set(args.test_sites))),
        val_sites=tuple(sorted(set(args.val_sites or ()))),
        val_share=0.1 if share is None else share,
        exclusions=read_exclusions(
            [expanded(path) for path in args.exclude], of=["site"], partial=args.add
        ),
        min_valid=args.min_valid,
        per_site=args.per_site,
        seed=args.seed,
    )
