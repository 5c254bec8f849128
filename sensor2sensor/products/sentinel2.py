"""Sentinel-2 MSI products, Level-1C and Level-2A: `.SAFE`, and the forms of the open buckets.

    product = open_s2(Path("S2A_MSIL2A_….SAFE"))
    reflectance, quality = product.read_reflectance(("B02", "B03", "B04"), 10, window)

Reflectance = (DN + offset of the band) / quantification, below 0 too. DN 0 is no data, set aside.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from sensor2sensor.core.archives import ProductFiles, open_files
from sensor2sensor.core.errors import ProductError
from sensor2sensor.core.names import suggestion
from sensor2sensor.products import s2_images
from sensor2sensor.products.bands import S2_BANDS
from sensor2sensor.products.quality import GIVEN_BY, GIVEN_BY_NUMBERS, Quality
from sensor2sensor.products.reading import (
    ListedFile,
    checksums_of,
    listed_files,
    read_xml,
    verify_checksums,
    verify_listed,
    wrong_sizes,
)
from sensor2sensor.products.s2_clouds import CloudMask, no_cloud_without_data, with_mask
from sensor2sensor.products.s2_files import located, metadata_files
from sensor2sensor.products.s2_metadata import product_facts
from sensor2sensor.products.s2_open import is_open_form, open_fields
from sensor2sensor.products.s2_tile import tile_facts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    import numpy.typing as npt

    from sensor2sensor.geo.grids import Grid, PixelWindow

MANIFEST = "manifest.safe"


@dataclass(frozen=True)
class S2Product:
    """One Sentinel-2 product: facts from its XML, and windows of its rasters.

    Attributes:
        path: folder or zip.
        name: name by content (PRODUCT_URI without `.SAFE`).
        level: `L1C` or `L2A`.
        platform: `S2A`, `S2B`, `S2C`.
        baseline: processing baseline, like `04.00`.
        sensing_start: start of the datatake, UTC.
        generation_time: when the product was made, UTC.
        tile: MGRS tile, like `T29UNU`.
        cloud_fraction: 0..1 by the product's own assessment; None when it has none.
        footprint: shapely polygon, longitude and latitude.
        quantification: digital numbers per unit reflectance.
        offsets: offset in digital numbers by band (0 before baseline 04.00).
        wavelengths_nm: central wavelength by band, of this satellite.
        grids: grid by resolution (10, 20, 60 m).
        images: member name by (band, resolution) as the XML lists them.
        masks: member name of tile-wide masks by type (`MSK_CLASSI`, `MSK_CLOUDS`, ...).
        tile_time: when the tile itself was sensed, UTC (minutes after `sensing_start`).
        datastrip: sensing start of the part of the datatake that a ground station received in one
            go, like `20221005T115407`; empty where the tile's XML names none.
        nodata: digital number of no data.
        saturated: digital number from which on a pixel is saturated.
        metadata_files: the product and the tile XML.
        warnings: what is unusual but usable, like an unknown baseline.
        files: access to the product's files.
        layout: `SAFE`; `COG` (bands with a STAC item), `tile` (bands with `metadata.xml`).
        listing: what a STAC item says of its files' sizes and checksums.
        offset_source: what told the offsets; of open buckets, what `s2_coding` believed.
        cloud_mask: a file whose clouds count in the place of the product's own.
    """

    path: Path
    name: str
    level: str
    platform: str
    baseline: str
    sensing_start: datetime
    generation_time: datetime
    tile: str
    cloud_fraction: float | None
    footprint: Any = field(repr=False)
    quantification: float
    offsets: Mapping[str, float] = field(repr=False)
    wavelengths_nm: Mapping[str, float] = field(repr=False)
    grids: Mapping[int, Grid] = field(repr=False)
    images: Mapping[tuple[str, int], str] = field(repr=False)
    masks: Mapping[str, str] = field(repr=False)
    tile_time: datetime
    datastrip: str
    nodata: int
    saturated: int
    metadata_files: tuple[str, ...] = field(repr=False)
    warnings: tuple[str, ...] = field(repr=False)
    files: ProductFiles = field(repr=False, compare=False)
    layout: str = field(default="SAFE", kw_only=True)
    listing: tuple[ListedFile, ...] = field(default=(), repr=False, kw_only=True)
    offset_source: str = field(default="product XML", kw_only=True)
    cloud_mask: CloudMask | None = field(default=None, kw_only=True)

    @property
    def parts(self) -> tuple[S2Product, ...]:
        """The products it is made of: see `products.s2_parts`."""
        return (self,)

    @property
    def granule(self) -> str:
        """The folder that holds the granule, with its slash."""
        return self.metadata_files[1].rpartition("/")[0] + "/"

    @property
    def acquisition(self) -> tuple[str, datetime, str]:
        """Platform, sensing start to the second, tile.

        Products that agree show the same pixels, unless each holds a part of the tile: see
        `products.acquisitions`.
        """
        # Milliseconds differ between levels and reprocessings of one datatake.
        return self.platform, self.sensing_start.replace(microsecond=0), self.tile

    @property
    def overpass(self) -> str:
        """Platform and start of the datatake, `S2A_20221005T115411`: shared by all its tiles."""
        return f"{self.platform}_{self.sensing_start:%Y%m%dT%H%M%S}"

    @property
    def resolutions(self) -> tuple[int, ...]:
        """Resolutions in metres at which the product lists spectral bands."""
        listed = {resolution for band, resolution in self.images if band in S2_BANDS}
        return tuple(sorted(listed))

    def bands_at(self, resolution_m: int) -> tuple[str, ...]:
        """The spectral bands listed at a resolution, in band order."""
        return tuple(band for band in S2_BANDS if (band, resolution_m) in self.images)

    def band_member(self, band: str, resolution_m: int) -> str:
        """The member name of a band; ProductError names the nearest band when it has none."""
        member = self.images.get((band, resolution_m))
        if member is None:
            raise ProductError(
                f"{self.level} lists no {band} at {resolution_m} m",
                where=self.name,
                hint=suggestion(band, self.bands_at(resolution_m)),
            )
        return member

    def missing(self, bands: Sequence[str], resolution_m: int) -> list[str]:
        """What is lacking for these bands: member names, or `B08 at 60 m` when never listed."""
        lacking = []
        for band in bands:
            member = self.images.get((band, resolution_m))
            if member is None:
                lacking.append(f"{band} at {resolution_m} m")
            elif not self.files.exists(member):
                lacking.append(member)
        return lacking

    def members_for(self, bands: Sequence[str], resolution_m: int) -> list[str]:
        """The files that reading these bands opens: XML, images, and the source of quality."""
        # The metadata count: a product whose XML was altered is read with other offsets.
        images = [self.band_member(band, resolution_m) for band in bands]
        _, mask = self._quality_source(resolution_m)
        return [*self.metadata_files, *images, *([mask] if mask else [])]

    def to_reflectance(
        self, dn: npt.NDArray[Any], band: str, empty: npt.NDArray[np.bool_] | None = None
    ) -> npt.NDArray[np.float32]:
        """Reflectance of digital numbers, any shape; NaN where empty (None: where no data)."""
        values = dn.astype(np.float32)
        # Since baseline 04.00 numbers are stored 1000 higher, so that noise about zero survives;
        # the metadata's offset is -1000, to be added. Negative results are noise too, and stay.
        values += np.float32(self.offsets[band])
        values /= np.float32(self.quantification)
        values[dn == self.nodata if empty is None else empty] = np.nan
        return values

    def read_dn(
        self, band: str, resolution_m: int, window: PixelWindow | None = None, *, overview: int = 1
    ) -> npt.NDArray[Any]:
        """Digital numbers [h, w] as stored; 0 (no data) where the window leaves the grid."""
        grid = self.grids[resolution_m]
        member = self.band_member(band, resolution_m)
        place = window or grid.full_window
        return s2_images.read_window(self.files, member, grid, place, overview=overview)

    def read_reflectance(
        self,
        bands: Sequence[str],
        resolution_m: int,
        window: PixelWindow | None = None,
        *,
        overview: int = 1,
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.uint32]]:
        """Reflectance [h, w, bands] and the quality word [h, w] of nodata and saturation.

        Reduced images are low-pass samples, clamped to what the file can hold: beside a bright
        edge a valid pixel may read 0, or 65535. So in an overview 0 is a value like any other
        within the scene (by the scene classification where there is one, else by the footprint),
        and nothing is saturated. What must be exact is read at full resolution.

        Args:
            bands: bands listed at this resolution, in the order wanted.
            resolution_m: 10, 20 or 60.
            window: pixels of that grid, the whole grid when None; it may reach beyond it.
            overview: reduction read from the image's own pyramid (1, 2, 4, 8, 16).

        Raises:
            ProductError: a band is not there, or its file is damaged (names it).
        """
        read = partial(self.read_dn, resolution_m=resolution_m, window=window, overview=overview)
        numbers = s2_images.each_at_once(read, bands)
        # As stored: with an offset, 0 would pass for a reflectance of -0.1.
        empty = np.stack([dn == self.nodata for dn in numbers])
        full = np.any([dn >= self.saturated for dn in numbers], axis=0)
        if overview > 1:
            full[:] = False
            # A whole scene of zeros is none, whatever its footprint claims.
            if empty.any() and not (window is None and empty.all()):
                place = window or self.grids[resolution_m].full_window
                empty &= self._outside(resolution_m, place, numbers[0].shape)
        layers = [
            self.to_reflectance(dn, band, missing)
            for dn, band, missing in zip(numbers, bands, empty, strict=True)
        ]
        word = empty.any(axis=0) * np.uint32(Quality.S2_NODATA)
        word += full * np.uint32(Quality.S2_SATURATED)
        return np.stack(layers, axis=-1), word.astype(np.uint32)

    def _outside(
        self, resolution_m: int, place: PixelWindow, shape: tuple[int, ...]
    ) -> npt.NDArray[np.bool_]:
        """Where a window seen in `shape` pixels lies outside the scene, whatever its images say."""
        from sensor2sensor.geo.footprints import project

        target = self.grids[resolution_m].reduced(place, shape)
        if self.quality_source(max(self.grids)) == "SCL":
            word, _ = self._quality_on(target, max(self.grids))
            return np.asarray((word & np.uint32(Quality.S2_NODATA)) != 0)
        outline = project(self.footprint, f"EPSG:{target.epsg}")
        return ~s2_images.within([outline], target)

    def read_quality(
        self, resolution_m: int, window: PixelWindow | None = None
    ) -> tuple[npt.NDArray[np.uint32], str]:
        """Cloud, shadow, snow and water bits [h, w], and the source that gave them.

        The source is `SCL` (Level-2A), `MSK_CLASSI` (baseline 04.00 on), `MSK_CLOUDS` (before),
        or `none` when the product holds none of them; then every bit is 0 and says nothing.
        """
        grid = self.grids[resolution_m]
        place = window or grid.full_window
        target = grid.window(place.x, place.y, place.width, place.height)
        word, source = self._quality_on(target, resolution_m)
        return no_cloud_without_data(word), source

    def quality_overview(self, resolution_m: int, shape: tuple[int, ...]) -> npt.NDArray[np.uint32]:
        """Those bits for the whole scene seen in `shape` pixels: samples of its coarsest mask."""
        grid = self.grids[resolution_m]
        target = grid.reduced(grid.full_window, shape)
        return no_cloud_without_data(self._quality_on(target, max(self.grids))[0])

    def _quality_on(self, target: Grid, resolution_m: int) -> tuple[npt.NDArray[np.uint32], str]:
        source, member = self._quality_source(resolution_m)
        word = s2_images.read_quality(self.files, source, member, self.grids[resolution_m], target)
        return with_mask(self, word, resolution_m, target), source

    def quality_source(self, resolution_m: int) -> str:
        """The name of the source `read_quality` uses."""
        return self._quality_source(resolution_m)[0]

    def quality_given(self, resolution_m: int) -> Quality:
        """The bits of the quality word this product can give; it leaves the others at 0."""
        own = GIVEN_BY[self.quality_source(resolution_m)] | GIVEN_BY_NUMBERS
        return own if self.cloud_mask is None else own & ~Quality.S2_CIRRUS | Quality.S2_CLOUD

    @cached_property
    def listed(self) -> tuple[ListedFile, ...]:
        """What `manifest.safe` or a STAC item says of each file; nothing where there is none."""
        if self.layout != "SAFE" or not self.files.exists(MANIFEST):
            return self.listing
        return listed_files(read_xml(self.files, MANIFEST))

    @property
    def has_checksums(self) -> bool:
        """Whether anything tells what its files must be: the open buckets often do not."""
        return self.layout == "SAFE" or any(one.checksum for one in self.listed)

    def cut_short(self, members: Sequence[str]) -> list[str]:
        """Which of these files are empty or of another size than the manifest says."""
        return wrong_sizes(self.files, self.listed, members)

    def verify(self, members: Sequence[str] | None = None) -> list[str]:
        """Compare files with the manifest's checksums; a line for each problem.

        Args:
            members: files to check (see `members_for`); None checks all listed ones present.
        """
        if self.layout != "SAFE":
            return verify_listed(self.files, self.listed, members)
        where = self.files.where(MANIFEST)
        if not self.files.exists(MANIFEST):
            return [f"{where}: file is missing, nothing can be verified"]
        listed = checksums_of(self.listed, where)
        # Archives rename granule folders; the manifest has the name of before.
        here = {located(self.files, name, self.granule): found for name, found in listed.items()}
        return verify_checksums(self.files, here, members)

    def _quality_source(self, resolution_m: int) -> tuple[str, str]:
        return s2_images.mask_of(self.files, self.images, self.masks, resolution_m)


def open_s2(path: Path) -> S2Product:
    """Open a Sentinel-2 product by its content.

    Raises:
        ProductError: no product, hostile, or its metadata are damaged; names product, file and
            element.
    """
    return read_s2(path, open_files(path))


def read_s2(path: Path, files: ProductFiles) -> S2Product:
    """The product at a path whose files are open; ProductError as `open_s2`."""
    if is_open_form(files):
        return S2Product(path=path, **open_fields(files), files=files)
    product_xml, tile_xml = metadata_files(files)
    facts = product_facts(read_xml(files, product_xml))
    tile = tile_facts(read_xml(files, tile_xml))
    granule = tile_xml.rpartition("/")[0] + "/"
    images = {key: located(files, name, granule) for key, name in facts.images.items()}
    masks = {key: located(files, name, granule) for key, name in tile.masks.items()}
    return S2Product(
        path=path,
        **vars(replace(facts, images=images)),
        **vars(replace(tile, masks=masks)),
        metadata_files=(product_xml, tile_xml),
        files=files,
    )
