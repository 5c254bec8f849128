"""The part of val that calibrates intervals: whole blocks, drawn by a keyed hash.

Blocks are ordered by a hash of the data set's seed and their name, and a share of them, from the
first on, is set aside. The seed is the data set's and not the experiment's: all models of a data
set, and all seeds of a model, are calibrated on the same ground, and none of them chooses by it. A
tile that touches blocks of both parts belongs to neither.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sensor2sensor.core.errors import ConfigError, InputError
from sensor2sensor.core.seeds import keyed_hash
from sensor2sensor.dataset.ledger import SplitRow, read_split
from sensor2sensor.dataset.recordfile import select_records

KEY = "calibration"  # of experiment.json, and of the hash


@dataclass(frozen=True)
class Parts:
    """How the tiles of val are divided.

    Attributes:
        blocks: Those set aside.
        calibrating: Names of the tiles that lie in them alone.
        between: Names of the tiles that touch a block of each part.
        watched: Names of all others, which monitoring and the choice of a checkpoint look at.
    """

    blocks: frozenset[str]
    calibrating: frozenset[str]
    between: frozenset[str]
    watched: frozenset[str]

    @property
    def aside(self) -> frozenset[str]:
        """Names of the tiles that nothing but calibration may read."""
        return self.calibrating | self.between


def divided(rows: Sequence[SplitRow], seed: int, share: float) -> Parts:
    """The parts of val.

    Args:
        rows: Of ``split.csv``.
        seed: Of the data set.
        share: Of the blocks, between 0 and 1; at least one block is set aside, and one is not.
    """
    units = {row.name: frozenset(row.block.split("+")) for row in rows if row.split == "val"}
    # By rank and not by a threshold: of five blocks a draw would often leave a part with none.
    known = sorted(frozenset().union(*units.values()), key=lambda unit: _draw(seed, unit))
    count = min(max(round(share * len(known)), 1), len(known) - 1)
    chosen = frozenset(known[: max(count, 0)])
    calibrating = frozenset(name for name, own in units.items() if own <= chosen)
    watched = frozenset(name for name, own in units.items() if not own & chosen)
    return Parts(chosen, calibrating, frozenset(units) - calibrating - watched, watched)


def _draw(seed: int, unit: str) -> tuple[float, str]:
    return keyed_hash(seed, KEY, unit), unit


def parts_of(experiment: Any) -> Parts | None:
    """The parts of val of an experiment; None where it sets nothing aside.

    Args:
        experiment: With ``config``, ``contract`` and ``dataset_dir``.

    Raises:
        ConfigError: A part would be empty.
    """
    asked = getattr(experiment.config, KEY, None)
    if asked is None:
        return None
    rows = read_split(experiment.dataset_dir)
    made = divided(rows, experiment.contract.split_policy.seed, asked.share)
    if not (made.calibrating and made.watched):
        tiles = len(made.aside | made.watched)
        lack = "to calibrate on" if not made.calibrating else "to look at while training"
        what = f"leaves no tile {lack}: val has {tiles} tiles, {len(made.blocks)} blocks set aside"
        hint = "take another share, a data set with more blocks in val, or leave it out"
        raise ConfigError(what, where=KEY, hint=hint)
    return made


def unread(experiment: Any) -> frozenset[str]:
    """Names of tiles that no reader of train or val may see but the calibration.

    ``exclude_tiles`` and, with ``calibration``, the tiles set aside for it; names of other splits
    are not among the latter.
    """
    parts = parts_of(experiment)
    named: frozenset[str] = experiment.excluded.names
    return named if parts is None else named | parts.aside


def tried_rows(experiment: Any, split: str, folder: Path | None = None) -> list[SplitRow]:
    """The tiles of a split that intervals are calibrated or tried on, behind the filters.

    Args:
        experiment: Of the run, which sets blocks aside.
        split: Of val those in these blocks; of test all.
        folder: Of another data set; the experiment's by default.

    Raises:
        InputError: None is left.
    """
    place = folder or experiment.dataset_dir
    config, rows = experiment.config, read_split(place)
    filters = config.enforce_suffix or None, config.exclude_suffix or None
    refs = select_records(rows, place, split, *filters, experiment.excluded.names)
    names = {ref.name for ref in refs}
    parts = parts_of(experiment) if split == "val" else None
    if parts is not None:
        names &= parts.calibrating
    if not names:
        what = "suffixes or exclude_tiles leave no tile to calibrate on"
        raise InputError(what, where=place, hint="leave less out, or take another share")
    return [row for row in rows if row.name in names]


def elsewhere_of(rows: Sequence[SplitRow], used: Collection[str]) -> tuple[list[SplitRow], int]:
    """Tiles without the blocks that any used tile counts to, and how many blocks these are.

    Whole blocks: of one that made a quantile no part is new ground to it.

    Args:
        rows: Of :func:`tried_rows`.
        used: Names of tiles on ground that intervals were calibrated on.
    """
    known = {first_block(row) for row in rows if row.name in used}
    return [row for row in rows if first_block(row) not in known], len(known)


def first_block(row: SplitRow) -> str:
    """The block that a tile counts to where it touches several: clusters must not overlap."""
    return row.block.split("+")[0]


def in_words(rows: Sequence[SplitRow], parts: Parts, level: float, fewest: int) -> str:
    """What is set aside, as a line for the user.

    Args:
        rows: Of :func:`tried_rows`.
        parts: Of val.
        level: Of the intervals.
        fewest: The least blocks that calibrate at that level.
    """
    count = len({first_block(row) for row in rows})
    text = f"calibration: {len(rows)} tiles of {count} blocks of val are set aside"
    if parts.between:
        text += f", {len(parts.between)} that touch both parts are left out"
    if count < fewest:
        share = f"{100 * level:.6g} %"
        text += f"; {fewest} would promise {share}, {count} give an estimate (uncalibrated)"
    return text
