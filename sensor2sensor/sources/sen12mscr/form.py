"""The form that triplets of SEN12MS-CR are stored in: bands, mask, split policy."""

from __future__ import annotations

from sensor2sensor.core.errors import InputError
from sensor2sensor.dataset.bands import REFLECTANCE_SCALE, BandSpec
from sensor2sensor.dataset.build import dense_input, draft_contract, drawn
from sensor2sensor.dataset.contract import DatasetContract, ExtraSpec, SplitPolicy, TargetSpec
from sensor2sensor.dataset.display import RGB_NAMES
from sensor2sensor.products.bands import S2_NATIVE_RESOLUTION_M, S2_WAVELENGTHS_NM
from sensor2sensor.sources.sen12mscr.cloudmask import CLEAR, CLOUD, SHADOW
from sensor2sensor.sources.sen12mscr.images import Form
from sensor2sensor.sources.sen12mscr.options import Sen12Options
from sensor2sensor.sources.sen12mscr.radar import LIMITS_DB

MASK = "cloud_mask"
_SAME = 1e-6


def block_px(form: Form, options: Sen12Options) -> int:
    """Pixels along the side of a block that radar is averaged over; 1: it is not.

    Raises:
        InputError: A block would be no whole number of pixels, or a patch none of blocks.
    """
    asked_m, pixel_m = options.s1_resolution_m, form.pixel_m
    if asked_m is None:
        return 1
    if pixel_m is None:
        what = f"--s1-resolution {asked_m:g} needs radar that says how large a pixel is"
        raise InputError(what, hint="georeference the files, or leave it out")
    count = round(asked_m / pixel_m)
    if count < 1 or abs(asked_m / pixel_m - count) > _SAME:
        what = f"--s1-resolution {asked_m:g} is no whole multiple of a radar pixel of {pixel_m:g} m"
        raise InputError(what)
    if form.side_px % count:
        what = f"--s1-resolution {asked_m:g} makes blocks of {count} pixels, and {form.side_px}"
        raise InputError(f"{what} are no whole number of them")
    return count


def draft(form: Form, options: Sen12Options) -> DatasetContract:
    """The contract that samples are written by."""
    side_px, names = form.side_px, options.s2_bands
    mask = ExtraSpec(
        name=MASK,
        dtype="uint8",
        shape=(side_px, side_px),
        unit="1",
        role="mask",
        strata={"covered": (CLOUD, SHADOW), "clear": (CLEAR,)},
        variant=options.mask,
    )
    radar = tuple(_radar_band(name, form, options) for name in LIMITS_DB)
    optical = tuple(_optical_band(name, 1.0) for name in names)
    stored = tuple(_optical_band(name, REFLECTANCE_SCALE) for name in names)
    return draft_contract(
        name=options.dataset,
        kind="paired",
        tile_px=side_px,
        resolution_m=form.pixel_m,
        factor=1.0,
        input=dense_input(
            (*optical, *radar), "float32", side_px, pixel_m=form.pixel_m, display=RGB_NAMES
        ),
        target=TargetSpec(bands=stored, dtype="uint16", display=RGB_NAMES),
        extras=(mask,),
        split_policy=_policy(options),
    )


def _policy(options: Sen12Options) -> SplitPolicy:
    if options.split == "roi":
        return drawn("group", options.seed, options.train_ratio, options.val_ratio)
    return drawn("given", 0 if options.split == "published" else options.seed)


def _optical_band(name: str, scale: float) -> BandSpec:
    """A band of level 1C; all are stored on one grid, whatever they were sampled at."""
    return BandSpec(
        name=name,
        unit="reflectance",
        wavelength_nm=S2_WAVELENGTHS_NM[name],
        scale=scale,
        offset=0.0,
        nodata=None,
        groups=("S2", "L1C", f"{S2_NATIVE_RESOLUTION_M[name]}m"),
        value_range=(0.0, 1.0),
    )


def _radar_band(name: str, form: Form, options: Sen12Options) -> BandSpec:
    return BandSpec(
        name=name,
        unit="dB",
        wavelength_nm=None,
        scale=1.0,
        offset=0.0,
        nodata=None,
        groups=("S1", f"{options.s1_resolution_m or form.pixel_m or 10:g}m"),
        value_range=LIMITS_DB[name],
    )
