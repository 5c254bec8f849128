"""`MTD_TL.xml` of a Sentinel-2 product."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from tests.fakes.s2xml import BANDS, HEAD, Facts, Identity, tag, utc


def _grid(values: NDArray) -> str:
    rows = "".join(tag("VALUES", " ".join(f"{v:.6g}" for v in row)) for row in values)
    step = tag("COL_STEP", 5000, unit="m") + tag("ROW_STEP", 5000, unit="m")
    return step + tag("Values_List", rows.replace("nan", "NaN"))


@lru_cache(maxsize=16)
def _angles(sun: tuple[float, float]) -> str:
    across = np.arange(23)[None, :] - 11.0
    down = np.arange(23)[:, None] - 11.0
    zenith = _grid(sun[0] - 0.034 * across + 0.028 * down)
    azimuth = _grid(sun[1] + 0.051 * across - 0.047 * down)
    mean = tag("ZENITH_ANGLE", sun[0], unit="deg")
    mean += tag("AZIMUTH_ANGLE", sun[1], unit="deg")
    view = _grid(6.0 + 0.2 * across + 0.0 * down), _grid(101.0 + 0.1 * down + 0.0 * across)
    views = "".join(
        tag(
            "Viewing_Incidence_Angles_Grids",
            tag("Zenith", view[0]) + tag("Azimuth", view[1]),
            bandId=i, detectorId=6,
        )
        for i in range(13)
    )  # fmt: skip
    means = "".join(
        tag(
            "Mean_Viewing_Incidence_Angle",
            tag("ZENITH_ANGLE", 6.0, unit="deg") + tag("AZIMUTH_ANGLE", 101.0, unit="deg"),
            bandId=i,
        )
        for i in range(13)
    )
    return f"""<Sun_Angles_Grid><Zenith>{zenith}</Zenith>
      <Azimuth>{azimuth}</Azimuth></Sun_Angles_Grid>
      <Mean_Sun_Angle>{mean}</Mean_Sun_Angle>
      {views}
      <Mean_Viewing_Incidence_Angle_List>{means}</Mean_Viewing_Incidence_Angle_List>"""


def _geocoding(facts: Facts) -> str:
    zone, south = facts.epsg % 100, facts.epsg // 100 == 327
    sizes, places = "", ""
    for resolution in (10, 20, 60):
        side = -(-facts.size_px * 10 // resolution)
        sizes += tag("Size", tag("NROWS", side) + tag("NCOLS", side), resolution=resolution)
        corner = tag("ULX", f"{facts.ulx_m:.0f}") + tag("ULY", f"{facts.uly_m:.0f}")
        corner += tag("XDIM", resolution) + tag("YDIM", -resolution)
        places += tag("Geoposition", corner, resolution=resolution)
    return f"""<HORIZONTAL_CS_NAME>WGS84 / UTM zone {zone}{"S" if south else "N"}\
</HORIZONTAL_CS_NAME>
      <HORIZONTAL_CS_CODE>EPSG:{facts.epsg}</HORIZONTAL_CS_CODE>
      {sizes}
      {places}"""


def tile_xml(identity: Identity, facts: Facts) -> str:
    """Return MTD_TL.xml."""
    level = {"L1C": "Level-1C", "L2A": "Level-2A"}[identity.level]
    masks = "\n".join(
        "      "
        + tag(
            "MASK_FILENAME", file,
            **({"bandId": BANDS.index(band)} if band else {}), type=kind,
        )
        for band, kind, file in facts.masks
    )  # fmt: skip
    return f"""{HEAD}<n1:{level}_Tile_ID \
xmlns:n1="https://psd-14.sentinel2.eo.esa.int/PSD/S2_PDI_{level}_Tile_Metadata.xsd">
  <n1:General_Info>
    <TILE_ID metadataLevel="Brief">{identity.entity("TL")}</TILE_ID>
    <DATASTRIP_ID metadataLevel="Standard">{identity.entity("DS")}</DATASTRIP_ID>
    <SENSING_TIME metadataLevel="Standard">{utc(identity.tile_sensing, 6)}</SENSING_TIME>
  </n1:General_Info>
  <n1:Geometric_Info>
    <Tile_Geocoding metadataLevel="Brief">
      {_geocoding(facts)}
    </Tile_Geocoding>
    <Tile_Angles metadataLevel="Standard">
      {_angles(facts.sun)}
    </Tile_Angles>
  </n1:Geometric_Info>
  <n1:Quality_Indicators_Info metadataLevel="Standard">
    <Image_Content_QI>
      <CLOUDY_PIXEL_PERCENTAGE>{facts.cloud_percent:.6f}</CLOUDY_PIXEL_PERCENTAGE>
      <DEGRADED_MSI_DATA_PERCENTAGE>0</DEGRADED_MSI_DATA_PERCENTAGE>
      <NODATA_PIXEL_PERCENTAGE>{facts.nodata_percent:.6f}</NODATA_PIXEL_PERCENTAGE>
    </Image_Content_QI>
    <Pixel_Level_QI geometry="FULL_RESOLUTION">
{masks}
    </Pixel_Level_QI>
    <PVI_FILENAME>{facts.preview}</PVI_FILENAME>
  </n1:Quality_Indicators_Info>
</n1:{level}_Tile_ID>
"""
