"""Level 2A products of Theia (MAJA) as scenes: reflectance at the surface, corrected for slopes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from sensor2sensor.core.errors import InputError, ProductError
from sensor2sensor.core.times import format_utc
from sensor2sensor.dataset.form import Form
from sensor2sensor.geo.grids import Grid, PixelWindow
from sensor2sensor.inference.scenes.gridded import (
    GriddedScene,
    degraded_scene,
    layers_of,
    refined,
)
from sensor2sensor.inference.scenes.options import SceneOptions
from sensor2sensor.inference.scenes.reading import Read
from sensor2sensor.inference.scenes.scene import Image, frame_of
from sensor2sensor.inference.scenes.sentinel2 import (
    input_pixel_m,
    level_notices,
    scale_notices,
    spectral_bands,
)
from sensor2sensor.products.bands import esa_name
from sensor2sensor.products.theia import QUANTIFICATION, TheiaProduct, open_theia

_SENSED = re.compile(r"(SENTINEL2[A-D])_(\d{8}-\d{6})(?:-(\d{3}))?_")


def open_theia_scene(path: Path, form: Form, options: SceneOptions) -> GriddedScene:
    """A product of Theia, a folder or a zip, opened for a model.

    Raises:
        InputError: The model takes something else, or pixels that the product does not have.
        ProductError: It is damaged, lacks a band, or its bands do not lie on one another.
    """
    product = open_theia(path)
    bands = spectral_bands(form, product.name)
    # Theia's names differ from ESA's in the zero alone, and are its own business.
    own = {esa_name(name): name for name in product.members}
    named = [own.get(band, f"B{int(band[1:])}" if band[1:].isdigit() else band) for band in bands]
    grids = [product.grid(name) for name in named]
    finest = _finest(product, named, grids)

    def reader(some: list[str]) -> Read:
        return lambda window: _reflectance(product, some, window)

    read_at = dict(zip(bands, grids, strict=True))
    notices = level_notices(form, "L2A")
    if form.kind == "degraded" and options.input_m is None:
        _refuse_other_sizes(product, form, dict.fromkeys(named, form.resolution_m or 0.0), grids)
        facts = _facts(product, read_at, form.input_m, finest)
        return degraded_scene(
            product.name, form, finest, reader(named), facts=facts, notices=notices
        )
    input_m = input_pixel_m(form, options, product.name)
    native = (band.native_px for band in form.input.bands)
    own_m = {band: input_m * px for band, px in zip(named, native, strict=True)}
    _refuse_other_sizes(product, form, own_m, grids, multiple_of_m=input_m)
    if finest.resolution_m != input_m:  # the model's finest bands are others than these
        finest = refined(finest, round(finest.resolution_m / input_m))
    fine = refined(finest, int(form.factor))
    return GriddedScene(
        name=product.name,
        form=form,
        frame=frame_of(fine),
        layers=layers_of(named, grids, finest, reader),
        facts=_facts(product, read_at, input_m, fine),
        notices=(*scale_notices(form, input_m), *notices),
    )


def _reflectance(product: TheiaProduct, bands: list[str], window: PixelWindow) -> Image:
    stored = np.stack([product.read(band, window) for band in bands], axis=-1)
    return stored / np.float32(QUANTIFICATION)


def _finest(product: TheiaProduct, bands: list[str], grids: list[Grid]) -> Grid:
    """The grid of the finest bands, after a look at those of all."""
    first = min(grids, key=lambda grid: grid.resolution_m)
    for band, grid in zip(bands, grids, strict=True):
        if grid.bounds != first.bounds or grid.epsg != first.epsg:
            what = f"{band} does not lie on the grid of the other bands"
            raise ProductError(what, where=product.name, hint="fetch the product again")
    return first


def _refuse_other_sizes(
    product: TheiaProduct,
    form: Form,
    wanted_m: Mapping[str, float],
    grids: list[Grid],
    multiple_of_m: float | None = None,
) -> None:
    """Bands have the size that is wanted or, of pixels that are given, a multiple of theirs."""
    for (band, own_m), grid in zip(wanted_m.items(), grids, strict=True):
        size = grid.resolution_m
        repeated = multiple_of_m is not None and size > own_m and size % multiple_of_m == 0
        if size != own_m and not repeated:
            what = f"{band} has pixels of {size:g} m, '{form.name}' takes {own_m:g} m"
            hint = f"--input-m {size:g} --other-scale gives them as they are"
            raise InputError(what, where=product.name, hint=hint)


def _facts(
    product: TheiaProduct, grids: Mapping[str, Grid], input_m: float | None, fine: Grid
) -> dict[str, Any]:
    name = _SENSED.match(product.name)
    facts: dict[str, Any] = {
        "product": product.name,
        "sensor": "MSI",
        "level": "L2A",
        "processor": "MAJA, FRE",
        "quantification": product.quantification,
        "read_at_m": {band: grid.resolution_m for band, grid in grids.items()},
        "input_m": input_m,
        "resolution_m": fine.resolution_m,
        "files": product.files.known(product.members.values()),
    }
    if name is not None:
        sensed = datetime.strptime(name[2], "%Y%m%d-%H%M%S").replace(tzinfo=UTC)
        sensed = sensed.replace(microsecond=1000 * int(name[3] or 0))
        facts |= {"platform": f"S2{name[1][-1]}", "datetime": format_utc(sensed)}
    return facts
