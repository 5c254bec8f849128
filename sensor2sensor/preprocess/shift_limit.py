"""``--max-shift`` and its two companions: which tiles the shift between the sensors rules out.

Step 40 rejects them before they are files, step 50 leaves them out of a data set: one rule.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from dataclasses import dataclass

# The peak of two unrelated synthetic pictures of 20 km reaches 0.20 by chance (0.26 where 38 % is
# masked), and 1.4 % of crops of other real scenes lie above 0.25; of cut-outs smaller than that a
# quarter does. Where the true peak is 0.24 high, nine of ten shifts are right to 50 m.
SHIFT_QUALITY = 0.25


@dataclass(frozen=True)
class ShiftLimit:
    """How far the sensors may be shifted against each other.

    Attributes:
        max_m: More is too far.
        least_quality: A shift of less is unknown, whatever it says in metres.
        unknown: ``drop`` or ``keep`` tiles of unknown shift.
    """

    max_m: float
    least_quality: float
    unknown: str

    def judged(self, shift_m: float | None, quality: float | None) -> tuple[str, str]:
        """Why a shift rules a tile out, or what is to be said of the tile if not.

        Args:
            shift_m: Metres, None where it was not measured.
            quality: Height of the correlation peak, None in tables that do not say.
        """
        unknown = self._unknown(shift_m, quality)
        if unknown is not None or shift_m is None:
            return (unknown or "", "") if self.unknown == "drop" else ("", f"kept: {unknown}")
        return ("", "") if shift_m <= self.max_m else (f"shift of {shift_m:g} m", "")

    def rejects(self, shift_m: float | None, quality: float | None) -> str | None:
        """Why a shift rules a tile out, in a word to count by, or None."""
        if not self.judged(shift_m, quality)[0]:
            return None
        return "shift" if self._unknown(shift_m, quality) is None else "unknown shift"

    def _unknown(self, shift_m: float | None, quality: float | None) -> str | None:
        """Why the shift is not known, or None: a low peak is chance."""
        if shift_m is None:
            return "shift between the sensors not known"
        if quality is not None and quality < self.least_quality:
            return f"shift not known: quality {quality:g} is below {self.least_quality:g}"
        return None


def limit_of(max_m: float | None, quality: float, unknown: str) -> ShiftLimit | None:
    """The limit that the three options ask for, None without one."""
    return None if max_m is None else ShiftLimit(max_m, quality, unknown)


def add_arguments(add: Callable[..., object]) -> None:
    """The three options, equal in both steps."""
    add(
        "--max-shift",
        type=float,
        default=None,
        metavar="M",
        help="leave out tiles whose sensors are shifted by more metres (default: no limit)",
    )
    add(
        "--shift-quality",
        type=float,
        default=SHIFT_QUALITY,
        metavar="Q",
        help=f"with --max-shift: a shift of less quality is unknown (0 to 1; {SHIFT_QUALITY:g})",
    )
    add(
        "--unknown-shift",
        choices=("drop", "keep"),
        default="drop",
        help="with --max-shift: what becomes of tiles whose shift is unknown (drop)",
    )


def wrong_values(args: argparse.Namespace) -> list[str]:
    """What of them is out of range."""
    limit, quality = args.max_shift, args.shift_quality
    # Not a number is not 0 or more; neither NaN nor infinity could stand in a manifest.
    fine = limit is None or 0 <= limit < math.inf
    wrong = [] if fine else [f"--max-shift {limit:g} is no length of 0 m or more"]
    return [*wrong, *([] if 0 <= quality <= 1 else [f"--shift-quality {quality} is not in [0, 1]"])]
