"""Tiny pairs of two sensors: an input on its own coarser grid, a target band nobody measured."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sensor2sensor.dataset.bands import float_band
from sensor2sensor.dataset.build import draft_contract, finish
from sensor2sensor.dataset.contract import (
    DatasetContract,
    ExtraSpec,
    InputSpec,
    SplitPolicy,
    TargetSpec,
)
from sensor2sensor.dataset.records import dense_record
from tests.fakes_dataset import _write, scene

BANDS = {"B02": 492.4, "B03": 559.8, "B04": 664.6, "B11": 1613.7}


def pair_contract(
    name: str, side_px: int, factor: int, bands: tuple[str, ...], *, measured: bool, gaps: bool
) -> DatasetContract:
    """The draft: the input's bands are in another order, and B11 has 20 m pixels, repeated."""
    policy = SplitPolicy(
        by="group", seed=0, train_ratio=None, val_ratio=None, block_tiles=None, block_m=None,
        dropped=0, refused=0, ground_shared={"val": 0.0, "test": 0.0}, ground="group",
    )  # fmt: skip
    made = {b: float_band(b, "reflectance", BANDS[b]) for b in bands}
    lone = {} if measured else {"B11": {"reference": False}}
    mask = ExtraSpec(
        name="gaps", dtype="uint8", shape=(side_px, side_px), unit="1", role="mask",
        strata={"measured": (0,), "filled": (1,)},
    )  # fmt: skip
    targets = tuple(band.model_copy(update=lone.get(b, {})) for b, band in made.items())
    coarse = {"B11": {"native_px": 2}}
    inputs = [band.model_copy(update=coarse.get(b, {})) for b, band in made.items()]
    return draft_contract(
        name=name, kind="paired", tile_px=side_px, resolution_m=5.0, factor=float(factor),
        input=InputSpec(
            layout="dense", bands=tuple(reversed(inputs)), dtype="float32", index_dtype="uint8",
            max_pixels=1, grid=(side_px // factor,) * 2, pixel_m=5.0 * factor,
        ),
        target=TargetSpec(bands=targets, dtype="float32", display=("B04", "B03", "B02")),
        split_policy=policy, extras=(mask,) if gaps else (),
    )  # fmt: skip


def make_pairs(
    root: Path,
    *,
    name: str = "pairs_toy",
    side_px: int = 32,
    factor: int = 2,
    test: int = 3,
    bands: tuple[str, ...] = tuple(BANDS),
    measured: bool = False,
    gaps: bool = False,
) -> Path:
    """Write such a data set, a site a tile; returns ``<root>/<name>/<side_px>``.

    Args:
        measured: B11 was measured on the fine grid, too.
        gaps: With a mask of two filled rows, in every other tile.
    """
    folder = Path(root) / name / str(side_px)
    draft = pair_contract(name, side_px, factor, bands, measured=measured, gaps=gaps)
    rows = []
    for number, split in enumerate(["train"] * 2 + ["val"] + ["test"] * test):
        random = np.random.default_rng(number)
        truth = scene(random, side_px)[..., [2, 1, 0, 0]]
        small = truth.reshape(side_px // factor, factor, side_px // factor, factor, 4)
        small = small.mean(axis=(1, 3)) + random.normal(0, 0.002, (side_px // factor,) * 2 + (4,))
        # Stored as SEN2VENuS' B11 is: 20 m pixels on the 10 m grid, and those as the target.
        small[..., 3] = small[::2, ::2, 3].repeat(2, axis=0).repeat(2, axis=1)
        truth = truth.copy()
        if not measured:
            truth[..., 3] = small[..., 3].repeat(factor, axis=0).repeat(factor, axis=1)
        chosen = [list(BANDS).index(band) for band in bands]
        dense = small[..., chosen[::-1]].astype(np.float32)
        filled = np.zeros((side_px, side_px), np.uint8)
        filled[4:6] = number % 2
        extras = {"gaps": filled} if gaps else {}
        target = truth[..., chosen].astype(np.float32)
        record = dense_record(f"pair_{number:02d}", target, dense, extras=extras)
        rows.append(_write(folder, draft, record, split, number))
    finish(folder, draft, rows, provenance={"source": "toy"})
    return folder
