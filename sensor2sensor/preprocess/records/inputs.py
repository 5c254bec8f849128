"""What step 40 left: the tiles ``tiles.csv`` lists, and nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sensor2sensor.config.environment import Environment
from sensor2sensor.core import files, parts
from sensor2sensor.core.errors import InputError
from sensor2sensor.core.names import suggestion
from sensor2sensor.dataset.ledger import overpass_in
from sensor2sensor.dataset.splits import TilePlace
from sensor2sensor.preprocess.tiles.table import (
    ALIGNED_SUFFIX,
    MARGIN_SUFFIX,
    OLCI_SUFFIX,
    TABLE_FILE,
    TileRow,
    read_manifest,
    read_table,
)


@dataclass(frozen=True)
class Tile:
    """One line of ``tiles.csv``.

    Attributes:
        name: Of its record, ``<inventory>__<stem>``.
        stem: Of its files.
        folder: Where they lie.
        scene: Index of the Sentinel-2 scene.
        place: Where and when it is.
        resolution_m: Size of a pixel.
        s2: Its Sentinel-2 product, below the archive's root.
        s3: Its Sentinel-3 product, empty without one.
        time_gap_h: Hours from Sentinel-2 to Sentinel-3, negative where Sentinel-3 came first.
        shift_m: Shift between the sensors, None if not measured.
        digests: SHA-256 of its files by name.
        overpass: Platform and datatake start; empty where neither table nor product name has it.
        shift_quality: Height of the correlation peak ``shift_m`` was read from, None in tables that
            do not say.
        moved_m: Eastward and northward part of ``shift_m``, by which aligned pixels were taken.
        joined: Further products of the ground of ``s2`` and of ``s3``, as ``tiles.csv`` has them.
    """

    name: str
    stem: str
    folder: Path
    scene: int
    place: TilePlace
    resolution_m: float
    s2: str
    s3: str
    time_gap_h: float | None
    shift_m: float | None
    digests: Mapping[str, str]
    overpass: str
    shift_quality: float | None = None
    moved_m: tuple[float, float] = (0.0, 0.0)
    joined: tuple[str, str] = ("", "")

    @property
    def is_aligned(self) -> bool:
        """Whether step 40 found where its OLCI pixels show its ground, and that is elsewhere."""
        return f"{self.stem}{ALIGNED_SUFFIX}" in self.digests

    def as_it_comes(self) -> dict[str, str]:
        """The digests without that of the file of aligned pixels."""
        aligned = f"{self.stem}{ALIGNED_SUFFIX}"
        return {name: digest for name, digest in self.digests.items() if name != aligned}

    @property
    def sha256(self) -> str:
        """Of its tif."""
        return self.digests[f"{self.stem}.tif"]


@dataclass(frozen=True)
class TileSet:
    """All tiles of one inventory at one size.

    Attributes:
        inventory: Its name.
        tiles: In the order of their names.
        sha256: Of ``tiles.csv``.
        options: Of step 40.
        bands: Name, unit and wavelength of each band of the tifs.
        s3_type: ``EFR`` or ``ERR`` as the inventory was made; None where step 40 did not say.
    """

    inventory: str
    tiles: tuple[Tile, ...]
    sha256: str
    options: Mapping[str, Any]
    bands: tuple[Mapping[str, Any], ...]
    s3_type: str | None = None

    @property
    def olci_type(self) -> str:
        """``OL_1_EFR`` or ``OL_1_ERR``; tiles of before tell by their products' names alone."""
        named = "ERR" if any("OL_1_ERR" in tile.s3 for tile in self.tiles) else "EFR"
        return f"OL_1_{self.s3_type or named}"

    @property
    def with_s3(self) -> bool:
        """Whether the tifs hold Sentinel-3 bands."""
        # Oa01 to Oa21 are ESA's names of OLCI's bands.
        return any(band["name"].startswith("Oa") for band in self.bands)

    @property
    def targets(self) -> tuple[Mapping[str, Any], ...]:
        """The Sentinel-2 bands."""
        return tuple(b for b in self.bands if b["unit"] == "reflectance")

    @property
    def inputs(self) -> tuple[Mapping[str, Any], ...]:
        """The Sentinel-3 bands."""
        return tuple(b for b in self.bands if b["name"].startswith("Oa"))

    @property
    def resolution_m(self) -> float:
        """Size of a target pixel."""
        return self.tiles[0].resolution_m

    def facts(self) -> dict[str, Any]:
        """What the data set remembers of this inventory."""
        return {
            "name": self.inventory,
            "tiles": len(self.tiles),
            "tiles_csv_sha256": self.sha256,
            "step40": dict(self.options),
            "wavelengths_nm": {band["name"]: band["wavelength_nm"] for band in self.targets},
        }


def read_tiles(env: Environment, inventory: str, tile_px: int) -> TileSet:
    """Read ``tiles.csv`` and the manifest of step 40.

    Raises:
        InputError: They are missing, unfinished, damaged or empty; what to run is named.
    """
    folder = env.tif_dir / inventory / str(tile_px)
    table = folder / TABLE_FILE
    if not table.is_file() and (folder / "manifest.json").is_file():
        # Step 40 writes the manifest before its first tile and the table after its last one.
        hint = "repeat its command"
        if (folder / parts.FOLDER).is_dir():
            hint = "join its parts with --merge, or repeat its command without --part"
        raise InputError("step 40 was not finished", where=folder, hint=hint)
    if not table.is_file():
        raise InputError(
            f"no tiles of {tile_px} pixels for inventory '{inventory}'",
            where=folder,
            hint=_advice(env, inventory),
        )
    manifest, digest = read_manifest(folder), files.sha256(table)
    if not manifest.get("complete", True):
        raise InputError("step 40 was not finished", where=folder, hint="repeat its command")
    # What places, splits and pairs tiles is read here; tables of before have no digest.
    if manifest.get("tiles_csv_sha256", digest) != digest:
        hint = "run step 40 again, which writes it anew"
        raise InputError("changed since step 40 (SHA-256 differs)", where=table, hint=hint)
    tiles = [_tile(row, folder, inventory, manifest["files"]) for row in read_table(table)]
    if not tiles:
        raise InputError("lists no tile", where=table, hint=_why_none(manifest, tile_px))
    _check_tiles(tiles, tile_px, table)
    return TileSet(
        inventory,
        tuple(sorted(tiles, key=lambda t: t.name)),
        digest,
        manifest["options"],
        tuple(manifest["bands"]),
        manifest.get("s3_type"),
    )


def _advice(env: Environment, inventory: str) -> str:
    made = [table.parent for table in env.tif_dir.glob(f"*/*/{TABLE_FILE}")]
    sizes = sorted(int(f.name) for f in made if f.parent.name == inventory and f.name.isdecimal())
    if sizes:
        there = ", ".join(map(str, sizes))
        return f"there are tiles of {there}: give that as --tilesize, or run step 40 with this one"
    known = {folder.parent.name for folder in made}
    near = f" ({suggestion(inventory, known)})" if known else ""
    return (
        f"run step 40 first (preprocessing/40_create_tifs.py, s2s tiles), or check the name{near}"
    )


def _why_none(manifest: Mapping[str, Any], tile_px: int) -> str:
    """What the scene logs of step 40 say of scenes without a tile, and what to change."""
    scenes = manifest.get("scenes", {})
    rejected: Counter[str] = Counter()
    for facts in scenes.values():
        rejected.update(facts.get("rejected", {}))
    small = [scene for scene, facts in scenes.items() if facts.get("rejected") == {}]
    ways = []
    if small:
        ways.append(f"lower --tilesize (scenes smaller than {tile_px} pixels: {len(small)})")
    if rejected:
        counts = ", ".join(f"{name} {count}" for name, count in sorted(rejected.items()))
        ways.append(f"relax the limits of step 40 (it rejected every position: {counts})")
    return ", ".join(ways) or "no scene gave a tile: repeat step 40 and see its reasons"


def _tile(row: TileRow, folder: Path, inventory: str, digests: Mapping[str, str]) -> Tile:
    name = f"{inventory}__{row.tile}"
    size_m = row.size_px * row.resolution_m
    place = TilePlace(name, row.epsg, row.ulx_m, row.uly_m, size_m, row.s2date)
    own = {file: digests[file] for file in _files_of(row.tile, digests)}
    own[f"{row.tile}.tif"] = row.sha256
    return Tile(
        name=name,
        stem=row.tile,
        folder=folder,
        scene=row.scene,
        place=place,
        resolution_m=row.resolution_m,
        s2=row.s2,
        s3=row.s3 or "",
        time_gap_h=row.time_gap_h,
        shift_m=row.shift_m,
        digests=own,
        # Tables from before lack it; ESA's names of products begin with platform and datatake.
        overpass=row.overpass or overpass_in(Path(row.s2).name),
        shift_quality=row.shift_quality,
        moved_m=(row.shift_east_m or 0.0, row.shift_north_m or 0.0),
        joined=(row.s2_joined or "", row.s3_joined or ""),
    )


def _files_of(stem: str, digests: Mapping[str, str]) -> list[str]:
    beside = (f"{stem}{suffix}" for suffix in (OLCI_SUFFIX, MARGIN_SUFFIX, ALIGNED_SUFFIX))
    return [name for name in beside if name in digests]


def _check_tiles(tiles: list[Tile], tile_px: int, table: Path) -> None:
    names = [tile.name for tile in tiles]
    twice = (
        sorted({name for name in names if names.count(name) > 1})
        if (len(set(names)) < len(names))
        else []
    )
    if twice:
        raise InputError(
            f"lists a tile twice: {', '.join(twice[:5])}", where=table, hint="run step 40 again"
        )
    resolutions = {tile.resolution_m for tile in tiles}
    wrong = [t.stem for t in tiles if t.place.size_m != tile_px * t.resolution_m]
    if len(resolutions) > 1 or wrong:
        raise InputError(
            "lists tiles of several sizes or resolutions", where=table, hint="run step 40 again"
        )
    # Reflectance at the top of the atmosphere and at the surface: no one map fits both.
    levels = {level for tile in tiles for level in ("MSIL1C", "MSIL2A") if level in tile.s2}
    if len(levels) > 1:
        raise InputError(
            "mixes Level-1C and Level-2A tiles",
            where=table,
            hint="make the inventory with --level L1C or --level L2A",
        )
