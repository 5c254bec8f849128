"""How the numbers of a product of an open bucket become reflectance: never by a guess.

Since baseline 04.00 the ground segment stores numbers 1000 higher. Buckets of COGs have taken that
off again, for some time, for some products, and their items do not always say it rightly. What is
believed, the first that speaks:

* `s2_radiometry.json` inside the product or beside it, `{"offset": -1000}`: the user's own word;
* `boa_offset_applied: true` of the item: there is no offset any more, whatever `raster:bands` says
  (its maintainers: that flag is the truth, the offset may be wrong). It was said of COGs; of a
  JPEG 2000 it is believed only where the numbers themselves show it;
* `raster:bands` of the item, unless an offset is said of a baseline that has none;
* the offset list of a product XML, of JPEG 2000 beside it;
* the baseline: none has an offset before 04.00. From 04.00 on the JPEG 2000 of the buckets are
  those of the ground segment, with -1000; of a GeoTIFF nothing is known then, and it is refused.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sensor2sensor.core.archives import FolderFiles
from sensor2sensor.core.containers import SIDECAR
from sensor2sensor.core.errors import ProductError
from sensor2sensor.core.watched import AND_OTHERS, listening
from sensor2sensor.products.bands import S2_BANDS
from sensor2sensor.products.s2_described import Described, read_json
from sensor2sensor.products.s2_identity import claim_of_product, offsets_apart, require_one_tile
from sensor2sensor.products.s2_metadata import (
    FIRST_WITH_OFFSETS,
    KNOWN_BASELINES,
    LEVELS,
    stated_baseline,
    stated_offsets,
    stated_quantification,
)
from sensor2sensor.products.s2_radiometry import dark_seen, far_below, moved_up, overview_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    import numpy.typing as npt

    from sensor2sensor.core.archives import ProductFiles
    from sensor2sensor.core.xml import Element
    from sensor2sensor.products.s2_assets import Coding
    from sensor2sensor.products.sentinel2 import S2Product

STANDARD_OFFSET, STANDARD_QUANTIFICATION = -1000.0, 10_000.0
SATURATED = 65535
_SAY_SO = (
    f'write {{"offset": -1000}}, or {{"offset": 0}} where it was taken off, into {SIDECAR}'
    " inside the product or beside it"
)
_TOLD: set[str] = set()  # a bucket's products are alike, by the thousand
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Radiometry:
    """Numbers to reflectance, and what is to be said of it.

    Attributes:
        quantification: digital numbers per unit reflectance.
        offsets: offset in digital numbers by band.
        source: what told them.
        warnings: what contradicts it, though it counts less.
        files: those below the product that told them, beside what describes it.
    """

    quantification: float
    offsets: dict[str, float]
    source: str
    warnings: tuple[str, ...] = ()
    files: tuple[str, ...] = ()

    def saturated(self, baseline: str | None) -> int:
        """The number from which on a pixel is saturated: 1000 less where these were taken off."""
        moved = not any(self.offsets.values()) and not (baseline or "") < FIRST_WITH_OFFSETS
        return SATURATED + int(STANDARD_OFFSET) if moved else SATURATED


def radiometry(
    files: ProductFiles,
    described: Described,
    images: Mapping[str, str],
    product_xml: Element | None,
    numbers: Callable[[str], npt.NDArray[Any]],
) -> Radiometry:
    """Decide on quantification and offsets.

    Args:
        files: the product's files.
        described: what its item or its tile say.
        images: a file of each band that is there.
        product_xml: a product XML that lies with them.
        numbers: the digital numbers of a band, in an overview of the whole scene.

    Raises:
        ProductError: nothing tells the offset, or what does cannot be.
    """
    if (word := _said(files)) is not None:
        return word
    if described.applied:
        return _applied(files, described, images, numbers)
    own = product_xml if described.applied is None and as_made(images) else None
    _require_one_offset(files, described, own)
    stated = _by_item(files, described, images)
    if stated is not None:
        return stated
    if own is not None:
        return _by_product(own)
    return _by_baseline(files, described, images)


def _require_one_offset(
    files: ProductFiles, described: Described, product_xml: Element | None
) -> None:
    """ProductError, with both, where two descriptions are of baselines with different offsets."""
    claims = [*described.claims, *([] if product_xml is None else [claim_of_product(product_xml)])]
    require_one_tile(claims, str(files.path))
    if (apart := offsets_apart(claims)) is not None:
        what = f"contradicts itself in its baseline, and so its offset: {apart[0].said}"
        raise ProductError(
            f"{what}, and {apart[1].said}", where=files.path, hint=f"fetch it again, or {_SAY_SO}"
        )


def _uniform(
    offset: float, source: str, quantification: float = STANDARD_QUANTIFICATION, **more: Any
) -> Radiometry:
    return Radiometry(quantification, dict.fromkeys(S2_BANDS, offset), source, **more)


def _known(described: Described) -> str:
    return described.baseline or "unknown"


def _said(files: ProductFiles) -> Radiometry | None:
    """What a sidecar says, the one in the product before the one beside it."""
    beside = FolderFiles(files.path.parent)
    for place, inside in ((files, True), (beside, False)):
        there = place.exists(SIDECAR) if inside else (files.path.parent / SIDECAR).is_file()
        if not there:
            continue
        said, where = read_json(place, SIDECAR), place.where(SIDECAR)
        if set(said) - {"offset", "quantification"} or "offset" not in said:
            what = f"holds {', '.join(said) or 'nothing'}, not offset and quantification"
            raise ProductError(what, where=where, hint=_SAY_SO)
        found = {key: _plain_number(value, key, where) for key, value in said.items()}
        quantification = found.get("quantification", STANDARD_QUANTIFICATION)
        inner = (SIDECAR,) if inside else ()
        return _uniform(found["offset"], SIDECAR, quantification, files=inner)
    return None


def _plain_number(value: object, key: str, where: str) -> float:
    sound = isinstance(value, int | float) and not isinstance(value, bool)
    low, high = (-20_000, 20_000) if key == "offset" else (1, 1_000_000)
    # Compared as it is: an integer may be larger than any float.
    if not sound or not low <= value <= high:  # type: ignore[operator]
        shown = f"{value!r:.60}"
        raise ProductError(f"{key} is {shown}, no {key} of digital numbers", where=where)
    return float(value)  # type: ignore[arg-type]


def _applied(
    files: ProductFiles,
    described: Described,
    images: Mapping[str, str],
    numbers: Callable[[str], npt.NDArray[Any]],
) -> Radiometry:
    """An item says that the offset was taken off its COGs."""
    codings = _codings(files, described, images)
    scale = _scale(files, codings) or 1.0 / STANDARD_QUANTIFICATION
    warnings: tuple[str, ...] = ()
    if any(one.offset for one in codings.values()):
        warnings = (
            "its item says both boa_offset_applied and an offset in raster:bands; the offset"
            " counts as applied",
        )
    others = [band for band, name in images.items() if name.lower().endswith(".jp2")]
    # Beside the item may lie the ground segment's own JPEG 2000, which the flag does not speak of.
    if others and not _shown_applied(others, numbers):
        what = "its item says that the offset was applied to its COGs, and these are JPEG 2000"
        raise ProductError(what, where=files.path, hint=_SAY_SO)
    quantification = round(1.0 / scale, 6)
    return _uniform(0.0, "boa_offset_applied", quantification, warnings=warnings)


def _shown_applied(bands: list[str], numbers: Callable[[str], npt.NDArray[Any]]) -> bool:
    """Whether numbers are lower than any could be that carry the offset: dark ground shows it."""
    dark_first = [band for band in ("B04", "B12", "B03", "B02", "B11") if band in bands]
    return any(
        far_below(numbers(band), STANDARD_OFFSET, STANDARD_QUANTIFICATION)
        for band in (dark_first or bands)[:2]
    )


def _codings(
    files: ProductFiles, described: Described, images: Mapping[str, str]
) -> dict[str, Coding]:
    """What an item says of the numbers of each band; ProductError where no product has such."""
    given = {band: _coding(described, band, name) for band, name in images.items()}
    found = {band: one for band, one in given.items() if one is not None}
    for band, one in found.items():
        quantification, offset = 1.0 / max(one.scale, 1e-9), one.offset / max(one.scale, 1e-9)
        # Whole numbers of 16 bits hold nothing finer or coarser.
        if not (100.0 <= quantification <= 1e6 and abs(offset) <= 20_000.0):
            what = f"raster:bands of {band} gives scale {one.scale:g} and offset {one.offset:g}"
            raise ProductError(f"{what}, no reflectance", where=files.path, hint=_SAY_SO)
    return found


def _scale(files: ProductFiles, codings: Mapping[str, Coding]) -> float | None:
    """The scale of all bands; ProductError where they have several."""
    scales = {one.scale for one in codings.values()}
    if len(scales) > 1:
        raise ProductError("raster:bands gives several scales", where=files.path, hint=_SAY_SO)
    return next(iter(scales), None)


def _coding(described: Described, band: str, member: str) -> Coding | None:
    file = member.rpartition("/")[2]
    ending = file.rpartition(".")[2].upper()
    by_file = described.codings.get(file)
    return by_file or described.codings.get(f"{band}.{ending}")


def _by_item(
    files: ProductFiles, described: Described, images: Mapping[str, str]
) -> Radiometry | None:
    """What `raster:bands` says of each band; None where it is silent."""
    codings = _codings(files, described, images)
    scale = _scale(files, codings)
    if scale is None or set(images) - set(codings):
        return None
    offsets = {band: round(one.offset / scale, 3) + 0.0 for band, one in codings.items()}
    baseline = _known(described)
    if any(offsets.values()) and baseline < FIRST_WITH_OFFSETS:
        what = f"raster:bands gives an offset, which baseline {baseline} has none of"
        raise ProductError(what, where=files.path, hint=_SAY_SO)
    if len(set(offsets.values())) > 1:
        raise ProductError("raster:bands gives several offsets", where=files.path, hint=_SAY_SO)
    warnings: tuple[str, ...] = ()
    if not all(offsets.values()) and not baseline < FIRST_WITH_OFFSETS:
        if described.applied is False:
            what = f"boa_offset_applied is false, and raster:bands has no offset ({baseline})"
            raise ProductError(what, where=files.path, hint=_SAY_SO)
        warnings = (f"raster:bands says that numbers of baseline {baseline} have no offset",)
    without: dict[str, float] = dict.fromkeys(S2_BANDS, 0.0)
    return Radiometry(round(1.0 / scale, 6), without | offsets, "raster:bands", warnings)


def _by_product(root: Element) -> Radiometry:
    """What a product XML says of the images that it was made with."""
    level, baseline = LEVELS[root.name], stated_baseline(root)
    offsets, warnings = stated_offsets(root, level, baseline)
    return Radiometry(stated_quantification(root, level), offsets, "product XML", warnings)


def as_made(images: Mapping[str, str]) -> bool:
    """Whether images are as the ground segment made them; GeoTIFFs were made of them by others."""
    return all(name.lower().endswith(".jp2") for name in images.values())


def _by_baseline(
    files: ProductFiles, described: Described, images: Mapping[str, str]
) -> Radiometry:
    baseline = _known(described)
    if baseline in KNOWN_BASELINES and baseline < FIRST_WITH_OFFSETS:
        return _uniform(0.0, "baseline")
    if baseline in KNOWN_BASELINES and (as_made(images) or described.applied is False):
        return _uniform(STANDARD_OFFSET, "baseline")
    lacking = "no STAC item"
    if described.footprint is not None:  # items alone give it in degrees
        flag = "no boa_offset_applied, " if described.applied is None else ""
        lacking = f"its STAC item has {flag}no raster:bands of every band"
    what = f"nothing says whether its numbers carry an offset (baseline {baseline}; {lacking})"
    raise ProductError(what, where=files.path, hint=_SAY_SO)


def told(name: str, warnings: tuple[str, ...]) -> None:
    """Log what contradicts a product's coding, once for all that are alike in it.

    Where it is overheard each product tells its own: what is known of one may outlive the others.
    """
    for text in warnings:
        if listening() or text not in _TOLD:
            _LOG.warning("%s%s%s", name, AND_OTHERS, text)
        if not listening():
            _TOLD.add(text)


def moved_back(product: S2Product, bands: Iterable[str], resolution_m: int) -> str | None:
    """Why the offset of an open bucket's product cannot be believed; None where it can.

    Flags of such products are known to be wrong for some of 2022, 2023 and 2025: where dark ground
    lies far below zero, the offset was taken off before. A SAFE, and the user's word, are believed.
    """
    doubts = (_doubt(part, bands, resolution_m) for part in product.parts)
    return next(filter(None, doubts), None)


def _doubt(product: S2Product, bands: Iterable[str], resolution_m: int) -> str | None:
    if product.layout == "SAFE" or product.offset_source == SIDECAR:
        return None
    dark = [band for band in bands if product.offsets[band] < 0.0]
    if not _shown_applied(dark, lambda band: _seen(product, band, resolution_m)):
        return None
    return (
        f"numbers look as if the offset had been applied already, which {product.offset_source}"
        f" denies: {_SAY_SO}"
    )


def warn_moved_up(product: S2Product) -> None:
    """Log, for each part, that its numbers look as if they still carried the offset.

    Bright ground without any shadow looks alike, desert above all: it is a warning, no refusal.
    Before baseline 04.00 there was no offset, and a SAFE, and the user's word, are believed.
    """
    for part in product.parts:
        if part.layout == "SAFE" or part.offset_source == SIDECAR:
            continue
        if any(part.offsets.values()) or part.baseline < FIRST_WITH_OFFSETS:
            continue
        if moved_up(part, dark_seen(part)):
            _LOG.warning(
                "%s: hardly a pixel is darker than 0.1, as if the offset of -1000 were still to"
                " come, which %s denies: look at dark water or forest, and %s",
                part.name, part.offset_source, _SAY_SO,
            )  # fmt: skip


def _seen(product: S2Product, band: str, resolution_m: int) -> npt.NDArray[Any]:
    member, grid = product.band_member(band, resolution_m), product.grids[resolution_m]
    return overview_of(product.files, member, grid, product.nodata)
