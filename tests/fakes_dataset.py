"""Tiny finished data sets from pictures drawn here, written by the project's own encoder."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sensor2sensor.core import files
from sensor2sensor.dataset.build import draft_contract, finish, float_band, reflectance_band
from sensor2sensor.dataset.contract import (
    DatasetContract,
    Degradation,
    ExtraSpec,
    InputSpec,
    SplitPolicy,
    TargetSpec,
)
from sensor2sensor.dataset.degradation import degrade
from sensor2sensor.dataset.ledger import SplitRow
from sensor2sensor.dataset.recordfile import write_records
from sensor2sensor.dataset.records import TileRecord, encode
from sensor2sensor.geo.grids import Grid
from sensor2sensor.preprocess.tifs_records import COLUMNS
from sensor2sensor.preprocess.tifs_write import geotiff, tile_bands

S2_NM = {"B02": 492.4, "B03": 559.8, "B04": 664.6}
OLCI_NM = (
    400.0,
    412.5,
    442.5,
    490.0,
    510.0,
    560.0,
    620.0,
    665.0,
    673.75,
    681.25,
    708.75,
    753.75,
    761.25,
    764.375,
    767.5,
    778.75,
    865.0,
    885.0,
    900.0,
    940.0,
    1020.0,
)
RESOLUTION_M = 10.0
MARGIN_PX = 64


def scene(rng: np.random.Generator, size: int) -> np.ndarray:
    """A picture ``[size, size, 3]`` of fields with sharp edges, reflectance on the DN raster."""
    y, x = np.mgrid[0:size, 0:size] / size
    picture = np.full((size, size, 3), 0.1)
    for _ in range(14):
        angle, offset = rng.uniform(0, 2 * np.pi), rng.uniform(-0.5, 0.5)
        side = np.cos(angle) * (x - 0.5) + np.sin(angle) * (y - 0.5) > offset
        width = rng.uniform(0.05, 0.25)
        stripe = side & (np.cos(angle) * (x - 0.5) + np.sin(angle) * (y - 0.5) < offset + width)
        picture[stripe] = rng.uniform(0.02, 0.5) * rng.uniform(0.8, 1.2, 3)
    picture += 0.02 * np.sin(2 * np.pi * (3 * x + 2 * y))[..., None]
    return ((np.rint(picture * 10000)).astype(np.float32) / np.float32(10000)).astype(np.float32)


def _degraded(name: str, target: np.ndarray, wide: np.ndarray, factor: int) -> TileRecord:
    low = degrade(target, factor, resolution_m=RESOLUTION_M, margin=wide)
    return TileRecord(name, target, low.pixels, low.xy, low.index)


def _sentinel3(
    name: str, target: np.ndarray, wide: np.ndarray, rng: np.random.Generator
) -> TileRecord:
    """OLCI-like pixels on a swath turned by a few degrees, each the mean of its surroundings."""
    tile, half = len(target), 15
    angle, step = 0.2, 30.0
    reach = int(np.ceil((tile / step) * 0.75)) + 1
    j, i = np.meshgrid(np.arange(-reach, reach + 1), np.arange(-reach, reach + 1))
    origin = rng.uniform(0, step, 2) + tile / 2
    cx = origin[0] + step * (np.cos(angle) * j - np.sin(angle) * i).ravel()
    cy = origin[1] + step * (np.sin(angle) * j + np.cos(angle) * i).ravel()
    inside = (np.abs(cx - tile / 2) < tile / 2 + 45) & (np.abs(cy - tile / 2) < tile / 2 + 45)
    cx, cy = cx[inside], cy[inside]
    mean = np.stack(
        [
            wide[
                int(b) + MARGIN_PX - half : int(b) + MARGIN_PX + half,
                int(a) + MARGIN_PX - half : int(a) + MARGIN_PX + half,
            ].mean(axis=(0, 1))
            for a, b in zip(cx, cy, strict=True)
        ]
    )
    nm = np.array(OLCI_NM)
    mixed = np.stack([np.interp(nm, list(S2_NM.values()), row) for row in mean])
    radiance = mixed * (400 - 0.25 * (nm - 400)) / np.pi + rng.normal(0, 0.05, mixed.shape)
    grid = np.arange(tile) + 0.5
    distance = (grid[None, :, None] - cx) ** 2 + (grid[:, None, None] - cy) ** 2
    xy = np.stack([cx, cy], axis=1) * RESOLUTION_M
    index = (distance.argmin(axis=-1) + 1).astype(np.int32)
    return TileRecord(
        name, target, radiance.astype(np.float32), xy, index, {"time_gap_h": np.float32(1.5)}
    )


def toy_contract(name: str, kind: str, factor: int, tile_px: int, seed: int) -> DatasetContract:
    """The draft a toy data set is written by."""
    targets = tuple(reflectance_band(band, nm) for band, nm in S2_NM.items())
    policy = SplitPolicy(
        by="block",
        seed=seed,
        train_ratio=0.8,
        val_ratio=0.2,
        block_tiles=4,
        block_m=4 * tile_px * RESOLUTION_M,
        dropped=0,
        refused=0,
        ground_shared={"val": 0.0, "test": 0.0},
    )
    if kind == "degraded":
        side = -(-tile_px // factor)
        bands = tuple(float_band(b, "reflectance", nm) for b, nm in S2_NM.items())
        spec = InputSpec(
            layout="pixels",
            bands=bands,
            dtype="float32",
            index_dtype="uint16",
            max_pixels=side * side,
            grid=(side, side),
            pixel_m=factor * RESOLUTION_M,
        )
        extra = {
            "degradation": Degradation(
                method="mean",
                factor=factor,
                mtf_nyquist=None,
                sigma_px=None,
                incomplete_blocks=0,
                tiles_with_incomplete_blocks=0,
            )
        }
    else:
        factor = 30
        bands = tuple(
            float_band(f"Oa{b:02d}", "mW m-2 sr-1 nm-1", nm)
            for b, nm in enumerate(OLCI_NM, start=1)
        )
        spec = InputSpec(
            layout="pixels",
            bands=bands,
            dtype="float32",
            index_dtype="uint16",
            max_pixels=65535,
            grid=None,
            pixel_m=300.0,
        )
        extra = {"extras": (ExtraSpec(name="time_gap_h", dtype="float32", shape=(), unit="h"),)}
    return draft_contract(
        name=name,
        kind=kind,
        tile_px=tile_px,
        resolution_m=RESOLUTION_M,
        factor=float(factor),
        input=spec,
        target=TargetSpec(bands=targets, dtype="uint16"),
        split_policy=policy,
        **extra,
    )


def make_dataset(
    root: Path,
    *,
    name: str = "alt6_toy",
    kind: str = "degraded",
    factor: int = 6,
    tile_px: int = 64,
    train: int = 12,
    val: int = 4,
    test: int = 4,
    seed: int = 0,
) -> Path:
    """Write a finished data set; returns ``<root>/<name>/<tile_px>``."""
    folder = Path(root) / name / str(tile_px)
    draft = toy_contract(name, kind, factor, tile_px, seed)
    rows, number = [], 0
    for split, count in (("train", train), ("val", val), ("test", test)):
        for _ in range(count):
            rng = np.random.default_rng([seed, number])
            suffix = "_notinmask" if number % 3 == 2 else ""
            stem = f"inv_toy__{number:05d}_{number * tile_px}x0{suffix}"
            wide = scene(rng, tile_px + 2 * MARGIN_PX)
            target = wide[MARGIN_PX:-MARGIN_PX, MARGIN_PX:-MARGIN_PX]
            record = (
                _degraded(stem, target, wide, factor)
                if kind == "degraded"
                else _sentinel3(stem, target, wide, rng)
            )
            rows.append(_write(folder, draft, record, split, number))
            number += 1
    finish(folder, draft, rows, provenance={"source": "toy"})
    return folder


def _write(
    folder: Path, draft: DatasetContract, record: TileRecord, split: str, number: int
) -> SplitRow:
    file = f"{split}/{record.name}.tfrecord"
    offset, length = write_records(folder / file, [encode(record, draft)])[0]
    return SplitRow(
        name=record.name,
        split=split,
        block=f"b{number}",
        scene=number,
        inventory="inv_toy",
        file=file,
        record=0,
        offset=offset,
        length=length,
        sha256=files.sha256(folder / file),
        source_sha256="",
        epsg=32617,
        ulx_m=number * 1e4,
        uly_m=0.0,
        time_gap_h=1.5 if draft.kind == "sentinel3" else None,
        shift_m=None,
        incomplete_blocks=0,
        reason="",
    )


@dataclass(frozen=True)
class FakeTile:
    """Where a fake tile lies and what is odd about it."""

    x: int
    y: int
    scene: int = 0
    s2date: str = "2022-10-05T11:54:11.024Z"
    shift_m: float | None = 12.0
    damage: Callable[[dict[str, np.ndarray]], None] | None = None


def grid_tiles(columns: int, rows: int, step_px: int, **others: object) -> list[FakeTile]:
    """Tiles of a regular grid, ``step_px`` apart."""
    return [
        FakeTile(c * step_px, r * step_px, **others) for r in range(rows) for c in range(columns)
    ]


def write_tiles(
    data_root: Path,
    tiles: Sequence[FakeTile],
    *,
    inventory: str = "inv_T17XNA_10h",
    tile_px: int = 16,
    margin_px: int = 8,
    with_s3: bool = True,
    seed: int = 0,
    resolution_m: float = 10.0,
    corner: tuple[float, float] = (500000.0, 8000000.0),
    epsg: int = 32617,
) -> Path:
    """What step 40 would leave for these tiles, in its own formats; returns the folder."""
    folder = Path(data_root) / "_tif" / inventory / str(tile_px)
    folder.mkdir(parents=True, exist_ok=True)
    bands = tile_bands(["B02", "B03", "B04"], with_olci=with_s3)
    rows, listed = [], {}
    for number, tile in enumerate(tiles):
        rng = np.random.default_rng([seed, number])
        stem = f"{tile.scene:05d}_{tile.x}x{tile.y}"
        place = Grid(
            epsg,
            corner[0] + tile.x * resolution_m,
            corner[1] - tile.y * resolution_m,
            resolution_m,
            tile_px,
            tile_px,
        )
        layers = _layers(rng, tile_px, margin_px, place, with_s3=with_s3)
        if tile.damage:
            tile.damage(layers)
        for name, data in _tile_files(stem, layers, place, margin_px, bands).items():
            (folder / name).write_bytes(data)
            listed[name] = files.sha256(folder / name)
        rows.append(_tile_row(stem, tile, place, listed, with_s3=with_s3))
    files.write_csv(folder / "tiles.csv", list(rows[0]), [list(row.values()) for row in rows])
    files.write_json(
        folder / "manifest.json",
        {
            "step": "40",
            "version": 1,
            "complete": True,
            "files": listed,
            "options": {"tile_px": tile_px, "level": "L1C", "bands": ["B02", "B03", "B04"]},
            "bands": [band.record() for band in bands],
        },
    )
    return folder


def _layers(
    rng: np.random.Generator, tile_px: int, margin_px: int, place: Grid, *, with_s3: bool
) -> dict[str, np.ndarray]:
    wide = scene(rng, tile_px + 2 * margin_px)
    inner = slice(margin_px, margin_px + tile_px)
    layers = {
        "target": wide[inner, inner].copy(),
        "margin": wide,
        "collocation": np.zeros((tile_px, tile_px), np.float32),
    }
    if with_s3:
        half = tile_px // 2
        side = np.arange(tile_px) // half
        layers["collocation"] = (side[:, None] * 2 + side[None, :] + 1).astype(np.float32)
        centre = (np.array([0, 1]) + 0.5) * half * place.resolution_m
        x, y = np.meshgrid(centre, centre)
        layers["xy_m"] = np.stack([place.ulx_m + x.ravel(), place.uly_m - y.ravel()], axis=1)
        layers["radiance"] = rng.uniform(5, 300, (4, 21)).astype(np.float32)
    return layers


def _tile_files(
    stem: str, layers: dict[str, np.ndarray], place: Grid, margin_px: int, bands: list
) -> dict[str, bytes]:
    quality = np.zeros(layers["collocation"].shape, np.float32)
    stack = [quality, layers["collocation"], *np.moveaxis(layers["target"], -1, 0)]
    made = {}
    if "radiance" in layers:
        index = layers["collocation"].astype(int) - 1
        shown = np.where(index[..., None] >= 0, layers["radiance"][index], np.nan)
        stack += list(np.moveaxis(shown, -1, 0))
        k = len(layers["radiance"])
        buffer = io.BytesIO()
        np.savez_compressed(
            buffer,
            xy_m=layers["xy_m"],
            rowcol=np.zeros((k, 2), np.int32),
            radiance=layers["radiance"],
            sun_zenith_deg=np.full(k, 40, np.float32),
            solar_flux=np.full((k, 21), 1500, np.float32),
            flags=np.zeros(k, np.uint32),
            quality=np.zeros(k, np.uint32),
        )
        made[f"{stem}_olci.npz"] = buffer.getvalue()
    made[f"{stem}.tif"] = geotiff(np.stack(stack).astype(np.float32), place, bands)
    if margin_px:
        wide = place.window(
            -margin_px, -margin_px, place.width_px + 2 * margin_px, place.height_px + 2 * margin_px
        )
        made[f"{stem}_margin.tif"] = geotiff(np.moveaxis(layers["margin"], -1, 0), wide, bands[2:5])
    return made


def _tile_row(
    stem: str, tile: FakeTile, place: Grid, listed: dict[str, str], *, with_s3: bool
) -> dict[str, object]:
    row = dict.fromkeys(COLUMNS)
    s3 = "2022/10/S3A_OL_1_EFR____20221005T120000.SEN3" if with_s3 else ""
    row |= {
        "tile": stem,
        "scene": tile.scene,
        "x": tile.x,
        "y": tile.y,
        "size_px": place.width_px,
        "epsg": place.epsg,
        "ulx_m": place.ulx_m,
        "uly_m": place.uly_m,
        "resolution_m": place.resolution_m,
        "s2": "S2A_MSIL1C_20221005T115411.SAFE",
        "s2date": tile.s2date,
        "s3": s3,
        "time_gap_h": 0.5 if with_s3 else None,
        "shift_m": tile.shift_m if with_s3 else None,
        "margin_px": 0,
        "sha256": listed[f"{stem}.tif"],
    }
    return row
