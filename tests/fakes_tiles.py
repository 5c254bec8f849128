"""Tiles as step 40 leaves them, written by its own formats from pictures drawn here."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sensor2sensor.core import files
from sensor2sensor.geo.grids import Grid
from sensor2sensor.preprocess.tiles.table import TileRow, write_table
from sensor2sensor.preprocess.tiles.tile import geotiff, tile_bands
from tests.fakes_dataset import scene


@dataclass(frozen=True)
class FakeTile:
    """Where a fake tile lies and what is odd about it."""

    x: int
    y: int
    scene: int = 0
    s2date: str = "2022-10-05T11:54:11.024Z"
    shift_m: float | None = 12.0
    shift_quality: float | None = None
    damage: Callable[[dict[str, np.ndarray]], None] | None = None
    moved_m: tuple[float, float] | None = None  # by --correct-shift


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
        made = _tile_files(stem, layers, place, margin_px, bands)
        if tile.moved_m is not None:
            made[f"{stem}_aligned.npz"] = _aligned(layers, tile.moved_m)
        for name, data in made.items():
            (folder / name).write_bytes(data)
            listed[name] = files.sha256(folder / name)
        rows.append(_tile_row(stem, tile, place, listed, with_s3=with_s3, seed=seed))
    write_table(folder, rows)
    files.write_json(
        folder / "manifest.json",
        {
            "step": "40",
            "version": 1,
            "complete": True,
            "files": listed,
            "options": {
                "tile_px": tile_px,
                "level": "L1C",
                "bands": ["B02", "B03", "B04"],
                **({"correct_shift": True} if any(tile.moved_m for tile in tiles) else {}),
            },
            "bands": [band.as_json() for band in bands],
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


def _aligned(layers: dict[str, np.ndarray], moved_m: tuple[float, float]) -> bytes:
    """Other pixels at other places: the table turned round, and moved."""
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        collocation=layers["collocation"].astype(np.int32)[::-1],
        xy_m=layers["xy_m"][::-1] - moved_m,
        radiance=layers["radiance"][::-1],
    )
    return buffer.getvalue()


def _tile_row(
    stem: str, tile: FakeTile, place: Grid, listed: dict[str, str], *, with_s3: bool, seed: int
) -> TileRow:
    return TileRow(
        tile=stem,
        scene=tile.scene,
        x=tile.x,
        y=tile.y,
        size_px=place.width_px,
        epsg=place.epsg,
        ulx_m=place.ulx_m,
        uly_m=place.uly_m,
        resolution_m=place.resolution_m,
        s2="S2A_MSIL1C_20221005T115411.SAFE",
        s2date=tile.s2date,
        s3="2022/10/S3A_OL_1_EFR____20221005T120000.SEN3" if with_s3 else None,
        time_gap_h=0.5 + seed if with_s3 else None,  # other pixels are those of another pass
        shift_m=tile.shift_m if with_s3 else None,
        shift_east_m=None if tile.moved_m is None else tile.moved_m[0],
        shift_north_m=None if tile.moved_m is None else tile.moved_m[1],
        shift_quality=tile.shift_quality if with_s3 else None,
        margin_px=0,
        aligned_pixels=None if tile.moved_m is None else 4,
        sha256=listed[f"{stem}.tif"],
        overpass="S2A_" + tile.s2date.partition(".")[0].translate({45: None, 58: None}),
    )


def own_environment(root: Path) -> list[str]:
    """Write an environment whose every root is ``root``; returns the option that names it."""
    roots = ("project_root", "data_root", "experiment_root", "s2_root", "s3_root")
    (root / "environment.json").write_text(json.dumps(dict.fromkeys(roots, ".")))
    return ["--environment", str(root / "environment.json")]


def snapshot(root: Path, *datasets: str) -> dict[str, bytes]:
    """Every file of these data sets and its bytes."""
    return {
        str(path.relative_to(root)): path.read_bytes()
        for name in datasets
        for path in sorted((root / name).rglob("*"))
        if path.is_file()
    }
