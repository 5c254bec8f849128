"""What the manifest of a folder of tiles says: options, bands, formulas; and what it compares."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sensor2sensor.core.manifest import differences
from sensor2sensor.preprocess.tiles.options import (
    OLD_MASK_EDGES,
    UNKNOWN_CLOUD,
    VERSION,
    Request,
    TileOptions,
)
from sensor2sensor.preprocess.tiles.tile import tile_bands
from sensor2sensor.products import snap
from sensor2sensor.products.bands import S2_PLATFORM_WAVELENGTHS_NM, S2_WAVELENGTHS_NM, mean_nm

STEP = "40"
FORMULAS = {
    "reflectance": "(DN + offset) / quantification, DN 0 excluded first; negative values kept",
    "olci": "top-of-atmosphere radiance as stored; reflectance = pi L / (F0 cos SZA) on request",
    "collocation": "nearest OLCI pixel on the WGS 84 ellipsoid within search_radius_m",
    "shift": "displacement of Oa08 against Sentinel-2 red over 20 km, phase correlation",
}

ALIGNED = "positions less the shift, where that exceeds 99 % of what is measured of none"


def manifest_of(
    request: Request, scenes: Collection[int], made_for: Sequence[str]
) -> dict[str, Any]:
    """What the folder's manifest says beside its files.

    Args:
        request: selection, inventory and options.
        scenes: the folder stands for.
        made_for: names of the selections its tiles were made for before, if it keeps them.
    """
    inventory, options = request.inventory, request.options
    bands = tile_bands(options.bands, with_olci=not inventory.sentinel2_only)
    return {
        "step": STEP,
        "version": VERSION,
        "inventory": inventory.name,
        "selections": sorted({*made_for, request.selection.name}),
        "selected": sorted(scenes),
        "options": options.as_json(),
        "s3_type": inventory.options.get("s3_type"),
        "bands": [band.as_json() for band in bands],
        "formulas": _formulas(options),
    }


def _formulas(options: TileOptions) -> dict[str, str]:
    return {
        **FORMULAS,
        **({"collocation": snap.FORMULA} if options.backend == "snap" else {}),
        **({"aligned": ALIGNED} if options.correct_shift else {}),
    }


def widened(there: Mapping[str, Any], asked: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a folder, less what may be changed without its tiles becoming others."""
    wide = dict(there)
    if wide["quantity"] < asked["quantity"]:  # the draw goes on where it stopped
        wide["quantity"] = asked["quantity"]
    before, now = wide.get("unknown_cloud"), asked["unknown_cloud"]
    # It only let scenes out, which may come now.
    if before in UNKNOWN_CLOUD and UNKNOWN_CLOUD.index(before) < UNKNOWN_CLOUD.index(now):
        wide["unknown_cloud"] = now
    return wide


def differing(there: Mapping[str, Any], asked: Mapping[str, Any]) -> list[str]:
    """A phrase for each option that differs, and how edges of masks run only where both have masks.

    Options that leave the edges out have a word for them here, so that the difference can be read.
    """
    both = (there, asked)
    if all(one.get("masks") for one in both):
        return differences(*({"mask_edges": OLD_MASK_EDGES, **one} for one in both))
    return differences(*({key: one[key] for key in one if key != "mask_edges"} for one in both))


def mean_bands(
    bands: Sequence[Mapping[str, Any]], tiles_seen: Sequence[tuple[Mapping[str, Any], int]]
) -> list[Mapping[str, Any]]:
    """The bands with the mean wavelength of the tiles: satellites differ by up to 17 nm.

    Args:
        bands: of the manifest.
        tiles_seen: the facts of a scene, and how many tiles it has.
    """
    seen = [(_wavelengths_nm(facts), tiles) for facts, tiles in tiles_seen]
    if not seen:
        return list(bands)
    means = {name: mean_nm([(nm[name], tiles) for nm, tiles in seen]) for name in seen[0][0]}
    return [{**b, "wavelength_nm": means.get(b["name"], b["wavelength_nm"])} for b in bands]


def _wavelengths_nm(facts: Mapping[str, Any]) -> dict[str, float]:
    """Central wavelengths of a scene's bands; logs of before name the product alone."""
    told: dict[str, float] | None = facts.get("wavelengths_nm")
    if told is not None:
        return told
    table = S2_PLATFORM_WAVELENGTHS_NM.get(facts["s2"][:3], S2_WAVELENGTHS_NM)
    return {band: table[band] for band in facts["offsets"]}
