"""The XML of Sentinel-2 products, written from the facts of the format."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

BANDS = (
    "B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B10", "B11", "B12",
)  # fmt: skip
RESOLUTION_M = dict(zip(BANDS, (60, 10, 10, 10, 20, 20, 20, 10, 20, 60, 60, 20, 20), strict=True))
WAVELENGTH_NM = dict(
    zip(
        BANDS,
        (442.7, 492.7, 559.8, 664.6, 704.1, 740.5, 782.8, 832.8, 864.7, 945.1, 1373.5, 1613.7,
         2202.4),
        strict=True,
    )
)  # fmt: skip
_WIDTH_NM = (20, 65, 35, 30, 14, 14, 19, 105, 21, 19, 29, 90, 174)
_IRRADIANCE = (
    1884.69, 1959.66, 1823.24, 1512.06, 1424.64, 1287.61, 1162.08, 1041.63, 955.32, 812.92,
    367.15, 245.59, 85.25,
)  # fmt: skip
_SCL = (
    "SC_NODATA", "SC_SATURATED_DEFECTIVE", "SC_DARK_FEATURE_SHADOW", "SC_CLOUD_SHADOW",
    "SC_VEGETATION", "SC_NOT_VEGETATED", "SC_WATER", "SC_UNCLASSIFIED", "SC_CLOUD_MEDIUM_PROBA",
    "SC_CLOUD_HIGH_PROBA", "SC_THIN_CIRRUS", "SC_SNOW_ICE",
)  # fmt: skip
_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="no"?>\n'


def stamp(time: datetime) -> str:
    """Return the time as product names write it."""
    return time.strftime("%Y%m%dT%H%M%S")


def utc(time: datetime, digits: int = 3) -> str:
    """Return the time as the XML writes it."""
    return f"{time:%Y-%m-%dT%H:%M:%S}.{time.microsecond:06d}"[: 20 + digits] + "Z"


@dataclass(frozen=True)
class Identity:
    """The names and numbers of one Sentinel-2 product."""

    level: str
    platform: str
    baseline: str
    tile: str
    sensing: datetime
    relative_orbit: int = 26
    absolute_orbit: int = 36812
    generated: datetime | None = None

    @property
    def generation(self) -> datetime:
        """Generation time: some hours after sensing unless the product was reprocessed."""
        return self.generated or self.sensing + timedelta(hours=4, minutes=7)

    @property
    def tile_sensing(self) -> datetime:
        """Start of the data strip: a little before the datatake reaches the tile."""
        return self.sensing + timedelta(seconds=4)

    @property
    def baseline_name(self) -> str:
        """The baseline as in names: N0400."""
        return "N" + self.baseline.replace(".", "")

    @property
    def name(self) -> str:
        """The product's name with .SAFE."""
        return (
            f"{self.platform}_MSI{self.level}_{stamp(self.sensing)}_{self.baseline_name}"
            f"_R{self.relative_orbit:03d}_{self.tile}_{stamp(self.generation)}.SAFE"
        )

    @property
    def granule(self) -> str:
        """The granule folder's name."""
        strip = stamp(self.tile_sensing)
        return f"{self.level}_{self.tile}_A{self.absolute_orbit:06d}_{strip}"

    @property
    def new(self) -> bool:
        """From baseline 04.00 on: radiometric offsets and JP2 masks."""
        return float(self.baseline) >= 4.0

    def entity(self, kind: str) -> str:
        """Return the identifier of the tile ("TL") or the data strip ("DS")."""
        tail = f"S{stamp(self.tile_sensing)}" if kind == "DS" else ""
        tail = tail or f"A{self.absolute_orbit:06d}_{self.tile}"
        made = stamp(self.generation)
        return f"{self.platform}_OPER_MSI_{self.level}_{kind}_FAKE_{made}_{tail}_N{self.baseline}"


@dataclass(frozen=True)
class Facts:
    """What the XML tells about the content."""

    files: tuple[str, ...]  # image files without extension
    masks: tuple[tuple[str, str, str], ...]  # (band or "", type, file)
    preview: str
    footprint: str  # lat lon lat lon ...
    cloud_percent: float
    nodata_percent: float
    snow_percent: float
    epsg: int
    ulx_m: float
    uly_m: float
    size_px: int
    sun: tuple[float, float]  # zenith, azimuth


def _tag(name: str, value: object, **attributes: object) -> str:
    extra = "".join(f' {k}="{v}"' for k, v in attributes.items())
    return f"<{name}{extra}>{value}</{name}>"


def _product_info(identity: Identity, facts: Facts) -> str:
    long = {"L1C": ("Level-1C", "S2MSI1C"), "L2A": ("Level-2A", "S2MSI2A")}[identity.level]
    orbit = f"{identity.absolute_orbit:06d}"
    take = f"G{identity.platform}_{stamp(identity.sensing)}_{orbit}_N{identity.baseline}"
    images = "\n".join("        " + _tag("IMAGE_FILE", f) for f in facts.files)
    start = utc(identity.sensing)
    return f"""<Product_Info>
    <PRODUCT_START_TIME>{start}</PRODUCT_START_TIME>
    <PRODUCT_STOP_TIME>{start}</PRODUCT_STOP_TIME>
    <PRODUCT_URI>{identity.name}</PRODUCT_URI>
    <PROCESSING_LEVEL>{long[0]}</PROCESSING_LEVEL>
    <PRODUCT_TYPE>{long[1]}</PRODUCT_TYPE>
    <PROCESSING_BASELINE>{identity.baseline}</PROCESSING_BASELINE>
    <GENERATION_TIME>{utc(identity.generation, 6)}</GENERATION_TIME>
    <PREVIEW_IMAGE_URL>Not applicable</PREVIEW_IMAGE_URL>
    <PREVIEW_GEO_INFO>Not applicable</PREVIEW_GEO_INFO>
    <Datatake datatakeIdentifier="{take}">
      <SPACECRAFT_NAME>Sentinel-{identity.platform[1:]}</SPACECRAFT_NAME>
      <DATATAKE_TYPE>INS-NOBS</DATATAKE_TYPE>
      <DATATAKE_SENSING_START>{start}</DATATAKE_SENSING_START>
      <SENSING_ORBIT_NUMBER>{identity.relative_orbit}</SENSING_ORBIT_NUMBER>
      <SENSING_ORBIT_DIRECTION>DESCENDING</SENSING_ORBIT_DIRECTION>
    </Datatake>
    <Query_Options completeSingleTile="true">
      <PRODUCT_FORMAT>SAFE_COMPACT</PRODUCT_FORMAT>
    </Query_Options>
    <Product_Organisation><Granule_List>
      <Granule datastripIdentifier="{identity.entity("DS")}" \
granuleIdentifier="{identity.entity("TL")}" imageFormat="JPEG2000">
{images}
      </Granule>
    </Granule_List></Product_Organisation>
  </Product_Info>"""


def _radiometry(identity: Identity) -> str:
    offsets, tag = "", {"L1C": "RADIO_ADD_OFFSET", "L2A": "BOA_ADD_OFFSET"}[identity.level]
    if identity.new:
        listed = "".join(_tag(tag, -1000, band_id=i) for i in range(13))
        outer = {"L1C": "Radiometric_Offset_List", "L2A": "BOA_ADD_OFFSET_VALUES_LIST"}
        offsets = _tag(outer[identity.level], listed)
    if identity.level == "L1C":
        return _tag("QUANTIFICATION_VALUE", 10000, unit="none") + "\n    " + offsets
    values = (
        _tag("BOA_QUANTIFICATION_VALUE", 10000, unit="none")
        + _tag("AOT_QUANTIFICATION_VALUE", "1000.0", unit="none")
        + _tag("WVP_QUANTIFICATION_VALUE", "1000.0", unit="cm")
    )
    return _tag("QUANTIFICATION_VALUES_LIST", values) + "\n    " + offsets


def _special(text: str, index: int) -> str:
    return _tag(
        "Special_Values",
        _tag("SPECIAL_VALUE_TEXT", text) + _tag("SPECIAL_VALUE_INDEX", index),
    )


def _spectral(index: int, band: str) -> str:
    centre, width = WAVELENGTH_NM[band], _WIDTH_NM[index]
    physical = "B" + band[1:].lstrip("0")
    wave = (
        _tag("MIN", round(centre - width / 2), unit="nm")
        + _tag("MAX", round(centre + width / 2), unit="nm")
        + _tag("CENTRAL", centre, unit="nm")
    )
    body = _tag("RESOLUTION", RESOLUTION_M[band]) + _tag("Wavelength", wave)
    return "    " + _tag("Spectral_Information", body, bandId=index, physicalBand=physical)


def _image_characteristics(identity: Identity) -> str:
    solar = "".join(
        _tag("SOLAR_IRRADIANCE", value, bandId=i, unit="W/m²/µm")
        for i, value in enumerate(_IRRADIANCE)
    )
    day = identity.sensing.timetuple().tm_yday
    factor = 1.0 / (1.0 - 0.01673 * np.cos(0.0172 * (day - 4))) ** 2
    spectral = "\n".join(_spectral(i, band) for i, band in enumerate(BANDS))
    classes = "".join(
        _tag(
            "Scene_Classification_ID",
            _tag("SCENE_CLASSIFICATION_TEXT", text) + _tag("SCENE_CLASSIFICATION_INDEX", i),
        )
        for i, text in enumerate(_SCL)
    )
    listed = _tag("Scene_Classification_List", classes) if identity.level == "L2A" else ""
    return f"""<Product_Image_Characteristics>
    {_special("NODATA", 0)}
    {_special("SATURATED", 65535)}
    <Image_Display_Order><RED_CHANNEL>3</RED_CHANNEL><GREEN_CHANNEL>2</GREEN_CHANNEL>\
<BLUE_CHANNEL>1</BLUE_CHANNEL></Image_Display_Order>
    {_radiometry(identity)}
    <Reflectance_Conversion><U>{factor:.12f}</U>
      <Solar_Irradiance_List>{solar}</Solar_Irradiance_List></Reflectance_Conversion>
    <Spectral_Information_List>
{spectral}
    </Spectral_Information_List>
    <REFERENCE_BAND>3</REFERENCE_BAND>
    {listed}
  </Product_Image_Characteristics>"""


def _checks(identity: Identity) -> str:
    names = ["FORMAT_CORRECTNESS", "GENERAL_QUALITY", "GEOMETRIC_QUALITY", "RADIOMETRIC_QUALITY"]
    names += ["SENSOR_QUALITY"] + (["L2A_QUALITY"] if identity.level == "L2A" else [])
    listed = "".join(_tag("quality_check", "PASSED", checkType=n) for n in names)
    return _tag("Quality_Control_Checks", _tag("Quality_Inspections", listed))


def _quality(identity: Identity, facts: Facts) -> str:
    parts = [_tag("Cloud_Coverage_Assessment", f"{facts.cloud_percent:.6f}")]
    if identity.level == "L1C":
        parts.append(_tag("Snow_Coverage_Assessment", f"{facts.snow_percent:.4f}"))
    parts.append(_checks(identity))
    if identity.level == "L2A":
        content = {
            "CLOUDY_PIXEL_OVER_LAND_PERCENTAGE": facts.cloud_percent,
            "NODATA_PIXEL_PERCENTAGE": facts.nodata_percent,
            "HIGH_PROBA_CLOUDS_PERCENTAGE": facts.cloud_percent,
            "SNOW_ICE_PERCENTAGE": facts.snow_percent,
        }
        listed = "".join(_tag(k, f"{v:.6f}") for k, v in content.items())
        parts.append(_tag("Image_Content_QI", listed))
    return "\n  ".join(parts)


def product_xml(identity: Identity, facts: Facts) -> str:
    """Return MTD_MSIL1C.xml or MTD_MSIL2A.xml."""
    level = {"L1C": "Level-1C", "L2A": "Level-2A"}[identity.level]
    psd = 15 if float(identity.baseline) >= 5.11 else 14
    space = f"https://psd-{psd}.sentinel2.eo.esa.int/PSD/User_Product_{level}.xsd"
    return f"""{_HEAD}<n1:{level}_User_Product xmlns:n1="{space}">
<n1:General_Info>
  {_product_info(identity, facts)}
  {_image_characteristics(identity)}
</n1:General_Info>
<n1:Geometric_Info>
  <Product_Footprint><Product_Footprint><Global_Footprint>
    <EXT_POS_LIST>{facts.footprint} </EXT_POS_LIST>
  </Global_Footprint></Product_Footprint>
  <RASTER_CS_TYPE>POINT</RASTER_CS_TYPE><PIXEL_ORIGIN>1</PIXEL_ORIGIN></Product_Footprint>
  <Coordinate_Reference_System><GEO_TABLES version="1">EPSG</GEO_TABLES>\
<HORIZONTAL_CS_TYPE>GEOGRAPHIC</HORIZONTAL_CS_TYPE></Coordinate_Reference_System>
</n1:Geometric_Info>
<n1:Auxiliary_Data_Info>
  <PRODUCTION_DEM_TYPE>generated</PRODUCTION_DEM_TYPE>
</n1:Auxiliary_Data_Info>
<n1:Quality_Indicators_Info>
  {_quality(identity, facts)}
</n1:Quality_Indicators_Info>
</n1:{level}_User_Product>
"""


def _grid(values: NDArray) -> str:
    rows = "".join(_tag("VALUES", " ".join(f"{v:.6g}" for v in row)) for row in values)
    step = _tag("COL_STEP", 5000, unit="m") + _tag("ROW_STEP", 5000, unit="m")
    return step + _tag("Values_List", rows.replace("nan", "NaN"))


def _angles(facts: Facts) -> str:
    across = np.arange(23)[None, :] - 11.0
    down = np.arange(23)[:, None] - 11.0
    zenith = _grid(facts.sun[0] - 0.034 * across + 0.028 * down)
    azimuth = _grid(facts.sun[1] + 0.051 * across - 0.047 * down)
    mean = _tag("ZENITH_ANGLE", facts.sun[0], unit="deg")
    mean += _tag("AZIMUTH_ANGLE", facts.sun[1], unit="deg")
    view = _grid(6.0 + 0.2 * across + 0.0 * down), _grid(101.0 + 0.1 * down + 0.0 * across)
    views = "".join(
        _tag(
            "Viewing_Incidence_Angles_Grids",
            _tag("Zenith", view[0]) + _tag("Azimuth", view[1]),
            bandId=i, detectorId=6,
        )
        for i in range(13)
    )  # fmt: skip
    means = "".join(
        _tag(
            "Mean_Viewing_Incidence_Angle",
            _tag("ZENITH_ANGLE", 6.0, unit="deg") + _tag("AZIMUTH_ANGLE", 101.0, unit="deg"),
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
        sizes += _tag("Size", _tag("NROWS", side) + _tag("NCOLS", side), resolution=resolution)
        corner = _tag("ULX", f"{facts.ulx_m:.0f}") + _tag("ULY", f"{facts.uly_m:.0f}")
        corner += _tag("XDIM", resolution) + _tag("YDIM", -resolution)
        places += _tag("Geoposition", corner, resolution=resolution)
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
        + _tag(
            "MASK_FILENAME", file,
            **({"bandId": BANDS.index(band)} if band else {}), type=kind,
        )
        for band, kind, file in facts.masks
    )  # fmt: skip
    return f"""{_HEAD}<n1:{level}_Tile_ID \
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
      {_angles(facts)}
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
