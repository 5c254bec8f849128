"""Vector masks of Sentinel-2 products before baseline 04.00."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tests.fakes.s2pixels import Tile

_KINDS = ("OPAQUE", "CIRRUS")


def _document(kind: str, epsg: int, features: str) -> str:
    members = f"<eop:maskMembers>{features}</eop:maskMembers>" if features else ""
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<eop:Mask xmlns:eop="http://www.opengis.net/eop/2.0" xmlns:gml="http://www.opengis.net/gml/3.2" \
gml:id="S2_{kind}">
  <gml:name>{kind} mask of a generated product</gml:name>
  <gml:boundedBy><gml:Envelope srsName="urn:ogc:def:crs:EPSG::{epsg}">\
<gml:lowerCorner>0 0</gml:lowerCorner><gml:upperCorner>1 1</gml:upperCorner>\
</gml:Envelope></gml:boundedBy>
  {members}
</eop:Mask>
"""


def empty_gml(kind: str, band: str, epsg: int) -> str:
    """Return a mask without features."""
    return _document(f"{kind}_{band}", epsg, "")


def _ring(points: list[tuple[float, float]]) -> str:
    listed = " ".join(f"{x:.0f} {y:.0f}" for x, y in points)
    return f'<gml:LinearRing><gml:posList srsDimension="2">{listed}</gml:posList></gml:LinearRing>'


def _feature(kind: str, index: int, rings: list[list[tuple[float, float]]], epsg: int) -> str:
    holes = "".join(f"<gml:interior>{_ring(r)}</gml:interior>" for r in rings[1:])
    return f"""
    <eop:MaskFeature gml:id="{kind}.{index}">
      <eop:maskType codeSpace="urn:gs2:S2PDGS:maskType">{kind}</eop:maskType>
      <eop:extentOf><gml:Polygon gml:id="{kind}.{index}_Polygon" \
srsName="urn:ogc:def:crs:EPSG::{epsg}">
        <gml:exterior>{_ring(rings[0])}</gml:exterior>{holes}
      </gml:Polygon></eop:extentOf>
    </eop:MaskFeature>"""


def cloud_gml(layers: NDArray[np.uint8], tile: Tile) -> str:
    """Return MSK_CLOUDS: the outlines of opaque clouds and cirrus [2, H, W] at 60 m."""
    from affine import Affine
    from rasterio.features import shapes

    place = Affine(60.0, 0.0, tile.ulx_m, 0.0, -60.0, tile.uly_m)
    features = ""
    for kind, layer in zip(_KINDS, layers, strict=True):
        outlines = shapes(layer, mask=layer > 0, transform=place)
        for index, (outline, _) in enumerate(outlines):
            features += _feature(kind, index, outline["coordinates"], tile.epsg)
    return _document("MSK_CLOUDS_B00", tile.epsg, features)
