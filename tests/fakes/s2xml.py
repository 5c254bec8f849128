"""Names and the product XML of Sentinel-2, written from the facts of the format."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

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
# As the products of each satellite give them; pixels are drawn at those of S2A.
_CENTRAL_NM = {
    "S2A": tuple(WAVELENGTH_NM.values()),
    "S2B": (442.3, 492.3, 559, 665, 703.8, 739.1, 779.7, 833, 864, 943.2, 1376.9, 1610.4,
            2185.7),
    "S2C": (444.2, 489, 560.6, 666.5, 707.1, 741.1, 784.7, 834.6, 865.6, 947.2, 1372.2, 1612,
            2191.3),
}  # fmt: skip
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
HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="no"?>\n'


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
    strip: datetime | None = None

    @property
    def generation(self) -> datetime:
        """Generation time: some hours after sensing unless the product was reprocessed."""
        return self.generated or self.sensing + timedelta(hours=4, minutes=7)

    @property
    def tile_sensing(self) -> datetime:
        """Start of the data strip: a little before the datatake reaches the tile."""
        return self.strip or self.sensing + timedelta(seconds=4)

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


def tag(name: str, value: object, **attributes: object) -> str:
    """Return one element."""
    extra = "".join(f' {k}="{v}"' for k, v in attributes.items())
    return f"<{name}{extra}>{value}</{name}>"


def _product_info(identity: Identity, facts: Facts) -> str:
    long = {"L1C": ("Level-1C", "S2MSI1C"), "L2A": ("Level-2A", "S2MSI2A")}[identity.level]
    orbit = f"{identity.absolute_orbit:06d}"
    take = f"G{identity.platform}_{stamp(identity.sensing)}_{orbit}_N{identity.baseline}"
    images = "\n".join("        " + tag("IMAGE_FILE", f) for f in facts.files)
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
    offsets, name = "", {"L1C": "RADIO_ADD_OFFSET", "L2A": "BOA_ADD_OFFSET"}[identity.level]
    if identity.new:
        listed = "".join(tag(name, -1000, band_id=i) for i in range(13))
        outer = {"L1C": "Radiometric_Offset_List", "L2A": "BOA_ADD_OFFSET_VALUES_LIST"}
        offsets = tag(outer[identity.level], listed)
    if identity.level == "L1C":
        return tag("QUANTIFICATION_VALUE", 10000, unit="none") + "\n    " + offsets
    values = (
        tag("BOA_QUANTIFICATION_VALUE", 10000, unit="none")
        + tag("AOT_QUANTIFICATION_VALUE", "1000.0", unit="none")
        + tag("WVP_QUANTIFICATION_VALUE", "1000.0", unit="cm")
    )
    return tag("QUANTIFICATION_VALUES_LIST", values) + "\n    " + offsets


def _special(text: str, index: int) -> str:
    return tag(
        "Special_Values",
        tag("SPECIAL_VALUE_TEXT", text) + tag("SPECIAL_VALUE_INDEX", index),
    )


def _spectral(index: int, band: str, platform: str) -> str:
    centre, width = _CENTRAL_NM[platform][index], _WIDTH_NM[index]
    physical = "B" + band[1:].lstrip("0")
    wave = (
        tag("MIN", round(centre - width / 2), unit="nm")
        + tag("MAX", round(centre + width / 2), unit="nm")
        + tag("CENTRAL", centre, unit="nm")
    )
    body = tag("RESOLUTION", RESOLUTION_M[band]) + tag("Wavelength", wave)
    return "    " + tag("Spectral_Information", body, bandId=index, physicalBand=physical)


def _image_characteristics(identity: Identity) -> str:
    solar = "".join(
        tag("SOLAR_IRRADIANCE", value, bandId=i, unit="W/m²/µm")
        for i, value in enumerate(_IRRADIANCE)
    )
    day = identity.sensing.timetuple().tm_yday
    factor = 1.0 / (1.0 - 0.01673 * np.cos(0.0172 * (day - 4))) ** 2
    spectral = "\n".join(_spectral(i, band, identity.platform) for i, band in enumerate(BANDS))
    classes = "".join(
        tag(
            "Scene_Classification_ID",
            tag("SCENE_CLASSIFICATION_TEXT", text) + tag("SCENE_CLASSIFICATION_INDEX", i),
        )
        for i, text in enumerate(_SCL)
    )
    listed = tag("Scene_Classification_List", classes) if identity.level == "L2A" else ""
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
    listed = "".join(tag("quality_check", "PASSED", checkType=n) for n in names)
    return tag("Quality_Control_Checks", tag("Quality_Inspections", listed))


def _quality(identity: Identity, facts: Facts) -> str:
    parts = [tag("Cloud_Coverage_Assessment", f"{facts.cloud_percent:.6f}")]
    if identity.level == "L1C":
        parts.append(tag("Snow_Coverage_Assessment", f"{facts.snow_percent:.4f}"))
    parts.append(_checks(identity))
    if identity.level == "L2A":
        content = {
            "CLOUDY_PIXEL_OVER_LAND_PERCENTAGE": facts.cloud_percent,
            "NODATA_PIXEL_PERCENTAGE": facts.nodata_percent,
            "HIGH_PROBA_CLOUDS_PERCENTAGE": facts.cloud_percent,
            "SNOW_ICE_PERCENTAGE": facts.snow_percent,
        }
        listed = "".join(tag(k, f"{v:.6f}") for k, v in content.items())
        parts.append(tag("Image_Content_QI", listed))
    return "\n  ".join(parts)


def product_xml(identity: Identity, facts: Facts) -> str:
    """Return MTD_MSIL1C.xml or MTD_MSIL2A.xml."""
    level = {"L1C": "Level-1C", "L2A": "Level-2A"}[identity.level]
    psd = 15 if float(identity.baseline) >= 5.11 else 14
    space = f"https://psd-{psd}.sentinel2.eo.esa.int/PSD/User_Product_{level}.xsd"
    return f"""{HEAD}<n1:{level}_User_Product xmlns:n1="{space}">
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
