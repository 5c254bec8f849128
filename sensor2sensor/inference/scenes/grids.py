"""The grid that a swath is predicted on: that of a file, of a Sentinel-2 tile, or a rectangle."""

from __future__ import annotations

import math
import re
from pathlib import Path

from sensor2sensor.core.containers import is_product_name
from sensor2sensor.core.errors import InputError
from sensor2sensor.core.names import suggestion
from sensor2sensor.geo.grids import Grid
from sensor2sensor.geo.projections import to_lonlat
from sensor2sensor.inference.scenes.options import SceneOptions

TILE_M, ANCHOR_M = 109_800, 60
SQUARE_M, FALSE_NORTHING_M = 100_000, 10_000_000
_TILE = re.compile(r"T?(0?[1-9]|[1-5]\d|60)([C-HJ-NP-X])([A-HJ-NP-Z])([A-HJ-NP-V])", re.IGNORECASE)
_BANDS = "CDEFGHJKLMNPQRSTUVWX"  # 8 degrees each from 80 south on, the last one 12
_COLUMNS = ("STUVWXYZ", "ABCDEFGH", "JKLMNPQR")  # of zones 3, 1, 2 and so on
_ROWS = "ABCDEFGHJKLMNPQRSTUV"
_DEGREE_M = 111_130.0  # of latitude, the mean
_WAYS = "--like FILE, --tile T17XNA or --bbox W S E N --crs EPSG:32617"
_SCALE_TOLERANCE = 0.02  # metres of a projection; UTM stays within 0.2 %


def output_grid(options: SceneOptions, resolution_m: float) -> Grid:
    """The grid that is asked for, in pixels of the model's target.

    Args:
        options: ``like``, ``tile``, or ``bbox`` with ``crs``: one of them.
        resolution_m: Edge of a pixel.

    Raises:
        InputError: None of them is given, or several, or one that is no grid in metres.
        ProductError: The Sentinel-2 product of ``like`` cannot be opened.
    """
    given = [one for one in (options.like, options.tile, options.bbox) if one is not None]
    if not given:
        what = "a Sentinel-3 product has no grid of its own to predict on"
        raise InputError(what, hint=f"give {_WAYS}")
    if len(given) > 1:
        raise InputError("several output grids are given", hint=f"give one: {_WAYS}")
    if options.like is not None:
        grid = _of_file(options.like, resolution_m)
    elif options.tile is not None:
        return tile_grid(options.tile, resolution_m)
    else:
        grid = _of_rectangle(options, resolution_m)
    if not options.other_scale:
        _check_scale(grid)
    return grid


def tile_grid(name: str, resolution_m: float) -> Grid:
    """The grid of a Sentinel-2 tile, by its name alone.

    Tiles are the 100 km squares of the Military Grid Reference System, grown to 109.8 km: their
    upper-left corner is moved outwards to whole 60 m, counted from the equator, not from the false
    northing of the south (real T07HFE begins at 6500020 m). A square on the limit of two latitude
    bands has two names and one grid.

    Raises:
        InputError: It is the name of no tile.
    """
    found = _TILE.fullmatch(name)
    if found is None:
        hint = "zone, latitude band, column and row of the 100 km square, as T17XNA"
        raise InputError("is no name of a Sentinel-2 tile", where=name, hint=hint)
    zone, (band, column, row) = int(found[1]), (one.upper() for one in found.groups()[1:])
    columns = _COLUMNS[zone % 3]
    if column not in columns:
        hint = f"columns of zone {zone} are {columns[0]} to {columns[-1]}"
        raise InputError(f"has no column {column}", where=name, hint=hint)
    south_m = _northing_m(name, zone, band, row)
    ulx_m = (columns.index(column) + 1) * SQUARE_M // ANCHOR_M * ANCHOR_M
    uly_m = -(-(south_m + SQUARE_M) // ANCHOR_M) * ANCHOR_M
    northern = band >= "N"
    side = math.ceil(round(TILE_M / resolution_m, 6))
    return Grid(
        epsg=(32600 if northern else 32700) + zone,
        ulx_m=float(ulx_m),
        uly_m=float(uly_m + (0 if northern else FALSE_NORTHING_M)),
        resolution_m=resolution_m,
        width_px=side,
        height_px=side,
    )


def _northing_m(name: str, zone: int, band: str, row: str) -> int:
    """Northing of a square's lower edge, from the equator; its letter repeats each 2000 km.

    Raises:
        InputError: No square of this letter lies in the band.
    """
    south_deg = 8 * _BANDS.index(band) - 80
    height_deg = 12 if band == "X" else 8
    middle = (south_deg + height_deg / 2) * _DEGREE_M / SQUARE_M - 0.5
    # Rows of even zones begin with F: squares that are called alike lie far from each other.
    first = (_ROWS.index(row) - (5 if zone % 2 == 0 else 0)) % 20
    number = first + 20 * round((middle - first) / 20)
    reach = height_deg / 2 * _DEGREE_M / SQUARE_M + 1.0
    if abs(number - middle) > reach:
        what = f"no square of row {row} lies in latitude band {band} of zone {zone}"
        raise InputError(what, where=name, hint=suggestion(band, _BANDS))
    return number * SQUARE_M


def _of_file(path: Path, resolution_m: float) -> Grid:
    """The ground of a raster or Sentinel-2 product in pixels of a size, from its upper-left on."""
    if path.is_dir() or is_product_name(path.name):
        from sensor2sensor.products.sentinel2 import open_s2

        grids = open_s2(path).grids
        own = next((one for one in grids.values() if one.resolution_m == resolution_m), None)
        return own or _resized(next(iter(grids.values())), resolution_m)
    return _resized(_of_raster(path), resolution_m)


def _of_raster(path: Path) -> Grid:
    import rasterio
    from rasterio.errors import RasterioError

    try:
        with rasterio.open(path) as source:
            t, crs, size = source.transform, source.crs, (source.width, source.height)
    except RasterioError as error:
        hint = "name a GeoTIFF or a Sentinel-2 product"
        raise InputError(f"cannot be read ({error})", where=path, hint=hint) from None
    if crs is None:
        raise InputError("has no reference system", where=path, hint=f"give another: {_WAYS}")
    if t.b or t.d or t.a <= 0 or not math.isclose(t.a, -t.e, rel_tol=1e-9):
        what = "is no grid of square pixels with north up"
        raise InputError(what, where=path, hint=f"warp it, or give another: {_WAYS}")
    epsg = _metric(crs, path, (t.c + t.a * size[0] / 2, t.f + t.e * size[1] / 2))
    return Grid(epsg, t.c, t.f, t.a, *size)


def _of_rectangle(options: SceneOptions, resolution_m: float) -> Grid:
    """The rectangle, grown outwards to whole pixels."""
    from rasterio.crs import CRS
    from rasterio.errors import CRSError

    assert options.bbox is not None
    west, south, east, north = options.bbox
    if options.crs is None:
        raise InputError("--bbox has no reference system", hint="add --crs, as EPSG:32617")
    if not (west < east and south < north and all(map(math.isfinite, options.bbox))):
        raise InputError("--bbox holds no ground", hint="its order is west south east north")
    try:
        crs = CRS.from_user_input(options.crs)
    except CRSError:
        raise InputError(
            "is no reference system", where=options.crs, hint="as EPSG:32617"
        ) from None
    epsg = _metric(crs, options.crs, ((west + east) / 2, (south + north) / 2))
    left, low, right, high = (
        round_(round(value / resolution_m, 6))  # 6 digits: 0.3 / 0.1 is three
        for round_, value in zip(
            (math.floor, math.floor, math.ceil, math.ceil), options.bbox, strict=True
        )
    )
    corner = (left * resolution_m, high * resolution_m)
    return Grid(epsg, *corner, resolution_m, right - left, high - low)


def _metric(crs: object, where: object, centre: tuple[float, float]) -> int:
    """EPSG code of a projection in metres.

    Raises:
        InputError: It is none; the UTM zone there is named.
    """
    epsg = crs.to_epsg()  # type: ignore[attr-defined]
    if crs.is_geographic:  # type: ignore[attr-defined]
        lon, lat = centre
        zone = int((lon + 180.0) // 6.0) % 60 + 1
        hint = f"say it in the UTM zone, EPSG:{(32600 if lat >= 0 else 32700) + zone} there"
        raise InputError("is in degrees, not in metres", where=where, hint=hint)
    if epsg is None or crs.linear_units_factor[1] != 1.0:  # type: ignore[attr-defined]
        what = "is no system in metres with an EPSG code"
        raise InputError(what, where=where, hint="use the UTM zone of the ground")
    return int(epsg)


def _resized(grid: Grid, resolution_m: float) -> Grid:
    """The ground of a grid in pixels of another size, from the same corner; none of it is lost."""
    if grid.resolution_m == resolution_m:
        return grid
    height, width = (
        math.ceil(round(side * grid.resolution_m / resolution_m, 6)) for side in grid.shape
    )
    return Grid(grid.epsg, grid.ulx_m, grid.uly_m, resolution_m, width, height)


def _check_scale(grid: Grid) -> None:
    """A metre of the projection is one on the ground, as it was in training.

    Raises:
        InputError: It is not: at 60 degrees north a metre of EPSG:3857 is half a metre.
    """
    from pyproj import Proj

    west, south, east, north = grid.bounds
    lon, lat = to_lonlat(grid.epsg).transform((west + east) / 2, (south + north) / 2)
    if not (math.isfinite(lon) and math.isfinite(lat)):
        raise InputError(
            "the output grid lies outside of its projection", where=f"EPSG:{grid.epsg}"
        )
    scale = Proj(f"EPSG:{grid.epsg}").get_factors(lon, lat).meridional_scale
    if abs(scale - 1.0) > _SCALE_TOLERANCE:
        what = f"a metre of EPSG:{grid.epsg} is {1.0 / scale:.2f} m on the ground there"
        raise InputError(what, hint="use the UTM zone of the ground, or --other-scale if meant")
