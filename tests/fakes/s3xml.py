"""`xfdumanifest.xml` and names of Sentinel-3 OLCI products."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from tests.fakes import olci
from tests.fakes.packaging import digest, members
from tests.fakes.s2xml import stamp, utc

_ROW_S = 0.044001


@dataclass(frozen=True)
class Identity:
    """The names and numbers of one OLCI product."""

    platform: str
    product_type: str
    start: datetime
    rows: int
    columns: int
    factor: int
    collection: str
    timeliness: str
    cycle: int = 77
    relative_orbit: int = 334
    frame: str = "1980"
    orbit: int = 29567

    @property
    def stop(self) -> datetime:
        """End of sensing."""
        return self.start + timedelta(seconds=self.rows * _ROW_S * self.factor)

    @property
    def creation(self) -> datetime:
        """Creation time: hours after sensing for NR, more than a day for NT."""
        return self.stop + timedelta(hours={"NR": 2, "ST": 8}.get(self.timeliness, 29))

    @property
    def name(self) -> str:
        """The product's name with .SEN3."""
        duration = math.ceil((self.stop - self.start).total_seconds())
        return (
            f"{self.platform}_{self.product_type:_<11}_{stamp(self.start)}_{stamp(self.stop)}"
            f"_{stamp(self.creation)}_{duration:04d}_{self.cycle:03d}_{self.relative_orbit:03d}"
            f"_{self.frame}_LN1_O_{self.timeliness}_{self.collection}.SEN3"
        )


def _meta(identity: str, text: str, body: str) -> str:
    return f"""    <metadataObject ID="{identity}" classification="DESCRIPTION" category="DMD">
      <metadataWrap mimeType="text/xml" vocabularyName="Sentinel-SAFE" textInfo="{text}">
        <xmlData>
{body}
        </xmlData>
      </metadataWrap>
    </metadataObject>"""


def _platform(identity: Identity) -> str:
    letter = identity.platform[2]
    number = {"A": "2016-011A", "B": "2018-039A"}[letter]
    return f"""          <sentinel-safe:platform>
            <sentinel-safe:nssdcIdentifier>{number}</sentinel-safe:nssdcIdentifier>
            <sentinel-safe:familyName>Sentinel-3</sentinel-safe:familyName>
            <sentinel-safe:number>{letter}</sentinel-safe:number>
            <sentinel-safe:instrument>
              <sentinel-safe:familyName abbreviation="OLCI">Ocean Land Colour Instrument\
</sentinel-safe:familyName>
              <sentinel-safe:mode identifier="EO">Earth Observation</sentinel-safe:mode>
            </sentinel-safe:instrument>
          </sentinel-safe:platform>"""


def _general(identity: Identity, size: int) -> str:
    baseline = ""
    if identity.collection >= "003":
        name = f"OL__L1_.{identity.collection}.03.00"
        baseline = f"\n            <sentinel3:processingBaseline>{name}\
</sentinel3:processingBaseline>"
    duration = math.ceil((identity.stop - identity.start).total_seconds())
    return f"""          <sentinel3:generalProductInformation>
            <sentinel3:productName>{identity.name}</sentinel3:productName>
            <sentinel3:productType>{identity.product_type:_<11}</sentinel3:productType>
            <sentinel3:timeliness>{identity.timeliness}</sentinel3:timeliness>
            <sentinel3:baselineCollection>{identity.collection}\
</sentinel3:baselineCollection>{baseline}
            <sentinel3:creationTime>{stamp(identity.creation)}</sentinel3:creationTime>
            <sentinel3:productSize>{size}</sentinel3:productSize>
            <sentinel3:dispositionMode>Operational</sentinel3:dispositionMode>
            <sentinel3:productUnit>
              <sentinel3:type>FRAME</sentinel3:type>
              <sentinel3:duration>{duration}</sentinel3:duration>
              <sentinel3:alongtrackCoordinate>{identity.frame}\
</sentinel3:alongtrackCoordinate>
            </sentinel3:productUnit>
          </sentinel3:generalProductInformation>"""


def _olci(identity: Identity, tie_step: int, counts: dict[str, tuple[int, float]]) -> str:
    share = {name: f'percentage="{part:.6f}"' for name, (_, part) in counts.items()}
    both = {n: f'value="{c}" percentage="{p:.6f}"' for n, (c, p) in counts.items()}
    bands = "\n".join(
        f"""              <sentinel3:band name="{band}">
                <sentinel3:centralWavelength>{centre:g}</sentinel3:centralWavelength>
                <sentinel3:bandwidth>{width:g}</sentinel3:bandwidth>
              </sentinel3:band>"""
        for band, centre, width in zip(olci.BANDS, olci.CENTRES_NM, olci.WIDTHS_NM, strict=True)
    )
    along, across = 294 * identity.factor, 270 * identity.factor
    return f"""          <olci:olciProductInformation>
            <olci:classificationSummary>
              <sentinel3:coastalPixels {share["coastline"]}/>
              <sentinel3:freshInlandWaterPixels {share["fresh_inland_water"]}/>
              <sentinel3:tidalRegionPixels {share["tidal_region"]}/>
              <sentinel3:brightPixels {share["bright"]}/>
            </olci:classificationSummary>
            <olci:imageSize>
              <sentinel3:rows>{identity.rows}</sentinel3:rows>
              <sentinel3:columns>{identity.columns}</sentinel3:columns>
            </olci:imageSize>
            <olci:pixelQualitySummary>
              <olci:invalidPixels {both["invalid"]}/>
              <olci:cosmeticPixels {both["cosmetic"]}/>
              <olci:duplicatedPixels {both["duplicated"]}/>
              <olci:dubiousSamples {both["dubious"]}/>
            </olci:pixelQualitySummary>
            <olci:samplingParameters>
              <olci:alTimeSampling>{44001 * identity.factor}</olci:alTimeSampling>
              <olci:alSpatialSampling>{along}</olci:alSpatialSampling>
              <olci:acSpatialSampling>{across}</olci:acSpatialSampling>
              <olci:rowsPerTiePoint>1</olci:rowsPerTiePoint>
              <olci:columnsPerTiePoint>{tie_step}</olci:columnsPerTiePoint>
            </olci:samplingParameters>
            <olci:bandDescriptions bands="21">
{bands}
            </olci:bandDescriptions>
          </olci:olciProductInformation>"""


def _orbit(identity: Identity) -> str:
    return f"""          <sentinel-safe:orbitReference>
            <sentinel-safe:orbitNumber type="start" groundTrackDirection="descending">\
{identity.orbit}</sentinel-safe:orbitNumber>
            <sentinel-safe:relativeOrbitNumber type="start" groundTrackDirection="descending">\
{identity.relative_orbit}</sentinel-safe:relativeOrbitNumber>
            <sentinel-safe:cycleNumber>{identity.cycle}</sentinel-safe:cycleNumber>
          </sentinel-safe:orbitReference>"""


def _data_object(folder: Path, name: str) -> str:
    path = folder / name
    return f"""    <dataObject ID="{path.stem}Data">
      <byteStream mimeType="application/x-netcdf" size="{path.stat().st_size}">
        <fileLocation locatorType="URL" textInfo="{path.stem}" href="./{name}"/>
        <checksum checksumName="MD5">{digest(path, "MD5")}</checksum>
      </byteStream>
    </dataObject>"""


def manifest_xml(
    folder: Path, identity: Identity, outline: str, tie_step: int,
    counts: dict[str, tuple[int, float]],
) -> str:  # fmt: skip
    """Return the manifest of the netCDF files in a folder.

    Args:
        folder: the product's folder, complete but for the manifest.
        identity: names and numbers.
        outline: footprint as `lat lon lat lon ...`, closed.
        tie_step: columns between tie points.
        counts: per flag the number of pixels and the percentage.
    """
    names = [n for n in members(folder) if n.endswith(".nc")]
    size = sum((folder / n).stat().st_size for n in names)
    objects = "\n".join(_data_object(folder, n) for n in names)
    period = f"""          <sentinel-safe:acquisitionPeriod>
            <sentinel-safe:startTime>{utc(identity.start, 6)}</sentinel-safe:startTime>
            <sentinel-safe:stopTime>{utc(identity.stop, 6)}</sentinel-safe:stopTime>
          </sentinel-safe:acquisitionPeriod>"""
    frame = f"""          <sentinel-safe:frameSet>
            <sentinel-safe:footPrint srsName="http://www.opengis.net/def/crs/EPSG/0/4326">
              <gml:posList>{outline}</gml:posList>
            </sentinel-safe:footPrint>
          </sentinel-safe:frameSet>"""
    meta = "\n".join(
        (
            _meta("acquisitionPeriod", "Acquisition Period", period),
            _meta("platform", "Platform Description", _platform(identity)),
            _meta("measurementFrameSet", "Frame Set", frame),
            _meta("generalProductInformation", "General Product Information",
                  _general(identity, size)),
            _meta("olciProductInformation", "Olci Product Information",
                  _olci(identity, tie_step, counts)),
            _meta("measurementOrbitReference", "Orbit Reference", _orbit(identity)),
        )
    )  # fmt: skip
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<xfdu:XFDU xmlns:xfdu="urn:ccsds:schema:xfdu:1" \
xmlns:sentinel-safe="http://www.esa.int/safe/sentinel/1.1" \
xmlns:gml="http://www.opengis.net/gml" \
xmlns:sentinel3="http://www.esa.int/safe/sentinel/sentinel-3/1.0" \
xmlns:olci="http://www.esa.int/safe/sentinel/sentinel-3/olci/1.0" \
version="esa/safe/sentinel/sentinel-3/olci/level-1/1.0">
  <metadataSection>
{meta}
  </metadataSection>
  <dataObjectSection>
{objects}
  </dataObjectSection>
</xfdu:XFDU>
"""
