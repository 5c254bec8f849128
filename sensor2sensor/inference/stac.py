"""What lies beside a prediction: a STAC item whose properties say how it was made.

STAC 1.1 wants a place and a time of every item. A picture without ground, or a stack that says no
time, has neither; it gets the same JSON without the claim to be an item.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sensor2sensor.core import files
from sensor2sensor.core.errors import InputError
from sensor2sensor.core.versions import __version__
from sensor2sensor.geo.projections import ground_width_m
from sensor2sensor.inference.cog import WrittenCog
from sensor2sensor.inference.output import TRUST_SUFFIX, OutputBand, Storage
from sensor2sensor.inference.scenes.scene import Frame

if TYPE_CHECKING:
    from sensor2sensor.inference.trust import WrittenTrust

VERSION = "1.1.0"
_SCHEMA = "https://stac-extensions.github.io/{}/schema.json"
_COG = "image/tiff; application=geotiff; profile=cloud-optimized"
_KINDS = {".png": ("image/png", "overview"), ".html": ("text/html", "overview")}
_SHA256 = "1220"  # of a multihash: SHA-256, 32 bytes
_EDGE_POINTS = 16
_TIMES = ("datetime", "start_datetime", "end_datetime")


@dataclass(frozen=True)
class Told:
    """What a sidecar says of how a prediction was made, plain JSON.

    Attributes:
        model: Name and provenance of the method.
        scene: Facts of the scene; ``datetime``, or ``start_datetime`` and ``end_datetime``, in UTC
            (ISO 8601) where its time is known.
        request: Options that decided on the values.
        notices: Lines the user was told.
    """

    model: Mapping[str, Any]
    scene: Mapping[str, Any]
    request: Mapping[str, Any] = field(default_factory=dict)
    notices: Sequence[str] = ()


def sidecar_path(path: Path) -> Path:
    """``out.json`` of ``out.tif``."""
    return path.with_suffix(".json")


def write_sidecar(
    written: WrittenCog, told: Told, beside: Sequence[Path] = (), trust: WrittenTrust | None = None
) -> Path:
    """Write the sidecar of a prediction.

    Args:
        written: The prediction.
        told: How it was made.
        beside: Its quicklook and preview, in the same folder.
        trust: How far it departs from its input, in the same folder.
    """
    path = sidecar_path(written.path)
    files.write_json(path, sidecar(written, told, beside, trust))
    return path


def is_prediction(path: Path) -> bool:
    """Whether a sidecar beside an image says that it is a prediction, a picture or map of one."""
    beside = sidecar_path(path.with_stem(path.stem.removesuffix(TRUST_SUFFIX)))
    try:
        return beside.is_file() and "s2s:model" in files.read_json(beside)["properties"]
    except (InputError, KeyError, TypeError):
        return False  # a JSON file of another kind


def pictured(path: Path) -> tuple[str, ...]:
    """Names of the quicklook and the preview that a prediction's sidecar lists."""
    beside = sidecar_path(path)
    try:
        assets = files.read_json(beside)["assets"] if beside.is_file() else {}
        named = [Path(one["href"]).name for one in assets.values()]
    except (InputError, KeyError, TypeError, AttributeError):
        return ()  # a JSON file of another kind lists none
    return tuple(name for name in named if Path(name).suffix in _KINDS)


def sidecar(
    written: WrittenCog, told: Told, beside: Sequence[Path] = (), trust: WrittenTrust | None = None
) -> dict[str, Any]:
    """A STAC item, or where place or time is not known the same without being one."""
    times = {key: told.scene[key] for key in _TIMES if told.scene.get(key)}
    timed = "datetime" in times or {"start_datetime", "end_datetime"} <= times.keys()
    ground = _ground(written.frame)
    assets = {"prediction": _asset(written)}
    assets |= {file.suffix.lstrip("."): _beside(file) for file in beside}
    if trust is not None:
        assets["trust"] = {**_asset(trust.cog), "s2s:trust": trust.facts}
    properties = {"datetime": None, **times, **_properties(written, told), **_place(written.frame)}
    if not timed or ground is None:
        lack = "time" if ground is not None else "place" if timed else "place and time"
        why = f"no STAC item: the scene says no {lack}"
        return {"id": written.path.stem, "why": why, "properties": properties, "assets": assets}
    return {
        "type": "Feature",
        "stac_version": VERSION,
        "stac_extensions": _extensions(written.bands),
        "id": written.path.stem,
        **ground,
        "properties": properties,
        "links": [],
        "assets": assets,
    }


def _extensions(bands: Sequence[OutputBand]) -> list[str]:
    names = ["projection/v2.0.0", "raster/v2.0.0", "file/v2.1.0", "processing/v1.1.0"]
    if any(band.wavelength_nm is not None for band in bands):
        names.append("eo/v2.0.0")  # it may not be named where none of its keys is said
    return [_SCHEMA.format(name) for name in names]


def _properties(written: WrittenCog, told: Told) -> dict[str, Any]:
    return {
        "processing:software": {"sensor2sensor": __version__},
        "s2s:model": dict(told.model),
        "s2s:scene": dict(told.scene),
        "s2s:request": dict(told.request),
        "s2s:notices": list(told.notices),
        "s2s:valid_percent": round(100 * written.valid_share, 4),
        "s2s:saturated_values": written.saturated,
        "s2s:synthetic": True,  # as the file's own tag says
    }


def _asset(written: WrittenCog) -> dict[str, Any]:
    return {
        "href": f"./{written.path.name}",
        "type": _COG,
        "roles": ["data"],
        "bands": [_band(band, written.storage) for band in written.bands],
        "file:size": written.path.stat().st_size,
        "file:checksum": _SHA256 + files.sha256(written.path),
    }


def _beside(path: Path) -> dict[str, Any]:
    media, role = _KINDS[path.suffix]
    return {"href": f"./{path.name}", "type": media, "roles": [role]}


def _band(band: OutputBand, how: Storage) -> dict[str, Any]:
    said: dict[str, Any] = {"name": band.description, "description": band.kind}
    said |= {"data_type": how.dtype, "unit": band.unit}
    if how.nodata is not None:
        said["nodata"] = "nan" if math.isnan(how.nodata) else int(how.nodata)
    said |= {"raster:scale": how.scale, "raster:offset": 0.0}
    if band.wavelength_nm is not None:
        said["eo:center_wavelength"] = round(band.wavelength_nm / 1000, 6)  # micrometres
    return said


def _place(frame: Frame) -> dict[str, Any]:
    """Its grid in its own system, and the pixel in metres on the ground."""
    if frame.transform is None or frame.crs is None:
        return {}
    from pyproj import CRS

    a, b, c, d, e, f = frame.transform
    crs = CRS.from_user_input(frame.crs)
    named = crs.to_authority()
    said: dict[str, Any] = {"proj:code": ":".join(named) if named else None}
    if not named:
        said["proj:wkt2"] = crs.to_wkt()
    said |= {"proj:shape": list(frame.shape), "proj:transform": [a, b, c, d, e, f]}
    said["proj:bbox"] = _bounds(_outline(frame))
    ground = ground_width_m(frame.crs, frame.transform, frame.width_px, frame.height_px)
    return said if ground is None else {**said, "gsd": round(ground, 6)}


def _outline(frame: Frame) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Its closed outline ``[N, 2]`` in its own system, with points along each edge.

    A straight edge of a projection is none in degrees: over 110 km it bends by a pixel or more.
    """
    assert frame.transform is not None
    a, b, c, d, e, f = frame.transform
    way = np.arange(4 * _EDGE_POINTS + 1) / _EDGE_POINTS
    # Counter-clockwise on the ground where rows run south, as GeoJSON wants it: down first.
    rows = np.interp(way, [0, 1, 2, 3, 4], [0, 1, 1, 0, 0]) * frame.height_px
    columns = np.interp(way, [0, 1, 2, 3, 4], [0, 0, 1, 1, 0]) * frame.width_px
    return np.column_stack([a * columns + b * rows + c, d * columns + e * rows + f])


def _bounds(points: np.ndarray[Any, np.dtype[np.float64]]) -> list[float]:
    return [*map(float, points.min(axis=0)), *map(float, points.max(axis=0))]


def _ground(frame: Frame) -> dict[str, Any] | None:
    """Footprint and box in degrees; None where the system does not lie on the globe."""
    if frame.transform is None or frame.crs is None:
        return None
    from pyproj.exceptions import ProjError

    from sensor2sensor.geo.projections import to_lonlat

    try:
        lon, lat = to_lonlat(frame.crs).transform(*_outline(frame).T)
    except ProjError:  # a local system, tied to nothing
        return None
    ring = np.column_stack([lon, lat])
    return _geojson(ring) if np.isfinite(ring).all() else None


def _geojson(ring: np.ndarray[Any, np.dtype[np.float64]]) -> dict[str, Any]:
    """As RFC 7946 has it: parts to both sides of 180 degrees east, and a box whose west is east."""
    import shapely
    from shapely.affinity import translate

    from sensor2sensor.geo.drawings import unrolled
    from sensor2sensor.geo.footprints import polygons_of

    whole = unrolled(shapely.Polygon(ring), "footprint")
    world = shapely.box(-180, -90, 180, 90)
    turned = [translate(whole, 360.0 * turn).intersection(world) for turn in (-1, 0, 1)]
    # Rounded to a centimetre first: that may turn a ring round.
    parts = [part for one in turned for part in polygons_of(shapely.set_precision(one, 1e-7))]
    oriented = [shapely.geometry.polygon.orient(part) for part in parts]
    shape = oriented[0] if len(oriented) == 1 else shapely.MultiPolygon(oriented)
    west, south, east, north = whole.bounds
    if east - west >= 360:
        west, east = -180.0, 180.0
    elif len(parts) > 1:
        west, east = ((edge + 180) % 360 - 180 for edge in (west, east))
    box = [round(float(edge), 7) for edge in (west, south, east, north)]
    return {"geometry": json.loads(shapely.to_geojson(shape)), "bbox": box}
