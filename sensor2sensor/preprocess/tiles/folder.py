"""The folder of tiles: a log for each scene, ``tiles.csv`` of those that are done, a manifest.

A scene's log is written before the first file of each tile and again when the scene is done. So
after a crash every file in the folder is listed somewhere, and a scene counts as done only if its
inputs and options were those asked for now.

The folder stands for a selection (``selected`` in the manifest), or for a union of several
(``--keep``): ``tiles.csv`` lists its scenes and no other. Files of scenes taken out of it go last,
and only after a run without a failure, so that no run can end with less than it began with.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from sensor2sensor.core import files
from sensor2sensor.core.errors import InputError, OutputExistsError
from sensor2sensor.core.page.whole import QUALITY_PAGE, QUALITY_TABLE
from sensor2sensor.preprocess.tiles.manifest import differing, manifest_of, mean_bands, widened
from sensor2sensor.preprocess.tiles.options import Request
from sensor2sensor.preprocess.tiles.table import (
    MANIFEST_FILE,
    TABLE_FILE,
    TileRow,
    read_manifest,
    write_table,
)


@dataclass
class SceneLog:
    """What is known of one scene of a folder, ``scenes/<id>.json``.

    Attributes:
        scene: its id in the inventory.
        fingerprint: of inputs and options.
        status: ``started`` or ``done``.
        rows: its rows of ``tiles.csv``.
        files: SHA-256 by file name; empty text while a file is about to be written.
        facts: quality source, offsets, search radii, reasons of rejection, whether exhausted; of
            a scene that is done.
    """

    scene: int
    fingerprint: str
    status: str = "started"
    rows: list[TileRow] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)

    def holds(self, quantity: int) -> bool:
        """Whether it has as many tiles, or all there are."""
        return len(self.rows) == quantity or (len(self.rows) < quantity and self.facts["exhausted"])

    def as_json(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {**vars(self), "rows": [row.as_json() for row in self.rows]}

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> SceneLog:
        """The log that :meth:`as_json` gave.

        Raises:
            TypeError: it is not of this form.
        """
        log = cls(**plain)
        sound = (
            isinstance(log.files, dict) and isinstance(log.facts, dict) and type(log.scene) is int
        )
        if not sound or (log.status == "done" and not log.facts):
            raise TypeError("another form")
        log.rows = [TileRow.from_json(row) for row in plain.get("rows", ())]
        return log


@dataclass(frozen=True)
class Leaving:
    """Scenes whose tiles are to go.

    Attributes:
        logs: of them.
        replaced: all of the folder's go, first, for tiles of other options; else those the folder
            no longer stands for go, last.
    """

    logs: list[SceneLog]
    replaced: bool

    @property
    def scenes(self) -> list[int]:
        """Their ids."""
        return [log.scene for log in self.logs]

    @property
    def tiles(self) -> int:
        """How many tiles they have."""
        return sum(len(log.rows) for log in self.logs)

    def __str__(self) -> str:
        """How many tiles of which scenes: ``6 tiles of 2 scenes (00004, 00007)``."""
        tiles, number = self.tiles, len(self.logs)
        named = ", ".join(f"{scene:05d}" for scene in self.scenes[:10])
        more = f" and {number - 10} more" if number > 10 else ""
        return f"{tiles} tiles of {number} scenes ({named}{more})"


class TileFolder:
    """The folder ``_tif/<inventory>/<tilesize>``.

    What an earlier run left is parsed once, however many questions are asked of it; what this run
    writes or removes is read afresh, under its lock.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.manifest = path / MANIFEST_FILE
        self.table = path / TABLE_FILE
        self._logs = path / "scenes"

    def log_path(self, scene: int) -> Path:
        """Where the log of a scene stands."""
        return self._logs / f"{scene:05d}.json"

    def read_log(self, scene: int) -> SceneLog | None:
        """The log of a scene, or None."""
        path = self.log_path(scene)
        if not path.is_file():
            return None
        try:
            return SceneLog.from_json(files.read_json(path))
        except (TypeError, ValueError, AttributeError) as error:
            hint = "delete it: the scene is then done again"
            raise InputError("is no scene log of this version", where=path, hint=hint) from error

    def write_log(self, log: SceneLog) -> None:
        """Write the log of a scene."""
        files.write_json(self.log_path(log.scene), log.as_json())

    def finished(self, scene: int) -> SceneLog | None:
        """The log of a scene that is done and whose files are all there."""
        log = self.read_log(scene)
        if log is None or log.status != "done":
            return None
        # By name: a repeat must not read every tile to find that there is nothing to do.
        return log if all((self.path / name).is_file() for name in log.files) else None

    def write_tile(
        self, log: SceneLog, contents: Mapping[str, bytes], ahead: Iterable[str] = ()
    ) -> None:
        """Write the files of a tile by name, each of them in the log before it is there.

        Args:
            log: of its scene.
            contents: of its files.
            ahead: names that may come next: listed with these, for with a log written before each
                of thousands of tiles its writing would soon cost more than theirs.
        """
        if not contents.keys() <= log.files.keys():
            log.status = "started"
            log.files.update(dict.fromkeys([*contents, *ahead], ""))
            self.write_log(log)
        for name, data in contents.items():
            files.write_bytes(self.path / name, data)
            log.files[name] = hashlib.sha256(data).hexdigest()

    def close_log(self, log: SceneLog, facts: dict[str, Any]) -> None:
        """Say last of all that a scene is done: one that was killed before is done again."""
        log.files = {name: digest for name, digest in log.files.items() if digest}
        log.facts, log.status = facts, "done"
        self.write_log(log)

    def clear_scene(self, scene: int) -> None:
        """Remove the files an earlier run made for a scene, and its log last."""
        log = self.read_log(scene)
        if log is None:
            return
        for name in log.files:
            files.remove(self.path / name)
        files.remove(self.log_path(scene))  # last: until then a kill leaves no file unlisted

    def logs(self) -> list[SceneLog]:
        """Every scene log, by id."""
        found = sorted(self._logs.glob("[0-9]*.json")) if self._logs.is_dir() else []
        return [log for path in found if (log := self.read_log(int(path.stem)))]

    @cached_property
    def _seen(self) -> dict[str, tuple[int, int]]:
        """Which files there were when this run first looked."""
        return self._state()

    def _state(self) -> dict[str, tuple[int, int]]:
        found = [self.manifest, *self._logs.glob("[0-9]*.json")]
        # Each write makes a new file, so its number tells of one within the clock's step, too.
        stats = {path.name: path.stat() for path in found if path.is_file()}
        return {name: (stat.st_ino, stat.st_mtime_ns) for name, stat in stats.items()}

    def require_as_seen(self) -> None:
        """Under the lock: what was planned must still be true of the folder.

        Raises:
            OutputExistsError: Another run has written to it since this one looked.
        """
        if self._seen != self._state():
            what = "another run of step 40 has written to it since this one began"
            raise OutputExistsError(what, where=self.path, hint="repeat the command")

    @cached_property
    def _manifest_before(self) -> dict[str, Any] | None:
        """The manifest of an earlier run, or None."""
        _ = self._seen  # before the first look
        return read_manifest(self.path) if self.manifest.is_file() else None

    @cached_property
    def _logs_before(self) -> list[SceneLog]:
        """The scene logs of earlier runs."""
        _ = self._seen  # before the first look
        return self.logs()

    def stands_for(self, request: Request) -> set[int]:
        """Scenes the folder is to hold: those selected and, with ``keep``, those it held before."""
        selected = set(request.selection.s2_indices)
        if not request.keep or self._manifest_before is None:
            return selected
        # Every log counts: a scene that a run with a failure listed no more has its files still.
        before = self._manifest_before.get("selected", [])
        return {*selected, *before, *(log.scene for log in self._logs_before)}

    def made_for(self) -> list[str]:
        """Names of the selections its tiles were made for."""
        return (
            []
            if self._manifest_before is None
            else list(self._manifest_before.get("selections", ()))
        )

    def manifest_for(self, request: Request, scenes: Collection[int]) -> dict[str, Any]:
        """What the manifest is to say beside the files, of the scenes the folder stands for."""
        return manifest_of(request, scenes, self.made_for() if request.keep else [])

    def leaving(self, request: Request, scenes: Collection[int]) -> Leaving:
        """Whose tiles a run for these scenes removes.

        Raises:
            OutputExistsError: there are tiles of other options, and ``force`` was not given.
        """
        logs = self._logs_before
        if self._must_be_replaced(request):
            return Leaving(logs, replaced=True)
        return Leaving([log for log in logs if log.scene not in scenes], replaced=False)

    def _must_be_replaced(self, request: Request) -> bool:
        """Whether the folder was made with other options; true of one without a tile too."""
        if self._manifest_before is None:
            return False
        asked = request.options.as_json()
        there = widened(self._manifest_before["options"], asked)
        found = differing(there, asked)
        if found and not request.force and any(log.rows for log in self._logs_before):
            what = f"holds tiles of other options: {'; '.join(found)}"
            hint = "repeat with those, or give --force to replace them"
            if there.get("version") != asked["version"]:
                hint = "an earlier version of step 40 made them; --force makes them anew"
            raise OutputExistsError(what, where=self.path, hint=hint)
        return bool(found)

    def remove_listed(self) -> None:
        """Remove exactly what manifest and logs list, the manifest last."""
        old = read_manifest(self.path)
        # Killed from here on, the folder must not pass for a complete one with files missing.
        files.write_json(self.manifest, {**old, "complete": False})
        logs = self.logs()
        listed = [*old["files"], *(name for log in logs for name in log.files)]
        for name in dict.fromkeys(listed):
            files.remove(self.path / name)
        for log in logs:
            files.remove(self.log_path(log.scene))
        for name in (QUALITY_PAGE, QUALITY_TABLE):
            files.remove(self.path / name)
        files.remove(self.table)
        files.remove(self.manifest)

    def sweep(self) -> None:
        """Delete what a killed run left half written."""
        files.sweep(self.path)
        files.sweep(self._logs)

    def start(self, manifest: Mapping[str, Any]) -> None:
        """Say which options the folder stands for, before its first tile or further ones."""
        if not self.manifest.is_file():
            files.write_json(self.manifest, {**manifest, "complete": False, "files": {}})
            return
        old = read_manifest(self.path)
        # Some options may change (more tiles): until those are there the folder is unfinished.
        if old["options"] != manifest["options"]:
            unfinished = {**old, "options": manifest["options"], "complete": False}
            files.write_json(self.manifest, unfinished)

    def finish(self, manifest: Mapping[str, Any], failed: Mapping[int, str]) -> int:
        """Write ``tiles.csv`` and the manifest from the logs of the scenes it stands for.

        Args:
            manifest: what it says beside them.
            failed: why scenes failed, by id.

        Returns:
            How many tiles there are.
        """
        selected = set(manifest["selected"])
        done = [log for log in self.logs() if log.status == "done" and log.scene in selected]
        rows = [row for log in done for row in log.rows]
        write_table(self.path, rows)
        tiles_seen = [(log.facts, len(log.rows)) for log in done if log.rows]
        content = {
            **manifest,
            "bands": mean_bands(manifest["bands"], tiles_seen),
            "complete": True,
            "tiles": len(rows),
            "tiles_csv_sha256": files.sha256(self.table),
            **_aligned(manifest, rows),
            "scenes": {str(log.scene): log.facts for log in done},
            **(
                {"failed": {str(scene): failed[scene] for scene in sorted(failed)}}
                if failed
                else {}
            ),
            "files": {name: digest for log in done for name, digest in log.files.items()},
        }
        files.write_json(self.manifest, content)
        return len(rows)


def _aligned(manifest: Mapping[str, Any], rows: Sequence[TileRow]) -> dict[str, int]:
    """How many tiles have OLCI pixels at the places that the drift says, where that was asked."""
    if not manifest["options"].get("correct_shift"):
        return {}
    return {"aligned_tiles": sum(row.aligned_pixels is not None for row in rows)}
