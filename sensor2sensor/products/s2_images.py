"""Windows of the rasters of a Sentinel-2 product, and its masks brought onto any of its grids."""

from __future__ import annotations

import threading
import warnings
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from sensor2sensor.core.errors import ProductError
from sensor2sensor.geo.grids import Grid, PixelWindow
from sensor2sensor.products.quality import CLOUD_MASK_TYPES, from_classi, from_scl
from sensor2sensor.products.reading import naming_damage, read_xml

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import numpy.typing as npt

    from sensor2sensor.core.archives import ProductFiles
    from sensor2sensor.core.xml import Element

_WORLD_FILES = (".tfw", ".j2w", ".wld")
GML_MAX_BYTES = 128 * 2**20
T = TypeVar("T")
R = TypeVar("R")


_shelf: ContextVar[dict[str, Any] | None] = ContextVar("rasters kept open", default=None)
_readers: ContextVar[Executor | None] = ContextVar("threads that read", default=None)

_quiet = threading.Lock()


@contextmanager
def kept_open(cache_mib: int = 256, threads: int = 1) -> Iterator[None]:
    """Inside, every raster is opened once and GDAL keeps its decoded blocks between windows.

    A JPEG 2000 block is decoded whole whatever small part of it is asked for, so the tiles of a
    scene share the work only while the dataset stays open.

    Args:
        cache_mib: most memory for decoded blocks.
        threads: that read bands at once (:func:`each_at_once`).
    """
    import rasterio

    shelf: dict[str, Any] = {}
    token = _shelf.set(shelf)
    try:
        # rasterio hands the number on as bytes, other than GDAL's own reading of the option.
        with rasterio.Env(GDAL_CACHEMAX=cache_mib * 2**20), ThreadPoolExecutor(threads) as pool:
            readers = _readers.set(pool if threads > 1 else None)
            try:
                yield
            finally:
                _readers.reset(readers)
    finally:
        _shelf.reset(token)
        for source in shelf.values():
            source.close()


def each_at_once(read: Callable[[T], R], items: Sequence[T]) -> list[R]:
    """What ``read`` gives of each item; each reads another file, in threads of its own or not.

    Threads of ours, each with a file of its own, hand on what fails; GDAL's own lose it.
    """
    pool = _readers.get()
    if pool is None:
        return [read(item) for item in items]
    futures = [pool.submit(copy_context().run, read, item) for item in items]
    return [future.result() for future in futures]


@contextmanager
def open_raster(files: ProductFiles, member: str) -> Iterator[Any]:
    """A rasterio dataset over one member; whatever goes wrong inside names that member."""
    if not files.exists(member):
        raise ProductError("file is missing", where=files.where(member))
    import rasterio

    shelf, key = _shelf.get(), f"{files.path}/{member}"
    # GDAL decodes the blocks of a JPEG 2000 in threads of its own, and loses what fails there: the
    # error goes to standard error, the block is whatever was in memory, and the read succeeds.
    with naming_damage(files, member), rasterio.Env(GDAL_NUM_THREADS="1"):
        if shelf is None:
            with _opened(files, member) as source:
                yield source
        else:
            if key not in shelf:
                shelf[key] = _opened(files, member)
            yield shelf[key]


def _with_sides(files: ProductFiles, member: str) -> Any:
    """A rasterio dataset over one member, with all that lies beside it; to be closed."""
    import rasterio
    from rasterio.io import MemoryFile

    if not files.held(member):
        return rasterio.open(files.gdal_path(member))
    with files.open(member) as stream:
        memory = MemoryFile(stream.read())
    source = memory.open()
    source.memory = memory  # which has to live as long
    return source


def _opened(files: ProductFiles, member: str) -> Any:
    import rasterio
    from rasterio.errors import NotGeoreferencedWarning

    # A product folder is known: listing it for side files at every open only costs time, unless
    # such a file alone says where the image lies. Filters of warnings belong to the process: of two
    # threads that set them at once, one would bring back the other's.
    with _quiet, warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.Env(GDAL_DISABLE_READDIR_ON_OPEN="EMPTY_DIR"):
            source = _with_sides(files, member)
        if source.transform.is_identity and _has_side_file(files, member):
            source.close()
            source = _with_sides(files, member)
        return source


def _has_side_file(files: ProductFiles, member: str) -> bool:
    """Whether a file beside an image may say where it lies; each is asked for: a watch notes it."""
    stem = member.rpartition(".")[0]
    sides = [f"{member}.aux.xml", *(stem + ending for ending in _WORLD_FILES)]
    return bool([side for side in sides if files.exists(side)])


def read_window(
    files: ProductFiles, member: str, grid: Grid, window: PixelWindow, *, overview: int = 1
) -> npt.NDArray[Any]:
    """One band of a raster [ceil(h / overview), ceil(w / overview)], 0 where outside the grid.

    Args:
        files: the product's files.
        member: the raster.
        grid: the grid the metadata give it; another size is an error.
        window: pixels at full resolution; may reach beyond the grid.
        overview: 1, or a power of two read from the image's own reduced resolutions.

    Raises:
        ProductError: it is damaged, of another size, or says itself that it lies elsewhere.
    """
    with open_raster(files, member) as source:
        _require_grid(source, grid, files.where(member))
        return _padded(source, 1, window, overview)


def require_grid(files: ProductFiles, member: str, grid: Grid) -> None:
    """ProductError where an image cannot be opened, has another size, or lies elsewhere."""
    with open_raster(files, member) as source:
        _require_grid(source, grid, files.where(member))


def _require_grid(source: Any, grid: Grid, where: str) -> None:
    if (source.height, source.width) != grid.shape:
        raise ProductError(
            f"image is {source.width} x {source.height} pixels, "
            f"its metadata say {grid.width_px} x {grid.height_px}",
            where=where,
        )
    _require_place(source, grid, where)


def _require_place(source: Any, tile: Grid, where: str) -> None:
    """ProductError where an image or a mask says itself that it lies elsewhere than its tile."""
    # Some say nothing; of those kept open each is asked once.
    if source.transform.is_identity or getattr(source, "found_at", None) == tile:
        return
    step_m, code = source.res[0], source.crs.to_epsg() if source.crs else None
    its, at = tile.polygon().bounds, tuple(source.bounds)
    away = [abs(one - other) for one, other in zip(at, its, strict=True)]
    # Of a reduced one the far edges are rounded to its pixels.
    wrong = max(away[0], away[3]) >= step_m / 2 or max(away) >= step_m
    if wrong or code not in (None, tile.epsg):
        here = Grid(code or tile.epsg, at[0], at[3], step_m, source.width, source.height)
        raise elsewhere(here, tile, where)
    source.found_at = tile


def elsewhere(here: Grid, tile: Grid, where: str) -> ProductError:
    """What is said of an image that does not lie where its tile does."""
    what = f"lies at {_place(here)}, its tile at {_place(tile)}"
    return ProductError(what, where=where, hint="is it of another tile? Fetch it again")


def _place(grid: Grid) -> str:
    size = f"{grid.width_px * grid.resolution_m:.10g} x {grid.height_px * grid.resolution_m:.10g} m"
    return f"{grid.ulx_m:.10g}, {grid.uly_m:.10g} (EPSG:{grid.epsg}, {size})"


def _padded(source: Any, band: int, window: PixelWindow, overview: int) -> npt.NDArray[Any]:
    from rasterio.windows import Window

    inside = window.clipped(source.width, source.height)
    shape = (-(-window.height // overview), -(-window.width // overview))
    values = np.zeros(shape, source.dtypes[band - 1])
    if inside is None:
        return values
    top, left = (inside.y - window.y) // overview, (inside.x - window.x) // overview
    height = min(-(-inside.height // overview), shape[0] - top)
    width = min(-(-inside.width // overview), shape[1] - left)
    place = Window(inside.x, inside.y, inside.width, inside.height)
    # GDAL takes the nearest finer reduced resolution of the JPEG 2000 and decimates that.
    part = source.read(band, window=place, out_shape=(height, width))
    if part.shape == shape:
        return np.asarray(part)
    values[top : top + height, left : left + width] = part
    return values


def read_nearest(files: ProductFiles, member: str, tile: Grid, target: Grid) -> npt.NDArray[Any]:
    """All bands [n, h, w] of a raster of the tile at the pixel centres of `target`.

    Nearest neighbour, since classes cannot be averaged; 0 outside the tile. The raster may have
    any resolution: its pixel size follows from its width, since it covers the whole tile.
    """
    with open_raster(files, member) as source:
        _require_place(source, tile, files.where(member))
        # Masks come at 20 or 60 m, MSK_CLASSI at 60 m whatever the band.
        size_m = (tile.width_px * tile.resolution_m) / source.width
        x_m, y_m = target.xy_centres()
        columns = np.floor((x_m - tile.ulx_m) / size_m).astype(np.int64)
        rows = np.floor((tile.uly_m - y_m) / size_m).astype(np.int64)
        x, y = int(columns[0]), int(rows[0])
        window = PixelWindow(x, y, int(columns[-1]) - x + 1, int(rows[-1]) - y + 1)
        planes = [_padded(source, band, window, 1) for band in source.indexes]
    return np.stack(planes)[:, (rows - y)[:, None], (columns - x)[None, :]]


def mask_of(
    files: ProductFiles,
    images: Mapping[tuple[str, int], str],
    masks: Mapping[str, str],
    resolution_m: int,
) -> tuple[str, str]:
    """Which mask of a product serves at a resolution: its source and its file, `none` and ''."""
    # The scene classification exists at 20 and 60 m: for 10 m the finer one serves.
    finest_first = (resolution_m, 20, 60) if resolution_m != 60 else (60, 20)
    for resolution in finest_first:
        member = images.get(("SCL", resolution))
        if member is not None and files.exists(member):
            return "SCL", member
    # Planes of a JPEG 2000 since baseline 04.00, polygons of a GML before; never both.
    for kind in ("MSK_CLASSI", "MSK_CLOUDS"):
        member = masks.get(kind)
        if member is not None and files.exists(member):
            return kind, member
    return "none", ""


def read_quality(
    files: ProductFiles, source: str, member: str, tile: Grid, target: Grid
) -> npt.NDArray[np.uint32]:
    """Quality bits [h, w] of the mask a product has; all 0, which says nothing, without one.

    Args:
        files: the product's files.
        source: `SCL`, `MSK_CLASSI`, `MSK_CLOUDS` or `none`.
        member: the mask's file.
        tile: a grid of the whole tile, at any resolution.
        target: where to look.
    """
    if source == "SCL":
        return from_scl(read_nearest(files, member, tile, target)[0].astype(np.uint8))
    if source == "MSK_CLASSI":
        return from_classi(read_nearest(files, member, tile, target).astype(np.uint8))
    if source == "MSK_CLOUDS":
        return read_cloud_polygons(files, member, target)
    return np.zeros(target.shape, np.uint32)


def read_cloud_polygons(files: ProductFiles, member: str, target: Grid) -> npt.NDArray[np.uint32]:
    """Quality bits [h, w] from MSK_CLOUDS_B00.gml: polygons in the tile's own metres.

    A pixel is cloudy when its centre lies inside. A mask without features means no clouds.
    """
    word = np.zeros(target.shape, np.uint32)
    for bits, polygons in _cloud_polygons(files, member):
        word |= within(polygons, target) * np.uint32(bits)
    return word


# Step 40 asks for one window after another of the same scene; a cloudy scene's mask is megabytes.
@lru_cache(maxsize=2)
def _cloud_polygons(files: ProductFiles, member: str) -> list[tuple[int, list[Any]]]:
    root = read_xml(files, member, GML_MAX_BYTES)
    found = []
    for feature in root.descendants("MaskFeature"):
        kind = feature.string("maskType")
        bits = CLOUD_MASK_TYPES.get(kind)
        if bits is None:
            raise ProductError(f"element maskType is {kind!r}", where=root.where)
        found.append((int(bits), [_polygon(one) for one in feature.descendants("Polygon")]))
    return found


def within(polygons: list[Any], target: Grid) -> npt.NDArray[np.bool_]:
    """Pixels [h, w] whose centre lies inside one of the polygons, in the grid's own metres."""
    import shapely
    from rasterio.features import rasterize

    # Of a cloudy scene's thousands of polygons a tile meets a few.
    touching = np.asarray(polygons, object)[shapely.intersects(polygons, target.polygon())]
    if not touching.size:
        return np.zeros(target.shape, np.bool_)
    # Without all_touched, which would grow every cloud by up to a pixel.
    burnt = rasterize(touching, out_shape=target.shape, transform=target.transform, dtype=np.uint8)
    return np.asarray(burnt, np.bool_)


def _polygon(element: Element) -> Any:
    from shapely import make_valid
    from shapely.geometry import Polygon

    exterior = _positions(element.require("exterior/LinearRing/posList"))
    holes = [_positions(one) for one in element.find_all("interior/LinearRing/posList")]
    # Rings traced around pixels touch themselves at corners.
    return make_valid(Polygon(exterior, holes))


def _positions(element: Element) -> list[tuple[float, float]]:
    dimension = int(element.attributes.get("srsDimension", "2"))
    values = element.numbers("posList")
    if dimension not in (2, 3) or len(values) % dimension or len(values) < 3 * dimension:
        raise ProductError("element posList holds no ring", where=element.where)
    # A third number is a height.
    return list(zip(values[0::dimension], values[1::dimension], strict=True))
