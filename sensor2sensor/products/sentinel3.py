"""Sentinel-3 OLCI Level-1B products, full (EFR) and reduced resolution (ERR), `.SEN3` or zip.

    product = open_s3(Path("S3A_OL_1_EFR____….SEN3"))
    with product.open() as reader:
        radiance = reader.radiances(slice(100, 200), slice(2000, 2100))

Facts come from `xfdumanifest.xml`; the netCDF files are read by `s3_reader.S3Reader`.
"""

from __future__ import annotations

import logging
import re
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from sensor2sensor.core.archives import ProductFiles, open_files
from sensor2sensor.core.containers import no_metadata
from sensor2sensor.core.errors import InputError, ProductError
from sensor2sensor.core.times import parse_utc
from sensor2sensor.products.bands import OLCI_BANDS
from sensor2sensor.products.reading import (
    ListedFile,
    checksums_of,
    footprint_from,
    listed_files,
    product_name,
    read_xml,
    time_at,
    verify_checksums,
    wrong_sizes,
)
from sensor2sensor.products.s3_reader import ANNOTATION_FILES, TIME_FILE, S3Reader, radiance_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import numpy.typing as npt

    from sensor2sensor.core.xml import Element

MANIFEST = "xfdumanifest.xml"
PRODUCT_TYPES = ("OL_1_EFR", "OL_1_ERR")
_GENERAL = "metadataWrap/xmlData/generalProductInformation"
_IMAGE_SIZE = "metadataWrap/xmlData/olciProductInformation/imageSize"
_PERIOD = "metadataWrap/xmlData/acquisitionPeriod"
_ORBIT = "metadataWrap/xmlData/orbitReference/relativeOrbitNumber"
_FOOTPRINT = "metadataWrap/xmlData/frameSet/footPrint/posList"
# A time stamp this far outside the sensing period is none.
_TIME_TOLERANCE = np.timedelta64(60_000_000, "us")
_NAMED = re.compile(r"S3[A-D]_OL_1_(E[FR]R)_{4}(\d{8}T\d{6})_(\d{8}T\d{6})_", re.IGNORECASE)
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class S3Product:
    """One Sentinel-3 OLCI product: facts from its manifest.

    Attributes:
        path: folder or zip.
        name: name by content (productName without `.SEN3`).
        platform: `S3A` or `S3B`.
        product_type: `OL_1_EFR` or `OL_1_ERR`.
        start: sensing time of the first row, UTC.
        stop: sensing time of the last row, UTC.
        creation_time: when the product was made, UTC.
        timeliness: `NR`, `ST` or `NT`.
        collection: baseline collection, like `003`.
        footprint: shapely polygon, longitude and latitude.
        rows: image rows.
        columns: image columns.
        files: access to the product's files.
        relative_orbit: which of the 385 ground tracks it was seen from; None where it is not said.
    """

    path: Path
    name: str
    platform: str
    product_type: str
    start: datetime
    stop: datetime
    creation_time: datetime
    timeliness: str
    collection: str
    footprint: Any = field(repr=False)
    rows: int
    columns: int
    files: ProductFiles = field(repr=False, compare=False)
    relative_orbit: int | None = None

    @property
    def acquisition(self) -> tuple[str, datetime, str]:
        """Platform, start to the second, product type."""
        # Frames are cut anew by a few rows in reprocessings: see `products.acquisitions`.
        return self.platform, self.start.replace(microsecond=0), self.product_type

    def sensed_within(self, first: datetime, last: datetime) -> bool:
        """Whether some of it was sensed from `first` to `last` (UTC, both ends included)."""
        return self.start <= last and self.stop >= first

    def missing(self, bands: Sequence[str] = OLCI_BANDS) -> list[str]:
        """The files that reading these bands needs and the product lacks."""
        return [name for name in self.members_for(bands) if not self.files.exists(name)]

    def members_for(self, bands: Sequence[str] = OLCI_BANDS) -> list[str]:
        """The netCDF files that reading these bands opens."""
        return [*(radiance_file(band) for band in bands), *ANNOTATION_FILES]

    def row_times(self, reader: S3Reader, rows: slice) -> npt.NDArray[np.datetime64]:
        """When rows were sensed, UTC in microseconds [h].

        Rows follow each other evenly: where the product lacks their time stamps, or holds some
        outside its sensing period or out of order, times between start and stop serve (4 ms off at
        most).
        """
        first, last = (np.datetime64(t.replace(tzinfo=None), "us") for t in (self.start, self.stop))
        stamps = reader.time_stamps(rows)
        if stamps is not None:
            # Fill and damage decode to times years away.
            early, late = first - _TIME_TOLERANCE, last + _TIME_TOLERANCE
            in_order = (np.diff(stamps) > np.timedelta64(0, "us")).all()
            if in_order and ((stamps >= early) & (stamps <= late)).all():
                return stamps
            where, what = self.files.where(TIME_FILE), "outside the sensing period or out of order"
            _LOG.warning("%s: has time stamps %s, not used", where, what)
        # Start and stop are those of the first and the last row, 44 ms each.
        step = (last - first) / max(self.rows - 1, 1)
        return np.asarray(first + np.arange(self.rows)[rows] * step)

    def members_in_use(self) -> list[str]:
        """The netCDF files that are opened: those needed, and the time stamps where they are."""
        times = [TIME_FILE] if self.files.exists(TIME_FILE) else []
        return [*self.members_for(), *times]

    @contextmanager
    def open(self) -> Iterator[S3Reader]:
        """A reader whose files are opened once, when first asked for, and closed at the end."""
        reader = S3Reader(self.files, self.name, self.rows, self.columns)
        try:
            yield reader
        finally:
            reader.close()

    @cached_property
    def listed(self) -> tuple[ListedFile, ...]:
        """What the manifest says of each file."""
        return listed_files(read_xml(self.files, MANIFEST))

    def cut_short(self, members: Sequence[str]) -> list[str]:
        """Which of these files are empty or of another size than the manifest says."""
        return wrong_sizes(self.files, self.listed, members)

    def verify(self, members: Sequence[str] | None = None) -> list[str]:
        """Compare files with the manifest's MD5 checksums; a line for each problem.

        Args:
            members: files to check (see `members_for`); None checks all listed ones present.
        """
        checksums = checksums_of(self.listed, self.files.where(MANIFEST))
        return verify_checksums(self.files, checksums, members)


def open_s3(path: Path) -> S3Product:
    """Open a Sentinel-3 OLCI product by its content.

    Raises:
        ProductError: no product, hostile, or its manifest is damaged; names product and element.
    """
    return read_s3(path, open_files(path))


def read_s3(path: Path, files: ProductFiles) -> S3Product:
    """The product at a path whose files are open; ProductError as `open_s3`."""
    if not files.exists(MANIFEST):
        what, hint = no_metadata(files.names(), "Sentinel-3", MANIFEST)
        raise ProductError(what, where=path, hint=hint)
    manifest = read_xml(files, MANIFEST)
    sections = _sections(manifest)
    general = sections["generalProductInformation"].require(_GENERAL)
    size = sections["olciProductInformation"].require(_IMAGE_SIZE)
    frame = sections["measurementFrameSet"]
    product = S3Product(
        path=path,
        name=product_name(general, "productName", ".SEN3"),
        platform=_platform(sections["platform"]),
        product_type=_product_type(general),
        **_times(sections["acquisitionPeriod"].require(_PERIOD)),
        creation_time=time_at(general, "creationTime"),
        # Near real time, short time critical, not time critical.
        timeliness=_choice(general, "timeliness", ("NR", "ST", "NT")),
        collection=general.string("baselineCollection"),
        footprint=footprint_from(frame.find_all(_FOOTPRINT), _FOOTPRINT, frame.where),
        rows=_count(size, "rows"),
        columns=_count(size, "columns"),
        files=files,
        relative_orbit=_orbit(sections.get("measurementOrbitReference")),
    )
    vars(product)["listed"] = listed_files(manifest)  # it is parsed already
    return product


def period_in(name: str, s3_type: str) -> tuple[datetime, datetime] | None:
    """The sensing period a name of this type (`EFR` or `ERR`) claims; None without one."""
    found = _NAMED.match(name)
    if found is None or found[1].upper() != s3_type:
        return None
    try:
        return parse_utc(found[2]), parse_utc(found[3])
    except InputError:  # digits that are no date
        return None


def _sections(root: Element) -> dict[str, Element]:
    objects = root.find_all("metadataSection/metadataObject")
    found = {element.attributes.get("ID", ""): element for element in objects}
    needed = (
        *("acquisitionPeriod", "platform", "measurementFrameSet"),
        *("generalProductInformation", "olciProductInformation"),
    )
    for name in needed:
        if name not in found:
            raise ProductError(f"element metadataObject ID={name} is missing", where=root.where)
    return found


def _platform(section: Element) -> str:
    platform = section.require("metadataWrap/xmlData/platform")
    if platform.string("familyName") != "Sentinel-3":
        raise ProductError("element platform/familyName is not Sentinel-3", where=section.where)
    return "S3" + _choice(platform, "number", ("A", "B", "C", "D"))


def _product_type(general: Element) -> str:
    text = general.string("productType")
    # Padded to eleven letters: OL_1_EFR___.
    plain = text.rstrip("_")
    if plain not in PRODUCT_TYPES:
        raise ProductError(
            f"element productType is {text!r}, expected one of {', '.join(PRODUCT_TYPES)}",
            where=general.where,
        )
    return plain


def _orbit(section: Element | None) -> int | None:
    stated = None if section is None else section.find(_ORBIT)
    # For provenance alone: a product without it is read all the same.
    return int(stated.text) if stated is not None and stated.text.isdecimal() else None


def _times(period: Element) -> dict[str, datetime]:
    start, stop = time_at(period, "startTime"), time_at(period, "stopTime")
    # Frames are compared by the share of the shorter one: none may be without length.
    if stop <= start:
        raise ProductError("element stopTime is not after startTime", where=period.where)
    return {"start": start, "stop": stop}


def _choice(element: Element, path: str, values: tuple[str, ...]) -> str:
    text = element.string(path)
    if text not in values:
        raise ProductError(
            f"element {path} is {text!r}, expected one of {', '.join(values)}", where=element.where
        )
    return text


def _count(element: Element, path: str) -> int:
    value = element.integer(path)
    # A frame has 4091 rows of 4865 pixels, an uncut orbit 60 000 rows.
    if not 1 < value <= 100_000:
        raise ProductError(f"element {path} is {value}", where=element.where)
    return value
