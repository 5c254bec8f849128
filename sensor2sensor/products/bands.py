"""Names, order, resolution and central wavelengths of the bands of both sensors."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

# Order of `band_id` 0..12 in Sentinel-2 metadata.
S2_BANDS: tuple[str, ...] = (
    *("B01", "B02", "B03", "B04", "B05", "B06", "B07"),
    *("B08", "B8A", "B09", "B10", "B11", "B12"),
)

# Central wavelengths by satellite as its products give them (Spectral_Information_List; read from
# S2A of baselines 03.01 and 04.00, S2B of 04.00, S2C of 05.11 and 99.04). Older products of S2A
# have 492.4 for B02: a product's own word counts, the table where it says nothing.
S2_PLATFORM_WAVELENGTHS_NM: dict[str, dict[str, float]] = {
    platform: dict(zip(S2_BANDS, values, strict=True))
    for platform, values in {
        "S2A": (
            *(442.7, 492.7, 559.8, 664.6, 704.1, 740.5, 782.8, 832.8, 864.7, 945.1),
            *(1373.5, 1613.7, 2202.4),
        ),
        "S2B": (
            *(442.3, 492.3, 559.0, 665.0, 703.8, 739.1, 779.7, 833.0, 864.0, 943.2),
            *(1376.9, 1610.4, 2185.7),
        ),
        "S2C": (
            *(444.2, 489.0, 560.6, 666.5, 707.1, 741.1, 784.7, 834.6, 865.6, 947.2),
            *(1372.2, 1612.0, 2191.3),
        ),
    }.items()
}
# Which band is which, for ordering and for choosing the nearest; never what a tile is told to be.
S2_WAVELENGTHS_NM = S2_PLATFORM_WAVELENGTHS_NM["S2A"]

# Resolution at which a band is sampled; Level-1C gives each band at this one alone.
S2_NATIVE_RESOLUTION_M: dict[str, int] = {
    **dict.fromkeys(("B02", "B03", "B04", "B08"), 10),
    **dict.fromkeys(("B05", "B06", "B07", "B8A", "B11", "B12"), 20),
    **dict.fromkeys(("B01", "B09", "B10"), 60),
}

OLCI_BANDS: tuple[str, ...] = tuple(f"Oa{number:02d}" for number in range(1, 22))

# ``scale_factor`` of the radiances of both satellites' products from 2017 on: the steps in which
# those of any product are kept. A product is read by its own.
_SCALES = (
    0.013946459628641605, 0.013387260027229786, 0.012148120440542698, 0.011519820429384708,
    0.010095260106027126, 0.012353800237178802, 0.008791609667241573, 0.008765390142798424,
    0.009510300122201443, 0.007733779959380627, 0.006755230017006397, 0.007199599873274565,
    0.007496839854866266, 0.008651199750602245, 0.005267790053039789, 0.005302669946104288,
    0.004930039867758751, 0.0054996199905872345, 0.005028469953685999, 0.003263779915869236,
    0.0032411799766123295,
)  # fmt: skip
OLCI_SCALES: dict[str, float] = dict(zip(OLCI_BANDS, _SCALES, strict=True))

# Nominal centres (the characterised ones vary by detector: `lambda0` of instrument_data.nc).
OLCI_WAVELENGTHS_NM: dict[str, float] = dict(
    zip(
        OLCI_BANDS,
        (
            *(400.0, 412.5, 442.5, 490.0, 510.0, 560.0, 620.0, 665.0, 673.75, 681.25, 708.75),
            *(753.75, 761.25, 764.375, 767.5, 778.75, 865.0, 885.0, 900.0, 940.0, 1020.0),
        ),
        strict=True,
    )
)


def esa_name(band: str) -> str:
    """The name that products of ESA have for a band of Sentinel-2: Theia's ``B2`` is ``B02``."""
    return f"B0{band[1]}" if len(band) == 2 and band[0] == "B" and band[1].isdigit() else band


def mean_nm(parts: Sequence[tuple[float, int]]) -> float:
    """Mean of (wavelength in nm, number of tiles), to a tenth of a nanometre."""
    total = sum(tiles for _, tiles in parts)
    return round(sum(nm * tiles for nm, tiles in parts) / total, 1)
