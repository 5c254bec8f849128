"""Options of step 55: what decides on its samples, in a form that can be compared."""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sensor2sensor.core.paths import expanded
from sensor2sensor.sources import pictures
from sensor2sensor.sources.writer import options as shared

FACTORS = (2, 4)
RATIOS = (0.9, 0.1)
LOW_PX = 128
# Of the raw layout alone, with their defaults: the derived one was paired by others.
RAW: dict[str, Any] = {
    "factor": 2,
    "tilesize": None,
    "max_days": 10,
    "max_shift": 3.0,
    "max_cloud": 0.05,
    "hr_scale": 10_000.0,
    "split": "published",
}


@dataclass(frozen=True)
class WorldstratOptions:
    """What decides on the samples.

    Attributes:
        dataset: Name of the data set.
        name: Of this folder in it.
        min_correlation: A pair must correlate better.
        min_correlation_test: The same of pairs for testing.
        seed: Of what is drawn.
        exclude: Lists of what is to be left out.
        factor: Target pixels along a pixel of 10 m; of the derived layout its files'.
        low_px: Edge of a sample in pixels of 10 m.
        max_days: Between the two looks at most.
        max_shift: Looked for along each axis, in pixels of 10 m; 0: none.
        max_cloud: Share of a sample under clouds at most.
        hr_scale: Digital numbers of SPOT at a reflectance of 1.
        split: ``published``, or drawn by ``place``.
        train_ratio: Share of the places for training and validation.
        val_ratio: Share of that share for validation.
    """

    dataset: str
    name: str
    min_correlation: float
    min_correlation_test: float
    seed: int
    exclude: tuple[Path, ...] = ()
    factor: int = 2
    low_px: int = LOW_PX
    max_days: int = 10
    max_shift: float = 3.0
    max_cloud: float = 0.05
    hr_scale: float = 10_000.0
    split: str = "published"
    train_ratio: float = RATIOS[0]
    val_ratio: float = RATIOS[1]

    def least(self, split: str) -> float:
        """The correlation that a pair of a split must exceed."""
        return self.min_correlation_test if split == "test" else self.min_correlation

    def as_json(self, *, derived: bool) -> dict[str, Any]:
        """What all folders of a data set share, less what does not decide."""
        idle = {"dataset", "name", "exclude"}
        if derived:
            idle |= {*RAW, "low_px", "train_ratio", "val_ratio"}
        elif self.split == "published":
            idle |= {"train_ratio", "val_ratio", "seed"}
        return {key: value for key, value in vars(self).items() if key not in idle}

    def command(self, folder: Path, *, derived: bool) -> str:
        """The command line that makes it."""
        words = [
            "python preprocessing/55_create_tfrecords_worldstrat.py",
            pictures.data_words(folder, self.name),
            f"--dataset {self.dataset} --min-correlation {self.min_correlation:g}",
            f"--min-correlation-test {self.min_correlation_test:g}",
        ]
        if not derived:
            words += [
                f"--factor {self.factor} --tilesize {self.low_px * self.factor}",
                f"--max-days {self.max_days} --max-shift {self.max_shift:g}",
                f"--max-cloud {self.max_cloud:g} --hr-scale {self.hr_scale:g}",
            ]
        if not derived and self.split == "place":
            words.append(f"--split place --train_ratio {self.train_ratio:g}")
            words.append(f"--val_ratio {self.val_ratio:g} --seed {self.seed}")
        return " ".join([*words, *(f"--exclude {path.name}" for path in self.exclude)])


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of step 55 beside those that others have."""
    holds = "hr_dataset/ and lr_dataset/, or the index.csv of wsx2 or wsx4"
    pictures.add_arguments(parser, dataset="worldstrat_x2 or _x4, wsx2 or wsx4", holds=holds)
    add = parser.add_argument_group("pairs").add_argument
    add(
        "--min-correlation",
        type=float,
        default=0.1,
        metavar="R",
        help="pairs must correlate better than this at 10 m (0.1)",
    )
    add(
        "--min-correlation-test",
        type=float,
        default=0.2,
        metavar="R",
        help="the same of pairs for testing (0.2)",
    )
    add(
        "--exclude",
        action="append",
        default=[],
        metavar="FILE",
        help="leave out AOIs: a CSV of OpenSR-test, or one AOI a line (repeatable)",
    )
    _add_raw(parser)
    shared.add_arguments(parser, ratios=RATIOS)
    # What is given where it does nothing has to be told from what is not.
    parser.set_defaults(dataset=None, train_ratio=None, val_ratio=None)


def _add_raw(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("pairs of the raw data set alone").add_argument
    add("--factor", type=int, choices=FACTORS, help="2: target at 5 m (default); 4: at 2.5 m")
    add(
        "--tilesize",
        type=int,
        metavar="PX",
        help=f"edge of a target sample ({LOW_PX} pixels of 10 m: 256 or 512)",
    )
    add("--max-days", type=int, metavar="N", help="between the two looks at most (10)")
    add(
        "--max-shift",
        type=float,
        metavar="PX",
        help="largest shift that is looked for and taken out, in pixels of 10 m (3; 0: none is)",
    )
    add("--max-cloud", type=float, metavar="S", help="share under clouds at most (0.05)")
    add(
        "--hr-scale",
        type=float,
        metavar="DN",
        help="digital number of SPOT at a reflectance of 1 (10000)",
    )
    add(
        "--split",
        choices=("published", "place"),
        help="published (default), or drawn by place: AOIs of one grid lie side by side",
    )


def from_arguments(args: argparse.Namespace, folder: Path, *, derived: bool) -> WorldstratOptions:
    """Options from the command line.

    Raises:
        InputError: Values out of their range, or that do nothing; all of them at once.
    """
    given = {key: getattr(args, key) for key in RAW if getattr(args, key) is not None}
    raw: dict[str, Any] = {**RAW, **given}
    ratios: dict[str, Any] = dict(shared.given_ratios(args))
    side = raw.pop("tilesize") or LOW_PX * raw["factor"]
    # The files of derived pairs tell their factor, and so their name, once they are looked at.
    dataset = args.dataset or ("" if derived else f"worldstrat_x{raw['factor']}")
    args.dataset = dataset or "wsx"
    idle = [f"--{key.replace('_', '-')}" for key in given] if derived else []
    # Of a correlation nothing beyond these is meant.
    shares = {"min_correlation": args.min_correlation, "max_cloud": raw["max_cloud"]}
    shares["min_correlation_test"] = args.min_correlation_test
    checks = [
        (bool(idle), f"{' and '.join(idle)} would do nothing for pairs that are made already"),
        (bool(ratios) and raw["split"] != "place", "ratios would do nothing without --split place"),
        (
            side % raw["factor"] != 0,
            f"--tilesize {side} is no multiple of --factor {raw['factor']}",
        ),
        (side < 8 * raw["factor"], f"--tilesize {side} is less than 8 pixels of 10 m"),
        (raw["max_days"] < 0, f"--max-days {raw['max_days']} is negative"),
        (not 0 <= raw["max_shift"] < LOW_PX, f"--max-shift {raw['max_shift']} is not in [0, 128)"),
        (not 0 < raw["hr_scale"] < math.inf, f"--hr-scale {raw['hr_scale']} is no number above 0"),
        *(
            (not 0 <= share <= 1, f"--{key.replace('_', '-')} {share} is not in [0, 1]")
            for key, share in shares.items()
        ),
    ]
    pictures.refuse_wrong(args, [text for bad, text in checks if bad])
    return WorldstratOptions(
        dataset=dataset,
        name=pictures.listing_name(args, folder),
        min_correlation=args.min_correlation,
        min_correlation_test=args.min_correlation_test,
        seed=args.seed,
        exclude=tuple(expanded(path) for path in args.exclude),
        low_px=side // raw["factor"],
        **raw,
        **ratios,
    )
