"""`manifest.safe` of a Sentinel-2 product."""

from __future__ import annotations

from pathlib import Path

from tests.fakes.packaging import digest, members
from tests.fakes.s2xml import Identity, utc


def _object(folder: Path, name: str, algorithm: str) -> str:
    path = folder / name
    kind = "text/xml" if name.endswith(".xml") else "application/octet-stream"
    identity = name.replace("/", "_").replace(".", "_") + "_Data"
    return f"""    <dataObject ID="{identity}">
      <byteStream mimeType="{kind}" size="{path.stat().st_size}">
        <fileLocation href="./{name}" locatorType="URL"/>
        <checksum checksumName="{algorithm}">{digest(path, algorithm)}</checksum>
      </byteStream>
    </dataObject>"""


def manifest_xml(folder: Path, identity: Identity, footprint: str, algorithm: str) -> str:
    """Return the manifest of the files below a folder (the manifest itself is not listed)."""
    objects = "\n".join(_object(folder, name, algorithm) for name in members(folder))
    level = {"L1C": "Level-1C", "L2A": "Level-2A"}[identity.level]
    version = f"esa/safe/sentinel/1.1/sentinel-2/msi/archive_{identity.level.lower()}_user_product"
    return f"""<?xml version="1.0" encoding="UTF-8" standalone="no"?>
<xfdu:XFDU xmlns:gml="http://www.opengis.net/gml" \
xmlns:safe="http://www.esa.int/safe/sentinel/1.1" xmlns:xfdu="urn:ccsds:schema:xfdu:1" \
version="{version}">
  <informationPackageMap>
    <xfdu:contentUnit textInfo="SENTINEL-2 MSI {level} User Product" unitType="Product_{level}"/>
  </informationPackageMap>
  <metadataSection>
    <metadataObject ID="acquisitionPeriod" category="DMD" classification="DESCRIPTION">
      <metadataWrap mimeType="text/xml" vocabularyName="SAFE"><xmlData>
        <safe:acquisitionPeriod><safe:startTime>{utc(identity.sensing)}</safe:startTime>\
</safe:acquisitionPeriod>
      </xmlData></metadataWrap>
    </metadataObject>
    <metadataObject ID="platform" category="DMD" classification="DESCRIPTION">
      <metadataWrap mimeType="text/xml" vocabularyName="SAFE"><xmlData>
        <safe:platform><safe:familyName>SENTINEL</safe:familyName>\
<safe:number>{identity.platform[1:]}</safe:number></safe:platform>
      </xmlData></metadataWrap>
    </metadataObject>
    <metadataObject ID="measurementFrameSet" category="DMD" classification="DESCRIPTION">
      <metadataWrap mimeType="text/xml" vocabularyName="SAFE"><xmlData>
        <safe:frameSet><safe:footPrint>
          <gml:coordinates>{footprint}</gml:coordinates>
        </safe:footPrint></safe:frameSet>
      </xmlData></metadataWrap>
    </metadataObject>
  </metadataSection>
  <dataObjectSection>
{objects}
  </dataObjectSection>
</xfdu:XFDU>
"""
