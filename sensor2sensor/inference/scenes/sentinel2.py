"""Sentinel-2 products of ESA as scenes: the values of step 40, whatever their baseline.

Where a model was trained on degraded bands, the product's own are degraded in the same way, and the
product is the truth that the prediction is held against; ``input_m`` gives pixels as they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from sensor2sensor.core.errors import InputError
from sensor2sensor.core.times import format_utc
from sensor2sensor.dataset.form import Form
from sensor2sensor.geo.grids import PixelWindow
from sensor2sensor.inference.scenes.gridded import (
    GriddedScene,
    degraded_scene,
    layers_of,
    refined,
)
from sensor2sensor.inference.scenes.options import SceneOptions
from sensor2sensor.inference.scenes.scene import Image, Shift, frame_of
from sensor2sensor.products.bands import esa_name
from sensor2sensor.products.s2_radiometry import radiometric_notices
from sensor2sensor.products.sentinel2 import S2Product, open_s2


def open_sentinel2(path: Path, form: Form, options: SceneOptions) -> GriddedScene:
    """A Sentinel-2 product, a folder or a zip, opened for a model.

    Raises:
        InputError: The model takes something else, or pixels that the product does not have.
        ProductError: It is damaged, or a file of it is missing.
    """
    product = open_s2(path)
    bands = spectral_bands(form, product.name)
    if form.kind == "degraded" and options.input_m is None:
        return _degraded(product, form, bands)
    return _given(product, form, bands, input_pixel_m(form, options, product.name))


def spectral_bands(form: Form, where: str) -> tuple[str, ...]:
    """ESA's names of a form's input bands.

    Raises:
        InputError: It takes what is no band of Sentinel-2.
    """
    if form.kind == "sentinel3":
        hint = "name the Sentinel-3 product"
        raise InputError(
            f"is of Sentinel-2, '{form.name}' takes Sentinel-3", where=where, hint=hint
        )
    others = [band.name for band in form.input.bands if band.unit != "reflectance"]
    if others:
        what = f"has no {', '.join(others)}, which '{form.name}' takes"
        raise InputError(what, where=where, hint="give a stack of all its bands")
    return tuple(esa_name(band.name) for band in form.input.bands)


def input_pixel_m(form: Form, options: SceneOptions, where: str) -> float:
    """Size of the pixels that are given to a model as they are.

    Raises:
        InputError: Nobody knows it, or it is not what the model was trained on and nobody said
            that this is meant.
    """
    trained, asked = form.input_m, options.input_m
    if asked is None and trained is None:
        hint = "give --input-m and --other-scale"
        raise InputError(
            f"'{form.name}' does not say how large its pixels are", where=where, hint=hint
        )
    if asked is not None and asked != trained and not options.other_scale:
        was = "of unknown size" if trained is None else f"of {trained:g} m"
        what = f"'{form.name}' was trained on pixels {was}, not of {asked:g} m"
        hint = "add --other-scale if that is meant: nothing is known of how good it is there"
        raise InputError(what, where=where, hint=hint)
    return float(asked or trained or 0.0)


def _degraded(product: S2Product, form: Form, bands: tuple[str, ...]) -> GriddedScene:
    """The product's bands at the target's resolution, degraded: the prediction is of what it is."""
    fine_m = form.resolution_m or 0.0
    resolution_m = int(fine_m)
    if resolution_m != fine_m or _lacking(product, bands, resolution_m):
        raise _no_such_pixels(product, bands, form, fine_m)
    read_at = dict.fromkeys(bands, resolution_m)
    return degraded_scene(
        product.name,
        form,
        product.grids[resolution_m],
        partial(_reflectance, product, bands, resolution_m),
        facts=_facts(product, read_at, form.input_m, fine_m),
        notices=_notices(product, form, read_at),
    )


def _given(product: S2Product, form: Form, bands: tuple[str, ...], input_m: float) -> GriddedScene:
    """The product's pixels as they are; what is predicted of them lies on a finer grid."""
    finest = int(input_m)
    if finest != input_m or finest not in product.grids:
        raise _no_such_pixels(product, bands, form, input_m)
    read_at = _resolutions(product, form, bands, finest)
    grid, factor = product.grids[finest], int(form.factor)
    fine = refined(grid, factor)
    layers = layers_of(
        bands,
        [product.grids[read_at[band]] for band in bands],
        grid,
        lambda own: partial(_reflectance, product, tuple(own), read_at[own[0]]),
    )
    return GriddedScene(
        name=product.name,
        form=form,
        frame=frame_of(fine),
        layers=layers,
        facts=_facts(product, read_at, input_m, fine.resolution_m),
        notices=(*scale_notices(form, input_m), *_notices(product, form, read_at)),
    )


def _reflectance(
    product: S2Product, bands: tuple[str, ...], resolution_m: int, window: PixelWindow
) -> Image:
    return product.read_reflectance(bands, resolution_m, window)[0]


def _lacking(product: S2Product, bands: Sequence[str], resolution_m: int) -> list[str]:
    """The bands whose pixels of this size the product does not hold."""
    return [band for band in bands if product.missing((band,), resolution_m)]


def _resolutions(
    product: S2Product, form: Form, bands: tuple[str, ...], input_m: int
) -> dict[str, int]:
    """The pixel size that each band is read at: its own in the data set, or the next there is.

    A data set may hold a band of 20 m repeated without saying so (SEN12MS-CR).
    """
    coarser = form.kind == "paired"
    found = {}
    for band, spec in zip(bands, form.input.bands, strict=True):
        own = input_m * spec.native_px
        sizes = [m for m in product.grids if m == own or (coarser and m > own and m % input_m == 0)]
        there = [m for m in sizes if not product.missing((band,), m)]
        if not there:
            raise _no_such_pixels(product, (band,), form, own)
        found[band] = there[0]
    return found


def _no_such_pixels(
    product: S2Product, bands: Sequence[str], form: Form, wanted_m: float
) -> InputError:
    """What is missing, and at which sizes all bands are there."""
    without = _lacking(product, bands, int(wanted_m)) or bands
    what = f"has no pixels of {wanted_m:g} m of {', '.join(without)}"
    inputs = tuple(esa_name(band.name) for band in form.input.bands)
    sizes = [m for m in product.grids if not _lacking(product, inputs, m)]
    there = " and ".join(f"{m} m" for m in sizes)
    words = "" if sizes and sizes[0] == form.input_m else " --other-scale"
    hint = (
        f"all its bands are there at {there}: give --input-m {sizes[0]}{words}" if sizes else None
    )
    return InputError(what, where=product.name, hint=hint or _other_level(product, without))


def _other_level(product: S2Product, bands: Sequence[str]) -> str:
    if product.level == "L2A" and "B10" in bands:
        return "level 2A has no B10: give the product of level 1C"
    return "fetch the whole product"


def scale_notices(form: Form, input_m: float) -> tuple[str, ...]:
    """What is to be said of pixels that the model was not trained on."""
    if input_m == form.input_m:
        return ()
    was = "of unknown size" if form.input_m is None else f"of {form.input_m:g} m"
    return (Shift(f"given pixels of {input_m:g} m, trained on pixels {was} (--other-scale)"),)


def _notices(product: S2Product, form: Form, read_at: Mapping[str, int]) -> tuple[str, ...]:
    told = (*product.warnings, *level_notices(form, product.level))
    return (*told, *radiometric_notices(product, read_at))


def level_notices(form: Form, level: str) -> tuple[str, ...]:
    """What is to be said of a product of another level than the model was trained on."""
    if form.level is None or form.level == level:
        return ()
    kinds = {"L1C": "at the top of the atmosphere", "L2A": "at the surface"}
    what = f"holds reflectance {kinds[level]} ({level})"
    trained = f"'{form.name}' was trained on reflectance {kinds[form.level]}"
    return (Shift(f"{what}, {trained} ({form.level})"),)


def _facts(
    product: S2Product, read_at: Mapping[str, int], input_m: float | None, output_m: float
) -> dict[str, Any]:
    members = [product.band_member(band, size) for band, size in read_at.items()]
    members += [name for name in product.metadata_files if name not in members]
    return {
        "product": product.name,
        "sensor": "MSI",
        "platform": product.platform,
        "level": product.level,
        "baseline": product.baseline,
        "datetime": format_utc(product.tile_time),
        "tile": product.tile,
        "cloud_fraction": product.cloud_fraction,
        "quantification": product.quantification,
        "offsets": {band: product.offsets[band] for band in read_at},
        "read_at_m": dict(read_at),
        "input_m": input_m,
        "resolution_m": output_m,
        "files": product.files.known(members),
    }
