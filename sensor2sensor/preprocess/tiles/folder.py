"""What a folder of tiles remembers: its manifest, a record per scene, and ``tiles.csv``.

A scene's record is written before the first file of each tile and again when the scene is done. So
after a crash every file in the folder is listed somewhere, and a scene counts as done only if its
inputs and options were those asked for now.

The folder stands for a selection (``selected`` in the manifest), or for a union of several
(``--keep``): ``tiles.csv`` lists its scenes and no other. Files of scenes taken out of it go last,
and only after a run without a failure, so that no run can end with less than it began with.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sensor2sensor.core import files
from sensor2sensor.core.errors import InputError, OutputExistsError
from sensor2sensor.core.manifest import differences
from sensor2sensor.preprocess.tiles.options import OLD_MASK_EDGES
from sensor2sensor.preprocess.tiles.table import TABLE_FILE, TileRow, write_table
from sensor2sensor.products.bands import (
    S2_PLATFORM_WAVELENGTHS_NM,
    S2_WAVELENGTHS_NM,
    mean_nm,
)

STEP = "40"
Row = dict[str, Any]


@dataclass
class SceneRecord:
    """What is known of one scene of a folder.

    Attributes:
        scene: its id in the inventory.
        fingerprint: of inputs and options.
        status: ``started`` or ``done``.
        rows: its rows of ``tiles.csv``.
        files: SHA-256 by file name; empty text while a file is about to be written.
        facts: quality source, offsets, search radii, reasons of rejection, whether exhausted.
    """

    scene: int
    fingerprint: str
    status: str = "started"
    rows: list[Row] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)

    def holds(self, quantity: int) -> bool:
        """Whether it has as many tiles, or all there are."""
        return len(self.rows) == quantity or (len(self.rows) < quantity and self.facts["exhausted"])


class TileFolder:
    """The folder ``_tif/<inventory>/<tilesize>``."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.manifest = path / "manifest.json"
        self.table = path / TABLE_FILE
        self._records = path / "scenes"

    def record_path(self, scene: int) -> Path:
        """Where the record of a scene stands."""
        return self._records / f"{scene:05d}.json"

    def read_record(self, scene: int) -> SceneRecord | None:
        """The record of a scene, or None."""
        path = self.record_path(scene)
        if not path.is_file():
            return None
        try:
            return SceneRecord(**files.read_json(path))
        except TypeError as error:
            hint = "delete it: the scene is then done again"
            raise InputError("is no scene record of this version", where=path, hint=hint) from error

    def write_record(self, record: SceneRecord) -> None:
        """Write the record of a scene."""
        files.write_json(self.record_path(record.scene), vars(record))

    def finished(self, scene: int, fingerprint: str) -> SceneRecord | None:
        """The record of a scene done with equal inputs and options whose files are there."""
        record = self.read_record(scene)
        if record is None or record.status != "done" or record.fingerprint != fingerprint:
            return None
        return record if self.is_whole(record) else None

    def is_whole(self, record: SceneRecord) -> bool:
        """Whether every file of a record is there."""
        return all((self.path / name).is_file() for name in record.files)

    def clear_scene(self, scene: int) -> None:
        """Remove the files an earlier run made for a scene, and its record last."""
        record = self.read_record(scene)
        if record is None:
            return
        for name in record.files:
            files.remove(self.path / name)
        files.remove(self.record_path(scene))

    def records(self) -> list[SceneRecord]:
        """Every scene record, by id."""
        found = sorted(self._records.glob("[0-9]*.json")) if self._records.is_dir() else []
        return [record for path in found if (record := self.read_record(int(path.stem)))]

    def stands_for(self, selected: Sequence[int], *, keep: bool) -> set[int]:
        """Scenes the folder is to hold: those selected and, with ``keep``, those it held before."""
        if not keep or not self.manifest.is_file():
            return set(selected)
        # Every record counts: a scene that a run with a failure listed no more has its files still.
        before = files.read_json(self.manifest).get("selected", [])
        return {*selected, *before, *(record.scene for record in self.records())}

    def others(self, scenes: Collection[int]) -> list[SceneRecord]:
        """Records of scenes the folder no longer stands for."""
        return [record for record in self.records() if record.scene not in scenes]

    def check(self, options: Mapping[str, Any], *, force: bool) -> bool:
        """Whether the folder's tiles, if any, were made with these options.

        Returns:
            True if they must be removed first: ``force``, or a folder without a tile.

        Raises:
            OutputExistsError: the options differ and ``force`` was not given.
        """
        if not self.manifest.is_file():
            return False
        old = files.read_json(self.manifest)["options"]
        if old["quantity"] < options["quantity"]:  # the draw goes on where it stopped
            old["quantity"] = options["quantity"]
        if old.get("unknown_cloud") == "refuse":  # it only let scenes out, which may come now
            old["unknown_cloud"] = options["unknown_cloud"]
        found = differences(*_comparable(old, options))
        if found and not force and any(record.rows for record in self.records()):
            what = f"holds tiles of other options: {'; '.join(found)}"
            hint = "repeat with those, or give --force to replace them"
            if old.get("version") != options["version"]:
                hint = "an earlier version of step 40 made them; --force makes them anew"
            raise OutputExistsError(what, where=self.path, hint=hint)
        return bool(found)

    def remove_listed(self) -> None:
        """Remove exactly what manifest and records list, the manifest last."""
        old = files.read_json(self.manifest)
        files.write_json(self.manifest, {**old, "complete": False})
        listed = list(old["files"])
        for record in self.records():
            listed += record.files
        for name in dict.fromkeys(listed):
            files.remove(self.path / name)
        for record in self.records():
            files.remove(self.record_path(record.scene))
        files.remove(self.table)
        files.remove(self.manifest)

    def sweep(self) -> None:
        """Delete what a killed run left half written."""
        files.sweep(self.path)
        files.sweep(self._records)

    def start(self, manifest: Mapping[str, Any]) -> None:
        """Say which options the folder stands for, before its first tile or further ones."""
        if not self.manifest.is_file():
            files.write_json(self.manifest, {**manifest, "complete": False, "files": {}})
            return
        old = files.read_json(self.manifest)
        if old["options"] != manifest["options"]:
            unfinished = {**old, "options": manifest["options"], "complete": False}
            files.write_json(self.manifest, unfinished)

    def finish(self, manifest: Mapping[str, Any]) -> list[Row]:
        """Write ``tiles.csv`` and the manifest from the records of the scenes it stands for.

        Returns:
            The rows.
        """
        selected = set(manifest["selected"])
        done = (record for record in self.records() if record.status == "done")
        records = [record for record in done if record.scene in selected]
        rows = [row for record in records for row in record.rows]
        write_table(self.path, map(TileRow.from_json, rows))
        content = {
            **manifest,
            "bands": _mean_bands(manifest["bands"], records),
            "complete": True,
            "tiles": len(rows),
            "scenes": {str(record.scene): record.facts for record in records},
            "files": _all_files(records),
        }
        files.write_json(self.manifest, content)
        return rows


def _comparable(*options: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Options without how edges of masks run, unless all have masks whose edges can differ.

    A record that leaves it out has a word for it here, so that the difference can be read.
    """
    if all(one.get("masks") for one in options):
        return [{"mask_edges": OLD_MASK_EDGES, **one} for one in options]
    return [{key: one[key] for key in one if key != "mask_edges"} for one in options]


def _mean_bands(bands: Sequence[Row], records: Sequence[SceneRecord]) -> list[Row]:
    """The bands with the mean wavelength of the tiles: satellites differ by up to 17 nm."""
    seen = [(_wavelengths_nm(record), len(record.rows)) for record in records if record.rows]
    if not seen:
        return list(bands)
    means = {name: mean_nm([(nm[name], tiles) for nm, tiles in seen]) for name in seen[0][0]}
    return [{**b, "wavelength_nm": means.get(b["name"], b["wavelength_nm"])} for b in bands]


def _wavelengths_nm(record: SceneRecord) -> dict[str, float]:
    """Central wavelengths of a scene's bands; records of before name the product alone."""
    told: dict[str, float] | None = record.facts.get("wavelengths_nm")
    if told is not None:
        return told
    table = S2_PLATFORM_WAVELENGTHS_NM.get(record.facts["s2"][:3], S2_WAVELENGTHS_NM)
    return {band: table[band] for band in record.facts["offsets"]}


def _all_files(records: Sequence[SceneRecord]) -> dict[str, str]:
    return {name: digest for record in records for name, digest in record.files.items()}
