"""The form of each data set of a run: which bands, on which grid, stored how."""

from __future__ import annotations

from typing import Any

from sensor2sensor.dataset.bands import float_band, reflectance_band
from sensor2sensor.dataset.build import draft_contract, drawn
from sensor2sensor.dataset.contract import (
    DatasetContract,
    Degradation,
    ExtraSpec,
    InputSpec,
    SplitPolicy,
    TargetSpec,
)
from sensor2sensor.dataset.degradation import Method, reach_px, sigma_px
from sensor2sensor.dataset.display import sentinel2_colours
from sensor2sensor.preprocess.records.inputs import TileSet
from sensor2sensor.preprocess.records.options import DatasetOptions

OLCI_PIXEL_M = {"OL_1_EFR": 300.0, "OL_1_ERR": 1200.0}
# Two tiles lie twice the guard apart, which has to be more than the longest way across the ground
# of one sample. At full resolution that is not the nominal 424 m: towards the western edge of the
# swath, seen at 55 degrees, up to three columns of 270 m repeat one measurement, 810 m by 295 m. At
# reduced resolution every column has a value of its own; one nominal pixel is more than enough.
OLCI_GUARD_M = {"OL_1_EFR": 450.0, "OL_1_ERR": 1200.0}
MANY_PIXELS = 65535  # until the records are counted


def drafts_for(options: DatasetOptions, tiles: TileSet) -> tuple[DatasetContract, ...]:
    """The data sets of a run: ``cur_D`` where there is Sentinel-3, and ``alt<factor>_D``."""
    drafts = [_sentinel3(options, tiles)] if tiles.with_s3 else []
    drafts += [_degraded(options, tiles, factor) for factor in options.factors]
    return tuple(drafts)


def guard_m(options: DatasetOptions, tiles: TileSet) -> float:
    """Ground around a tile that has to belong to its split: one input pixel, in metres.

    That of the coarsest data set of the run, since all have the same members; more where the filter
    of a degradation reaches farther. 0 by acquisition, where the same ground is on both sides.
    """
    if options.split_by != "block":
        return 0.0
    margin_px = int(tiles.options.get("margin_px") or 0)
    method: Method = "mtf" if options.degradation == "mtf" else "mean"
    needed_px = [
        max(factor, reach_px(options.tile_px, factor, margin_px, method, options.mtf_nyquist))
        for factor in options.factors
    ]
    degraded = max(needed_px) * tiles.resolution_m
    return max(degraded, OLCI_GUARD_M[tiles.olci_type]) if tiles.with_s3 else degraded


def _policy(options: DatasetOptions, tiles: TileSet) -> SplitPolicy:
    return drawn(
        "block" if options.split_by == "block" else "acquisition",
        options.seed,
        options.train_ratio,
        options.val_ratio,
        block_tiles=options.block_tiles,
        block_m=options.block_tiles * options.tile_px * tiles.resolution_m,
        guard_m=guard_m(options, tiles),
    )


def _draft(
    options: DatasetOptions, tiles: TileSet, name: str, spec: InputSpec, **others: Any
) -> DatasetContract:
    bands = tuple(reflectance_band(b["name"], b["wavelength_nm"]) for b in tiles.targets)
    shown = sentinel2_colours([b.name for b in bands], [b.wavelength_nm for b in bands])
    return draft_contract(
        name=f"{name}_{options.dataset}",
        tile_px=options.tile_px,
        resolution_m=tiles.resolution_m,
        factor=(spec.pixel_m or tiles.resolution_m) / tiles.resolution_m,
        input=spec,
        target=TargetSpec(bands=bands, dtype="uint16", display=shown),
        split_policy=_policy(options, tiles),
        **others,
    )


def _sentinel3(options: DatasetOptions, tiles: TileSet) -> DatasetContract:
    bands = tuple(float_band(b["name"], b["unit"], b["wavelength_nm"]) for b in tiles.inputs)
    spec = InputSpec(
        layout="pixels",
        bands=bands,
        dtype="float32",
        index_dtype="uint16",  # 0 for none and MANY_PIXELS rows
        max_pixels=MANY_PIXELS,
        grid=None,
        pixel_m=OLCI_PIXEL_M[tiles.olci_type],
        aligned=("train",) if options.correct_shift else (),
    )
    gap = ExtraSpec(name="time_gap_h", dtype="float32", shape=(), unit="h")
    return _draft(options, tiles, "cur", spec, kind="sentinel3", extras=(gap,))


def _degraded(options: DatasetOptions, tiles: TileSet, factor: int) -> DatasetContract:
    # The last block of a row may reach beyond the tile.
    side = -(-options.tile_px // factor)
    # float32: means of digital numbers are no whole numbers.
    bands = tuple(float_band(b["name"], b["unit"], b["wavelength_nm"]) for b in tiles.targets)
    spec = InputSpec(
        layout="pixels",
        bands=bands,
        dtype="float32",
        index_dtype="uint16" if side * side <= MANY_PIXELS else "int32",
        max_pixels=side * side,
        grid=(side, side),
        pixel_m=factor * tiles.resolution_m,
    )
    mtf = options.degradation == "mtf"
    how = Degradation(
        method="mtf" if mtf else "mean",
        factor=factor,
        mtf_nyquist=options.mtf_nyquist if mtf else None,
        sigma_px=sigma_px(factor, options.mtf_nyquist) if mtf else None,
        incomplete_blocks=0,
        tiles_with_incomplete_blocks=0,
    )
    return _draft(options, tiles, f"alt{factor}", spec, kind="degraded", degradation=how)
