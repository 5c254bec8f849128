"""Names, order, resolution and central wavelengths of the bands of both sensors."""

from __future__ import annotations

# Order of `band_id` 0..12 in Sentinel-2 metadata.
S2_BANDS: tuple[str, ...] = (
    *("B01", "B02", "B03", "B04", "B05", "B06", "B07"),
    *("B08", "B8A", "B09", "B10", "B11", "B12"),
)

# Central wavelengths of Sentinel-2A as its own metadata give them (Spectral_Information_List).
S2_WAVELENGTHS_NM: dict[str, float] = dict(
    zip(
        S2_BANDS,
        (
            442.7,
            492.7,
            559.8,
            664.6,
            704.1,
            740.5,
            782.8,
            832.8,
            864.7,
            945.1,
            1373.5,
            1613.7,
            2202.4,
        ),
        strict=True,
    )
)

# Resolution at which a band is sampled; Level-1C gives each band at this one alone.
S2_NATIVE_RESOLUTION_M: dict[str, int] = {
    **dict.fromkeys(("B02", "B03", "B04", "B08"), 10),
    **dict.fromkeys(("B05", "B06", "B07", "B8A", "B11", "B12"), 20),
    **dict.fromkeys(("B01", "B09", "B10"), 60),
}

OLCI_BANDS: tuple[str, ...] = tuple(f"Oa{number:02d}" for number in range(1, 22))

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
