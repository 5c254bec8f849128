"""A finished data set of cloudy and clear images with their mask: some tiles of one kind alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sensor2sensor.dataset.bands import BandSpec
from sensor2sensor.dataset.build import dense_input, draft_contract, drawn, finish
from sensor2sensor.dataset.contract import DatasetContract, ExtraSpec, TargetSpec
from sensor2sensor.dataset.records import dense_record
from tests.fakes_dataset import _write

BANDS = ("B02", "B03", "B04")
COVERED = {"covered": (1, 2), "clear": (0,)}
# What the tiles of test show: cloud over shadow on a share of the rows.
TEST_COVER = (0.5, 0.0, 1.0, 0.25, 0.75)


def _band(name: str, unit: str, scale: float = 1.0) -> BandSpec:
    return BandSpec(name=name, unit=unit, wavelength_nm=None, scale=scale, offset=0.0, nodata=None)


def cloud_contract(
    name: str, side_px: int, variant: str, strata: dict[str, tuple[int, ...]]
) -> DatasetContract:
    """The draft, in the form of SEN12MS-CR: radar behind the bands of the input."""
    optical = [_band(band, "reflectance") for band in BANDS]
    mask = ExtraSpec(
        name="cloud_mask", dtype="uint8", shape=(side_px, side_px), unit="1", role="mask",
        strata=strata, variant=variant,
    )  # fmt: skip
    targets = tuple(_band(band, "reflectance", 1e-4) for band in BANDS)
    return draft_contract(
        name=name, kind="paired", tile_px=side_px, resolution_m=10.0, factor=1.0,
        # Radar first: the bands of a target are found by name, not by place.
        input=dense_input((_band("VV", "dB"), *optical), "float32", side_px, pixel_m=10.0),
        target=TargetSpec(bands=targets, dtype="uint16"),
        extras=(mask,), split_policy=drawn("group", 0),
    )  # fmt: skip


def make_clouds(
    root: Path,
    *,
    name: str = "clouds_toy",
    side_px: int = 32,
    variant: str = "dsen2cr",
    threshold: float = 0.2,
    strata: dict[str, tuple[int, ...]] | None = None,
) -> Path:
    """Write such a data set; returns ``<root>/<name>/<side_px>``."""
    folder = Path(root) / name / str(side_px)
    draft = cloud_contract(name, side_px, variant, COVERED if strata is None else strata)
    covers = [("train", 0.5), ("train", 0.3), ("val", 0.5), ("val", 0.0)]
    rows = []
    for number, (split, cover) in enumerate([*covers, *(("test", c) for c in TEST_COVER)]):
        random = np.random.default_rng(number)
        truth = np.rint(random.uniform(500, 4000, (side_px, side_px, len(BANDS)))) / 1e4
        mask = np.zeros((side_px, side_px), np.uint8)
        height = round(cover * side_px)
        mask[:height], mask[: height // 2] = 2, 1
        # Not equal where clear: the weather of two dates differs there too.
        cloudy = np.where(
            mask[..., None] == 1, 0.8, truth * np.where(mask == 2, 0.4, 1.05)[..., None]
        )
        radar = random.normal(-10, 2, (side_px, side_px, 1))
        dense = np.concatenate([radar, cloudy], axis=-1).astype(np.float32)
        made = f"cloud_{number:02d}", truth.astype(np.float32), dense
        rows.append(_write(folder, draft, dense_record(*made, {"cloud_mask": mask}), split, number))
    finish(folder, draft, rows, provenance={"options": {"cloud_threshold": threshold}})
    return folder
