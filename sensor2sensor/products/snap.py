"""OLCI collocated by SNAP: which pixel of the swath SNAP shows at each pixel of Sentinel-2.

SNAP decides which pixel that is, as in the preprocessing of ARISGAN: BandSelect, Collocate (nearest
neighbour) and Subset. All else of a tile cannot come from a collocated product (positions, flux of
the detector, pixels beside those in use), so row and column of each OLCI pixel are collocated with
its radiances, and the table is ours. The radiances SNAP read there must equal ours.
"""

from __future__ import annotations

import configparser
import importlib
import importlib.util
import os
import sys
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sensor2sensor.core.errors import MissingExtraError, ProductError
from sensor2sensor.geo.grids import Grid
from sensor2sensor.products.bands import OLCI_BANDS
from sensor2sensor.products.olci import OlciWindow
from sensor2sensor.products.s3_pass import S3Pass
from sensor2sensor.products.sentinel2 import S2Product
from sensor2sensor.products.sentinel3 import S3Product

RESOLUTION_M = 10  # the grid of SNAP's own scene raster
REFERENCE_BAND = "B2"  # SNAP's name of B02
COLUMN, ROW = "s2s_column", "s2s_row"
RADIANCES = tuple(f"{band}_radiance" for band in OLCI_BANDS)
# SNAP takes radiances as valid by an expression over the flags, which must be there for it.
OLCI_SELECTED = (*RADIANCES, "quality_flags", COLUMN, ROW)
COLLOCATE = {
    "targetProductType": "COLLOCATED",
    "renameReferenceComponents": "false",
    "renameSecondaryComponents": "false",
    "resamplingType": "NEAREST_NEIGHBOUR",
}
FORMULA = "the OLCI pixel that SNAP's Collocate (NEAREST_NEIGHBOUR) shows, within search_radius_m"
PACKAGE = "esa_snappy"
INSTALL = "pip install -r requirements/snap.txt"
CONNECT = (
    "install SNAP 10 or newer with all toolboxes (https://step.esa.int/main/download/snap-download/)"
    f" and run its bin/snappy-conf with this Python ({sys.executable})"
)


class SnapWindow(OlciWindow):
    """The swath over a scene, collocated by SNAP.

    Args:
        product: the Sentinel-3 product.
        grid: of the scene, 10 m.
        s2: the scene's product.
        s2_path: of it, as SNAP is to read it.

    Raises:
        ProductError: as :class:`OlciWindow`, or SNAP has no such form of product; a tile raises it
            where SNAP fails or differs.
        MissingExtraError: esa-snappy or SNAP is missing, with the first tile.
    """

    def __init__(
        self, product: S3Product | S3Pass, grid: Grid, s2: S2Product, s2_path: Path
    ) -> None:
        hint = "leave --backend snap out"
        if s2.layout != "SAFE" or len(s2.parts) > 1:
            raise ProductError("is no single SAFE product, as SNAP reads", where=s2.name, hint=hint)
        if isinstance(product, S3Pass):
            what = "is joined of several frames, and SNAP reads one"
            raise ProductError(what, where=product.name, hint=hint)
        super().__init__(product, grid)
        self._paths = s2_path, product.path
        self._products: _Products | None = None

    def _nearest(
        self, grid: Grid, points: NDArray[np.float64], radius_m: float
    ) -> NDArray[np.int64]:
        # In the thread that cuts: a Java machine is not handed from one to another.
        if self._products is None:
            self._products = _Products(*self._paths, self.grid)
            weakref.finalize(self, self._products.dispose)
        column, row, radiance = self._products.read(grid)
        rows, columns = self.window.rows, self.window.columns
        here = (column >= columns.start) & (column < columns.stop)
        here &= (row >= rows.start) & (row < rows.stop)
        flat = (row - rows.start) * self.window.shape[1] + (column - columns.start)
        nearest = np.where(here, flat, -1)
        self._check(nearest, radiance)
        away_m = np.linalg.norm(points - self.index.xyz.reshape(-1, 3)[nearest], axis=-1)
        return np.where(here & (away_m <= radius_m), nearest, -1)

    def _check(self, nearest: NDArray[np.int64], theirs: NDArray[np.float32]) -> None:
        """The radiances SNAP shows are those of the pixels it names, where these are valid."""
        valid = (nearest >= 0) & self.valid.reshape(-1)[nearest]
        ours = self.radiance.reshape(len(OLCI_BANDS), -1)[:, nearest[valid]]
        wrong = ~np.isclose(theirs[:, valid], ours, rtol=1e-4, atol=1e-3)
        if wrong.any():
            band, pixel = np.argwhere(wrong)[0]
            what = (
                f"SNAP reads {theirs[:, valid][band, pixel]:g} where the file has "
                f"{ours[band, pixel]:g} ({RADIANCES[band]}; {int(wrong.any(axis=0).sum())} of "
                f"{int(valid.sum())} pixels differ)"
            )
            hint = "unset SNAP's own calibration of OLCI, or leave --backend snap out"
            raise ProductError(what, where=self._paths[1].name, hint=hint)


class _Products:
    """OLCI on the grid of Sentinel-2 in SNAP; nothing is computed until a tile is read.

    Raises:
        ProductError: SNAP cannot read one of the products, or sees another grid.
    """

    def __init__(self, s2_path: Path, s3_path: Path, grid: Grid) -> None:
        self._snap, self._grid = load_snap(), grid
        self._open: list[Any] = []
        with _snap_at_fault(s2_path.name):
            reference = self._apply(
                "BandSelect", {"sourceBands": REFERENCE_BAND}, self._read(s2_path)
            )
            size = (reference.getSceneRasterHeight(), reference.getSceneRasterWidth())
        if size != grid.shape:
            what = f"SNAP sees {size[1]}x{size[0]} pixels of {grid.width_px}x{grid.height_px}"
            raise ProductError(what, where=s2_path.name)
        with _snap_at_fault(s3_path.name):
            olci = self._read(s3_path)
            # Virtual bands; SNAP counts from the middle of the first pixel, 0.5.
            olci.addBand(COLUMN, "X")
            olci.addBand(ROW, "Y")
            olci = self._apply("BandSelect", {"sourceBands": ",".join(OLCI_SELECTED)}, olci)
            both = self._snap.jpy.array("org.esa.snap.core.datamodel.Product", [reference, olci])
            named = {"referenceProductName": reference.getName(), **COLLOCATE}
            self._collocated = self._apply("Collocate", named, both)

    def read(self, tile: Grid) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
        """What SNAP shows at a tile: column, row ``[h, w]``, -1 for none; radiance ``[21, h, w]``.

        Raises:
            ProductError: SNAP failed.
        """
        left = round((tile.ulx_m - self._grid.ulx_m) / self._grid.resolution_m)
        top = round((self._grid.uly_m - tile.uly_m) / self._grid.resolution_m)
        region = f"{left},{top},{tile.width_px},{tile.height_px}"
        with _snap_at_fault("Subset"):
            subset = self._apply(
                "Subset", {"region": region, "copyMetadata": "false"}, self._collocated, keep=False
            )
            column, row, *radiance = [
                _pixels(subset, name, tile.shape) for name in (COLUMN, ROW, *RADIANCES)
            ]
            subset.dispose()
        return _counted(column), _counted(row), np.stack(radiance)

    def dispose(self) -> None:
        """Give back what SNAP holds of the products, the last made first."""
        while self._open:
            self._open.pop().dispose()

    def _read(self, path: Path) -> Any:
        product = self._snap.ProductIO.readProduct(str(path))
        if product is None:
            raise ProductError("no reader of SNAP knows this form of product", where=path.name)
        self._open.append(product)
        return product

    def _apply(
        self, operator: str, parameters: Mapping[str, str], source: Any, *, keep: bool = True
    ) -> Any:
        given = self._snap.HashMap()
        for key, value in parameters.items():
            given.put(key, value)
        made = self._snap.GPF.createProduct(operator, given, source)
        if keep:
            self._open.append(made)
        return made


def _pixels(product: Any, band: str, shape: tuple[int, int]) -> NDArray[np.float32]:
    height, width = shape
    flat = np.zeros(height * width, np.float32)
    product.getBand(band).readPixels(0, 0, width, height, flat)
    return flat.reshape(shape)


def _counted(position: NDArray[np.float32]) -> NDArray[np.int64]:
    """Whole pixels from SNAP's positions; what it has no pixel for is 0 or no number."""
    known = position >= 0.5
    return np.where(known, np.floor(np.where(known, position, 0.0)), -1).astype(np.int64)


@contextmanager
def _snap_at_fault(where: str) -> Iterator[None]:
    """Say in a line what SNAP raised; jpy makes every Java exception a RuntimeError."""
    try:
        yield
    except RuntimeError as error:
        said = str(error).strip().splitlines() or [type(error).__name__]
        raise ProductError(f"SNAP failed ({said[0]})", where=where) from error


def missing() -> tuple[str, str] | None:
    """What of SNAP is missing and how to get it; None where nothing seems to be.

    Looks at files alone. Importing esa_snappy without SNAP fails, and with it starts a Java machine
    and writes to ``~/.snap``.
    """
    if PACKAGE in sys.modules:
        return None
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        return "esa-snappy is not installed", f"{INSTALL}, then {CONNECT}"
    folder = Path(spec.origin).parent
    # snappy-conf unpacks the bridge to Java into the package.
    if not (folder / "jpyutil.py").is_file():
        return "esa-snappy is installed, but not connected to a SNAP", CONNECT
    home = _snap_home(folder)
    if home is None or not Path(home).is_dir():
        return (
            f"esa-snappy is installed, but its SNAP is not there ({home or 'none named'})",
            CONNECT,
        )
    return None


def _snap_home(folder: Path) -> str | None:
    """Where esa-snappy looks for SNAP: its ini file (the last of three places), or SNAP_HOME."""
    ini = configparser.ConfigParser(interpolation=None)
    ini.read([folder / f"{PACKAGE}.ini", folder.parent / f"{PACKAGE}.ini", f"{PACKAGE}.ini"])
    return ini["DEFAULT"].get("snap_home") or os.environ.get("SNAP_HOME")


def require_snap() -> None:
    """Refuse at once where SNAP is not there.

    Raises:
        MissingExtraError: esa-snappy is not installed, or not connected to a SNAP.
    """
    if (found := missing()) is not None:
        raise MissingExtraError(found[0], hint=found[1])


def load_snap() -> Any:
    """The module ``esa_snappy`` with its operators loaded; the first call starts a Java machine.

    Raises:
        MissingExtraError: it is not there, or cannot start.
    """
    require_snap()
    try:
        snap = importlib.import_module(PACKAGE)
        snap.GPF.getDefaultInstance().getOperatorSpiRegistry().loadOperatorSpis()
    except Exception as error:  # of types that jpy, Java and SNAP do not share
        said = str(error).strip().splitlines() or [type(error).__name__]
        raise MissingExtraError(
            f"esa-snappy cannot start SNAP ({said[0]})", hint=CONNECT
        ) from error
    return snap
