"""Options of step 50: what decides which data sets come out, in a form that can be compared."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import Any

from sensor2sensor.core.errors import InputError
from sensor2sensor.dataset.degradation import MTF_NYQUIST
from sensor2sensor.preprocess import shift_limit
from sensor2sensor.preprocess.shift_limit import SHIFT_QUALITY, ShiftLimit
from sensor2sensor.sources.writer import options as shared

VERSION = 1  # of the records' content and layout; raised when equal options give other bytes
_OF_SHIFT = ("shift_quality", "unknown_shift")


@dataclass(frozen=True)
class DatasetOptions:
    """Everything on the command line that decides what is written.

    Attributes:
        inventory: Its tiles are taken.
        dataset: D of ``cur_D`` and ``alt<factor>_D``.
        tile_px: Edge of the tiles.
        train_ratio: Share of the ground for training and validation.
        val_ratio: Share of that share for validation.
        split_by: ``block`` or ``acquisition``.
        factors: Degradation factors.
        max_shift_m: Leave out tiles whose sensors are shifted by more.
        shift_quality: With ``max_shift_m``, a shift of less quality counts as unknown.
        unknown_shift: With ``max_shift_m``, ``drop`` or ``keep`` tiles of unknown shift.
        correct_shift: Inputs of train are those that step 40 aligned with their targets.
        shard: Tiles packed in a file.
        block_tiles: Edge of a block of ground in tiles.
        degradation: ``mean`` or ``mtf``.
        mtf_nyquist: Transfer at the coarse Nyquist frequency, for ``mtf``.
        seed: Seed of the split.
    """

    inventory: str
    dataset: str
    tile_px: int
    train_ratio: float
    val_ratio: float
    split_by: str
    factors: tuple[int, ...]
    max_shift_m: float | None
    shard: int
    block_tiles: float
    degradation: str
    mtf_nyquist: float
    seed: int
    shift_quality: float = SHIFT_QUALITY
    unknown_shift: str = "drop"
    correct_shift: bool = False

    def as_json(self) -> dict[str, Any]:
        """The options that every inventory of a data set shares, as plain JSON values."""
        plain = {
            key: list(value) if isinstance(value, tuple) else value
            for key, value in vars(self).items()
            # What decides nothing must not tell data sets from before those options apart.
            if key not in ("inventory", "dataset", *(_OF_SHIFT if self.max_shift_m is None else ()))
        }
        if not self.correct_shift:
            del plain["correct_shift"]
        return {"version": VERSION, **plain}

    @property
    def shift_limit(self) -> ShiftLimit | None:
        """How far the sensors may be shifted; None where the shift decides nothing."""
        return shift_limit.limit_of(self.max_shift_m, self.shift_quality, self.unknown_shift)

    def command(self, inventory: str) -> str:
        """The command line that builds this from an inventory."""
        words = [
            "python preprocessing/50_create_tfrecords.py",
            f"--inventory {inventory}",
            f"--dataset {self.dataset}",
            f"--tilesize {self.tile_px}",
            f"--train_ratio {self.train_ratio:g}",
            f"--val_ratio {self.val_ratio:g}",
            f"--split-by {self.split_by}",
            f"--factors {','.join(map(str, self.factors))}",
            f"--shard {self.shard}",
            f"--block-tiles {self.block_tiles:g}",
            f"--degradation {self.degradation}",
            f"--seed {self.seed}",
        ]
        if self.degradation == "mtf":
            words.append(f"--mtf-nyquist {self.mtf_nyquist:g}")
        if self.max_shift_m is not None:
            words.append(f"--max-shift {self.max_shift_m:g}")
            words.append(f"--shift-quality {self.shift_quality:g}")
            words.append(f"--unknown-shift {self.unknown_shift}")
        if self.correct_shift:
            words.append("--correct-shift")
        return " ".join(words)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of step 50 beside those every step has."""
    shared.add_arguments(parser)
    add = parser.add_argument_group("tiles and forms").add_argument
    add("--inventory", required=True, metavar="NAME", help="inventory whose tiles are taken")
    add("--dataset", required=True, metavar="D", help="name D of cur_D and alt<factor>_D")
    add("--tilesize", type=int, default=256, metavar="PX", help="tile edge, pixels (256)")
    add(
        "--split-by",
        choices=("block", "acquisition"),
        default="block",
        help="split by ground (default) or by acquisition (the same ground on both sides)",
    )
    add(
        "--block-tiles",
        type=float,
        default=4.0,
        metavar="N",
        help="edge of a block of ground, in tiles (4)",
    )
    add(
        "--factors",
        default="3,6,12,20,30",
        metavar="F,G",
        help="degradation factors (3,6,12,20,30)",
    )
    add(
        "--degradation",
        choices=("mean", "mtf"),
        default="mean",
        help="block mean (default) or a Gaussian with the sensor's transfer at Nyquist",
    )
    add(
        "--mtf-nyquist",
        type=float,
        default=MTF_NYQUIST,
        metavar="M",
        help=f"transfer at the coarse Nyquist frequency, for --degradation mtf ({MTF_NYQUIST})",
    )
    shift_limit.add_arguments(add)
    add(
        "--correct-shift",
        action="store_true",
        help="train on inputs at the places that step 40 found by the drift (its --correct-shift);"
        " val and test keep them as they come",
    )


def from_arguments(args: argparse.Namespace) -> DatasetOptions:
    """Options from the command line.

    Raises:
        InputError: Values out of their range; all of them at once.
    """
    factors = _factors(args.factors)
    _check_ranges(args, factors)
    return DatasetOptions(
        inventory=args.inventory,
        dataset=args.dataset,
        tile_px=args.tilesize,
        train_ratio=args.train_ratio,
        val_ratio=args.val_ratio,
        split_by=args.split_by,
        factors=factors,
        max_shift_m=args.max_shift,
        shard=args.shard,
        block_tiles=args.block_tiles,
        degradation=args.degradation,
        mtf_nyquist=args.mtf_nyquist,
        seed=args.seed,
        shift_quality=args.shift_quality,
        unknown_shift=args.unknown_shift,
        correct_shift=args.correct_shift,
    )


def _factors(text: str) -> tuple[int, ...]:
    try:
        # In one order, each once: options are compared with those of the data set that is there.
        return tuple(sorted({int(part) for part in text.split(",") if part.strip()}))
    except ValueError:
        raise InputError(
            f"--factors {text!r} is no list of whole numbers", hint="give it as 3,6,12,20,30"
        ) from None


def _check_ranges(args: argparse.Namespace, factors: tuple[int, ...]) -> None:
    wrong = shared.wrong_values(args) + [
        text
        for bad, text in (
            (args.tilesize < 8, f"--tilesize {args.tilesize} is less than 8"),
            (args.block_tiles < 1, f"--block-tiles {args.block_tiles} is less than 1"),
            (not 0 < args.mtf_nyquist < 1, f"--mtf-nyquist {args.mtf_nyquist} is not in (0, 1)"),
            (
                not factors or not all(2 <= f <= args.tilesize for f in factors),
                f"--factors {args.factors} must be between 2 and the tilesize",
            ),
        )
        if bad
    ]
    wrong += shift_limit.wrong_values(args)
    wrong += shared.dataset_name_fault(args.dataset)
    if wrong:
        raise InputError("; ".join(wrong), hint="see --help")
