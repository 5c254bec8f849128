"""Which of a data set's bands are the red and the near infrared of an NDVI."""

from __future__ import annotations

from collections.abc import Sequence

from sensor2sensor.dataset.bands import BandSpec

REFLECTANCE = "reflectance"
# Where chlorophyll absorbs, and the plateau behind the red edge; what an NDVI asks is nearest to
# the second number. Sentinel-2: B04 and B08, before B8A; OLCI: Oa08 and Oa17; SPOT: B2 and B3.
RED_NM, RED_AT_NM = (630.0, 690.0), 660.0
NIR_NM, NIR_AT_NM = (820.0, 900.0), 842.0


def red_and_nir(bands: Sequence[BandSpec]) -> tuple[tuple[int, int] | None, str]:
    """Positions of red and near infrared among bands; without them None, and why.

    A band is told by its central wavelength; one without by its name, ``red`` or ``nir``.
    """
    # Digital numbers of two bands have two gains: their ratio is that of no reflectances.
    if any(band.unit != REFLECTANCE for band in bands):
        return None, "undefined: the bands are not all reflectance"
    red = _nearest(bands, RED_NM, RED_AT_NM, "red")
    nir = _nearest(bands, NIR_NM, NIR_AT_NM, "nir")
    lacking = [word for word, place in (("red", red), ("near-infrared", nir)) if place is None]
    if red is None or nir is None:
        return None, f"undefined without a {' and a '.join(lacking)} band"
    return (red, nir), ""


def _nearest(
    bands: Sequence[BandSpec], ends_nm: tuple[float, float], at_nm: float, name: str
) -> int | None:
    known = {
        place: abs(band.wavelength_nm - at_nm)
        for place, band in enumerate(bands)
        if band.wavelength_nm is not None and ends_nm[0] <= band.wavelength_nm <= ends_nm[1]
    }
    if known:
        return min(known, key=known.__getitem__)
    named = [i for i, band in enumerate(bands) if band.wavelength_nm is None]
    return next((i for i in named if bands[i].name.lower() == name), None)
