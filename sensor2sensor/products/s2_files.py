"""Which file of a Sentinel-2 product is which, whatever tools and people renamed on the way."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sensor2sensor.core.containers import no_metadata
from sensor2sensor.core.errors import ProductError

if TYPE_CHECKING:
    from sensor2sensor.core.archives import ProductFiles

# In any case: copies come back as MTD_MSIL1C.XML or mtd_msil1c.xml.
_PRODUCT_XML = re.compile(r"MTD_MSIL(1C|2A)\.xml", re.IGNORECASE)
_LEVEL = re.compile(r"(?:_MSIL|/L)(1C|2A)_", re.IGNORECASE)
TILE_XML = re.compile(r"GRANULE/[^/]+/MTD_TL\.xml", re.IGNORECASE)


def metadata_files(files: ProductFiles) -> tuple[str, str]:
    """The product XML and the tile XML.

    Raises:
        ProductError: one is missing, or there are several.
    """
    return _only(files, _PRODUCT_XML, "MTD_MSIL*.xml"), _only(files, TILE_XML, "MTD_TL.xml")


def _only(files: ProductFiles, pattern: re.Pattern[str], kind: str) -> str:
    found = [name for name in files.names() if pattern.fullmatch(name)]
    if len(found) == 1:
        return found[0]
    if not found:
        level = next(filter(None, map(_LEVEL.search, (files.path.name, *files.names()))), None)
        wanted = kind.replace("*", level[1] if level else "*")
        what, hint = no_metadata(files.names(), "Sentinel-2", wanted)
        raise ProductError(what, where=files.path, hint=hint)
    raise ProductError(f"{len(found)} files {kind}, expected one", where=files.path)


def located(files: ProductFiles, name: str, granule: str) -> str:
    """The file that metadata mean by a name, where tools or people have renamed the granule folder.

    Args:
        files: the product's files.
        name: as the metadata write it, `GRANULE/<granule>/…`, or the file alone.
        granule: the granule's folder as it is, with its slash.
    """
    parts = name.split("/")
    if len(parts) == 1:  # sen2cor of 2016 gives the image's name alone
        return next((one for one in files.names() if one.rpartition("/")[2] == name), name)
    if len(parts) < 3 or parts[0].upper() != "GRANULE":
        return name
    moved = granule + "/".join(parts[2:])
    return moved if moved != name and not files.exists(name) and files.exists(moved) else name
