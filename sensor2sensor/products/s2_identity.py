"""Who a tile of an open bucket is, by each description that says so: they have to agree.

A bucket keeps one path for every processing of a tile, so what was fetched anew in part has papers
of two; and what was copied together by hand has papers of two tiles.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import combinations
from typing import TYPE_CHECKING, Any

from sensor2sensor.core.errors import ProductError
from sensor2sensor.core.times import format_utc
from sensor2sensor.products.reading import Said, sentinel_time
from sensor2sensor.products.s2_metadata import FIRST_WITH_OFFSETS, LEVELS, stated_baseline
from sensor2sensor.products.s2_tile import tile_facts

if TYPE_CHECKING:
    from sensor2sensor.core.archives import ProductFiles
    from sensor2sensor.core.xml import Element

NAME = re.compile(
    r"(S2[A-D])_MSI(L1C|L2A)_(\d{8}T\d{6})_N(\d\d)(\d\d)_R\d{3}_T(\d{2}[A-Z]{3})_(\d{8}T\d{6})"
)
TILE_ID = re.compile(
    r"(S2[A-D])_\w+_(L1C|L2A)_TL_.{4}_(\d{8}T\d{6})_A\d{6}_T(\d{2}[A-Z]{3})_N(\d\d\.\d\d)"
)
# One fact had several names: Earth Search v0, v1 and Collection 1, and stactools.
PRODUCT = ("s2:product_uri", "s2:product_title", "sentinel:product_id", "title")
_BASELINE = ("s2:processing_baseline", "sentinel:processing_baseline", "processing:version")
_DATATAKE = timedelta(hours=2)  # a tile is sensed within half an hour of its start
_OWN = "99."  # of sen2cor, and of a commissioning: such a baseline tells of no offset


@dataclass(frozen=True)
class Claim:
    """What one description says of a tile; None where it is silent.

    Attributes:
        said: who says what, as a message has it: `tileInfo.json names S2A_MSIL2A_...`.
        time: when the tile was sensed, or its datatake began.
    """

    said: str
    platform: str | None = None
    level: str | None = None
    tile: str | None = None
    baseline: str | None = None
    time: datetime | None = None

    def denies(self, other: Claim) -> bool:
        """Whether both cannot be said of one tile, whatever its processing."""
        pairs = [(getattr(self, one), getattr(other, one)) for one in ("platform", "level", "tile")]
        if any(a is not None and b is not None and a != b for a, b in pairs):
            return True
        times = self.time, other.time
        return None not in times and abs(times[0] - times[1]) > _DATATAKE  # type: ignore[operator]


def claim_of_name(text: str | None, said: str, where: str) -> Claim | None:
    """What the name of a product says; None where it is none, as before December 2016."""
    named = NAME.search(text or "")
    if named is None:
        return None
    began = sentinel_time(named[3], f"sensing start of {named[0]}", where)
    baseline = f"{named[4]}.{named[5]}"
    return Claim(f"{said} {named[0]}", named[1], named[2], f"T{named[6]}", baseline, began)


def claim_of_tile_id(text: str | None, said: str) -> Claim | None:
    """What the name of a granule says; None where it is none."""
    found = TILE_ID.search(text or "")
    if found is None:
        return None
    return Claim(f"{said} {found[0]}", found[1], found[2], f"T{found[4]}", found[5])


def claim_of_product(root: Element) -> Claim:
    """What a product XML says of the product it was made with."""
    file = root.where.rpartition("/")[2]
    name = root.find("General_Info/Product_Info/PRODUCT_URI")
    named = claim_of_name(None if name is None else name.text, f"{file} names", root.where)
    baseline = stated_baseline(root)
    said = f"{file} says {LEVELS[root.name]}" if named is None else named.said
    plain = named or Claim(said, level=LEVELS[root.name])
    return replace(plain, said=f"{said}, baseline {baseline}", baseline=baseline)


def tile_in(zone: object, band: object, square: object) -> str | None:
    """The tile of three values, zones below 10 with one digit; None where they are none."""
    text = f"T{zone:0>2}{band}{square}" if isinstance(zone, int | str) else ""
    return text if re.fullmatch(r"T\d{2}[A-Z]{3}", text) else None


def require_one_tile(claims: Sequence[Claim], where: str) -> None:
    """ProductError, with both, where two claims are of different tiles, times or levels."""
    for one, other in combinations(claims, 2):
        if one.denies(other):
            raise ProductError(f"{other.said}, and {one.said}", where=where, hint="fetch it again")


def claims_of_item(said: Said, time: datetime, name: str) -> tuple[Claim, ...]:
    """What the properties of a STAC item, called `name`, say of its product, and what they name."""
    level, baseline = level_of(said, name), _stated(said)
    own = platform_of(said), level, tile_of(said)
    words = f"says itself {' '.join(filter(None, own))}, {format_utc(time)}"
    words += f", baseline {baseline}" if baseline else ""
    named = claim_of_name(said.first_text(PRODUCT), "names the product", said.where)
    granule = claim_of_tile_id(said.text("s2:granule_id"), "names the granule")
    # Level-2A knows the granule of Level-1C that it was made of, too.
    if granule is not None and level is not None and granule.level != level:
        granule = None
    claims = (Claim(words, *own, baseline, time), named, granule)
    return tuple(one for one in claims if one is not None)


def claims_of_tile(
    files: ProductFiles,
    xml: tuple[str, Element] | None,
    tile_info: tuple[str, dict[str, Any]] | None,
    product_info: tuple[str, dict[str, Any]] | None,
) -> tuple[Claim, ...]:
    """What the files of a tile say of it, each for itself; arguments as of `of_tile`."""
    found: list[Claim | None] = []
    for papers, key in ((tile_info, "productName"), (product_info, "name")):
        if papers is not None:
            said = Said(papers[1], files.where(papers[0]))
            found.append(claim_of_name(said.text(key), f"{papers[0]} names", said.where))
    if tile_info is not None:
        said = Said(tile_info[1], files.where(tile_info[0]))
        tile = tile_in(*map(said.given.get, ("utmZone", "latitudeBand", "gridSquare")))
        time = said.time("timestamp") if said.text("timestamp") else None
        words = " ".join(filter(None, (tile, format_utc(time) if time else None)))
        found.append(Claim(f"{tile_info[0]} says {words}", tile=tile, time=time))
    if xml is not None:
        time = tile_facts(xml[1]).tile_time
        found.append(claim_of_tile_id(tile_id(xml[1]), f"{xml[0]} names"))
        found.append(Claim(f"{xml[0]} says {format_utc(time)}", time=time))
    return tuple(one for one in found if one is not None)


def offsets_apart(claims: Sequence[Claim]) -> tuple[Claim, Claim] | None:
    """Two claims of baselines that differ in their offset, the older one first; None: none do.

    Other baselines may differ: their numbers are coded alike.
    """
    given = [one for one in claims if one.baseline and not one.baseline.startswith(_OWN)]
    before = [one for one in given if (one.baseline or "") < FIRST_WITH_OFFSETS]
    since = [one for one in given if one not in before]
    return (before[0], since[0]) if before and since else None


def believed_baseline(claims: Sequence[Claim]) -> str | None:
    """The baseline said first, but the newer of two that differ in their offset.

    Nothing is then read by either: what tells the offset else is doubted as of the newer one.
    """
    if (apart := offsets_apart(claims)) is not None:
        return apart[1].baseline
    return next((one.baseline for one in claims if one.baseline), None)


def level_of(said: Said, name: str) -> str | None:
    """The level by the item's own words, or its name; None where neither says it."""
    kind = said.text("s2:product_type") or said.text("product:type") or ""
    found = re.search(r"(?:S2MSI|_L)(1C|2A)$", kind) or re.search(r"_L(1C|2A)$", name)
    return f"L{found[1]}" if found else None


def platform_of(said: Said) -> str:
    """The satellite of an item."""
    text = said.text("platform") or ""
    found = re.fullmatch(r"(?:sentinel-2|s2)([a-d])", text.lower())
    if found is None:
        raise ProductError(f"platform is {text!r}, no Sentinel-2", where=said.where)
    return f"S2{found[1].upper()}"


def tile_of(said: Said) -> str | None:
    """The tile by an item's own words, of whichever version; None where it is silent."""
    # Zones below 10 come with one digit (MGRS-1WCQ).
    found = re.fullmatch(r"MGRS-(\d{1,2})([A-Z]{3})", said.text("grid:code") or "")
    if found is not None:
        return f"T{int(found[1]):02d}{found[2]}"
    for space in ("mgrs", "sentinel", "s2"):
        names = ("utm_zone", "latitude_band", "grid_square")
        if tile := tile_in(*(said.given.get(f"{space}:{one}") for one in names)):
            return tile
    tile = (said.text("s2:mgrs_tile") or "").removeprefix("T")
    return f"T{tile}" if re.fullmatch(r"\d{2}[A-Z]{3}", tile) else None


def _stated(said: Said) -> str | None:
    found = re.fullmatch(r"N?(\d\d)\.?(\d\d)", said.first_text(_BASELINE) or "")
    return f"{found[1]}.{found[2]}" if found else None


def tile_id(root: Element) -> str:
    """The name of the granule that a tile XML is of; empty where it has none."""
    general = root.require("General_Info")
    named = [one.text for one in general.children() if one.name == "TILE_ID"]
    # Sen2cor before 2.5 names the granule of Level-1C, which it was made of, beside its own.
    own = (one for one in named if f"_L{root.name[6:8]}_" in one)
    return next(own, named[0] if named else "")
