"""The form that pairs of WorldStrat are stored in, raw or derived."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sensor2sensor.dataset.bands import BandSpec
from sensor2sensor.dataset.build import dense_input, draft_contract
from sensor2sensor.dataset.contract import DatasetContract, ExtraSpec, SplitPolicy, TargetSpec
from sensor2sensor.products.bands import S2_WAVELENGTHS_NM
from sensor2sensor.sources.exclusions import Excluded, Exclusions, facts_of
from sensor2sensor.sources.worldstrat.images import BANDS, DIVISOR, NODATA_DN

LICENCE = "CC BY-NC 4.0 (SPOT 6/7, Airbus); Sentinel-2: Copernicus"
LOW_M = 10.0  # nominal: the files are in degrees, and their pixels within a few per cent of it
DISPLAY = ("B4", "B3", "B2")
# Middles of the bands of SPOT 6 and 7: 450-520, 530-590, 625-695 and 760-890 nm.
SPOT_NM = dict(zip(BANDS, (485.0, 560.0, 660.0, 825.0), strict=True))
CORRELATION = ExtraSpec(name="correlation", dtype="float32", shape=(), unit="1")
PAIRING = (
    ExtraSpec(name="revisit", dtype="int32", shape=(), unit="1"),
    ExtraSpec(name="days", dtype="float32", shape=(), unit="d"),
    ExtraSpec(name="cloud", dtype="float32", shape=(), unit="1"),
    ExtraSpec(name="moved_px", dtype="float32", shape=(2,), unit="px"),
    CORRELATION,
)


def facts(exclusions: Exclusions, idle: Sequence[Excluded]) -> dict[str, Any]:
    """What provenance says of a folder: its licence, and which lists left samples out.

    Args:
        exclusions: The lists.
        idle: Their entries that mean no sample.
    """
    names = list(exclusions.names)
    return {"licence": LICENCE, **({"excluded_by": names} if names else {}), **facts_of(idle)}


def draft(
    name: str,
    tile_px: int,
    factor: int,
    policy: SplitPolicy,
    extras: tuple[ExtraSpec, ...] = (CORRELATION,),
) -> DatasetContract:
    """The contract: Sentinel-2 at 10 m, SPOT ``factor`` times finer, both int16."""
    sides = [
        tuple(_band(band, nanometres[band], groups) for band in BANDS)
        for nanometres, groups in (
            ({band: S2_WAVELENGTHS_NM[f"B{int(band[1:]):02d}"] for band in BANDS}, ("S2", "10m")),
            (SPOT_NM, ("SPOT", f"{LOW_M / factor:g}m")),
        )
    ]
    low_px = tile_px // factor
    return draft_contract(
        name=name,
        kind="paired",
        tile_px=tile_px,
        resolution_m=LOW_M / factor,
        factor=float(factor),
        input=dense_input(sides[0], "int16", low_px, pixel_m=LOW_M, display=DISPLAY),
        target=TargetSpec(bands=sides[1], dtype="int16", display=DISPLAY),
        extras=extras,
        split_policy=policy,
    )


def _band(name: str, wavelength_nm: float, groups: tuple[str, ...]) -> BandSpec:
    return BandSpec(
        name=name,
        unit="reflectance",
        wavelength_nm=wavelength_nm,
        scale=1.0 / DIVISOR,
        offset=0.0,
        nodata=float(NODATA_DN),
        groups=groups,
    )
