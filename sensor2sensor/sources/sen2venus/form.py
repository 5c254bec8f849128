"""The form that patches of SEN2VENµS are stored in: which file holds which band, on which grid."""

from __future__ import annotations

from sensor2sensor.dataset.bands import REFLECTANCE_SCALE, BandSpec
from sensor2sensor.dataset.build import dense_input, draft_contract, drawn
from sensor2sensor.dataset.contract import DatasetContract, ExtraSpec, TargetSpec
from sensor2sensor.products.bands import S2_WAVELENGTHS_NM
from sensor2sensor.sources.sen2venus.options import SHORTWAVE, TEN, TWENTY, VenusOptions

TARGET_M = 5
NODATA = -10000
GAPS = "gaps"
# The column of the index by the bands that its files hold, in this order: as Sentinel-2 has them,
# and as Venµs does. Nobody measured B11 and B12 at 5 m.
LOW: dict[tuple[str, ...], str] = {
    TEN: "b2b3b4b8_10m",
    TWENTY: "b5b6b7b8a_20m",
    SHORTWAVE: "b11b12_20m",
}
HIGH: dict[tuple[str, ...], str] = {TEN: "b2b3b4b8_05m", TWENTY: "b5b6b7b8a_05m"}
# Of a target pixel, along its edge.
PIXELS = {column: int(column[-3:-1]) // TARGET_M for column in (*LOW.values(), *HIGH.values())}


def groups_of(options: VenusOptions) -> list[tuple[str, ...]]:
    """The groups of bands that are stored, in order."""
    return [group for group in (TEN, TWENTY, SHORTWAVE) if set(group) <= set(options.chosen)]


def columns_of(options: VenusOptions) -> list[str]:
    """The columns of the index that are needed, targets first."""
    groups = groups_of(options)
    return [*(HIGH[g] for g in groups if g in HIGH), *(LOW[g] for g in groups)]


def draft(side_px: int, options: VenusOptions) -> DatasetContract:
    """The contract that samples are written by.

    Args:
        side_px: Of a patch at 5 m.
        options: Of step 54.
    """
    factor, groups = options.factor, groups_of(options)
    inputs = [_band(n, native_px=PIXELS[LOW[g]] // factor) for g in groups for n in g]
    targets = [_band(name, reference=group in HIGH) for group in groups for name in group]
    shown = ("B4", "B3", "B2") if TEN in groups else None
    gaps = ExtraSpec(
        name=GAPS,
        dtype="uint8",
        shape=(side_px, side_px),
        unit="1",
        role="mask",
        strata={"measured": (0,), "filled": (1,)},
    )
    return draft_contract(
        name=options.dataset,
        kind="paired",
        tile_px=side_px,
        resolution_m=float(TARGET_M),
        factor=float(factor),
        input=dense_input(
            inputs, "int16", side_px // factor, pixel_m=float(TARGET_M * factor), display=shown
        ),
        target=TargetSpec(bands=tuple(targets), dtype="int16", display=shown),
        extras=(gaps,) if options.min_valid < 1 else (),
        split_policy=drawn("given", options.seed),
    )


def _band(name: str, *, native_px: int = 1, reference: bool = True) -> BandSpec:
    padded = name if name == "B8A" else f"B{int(name[1:]):02d}"
    return BandSpec(
        name=name,
        unit="reflectance",
        wavelength_nm=S2_WAVELENGTHS_NM[padded],
        scale=REFLECTANCE_SCALE,
        offset=0.0,
        nodata=float(NODATA),
        groups=("10m",) if name in TEN else ("20m",),
        native_px=native_px,
        reference=reference,
    )
