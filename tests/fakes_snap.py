"""A stand-in for esa_snappy: records what is asked of SNAP and answers as its sources say.

Written after the sources of CollocateOp 1.4 and BandSelectOp and the calls of ARISGAN's
``snap_toolbox.py``. It is no SNAP: operators take the parameters listed here and refuse others, and
pixels are found with SciPy's tree among positions that PROJ makes geocentric.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from pyproj import Transformer
from scipy.spatial import cKDTree

from sensor2sensor.products.bands import OLCI_BANDS
from sensor2sensor.products.sentinel2 import open_s2
from sensor2sensor.products.sentinel3 import open_s3

PRODUCT = "org.esa.snap.core.datamodel.Product"
FARTHEST_M = 250.0  # half the diagonal of a pixel: SNAP finds no pixel beyond the swath
TAKEN = {
    "BandSelect": {"sourceBands"},
    "Collocate": {
        "referenceProductName",
        "targetProductType",
        "renameReferenceComponents",
        "renameSecondaryComponents",
        "resamplingType",
    },
    "Subset": {"region", "copyMetadata"},
}


class Band:
    """A raster; what it holds is asked for when it is read."""

    def __init__(self, values: Callable[[], np.ndarray]) -> None:
        self.values = values

    def readPixels(self, x: int, y: int, width: int, height: int, into: np.ndarray) -> None:
        """Fill a flat buffer, as jpy does with the buffer of a NumPy array."""
        assert into.dtype == np.float32 and into.shape == (width * height,)
        into[:] = self.values()[y : y + height, x : x + width].ravel()


class Product:
    """A product: name, size, bands, geocentric positions of its pixels."""

    def __init__(self, name: str, shape: tuple[int, int], places: Callable[[], np.ndarray]) -> None:
        self.name, self.shape, self.places = name, shape, places
        self.bands: dict[str, Band] = {}
        self.disposed = False

    def getName(self) -> str:
        return self.name

    def getSceneRasterWidth(self) -> int:
        return self.shape[1]

    def getSceneRasterHeight(self) -> int:
        return self.shape[0]

    def getBand(self, name: str) -> Band:
        return self.bands[name]

    def addBand(self, name: str, expression: str) -> None:
        """A virtual band; positions count from the middle of the first pixel."""
        at = np.indices(self.shape)["YX".index(expression)] + 0.5
        self.bands[name] = Band(lambda: at)

    def dispose(self) -> None:
        assert not self.disposed, self.name
        self.disposed = True

    def of(self, name: str, shape: tuple[int, int], bands: dict[str, Band]) -> Product:
        made = Product(name, shape, self.places)
        made.bands = bands
        return made


class Snap(ModuleType):
    """What of the module esa_snappy is used here.

    Attributes:
        calls: operator, parameters and names of the sources, in their order.
        products: everything that was opened or made.
        factor: of all radiances SNAP reads, to tell it from the files.
    """

    def __init__(self, factor: float = 1.0) -> None:
        super().__init__("esa_snappy")
        self.calls: list[tuple[str, dict[str, str], list[str]]] = []
        self.products: list[Product] = []
        self.factor, self.loaded = factor, 0
        self.ProductIO = self.GPF = self.jpy = self

    class HashMap(dict):
        def put(self, key: str, value: str) -> None:
            assert isinstance(key, str) and isinstance(value, str)
            self[key] = value

    def getDefaultInstance(self) -> Snap:
        return self

    def getOperatorSpiRegistry(self) -> Snap:
        return self

    def loadOperatorSpis(self) -> None:
        self.loaded += 1

    def array(self, kind: str, items: list[Any]) -> list[Any]:
        assert kind == PRODUCT
        return list(items)

    def readProduct(self, path: str) -> Product | None:
        name = Path(path).name
        if name.startswith("S2"):
            made = _sentinel2(Path(path))
        elif name.startswith("S3"):
            made = _sentinel3(Path(path), self.factor)
        else:
            return None
        self.products.append(made)
        return made

    def createProduct(self, operator: str, parameters: dict[str, str], source: Any) -> Product:
        assert set(parameters) <= TAKEN[operator] and isinstance(parameters, self.HashMap)
        sources = source if isinstance(source, list) else [source]
        assert self.loaded and not any(one.disposed for one in sources)
        self.calls.append((operator, dict(parameters), [one.name for one in sources]))
        made: Product = getattr(self, f"_{operator.lower()}")(parameters, *sources)
        self.products.append(made)
        return made

    def _bandselect(self, parameters: dict[str, str], source: Product) -> Product:
        names = parameters["sourceBands"].split(",")
        return source.of(
            f"{source.name}_subset", source.shape, {name: source.bands[name] for name in names}
        )

    def _collocate(self, parameters: dict[str, str], *sources: Product) -> Product:
        (reference,) = [p for p in sources if p.name == parameters["referenceProductName"]]
        (secondary,) = [p for p in sources if p is not reference]
        assert parameters["resamplingType"] == "NEAREST_NEIGHBOUR"
        tree = cKDTree(secondary.places().reshape(-1, 3))
        _, found = tree.query(reference.places(), distance_upper_bound=FARTHEST_M)
        inside = found < tree.n

        def shown(band: Band) -> Band:
            values = np.append(band.values().ravel(), 0.0)  # no sample: the band's value for none
            return Band(lambda: values[np.where(inside, found, -1)])

        bands = {name: shown(band) for name, band in secondary.bands.items()}
        return reference.of(
            f"{reference.name}_{secondary.name}", reference.shape, {**reference.bands, **bands}
        )

    def _subset(self, parameters: dict[str, str], source: Product) -> Product:
        x, y, width, height = map(int, parameters["region"].split(","))
        assert 0 <= x <= source.shape[1] - width and 0 <= y <= source.shape[0] - height

        def cut(band: Band) -> Band:
            return Band(lambda: band.values()[y : y + height, x : x + width])

        bands = {name: cut(band) for name, band in source.bands.items()}
        return source.of(f"subset_of_{source.name}", (height, width), bands)


def _geocentric(crs: str, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    to = Transformer.from_crs(crs, "EPSG:4978", always_xy=True)
    return np.stack(to.transform(x, y, np.zeros_like(x)), axis=-1)


def _sentinel2(path: Path) -> Product:
    grid = open_s2(path).grids[10]
    x = grid.ulx_m + 10.0 * (np.arange(grid.width_px) + 0.5)
    y = grid.uly_m - 10.0 * (np.arange(grid.height_px) + 0.5)
    made = Product(
        path.name, grid.shape, lambda: _geocentric(f"EPSG:{grid.epsg}", *np.meshgrid(x, y))
    )
    made.bands = {"B2": Band(lambda: np.zeros(grid.shape)), "B5": Band(lambda: np.zeros((1, 1)))}
    return made


def _sentinel3(path: Path, factor: float) -> Product:
    product = open_s3(path)
    everything = slice(0, product.rows), slice(0, product.columns)
    with product.open() as reader:
        lat, lon = reader.geolocation(*everything)
        radiance = np.nan_to_num(reader.radiances(*everything)) * factor
        flags = reader.flags(*everything)
    made = Product(path.name, lat.shape, lambda: _geocentric("EPSG:4979", lon, lat))
    for band, values in zip(OLCI_BANDS, radiance, strict=True):
        made.bands[f"{band}_radiance"] = Band(lambda values=values: values)
    made.bands["quality_flags"] = Band(lambda: flags)
    made.bands["latitude"] = Band(lambda: lat)
    return made
