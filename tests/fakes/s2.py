"""Sentinel-2 SAFE products in the real layout."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from tests.fakes.jp2 import write_jp2
from tests.fakes.packaging import pack, write
from tests.fakes.s2gml import cloud_gml, empty_gml
from tests.fakes.s2manifest import manifest_xml
from tests.fakes.s2pixels import Exposure, Tile, band_list
from tests.fakes.s2tile import tile_xml
from tests.fakes.s2xml import BANDS, Facts, Identity, product_xml, stamp
from tests.fakes.sky import Sky
from tests.fakes.world import World, transformer

DEFAULT_SENSING = datetime(2022, 7, 14, 17, 19, 11, 24000, tzinfo=UTC)
DEFAULT_CORNER_M = (499980.0, 8100000.0)  # the upper-left corner of T17XNA


class _Writer:
    """Writes the images and masks of one product and remembers what it wrote."""

    def __init__(self, folder: Path, exposure: Exposure) -> None:
        self.folder, self.exposure = folder, exposure
        self.images: list[str] = []
        self.masks: list[tuple[str, str, str]] = []
        identity = exposure.identity
        self.granule = f"GRANULE/{identity.granule}"
        self.prefix = f"{identity.tile}_{stamp(identity.sensing)}"

    def _jp2(self, name: str, data: np.ndarray, resolution_m: float, kind: str) -> None:
        tile = self.exposure.tile
        write_jp2(
            self.folder / f"{name}.jp2", data, resolution_m=resolution_m, epsg=tile.epsg,
            ulx_m=tile.ulx_m, uly_m=tile.uly_m, kind=kind,
        )  # fmt: skip

    def images_at(self, resolution_m: int, bands: Sequence[str] | None) -> None:
        """Write the image files of one resolution."""
        wanted = self._wanted(resolution_m, bands)
        sub, tail = "", ""
        if self.exposure.identity.level == "L2A":
            sub, tail = f"R{resolution_m}m/", f"_{resolution_m}m"
        for what, pixels in self.exposure.images(resolution_m, wanted).items():
            name = f"{self.granule}/IMG_DATA/{sub}{self.prefix}_{what}{tail}"
            self._jp2(name, pixels, resolution_m, "band")
            self.images.append(name)

    def _wanted(self, resolution_m: int, bands: Sequence[str] | None) -> list[str]:
        identity = self.exposure.identity
        listed = band_list(identity.level, resolution_m, new=identity.new)
        wanted = [band for band in listed if bands is None or band in bands]
        if identity.level == "L2A":
            wanted += ["SCL"] if resolution_m > 10 else []
            wanted += ["TCI", "AOT", "WVP"] if bands is None else []
        elif bands is None and resolution_m == 10:
            wanted.append("TCI")
        return wanted

    def quality(self, *, full: bool) -> None:
        """Write the quality masks: JP2 from 04.00 on, GML before."""
        if self.exposure.identity.new:
            self._jp2_masks(full=full)
        else:
            self._gml_masks(full=full)

    def _mask_name(self, kind: str, band: str, suffix: str) -> str:
        name = f"{self.granule}/QI_DATA/{kind}_{band or 'B00'}"
        self.masks.append((band, kind, f"{name}.{suffix}"))
        return name

    def _jp2_masks(self, *, full: bool) -> None:
        tile = self.exposure.tile
        if full:
            seen = (~tile.nodata(60)).astype(np.uint8)
            detector = seen * np.uint8(6)
            for band in BANDS:
                self._jp2(self._mask_name("MSK_DETFOO", band, "jp2"), detector, 60, "mask")
                bits = np.zeros((8, *seen.shape), np.uint8)
                self._jp2(self._mask_name("MSK_QUALIT", band, "jp2"), bits, 60, "mask")
        classes = self.exposure.classification
        self._jp2(self._mask_name("MSK_CLASSI", "", "jp2"), classes, 60, "mask")

    def _gml_masks(self, *, full: bool) -> None:
        tile = self.exposure.tile
        for band in BANDS if full else ():
            for kind in ("MSK_DEFECT", "MSK_DETFOO", "MSK_NODATA", "MSK_SATURA", "MSK_TECQUA"):
                name = self._mask_name(kind, band, "gml")
                write(self.folder / f"{name}.gml", empty_gml(kind, band, tile.epsg))
        layers = self.exposure.classification
        name = self._mask_name("MSK_CLOUDS", "", "gml")
        write(self.folder / f"{name}.gml", cloud_gml(layers[:2], tile))

    def preview(self) -> str:
        """Write the preview image; return its name."""
        image = self.exposure.preview()
        step = max(1, image.shape[1] // 343)
        small = image[:, ::step, ::step]
        name = f"{self.granule}/QI_DATA/{self.prefix}_PVI"
        self._jp2(name, small, 60.0 * step, "preview")
        return f"{name}.jp2"


def _footprint(tile: Tile) -> str:
    to_degrees = transformer(tile.epsg, 4326)
    lonlat = [to_degrees.transform(x, y) for x, y in tile.footprint_m()]
    return " ".join(f"{lat:.12f} {lon:.12f}" for lon, lat in lonlat)


def _listing_order(name: str) -> tuple[bool, str]:
    return "_TCI" in name and "/R" not in name, name


def _facts(writer: _Writer, preview: str) -> Facts:
    tile, world = writer.exposure.tile, writer.exposure.world
    cloud, nodata, snow = writer.exposure.percentages()
    middle = tile.ulx_m + tile.extent_m / 2, tile.uly_m - tile.extent_m / 2
    return Facts(
        files=tuple(sorted(writer.images, key=_listing_order)), masks=tuple(writer.masks),
        preview=preview, footprint=_footprint(tile), cloud_percent=cloud, nodata_percent=nodata,
        snow_percent=snow, epsg=tile.epsg, ulx_m=tile.ulx_m, uly_m=tile.uly_m,
        size_px=tile.size_px,
        sun=world.sun(writer.exposure.identity.sensing, *middle),
    )  # fmt: skip


def _finish(writer: _Writer, preview: str, checksum: str) -> None:
    identity, folder = writer.exposure.identity, writer.folder
    facts = _facts(writer, preview)
    write(folder / f"MTD_MSI{identity.level}.xml", product_xml(identity, facts))
    write(folder / writer.granule / "MTD_TL.xml", tile_xml(identity, facts))
    write(folder / "INSPIRE.xml", f"<INSPIRE><title>{identity.name}</title></INSPIRE>\n")
    manifest = manifest_xml(folder, identity, facts.footprint, checksum)
    write(folder / "manifest.safe", manifest)


def make_s2(
    folder: Path, *, world: World | None = None, tile: str = "T17XNA", level: str = "L1C",
    baseline: str = "04.00", platform: str = "S2A", sensing: datetime = DEFAULT_SENSING,
    size_px: int = 384, bands: Sequence[str] | None = None,
    resolutions: Sequence[int] = (10, 20, 60), cloud: float = 0.1, nodata_wedge: float = 0.0,
    zip: bool = False, checksum: str = "SHA3-256", epsg: int = 32617, ulx: float | None = None,
    uly: float | None = None, seed: int = 0, sky: Sky | None = None, quality_masks: bool = True,
    generated: datetime | None = None, part: tuple[float, float] = (0.0, 1.0),
    strip: datetime | None = None,
) -> Path:  # fmt: skip
    """Write a Sentinel-2 product in the real format and return its path.

    Args:
        folder: where the product goes (made when needed).
        world: the ground; by default `World(seed, epsg=epsg)`.
        tile: MGRS tile with its T.
        level: "L1C" or "L2A".
        baseline: "02.07" ... "05.11"; offsets and JP2 masks from 04.00 on.
        platform: "S2A", "S2B" or "S2C".
        sensing: sensing time (aware, UTC).
        size_px: side in 10 m pixels, a multiple of 6, at least 192 (10980 is a real tile).
        bands: the bands to write; None writes all with TCI (and AOT, WVP).
        resolutions: the resolutions to write.
        cloud: the fraction of the tile under cloud.
        nodata_wedge: the fraction outside the swath.
        zip: pack the product.
        checksum: "SHA3-256" or "MD5".
        epsg: the tile's UTM zone; the world's plane must be the same.
        ulx: easting of the upper-left corner.
        uly: northing of it.
        seed: noise and, without a world, the ground.
        sky: clouds shared with other products; made from `cloud` by default.
        quality_masks: write every quality mask, not the cloud mask alone.
        generated: generation time; some hours after sensing by default.
        part: from which to which share of the tile, from its top, there are data.
        strip: start of the datastrip, and the tile's own time; 4 s after sensing by default.

    Returns:
        The `.SAFE` folder or the `.zip`.
    """
    if size_px % 6 or size_px < 192:
        raise ValueError("size_px must be a multiple of 6 and at least 192")
    ground = world if world is not None else World(seed, epsg=epsg)
    if ground.epsg != epsg:
        raise ValueError("the world's plane is another UTM zone than the tile's")
    corner = (
        DEFAULT_CORNER_M[0] if ulx is None else ulx,
        DEFAULT_CORNER_M[1] if uly is None else uly,
    )
    grid = Tile(epsg, float(corner[0]), float(corner[1]), size_px, nodata_wedge, part)
    identity = Identity(level, platform, baseline, tile, sensing, generated=generated, strip=strip)
    clouds = sky if sky is not None else ground.sky(sensing, cloud, grid.view(60))
    noise_seed = digest_seed(seed, f"{platform}{sensing.isoformat()}{tile}")
    writer = _Writer(
        Path(folder) / identity.name, Exposure(ground, grid, identity, clouds, noise_seed)
    )
    for resolution_m in sorted(resolutions):
        writer.images_at(resolution_m, bands)
    writer.quality(full=quality_masks)
    _finish(writer, writer.preview(), checksum)
    return pack(writer.folder) if zip else writer.folder


def digest_seed(seed: int, name: str) -> int:
    """Return a seed for one product's noise."""
    import zlib

    return (seed << 32) ^ zlib.crc32(name.encode())
