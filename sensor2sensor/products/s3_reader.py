"""Windows of the netCDF files of a Sentinel-3 OLCI product.

Each variable's file is opened once, by h5netcdf, and each method makes one hyperslab read per
variable: scale, offset and fill are applied by xarray to the window alone. (To open files with
xarray describes every variable of 27 files, to read one of each: it takes three times as long.)
Real files are chunked and deflated, in the worst case as one chunk, so every read inflates whole
chunks: ask for one large window rather than for many small ones.
"""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sensor2sensor.core.errors import ProductError
from sensor2sensor.core.names import suggestion
from sensor2sensor.products import chunks
from sensor2sensor.products.bands import OLCI_BANDS
from sensor2sensor.products.quality import Quality, from_olci_flags, given_by_olci
from sensor2sensor.products.reading import naming_damage

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from sensor2sensor.core.archives import ProductFiles

GEO_FILE = "geo_coordinates.nc"
FLAGS_FILE = "qualityFlags.nc"
INSTRUMENT_FILE = "instrument_data.nc"
TIE_GEO_FILE = "tie_geo_coordinates.nc"
TIE_ANGLES_FILE = "tie_geometries.nc"
TIME_FILE = "time_coordinates.nc"
# Flag words and detector numbers are integers: xarray would turn them to floats for their fill.
RAW_FILES = (FLAGS_FILE, INSTRUMENT_FILE, TIME_FILE)
CODING = ("_FillValue", "missing_value", "scale_factor", "add_offset", "_Unsigned")
ANNOTATION_FILES = (GEO_FILE, FLAGS_FILE, INSTRUMENT_FILE, TIE_GEO_FILE, TIE_ANGLES_FILE)


def radiance_file(band: str) -> str:
    """The file of a band; ProductError names the nearest band for an unknown one."""
    if band not in OLCI_BANDS:
        raise ProductError(f"OLCI has no band {band!r}", hint=suggestion(band, OLCI_BANDS))
    return f"{band}_radiance.nc"


class S3Reader:
    """Reads windows given as row and column slices; made by `S3Product.open`.

    Slices are as in numpy, without a step, and stay within the image.
    """

    def __init__(self, files: ProductFiles, name: str, rows: int, columns: int) -> None:
        self.name = name
        self.shape = (rows, columns)
        self._files = files
        self._stack = ExitStack()
        self._datasets: dict[str, Any] = {}

    def close(self) -> None:
        """Close every file."""
        self._datasets.clear()
        self._stack.close()

    def geolocation(
        self, rows: slice, cols: slice
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Latitude and longitude [h, w] in degrees, NaN where either is missing or impossible."""
        latitude = self._window(GEO_FILE, "latitude", rows, cols).astype(np.float64)
        longitude = self._window(GEO_FILE, "longitude", rows, cols).astype(np.float64)
        # A damaged file decodes to anything: beyond the globe is no position.
        with np.errstate(invalid="ignore"):
            good = (np.abs(latitude) <= 90.0) & (np.abs(longitude) <= 180.0)
        return np.where(good, latitude, np.nan), np.where(good, longitude, np.nan)

    def tie_geolocation(
        self,
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], int, int]:
        """Latitude and longitude of the whole tie grid, and its steps in rows and columns."""
        latitude = self._variable(TIE_GEO_FILE, "latitude")
        longitude = self._variable(TIE_GEO_FILE, "longitude")
        with naming_damage(self._files, TIE_GEO_FILE):
            both = _values(latitude).astype(np.float64), _values(longitude).astype(np.float64)
        return *both, *self._tie_steps(TIE_GEO_FILE, both[0].shape)

    def time_stamps(self, rows: slice) -> npt.NDArray[np.datetime64] | None:
        """Time stamps of rows as stored, UTC in microseconds [h]; None without their file."""
        if not self._files.exists(TIME_FILE):
            return None
        rows, _ = self._inside(rows, slice(None))
        stamps = self._variable(TIME_FILE, "time_stamp")
        if stamps.shape != self.shape[:1]:
            raise ProductError(
                f"time_stamp has shape {stamps.shape}, the manifest says {self.shape[0]} rows",
                where=self._files.where(TIME_FILE),
            )
        with naming_damage(self._files, TIME_FILE):
            elapsed = np.asarray(stamps[rows]).astype("timedelta64[us]")
        # Microseconds since 2000, as the variable's unit says.
        return np.asarray(np.datetime64("2000-01-01", "us") + elapsed)

    def radiances(
        self, rows: slice, cols: slice, bands: Sequence[str] = OLCI_BANDS
    ) -> npt.NDArray[np.float32]:
        """Top-of-atmosphere radiance [bands, h, w] in mW m-2 sr-1 nm-1, NaN at fill."""
        rows, cols = self._inside(rows, cols)
        shape = (len(bands), rows.stop - rows.start, cols.stop - cols.start)
        values = np.empty(shape, np.float32)
        for layer, band in zip(values, bands, strict=True):
            layer[:] = self._window(radiance_file(band), f"{band}_radiance", rows, cols)
        return values

    def flags(self, rows: slice, cols: slice) -> npt.NDArray[np.uint32]:
        """The quality flag words [h, w] as stored; `flag_masks` gives their bits."""
        words = self._window(FLAGS_FILE, "quality_flags", rows, cols)
        return words.astype(np.uint32)

    @property
    def flag_masks(self) -> dict[str, int]:
        """Mask by flag meaning, as this product has them (32 or 13, by collection)."""
        variable = self._variable(FLAGS_FILE, "quality_flags")
        with naming_damage(self._files, FLAGS_FILE):
            attributes = variable.attrs
            meanings = str(attributes["flag_meanings"]).split()
            masks = np.atleast_1d(attributes["flag_masks"]).astype(np.uint32)
        if len(meanings) != len(masks):
            raise ProductError(
                f"quality_flags has {len(meanings)} flag_meanings and {len(masks)} flag_masks",
                where=self._files.where(FLAGS_FILE),
            )
        return {name: int(mask) for name, mask in zip(meanings, masks, strict=True)}

    def quality(self, flags: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
        """Our quality word (OLCI bits) of flag words, any shape."""
        return from_olci_flags(flags, self.flag_masks)

    def quality_given(self) -> Quality:
        """The bits of our quality word that this product's flags can give."""
        return given_by_olci(self.flag_masks)

    def detector_index(self, rows: slice, cols: slice) -> npt.NDArray[np.int32]:
        """Detector of each pixel [h, w], -1 where the product gives none."""
        index = self._window(INSTRUMENT_FILE, "detector_index", rows, cols)
        return np.where(index < 0, -1, index.astype(np.int32))

    def solar_flux(
        self, rows: slice, cols: slice, bands: Sequence[str] = OLCI_BANDS
    ) -> npt.NDArray[np.float32]:
        """In-band solar irradiance of each pixel's detector [bands, h, w] in mW m-2 nm-1.

        NaN where the detector is unknown: it must never silently be detector 0.
        """
        # Every detector of the five cameras has spectral bands of its own, and so its own F0; the
        # table is corrected for the day's distance from the Sun: no factor is to be added.
        table = self._solar_table(bands)
        detector = self.detector_index(rows, cols)
        known = (detector >= 0) & (detector < table.shape[1])
        flux = table[:, np.where(known, detector, 0)]
        flux[:, ~known] = np.nan
        return flux

    def sun_zenith(self, rows: slice, cols: slice) -> npt.NDArray[np.float32]:
        """Sun zenith angle [h, w] in degrees, bilinear between tie points; NaN by unknown ones."""
        rows, cols = self._inside(rows, cols)
        # Tie points lie on every row and, in full resolution, on every 64th column.
        tie = self._variable(TIE_ANGLES_FILE, "SZA")
        row_step, col_step = self._tie_steps(TIE_ANGLES_FILE, tie.shape)
        r0, r1, row_weights = _tie_span(rows, row_step, tie.shape[0])
        c0, c1, col_weights = _tie_span(cols, col_step, tie.shape[1])
        with naming_damage(self._files, TIE_ANGLES_FILE):
            part = _values(tie, slice(r0, r1), slice(c0, c1)).astype(np.float64)
        unknown = np.isnan(part)
        angle = np.asarray(row_weights @ np.where(unknown, 0.0, part) @ col_weights.T, np.float32)
        if unknown.any():
            # Of those with a weight alone: 0 * NaN would be NaN, too, all over the window.
            angle[row_weights @ unknown @ col_weights.T > 0.0] = np.nan
        return angle

    def reflectance(
        self, rows: slice, cols: slice, bands: Sequence[str] = OLCI_BANDS
    ) -> npt.NDArray[np.float32]:
        """Top-of-atmosphere reflectance [bands, h, w] = pi L / (F0 cos SZA); NaN at night."""
        cosine = np.cos(np.deg2rad(self.sun_zenith(rows, cols).astype(np.float64)))
        # Below the horizon radiance over its cosine is no reflectance.
        cosine = np.where(cosine > 0.0, cosine, np.nan).astype(np.float32)
        radiance, flux = self.radiances(rows, cols, bands), self.solar_flux(rows, cols, bands)
        return np.asarray(np.float32(np.pi) * radiance / (flux * cosine), np.float32)

    def _solar_table(self, bands: Sequence[str]) -> npt.NDArray[np.float32]:
        variable = self._variable(INSTRUMENT_FILE, "solar_flux")
        with naming_damage(self._files, INSTRUMENT_FILE):
            table = np.array(variable[...], np.float32)
        if table.ndim != 2 or table.shape[0] != len(OLCI_BANDS):
            raise ProductError(
                f"solar_flux has shape {table.shape}, expected (21, detectors)",
                where=self._files.where(INSTRUMENT_FILE),
            )
        # Fill is -1, read raw here: dividing by it would look valid.
        table = np.where(table > 0.0, table, np.float32(np.nan))
        return np.asarray(table[[OLCI_BANDS.index(band) for band in bands]])

    def _tie_steps(self, name: str, shape: tuple[int, ...]) -> tuple[int, int]:
        """Rows and columns per tie point: the file's own attributes, checked against the sizes."""
        dataset = self._dataset(name)
        with naming_damage(self._files, name):
            attributes = dict(dataset.attrs)
        steps = []
        for key, image, ties in zip(
            ("al_subsampling_factor", "ac_subsampling_factor"), self.shape, shape, strict=True
        ):
            derived = max(round((image - 1) / max(ties - 1, 1)), 1)
            step = int(attributes[key]) if key in attributes else derived
            # The last tie point may lie almost a step before the last pixel.
            if step < 1 or (ties - 1) * step < image - step:
                raise ProductError(
                    f"{ties} tie points at {key} {step} do not cover {image} pixels",
                    where=self._files.where(name),
                )
            steps.append(step)
        return steps[0], steps[1]

    def _window(self, name: str, variable: str, rows: slice, cols: slice) -> npt.NDArray[Any]:
        rows, cols = self._inside(rows, cols)
        array = self._variable(name, variable)
        if array.shape != self.shape:
            raise ProductError(
                f"{variable} has shape {array.shape}, the manifest says {self.shape}",
                where=self._files.where(name),
            )
        with naming_damage(self._files, name):
            return self._decoded(name, variable, array, rows, cols)

    def _decoded(
        self, name: str, variable: str, array: Any, rows: slice, cols: slice
    ) -> npt.NDArray[Any]:
        """The window with xarray's scale, offset and fill, large chunks inflated once."""
        local = self._files.local_path(name) if chunks.large(array) else None
        stored = chunks.read_window(Path(local), variable, rows, cols) if local else None
        # Flags and detectors stay integers; all else is packed: stored * scale + offset.
        if name in RAW_FILES:
            return np.asarray(array[rows, cols] if stored is None else stored)
        return _values(array, rows, cols, stored=stored)

    def _inside(self, rows: slice, cols: slice) -> tuple[slice, slice]:
        found = []
        for part, size in zip((rows, cols), self.shape, strict=True):
            start, stop, step = part.indices(size)
            if step != 1 or stop <= start:
                raise ValueError(f"{part} is no window of an image of {self.shape} pixels")
            found.append(slice(start, stop))
        return found[0], found[1]

    def _variable(self, name: str, variable: str) -> Any:
        dataset = self._dataset(name)
        with naming_damage(self._files, name):
            found = dataset.variables.get(variable)
            if found is not None and found.shape is not None:  # read here, where damage is named
                return found
        raise ProductError(f"has no variable {variable}", where=self._files.where(name))

    def _dataset(self, name: str) -> Any:
        if name not in self._datasets:
            if not self._files.exists(name):
                raise ProductError("file is missing", where=self._files.where(name))
            with naming_damage(self._files, name):
                self._datasets[name] = self._open(name)
        return self._datasets[name]

    def _open(self, name: str) -> Any:
        import h5netcdf

        local = self._files.local_path(name)
        source = local or self._stack.enter_context(self._files.open(name))
        return self._stack.enter_context(chunks.unlocked(partial(h5netcdf.File, source, "r")))


def _values(
    variable: Any, *window: slice, stored: npt.NDArray[Any] | None = None
) -> npt.NDArray[Any]:
    """A window as xarray decodes it, or all; ``stored`` are its numbers where they are known."""
    import xarray

    numbers = np.asarray(variable[window or ...]) if stored is None else stored
    attributes = variable.attrs
    coding = {key: attributes[key] for key in CODING if key in attributes}
    raw = xarray.Variable(variable.dimensions, numbers, coding)
    return np.asarray(
        xarray.conventions.decode_cf_variable(variable.name, raw, decode_times=False).values
    )


def _tie_span(pixels: slice, step: int, ties: int) -> tuple[int, int, npt.NDArray[np.float64]]:
    """The tie points a run of pixels needs, and the weights [pixels, ties needed] on them."""
    position = np.arange(pixels.start, pixels.stop, dtype=np.float64) / step
    # Pixels after the last tie point have its value: an angle is not extrapolated.
    position = np.minimum(position, ties - 1)
    lower = np.minimum(np.floor(position).astype(np.int64), max(ties - 2, 0))
    first, last = int(lower[0]), min(int(lower[-1]) + 1, ties - 1)
    weights = np.zeros((position.size, last - first + 1))
    fraction = position - lower
    index = np.arange(position.size)
    weights[index, lower - first] = 1.0 - fraction
    weights[index, np.minimum(lower - first + 1, last - first)] += fraction
    return first, last + 1, weights
