"""The plan of step 50: which tile goes to which split, and why some go to none."""

from __future__ import annotations

from dataclasses import dataclass

from sensor2sensor.dataset.blocks import BlockGrid
from sensor2sensor.dataset.ledger import DROPPED, SplitRow, guard_reason
from sensor2sensor.dataset.splits import SplitRule
from sensor2sensor.preprocess.records.inputs import Tile, TileSet
from sensor2sensor.preprocess.records.options import DatasetOptions


@dataclass(frozen=True)
class Plan:
    """Which tile goes where.

    Attributes:
        tiles: Of the inventory.
        units: Blocks (or the acquisition) of each tile by name.
        guarded: These and the blocks within its guard: what decides on its split.
        splits: Split of each tile by name, or ``dropped``.
        reasons: Why tiles were dropped; of tiles that are kept, what is not known of them.
        rule: How they were split.
    """

    tiles: TileSet
    units: dict[str, tuple[str, ...]]
    guarded: dict[str, tuple[str, ...]]
    splits: dict[str, str]
    reasons: dict[str, str]
    rule: SplitRule

    def shifted(self) -> tuple[int, int]:
        """How many tiles are shifted too far, and of how many the shift is not known."""
        reasons = self.reasons.values()
        beyond = sum(reason.startswith("shift of") for reason in reasons)
        return beyond, sum("not known" in reason for reason in reasons)

    def rows(self) -> dict[str, SplitRow]:
        """A line of ``split.csv`` for every tile, still without the place of its record."""
        rows = {}
        for tile in self.tiles.tiles:
            rows[tile.name] = SplitRow(
                name=tile.name,
                split=self.splits[tile.name],
                block="+".join(self.units[tile.name]),
                scene=tile.scene,
                inventory=self.tiles.inventory,
                file="",
                record=0,
                offset=0,
                length=0,
                sha256="",
                source_sha256=tile.sha256,
                epsg=tile.place.epsg,
                ulx_m=tile.place.ulx_m,
                uly_m=tile.place.uly_m,
                time_gap_h=tile.time_gap_h,
                shift_m=tile.shift_m,
                incomplete_blocks=0,
                reason=self.reasons.get(tile.name, ""),
                overpass=tile.overpass,
            )
        return rows


def make_plan(tiles: TileSet, options: DatasetOptions, bound: dict[str, str], guard: float) -> Plan:
    """Give every tile its split; nothing is read or written."""
    grid = BlockGrid(options.block_tiles * options.tile_px * tiles.resolution_m)
    rule = SplitRule(
        options.split_by, options.seed, options.train_ratio, options.val_ratio, grid, bound, guard
    )
    units = {tile.name: rule.units(tile.place) for tile in tiles.tiles}
    guarded = {tile.name: rule.guarded(tile.place) for tile in tiles.tiles}
    splits, reasons = {}, {}
    for tile in tiles.tiles:
        reason = _shifted(tile, options) or _between(rule, units, guarded, tile.name)
        splits[tile.name] = DROPPED if reason else rule.split_of(guarded[tile.name])
        if reason := reason or _kept_unknown(tile, options):
            reasons[tile.name] = reason
    return Plan(tiles, units, guarded, splits, reasons, rule)


def _between(
    rule: SplitRule,
    units: dict[str, tuple[str, ...]],
    guarded: dict[str, tuple[str, ...]],
    name: str,
) -> str | None:
    """Why a tile belongs to no split, or None."""
    if rule.split_of(units[name]) == DROPPED:
        return f"touches {rule.by}s of two splits"
    return guard_reason(rule.guard_m) if rule.split_of(guarded[name]) == DROPPED else None


def _shifted(tile: Tile, options: DatasetOptions) -> str | None:
    """Why the shift between the sensors rules a tile out, or None."""
    if options.max_shift_m is None or not tile.s3:
        return None
    unknown = tile.unknown_shift(options.shift_quality)
    if unknown is not None or tile.shift_m is None:
        return unknown if options.unknown_shift == "drop" else None
    return None if tile.shift_m <= options.max_shift_m else f"shift of {tile.shift_m:g} m"


def _kept_unknown(tile: Tile, options: DatasetOptions) -> str | None:
    """What the ledger says of a tile that is kept although its shift is not known."""
    if not options.limits_shift or not tile.s3:
        return None
    unknown = tile.unknown_shift(options.shift_quality)
    return None if unknown is None else f"kept: {unknown}"
