"""The last files of a data set: statistics, ``split.csv`` and, after all else, ``dataset.json``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sensor2sensor.core import files
from sensor2sensor.core.cli import StepReport
from sensor2sensor.core.errors import DatasetError
from sensor2sensor.dataset.bands import BandSpec, BandStatistics
from sensor2sensor.dataset.build import finish
from sensor2sensor.dataset.contract import SPLITS, DatasetContract
from sensor2sensor.dataset.degenerate import notices, refuse_degenerate
from sensor2sensor.dataset.ledger import DROPPED, REFUSED, SplitRow
from sensor2sensor.dataset.splits import SplitRule, TilePlace, ground_shared
from sensor2sensor.preprocess.records.inputs import TileSet
from sensor2sensor.preprocess.records.options import VERSION
from sensor2sensor.preprocess.records.state import BUILDING_FILE, Existing, kept_rows
from sensor2sensor.preprocess.records.write import Placed, Sibling, WriteTask, Written
from sensor2sensor.products.bands import mean_nm


@dataclass
class Outcome:
    """What the tasks gave, collected.

    Attributes:
        rows: A line for every tile of the inventory, without the place of its record.
        places: By data set and tile, where the record lies.
        files: Tile name to file.
    """

    rows: dict[str, SplitRow]
    places: dict[str, dict[str, Placed]]
    files: dict[str, str]

    def add(self, task: WriteTask, written: Written) -> None:
        """Take in what came of one task."""
        for dataset, placed in written.places.items():
            self.places[dataset].update(placed)
        for tile in task.tiles:
            if tile.name in written.refused:
                self.rows[tile.name] = replace(
                    self.rows[tile.name], split=REFUSED, reason=written.refused[tile.name]
                )
            else:
                self.files[tile.name] = task.file

    def rows_of(self, dataset: str) -> list[SplitRow]:
        """The complete lines of one data set."""
        return [self._placed(row, dataset) for row in self.rows.values()]

    def _placed(self, row: SplitRow, dataset: str) -> SplitRow:
        if row.split not in SPLITS:
            return row
        place = self.places[dataset][row.name]
        return replace(
            row,
            file=self.files[row.name],
            record=place.record,
            offset=place.offset,
            length=place.length,
            sha256=place.sha256,
            incomplete_blocks=place.incomplete,
        )


def finish_all(
    outcome: Outcome,
    siblings: Sequence[Sibling],
    existing: Mapping[Path, Existing],
    tiles: TileSet,
    rule: SplitRule,
    options: Mapping[str, Any],
    command: str,
    report: StepReport,
) -> None:
    """Finish every data set of the run, and tidy up.

    Raises:
        DatasetError: Refused tiles left a split empty, or a target band has no span.
    """
    shared: dict[str, float] | None = None
    target: tuple[BandStatistics, ...] | None = None
    for sibling in siblings:
        item = existing.get(sibling.folder)
        rows = [
            *(kept_rows(item, tiles.inventory) if item else []),
            *outcome.rows_of(sibling.draft.name),
        ]
        _require_members(rows, sibling.draft.name)
        shared = (
            shared
            if shared is not None
            else _shared(rows, sibling.draft.tile_px * tiles.resolution_m)
        )
        provenance = _provenance(item, tiles, options, command)
        contract = finish(
            sibling.folder,
            at_mean_wavelengths(sibling.draft, provenance["inventories"]),
            rows,
            target_statistics=target,
            accept=refuse_degenerate,
            split_policy=_policy(sibling.draft, rows, shared, rule.guard_m),
            degradation=_degradation(sibling.draft, rows),
            provenance=provenance,
        )
        target = contract.statistics["target"]
        _tidy(sibling, rows)
        report.note(_line(contract))
        for line in notices(contract):
            report.note(f"{contract.name}: {line}")


def _require_members(rows: Sequence[SplitRow], name: str) -> None:
    counts = Counter(row.split for row in rows)
    empty = [split for split in SPLITS if not counts[split]]
    if empty:
        numbers = ", ".join(f"{counts[s]} {s}" for s in (*SPLITS, DROPPED, REFUSED))
        raise DatasetError(
            f"the {' and '.join(empty)} split is empty ({numbers})",
            where=name,
            hint=f"{_first_refusal(rows)}mend the refused tiles, or give it more ground",
        )


def _first_refusal(rows: Sequence[SplitRow]) -> str:
    refused = [row for row in rows if row.split == REFUSED]
    return f"first of them {refused[0].name}: {refused[0].reason}; " if refused else ""


def _shared(rows: Sequence[SplitRow], size_m: float) -> dict[str, float]:
    places = {r.name: TilePlace(r.name, r.epsg, r.ulx_m, r.uly_m, size_m, "") for r in rows}
    return ground_shared(places, {row.name: row.split for row in rows})


def _policy(
    draft: DatasetContract, rows: Sequence[SplitRow], shared: dict[str, float], guard_m: float
) -> Any:
    counts = Counter(row.split for row in rows)
    found = {
        "dropped": counts[DROPPED],
        "refused": counts[REFUSED],
        "ground_shared": shared,
        "guard_m": guard_m,
        "dropped_by_guard": sum(row.by_guard for row in rows),
    }
    return draft.split_policy.model_copy(update=found)


def _degradation(draft: DatasetContract, rows: Sequence[SplitRow]) -> Any:
    if draft.degradation is None:
        return None
    lacking = [row.incomplete_blocks for row in rows if row.incomplete_blocks]
    return draft.degradation.model_copy(
        update={"incomplete_blocks": sum(lacking), "tiles_with_incomplete_blocks": len(lacking)}
    )


def _provenance(
    item: Existing | None, tiles: TileSet, options: Mapping[str, Any], command: str
) -> dict[str, Any]:
    """Where the data set comes from; no time and no path, so that a repeat gives equal bytes."""
    known = item.inventories if item is not None else {}
    first = item.contract.provenance["command"] if item and item.contract else command
    inventories = {**known, tiles.inventory: tiles.facts()}
    return {
        "step": "50",
        "version": VERSION,
        "command": first,
        "options": dict(options),
        "inventories": list(inventories.values()),
    }


def at_mean_wavelengths(
    draft: DatasetContract, inventories: Sequence[Mapping[str, Any]]
) -> DatasetContract:
    """The contract with the mean wavelength of all its tiles for each Sentinel-2 band.

    Inventories may be of different satellites; those added by earlier versions do not say, and the
    wavelengths of the others stand for them.
    """
    told = [one for one in inventories if "wavelengths_nm" in one]

    def moved(bands: Sequence[BandSpec]) -> tuple[BandSpec, ...]:
        return tuple(
            band.model_copy(
                update={
                    "wavelength_nm": mean_nm(
                        [(one["wavelengths_nm"][band.name], one["tiles"]) for one in told]
                    )
                }
            )
            if all(band.name in one["wavelengths_nm"] for one in told)
            else band
            for band in bands
        )

    sides = {
        side: spec.model_copy(update={"bands": moved(spec.bands)})
        for side, spec in (("input", draft.input), ("target", draft.target))
    }
    return draft.model_copy(update=sides)


def _tidy(sibling: Sibling, rows: Sequence[SplitRow]) -> None:
    """Remove record files that are no longer listed, then the note of the unfinished run."""
    note = sibling.folder / BUILDING_FILE
    if note.is_file():
        current = {row.file for row in rows}
        for name in files.read_json(note)["files"]:
            if name not in current:
                files.remove(sibling.folder / name)
        files.remove(note)


def dropped_text(dropped: int, by_guard: int) -> str:
    """``30 dropped (12 by the guard)``."""
    return f"{dropped} dropped" + (f" ({by_guard} by the guard)" if by_guard else "")


def _line(contract: DatasetContract) -> str:
    counts = ", ".join(f"{contract.splits[s].count} {s}" for s in SPLITS)
    policy = contract.split_policy
    text = (
        f"{contract.name}: {counts}, {dropped_text(policy.dropped, policy.dropped_by_guard)},"
        f" {policy.refused} refused tiles; {policy.described()}"
    )
    shown = policy.ground_shared
    if shown["test"]:
        text += f"; train shows {shown['test']:.0%} of the ground of test"
    return text
