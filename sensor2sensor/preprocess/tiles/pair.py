"""The products of one scene, opened: can they be used, are they as they were, are they sound."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple
from functools import cached_property
from typing import Any

import numpy as np

from sensor2sensor.core import files
from sensor2sensor.core.errors import ProductError
from sensor2sensor.core.manifest import file_fingerprint, fingerprint
from sensor2sensor.geo.footprints import project
from sensor2sensor.geo.grids import Grid, PixelWindow, block_means
from sensor2sensor.geo.masks import prepared, project_mask
from sensor2sensor.preprocess.tiles.clouds import product_with_clouds, source_of
from sensor2sensor.preprocess.tiles.options import TileOptions
from sensor2sensor.preprocess.tiles.plan import Pair, SceneTask
from sensor2sensor.preprocess.tiles.shift import Overview
from sensor2sensor.products.bands import S2_WAVELENGTHS_NM
from sensor2sensor.products.olci import OlciWindow
from sensor2sensor.products.quality import CLOUD
from sensor2sensor.products.s2_clouds import first_image
from sensor2sensor.products.s2_coding import moved_back, warn_moved_up
from sensor2sensor.products.s2_parts import open_parts
from sensor2sensor.products.s3_pass import S3Pass, joined
from sensor2sensor.products.sentinel2 import S2Product
from sensor2sensor.products.sentinel3 import MANIFEST, S3Product, open_s3
from sensor2sensor.products.snap import SnapWindow

AROUND_M = 2_000.0  # ground beside a scene that maps show


class PartnerError(ProductError):
    """The Sentinel-3 product of a scene cannot be used; its next partner may do."""


@contextmanager
def partner_at_fault() -> Iterator[None]:
    """Say of a ProductError inside the block that the Sentinel-3 product is the one at fault."""
    try:
        yield
    except PartnerError:
        raise
    except ProductError as error:
        raise PartnerError(error.what, where=error.where, hint=error.hint) from error


class OpenPair:
    """A scene's Sentinel-2 product and its partner, opened; their images are not read yet.

    Args:
        task: the scene.
        names: of its products.

    Raises:
        ProductError: a product is damaged or incomplete, a PartnerError where it is Sentinel-3's.
    """

    def __init__(self, task: SceneTask, names: Pair) -> None:
        self.task, self.names, self.options = task, names, task.options
        self.s2: S2Product = open_parts([task.s2_root / path for path in names.s2_paths])
        _check_usable(self.s2, self.options)
        self.s2 = product_with_clouds(self.s2, self.options, task.s2_root)
        with partner_at_fault():
            self._frames = [open_s3(task.s3_root / path) for path in names.s3_paths]
            self.s3: S3Product | S3Pass | None = joined(self._frames) if names.s3 else None
        self.grid = self.s2.grids[self.options.resolution_m]
        self.s2_bits_given = self.s2.quality_given(self.options.resolution_m)
        self.cloud_known = bool(self.s2_bits_given & CLOUD)
        self.cloud_source = source_of(self.s2, self.options)
        asked = self.options.cloud_mask is not None
        self.lacks_mask = asked and any(part.cloud_mask is None for part in self.s2.parts)

    @cached_property
    def fingerprint(self) -> str:
        """Of everything that decides the scene's tiles: inputs, options, masks."""
        # Products go by size and time of their files: to hash gigabytes at every rerun would take
        # longer than to find all tiles done.
        s2 = [mark for part in self.s2.parts for mark in self._marks_of(part)]
        s3 = [
            mark
            for frame in self._frames
            # Its manifest says when rows were sensed that have no time stamps.
            for mark in (frame.name, _file_marks(frame, [MANIFEST, *frame.members_in_use()]))
        ]
        masks = [part.cloud_mask for part in self.s2.parts if part.cloud_mask is not None]
        clouds = {"clouds": [[mask.source, mask.marks()] for mask in masks]} if masks else {}
        return fingerprint(
            {
                **clouds,
                "options": self.options.deciding(),
                "facts": self.names.as_json(),
                "s2": s2,
                "s3": s3 or None,
                "masks": {name: files.sha256(path) for name, path in self.task.masks.items()},
            }
        )

    def verify(self) -> None:
        """Compare the files that will be opened with the checksums of their products."""
        if not self.task.verify:
            return
        hint = "fetch the product again, or give --no-verify"
        for part in self.s2.parts:
            if problems := part.verify(self._members_of(part)):
                raise ProductError("; ".join(problems), hint=hint)
        for frame in self._frames:
            if problems := frame.verify(frame.members_in_use()):
                raise PartnerError("; ".join(problems), hint=hint)

    @cached_property
    def footprints(self) -> dict[str, Any]:
        """Outlines of the products in the scene's projection, by the name of their sensor."""
        crs = f"EPSG:{self.grid.epsg}"
        found = {"Sentinel-2": project(self.s2.footprint, crs)}
        if self.s3 is not None:
            found["Sentinel-3"] = project(self.s3.footprint, crs)
        return found

    def outlines_m(self) -> dict[str, list[list[list[float]]]]:
        """Lines of the footprints' edges in and around the scene, metres of its grid, for maps.

        None of a product that covers all of it.
        """
        around = self.grid.polygon().buffer(AROUND_M, join_style="mitre")
        found = {}
        for name, outline in self.footprints.items():
            edges = outline.boundary.simplify(AROUND_M / 20).intersection(around)
            parts = getattr(edges, "geoms", [edges])
            lines = [line for line in parts if line.geom_type == "LineString" and not line.is_empty]
            found[name] = [np.rint(np.asarray(line.coords)[:, :2]).tolist() for line in lines]
        return found

    @cached_property
    def masks(self) -> list[Any]:
        """The masks in the scene's projection."""
        edges = self.options.mask_edges
        drawn = (prepared(path, edges) for path in self.task.masks.values())
        return [project_mask(mask, self.grid, edges) for mask in drawn]

    def olci(self) -> OlciWindow:
        """The swath over the scene, with what collocates it.

        Raises:
            PartnerError: no pixel of it lies over the scene, or a file is damaged.
        """
        assert self.s3 is not None
        with partner_at_fault():
            if self.options.backend == "snap":
                return SnapWindow(self.s3, self.grid, self.s2, self.s2.path)
            return OlciWindow(self.s3, self.grid)

    def parts(self) -> dict[str, Any]:
        """How each part of a tile that was received in parts is read; nothing of a whole one."""
        if len(self.s2.parts) == 1:
            return {}
        numbers = [
            {
                "name": part.name,
                "baseline": part.baseline,
                "quantification": part.quantification,
                "offsets": {band: part.offsets[band] for band in self.options.bands},
            }
            for part in self.s2.parts
        ]
        return {"s2_parts": numbers}

    def overview_in_red(self) -> Overview:
        """The whole scene in the band nearest to red, reduced to about 150 m."""
        size_m, reduction = self.options.resolution_m, overview_reduction(self.grid)
        red = red_band(self.options.bands)
        images = [part.images.get((red, size_m), ".jp2") for part in self.s2.parts]
        if all(image.lower().endswith(".jp2") for image in images):
            image, _ = self.s2.read_reflectance((red,), size_m, overview=reduction)
            # A wavelet's low-pass sample sits on the first pixel of those it stands for.
            return Overview(image[..., 0], reduction, 0.5 / reduction)
        # Where a sample of a GeoTIFF's overview sits depends on who made it: means of our own.
        rows = []
        for y in range(0, self.grid.height_px, 64 * reduction):
            strip = PixelWindow(
                0, y, self.grid.width_px, min(64 * reduction, self.grid.height_px - y)
            )
            image, _ = self.s2.read_reflectance((red,), size_m, strip)
            rows.append(block_means(image[..., 0], reduction))
        return Overview(np.concatenate(rows), reduction, 0.5)

    def _marks_of(self, part: S2Product) -> list[Any]:
        marks: list[Any] = [part.name, _file_marks(part, self._members_of(part))]
        if part.layout != "SAFE":  # files beside it and its images may say other than before
            place = part.grids[self.options.resolution_m]
            marks.append([part.quantification, part.offsets, list(astuple(place))])
        return marks

    def _members_of(self, part: S2Product) -> list[str]:
        bands = dict.fromkeys([*self.options.bands, red_band(self.options.bands)])
        members = part.members_for(tuple(bands), self.options.resolution_m)
        # It says which of parts that overlap is shown, and where a cloud mask of a file counts,
        # whatever bands are cut.
        asked = len(self.s2.parts) > 1 or part.cloud_mask is not None
        decides = first_image(part, self.options.resolution_m) if asked else None
        return list(dict.fromkeys([*members, *([decides] if decides else [])]))


def _check_usable(product: S2Product, options: TileOptions) -> None:
    """The product has the level and the files the inventory was made for.

    Raises:
        ProductError: it has not.
    """
    if options.level is not None and product.level != options.level:
        what = f"is {product.level}, the inventory lists {options.level}"
        raise ProductError(what, where=product.name, hint="repeat step 20")
    if options.resolution_m not in product.grids:
        raise ProductError(f"has no grid of {options.resolution_m} m", where=product.name)
    missing = product.missing(options.bands, options.resolution_m)
    if missing:
        raise ProductError(f"lacks {', '.join(missing)}", where=product.name)
    if doubt := moved_back(product, options.bands, options.resolution_m):
        raise ProductError(doubt, where=product.name)
    warn_moved_up(product)


def _file_marks(product: S2Product | S3Product, members: list[str]) -> list[Any]:
    """Cheap identity of a product: the zip, or every file of the folder that will be opened."""
    if product.path.is_file():
        return [file_fingerprint(product.path)]
    # As they are spelt there: some tools write every name in one case.
    found = (product.files.local_path(member) for member in members)
    return [[file.name, file_fingerprint(file)] for file in found if file and file.is_file()]


def overview_reduction(grid: Grid) -> int:
    """The largest power of two up to 16 that leaves pixels of 160 m or less and 256 of them.

    JPEG 2000 files of the ground segment hold these sizes; smaller ones GDAL does not list.
    """
    smallest = min(grid.width_px, grid.height_px)
    fits = [
        step
        for step in (2, 4, 8, 16)
        if step * grid.resolution_m <= 160.0 and smallest / step >= 256
    ]
    return max(fits, default=1)


def red_band(bands: Sequence[str]) -> str:
    """B04 where it is a target band, else the target band nearest to it in wavelength."""
    red = S2_WAVELENGTHS_NM["B04"]  # 665 nm, as Oa08 that drift is measured against
    return min(bands, key=lambda band: abs(S2_WAVELENGTHS_NM[band] - red))
