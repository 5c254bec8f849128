"""Finished data sets whose values are positions, with inputs on their own grid and extras."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from sensor2sensor.core import files
from sensor2sensor.dataset.bands import BandSpec
from sensor2sensor.dataset.build import draft_contract, finish
from sensor2sensor.dataset.contract import DatasetContract, ExtraSpec, InputSpec, TargetSpec
from sensor2sensor.dataset.ledger import SplitRow
from sensor2sensor.dataset.recordfile import write_records
from sensor2sensor.dataset.records import TileRecord, encode
from sensor2sensor.dataset.upsampling import regular_index
from tests.fakes_dataset import toy_contract


def positions(size: int, cell: int = 1, corner: tuple[float, float] = (0, 0)) -> np.ndarray:
    """Where the centres of ``size`` squared pixels lie, ``[size, size, 2]``: down, across."""
    centres = (np.arange(size) + 0.5) * cell
    grid = np.stack(np.meshgrid(centres, centres, indexing="ij"), axis=-1)
    return (grid + corner).astype(np.float32)


def band(name: str, *groups: str, unit: str = "1") -> BandSpec:
    """A band stored as it is."""
    return BandSpec(
        name=name, unit=unit, wavelength_nm=None, scale=1.0, offset=0.0, nodata=None, groups=groups
    )


def extras_of(tile_px: int, factor: int) -> tuple[ExtraSpec, ...]:
    """One of each role and grid."""
    fine, coarse = (tile_px, tile_px), (tile_px // factor, tile_px // factor)
    return (
        ExtraSpec(name="row", dtype="uint16", shape=fine, unit="1", role="mask"),
        ExtraSpec(
            name="coarse_row",
            dtype="uint16",
            shape=(*coarse, 1),
            unit="1",
            role="mask",
            grid="input",
        ),
        ExtraSpec(
            name="radar", dtype="float32", shape=(*coarse, 2), unit="dB", role="image", grid="input"
        ),
        ExtraSpec(name="haze", dtype="uint8", shape=fine, unit="DN", role="image"),
        ExtraSpec(name="gap_h", dtype="float32", shape=(), unit="h"),
        ExtraSpec(name="place", dtype="string", shape=(), unit="1"),
    )


def position_contract(name: str, *, factor: int, layout: str, tile_px: int) -> DatasetContract:
    """The draft of a data set in which every band is a position, in pixels of the target."""
    side = tile_px // factor
    given = {"bands": (band("down", "where"), band("across", "where")), "dtype": "float32"}
    return draft_contract(
        name=name,
        kind="paired",
        tile_px=tile_px,
        resolution_m=None,
        factor=float(factor),
        input=InputSpec(
            layout=layout, grid=(side, side), index_dtype="uint16", max_pixels=side * side,
            pixel_m=None, **given,
        ),
        target=TargetSpec(**given),
        split_policy=toy_contract(name, "degraded", factor, tile_px, 0).split_policy,
        extras=extras_of(tile_px, factor),
    )  # fmt: skip


def position_record(draft: DatasetContract, number: int) -> TileRecord:
    """Tile ``number``, whose corner lies ``1000 number`` pixels down; extras tell rows."""
    tile, factor = draft.tile_px, int(draft.factor)
    side, corner = tile // factor, (1000.0 * number, 0.0)
    target, image = positions(tile, 1, corner), positions(side, factor, corner)
    rows = np.arange(tile)[:, None] + np.zeros(tile, int)
    extras: dict[str, Any] = {
        "row": rows.astype(np.uint16),
        "coarse_row": 20 * rows[::factor, ::factor, None].astype(np.uint16),
        "radar": image,
        "haze": rows.astype(np.uint8),
        "gap_h": np.float32(number),
        "place": f"Jökulsárlón {number}",
    }
    name, none = f"inv_toy__{number:05d}_0x0", np.empty((0, 2), np.float32)
    if draft.input.layout == "dense":
        index = np.zeros((tile, tile), np.int32)
        return TileRecord(name, target, none, none.astype(float), index, extras, image)
    table = image.reshape(-1, 2)
    xy = positions(side, factor)[..., ::-1].reshape(-1, 2).astype(float)
    return TileRecord(name, target, table, xy, regular_index(tile, tile, factor), extras)


def make_positions(
    root: Path,
    *,
    factor: int = 3,
    layout: str = "dense",
    tile_px: int = 12,
    train: int = 4,
    val: int = 2,
    test: int = 1,
    **changes: Any,
) -> Path:
    """Write such a data set; returns ``<root>/pos<factor>_<layout>/<tile_px>``.

    ``changes`` replace fields of the draft, such as ``extras=()``.
    """
    name = f"pos{factor}_{layout}"
    draft = position_contract(name, factor=factor, layout=layout, tile_px=tile_px)
    draft = draft.model_copy(update=changes)
    folder, rows = Path(root) / name / str(tile_px), []
    for split, count in (("train", train), ("val", val), ("test", test)):
        for _ in range(count):
            rows.append(_write(folder, draft, split, len(rows)))
    finish(folder, draft, rows, provenance={"source": "toy"})
    return folder


def _write(folder: Path, draft: DatasetContract, split: str, number: int) -> SplitRow:
    record = position_record(draft, number)
    kept = {extra.name: record.extras[extra.name] for extra in draft.extras}
    record = TileRecord(**{**vars(record), "extras": kept})
    file = f"{split}/{record.name}.tfrecord"
    offset, length = write_records(folder / file, [encode(record, draft)])[0]
    return SplitRow(
        name=record.name, split=split, block=f"b{number}", scene=number, inventory="inv_toy",
        file=file, record=0, offset=offset, length=length, sha256=files.sha256(folder / file),
        source_sha256="", epsg=32617, ulx_m=0.0, uly_m=number * 1e4, time_gap_h=None, shift_m=None,
        incomplete_blocks=0, reason="",
    )  # fmt: skip
