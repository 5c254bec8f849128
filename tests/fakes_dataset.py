"""Tiny finished data sets from pictures drawn here, written by the project's own encoder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from sensor2sensor.core import files
from sensor2sensor.dataset.bands import float_band, reflectance_band
from sensor2sensor.dataset.build import draft_contract, finish
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


def glinting(rng: np.random.Generator, size: int) -> np.ndarray:
    """The picture of :func:`scene` with few pixels far beyond the range of the rest, both ways."""
    picture, count = scene(rng, size), size * size // 2000
    for low, high in ((0.7, 3.0), (-0.1, 0.0)):
        rows, columns = rng.integers(0, size, (2, count))
        dn = rng.integers(int(low * 10000), int(high * 10000), (count, 3))
        picture[rows, columns] = dn.astype(np.float32) / np.float32(10000)
    return picture


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
        target=TargetSpec(bands=targets, dtype="uint16", display=("B04", "B03", "B02")),
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
    picture: Callable[[np.random.Generator, int], np.ndarray] | None = None,
) -> Path:
    """Write a finished data set of pictures; returns ``<root>/<name>/<tile_px>``."""
    folder = Path(root) / name / str(tile_px)
    draft = toy_contract(name, kind, factor, tile_px, seed)
    rows, number = [], 0
    for split, count in (("train", train), ("val", val), ("test", test)):
        for _ in range(count):
            rng = np.random.default_rng([seed, number])
            suffix = "_notinmask" if number % 3 == 2 else ""
            stem = f"inv_toy__{number:05d}_{number * tile_px}x0{suffix}"
            wide = (picture or scene)(rng, tile_px + 2 * MARGIN_PX)
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
